#include "config/listen_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool is_all_zero(const struct listen_address *address)
{
    static const uint8_t zero[16];
    return memcmp(address->ip, zero, sizeof zero) == 0;
}

bool listen_address_parse(const char *text, struct listen_address *out)
{
    char ip[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    *out = (struct listen_address){ .port = listen_address_parse_port(colon + 1) };
    if (out->port == 0)
        return false;
    size_t len = (size_t)(colon - text);
    if (len == 1 && text[0] == '*')
        return true; /* all of IPv4: a host without IPv6 must be able to start */
    out->is_ipv6 = text[0] == '[' && len > 2 && colon[-1] == ']';
    if (out->is_ipv6) {
        text++;
        len -= 2;
    }
    if (len >= sizeof ip)
        return false;
    memcpy(ip, text, len);
    ip[len] = '\0';
    return inet_pton(out->is_ipv6 ? AF_INET6 : AF_INET, ip, out->ip) == 1;
}

void listen_address_print(const struct listen_address *address, char out[LISTEN_ADDRESS_SIZE])
{
    char ip[INET6_ADDRSTRLEN] = "";
    inet_ntop(address->is_ipv6 ? AF_INET6 : AF_INET, address->ip, ip, sizeof ip);
    snprintf(out, LISTEN_ADDRESS_SIZE, address->is_ipv6 ? "[%s]:%u" : "%s:%u", ip, (unsigned)address->port);
}

bool listen_address_is_loopback(const struct listen_address *address)
{
    static const uint8_t loopback[16] = { [15] = 1 };
    static const uint8_t mapped[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };
    if (!address->is_ipv6)
        return address->ip[0] == 127;
    return memcmp(address->ip, loopback, sizeof loopback) == 0 || memcmp(address->ip, mapped, sizeof mapped) == 0;
}

bool listen_address_names_loopback(const char *authority)
{
    struct listen_address address;
    return strncmp(authority, "localhost:", 10) == 0 ||
           (listen_address_parse(authority, &address) && listen_address_is_loopback(&address));
}

bool listen_address_overlaps(const struct listen_address *a, const struct listen_address *b)
{
    if (a->port != b->port || a->is_ipv6 != b->is_ipv6)
        return false;
    return is_all_zero(a) || is_all_zero(b) || memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

uint16_t listen_address_parse_port(const char *text)
{
    unsigned port = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5 || text[0] == '0' || strspn(text, "0123456789") != len)
        return 0;
    for (; *text; text++)
        port = port * 10 + (unsigned)(*text - '0');
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}
