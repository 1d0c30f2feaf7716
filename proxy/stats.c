#include "proxy/stats.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATS_LAYOUT 4 /* changes with the layout of the region; below STATS_SIZE_STEP */
#define STATS_SIZE_STEP 65536u
#define BEAT_AHEAD_MS 1000     /* the reader may have looked at the clock before the writer did */
#define ADDRESSES_OF_ID_MAX 64 /* rows of one id that are summed: an id with thousands is made up, to keep us busy */

/* The other side of STATS_SET. */
#define STATS_GET(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

enum stats_row_state {
    STATS_ROW_FREE = 0,
    STATS_ROW_USED = 1,
    STATS_ROW_RELEASED = 2
}; /* >= RELEASED: order of release */

/* Nothing that says how the region is to be read: the proxy can write all of it. Version and number of workers are in
 * the size of the memfd, which is sealed. */
struct stats_header {
    uint64_t is_ending; /* nothing new begins */
    int64_t beat_ms;
    uint64_t release_count;
    uint64_t named_services,
        named_endpoints; /* rows from the first on that ever had a name: nobody looks behind them */
} __attribute__((aligned(64)));

/* A table of named rows. `tags` are hashes of what a row is found by, so that a search reads 8 bytes a row, not 152;
 * a tag is stored last and cleared first. 0: no name. */
struct name_table {
    uint64_t *tags;
    uint64_t *states; /* read by the writer only */
    char (*names)[STATS_NAME_SIZE];
    uint64_t *named; /* in the header */
    uint32_t rows;
    uint32_t used_count; /* of the writer */
};

struct stats_region {
    struct stats_header *header;
    struct name_table services, endpoints;
    char *worker_blocks;
    size_t bytes;
    uint32_t workers;    /* our own copy: the mapping may lie */
    uint32_t *last_rows; /* owned, of STATS_SERVICES_MAX: where control found a service, by the hash of its name */
};

#define ROWS_BYTES(rows) ((rows) * (2 * sizeof(uint64_t) + STATS_NAME_SIZE))
#define WORKER_BYTES                                                                   \
    (sizeof(struct worker_stats) + STATS_SERVICES_MAX * sizeof(struct service_stats) + \
     STATS_ENDPOINTS_MAX * sizeof(struct endpoint_stats))
_Static_assert(ROWS_BYTES(STATS_SERVICES_MAX) % 64 == 0, "what follows is aligned");
_Static_assert(ROWS_BYTES(STATS_ENDPOINTS_MAX) % 64 == 0, "what follows is aligned");

/* FNV-1a; never 0. */
static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
    return hash ? hash : 1;
}

static char *lay_out_rows(struct name_table *table, char *at, uint32_t rows, uint64_t *named)
{
    table->rows = rows;
    table->named = named;
    table->tags = (uint64_t *)(void *)at;
    table->states = table->tags + rows;
    table->names = (void *)(table->states + rows);
    return at + ROWS_BYTES(rows);
}

static struct stats_region *region_new(void *mapping, uint32_t workers)
{
    struct stats_region *region = mem_alloc(sizeof *region);
    region->header = mapping;
    region->workers = workers;
    region->last_rows = mem_alloc_array(STATS_SERVICES_MAX, sizeof *region->last_rows);
    region->bytes = stats_region_bytes(workers);
    char *at = (char *)mapping + sizeof *region->header;
    at = lay_out_rows(&region->services, at, STATS_SERVICES_MAX, &region->header->named_services);
    at = lay_out_rows(&region->endpoints, at, STATS_ENDPOINTS_MAX, &region->header->named_endpoints);
    region->worker_blocks = at;
    return region;
}

/* Whole steps for the region, and its layout behind them. */
static uint64_t file_bytes(uint32_t workers)
{
    uint64_t steps = (stats_region_bytes(workers) + STATS_SIZE_STEP - 1) / STATS_SIZE_STEP;
    return steps * STATS_SIZE_STEP + STATS_LAYOUT;
}

