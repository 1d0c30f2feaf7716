#include "proxy/client/client_table.h"

#include "base/check.h"
#include "base/mem.h"
#include "proxy/client/token_bucket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define EXPIRIES_MAX 4 /* of one call: more than one, so that the idle list shrinks while entries come and go */

/* Entries are kept by their number of connections: one list for each up to 15, then eight for each doubling. */
#define RANK_IDLE 0
#define RANK_EXEMPT 1
#define RANK_FIRST 2
#define EXACT_COUNTS 16
#define RANK_COUNT (RANK_FIRST + EXACT_COUNTS + (32 - 4) * 8)

struct client_entry {
    struct network_address key;
    uint32_t connection_count;
    uint32_t slot; /* of the chain that it is in */
    uint32_t rank; /* the list that it is in */
    struct token_bucket requests, body_bytes;
    int64_t idle_at_ms;         /* when the last connection ended */
    struct client_conns conns;  /* the caller's */
    struct client_entry *chain; /* next of the same slot, or next free one */
    TAILQ_ENTRY(client_entry) link;
};

TAILQ_HEAD(client_list, client_entry);

struct client_table {
    struct client_entry **slots;          /* owned */
    struct client_entry *entries, *free;  /* owned */
    struct client_list ranks[RANK_COUNT]; /* idle: the longest first */
    uint32_t highest_rank;                /* none beyond it has an entry */
    size_t slot_mask, capacity, used_count, count;
    uint64_t seed, untracked_count;
};

/* A client can take any of the addresses of its /64. */
static struct network_address key_of(const struct network_address *address)
{
    struct network_address key = *address;
    if (memcmp(key.bytes, network_v4_prefix, sizeof network_v4_prefix) != 0)
        memset(key.bytes + 8, 0, 8);
    return key;
}

/* The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

static uint32_t slot_of(const struct client_table *table, const struct network_address *key)
{
    uint64_t words[2];
    memcpy(words, key->bytes, sizeof words);
    return (uint32_t)(mix(mix(words[0] ^ table->seed) + words[1]) & table->slot_mask);
}

static struct client_entry *find(const struct client_table *table, const struct network_address *key, uint32_t slot)
{
    struct client_entry *entry = table->slots[slot];
    while (entry && memcmp(&entry->key, key, sizeof *key) != 0)
        entry = entry->chain;
    return entry;
}

static uint32_t rank_of(uint32_t connection_count, bool is_exempt)
{
    if (connection_count == 0)
        return RANK_IDLE;
    if (is_exempt)
        return RANK_EXEMPT;
    if (connection_count < EXACT_COUNTS)
        return RANK_FIRST + connection_count;
    uint32_t doublings = 31 - (uint32_t)__builtin_clz(connection_count); /* 4 or more */
    return RANK_FIRST + EXACT_COUNTS + (doublings - 4) * 8 + (connection_count >> (doublings - 3) & 7);
}

static void set_rank(struct client_table *table, struct client_entry *entry, uint32_t rank)
{
    if (entry->rank == rank)
        return;
    TAILQ_REMOVE(&table->ranks[entry->rank], entry, link);
    TAILQ_INSERT_TAIL(&table->ranks[rank], entry, link);
    entry->rank = rank;
    if (rank > table->highest_rank)
        table->highest_rank = rank;
}

static void drop(struct client_table *table, struct client_entry *entry)
{
    struct client_entry **link = &table->slots[entry->slot];
    while (*link != entry)
        link = &(*link)->chain;
    *link = entry->chain;
    TAILQ_REMOVE(&table->ranks[RANK_IDLE], entry, link);
    entry->chain = table->free;
    table->free = entry;
    table->count--;
}

static struct client_entry *take_free(struct client_table *table)
{
    struct client_entry *entry = table->free;
    if (entry)
        table->free = entry->chain;
    else if (table->used_count < table->capacity)
        entry = &table->entries[table->used_count++];
    return entry;
}

/* Null: no room. */
static struct client_entry *add(struct client_table *table, const struct network_address *key, uint32_t slot,
                                int64_t now_ms)
{
    struct client_entry *entry = take_free(table);
    if (!entry)
        return NULL;
    struct token_bucket full = token_bucket_new(now_ms);
    *entry = (struct client_entry){
        .key = *key, .slot = slot, .rank = RANK_IDLE, .requests = full, .body_bytes = full, .chain = table->slots[slot]
    };
    TAILQ_INIT(&entry->conns);
    TAILQ_INSERT_TAIL(&table->ranks[RANK_IDLE], entry, link);
    table->slots[slot] = entry;
    table->count++;
    return entry;
}

