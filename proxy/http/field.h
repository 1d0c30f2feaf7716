/* http/field: the field names that this proxy treats in its own way, or sees so often that knowing them saves the
 * check of their characters. Any thread; pure. */
#ifndef PROXY_HTTP_FIELD_H
#define PROXY_HTTP_FIELD_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* X(identifier, name in lower case, slot, traits). The names up to HTTP_FIELD_LAST_WITH_MEANING change how a head is
 * read. The slot is where http_field_slot() puts the name; each has its own (two lines with one slot do not compile under
 * -Werror), and the unit test prints the right number. No free slot for a new name: choose another factor there. */
#define HTTP_FIELD_LIST(X)                                                \
    X(HOST, "host", 58, HTTP_FIELD_KEPT)                                  \
    X(CONNECTION, "connection", 21, HTTP_FIELD_HOP_BY_HOP)                \
    X(TRANSFER_ENCODING, "transfer-encoding", 111, HTTP_FIELD_HOP_BY_HOP) \
    X(CONTENT_LENGTH, "content-length", 138, HTTP_FIELD_KEPT)             \
    X(UPGRADE, "upgrade", 133, HTTP_FIELD_HOP_BY_HOP)                     \
    X(EXPECT, "expect", 246, HTTP_FIELD_KEPT)                             \
    X(TE, "te", 143, HTTP_FIELD_HOP_BY_HOP)                               \
    X(TRAILER, "trailer", 179, HTTP_FIELD_HOP_BY_HOP)                     \
    X(KEEP_ALIVE, "keep-alive", 197, HTTP_FIELD_HOP_BY_HOP)               \
    X(PROXY_CONNECTION, "proxy-connection", 108, HTTP_FIELD_HOP_BY_HOP)   \
    X(HTTP2_SETTINGS, "http2-settings", 221, HTTP_FIELD_HOP_BY_HOP)       \
    X(X_FORWARDED_FOR, "x-forwarded-for", 191, HTTP_FIELD_KEPT)           \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", 253, HTTP_FIELD_KEPT)       \
    X(X_FORWARDED_HOST, "x-forwarded-host", 126, HTTP_FIELD_KEPT)         \
    X(X_FORWARDED_PORT, "x-forwarded-port", 22, HTTP_FIELD_KEPT)          \
    X(X_REAL_IP, "x-real-ip", 161, HTTP_FIELD_KEPT)                       \
    X(FORWARDED, "forwarded", 95, HTTP_FIELD_KEPT)                        \
    X(X_REQUEST_ID, "x-request-id", 235, HTTP_FIELD_KEPT)                 \
    X(PROXY, "proxy", 228, HTTP_FIELD_KEPT)                               \
    X(VIA, "via", 248, HTTP_FIELD_KEPT)                                   \
    X(MAX_FORWARDS, "max-forwards", 73, HTTP_FIELD_KEPT)                  \
    X(AUTHORIZATION, "authorization", 109, HTTP_FIELD_KEPT)               \
    X(COOKIE, "cookie", 42, HTTP_FIELD_KEPT)                              \
    X(SET_COOKIE, "set-cookie", 39, HTTP_FIELD_KEPT)                      \
    X(CACHE_CONTROL, "cache-control", 130, HTTP_FIELD_KEPT)               \
    X(CONTENT_TYPE, "content-type", 174, HTTP_FIELD_KEPT)                 \
    X(CONTENT_ENCODING, "content-encoding", 83, HTTP_FIELD_KEPT)          \
    X(CONTENT_RANGE, "content-range", 35, HTTP_FIELD_KEPT)                \
    X(RANGE, "range", 213, HTTP_FIELD_KEPT)                               \
    X(ORIGIN, "origin", 8, HTTP_FIELD_KEPT)                               \
    X(LOCATION, "location", 92, HTTP_FIELD_KEPT)                          \
    X(WWW_AUTHENTICATE, "www-authenticate", 165, HTTP_FIELD_KEPT)         \
    X(VARY, "vary", 153, HTTP_FIELD_KEPT)                                 \
    X(ETAG, "etag", 194, HTTP_FIELD_KEPT)                                 \
    X(DATE, "date", 86, HTTP_FIELD_KEPT)                                  \
    X(SERVER, "server", 33, HTTP_FIELD_PLAIN)                             \
    X(USER_AGENT, "user-agent", 208, HTTP_FIELD_PLAIN)                    \
    X(ACCEPT, "accept", 13, HTTP_FIELD_PLAIN)                             \
    X(ACCEPT_ENCODING, "accept-encoding", 50, HTTP_FIELD_PLAIN)           \
    X(ACCEPT_LANGUAGE, "accept-language", 88, HTTP_FIELD_PLAIN)           \
    X(ACCEPT_RANGES, "accept-ranges", 93, HTTP_FIELD_PLAIN)               \
    X(REFERER, "referer", 105, HTTP_FIELD_PLAIN)                          \
    X(PRAGMA, "pragma", 113, HTTP_FIELD_PLAIN)                            \
    X(IF_NONE_MATCH, "if-none-match", 3, HTTP_FIELD_PLAIN)                \
    X(IF_MODIFIED_SINCE, "if-modified-since", 114, HTTP_FIELD_PLAIN)      \
    X(LAST_MODIFIED, "last-modified", 233, HTTP_FIELD_PLAIN)              \
    X(SEC_FETCH_SITE, "sec-fetch-site", 18, HTTP_FIELD_PLAIN)             \
    X(SEC_FETCH_MODE, "sec-fetch-mode", 146, HTTP_FIELD_PLAIN)            \
    X(SEC_FETCH_DEST, "sec-fetch-dest", 185, HTTP_FIELD_PLAIN)            \
    X(SEC_FETCH_USER, "sec-fetch-user", 7, HTTP_FIELD_PLAIN)              \
    X(SEC_CH_UA, "sec-ch-ua", 230, HTTP_FIELD_PLAIN)                      \
    X(SEC_CH_UA_MOBILE, "sec-ch-ua-mobile", 11, HTTP_FIELD_PLAIN)         \
    X(SEC_CH_UA_PLATFORM, "sec-ch-ua-platform", 188, HTTP_FIELD_PLAIN)    \
    X(PRIORITY, "priority", 154, HTTP_FIELD_PLAIN)                        \
    X(UPGRADE_INSECURE_REQUESTS, "upgrade-insecure-requests", 23, HTTP_FIELD_PLAIN)

