#include "proxy/message/proxy_protocol.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define V1_START "PROXY "
#define V1_LINE_MAX 107 /* with its CRLF */
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V2_FIXED_LEN 16 /* signature, version and command, family and transport, length */
#define TLV_HEAD_LEN 3
#define TLV_CRC32C 0x03
#define ADDRESS_TEXT_SIZE 40 /* eight groups of four digits */

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_FAMILY_UNSPEC = 0, V2_FAMILY_INET, V2_FAMILY_INET6, V2_FAMILY_UNIX, V2_FAMILY_COUNT };
enum { V2_TRANSPORT_UNSPEC = 0, V2_TRANSPORT_STREAM, V2_TRANSPORT_DGRAM, V2_TRANSPORT_COUNT };

static const size_t v2_addresses_len[V2_FAMILY_COUNT] = { 0, 2 * 4 + 4, 2 * 16 + 4, 2 * 108 };

/* ---- addresses ---- */

static void set_v4(union endpoint_address *out, const void *address, in_port_t port)
{
    memset(out, 0, sizeof *out);
    out->v4.sin_family = AF_INET;
    memcpy(&out->v4.sin_addr, address, 4);
    out->v4.sin_port = port;
}

static void set_v6(union endpoint_address *out, const uint8_t address[16], in_port_t port)
{
    if (memcmp(address, network_v4_prefix, sizeof network_v4_prefix) == 0) {
        set_v4(out, address + sizeof network_v4_prefix, port);
        return;
    }
    memset(out, 0, sizeof *out);
    out->v6.sin6_family = AF_INET6;
    memcpy(&out->v6.sin6_addr, address, 16);
    out->v6.sin6_port = port;
}

/* ---- version 1 ---- */

/* Splits off what is before the next space; false when there is none, or it does not fit. */
static bool take_word(const char **at, const char *end, char *out, size_t size)
{
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    size_t len = (size_t)((space ? space : end) - *at);
    if (len >= size || memchr(*at, '\0', len))
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len + (space ? 1 : 0);
    return space != NULL;
}

static bool parse_v1_address(const char *text, bool is_v6, uint8_t out[16])
{
    /* The specification has no dots in IPv6. */
    return is_v6 ? !strchr(text, '.') && inet_pton(AF_INET6, text, out) == 1 : inet_pton(AF_INET, text, out) == 1;
}

static bool parse_v1_port(const char *text, in_port_t *port)
{
    unsigned number = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5 || (text[0] == '0' && len > 1))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (unsigned)(*text - '0');
    }
    *port = htons((uint16_t)number);
    return number <= UINT16_MAX;
}

/* Behind "PROXY TCP4 " or "PROXY TCP6 ". */
static bool parse_v1_addresses(const char *at, const char *end, bool is_v6, struct proxy_protocol_header *out)
{
    char source[ADDRESS_TEXT_SIZE], destination[ADDRESS_TEXT_SIZE], source_port[6], destination_port[6];
    uint8_t addresses[2][16];
    in_port_t ports[2];
    if (!take_word(&at, end, source, sizeof source) || !take_word(&at, end, destination, sizeof destination) ||
        !take_word(&at, end, source_port, sizeof source_port) ||
        take_word(&at, end, destination_port, sizeof destination_port) || at != end)
        return false;
    if (!parse_v1_address(source, is_v6, addresses[0]) || !parse_v1_address(destination, is_v6, addresses[1]) ||
        !parse_v1_port(source_port, &ports[0]) || !parse_v1_port(destination_port, &ports[1]))
        return false;
    if (is_v6) {
        set_v6(&out->source, addresses[0], ports[0]);
        set_v6(&out->destination, addresses[1], ports[1]);
    } else {
        set_v4(&out->source, addresses[0], ports[0]);
        set_v4(&out->destination, addresses[1], ports[1]);
    }
    out->has_addresses = true;
    return true;
}

static bool starts_with(const char *at, const char *end, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(end - at) >= len && memcmp(at, text, len) == 0;
}

/* The line without its CRLF. What follows UNKNOWN is to be ignored. */
static bool parse_v1_line(const char *at, const char *end, struct proxy_protocol_header *out)
{
    at += sizeof V1_START - 1;
    if (starts_with(at, end, "TCP4 "))
        return parse_v1_addresses(at + 5, end, false, out);
    if (starts_with(at, end, "TCP6 "))
        return parse_v1_addresses(at + 5, end, true, out);
    return starts_with(at, end, "UNKNOWN") && (end - at == 7 || at[7] == ' ');
}

/* Only visible characters and spaces, then CRLF. */
static enum proxy_protocol_result parse_v1(const char *in, size_t len, struct proxy_protocol_header *out,
                                           size_t *consumed)
{
    size_t bound = len < V1_LINE_MAX ? len : V1_LINE_MAX, i = 0;
    while (i < bound && in[i] >= ' ' && in[i] <= '~')
        i++;
    if (i + 1 >= bound) /* not both of CR and LF */
        return bound < V1_LINE_MAX && (i == bound || in[i] == '\r') ? PROXY_PROTOCOL_MORE : PROXY_PROTOCOL_BAD;
    if (in[i] != '\r' || in[i + 1] != '\n' || !parse_v1_line(in, in + i, out))
        return PROXY_PROTOCOL_BAD;
    *consumed = i + 2;
    return PROXY_PROTOCOL_DONE;
}

