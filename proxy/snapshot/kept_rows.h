/* kept_rows: rows of one kind (endpoints or services) that no snapshot names any more and workers keep, because requests of theirs
 * still run: a tunnel may for days. The rows that these hold must not run out for who comes. When few are free, those kept for
 * longest are called in: the workers end what runs there. Main thread. */
#ifndef PROXY_SNAPSHOT_KEPT_ROWS_H
#define PROXY_SNAPSHOT_KEPT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/stats.h"

/* What is called in, of both kinds, by slot. */
struct row_set {
    uint64_t endpoints[STATS_ENDPOINTS_MAX / 64], services[STATS_SERVICES_MAX / 64];
};

static inline void row_set_add(uint64_t *words, uint32_t row)
{
    words[row / 64] |= UINT64_C(1) << row % 64;
}

static inline bool row_set_has(const uint64_t *words, uint32_t row)
{
    return words[row / 64] >> row % 64 & 1;
}

struct kept_rows;

struct kept_rows *kept_rows_new(uint32_t rows);
void kept_rows_free(struct kept_rows *kept);

/* By one worker each; a row that several keep is kept until the last of them has returned it. */
void kept_rows_keep(struct kept_rows *kept, uint32_t row);
void kept_rows_return(struct kept_rows *kept, uint32_t row);

/* Calls rows in until `wanted` are free or on their way to it, of `free_count` that are: adds them to the set, and returns how many. Each is
 * called in once while it is kept by the same workers. */
size_t kept_rows_call_in(struct kept_rows *kept, size_t free_count, size_t wanted, uint64_t *set);

#endif