/* X(identifier, name in lower case, slot): what other proxies say of a request, and applications believe: prefix, scheme, host,
 * user, client, original target. They all are HTTP_FIELD_CLAIM. */
#define HTTP_CLAIM_LIST(X)                                       \
    X(X_FORWARDED_PREFIX, "x-forwarded-prefix", 171)             \
    X(X_FORWARDED_SERVER, "x-forwarded-server", 5)               \
    X(X_FORWARDED_SSL, "x-forwarded-ssl", 89)                    \
    X(X_FORWARDED_USER, "x-forwarded-user", 204)                 \
    X(X_ORIGINAL_URL, "x-original-url", 212)                     \
    X(X_REWRITE_URL, "x-rewrite-url", 184)                       \
    X(X_FORWARDED_SCHEME, "x-forwarded-scheme", 56)              \
    X(X_FORWARDED_PROTOCOL, "x-forwarded-protocol", 72)          \
    X(X_FORWARDED_CLIENT_CERT, "x-forwarded-client-cert", 222)   \
    X(FRONT_END_HTTPS, "front-end-https", 104)                   \
    X(X_ORIGINAL_HOST, "x-original-host", 97)                    \
    X(X_ORIGINAL_FORWARDED_FOR, "x-original-forwarded-for", 193) \
    X(X_CLIENT_IP, "x-client-ip", 218)                           \
    X(X_CLUSTER_CLIENT_IP, "x-cluster-client-ip", 192)           \
    X(TRUE_CLIENT_IP, "true-client-ip", 26)                      \
    X(CF_CONNECTING_IP, "cf-connecting-ip", 209)                 \
    X(X_URL_SCHEME, "x-url-scheme", 140)                         \
    X(X_SCHEME, "x-scheme", 25)                                  \
    X(X_REMOTE_USER, "x-remote-user", 118)                       \
    X(X_REMOTE_ADDR, "x-remote-addr", 14)

