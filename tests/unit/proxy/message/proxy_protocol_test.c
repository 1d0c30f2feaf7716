#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/message/proxy_protocol.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_PAIR "\xc0\0\2\1\xc6\x33\x64\2\xde\xad\1\xbb" /* 192.0.2.1:57005 to 198.51.100.2:443 */
#define V6_PAIR                             \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1" \
    "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2" \
    "\x10\xe1\0\x50"
#define MAPPED_PAIR                              \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"     \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\2" \
    "\xde\xad\1\xbb"
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define V4_TEXT "192.0.2.1:57005 198.51.100.2:443"
#define V6_TEXT "[2001:db8::1]:4321 [2001:db8::2]:80"

struct bytes {
    const char *at;
    size_t len;
};
#define BYTES(literal)                 \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

struct good_case {
    struct bytes in;
    const char *addresses; /* empty: none */
};

static const struct good_case good[] = {
    { BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\r\n"), V4_TEXT },
    { BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
      "255.255.255.255:65535 255.255.255.255:65535" },
    { BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0 0.0.0.0:0" },
    { BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4321 80\r\n"), V6_TEXT },
    { BYTES("PROXY TCP6 2001:DB8:0:0:0:0:0:1 2001:0db8:0000:0000:0000:0000:0000:0002 4321 80\r\n"), V6_TEXT },
    { BYTES(
          "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n"),
      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535" },
    { BYTES("PROXY TCP6 :: ::1 1 2\r\n"), "[::]:1 [::1]:2" },
    { BYTES("PROXY TCP6 ::ffff:c000:201 ::ffff:c633:6402 57005 443\r\n"), V4_TEXT },
    { BYTES("PROXY UNKNOWN\r\n"), "" },
    { BYTES("PROXY UNKNOWN \r\n"), "" },
    { BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
            "65535\r\n"),
      "" },
    { BYTES("PROXY UNKNOWN nothing of this counts\r\n"), "" },
    { BYTES(SIGNATURE "\x21\x11\0\x0c" V4_PAIR), V4_TEXT },
    { BYTES(SIGNATURE "\x21\x21\0\x24" V6_PAIR), V6_TEXT },
    { BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED_PAIR), V4_TEXT },
    { BYTES(SIGNATURE "\x20\0\0\0"), "" },
    { BYTES(SIGNATURE "\x20\x11\0\x0c" V4_PAIR), "" }, /* LOCAL: what it says does not count */
    { BYTES(SIGNATURE "\x20\xff\0\3xyz"), "" },
    { BYTES(SIGNATURE "\x21\0\0\0"), "" },
    { BYTES(SIGNATURE "\x21\0\0\5abcde"), "" },
    { BYTES(SIGNATURE "\x21\1\0\0"), "" },
    { BYTES(SIGNATURE "\x21\x10\0\x0c" V4_PAIR), "" }, /* transport not known, or none that we speak */
    { BYTES(SIGNATURE "\x21\x12\0\x0c" V4_PAIR), "" },
    { BYTES(SIGNATURE "\x21\x22\0\x24" V6_PAIR), "" },
    { BYTES(SIGNATURE "\x21\x11\0\x0f" V4_PAIR "\4\0\0"), V4_TEXT },
    { BYTES(SIGNATURE "\x21\x11\0\x17" V4_PAIR "\4\0\2xx\xe0\0\3abc"), V4_TEXT },
    { BYTES(SIGNATURE "\x21\x21\0\x2f" V6_PAIR "\2\0\x08web.test"), V6_TEXT },
    { BYTES(SIGNATURE "\x21\x11\0\x13" V4_PAIR "\3\0\4\xe2\xf7\x2d\x7c"), V4_TEXT },
    /* the checksum first, something behind it */
    { BYTES(SIGNATURE "\x21\x11\0\x16" V4_PAIR "\3\0\4\x31\xd5\x0f\xbc\4\0\0"), V4_TEXT },
};

static const struct bytes bad[] = {
    /* neither version */
    BYTES("GET / HTTP/1.1\r\n"),
    BYTES("\r\nGET / HTTP/1.1\r\n"),
    BYTES("proxy TCP4 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES(" PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXYTCP4 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY\tTCP4 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("\0"),
    BYTES("\x16\3\1"),
    /* version 1: protocol */
    BYTES("PROXY \r\n"),
    BYTES("PROXY TCP4\r\n"),
    BYTES("PROXY TCP5 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY tcp4 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY UDP4 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY  TCP4 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY UNKNOWNS\r\n"),
    BYTES("PROXY UNKNOWN\t\r\n"),
    BYTES("PROXY unknown\r\n"),
    /* version 1: line end and length */
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\r \n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\r\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 443 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1\r\n198.51.100.2 57005 443\r\n"),
    BYTES("PROXY UNKNOWN " FIFTY TEN TEN TEN "0123456789012\r\n"),
    BYTES("PROXY UNKNOWN " FIFTY FIFTY),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\0\r\n"),
    BYTES("PROXY UNKNOWN \x80\r\n"),
    BYTES("PROXY UNKNOWN \x7f\r\n"),
    /* version 1: IPv4 */
    BYTES("PROXY TCP4 192.0.2 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.256 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.02.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.01 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 0xc0.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.-1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2. 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 .192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 2001:db8::1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 2001:db8::1 57005 443\r\n"),
    BYTES("PROXY TCP4 client.test 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4  192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1  198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 57005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2\r\n"),
    /* version 1: IPv6 */
    BYTES("PROXY TCP6 192.0.2.1 198.51.100.2 57005 443\r\n"),
    BYTES("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 2001:db8::1::2 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 2001:db8:0:0:0:0:1 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 1:2:3:4:5:6:7:8:9 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 2001:db8::g 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 2001:db8::12345 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 [2001:db8::1] 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 fe80::1%eth0 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 2001:db8::1/64 2001:db8::2 4321 80\r\n"),
    BYTES("PROXY TCP6 00000000000000000000000000000000000000000000001:: ::1 1 2\r\n"),
    /* version 1: ports */
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 \r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2  443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 99999\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 057005 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 0443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 00 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 0x10 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 http 443\r\n"),
    BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 57005 443 1\r\n"),
    BYTES("PROXY TCP4 192.0.2.1:57005 198.51.100.2:443\r\n"),
    /* version 2: signature, version, command */
    BYTES("\r\n\r\n\0\r\nQUIT\r"),
    BYTES("\r\n\r\n\1"),
    BYTES("\r\n\r\nGET"),
    BYTES(SIGNATURE "\x11"),
    BYTES(SIGNATURE "\x01"),
    BYTES(SIGNATURE "\x31"),
    BYTES(SIGNATURE "\x22"),
    BYTES(SIGNATURE "\x2f"),
    BYTES(SIGNATURE "\0"),
    /* version 2: family and transport */
    BYTES(SIGNATURE "\x21\x41"),
    BYTES(SIGNATURE "\x21\xf1"),
    BYTES(SIGNATURE "\x21\x13"),
    BYTES(SIGNATURE "\x21\x2f"),
    BYTES(SIGNATURE "\x21\x0f"),
    /* version 2: length */
    BYTES(SIGNATURE "\x21\x11\xff\xff"),
    BYTES(SIGNATURE "\x21\x11\3\xf1"), /* 1009 + 16 */
    BYTES(SIGNATURE "\x20\0\x40\0"),
    BYTES(SIGNATURE "\x21\x11\0\0"),
    BYTES(SIGNATURE "\x21\x11\0\x0b" V4_PAIR),
    BYTES(SIGNATURE "\x21\x21\0\x0c" V4_PAIR),
    BYTES(SIGNATURE "\x21\x21\0\x23" V6_PAIR),
    BYTES(SIGNATURE "\x21\x12\0\x0b" V4_PAIR),
    BYTES(SIGNATURE "\x21\x31\0\x24" V6_PAIR),
    /* version 2: TLVs */
    BYTES(SIGNATURE "\x21\x11\0\x0d" V4_PAIR "\4"),
    BYTES(SIGNATURE "\x21\x11\0\x0e" V4_PAIR "\4\0"),
    BYTES(SIGNATURE "\x21\x11\0\x0f" V4_PAIR "\4\0\1"),
    BYTES(SIGNATURE "\x21\x11\0\x10" V4_PAIR "\4\0\2x"),
    BYTES(SIGNATURE "\x21\x11\0\x11" V4_PAIR "\4\xff\xffxx"),
    BYTES(SIGNATURE "\x21\x11\0\x13" V4_PAIR "\3\0\4\xe2\xf7\x2d\x7d"),
    BYTES(SIGNATURE "\x21\x11\0\x13" V4_PAIR "\3\0\4\0\0\0\0"),
    BYTES(SIGNATURE "\x21\x11\0\x12" V4_PAIR "\3\0\3xxx"),
    BYTES(SIGNATURE "\x21\x11\0\x0f" V4_PAIR "\3\0\0"),
    BYTES(SIGNATURE "\x21\x11\0\x1a" V4_PAIR "\3\0\4\xe2\xf7\x2d\x7c\3\0\4\xe2\xf7\x2d\x7c"),
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* From memory of exactly that size: the sanitizer sees a look at a byte too many. */
static enum proxy_protocol_result parse(const char *at, size_t len, struct proxy_protocol_header *out, size_t *consumed)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, at, len);
    enum proxy_protocol_result result = proxy_protocol_parse(copy, len, out, consumed);
    free(copy);
    return result;
}

static size_t put_address(const union endpoint_address *address, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    if (address->any.sa_family == AF_INET)
        return (size_t)snprintf(out, size, "%s:%u", inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof text),
                                ntohs(address->v4.sin_port));
    assert_int_equal(address->any.sa_family, AF_INET6);
    return (size_t)snprintf(out, size, "[%s]:%u", inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text),
                            ntohs(address->v6.sin6_port));
}