static struct stats_region *map_region(int fd, uint32_t workers, int protection, struct error *error)
{
    if (workers == 0 || stats_workers_of(fd) != workers) {
        error_set(error, "shared counters: descriptor %d is no region of this version for %u workers", fd, workers);
        return NULL;
    }
    void *mapping = mmap(NULL, stats_region_bytes(workers), protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (mapping == MAP_FAILED) {
        error_set_errno(error, "shared counters: mmap");
        return NULL;
    }
    return region_new(mapping, workers);
}

/* In use or released, with a name that starts with the `len` bytes of key and goes on with `end`. */
static bool is_row_of(const struct name_table *table, uint32_t row, uint64_t tag, const char *key, size_t len, char end)
{
    return __atomic_load_n(&table->tags[row], __ATOMIC_ACQUIRE) == tag && len < STATS_NAME_SIZE &&
           memcmp(table->names[row], key, len) == 0 && table->names[row][len] == end;
}

static uint32_t named_rows(const struct name_table *table)
{
    uint64_t named = __atomic_load_n(table->named, __ATOMIC_ACQUIRE);
    return named < table->rows ? (uint32_t)named : table->rows;
}

/* The first such row from `from` on. */
static uint32_t find_row(const struct name_table *table, uint32_t from, const char *key, size_t len, char end)
{
    uint64_t tag = hash_of(key, len);
    uint32_t named = named_rows(table);
    for (uint32_t row = from; row < named; row++) {
        if (is_row_of(table, row, tag, key, len, end))
            return row;
    }
    return STATS_SLOT_NONE;
}

/* Never used rows first, then the one released longest ago, so that counters live as long as there is room. */
static uint32_t find_room(const struct name_table *table)
{
    uint32_t oldest = STATS_SLOT_NONE, named = named_rows(table);
    if (named < table->rows)
        return named;
    for (uint32_t row = 0; row < table->rows; row++) {
        if (table->states[row] == STATS_ROW_FREE)
            return row;
        if (table->states[row] >= STATS_ROW_RELEASED &&
            (oldest == STATS_SLOT_NONE || table->states[row] < table->states[oldest]))
            oldest = row;
    }
    return oldest;
}

static void wipe_row(const struct name_table *table, uint32_t row)
{
    __atomic_store_n(&table->tags[row], 0, __ATOMIC_RELEASE);
    table->states[row] = STATS_ROW_FREE;
}

static void name_row(const struct name_table *table, uint32_t row, const char *name, uint64_t tag)
{
    char *at = table->names[row];
    memset(at, 0, STATS_NAME_SIZE);
    memcpy(at, name, strlen(name));
    __atomic_store_n(&table->tags[row], tag, __ATOMIC_RELEASE);
    if (row >= named_rows(table))
        __atomic_store_n(table->named, row + 1, __ATOMIC_RELEASE);
}

static void use_row(struct name_table *table, uint32_t row)
{
    table->used_count += table->states[row] != STATS_ROW_USED;
    table->states[row] = STATS_ROW_USED;
}

static void release_row(struct stats_region *region, struct name_table *table, uint32_t row)
{
    if (row >= table->rows || table->states[row] != STATS_ROW_USED)
        return;
    table->states[row] = STATS_ROW_RELEASED + region->header->release_count++;
    table->used_count--;
}

static void zero_worker_gauges(struct worker_stats *worker)
{
#define GAUGE(name) worker->name = 0;
#define COUNTER(name)
#define X(name, kind, help) kind(name)
#include "proxy/stats.def"
#undef X
#undef COUNTER
#undef GAUGE
}

/* Whatever the process before left there: every row is free or released, and all of them at the same time. */
static void release_all(struct name_table *table)
{
    uint64_t named = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        uint64_t state = table->tags[row] ? STATS_ROW_RELEASED : STATS_ROW_FREE;
        if (table->states[row] != state)
            table->states[row] = state;
        if (table->tags[row])
            named = row + 1;
    }
    __atomic_store_n(table->named, named, __ATOMIC_RELEASE);
}

/* A new process has no request in flight and no claim on any row. Rows that nobody named are left untouched (no page).
 */
static void begin_again(struct stats_region *region)
{
    __atomic_store_n(&region->header->is_ending, 0, __ATOMIC_RELAXED);
    for (uint32_t worker = 0; worker < region->workers; worker++) {
        zero_worker_gauges(stats_worker(region, worker));
        for (uint32_t row = 0; row < region->services.rows; row++) {
            if (region->services.tags[row])
                stats_services(region, worker)[row].in_flight = 0;
        }
        for (uint32_t row = 0; row < region->endpoints.rows; row++) {
            if (region->endpoints.tags[row])
                stats_endpoints(region, worker)[row].in_flight = stats_endpoints(region, worker)[row].tunnels = 0;
        }
    }
    release_all(&region->services);
    release_all(&region->endpoints);
    region->header->release_count = 1;
}

static void add_service(struct service_stats *sum, const struct service_stats *one)
{
    sum->requests += one->requests;
    sum->in_flight += one->in_flight;
    for (size_t i = 0; i < STATS_STATUS_CLASSES; i++)
        sum->statuses[i] += one->statuses[i];
    sum->retries += one->retries;
    sum->no_endpoint += one->no_endpoint;
    sum->request_bytes += one->request_bytes;
    sum->response_bytes += one->response_bytes;
    histogram_merge(&sum->latency, &one->latency);
    histogram_merge(&sum->duration, &one->duration);
}

