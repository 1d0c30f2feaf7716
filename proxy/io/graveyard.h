/* graveyard: what is closed inside a callback may still be named by one that has not returned, so it is freed when the turn
 * of the loop has ended. Objects of one size, recycled (base/slab.h); each has a place for a grave, which may be that of a
 * link that a closed one does not need any more. One worker. */
#ifndef PROXY_IO_GRAVEYARD_H
#define PROXY_IO_GRAVEYARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slab.h"

struct grave {
    struct grave *next;
    struct graveyard *yard;
};

/* The dead of a turn, of all sizes; in the order in which they died. */
struct grave_list {
    struct grave *first, **end;
};

struct graveyard {
    struct slab slab;        /* objects are taken from it */
    size_t grave_at;         /* offset in the object */
    struct grave_list *dead; /* borrowed; shared by the yards of a worker */
};

void grave_list_init(struct grave_list *dead);
void grave_list_empty(struct grave_list *dead); /* the turn is over: gives all of them back */

void graveyard_init(struct graveyard *yard, size_t size, size_t grave_at, struct grave_list *dead);
void graveyard_bury(struct graveyard *yard, void *object); /* once each */

#endif