static void expire_some(struct client_table *table, int64_t now_ms)
{
    struct client_list *idle = &table->ranks[RANK_IDLE];
    for (int i = 0; i < EXPIRIES_MAX; i++) {
        struct client_entry *oldest = TAILQ_FIRST(idle);
        if (!oldest || now_ms - oldest->idle_at_ms < TOKEN_BUCKET_WINDOW_MS)
            return;
        /* Whoever took more than was allowed cannot be rid of it by coming back a second later. */
        if (!token_bucket_is_in_debt(&oldest->body_bytes, now_ms)) {
            drop(table, oldest);
            continue;
        }
        TAILQ_REMOVE(idle, oldest, link);
        oldest->idle_at_ms = now_ms;
        TAILQ_INSERT_TAIL(idle, oldest, link);
    }
}

struct client_table *client_table_new(size_t capacity, uint64_t seed)
{
    check(capacity > 0 && capacity <= UINT32_MAX / 2);
    struct client_table *table = mem_alloc(sizeof *table);
    size_t slot_count = 1;
    while (slot_count < capacity)
        slot_count *= 2;
    table->slots = mem_alloc_array(slot_count, sizeof *table->slots);
    table->entries = mem_alloc_array(capacity, sizeof *table->entries);
    table->slot_mask = slot_count - 1;
    table->capacity = capacity;
    table->seed = seed;
    for (size_t i = 0; i < RANK_COUNT; i++)
        TAILQ_INIT(&table->ranks[i]);
    return table;
}

void client_table_free(struct client_table *table)
{
    if (!table)
        return;
    free(table->slots);
    free(table->entries);
    free(table);
}

enum client_admission client_table_enter(struct client_table *table, const struct network_address *address,
                                         const struct client_limits *limits, int64_t now_ms,
                                         struct client_entry **entry)
{
    struct network_address key = key_of(address);
    uint32_t slot = slot_of(table, &key);
    *entry = NULL;
    expire_some(table, now_ms);
    struct client_entry *found = find(table, &key, slot);
    if (found && limits->connections && found->connection_count >= limits->connections)
        return CLIENT_REFUSED;
    if (found && limits->share && found->connection_count >= limits->share) {
        *entry = found;
        return CLIENT_OVER_SHARE;
    }
    if (!found)
        found = add(table, &key, slot, now_ms);
    if (!found) {
        table->untracked_count++;
        return CLIENT_UNTRACKED;
    }
    found->connection_count++;
    set_rank(table, found, rank_of(found->connection_count, limits->share == 0));
    *entry = found;
    return CLIENT_ADMITTED;
}

void client_table_leave(struct client_table *table, struct client_entry *entry, int64_t now_ms)
{
    if (!entry)
        return;
    check(entry->connection_count > 0);
    if (--entry->connection_count == 0)
        entry->idle_at_ms = now_ms;
    set_rank(table, entry, rank_of(entry->connection_count, entry->rank == RANK_EXEMPT));
    expire_some(table, now_ms);
}

struct client_entry *client_table_biggest(struct client_table *table)
{
    while (table->highest_rank >= RANK_FIRST && TAILQ_EMPTY(&table->ranks[table->highest_rank]))
        table->highest_rank--;
    return table->highest_rank >= RANK_FIRST ? TAILQ_FIRST(&table->ranks[table->highest_rank]) : NULL;
}

struct client_conns *client_entry_conns(struct client_entry *entry)
{
    return &entry->conns;
}

uint32_t client_entry_connection_count(const struct client_entry *entry)
{
    return entry->connection_count;
}

bool client_entry_take_request(struct client_entry *entry, const struct client_limits *limits, int64_t now_ms)
{
    if (!entry || !limits->requests_per_second)
        return true;
    if (token_bucket_count(&entry->requests, limits->requests_per_second, now_ms) == 0)
        return false;
    token_bucket_take(&entry->requests, 1);
    return true;
}

size_t client_entry_allowed_bytes(struct client_entry *entry, const struct client_limits *limits, size_t wanted,
                                  int64_t now_ms)
{
    if (!entry || !limits->body_bytes_per_second)
        return wanted;
    int64_t allowed = token_bucket_count(&entry->body_bytes, limits->body_bytes_per_second, now_ms);
    return (uint64_t)allowed < wanted ? (size_t)allowed : wanted;
}

void client_entry_take_bytes(struct client_entry *entry, const struct client_limits *limits, size_t bytes)
{
    if (entry && limits->body_bytes_per_second)
        token_bucket_take(&entry->body_bytes, (int64_t)bytes);
}

size_t client_table_count(const struct client_table *table)
{
    return table->count;
}

uint64_t client_table_untracked_count(const struct client_table *table)
{
    return table->untracked_count;
}

const char *client_admission_to_str(enum client_admission admission)
{
    static const char *const names[] = { "admitted", "untracked", "refused", "over share" };
    _Static_assert(sizeof names / sizeof *names == CLIENT_ADMISSION_COUNT, "a name for each");
    return (unsigned)admission < CLIENT_ADMISSION_COUNT ? names[admission] : "?";
}
