#include "base/wake_list.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

struct wake_group {
    int64_t at_ms; /* key */
    struct wake_list *list;
    struct timer timer;
    TAILQ_HEAD(, sleeper) sleepers;
    bool is_waking; /* its callbacks are under way, and nobody joins it any more */
    UT_hash_handle hh;
};

struct wake_list {
    struct loop *loop;
    struct wake_group *groups; /* uthash, by at_ms; those that are not waking */
};

static void group_free(struct wake_group *group)
{
    timer_stop(&group->timer);
    free(group);
}

static void group_on_time(void *owner)
{
    struct wake_group *group = owner;
    struct sleeper *sleeper;
    HASH_DEL(group->list->groups, group);
    group->is_waking = true;
    while ((sleeper = TAILQ_FIRST(&group->sleepers))) {
        sleeper_stop(sleeper);
        sleeper->wake(sleeper->owner);
    }
    group_free(group);
}

static struct wake_group *find_or_add_group(struct wake_list *list, int64_t at_ms)
{
    struct wake_group *group;
    HASH_FIND(hh, list->groups, &at_ms, sizeof at_ms, group);
    if (group)
        return group;
    group = mem_alloc(sizeof *group);
    group->at_ms = at_ms;
    group->list = list;
    TAILQ_INIT(&group->sleepers);
    HASH_ADD(hh, list->groups, at_ms, sizeof at_ms, group);
    int64_t delay_ms = at_ms - clock_now_ms();
    timer_init(&group->timer, list->loop, group_on_time, group);
    timer_start(&group->timer, delay_ms > 0 ? delay_ms : 0);
    return group;
}

/* ---- public ---- */

struct wake_list *wake_list_new(struct loop *loop)
{
    struct wake_list *list = mem_alloc(sizeof *list);
    list->loop = loop;
    return list;
}

void wake_list_free(struct wake_list *list)
{
    if (!list)
        return;
    check(list->groups == NULL);
    free(list);
}

void sleeper_init(struct sleeper *sleeper, struct wake_list *list, timer_cb wake, void *owner)
{
    *sleeper = (struct sleeper){ .list = list, .wake = wake, .owner = owner };
}

void sleeper_start(struct sleeper *sleeper, int64_t at_ms)
{
    sleeper_stop(sleeper);
    sleeper->group = find_or_add_group(sleeper->list, at_ms);
    TAILQ_INSERT_TAIL(&sleeper->group->sleepers, sleeper, link);
}

void sleeper_stop(struct sleeper *sleeper)
{
    struct wake_group *group = sleeper->group;
    if (!group)
        return;
    TAILQ_REMOVE(&group->sleepers, sleeper, link);
    sleeper->group = NULL;
    if (group->is_waking || !TAILQ_EMPTY(&group->sleepers))
        return;
    HASH_DEL(group->list->groups, group); /* NOLINT(clang-analyzer-unix.Malloc): it does not follow uthash */
    group_free(group);
}
