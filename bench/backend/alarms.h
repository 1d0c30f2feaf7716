/* alarms: what is to happen at which time, soonest first; equal times in the order of their setting. A binary heap of
 * alarms that lie in their owners. One thread; microseconds of any one clock. Zeroed is empty; out of memory ends the
 * program. */
#ifndef BENCH_BACKEND_ALARMS_H
#define BENCH_BACKEND_ALARMS_H

#include <stddef.h>
#include <stdint.h>

struct alarm {
    int64_t due_us;
    uint64_t serial;
    size_t place; /* in the heap, from 1; 0: not set */
};

struct alarms {
    struct alarm **at; /* [1 .. count] */
    size_t count, size;
    uint64_t next_serial;
};

void alarms_set(struct alarms *alarms, struct alarm *alarm, int64_t due_us); /* also when it is set already */
void alarms_unset(struct alarms *alarms, struct alarm *alarm);               /* idempotent */
struct alarm *alarms_first(const struct alarms *alarms);                     /* null: none */

#endif
