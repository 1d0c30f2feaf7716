/* h1/head: strict parser of HTTP/1.0 and HTTP/1.1 heads (RFC 9110, 9112). Pure functions, any thread, no allocation.
 * What a head says goes into the neutral http/head; beside it stands what is of this version alone: how doubtful the bytes were, and
 * how they stand as text.
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
#include "proxy/http/head.h"

enum h1_result { H1_DONE = 0, H1_MORE, H1_BAD };

/* A limit above HTTP_TARGET_MAX or HTTP_FIELDS_MAX counts as that maximum. */
struct h1_limits {
    size_t head_bytes; /* all of the head, with the empty line that ends it */
    size_t target_bytes;
    uint16_t field_count;
    bool is_lenient;              /* of responses: takes what peers take, see h1_parse_response() */
    bool refuses_encoded_slashes; /* in the path of a request: %2F, %5C, and a backslash */
    bool accepts_bare_lf; /* of requests: the request line, field lines and the empty line may end in LF alone */
};

/* A line as received runs from name.at to just behind its CRLF (or LF, with has_bare_lf or rewrites_lines), which is where the next
 * line's name.at is; behind the last line is the empty line: buf + fields_end. */
struct h1_request {
    bool has_bare_lf;        /* a line ended in LF alone: send no line on as it was received */
    bool target_rewritten;   /* forward_target differs from target */
    uint8_t desync;          /* enum h1_desync: the class of desync_reason */
    uint8_t desync_reason;   /* enum h1_desync_reason: the first of the list that was seen; NONE is compliant */
    uint32_t desync_reasons; /* all that were seen: bit n for enum h1_desync_reason n */
    size_t fields_end;       /* from buf: where the empty line starts */
    struct http_head head;   /* its head_bytes: of both kinds, also when H1_BAD: where what is wrong is, or its line */
    char rewritten[HTTP_TARGET_MAX + 3]; /* scratch, with room for one more byte in encoded form */
};

struct h1_response {
    bool rewrites_lines; /* of a lenient reading: send no line on as it was received, unfold values (RFC 9112 5.2) */
    bool rewrites_status_line; /* it is not one of HTTP/1.1 with a reason: do not send it on as it came */
    size_t fields_end;         /* from buf: where the empty line starts */
    struct slice reason;       /* can be empty */
    struct http_head head;
};

const char *h1_result_to_str(enum h1_result result);

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
                                 enum http_method request_method, struct h1_response *response, enum h1_error *error);

#endif