/* ---- version 2 ---- */

static uint32_t crc32c_add(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0); /* Castagnoli's polynomial, reflected (RFC 3720 B.4) */
    return crc;
}

/* Of the header with the four bytes at `hole` taken as 0. No table: it is there once a connection, if at all. */
static uint32_t crc32c(const uint8_t *in, size_t len, size_t hole)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++)
        crc = crc32c_add(crc, i >= hole && i < hole + 4 ? 0 : in[i]);
    return ~crc;
}

static uint32_t read_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* in[at..len) has to be TLVs. */
static bool check_tlvs(const uint8_t *in, size_t at, size_t len)
{
    size_t crc_at = 0;
    while (at < len) {
        if (len - at < TLV_HEAD_LEN)
            return false;
        size_t value_len = (size_t)in[at + 1] << 8 | in[at + 2];
        if (value_len > len - at - TLV_HEAD_LEN)
            return false;
        if (in[at] == TLV_CRC32C) {
            if (crc_at || value_len != 4)
                return false;
            crc_at = at + TLV_HEAD_LEN;
        }
        at += TLV_HEAD_LEN + value_len;
    }
    return crc_at == 0 || crc32c(in, len, crc_at) == read_be32(in + crc_at);
}

static void set_v2_addresses(const uint8_t *at, int family, struct proxy_protocol_header *out)
{
    in_port_t ports[2];
    size_t address_len = family == V2_FAMILY_INET ? 4 : 16;
    memcpy(ports, at + 2 * address_len, sizeof ports);
    if (family == V2_FAMILY_INET) {
        set_v4(&out->source, at, ports[0]);
        set_v4(&out->destination, at + address_len, ports[1]);
    } else {
        set_v6(&out->source, at, ports[0]);
        set_v6(&out->destination, at + address_len, ports[1]);
    }
    out->has_addresses = true;
}

/* in[0..len) is the whole header of command PROXY, its family and transport are valid. */
static bool parse_v2_addresses(const uint8_t *in, size_t len, struct proxy_protocol_header *out)
{
    int family = in[13] >> 4, transport = in[13] & 15;
    size_t addresses_len = v2_addresses_len[family];
    if (family == V2_FAMILY_UNSPEC)
        return true; /* what follows has no known form */
    if (len - V2_FIXED_LEN < addresses_len || !check_tlvs(in, V2_FIXED_LEN + addresses_len, len))
        return false;
    if (family != V2_FAMILY_UNIX && transport == V2_TRANSPORT_STREAM)
        set_v2_addresses(in + V2_FIXED_LEN, family, out);
    return true;
}

/* As early as each byte is there: is it one that a header can have? */
static bool v2_start_is_valid(const uint8_t *in, size_t len)
{
    if (len > 12 && in[12] != V2_LOCAL && in[12] != V2_PROXY)
        return false;
    if (len > 13 && in[12] == V2_PROXY && (in[13] >> 4 >= V2_FAMILY_COUNT || (in[13] & 15) >= V2_TRANSPORT_COUNT))
        return false;
    return len < V2_FIXED_LEN || V2_FIXED_LEN + ((size_t)in[14] << 8 | in[15]) <= PROXY_PROTOCOL_HEADER_MAX;
}

static enum proxy_protocol_result parse_v2(const uint8_t *in, size_t len, struct proxy_protocol_header *out,
                                           size_t *consumed)
{
    if (!v2_start_is_valid(in, len))
        return PROXY_PROTOCOL_BAD;
    if (len < V2_FIXED_LEN)
        return PROXY_PROTOCOL_MORE;
    size_t header_len = V2_FIXED_LEN + ((size_t)in[14] << 8 | in[15]);
    if (len < header_len)
        return PROXY_PROTOCOL_MORE;
    if (in[12] == V2_PROXY && !parse_v2_addresses(in, header_len, out))
        return PROXY_PROTOCOL_BAD;
    *consumed = header_len;
    return PROXY_PROTOCOL_DONE;
}

/* ---- writing ---- */

struct tcp_pair {
    bool is_v6;
    uint8_t source[16], destination[16]; /* the first four of IPv4 */
    in_port_t source_port, destination_port;
};

/* Always as IPv6. */
static bool read_sockaddr(const struct sockaddr *from, uint8_t out[16], in_port_t *port)
{
    if (from && from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        memcpy(out, network_v4_prefix, sizeof network_v4_prefix);
        memcpy(out + sizeof network_v4_prefix, &v4->sin_addr, 4);
        *port = v4->sin_port;
    } else if (from && from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        memcpy(out, &v6->sin6_addr, 16);
        *port = v6->sin6_port;
    } else {
        return false;
    }
    return true;
}

