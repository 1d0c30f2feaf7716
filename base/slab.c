#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

void slab_init(struct slab *slab, size_t size)
{
    slab->size = size < sizeof(void *) ? sizeof(void *) : size;
    slab->free = NULL;
    slab->free_count = slab->spare_count = 0;
}

static void free_one(struct slab *slab)
{
    void *next = *(void **)slab->free;
    free(slab->free);
    slab->free = next;
    slab->free_count--;
}

void slab_fini(struct slab *slab)
{
    while (slab->free)
        free_one(slab);
}

void *slab_take(struct slab *slab)
{
    void *object = slab->free;
    if (!object)
        return calloc(1, slab->size);
    slab->free = *(void **)object;
    if (--slab->free_count < slab->spare_count)
        slab->spare_count = slab->free_count;
    memset(object, 0, slab->size);
    return object;
}

void slab_give_back(struct slab *slab, void *object)
{
    *(void **)object = slab->free;
    slab->free = object;
    slab->free_count++;
}

size_t slab_trim(struct slab *slab)
{
    size_t count = (slab->spare_count + 1) / 2;
    for (size_t i = 0; i < count; i++)
        free_one(slab);
    slab->spare_count = slab->free_count;
    return count * slab->size;
}
