/* stats: the shared memory that workers write and control reads. A memfd made by the supervisor, so that counters
 * survive the death of either side. Plain stores by one writer per word, plain loads by readers; no lock, no
 * read-modify-write.
 *
 *   stats_header | service names | endpoint names | per worker: worker_stats, service_stats[], endpoint_stats[]
 *
 * Slots (rows) are given out by the proxy's main thread: a name is written before its slot is used and wiped after no
 * worker can touch it any more. Readers find a row by name. Readers, and the next writer, treat everything in here as
 * untrusted: names are compared bounded, numbers are only numbers, nothing says how large anything is. Pages that nobody
 * touched cost nothing. */
#ifndef PROXY_STATS_H
#define PROXY_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/histogram.h"
#include "config/limits.h"

#define STATS_WORKERS_MAX 64
#define STATS_SERVICES_MAX LIMIT_SERVICE_ROWS
#define STATS_ENDPOINTS_MAX LIMIT_ENDPOINT_ROWS
#define STATS_NAME_SIZE 152    /* endpoint: "<id> <address>"; service: its name */
#define STATS_STATUS_CLASSES 6 /* [0]: client went away before an answer; [1]..[5]: 1xx..5xx */
#define STATS_SLOT_NONE UINT32_MAX

struct worker_stats {
#define X(name, kind, help) uint64_t name;
#include "proxy/stats.def"
#undef X
} __attribute__((aligned(64)));

struct service_stats {
    uint64_t requests;
    uint64_t in_flight;
    uint64_t statuses[STATS_STATUS_CLASSES];
    uint64_t retries;
    uint64_t no_endpoint;
    uint64_t request_bytes, response_bytes;
    struct histogram latency;  /* request whole -> response head, or the end without one */
    struct histogram duration; /* request head -> last byte of the response */
} __attribute__((aligned(64)));

struct endpoint_stats {
    uint64_t in_flight;
    uint64_t tunnels; /* of those in flight */
    uint64_t requests;
    uint64_t failures;
} __attribute__((aligned(64)));

/* How a worker writes its own words: readers on other threads see whole values, and it costs no more than a plain
 * store. */
#define STATS_SET(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
#define STATS_ADD(word, amount) STATS_SET(word, (word) + (uint64_t)(amount))

struct stats_region; /* the mapping */

size_t stats_region_bytes(uint32_t workers);

/* Creates the memfd (supervisor). -1 on failure. Close-on-exec is off: it is passed to the children. */
int stats_create_fd(uint32_t workers, struct error *error);

/* Maps it; the descriptor may be closed afterwards. Refused is what has not the size of this version, or is not sealed in
 * it; what is written inside is never a reason. A writer (the proxy) zeroes all gauges and keeps counters and names,
 * whatever its predecessor left. */
struct stats_region *stats_map_writer(int fd, uint32_t workers, struct error *error);
struct stats_region *stats_map_reader(int fd, struct error *error);
void stats_unmap(struct stats_region *region);
uint32_t stats_workers(const struct stats_region *region);

/* ---- proxy ---- */
struct worker_stats *stats_worker(struct stats_region *region, uint32_t worker);
struct service_stats *stats_services(struct stats_region *region, uint32_t worker);   /* array by slot */
struct endpoint_stats *stats_endpoints(struct stats_region *region, uint32_t worker); /* array by slot */
/* Main thread. The row that already carries the name, or a free one; STATS_SLOT_NONE when full. */
uint32_t stats_claim_service(struct stats_region *region, const char *name);
uint32_t stats_claim_endpoint(struct stats_region *region, const char *id, const char *address);
uint32_t stats_find_service(const struct stats_region *region, const char *name); /* STATS_SLOT_NONE: no such row */
uint32_t stats_free_services(const struct stats_region *region);                  /* rows that are not claimed */
uint32_t stats_free_endpoints(const struct stats_region *region);
const char *stats_service_name(const struct stats_region *region, uint32_t slot); /* any thread, while it is claimed */
void stats_release_service(struct stats_region *region, uint32_t slot); /* keeps counters until the row is needed */
void stats_release_endpoint(struct stats_region *region, uint32_t slot);
void stats_beat(struct stats_region *region,
                int64_t now_ms); /* main thread, twice a second, while all workers turn: "we are alive" */
void stats_set_ending(struct stats_region *region); /* main thread: no request will begin any more */

/* ---- supervisor ---- */
/* Its writer has died, in whatever state: nothing is in flight and nothing will begin. False: see the error. */
bool stats_reset(int fd, struct error *error);
uint32_t stats_workers_of(int fd); /* how many it is for; 0: it is no region of this version of the program */

/* ---- control ---- */
/* False: a worker may yet begin a request, as far as its process says. */
bool stats_is_ending(const struct stats_region *region);
/* Since the last beat; STATS_BEAT_NEVER without one, or with one that lies in the future. */
#define STATS_BEAT_NEVER INT64_MAX
int64_t stats_beat_age_ms(const struct stats_region *region, int64_t now_ms);
/* Sums over workers. False when no row carries the name. */
bool stats_read_service(const struct stats_region *region, const char *name, struct service_stats *sum);
struct stats_load {
    uint64_t requests, in_flight, no_endpoint;
};
bool stats_read_service_load(const struct stats_region *region, const char *name, struct stats_load *sum);
bool stats_read_endpoint(const struct stats_region *region, const char *id,
                         struct endpoint_stats *sum); /* all addresses of the id */
void stats_read_worker_totals(const struct stats_region *region, struct worker_stats *sum);

#endif
