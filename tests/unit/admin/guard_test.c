#include "admin/guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static char any_port[] = "admin.example.com", one_port[] = "edge.example.com:8443";
static char *extra_hosts[] = { any_port, one_port };

static const struct guard_policy policy = { .token = "s3cret",
                                            .bound_host = "127.0.0.1",
                                            .bound_port = 9900,
                                            .allowed_hosts = extra_hosts,
                                            .allowed_host_count = 2 };

#define GOOD_HOST .host = "127.0.0.1:9900"
#define GOOD_TOKEN .authorization = "Bearer s3cret"

struct attempt {
    const char *what;
    struct guard_claims claims;
    bool has_body_method, is_open;
    int status; /* 0: allowed */
};

static void run_attempts(const struct guard_policy *p, const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &attempts[i];
        struct guard_verdict verdict = guard_check_sender(p, &a->claims, a->has_body_method, a->is_open);
        int status = verdict.is_allowed ? 0 : verdict.status;
        if (status != a->status)
            fail_msg("%s: got %d, wanted %d", a->what, status, a->status);
        if (status)
            assert_true(verdict.code != NULL && verdict.message[0] != '\0');
    }
}

#define RUN(p, attempts) run_attempts(p, attempts, sizeof(attempts) / sizeof *(attempts))

static void a_host_that_is_not_ours_is_forbidden(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        { "bound address", { GOOD_HOST, GOOD_TOKEN }, false, false, 0 },
        { "without port", { .host = "127.0.0.1", GOOD_TOKEN }, false, false, 0 },
        { "localhost", { .host = "LocalHost:9900", GOOD_TOKEN }, false, false, 0 },
        { "v6 loopback", { .host = "[::1]:9900", GOOD_TOKEN }, false, false, 0 },
        { "allowed name", { .host = "Admin.example.com", GOOD_TOKEN }, false, false, 0 },
        { "allowed name, our port", { .host = "admin.example.com:9900", GOOD_TOKEN }, false, false, 0 },
        { "allowed with its port", { .host = "edge.example.com:8443", GOOD_TOKEN }, false, false, 0 },
        { "allowed with its port, none given", { .host = "edge.example.com", GOOD_TOKEN }, false, false, 403 },
        { "rebound name", { .host = "evil.example.com:9900", GOOD_TOKEN }, false, false, 403 },
        { "rebound name on an open route", { .host = "evil.example.com" }, false, true, 403 },
        { "suffix", { .host = "localhost.evil.example.com", GOOD_TOKEN }, false, false, 403 },
        { "prefix", { .host = "localhos", GOOD_TOKEN }, false, false, 403 },
        { "trailing dot", { .host = "localhost.", GOOD_TOKEN }, false, false, 403 },
        { "userinfo", { .host = "localhost@evil.example.com", GOOD_TOKEN }, false, false, 403 },
        { "other port", { .host = "127.0.0.1:80", GOOD_TOKEN }, false, false, 403 },
        { "empty port", { .host = "127.0.0.1:", GOOD_TOKEN }, false, false, 403 },
        { "port with sign", { .host = "127.0.0.1:+9900", GOOD_TOKEN }, false, false, 403 },
        { "port with zero", { .host = "127.0.0.1:09900", GOOD_TOKEN }, false, false, 403 },
        { "two ports", { .host = "127.0.0.1:9900:9900", GOOD_TOKEN }, false, false, 403 },
        { "other spelling of loopback", { .host = "127.1:9900", GOOD_TOKEN }, false, false, 403 },
        { "open bracket", { .host = "[::1", GOOD_TOKEN }, false, false, 403 },
        { "bracket and junk", { .host = "[::1]evil", GOOD_TOKEN }, false, false, 403 },
        { "list", { .host = "localhost, evil.example.com", GOOD_TOKEN }, false, false, 403 },
        { "empty", { .host = "", GOOD_TOKEN }, false, false, 403 },
        { "missing", { GOOD_TOKEN }, false, false, 400 },
    };
    struct guard_policy without = policy;
    without.token = NULL;
    RUN(&without, attempts);
}

/* No page of another site knows the token, so that its name may be anything. */
static void with_a_token_every_host_will_do(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        { "name of the machine", { .host = "edge-1.example.com:9900", GOOD_TOKEN }, true, false, 0 },
        { "its address", { .host = "192.0.2.7:9900", GOOD_TOKEN }, true, false, 0 },
        { "without the token", { .host = "192.0.2.7:9900" }, true, false, 401 },
        { "missing", { GOOD_TOKEN }, true, false, 400 },
        { "page of another site", { .host = "a.example", GOOD_TOKEN, .origin = "http://b.example" }, true, false, 403 },
    };
    RUN(&policy, attempts);
}