static const char *describe(const struct proxy_protocol_header *header)
{
    static char text[160];
    text[0] = '\0';
    if (!header->has_addresses)
        return text;
    size_t len = put_address(&header->source, text, sizeof text);
    text[len++] = ' ';
    put_address(&header->destination, text + len, sizeof text - len);
    return text;
}

/* Every prefix wants more, the whole is read, and what follows is left alone. */
static void check_good(const struct good_case *wanted)
{
    struct proxy_protocol_header header;
    size_t consumed;
    char more[PROXY_PROTOCOL_HEADER_MAX + 16];
    for (size_t len = 0; len < wanted->in.len; len++) {
        assert_int_equal(parse(wanted->in.at, len, &header, &consumed), PROXY_PROTOCOL_MORE);
        assert_int_equal(consumed, 0);
    }
    memcpy(more, wanted->in.at, wanted->in.len);
    memcpy(more + wanted->in.len, "\r\nGET / HTTP/1", 14);
    for (size_t extra = 0; extra <= 14; extra++) {
        assert_int_equal(parse(more, wanted->in.len + extra, &header, &consumed), PROXY_PROTOCOL_DONE);
        assert_int_equal(consumed, wanted->in.len);
        assert_string_equal(describe(&header), wanted->addresses);
    }
}

