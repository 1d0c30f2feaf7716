#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

void slab_init(struct slab *slab, size_t size)
{
    slab->size = size < sizeof(void *) ? sizeof(void *) : size;
    slab->free = NULL;
}

void slab_fini(struct slab *slab)
{
    while (slab->free) {
        void *next = *(void **)slab->free;
        free(slab->free);
        slab->free = next;
    }
}

void *slab_take(struct slab *slab)
{
    void *object = slab->free;
    if (!object)
        return calloc(1, slab->size);
    slab->free = *(void **)object;
    memset(object, 0, slab->size);
    return object;
}

void slab_give_back(struct slab *slab, void *object)
{
    *(void **)object = slab->free;
    slab->free = object;
}