static void an_open_route_may_be_asked_for_by_address(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        { "address", { .host = "192.0.2.7:9900" }, false, true, 0 },
        { "without port", { .host = "192.0.2.7" }, false, true, 0 },
        { "another port", { .host = "192.0.2.7:80" }, false, true, 0 },
        { "v6", { .host = "[2001:db8::7]:9900" }, false, true, 0 },
        { "on a closed route", { .host = "192.0.2.7:9900" }, false, false, 403 },
        { "name", { .host = "evil.example.com:9900" }, false, true, 403 },
        { "name that looks like one", { .host = "192.0.2.7.evil.example.com" }, false, true, 403 },
        { "half an address", { .host = "192.0.2" }, false, true, 403 },
        { "v6 without brackets", { .host = "2001:db8::7" }, false, true, 403 },
        { "v4 in brackets", { .host = "[192.0.2.7]" }, false, true, 403 },
    };
    struct guard_policy without = policy;
    without.token = NULL;
    RUN(&without, attempts);
}

/* Our own proxy adds such fields to whatever it sends on, and would otherwise be a way in from the Internet. */
static void what_came_through_a_proxy_is_forbidden(void **state)
{
    (void)state;
    static const char *const names[] = { "Via", "FORWARDED", "x-forwarded-for", "X-Forwarded-Proto", "X-Forwarded-" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct guard_claims claims = { .host = NULL };
        guard_claims_add(&claims, "Host", "127.0.0.1:9900");
        guard_claims_add(&claims, "Authorization", "Bearer s3cret");
        guard_claims_add(&claims, names[i], "");
        struct guard_verdict verdict = guard_check_sender(&policy, &claims, false, false);
        assert_int_equal(verdict.status, 403);
        assert_non_null(strstr(verdict.message, names[i]));
        assert_int_equal(guard_check_sender(&policy, &claims, false, true).status, 403);
    }
}

static void a_page_of_another_site_is_forbidden_even_with_the_token(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        { "own page", { GOOD_HOST, GOOD_TOKEN, .origin = "http://127.0.0.1:9900" }, true, false, 0 },
        { "own page over TLS", { GOOD_HOST, GOOD_TOKEN, .origin = "https://127.0.0.1:9900" }, true, false, 0 },
        { "address bar", { GOOD_HOST, GOOD_TOKEN, .sec_fetch_site = "none" }, false, false, 0 },
        { "same origin", { GOOD_HOST, GOOD_TOKEN, .sec_fetch_site = "same-origin" }, false, false, 0 },
        { "other origin", { GOOD_HOST, GOOD_TOKEN, .origin = "https://evil.example.com" }, true, false, 403 },
        { "other origin, read", { GOOD_HOST, GOOD_TOKEN, .origin = "https://evil.example.com" }, false, false, 403 },
        { "other origin, open route", { GOOD_HOST, .origin = "https://evil.example.com" }, false, true, 403 },
        { "null origin", { GOOD_HOST, GOOD_TOKEN, .origin = "null" }, true, false, 403 },
        { "empty origin", { GOOD_HOST, GOOD_TOKEN, .origin = "" }, true, false, 403 },
        { "other port", { GOOD_HOST, GOOD_TOKEN, .origin = "http://127.0.0.1:8080" }, true, false, 403 },
        { "other scheme", { GOOD_HOST, GOOD_TOKEN, .origin = "file://127.0.0.1:9900" }, true, false, 403 },
        { "prefix", { GOOD_HOST, GOOD_TOKEN, .origin = "http://127.0.0.1:9900.evil.example.com" }, true, false, 403 },
        { "with path", { GOOD_HOST, GOOD_TOKEN, .origin = "http://127.0.0.1:9900/" }, true, false, 403 },
        { "cross site", { GOOD_HOST, GOOD_TOKEN, .sec_fetch_site = "cross-site" }, true, false, 403 },
        { "same site", { GOOD_HOST, GOOD_TOKEN, .sec_fetch_site = "same-site" }, true, false, 403 },
        { "unknown word", { GOOD_HOST, GOOD_TOKEN, .sec_fetch_site = "None" }, true, false, 403 },
        { "own origin, cross site",
          { GOOD_HOST, GOOD_TOKEN, .origin = "http://127.0.0.1:9900", .sec_fetch_site = "cross-site" },
          true,
          false,
          403 },
    };
    RUN(&policy, attempts);
}

static void the_token_is_asked_for_everywhere_but_on_open_routes(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        { "right", { GOOD_HOST, GOOD_TOKEN }, true, false, 0 },
        { "scheme without case", { GOOD_HOST, .authorization = "bearer s3cret" }, true, false, 0 },
        { "open route", { GOOD_HOST }, false, true, 0 },
        { "none", { GOOD_HOST }, false, false, 401 },
        { "empty", { GOOD_HOST, .authorization = "" }, false, false, 401 },
        { "empty bearer", { GOOD_HOST, .authorization = "Bearer " }, false, false, 401 },
        { "prefix", { GOOD_HOST, .authorization = "Bearer s3cre" }, false, false, 401 },
        { "longer", { GOOD_HOST, .authorization = "Bearer s3crets" }, false, false, 401 },
        { "twice the token", { GOOD_HOST, .authorization = "Bearer s3crets3cret" }, false, false, 401 },
        { "case", { GOOD_HOST, .authorization = "Bearer S3cret" }, false, false, 401 },
        { "other scheme", { GOOD_HOST, .authorization = "Basic s3cret" }, false, false, 401 },
        { "no scheme", { GOOD_HOST, .authorization = "s3cret" }, false, false, 401 },
        { "trailing space", { GOOD_HOST, .authorization = "Bearer s3cret " }, false, false, 401 },
    };
    RUN(&policy, attempts);
    struct guard_policy without = policy;
    without.token = NULL;
    static const struct attempt free_for_all[] = { { "no token asked for", { GOOD_HOST }, true, false, 0 } };
    RUN(&without, free_for_all);
}