enum http_field {
    HTTP_FIELD_OTHER = 0,
#define HTTP_FIELD_VALUE(id, name, slot, traits) HTTP_FIELD_##id,
    HTTP_FIELD_LIST(HTTP_FIELD_VALUE)
#undef HTTP_FIELD_VALUE
        HTTP_FIELD_CLAIM,
    HTTP_FIELD_COUNT,
    HTTP_FIELD_LAST_WITH_MEANING = HTTP_FIELD_TRAILER
};
_Static_assert(HTTP_FIELD_COUNT <= 64, "a set of them is an uint64_t");
#define HTTP_FIELD_BIT(name) (UINT64_C(1) << HTTP_FIELD_##name)

enum http_field_traits {
    HTTP_FIELD_PLAIN = 0,
    HTTP_FIELD_HOP_BY_HOP = 1, /* never forwarded as it came (RFC 9110 7.6.1) */
    HTTP_FIELD_KEPT = 2        /* a Connection field cannot have it removed: framing, routing, identity, our own */
};

#define HTTP_HOP_BY_HOP_BIT(id, name, slot, traits) \
    ((traits) == HTTP_FIELD_HOP_BY_HOP ? UINT64_C(1) << HTTP_FIELD_##id : UINT64_C(0)) |
#define HTTP_HOP_BY_HOP_FIELDS (HTTP_FIELD_LIST(HTTP_HOP_BY_HOP_BIT) UINT64_C(0)) /* bit n for enum http_field n */

enum http_field_row_index {
    HTTP_FIELD_ROW_LAST_ID = HTTP_FIELD_COUNT - 1, /* up to here it is the enum http_field */
#define HTTP_CLAIM_ROW(id, name, slot) HTTP_CLAIM_ROW_##id,
    HTTP_CLAIM_LIST(HTTP_CLAIM_ROW)
#undef HTTP_CLAIM_ROW
        HTTP_FIELD_ROW_COUNT
};

/* One row a name: 32 bytes, so that it can be compared in two steps of 16. */
#define HTTP_FIELD_NAME_ROOM 29
struct http_field_row {
    char name[HTTP_FIELD_NAME_ROOM]; /* lower case */
    uint8_t len;
    uint8_t traits; /* enum http_field_traits */
    uint8_t id;     /* enum http_field */
};
_Static_assert(sizeof(struct http_field_row) == 32, "compared in two steps of 16");

extern const struct http_field_row http_field_rows[HTTP_FIELD_ROW_COUNT];
extern const uint8_t http_field_slots[256]; /* enum http_field_row_index, by http_field_slot() */

/* The lower-case name; "other" and "claim" for those that have none of their own. */
const char *http_field_to_str(enum http_field id);
enum http_field_traits http_field_traits_of(enum http_field id);

/* 0-255; the name has at least two characters, in any case. */
static inline unsigned http_field_slot(struct slice name)
{
    uint16_t first, last;
    memcpy(&first, name.at, 2);
    memcpy(&last, name.at + name.len - 2, 2);
    uint32_t ends = (uint32_t)le16toh(last) << 16 | le16toh(first);
    return (((ends | 0x20202020u) + 257 * (uint32_t)name.len) * 0xd5476801u) >> 24;
}

/* Is it `known`, in any case? `known` has only a-z, 0-9 and '-'; both have len bytes. Of these characters exactly
 * the letters have bit 0x40, and only a letter may differ in bit 0x20: a plain "| 0x20" would take CR for '-'. */
static inline bool http_is_folded(const char *at, const char *known, size_t len)
{
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word, known_word;
        memcpy(&word, at + i, 8);
        memcpy(&known_word, known + i, 8);
        if ((word | (known_word & 0x4040404040404040u) >> 1) != known_word) {
            return false;
        }
    }
    for (; i < len; i++) {
        unsigned known_byte = (unsigned char)known[i];
        if (((unsigned char)at[i] | (known_byte & 0x40) >> 1) != known_byte) {
            return false;
        }
    }
    return true;
}

/* ASCII case is ignored. HTTP_FIELD_OTHER: not one of the list; nothing is then said about its characters. */
enum http_field http_field_of_name(struct slice name);

/* Of a name with '_': the field that a CGI-like backend takes it for, which reads '_' as '-'. */
enum http_field http_field_of_alias(struct slice name);

#endif
