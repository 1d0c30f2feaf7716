/* h1/framing: what the fields of a head say about where the message ends and what becomes of the connection
 * (RFC 9112 6, 9; RFC 9110 7.6.1, 7.8). Only for this folder. Any thread; pure. */
#ifndef PROXY_H1_FRAMING_H
#define PROXY_H1_FRAMING_H

#include "proxy/h1/head.h"

#define H1_CONNECTION_OPTIONS_MAX 32 /* bounds the work of marking nominated fields */

/* All zero before the first field. */
struct h1_framing {
    bool has_content_length;
    bool has_transfer_encoding;
    bool connection_close;
    bool connection_keep_alive;
    bool connection_upgrade;
    bool connection_nominates; /* names that are neither of the three nor empty */
    bool expects_continue;
    uint8_t connection_option_count;
    uint16_t host_count;
    uint16_t upgrade_count;
    uint64_t content_length;
    struct slice host;    /* value of the first line */
    struct slice upgrade; /* value of the first line */
};

/* For each line whose id is not H1_FIELD_OTHER and at most H1_FIELD_LAST_WITH_MEANING. */
enum h1_error h1_framing_take(struct h1_framing *framing, const struct h1_field_line *line);

/* When all lines are taken: do they fit together and to the version? Marks the fields that Connection nominates. */
enum h1_error h1_framing_check(const struct h1_framing *framing, int minor_version, struct h1_field_line *fields,
                               size_t field_count);

bool h1_framing_keeps_alive(const struct h1_framing *framing, int minor_version);

/* The request asks, in a way that is safe to pass on, for one other protocol. Not for another version of HTTP or for
 * TLS: what runs inside such a tunnel would be requests that no rule was applied to. */
bool h1_framing_asks_for_upgrade(const struct h1_framing *framing, int minor_version);

#endif