static void doubtful_framing_is_refused_before_all_else(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        { "chunked", { GOOD_HOST, GOOD_TOKEN, .transfer_encoding = "chunked" }, true, false, 411 },
        { "length with sign", { GOOD_HOST, GOOD_TOKEN, .content_length = "+5" }, true, false, 400 },
        { "length list", { GOOD_HOST, GOOD_TOKEN, .content_length = "5, 5" }, true, false, 400 },
        { "empty length", { GOOD_HOST, GOOD_TOKEN, .content_length = "" }, true, false, 400 },
        { "body on GET", { GOOD_HOST, GOOD_TOKEN, .content_length = "5" }, false, false, 400 },
        { "empty body on GET", { GOOD_HOST, GOOD_TOKEN, .content_length = "0" }, false, false, 0 },
        { "body on POST", { GOOD_HOST, GOOD_TOKEN, .content_length = "5" }, true, false, 0 },
    };
    RUN(&policy, attempts);
}

static void a_repeated_field_is_refused_whatever_it_says(void **state)
{
    (void)state;
    static const char *const names[] = { "Host",         "ORIGIN",         "sec-fetch-site",   "Authorization",
                                         "content-type", "Content-Length", "Transfer-Encoding" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct guard_claims claims = { .host = NULL };
        guard_claims_add(&claims, "Host", "127.0.0.1:9900");
        guard_claims_add(&claims, "authorization", "Bearer s3cret");
        guard_claims_add(&claims, names[i], "0");
        guard_claims_add(&claims, names[i], "0");
        assert_int_equal(guard_check_sender(&policy, &claims, true, false).status, 400);
    }
    struct guard_claims claims = { .host = NULL };
    guard_claims_add(&claims, "Host", "127.0.0.1:9900");
    guard_claims_add(&claims, "Authorization", "Bearer s3cret");
    guard_claims_add(&claims, "Accept", "a");
    guard_claims_add(&claims, "Accept", "b");
    assert_true(guard_check_sender(&policy, &claims, false, false).is_allowed);
}

static void only_json_is_a_media_type_that_changes_things(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool is_allowed;
    } rows[] = {
        { "application/json", true },
        { "Application/JSON", true },
        { "application/json; charset=utf-8", true },
        { "application/json;charset=UTF-8", true },
        { NULL, false },
        { "", false },
        { "text/plain", false },
        { "application/x-www-form-urlencoded", false },
        { "multipart/form-data; boundary=application/json", false },
        { "text/plain; application/json", false },
        { "application/jsonp", false },
        { "application/json, text/plain", false },
        { "application/json;", false },
        { "application/json; charset=utf-16", false },
        { "application/json; charset=utf-8; a=b", false },
        { "application/json-patch+json", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct guard_claims claims = { .content_type = rows[i].type };
        struct guard_verdict verdict = guard_check_media_type(&claims);
        if (verdict.is_allowed != rows[i].is_allowed)
            fail_msg("%s", rows[i].type ? rows[i].type : "(none)");
        if (!verdict.is_allowed)
            assert_int_equal(verdict.status, 415);
    }
}

static void a_refusal_is_printable_and_bounded(void **state)
{
    (void)state;
    char host[2000];
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    memcpy(host, "x\x1b[31m\xff", 7);
    struct guard_claims claims = { .host = host };
    struct guard_policy without = policy;
    without.token = NULL;
    struct guard_verdict verdict = guard_check_sender(&without, &claims, false, false);
    assert_int_equal(verdict.status, 403);
    for (const char *at = verdict.message; *at; at++)
        assert_in_range(*at, 0x20, 0x7e);
    assert_in_range(strlen(verdict.message), 1, 250);
}

static void an_empty_token_matches_nothing(void **state)
{
    (void)state;
    assert_false(guard_token_matches("", ""));
    assert_false(guard_token_matches("a", ""));
    assert_true(guard_token_matches("a", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_is_not_ours_is_forbidden),
        cmocka_unit_test(with_a_token_every_host_will_do),
        cmocka_unit_test(an_open_route_may_be_asked_for_by_address),
        cmocka_unit_test(what_came_through_a_proxy_is_forbidden),
        cmocka_unit_test(a_page_of_another_site_is_forbidden_even_with_the_token),
        cmocka_unit_test(the_token_is_asked_for_everywhere_but_on_open_routes),
        cmocka_unit_test(doubtful_framing_is_refused_before_all_else),
        cmocka_unit_test(a_repeated_field_is_refused_whatever_it_says),
        cmocka_unit_test(only_json_is_a_media_type_that_changes_things),
        cmocka_unit_test(a_refusal_is_printable_and_bounded),
        cmocka_unit_test(an_empty_token_matches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