static void good_headers_are_read_wherever_they_are_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        check_good(&good[i]);
}

static void bad_headers_are_refused_wherever_they_are_split(void **state)
{
    (void)state;
    struct proxy_protocol_header header;
    size_t consumed;
    assert_true(COUNT(bad) >= 60);
    for (size_t i = 0; i < COUNT(bad); i++) {
        bool was_bad = false;
        for (size_t len = 0; len <= bad[i].len; len++) {
            enum proxy_protocol_result result = parse(bad[i].at, len, &header, &consumed);
            if (result == PROXY_PROTOCOL_DONE || (was_bad && result != PROXY_PROTOCOL_BAD))
                fail_msg("%zu, %zu bytes of \"%s\": %s", i, len, bad[i].at, proxy_protocol_result_to_str(result));
            assert_int_equal(consumed, 0);
            was_bad = result == PROXY_PROTOCOL_BAD;
        }
        if (!was_bad)
            fail_msg("%zu, \"%s\" is not refused", i, bad[i].at);
    }
}

static void unix_sockets_are_no_addresses_of_ours(void **state)
{
    (void)state;
    char in[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/socket";
    check_good(&(struct good_case){ { in, sizeof in }, "" });
    in[13] = 0x32;
    check_good(&(struct good_case){ { in, sizeof in }, "" });
}

static void the_largest_header_is_taken_and_one_byte_more_is_not(void **state)
{
    (void)state;
    char in[PROXY_PROTOCOL_HEADER_MAX] = SIGNATURE "\x21\x11\3\xf0" V4_PAIR "\xe0\3\xe1";
    check_good(&(struct good_case){ { in, sizeof in }, V4_TEXT });
    struct proxy_protocol_header header;
    size_t consumed;
    in[15]++;
    assert_int_equal(parse(in, 15, &header, &consumed), PROXY_PROTOCOL_MORE);
    assert_int_equal(parse(in, 16, &header, &consumed), PROXY_PROTOCOL_BAD);
}

static void every_flipped_bit_of_a_header_with_a_checksum_is_noticed(void **state)
{
    (void)state;
    static const struct bytes whole = BYTES(SIGNATURE "\x21\x11\0\x13" V4_PAIR "\3\0\4\xe2\xf7\x2d\x7c");
    struct proxy_protocol_header header;
    size_t consumed;
    for (size_t bit = 16 * 8; bit < whole.len * 8; bit++) {
        char in[64];
        memcpy(in, whole.at, whole.len);
        in[bit / 8] = (char)(in[bit / 8] ^ 1 << bit % 8);
        /* A checksum that is not called one any more is a TLV like others. */
        bool is_checksum_gone = bit / 8 == 16 + 12;
        assert_int_equal(parse(in, whole.len, &header, &consumed),
                         is_checksum_gone ? PROXY_PROTOCOL_DONE : PROXY_PROTOCOL_BAD);
    }
}

static void only_whole_lines_of_107_bytes_are_waited_for(void **state)
{
    (void)state;
    struct proxy_protocol_header header;
    size_t consumed;
    char in[120] = "PROXY UNKNOWN ";
    memset(in + 14, 'x', sizeof in - 14);
    assert_int_equal(parse(in, 106, &header, &consumed), PROXY_PROTOCOL_MORE);
    assert_int_equal(parse(in, 107, &header, &consumed), PROXY_PROTOCOL_BAD);
    in[105] = '\r';
    assert_int_equal(parse(in, 106, &header, &consumed), PROXY_PROTOCOL_MORE);
    in[106] = '\n';
    assert_int_equal(parse(in, 107, &header, &consumed), PROXY_PROTOCOL_DONE);
    in[105] = 'x';
    in[106] = '\r';
    assert_int_equal(parse(in, 107, &header, &consumed), PROXY_PROTOCOL_BAD);
}

/* ---- writing ---- */

static union endpoint_address address_of(const char *text)
{
    union endpoint_address out;
    socklen_t len;
    memset(&out, 0, sizeof out);
    assert_true(endpoint_parse_address(text, &out, &len));
    return out;
}

static void check_written(const char *source, const char *destination, const char *v1, const char *read_back)
{
    union endpoint_address from = address_of(source), to = address_of(destination);
    char out[PROXY_PROTOCOL_WRITE_MAX];
    size_t len = proxy_protocol_write(PROXY_PROTOCOL_V1, &from.any, &to.any, out);
    assert_int_equal(len, strlen(v1));
    assert_memory_equal(out, v1, len);
    check_good(&(struct good_case){ { out, len }, read_back });
    len = proxy_protocol_write(PROXY_PROTOCOL_V2, &from.any, &to.any, out);
    check_good(&(struct good_case){ { out, len }, read_back });
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    check_written("192.0.2.1:57005", "198.51.100.2:443", "PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\r\n", V4_TEXT);
    check_written("255.255.255.255:65535", "255.255.255.255:65535",
                  "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
                  "255.255.255.255:65535 255.255.255.255:65535");
    check_written("[2001:db8::1]:4321", "[2001:db8::2]:80",
                  "PROXY TCP6 2001:db8:0:0:0:0:0:1 2001:db8:0:0:0:0:0:2 4321 80\r\n", V6_TEXT);
    check_written("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff2]:65535",
                  "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff2 65535 "
                  "65535\r\n",
                  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff2]:65535");
}

static void mapped_addresses_are_written_as_ipv4_and_two_families_as_ipv6(void **state)
{
    (void)state;
    const char *v4 = "PROXY TCP4 192.0.2.1 198.51.100.2 57005 443\r\n";
    check_written("[::ffff:192.0.2.1]:57005", "[::ffff:198.51.100.2]:443", v4, V4_TEXT);
    check_written("192.0.2.1:57005", "[::ffff:198.51.100.2]:443", v4, V4_TEXT);
    check_written("192.0.2.1:57005", "[2001:db8::2]:443",
                  "PROXY TCP6 0:0:0:0:0:ffff:c000:201 2001:db8:0:0:0:0:0:2 57005 443\r\n",
                  "192.0.2.1:57005 [2001:db8::2]:443");
    check_written("[2001:db8::1]:1", "198.51.100.2:443",
                  "PROXY TCP6 2001:db8:0:0:0:0:0:1 0:0:0:0:0:ffff:c633:6402 1 443\r\n",
                  "[2001:db8::1]:1 198.51.100.2:443");
}

static void version_2_is_written_to_the_letter(void **state)
{
    (void)state;
    static const struct bytes v4 = BYTES(SIGNATURE "\x21\x11\0\x0c" V4_PAIR),
                              v6 = BYTES(SIGNATURE "\x21\x21\0\x24" V6_PAIR);
    union endpoint_address from = address_of("192.0.2.1:57005"), to = address_of("198.51.100.2:443");
    char out[PROXY_PROTOCOL_WRITE_MAX];
    assert_int_equal(proxy_protocol_write(PROXY_PROTOCOL_V2, &from.any, &to.any, out), v4.len);
    assert_memory_equal(out, v4.at, v4.len);
    from = address_of("[2001:db8::1]:4321");
    to = address_of("[2001:db8::2]:80");
    assert_int_equal(proxy_protocol_write(PROXY_PROTOCOL_V2, &from.any, &to.any, out), v6.len);
    assert_memory_equal(out, v6.at, v6.len);
}

static void without_an_address_nothing_is_claimed(void **state)
{
    (void)state;
    static const struct bytes local = BYTES(SIGNATURE "\x20\0\0\0");
    union endpoint_address from = address_of("192.0.2.1:57005");
    struct sockaddr unix_socket = { .sa_family = AF_UNIX };
    char out[PROXY_PROTOCOL_WRITE_MAX];
    assert_int_equal(proxy_protocol_write(PROXY_PROTOCOL_V1, &from.any, NULL, out), 15);
    assert_memory_equal(out, "PROXY UNKNOWN\r\n", 15);
    assert_int_equal(proxy_protocol_write(PROXY_PROTOCOL_V1, &unix_socket, &from.any, out), 15);
    assert_int_equal(proxy_protocol_write(PROXY_PROTOCOL_V2, NULL, &from.any, out), local.len);
    assert_memory_equal(out, local.at, local.len);
    assert_int_equal(proxy_protocol_write(PROXY_PROTOCOL_OFF, &from.any, &from.any, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_headers_are_read_wherever_they_are_split),
        cmocka_unit_test(bad_headers_are_refused_wherever_they_are_split),
        cmocka_unit_test(unix_sockets_are_no_addresses_of_ours),
        cmocka_unit_test(the_largest_header_is_taken_and_one_byte_more_is_not),
        cmocka_unit_test(every_flipped_bit_of_a_header_with_a_checksum_is_noticed),
        cmocka_unit_test(only_whole_lines_of_107_bytes_are_waited_for),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(mapped_addresses_are_written_as_ipv4_and_two_families_as_ipv6),
        cmocka_unit_test(version_2_is_written_to_the_letter),
        cmocka_unit_test(without_an_address_nothing_is_claimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
