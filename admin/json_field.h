/* json_field: C values as JSON values, one function for each kind of admin/json_fields.def. None returns null. The
 * caller owns the new reference. Any thread. */
#ifndef ADMIN_JSON_FIELD_H
#define ADMIN_JSON_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* Bytes of a text that is not UTF-8 (a name that was cut, say) become '?'; null gives "". */
json_t *json_field_text(const char *text);
json_t *json_field_text_or_null(const char *text);
json_t *json_field_count(int64_t count);
json_t *json_field_count_or_null(int64_t count); /* negative: null */
json_t *json_field_flag(bool flag);
json_t *json_field_real_or_null(double real);       /* not finite: null */
json_t *json_field_lines_or_null(const char *text); /* an array of its lines; "": none; null: null */
json_t *json_field_time_or_null(int64_t wall_us);   /* RFC 3339 in UTC; 0 or negative: null */

#endif