static bool is_v4_mapped(const uint8_t address[16])
{
    return memcmp(address, network_v4_prefix, sizeof network_v4_prefix) == 0;
}

static bool make_pair(const struct sockaddr *source, const struct sockaddr *destination, struct tcp_pair *pair)
{
    if (!read_sockaddr(source, pair->source, &pair->source_port) ||
        !read_sockaddr(destination, pair->destination, &pair->destination_port))
        return false;
    pair->is_v6 = !is_v4_mapped(pair->source) || !is_v4_mapped(pair->destination);
    if (!pair->is_v6) {
        memmove(pair->source, pair->source + 12, 4);
        memmove(pair->destination, pair->destination + 12, 4);
    }
    return true;
}

/* Not inet_ntop's: it writes dots into IPv4-mapped addresses, which version 1 does not know. */
static void format_address(const uint8_t *address, bool is_v6, char out[ADDRESS_TEXT_SIZE])
{
    if (!is_v6) {
        snprintf(out, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", address[0], address[1], address[2], address[3]);
        return;
    }
    size_t len = 0;
    for (int i = 0; i < 16; i += 2)
        len += (size_t)snprintf(out + len, ADDRESS_TEXT_SIZE - len, "%s%x", i ? ":" : "",
                                (unsigned)address[i] << 8 | address[i + 1]);
}

static size_t write_v1(const struct tcp_pair *pair, char out[PROXY_PROTOCOL_WRITE_MAX])
{
    char source[ADDRESS_TEXT_SIZE], destination[ADDRESS_TEXT_SIZE];
    if (!pair)
        return (size_t)snprintf(out, PROXY_PROTOCOL_WRITE_MAX, "PROXY UNKNOWN\r\n");
    format_address(pair->source, pair->is_v6, source);
    format_address(pair->destination, pair->is_v6, destination);
    return (size_t)snprintf(out, PROXY_PROTOCOL_WRITE_MAX, "PROXY %s %s %s %u %u\r\n", pair->is_v6 ? "TCP6" : "TCP4",
                            source, destination, ntohs(pair->source_port), ntohs(pair->destination_port));
}

static size_t write_v2(const struct tcp_pair *pair, char out[PROXY_PROTOCOL_WRITE_MAX])
{
    size_t address_len = !pair ? 0 : pair->is_v6 ? 16 : 4;
    size_t len = pair ? 2 * address_len + 4 : 0;
    memcpy(out, V2_SIGNATURE, V2_SIGNATURE_LEN);
    out[12] = pair ? V2_PROXY : V2_LOCAL;
    out[13] = (char)(!pair ? 0 : (pair->is_v6 ? V2_FAMILY_INET6 : V2_FAMILY_INET) << 4 | V2_TRANSPORT_STREAM);
    out[14] = 0;
    out[15] = (char)len;
    if (pair) {
        char *at = out + V2_FIXED_LEN;
        memcpy(at, pair->source, address_len);
        memcpy(at + address_len, pair->destination, address_len);
        memcpy(at + 2 * address_len, &pair->source_port, 2);
        memcpy(at + 2 * address_len + 2, &pair->destination_port, 2);
    }
    return V2_FIXED_LEN + len;
}

/* ---- public ---- */

const char *proxy_protocol_result_to_str(enum proxy_protocol_result result)
{
    static const char *const names[] = { "done", "more", "bad" };
    return (unsigned)result < sizeof names / sizeof *names ? names[result] : "?";
}

enum proxy_protocol_result proxy_protocol_parse(const char *in, size_t len, struct proxy_protocol_header *out,
                                                size_t *consumed)
{
    memset(out, 0, sizeof *out);
    *consumed = 0;
    size_t v1_len = len < sizeof V1_START - 1 ? len : sizeof V1_START - 1;
    size_t v2_len = len < V2_SIGNATURE_LEN ? len : V2_SIGNATURE_LEN;
    if (len == 0)
        return PROXY_PROTOCOL_MORE;
    if (memcmp(in, V1_START, v1_len) == 0)
        return parse_v1(in, len, out, consumed);
    if (memcmp(in, V2_SIGNATURE, v2_len) == 0)
        return parse_v2((const uint8_t *)in, len, out, consumed);
    return PROXY_PROTOCOL_BAD;
}

size_t proxy_protocol_write(enum proxy_protocol_version version, const struct sockaddr *source,
                            const struct sockaddr *destination, char out[PROXY_PROTOCOL_WRITE_MAX])
{
    struct tcp_pair pair;
    bool is_known = make_pair(source, destination, &pair);
    switch (version) {
    case PROXY_PROTOCOL_V1:
        return write_v1(is_known ? &pair : NULL, out);
    case PROXY_PROTOCOL_V2:
        return write_v2(is_known ? &pair : NULL, out);
    default:
        return 0;
    }
}
