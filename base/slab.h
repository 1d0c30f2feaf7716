/* slab: recycled objects of one size. Nothing is given back to the allocator before slab_fini, so a steady load
 * allocates nothing. One thread. Objects come zeroed. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slab {
    size_t size;
    void *free; /* first word of a free object: the next one */
};

void slab_init(struct slab *slab, size_t size);
void slab_fini(struct slab *slab);  /* frees what was given back */
void *slab_take(struct slab *slab); /* null: out of memory */
void slab_give_back(struct slab *slab, void *object);

#endif