size_t stats_region_bytes(uint32_t workers)
{
    return sizeof(struct stats_header) + ROWS_BYTES(STATS_SERVICES_MAX) + ROWS_BYTES(STATS_ENDPOINTS_MAX) +
           workers * WORKER_BYTES;
}

int stats_create_fd(uint32_t workers, struct error *error)
{
    if (workers == 0 || workers > STATS_WORKERS_MAX) {
        error_set(error, "shared counters: %u workers, allowed are 1..%d", workers, STATS_WORKERS_MAX);
        return -1;
    }
    int fd = memfd_create("portico-stats", MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)file_bytes(workers)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        error_set_errno(error, "shared counters: memfd");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

struct stats_region *stats_map_writer(int fd, uint32_t workers, struct error *error)
{
    struct stats_region *region = map_region(fd, workers, PROT_READ | PROT_WRITE, error);
    if (!region)
        return NULL;
    begin_again(region);
    return region;
}

struct stats_region *stats_map_reader(int fd, struct error *error)
{
    return map_region(fd, stats_workers_of(fd), PROT_READ, error);
}

void stats_unmap(struct stats_region *region)
{
    if (!region)
        return;
    munmap(region->header, region->bytes);
    free(region->last_rows);
    free(region);
}

uint32_t stats_workers(const struct stats_region *region)
{
    return region->workers;
}

static void *worker_block(const struct stats_region *region, uint32_t worker)
{
    check(worker < region->workers);
    return region->worker_blocks + worker * WORKER_BYTES;
}

struct worker_stats *stats_worker(struct stats_region *region, uint32_t worker)
{
    return worker_block(region, worker);
}

static struct service_stats *services_of(const struct stats_region *region, uint32_t worker)
{
    return (void *)((char *)worker_block(region, worker) + sizeof(struct worker_stats));
}

static struct endpoint_stats *endpoints_of(const struct stats_region *region, uint32_t worker)
{
    return (void *)(services_of(region, worker) + STATS_SERVICES_MAX);
}

struct service_stats *stats_services(struct stats_region *region, uint32_t worker)
{
    return services_of(region, worker);
}

struct endpoint_stats *stats_endpoints(struct stats_region *region, uint32_t worker)
{
    return endpoints_of(region, worker);
}

uint32_t stats_claim_service(struct stats_region *region, const char *name)
{
    struct name_table *table = &region->services;
    size_t len = strlen(name);
    if (len == 0 || len >= STATS_NAME_SIZE)
        return STATS_SLOT_NONE;
    uint32_t row = find_row(table, 0, name, len, '\0');
    if (row == STATS_SLOT_NONE) {
        row = find_room(table);
        if (row == STATS_SLOT_NONE)
            return row;
        wipe_row(table, row);
        for (uint32_t worker = 0; worker < region->workers; worker++)
            memset(&services_of(region, worker)[row], 0, sizeof(struct service_stats));
        name_row(table, row, name, hash_of(name, len));
    }
    use_row(table, row);
    return row;
}

uint32_t stats_find_service(const struct stats_region *region, const char *name)
{
    return find_row(&region->services, 0, name, strlen(name), '\0');
}

uint32_t stats_free_services(const struct stats_region *region)
{
    return region->services.rows - region->services.used_count;
}

uint32_t stats_free_endpoints(const struct stats_region *region)
{
    return region->endpoints.rows - region->endpoints.used_count;
}

uint32_t stats_claim_endpoint(struct stats_region *region, const char *id, const char *address)
{
    struct name_table *table = &region->endpoints;
    char name[STATS_NAME_SIZE];
    size_t id_len = strlen(id);
    int len = snprintf(name, sizeof name, "%s %s", id, address);
    if (id_len == 0 || len < 0 || (size_t)len >= sizeof name)
        return STATS_SLOT_NONE;
    uint32_t row = find_row(table, 0, id, id_len, ' ');
    while (row != STATS_SLOT_NONE && strncmp(table->names[row], name, sizeof name) != 0)
        row = find_row(table, row + 1, id, id_len, ' '); /* the same container at another address */
    if (row == STATS_SLOT_NONE) {
        row = find_room(table);
        if (row == STATS_SLOT_NONE)
            return row;
        wipe_row(table, row);
        for (uint32_t worker = 0; worker < region->workers; worker++)
            memset(&endpoints_of(region, worker)[row], 0, sizeof(struct endpoint_stats));
        name_row(table, row, name, hash_of(id, id_len));
    }
    use_row(table, row);
    return row;
}

const char *stats_service_name(const struct stats_region *region, uint32_t slot)
{
    return region->services.names[slot];
}

void stats_release_service(struct stats_region *region, uint32_t slot)
{
    release_row(region, &region->services, slot);
}

void stats_release_endpoint(struct stats_region *region, uint32_t slot)
{
    release_row(region, &region->endpoints, slot);
}

void stats_beat(struct stats_region *region, int64_t now_ms)
{
    __atomic_store_n(&region->header->beat_ms, now_ms, __ATOMIC_RELAXED);
}

int64_t stats_beat_age_ms(const struct stats_region *region, int64_t now_ms)
{
    int64_t beat_ms = __atomic_load_n(&region->header->beat_ms, __ATOMIC_RELAXED);
    if (beat_ms <= 0 || beat_ms > now_ms + BEAT_AHEAD_MS)
        return STATS_BEAT_NEVER;
    return beat_ms > now_ms ? 0 : now_ms - beat_ms;
}

void stats_set_ending(struct stats_region *region)
{
    __atomic_store_n(&region->header->is_ending, 1, __ATOMIC_RELAXED);
}

bool stats_is_ending(const struct stats_region *region)
{
    return __atomic_load_n(&region->header->is_ending, __ATOMIC_RELAXED) != 0;
}

uint32_t stats_workers_of(int fd)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    /* Whoever could shrink it would kill the other side by SIGBUS. */
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || !(seals & F_SEAL_GROW) || fstat(fd, &status) != 0)
        return 0;
    for (uint32_t workers = 1; workers <= STATS_WORKERS_MAX; workers++) {
        if ((uint64_t)status.st_size == file_bytes(workers))
            return workers;
    }
    return 0;
}

