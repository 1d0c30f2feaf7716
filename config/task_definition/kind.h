/* kind: what a single value of a task definition may be: how it is read from JSON, what is allowed, how a message and the
 * reference say that. Pure. Any thread. */
#ifndef CONFIG_TASK_DEFINITION_KIND_H
#define CONFIG_TASK_DEFINITION_KIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/task_definition/vocabulary.h"

/* X(name): a text of a form. Which, is in kind.c. Left as it is: the formatter would give most a line of their own. */
/* clang-format off */
#define FORM_KIND_LIST(X) \
    X(NAME) X(PORT_NAME) X(IMAGE) X(LINK) X(VARIABLE) X(LABEL) X(TAG_KEY) X(PATH) \
    X(MOUNT_PATH) X(HOST_PATH) X(HOSTNAME) X(DOMAIN) X(ADDRESS) X(USER) X(PORT_RANGE) X(SYSCTL) X(MOUNT_OPTION) \
    X(OPERATING_SYSTEM)
/* clang-format on */

/* X(name, C type of the field). TEXT, INTEGER and the sizes of a task have a least and a most in their row. */
#define KIND_LIST(X)        \
    X(TEXT, char *)         \
    X(INTEGER, int64_t)     \
    X(TASK_CPU, int64_t)    \
    X(TASK_MEMORY, int64_t) \
    X(BOOLEAN, bool)

enum kind {
#define X(name, ...) KIND_##name,
    KIND_LIST(X) ENUM_KIND_LIST(X) TEXT_WORD_KIND_LIST(X) FORM_KIND_LIST(X) KIND_COUNT
#undef X
};

/* Never instantiated: gives each kind's field a name that a macro can build. */
union kind_fields {
#define X(name, type) type name##_field;
    KIND_LIST(X)
#undef X
#define X(name, tag) enum tag name##_field;
    ENUM_KIND_LIST(X)
#undef X
#define X(name) char *name##_field;
    TEXT_WORD_KIND_LIST(X) FORM_KIND_LIST(X)
#undef X
};
#define KIND_FIELD_TYPE(kind) __typeof__(((union kind_fields *)0)->kind##_field)

struct kind_range {
    int64_t min, max; /* of a number, or of a text's bytes */
};

size_t kind_size(enum kind kind);
bool kind_is_text(enum kind kind); /* its field is a char *, owned */

/* Into the field. False, and what is wrong in `wrong`, when the value is of another type or not allowed. */
bool kind_read(enum kind kind, struct kind_range range, const json_t *value, void *field, struct buf *wrong);
/* A default, as it would be written in JSON: never wrong. */
void kind_set_default(enum kind kind, const char *text, void *field);

/* "integer from 1 to 65535", "one of `tcp`, `udp`": for the reference. */
void kind_write_allowed(enum kind kind, struct kind_range range, struct buf *out);

const char *kind_json_type(const json_t *value); /* "string", "list" ...: what a message calls it */

#endif
