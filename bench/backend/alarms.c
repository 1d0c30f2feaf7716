#include "bench/backend/alarms.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_sooner(const struct alarm *a, const struct alarm *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->serial < b->serial;
}

static void put(struct alarms *alarms, size_t place, struct alarm *alarm)
{
    alarms->at[place] = alarm;
    alarm->place = place;
}

static void move_up(struct alarms *alarms, size_t place, struct alarm *alarm)
{
    for (; place > 1 && is_sooner(alarm, alarms->at[place / 2]); place /= 2)
        put(alarms, place, alarms->at[place / 2]);
    put(alarms, place, alarm);
}

static void move_down(struct alarms *alarms, size_t place, struct alarm *alarm)
{
    for (size_t child; (child = place * 2) <= alarms->count; place = child) {
        if (child < alarms->count && is_sooner(alarms->at[child + 1], alarms->at[child]))
            child++;
        if (!is_sooner(alarms->at[child], alarm))
            break;
        put(alarms, place, alarms->at[child]);
    }
    put(alarms, place, alarm);
}

static void make_room(struct alarms *alarms)
{
    if (alarms->count + 1 < alarms->size)
        return;
    alarms->size = alarms->size ? alarms->size * 2 : 256;
    alarms->at = reallocarray(alarms->at, alarms->size, sizeof(struct alarm *));
    if (!alarms->at)
        abort();
}

void alarms_set(struct alarms *alarms, struct alarm *alarm, int64_t due_us)
{
    alarms_unset(alarms, alarm);
    make_room(alarms);
    alarm->due_us = due_us;
    alarm->serial = alarms->next_serial++;
    move_up(alarms, ++alarms->count, alarm);
}

void alarms_unset(struct alarms *alarms, struct alarm *alarm)
{
    size_t place = alarm->place;
    if (place == 0)
        return;
    struct alarm *last = alarms->at[alarms->count--];
    alarm->place = 0;
    if (last == alarm)
        return;
    if (place > 1 && is_sooner(last, alarms->at[place / 2]))
        move_up(alarms, place, last);
    else
        move_down(alarms, place, last);
}

struct alarm *alarms_first(const struct alarms *alarms)
{
    return alarms->count > 0 ? alarms->at[1] : NULL;
}
