/* quantity: whole numbers with a unit, as people write them: "250ms", "64KiB". Pure. Any thread. */
#ifndef CONFIG_QUANTITY_H
#define CONFIG_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Digits without sign and leading zeros, then the unit with nothing between. False: not that, or beyond int64_t. */
bool quantity_parse_integer(const char *text, int64_t *value);
bool quantity_parse_duration(const char *text, int64_t *value_ms); /* ms s m h; a unit must be there */
bool quantity_parse_size(const char *text, int64_t *value_bytes);  /* KiB MiB GiB, or bytes without unit */
bool quantity_parse_memory(const char *text, int64_t *value_mib);  /* whole MiB: a size, or MiB without unit */

/* In the largest unit that needs no fraction. */
void quantity_print_integer(int64_t value, struct buf *out);
void quantity_print_duration(int64_t value_ms, struct buf *out);
void quantity_print_size(int64_t value_bytes, struct buf *out);
void quantity_print_memory(int64_t value_mib, struct buf *out);

#endif
