#include "admin/guard.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct guard_verdict allow(void)
{
    return (struct guard_verdict){ .is_allowed = true };
}

__attribute__((format(printf, 3, 4))) static struct guard_verdict refuse(int status, const char *code,
                                                                         const char *format, ...)
{
    struct guard_verdict verdict = { .status = status, .code = code };
    va_list args;
    va_start(args, format);
    vsnprintf(verdict.message, sizeof verdict.message, format, args);
    va_end(args);
    for (char *at = verdict.message; *at; at++) {
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
    }
    return verdict;
}

static bool is_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* The length of the host in "host", "host:port", "[v6]" or "[v6]:port"; *port points at the digits, or is null. */
static bool split_host(const char *value, size_t *host_len, const char **port)
{
    const char *end = *value == '[' ? strchr(value, ']') : NULL;
    if (*value == '[' && !end)
        return false;
    *host_len = end ? (size_t)(end + 1 - value) : strcspn(value, ":");
    const char *rest = value + *host_len;
    if (*host_len == 0 || (*rest && *rest != ':'))
        return false;
    *port = *rest ? rest + 1 : NULL;
    return !*port || (is_digits(*port) && strlen(*port) <= 5);
}

static bool is_same_host(const char *value, size_t host_len, const char *wanted)
{
    return strlen(wanted) == host_len && strncasecmp(value, wanted, host_len) == 0;
}

static bool is_host_allowed(const struct guard_policy *policy, const char *value)
{
    static const char *const loopback_names[] = { "localhost", "127.0.0.1", "[::1]" };
    size_t host_len;
    const char *port;
    if (!split_host(value, &host_len, &port))
        return false;
    for (size_t i = 0; i < policy->allowed_host_count; i++) {
        if (strcasecmp(policy->allowed_hosts[i], value) == 0)
            return true;
    }
    char our_port[8];
    snprintf(our_port, sizeof our_port, "%u", policy->bound_port);
    if (port && strcmp(port, our_port) != 0)
        return false;
    for (size_t i = 0; i < policy->allowed_host_count; i++) {
        if (is_same_host(value, host_len, policy->allowed_hosts[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof loopback_names / sizeof *loopback_names; i++) {
        if (is_same_host(value, host_len, loopback_names[i]))
            return true;
    }
    return is_same_host(value, host_len, policy->bound_host);
}

/* An IP address, with or without port: no name that could have been made to lead here. */
static bool is_address(const char *value)
{
    char host[64];
    unsigned char unused[16];
    size_t host_len;
    const char *port;
    if (!split_host(value, &host_len, &port) || host_len >= sizeof host)
        return false;
    bool is_bracketed = value[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(host_len - (is_bracketed ? 2 : 0)), value + is_bracketed);
    return inet_pton(is_bracketed ? AF_INET6 : AF_INET, host, unused) == 1;
}

/* The page that asks was served by this very host: "http://" or "https://" and the Host field, nothing else. */
static bool is_own_origin(const char *origin, const char *host)
{
    size_t scheme_len = strncasecmp(origin, "http://", 7) == 0 ? 7 : strncasecmp(origin, "https://", 8) == 0 ? 8 : 0;
    return scheme_len && strcasecmp(origin + scheme_len, host) == 0;
}

static bool is_same_origin_fetch(const char *sec_fetch_site)
{
    return strcmp(sec_fetch_site, "none") == 0 || strcmp(sec_fetch_site, "same-origin") == 0;
}

static bool has_bearer_token(const char *token, const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return false;
    return guard_token_matches(token, authorization + 7 + strspn(authorization + 7, " "));
}

static struct guard_verdict check_framing(const struct guard_claims *claims, bool has_body_method)
{
    if (claims->repeated)
        return refuse(400, "bad_request", "the %s field must not be repeated", claims->repeated);
    if (claims->transfer_encoding)
        return refuse(411, "length_required", "send Content-Length; Transfer-Encoding is not accepted here");
    if (claims->content_length && !is_digits(claims->content_length))
        return refuse(400, "bad_request", "Content-Length must be a decimal number");
    if (!has_body_method && claims->content_length && strcmp(claims->content_length, "0") != 0)
        return refuse(400, "bad_request", "this method takes no body");
    return allow();
}

/* "application/json", alone or with "; charset=utf-8". */
static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    if (strncasecmp(type, json, sizeof json - 1) != 0)
        return false;
    const char *rest = type + sizeof json - 1;
    rest += strspn(rest, " \t");
    if (*rest != ';')
        return *rest == '\0';
    rest++;
    rest += strspn(rest, " \t");
    return strcasecmp(rest, "charset=utf-8") == 0;
}

void guard_claims_add(struct guard_claims *claims, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **slot;
    } fields[] = {
        { "Host", &claims->host },
        { "Origin", &claims->origin },
        { "Sec-Fetch-Site", &claims->sec_fetch_site },
        { "Authorization", &claims->authorization },
        { "Content-Type", &claims->content_type },
        { "Content-Length", &claims->content_length },
        { "Transfer-Encoding", &claims->transfer_encoding },
        { "If-Match", &claims->if_match },
        { "If-None-Match", &claims->if_none_match },
        { "Idempotency-Key", &claims->idempotency_key },
    };
    if (strcasecmp(name, "Via") == 0 || strcasecmp(name, "Forwarded") == 0 ||
        strncasecmp(name, "X-Forwarded-", 12) == 0)
        claims->forwarded = name;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcasecmp(name, fields[i].name) != 0)
            continue;
        if (*fields[i].slot)
            claims->repeated = fields[i].name;
        *fields[i].slot = value;
    }
}

struct guard_verdict guard_check_sender(const struct guard_policy *policy, const struct guard_claims *claims,
                                        bool has_body_method, bool is_open)
{
    struct guard_verdict framing = check_framing(claims, has_body_method);
    if (!framing.is_allowed)
        return framing;
    if (claims->forwarded)
        return refuse(403, "forwarded", "this came through a proxy (it has %.60s): call the admin API itself",
                      claims->forwarded);
    if (!claims->host)
        return refuse(400, "bad_request", "the Host field is missing");
    if (!policy->token && !is_host_allowed(policy, claims->host) && !(is_open && is_address(claims->host)))
        return refuse(403, "forbidden_host", "Host %.100s is neither ours nor in admin.allowedHosts", claims->host);
    if (claims->sec_fetch_site && !is_same_origin_fetch(claims->sec_fetch_site))
        return refuse(403, "cross_site", "a page of another site may not call this API");
    if (claims->origin && !is_own_origin(claims->origin, claims->host))
        return refuse(403, "cross_site", "Origin %.100s is not this API's", claims->origin);
    if (policy->token && !is_open && !has_bearer_token(policy->token, claims->authorization))
        return refuse(401, "unauthorized", "send Authorization: Bearer and the token of admin.token");
    return allow();
}

struct guard_verdict guard_check_media_type(const struct guard_claims *claims)
{
    if (!claims->content_type || !is_json_type(claims->content_type))
        return refuse(415, "unsupported_media_type", "Content-Type must be application/json");
    return allow();
}

bool guard_token_matches(const char *token, const char *given)
{
    size_t token_len = strlen(token), given_len = strlen(given);
    if (token_len == 0)
        return false;
    volatile unsigned char difference = token_len != given_len;
    for (size_t i = 0; i < given_len; i++)
        difference |= (unsigned char)((unsigned char)given[i] ^ (unsigned char)token[i % token_len]);
    return difference == 0;
}
