/* id_list: the ids in the engine's answer to a list of containers, as it arrives: an array of objects with a member "Id"
 * each. Nothing else is kept of it, so that what strangers write into their labels, which the engine repeats in the
 * list, costs no memory. Not a full JSON parser: what is within a container is skipped by its brackets and quotes, and
 * what an id stands for is asked for afterwards. Pure; any thread. */
#ifndef DISCOVERY_DOCKER_ID_LIST_H
#define DISCOVERY_DOCKER_ID_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define DOCKER_ID_DIGITS 64

/* Where in the answer: outside, in the array, in a container; deeper things count in `depth`. */
enum id_list_state {
    ID_LIST_BEFORE = 0, /* the array */
    ID_LIST_BETWEEN,    /* in the array, outside of a container */
    ID_LIST_AT_KEY,     /* in a container, a key is next */
    ID_LIST_AT_VALUE,
    ID_LIST_AFTER,
    ID_LIST_BAD, /* it is no such list */
    ID_LIST_STATE_COUNT
};

/* Zeroed: nothing has come yet. */
struct id_list {
    enum id_list_state state;
    size_t depth; /* of brackets inside the value */
    bool is_in_string, is_escaped;
    bool is_id;                      /* the key was "Id" */
    char text[DOCKER_ID_DIGITS + 1]; /* of the string that is read: a key or an id */
    size_t len;                      /* may be beyond what `text` holds */
};

/* id: terminated, 1 to 64 hexadecimal digits. */
typedef void (*id_list_cb)(void *owner, const char *id);

/* False: it is no list of containers; what came so far has been told. */
bool id_list_feed(struct id_list *list, struct slice piece, id_list_cb on_id, void *owner);
bool id_list_is_complete(const struct id_list *list);

#endif
