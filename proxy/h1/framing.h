/* h1/framing: what the fields of a head say about where the message ends and what becomes of the connection
 * (RFC 9112 6, 9; RFC 9110 7.6.1, 7.8). Only for this folder. Any thread; pure. */
#ifndef PROXY_H1_FRAMING_H
#define PROXY_H1_FRAMING_H

#include "proxy/h1/head.h"

#define HTTP_CONNECTION_OPTIONS_MAX 32 /* bounds the work of marking nominated fields */

/* All zero before the first field but is_request and is_lenient. */
struct h1_framing {
    bool is_lenient; /* of a response: takes an equal Content-Length again */
    bool is_request; /* what can be read in one safe way is classified, not refused */
    bool has_content_length;
    bool has_transfer_encoding;
    bool connection_close;
    bool connection_keep_alive;
    bool connection_upgrade;
    bool connection_nominates; /* names that are neither of the three nor empty */
    bool expects_continue;
    bool has_unknown_expectation;
    bool accepts_trailers;
    bool declares_trailer;
    uint8_t connection_option_count;
    uint16_t host_count;
    uint16_t upgrade_count;
    uint32_t reasons;   /* as h1_request.desync_reasons */
    uint64_t field_ids; /* as h1_request.field_ids; of the lines so far */
    size_t content_length_digits;
    uint64_t content_length;
    struct slice host;    /* value of the first line */
    struct slice upgrade; /* value of the first line */
};

/* For each line whose id is not HTTP_FIELD_OTHER and at most HTTP_FIELD_LAST_WITH_MEANING. */
enum h1_error h1_framing_take(struct h1_framing *framing, const struct http_field_line *line);

static inline void h1_framing_note(struct h1_framing *framing, enum h1_desync_reason reason)
{
    framing->reasons |= 1u << reason;
}

/* No Content-Length line may go on as it came. In a response that is read strictly it is refused, or of no consequence. */
static inline bool h1_framing_has_doubtful_length(const struct h1_framing *framing)
{
    const uint32_t doubts = 1u << H1_DESYNC_CONTENT_LENGTH_AND_TRANSFER_ENCODING |
                            1u << H1_DESYNC_CONTENT_LENGTH_REPEATED | 1u << H1_DESYNC_CONTENT_LENGTH_ZEROS;
    return (framing->is_request || framing->is_lenient) && framing->reasons & doubts;
}

/* The same when there is more to it than Host, one Content-Length and plain Connection options. */
enum h1_error h1_framing_check_rare(struct h1_framing *framing, enum http_version version,
                                    struct http_field_line *fields, size_t field_count);

/* When all lines are taken: do they fit together and to the version? Marks the fields that Connection nominates, and in
 * a request each Content-Length that must not go on as it came. */
static inline enum h1_error h1_framing_check(struct h1_framing *framing, enum http_version version,
                                             struct http_field_line *fields, size_t field_count)
{
    bool is_plain = !framing->has_transfer_encoding && !framing->connection_nominates && framing->reasons == 0;
    return is_plain ? H1_OK : h1_framing_check_rare(framing, version, fields, field_count);
}

/* The field whose line such an error is about, of those that h1_framing_check() and the reading of Host find; HTTP_FIELD_OTHER:
 * none. */
enum http_field h1_framing_field_of(enum h1_error error);

static inline bool h1_framing_keeps_alive(const struct h1_framing *framing, enum http_version version)
{
    return !framing->connection_close && (version == HTTP_1_1 || framing->connection_keep_alive);
}

/* Upgrade names one protocol that is safe to pass on. Not another version of HTTP, nor TLS: what runs inside such a
 * tunnel would be requests that no rule was applied to. */
bool h1_framing_names_safe_protocol(const struct h1_framing *framing);

static inline bool h1_framing_asks_for_upgrade(const struct h1_framing *framing, enum http_version version)
{
    return framing->connection_upgrade && version == HTTP_1_1 && h1_framing_names_safe_protocol(framing);
}

#endif
