/* place: where in a document something is, as a chain on the stack of who goes down into it: "containerDefinitions[1].image".
 * Nothing is allocated until it is written. Pure. Any thread. */
#ifndef CONFIG_TASK_DEFINITION_PLACE_H
#define CONFIG_TASK_DEFINITION_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/problems.h"

#define PLACE_NO_INDEX SIZE_MAX

struct place {
    const struct place *in; /* null: the document */
    const char *key;
    size_t index; /* of an element; PLACE_NO_INDEX: all of it */
};

static inline struct place place_of(const struct place *in, const char *key)
{
    return (struct place){ in, key, PLACE_NO_INDEX };
}

static inline struct place place_at(const struct place *in, const char *key, size_t index)
{
    return (struct place){ in, key, index };
}

/* Keys are the document's own: a long one is cut. */
void place_write(const struct place *place, struct buf *out);

/* A problem at the place, or at a field of it (null: the place itself). */
void place_refuse(struct problems *problems, const struct place *place, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
