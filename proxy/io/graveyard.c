#include "proxy/io/graveyard.h"

void grave_list_init(struct grave_list *dead)
{
    dead->first = NULL;
    dead->end = &dead->first;
}

void grave_list_empty(struct grave_list *dead)
{
    struct grave *grave = dead->first;
    grave_list_init(dead);
    while (grave) {
        struct grave *next = grave->next;
        slab_give_back(&grave->yard->slab, (char *)grave - grave->yard->grave_at);
        grave = next;
    }
}

void graveyard_init(struct graveyard *yard, size_t size, size_t grave_at, struct grave_list *dead)
{
    slab_init(&yard->slab, size);
    yard->grave_at = grave_at;
    yard->dead = dead;
}

void graveyard_bury(struct graveyard *yard, void *object)
{
    struct grave *grave = (struct grave *)((char *)object + yard->grave_at);
    *grave = (struct grave){ .yard = yard };
    *yard->dead->end = grave;
    yard->dead->end = &grave->next;
}