bool stats_reset(int fd, struct error *error)
{
    uint32_t workers = stats_workers_of(fd);
    struct stats_region *region = workers ? stats_map_writer(fd, workers, error) : NULL;
    if (!region)
        return workers ? false : error_set(error, "shared counters: descriptor %d is not of this version", fd);
    stats_set_ending(region);
    stats_unmap(region);
    return true;
}

/* Asked for again and again, for every service: it is looked for where it was. */
static uint32_t find_service_row(const struct stats_region *region, const char *name)
{
    size_t len = strlen(name);
    uint64_t tag = hash_of(name, len);
    uint32_t *last_row = &region->last_rows[tag % STATS_SERVICES_MAX];
    if (is_row_of(&region->services, *last_row, tag, name, len, '\0'))
        return *last_row;
    uint32_t row = find_row(&region->services, 0, name, len, '\0');
    if (row != STATS_SLOT_NONE)
        *last_row = row;
    return row;
}

bool stats_read_service(const struct stats_region *region, const char *name, struct service_stats *sum)
{
    uint32_t row = find_service_row(region, name);
    memset(sum, 0, sizeof *sum);
    if (row == STATS_SLOT_NONE)
        return false;
    for (uint32_t worker = 0; worker < region->workers; worker++)
        add_service(sum, &services_of(region, worker)[row]);
    /* Given to another service while we read: what we have is neither's. */
    return find_service_row(region, name) == row;
}

bool stats_read_service_load(const struct stats_region *region, const char *name, struct stats_load *sum)
{
    uint32_t row = find_service_row(region, name);
    *sum = (struct stats_load){ 0 };
    if (row == STATS_SLOT_NONE)
        return false;
    for (uint32_t worker = 0; worker < region->workers; worker++) {
        const struct service_stats *one = &services_of(region, worker)[row];
        sum->requests += one->requests;
        sum->in_flight += one->in_flight;
        sum->no_endpoint += one->no_endpoint;
    }
    return find_service_row(region, name) == row; /* as above */
}

bool stats_read_endpoint(const struct stats_region *region, const char *id, struct endpoint_stats *sum)
{
    size_t len = strlen(id);
    uint32_t row = find_row(&region->endpoints, 0, id, len, ' ');
    memset(sum, 0, sizeof *sum);
    bool found = row != STATS_SLOT_NONE;
    for (int i = 0; row != STATS_SLOT_NONE && i < ADDRESSES_OF_ID_MAX;
         row = find_row(&region->endpoints, row + 1, id, len, ' '), i++) {
        for (uint32_t worker = 0; worker < region->workers; worker++) {
            const struct endpoint_stats *one = &endpoints_of(region, worker)[row];
            sum->in_flight += STATS_GET(one->in_flight);
            sum->tunnels += STATS_GET(one->tunnels);
            sum->requests += STATS_GET(one->requests);
            sum->failures += STATS_GET(one->failures);
        }
    }
    return found;
}

void stats_read_worker_totals(const struct stats_region *region, struct worker_stats *sum)
{
    memset(sum, 0, sizeof *sum);
    for (uint32_t worker = 0; worker < region->workers; worker++) {
        const struct worker_stats *one = worker_block(region, worker);
#define X(name, kind, help) sum->name += STATS_GET(one->name);
#include "proxy/stats.def"
#undef X
    }
}
