/* forward_head: what becomes of a head that goes on, whatever version it came in: dropped are hop-by-hop fields (RFC 9110 7.6.1),
 * what clients may not say of themselves (proxy/message/forwarded.h), and names with '_' that alias fields treated in a way of
 * their own; added are ours. Pure; any thread. Decided as data (proxy/http/edit.h), which a codec writes. */
#ifndef PROXY_MESSAGE_FORWARD_HEAD_H
#define PROXY_MESSAGE_FORWARD_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proxy/h1/writer.h"
#include "proxy/message/forwarded.h"

/* What is added is never more than this, beside what forward_request_room() counts by itself. */
#define FORWARD_HEAD_EXTRA_BYTES 1024
#define REQUEST_ID_MAX 128
#define REQUEST_ID_MADE 32 /* bytes of one made here */
#define FORWARD_VIA_MAX 64
#define FORWARD_HOST_ROOM H1_HOST_ROOM

/* What this proxy says of itself in Via (RFC 9110 7.6.3): made once, for all requests. */
struct forward_via {
    struct slice name;                                           /* its pseudonym; empty: no Via is added */
    char members[HTTP_1_1 + 1][sizeof "1.1 " + FORWARD_VIA_MAX]; /* by the version that a request came in */
};

/* name: at most FORWARD_VIA_MAX; borrowed. */
void forward_via_init(struct forward_via *via, struct slice name);

struct forward_request {
    struct forwarded_client client;
    struct slice request_id;       /* added unless keeps_request_id */
    const struct forward_via *via; /* borrowed */
    bool keeps_request_id;         /* the client's own is sound and stays */
    bool upgrade;                  /* only if head->upgrade: the endpoint is asked to switch to upgrade_protocol */
    bool sends_trailers;           /* a trailer section will be sent: Trailer goes on */
    /* Out: where in `out` the address of the endpoint is to be put at the end of FORWARD_HOST_ROOM blanks, as Host of a request
     * that came without one; 0: nowhere. */
    size_t host_at;
};

/* True when the client's X-Request-Id may be kept: 1..128 letters, digits and -_.:=+/ */
bool request_id_is_sound(struct slice id);
/* It is sound and the only one. */
bool forward_keeps_request_id(const struct http_head *head);
/* 32 hex digits of 128 random bits; no NUL. */
void request_id_write(const uint64_t random[2], char out[REQUEST_ID_MADE]);

/* The own pseudonym is among the members of Via: the request has been here (answer 508). */
bool forward_via_has(const struct http_head *head, struct slice via);
static inline bool forward_request_is_loop(const struct http_head *head, struct slice via)
{
    return head->field_ids & HTTP_FIELD_BIT(VIA) && via.len > 0 && forward_via_has(head, via);
}

/* Max-Forwards counts for OPTIONS and TRACE only (RFC 9110 7.6.2). GOES_ON: forward_request_head() counts it down.
 * ENDS_HERE: it is 0, answer as the final recipient. BAD: no number, or more than one field (answer 400). */
enum forward_hops { FORWARD_HOPS_GOES_ON = 0, FORWARD_HOPS_ENDS_HERE, FORWARD_HOPS_BAD };
enum forward_hops forward_read_max_forwards(const struct http_head *head);
static inline enum forward_hops forward_max_forwards(const struct http_head *head)
{
    return head->field_ids & HTTP_FIELD_BIT(MAX_FORWARDS) ? forward_read_max_forwards(head) : FORWARD_HOPS_GOES_ON;
}

/* Whatever the body came as. Trailer goes on only WITH_TRAILERS. */
enum forward_framing { FORWARD_AS_IT_IS = 0, FORWARD_CHUNKED, FORWARD_CHUNKED_WITH_TRAILERS };

struct forward_response {
    enum forward_framing framing;
    enum http_connection connection;
    struct slice date; /* added to final responses that have none (RFC 9110 6.6.1); at most 64 bytes, or empty */
};

/* The decision. All slices of the edit are borrowed from head and with, or stand in the edit. */
void forward_edit_request(const struct http_head *head, const struct forward_request *with, struct http_edit *edit);
void forward_edit_response(const struct http_head *head, const struct forward_response *with, struct http_edit *edit);

/* Decided and written at once, for a head that goes on as HTTP/1: */

/* Bytes that are enough for forward_request_head(). */
static inline size_t forward_request_room(const struct http_head *head)
{
    return head->text_bytes + FORWARD_HEAD_EXTRA_BYTES + 3 * head->authority.len;
}

/* Writes to out and returns the length. size: at least forward_request_room(). */
size_t forward_request_head(const struct http_head *head, struct forward_request *with, char *out, size_t size);

/* size: at least head->text_bytes + FORWARD_HEAD_EXTRA_BYTES. */
size_t forward_response_head(const struct http_head *head, const struct forward_response *with, char *out, size_t size);

#endif
