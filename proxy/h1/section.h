/* h1/section: the field lines of a head, and the empty line behind them (RFC 9112 5). Only for this folder.
 * Any thread; pure. */
#ifndef PROXY_H1_SECTION_H
#define PROXY_H1_SECTION_H

#include "proxy/h1/framing.h"
#include "proxy/h1/scan.h"

/* Refuses what was found when all lines were there, at the last line of the field that it is about. */
enum h1_result h1_refuse_section(struct h1_cursor *c, enum h1_error error, const struct http_field_line *fields,
                                 uint16_t field_count);

/* Sets fields[0 .. *field_count), at most limit of them, and takes each into *framing. */
enum h1_result h1_step_section(struct h1_cursor *c, uint16_t limit, struct http_field_line *fields,
                               uint16_t *field_count, struct h1_framing *framing);

#endif
