/* fields: what is done to whole structs of the configuration by walking the schema: defaults, comparison, release. A
 * `fields` pointer is to the struct of the named section. Control thread. */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/schema.h"

/* Fields must be zero. Nested sections too; a list of sections gets its least number of elements. */
void fields_set_defaults(enum schema_section section, void *fields);
void fields_free(enum schema_section section, void *fields);

/* Whether one row of two structs is the same, nested sections and lists included. */
bool fields_row_equals(const struct schema_row *row, const void *a, const void *b);

/* Where a row's field, its count and its elements are. */
void *fields_at(const struct schema_row *row, const void *fields);
size_t *fields_count_at(const struct schema_row *row, const void *fields);
size_t fields_element_size(const struct schema_row *row);

#endif
