/* slab: recycled objects of one size. A steady load allocates nothing; what a flood has left behind goes back to the
 * allocator bit by bit. One thread. Objects come zeroed. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slab {
    size_t size;
    void *free; /* first word of a free object: the next one */
    size_t free_count;
    size_t spare_count; /* of those, what has not been needed since the last trim */
};

void slab_init(struct slab *slab, size_t size);
void slab_fini(struct slab *slab);  /* frees what was given back */
void *slab_take(struct slab *slab); /* null: out of memory */
void slab_give_back(struct slab *slab, void *object);
/* To be called now and then: frees half of what was not needed in between. Returns how many bytes. */
size_t slab_trim(struct slab *slab);

#endif
