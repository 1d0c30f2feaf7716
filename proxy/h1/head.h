/* h1/head: strict parser of HTTP/1.0 and HTTP/1.1 heads (RFC 9110, 9112). Pure functions, any thread, no allocation.
 * What is not certain to mean the same to every recipient is refused, or, in requests, classified (h1/desync) and read
 * in the one way that the RFC gives.
 *
 * Ownership: the slices of a parsed head point into the caller's buffer, or into the struct itself (path and
 * forward_target when target_rewritten). They are valid while both stay where they are; do not copy the struct. */
#ifndef PROXY_H1_HEAD_H
#define PROXY_H1_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/h1/desync.h"
#include "proxy/h1/error.h"
#include "proxy/h1/field.h"

#define H1_FIELDS_MAX 128
#define H1_TARGET_MAX 8192    /* bytes */
#define H1_AUTHORITY_MAX 2048 /* bytes; what is sent on names it three times, so that it is bounded */

enum h1_result { H1_DONE = 0, H1_MORE, H1_BAD };

/* A limit above H1_TARGET_MAX or H1_FIELDS_MAX counts as that maximum. */
struct h1_limits {
    size_t head_bytes; /* all of the head, with the empty line that ends it */
    size_t target_bytes;
    uint16_t field_count;
    bool is_lenient;              /* of responses: takes what peers take, see h1_parse_response() */
    bool refuses_encoded_slashes; /* in the path of a request: %2F, %5C, and a backslash */
    bool accepts_bare_lf; /* of requests: the request line, field lines and the empty line may end in LF alone */
};

/* The line as received runs from name.at to just behind its CRLF (or LF, with has_bare_lf), which is where the next
 * line's name.at is; behind the last line is the empty line: buf + fields_end. */
struct h1_field_line {
    struct slice name;
    struct slice value;  /* without the whitespace around it; can be empty */
    uint8_t id;          /* enum h1_field */
    bool hop_by_hop;     /* do not forward: fixed by RFC 9110 7.6.1, nominated by Connection, or forbidden here */
    bool has_underscore; /* in the name: CGI-like backends read it as '-', so it can be an alias of a trusted field */
};

#define H1_METHOD_LIST(X) X(GET) X(HEAD) X(POST) X(PUT) X(DELETE) X(OPTIONS) X(PATCH) X(TRACE) X(CONNECT)

enum h1_method {
    H1_METHOD_OTHER = 0,
#define H1_METHOD_VALUE(name) H1_METHOD_##name,
    H1_METHOD_LIST(H1_METHOD_VALUE)
#undef H1_METHOD_VALUE
        H1_METHOD_COUNT
};

/* A body of known length 0 is H1_BODY_NONE. */
enum h1_body { H1_BODY_NONE = 0, H1_BODY_LENGTH, H1_BODY_CHUNKED, H1_BODY_UNTIL_CLOSE };

