#include "daemon/publish/rotation.h"

#include "base/mem.h"
#include "discovery/task_registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct member {
    char id[TASK_ID_SIZE];
    uint32_t service_count;  /* of the newest frame that have it */
    uint64_t left_at_serial; /* when service_count is 0: the first frame without it */
    UT_hash_handle by_id;
};

struct rotation {
    struct member *members; /* hash by id; an endpoint that is out has none */
};

static struct member *find(const struct rotation *r, const char *id)
{
    struct member *member;
    HASH_FIND(by_id, r->members, id, strlen(id), member);
    return member;
}

static void drop(struct rotation *r, struct member *member)
{
    HASH_DELETE(by_id, r->members, member); /* NOLINT(clang-analyzer-unix.Malloc): it does not follow uthash */
    free(member);
}

struct rotation *rotation_new(void)
{
    return mem_alloc(sizeof(struct rotation));
}

void rotation_free(struct rotation *r)
{
    if (!r)
        return;
    rotation_clear(r);
    free(r);
}

void rotation_enter(struct rotation *r, const char *id)
{
    struct member *member = find(r, id);
    if (!member) {
        member = mem_alloc(sizeof *member);
        snprintf(member->id, sizeof member->id, "%s", id);
        HASH_ADD(by_id, r->members, id, strlen(member->id), member);
    }
    member->service_count++;
}

void rotation_leave(struct rotation *r, const char *id, uint64_t serial)
{
    struct member *member = find(r, id);
    if (!member || member->service_count == 0)
        return;
    if (--member->service_count == 0)
        member->left_at_serial = serial;
}

void rotation_acknowledge(struct rotation *r, uint64_t serial)
{
    struct member *member, *next;
    HASH_ITER (by_id, r->members, member, next) {
        if (member->service_count == 0 && member->left_at_serial <= serial)
            drop(r, member);
    }
}

void rotation_clear(struct rotation *r)
{
    struct member *member, *next;
    HASH_ITER (by_id, r->members, member, next) {
        drop(r, member);
    }
}

bool rotation_is_out(const struct rotation *r, const char *id)
{
    return find(r, id) == NULL;
}

size_t rotation_count(const struct rotation *r)
{
    return HASH_CNT(by_id, r->members);
}
