/* http/head: what the head of a request or a response says, in whatever version of HTTP it came or will go (RFC 9110). A codec
 * fills it; how it looked on the wire is the codec's own (h1/head.h). Any thread; pure.
 *
 * Ownership: all slices are borrowed from where the codec has the head, and valid as long as it says. */
#ifndef PROXY_HTTP_HEAD_H
#define PROXY_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/http/field.h"

#define HTTP_FIELDS_MAX 128
#define HTTP_TARGET_MAX 8192    /* bytes */
#define HTTP_AUTHORITY_MAX 2048 /* bytes; what is sent on names it three times, so that it is bounded */

enum http_version { HTTP_1_0 = 0, HTTP_1_1 };

#define HTTP_METHOD_LIST(X) X(GET) X(HEAD) X(POST) X(PUT) X(DELETE) X(OPTIONS) X(PATCH) X(TRACE) X(CONNECT)

enum http_method {
    HTTP_METHOD_OTHER = 0,
#define HTTP_METHOD_VALUE(name) HTTP_METHOD_##name,
    HTTP_METHOD_LIST(HTTP_METHOD_VALUE)
#undef HTTP_METHOD_VALUE
        HTTP_METHOD_COUNT
};

enum http_scheme { HTTP_SCHEME_HTTP = 0, HTTP_SCHEME_HTTPS };

/* How the body comes. One of known length 0 is HTTP_BODY_NONE. */
enum http_body { HTTP_BODY_NONE = 0, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };

struct http_field_line {
    struct slice name;
    struct slice value;  /* without the whitespace around it; can be empty */
    uint8_t id;          /* enum http_field */
    bool hop_by_hop;     /* do not forward: fixed by RFC 9110 7.6.1, nominated by Connection, or forbidden here */
    bool has_underscore; /* in the name: CGI-like backends read it as '-', so it can be an alias of a trusted field */
};

/* The head as text of HTTP/1, where it came as that, for a codec that writes it: runs of lines that go on can be copied whole. All
 * zero: it came as something else, or as nothing that may go on. */
struct http_text {
    const char
        *first_line; /* where it starts; may go on as it came unless the edit changes it; null: it is written anew */
    const char *fields_end;     /* the empty line behind the lines; null: each line is written anew */
    const struct slice *reason; /* of a status line that is written anew; borrowed; null: it has none */
};

/* Of a request: method, scheme, what is named so below, and the slices from method_text on. Of a response: status. What is said of
 * the other kind is not set. */
struct http_head {
    enum http_version version; /* that it came in; 1.1 stands for all above of HTTP/1 */
    enum http_method method;   /* never CONNECT, which is refused; TRACE is the caller's to refuse */
    enum http_scheme scheme;   /* as the target says; http if it does not */
    int status;                /* 100-599; read leniently: to 999 */
    enum http_body body;       /* of a request never UNTIL_CLOSE; of a response decided with the request's method */

    /* A request asks for one protocol other than h2c, on HTTP/1.1, without a body. A response is a 101 with one Upgrade and
     * Connection: upgrade; a 101 without it is the caller's to refuse. */
    bool upgrade;
    bool rewrites_content_length; /* all Content-Length lines are hop_by_hop: send one of content_length */
    /* of requests: */
    bool expects_continue;        /* Expect: 100-continue, not on HTTP/1.0 */
    bool has_unknown_expectation; /* Expect has a member other than 100-continue */
    bool accepts_trailers;        /* TE has the member "trailers", not on HTTP/1.0 */
    bool declares_trailer;        /* has a Trailer field */
    bool has_alias;               /* a name that is, with '-' for '_', one of those treated in a way of their own */
    bool has_encoded_slash; /* in path, as %2F or %5C in any case: part of its segment here, perhaps not elsewhere */
    bool authority_from_target; /* forward `authority` as Host, not the Host received (RFC 9112 3.2.2) */

    uint16_t field_count;
    uint64_t field_ids; /* of all lines: bit n for enum http_field n */
    /* Of the field; 0 without it, and for a request's chunked body. Of a response also where there is no body (HEAD, 304). */
    uint64_t content_length;
    struct slice upgrade_protocol; /* value of Upgrade when `upgrade`, otherwise empty */

    /* Of where it came: */
    bool keep_alive;   /* another message may follow there; never behind UNTIL_CLOSE */
    size_t head_bytes; /* at the start of what has come, to be taken off it, with all that ends the head */
    size_t text_bytes; /* that are enough for it as text of HTTP/1, with forward_target in place of target */
    struct http_text text;

    struct slice method_text;
    struct slice target;         /* as received */
    struct slice forward_target; /* what to send on: path and query in origin-form, or "*" */
    struct slice path;  /* what to route by: the start of forward_target, in its normal form, without dot segments */
    struct slice query; /* behind '?'; empty without one */
    struct slice authority; /* what to route by, with its port; empty only for HTTP/1.0 without Host */
    struct slice host;      /* authority without its port; as received, so in any case; IPv6 keeps its brackets */

    struct http_field_line fields[HTTP_FIELDS_MAX]; /* only field_count are set */
};

const char *http_method_to_str(enum http_method method);
const char *http_body_to_str(enum http_body body);
bool http_method_is_idempotent(enum http_method method); /* RFC 9110 9.2.2; false for what is not known */

/* The first line of that name, or a null pointer. */
const struct http_field_line *http_find_field(const struct http_field_line *fields, size_t count, enum http_field id);

#endif