struct h1_request {
    enum h1_method method; /* never CONNECT, which is refused; TRACE is the caller's to refuse */
    int minor_version;     /* 0, or 1 for this and all above */
    enum h1_body body;     /* never UNTIL_CLOSE */
    bool keep_alive;
    bool expects_continue;        /* Expect: 100-continue on HTTP/1.1 */
    bool has_unknown_expectation; /* Expect has a member other than 100-continue */
    bool accepts_trailers;        /* TE has the member "trailers", on HTTP/1.1 */
    bool declares_trailer;        /* has a Trailer field */
    bool upgrade;                 /* asks for one protocol other than h2c, on HTTP/1.1, without a body */
    bool has_bare_lf;             /* a line ended in LF alone: send no line on as it was received */
    bool rewrites_content_length; /* all Content-Length lines are hop_by_hop: send one of content_length */
    bool target_rewritten;        /* forward_target differs from target */
    bool target_is_https;         /* https://..., which no cleartext connection should bring */
    bool has_encoded_slash; /* in path, as %2F or %5C in any case: part of its segment here, perhaps not elsewhere */
    bool authority_from_target; /* absolute-form: forward `authority` as Host, not the Host received (RFC 9112 3.2.2) */
    uint8_t desync;             /* enum h1_desync: the class of desync_reason */
    uint8_t desync_reason;      /* enum h1_desync_reason: the first of the list that was seen; NONE is compliant */
    uint16_t field_count;
    uint32_t desync_reasons; /* all that were seen: bit n for enum h1_desync_reason n */
    uint64_t field_ids;      /* of all lines: bit n for enum h1_field n */
    uint64_t content_length; /* 0 without the field, and for a chunked body */
    size_t fields_end;       /* from buf: where the empty line starts */
    size_t
        head_bytes; /* from buf, with a skipped leading CRLF and the empty line. H1_BAD: where what is wrong is, or its line */
    struct slice method_text;
    struct slice target;         /* as received */
    struct slice forward_target; /* what to send on: path and query in origin-form, or "*" */
    struct slice
        path; /* what to route by, and the start of forward_target: in its normal form, without dot segments; or "*" */
    struct slice query;     /* behind '?'; empty without one */
    struct slice authority; /* what to route by, with its port; empty only for HTTP/1.0 without Host */
    struct slice host;      /* authority without its port; as received, so in any case; IPv6 keeps its brackets */
    struct slice upgrade_protocol;              /* value of Upgrade when `upgrade`, otherwise empty */
    struct h1_field_line fields[H1_FIELDS_MAX]; /* only field_count are set */
    char rewritten[H1_TARGET_MAX + 3];          /* scratch, with room for one more byte in encoded form */
};

struct h1_response {
    int status;          /* 100-599; lenient: to 999 */
    int minor_version;   /* 0, or 1 for this and all above */
    enum h1_body body;   /* decided with the request's method */
    bool keep_alive;     /* always false for UNTIL_CLOSE */
    bool upgrade;        /* 101 with one Upgrade and Connection: upgrade; a 101 without it is the caller's to refuse */
    bool rewrites_lines; /* of a lenient reading: send no line on as it was received, unfold values (RFC 9112 5.2) */
    bool rewrites_content_length; /* all Content-Length lines are hop_by_hop: send one of content_length */
    bool rewrites_status_line;    /* it is not one of HTTP/1.1 with a reason: do not send it on as it came */
    uint16_t field_count;
    uint64_t field_ids;            /* of all lines: bit n for enum h1_field n */
    uint64_t content_length;       /* of the field, also where there is no body (HEAD, 304); 0 without the field */
    size_t head_bytes;             /* from buf, with the empty line. H1_BAD: where what is wrong is, or its line */
    size_t fields_end;             /* from buf: where the empty line starts */
    struct slice reason;           /* can be empty */
    struct slice upgrade_protocol; /* value of Upgrade when `upgrade`, otherwise empty */
    struct h1_field_line fields[H1_FIELDS_MAX];
};

const char *h1_result_to_str(enum h1_result result);
const char *h1_method_to_str(enum h1_method method);
const char *h1_body_to_str(enum h1_body body);
bool h1_method_is_idempotent(enum h1_method method); /* RFC 9110 9.2.2; false for what is not known */

/* The first line of that name, or a null pointer. */
const struct h1_field_line *h1_find_field(const struct h1_field_line *fields, size_t count, enum h1_field id);

/* Both: buf[0..len) is the head so far and is not changed. H1_DONE: the head is complete and the struct is set.
 * H1_MORE: nothing wrong so far; call again with more bytes. H1_BAD: *error says why, whatever may follow.
 * *resume_at: start with 0 and keep it between calls for one head. A head that trickles in is then parsed again only
 * when a line has become complete. How the bytes were split never changes what the outcome is; only an error can be
 * seen later than possible, at the latest when its line ends or the head is full. */
enum h1_result h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                struct h1_request *request, enum h1_error *error);

/* A head with status 1xx other than 101 is not the end: parse the next head behind it.
 * is_lenient: lines may end in LF alone, values may be folded and names may have blanks before the colon, statuses go up to 999,
 * and Content-Length may be repeated with an equal value. What says where the message ends has to be plain all the same: no
 * field with a meaning here may be folded, and two framings are refused. */
enum h1_result h1_parse_response(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at,
                                 enum h1_method request_method, struct h1_response *response, enum h1_error *error);

#endif
