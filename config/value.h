/* value: one field of the configuration, by its row of the schema: text -> field, field -> YAML, what is allowed. A
 * `field` points to a char * (owned, may be null), int64_t, double or bool, as the row's type says. Control thread. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/schema.h"

enum value_result { VALUE_OK = 0, VALUE_MALFORMED, VALUE_OUT_OF_RANGE, VALUE_RESULT_COUNT };

/* Anything but VALUE_OK leaves the field as it was; a text that it had is freed when it is replaced. */
enum value_result value_parse(const struct schema_row *row, const char *text, void *field);
const char *value_result_to_str(enum value_result result);

/* "a duration"; "a number with ms, s, m or h between 100ms and 10m". */
const char *value_noun(const struct schema_row *row);
void value_write_allowed(const struct schema_row *row, struct buf *out);

/* The ends of the range of a number that is no REAL. */
int64_t value_min(const struct schema_row *row);
int64_t value_max(const struct schema_row *row);
/* The words that a value is one of, in the order of config/words.h; null: it is no word. */
const char *const *value_words(const struct schema_row *row, size_t *count);

/* What was probably meant: a word of the type's list of words, or another spelling, which is then in scratch; null: no
 * idea. */
#define VALUE_SUGGESTION_SIZE 256
const char *value_suggest(const struct schema_row *row, const char *text, char scratch[VALUE_SUGGESTION_SIZE]);
bool value_takes_list(const struct schema_row *row); /* of such texts, with commas between, in one text */

/* True for numbers and booleans: quotes round them are a mistake. Durations and sizes may have them (JSON needs them).
 */
bool value_is_bare(const struct schema_row *row);
bool value_is_secret(const struct schema_row *row);

bool value_is_unset(const struct schema_row *row, const void *field); /* no default, and not written */
bool value_equals(const struct schema_row *row, const void *a, const void *b);
void value_free(const struct schema_row *row, void *field);
size_t value_size(const struct schema_row *row); /* of one element of a list's array */

/* As one YAML scalar that value_parse() (after the document's own rules) turns into the same field. */
void value_print(const struct schema_row *row, const void *field, struct buf *out);
void value_print_text(const char *text, struct buf *out); /* in double quotes */

#endif
