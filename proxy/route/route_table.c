#include "proxy/route/route_table.h"

#include "base/mem.h"
#include "proxy/h1/target.h"

#include <stdlib.h>
#include <string.h>

/* One open-addressing table holds two kinds of keys, told apart by host_id:
 *   host_id 0: a host name (exact, or a suffix with its leading "*") -> its place in hosts[]
 *   host_id n: a path prefix of host n, never the empty one -> service slot
 * Most tables know one host, most hosts one path: what is not there is not looked for. */
struct route_key {
    uint64_t hash; /* 0: free cell */
    char *text;    /* owned; lower case when a host */
    uint32_t len;
    uint32_t host_id;
    uint32_t value;
};

struct route_host {
    uint32_t root;          /* service slot of "/"; UINT32_MAX: none */
    uint32_t longest_bytes; /* of its paths; 0: only "/" */
};

struct route_table {
    struct route_key *cells;
    size_t cell_count; /* a power of two, at least twice used */
    size_t used;
    size_t route_count;
    struct route_host *hosts; /* by host_id; [0] is not used */
    uint32_t last_host_id;
    uint32_t any_host_id; /* of "*"; 0: none */
    size_t exact_count, suffix_count;
};

#define HASH_FACTOR 0x9e3779b97f4a7c15ull

static inline uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * HASH_FACTOR;
    return hash ^ hash >> 32;
}

/* Nobody can add keys but the configuration, so that a fast hash will do. */
static uint64_t hash_piece(uint64_t hash, const char *at, size_t len)
{
    uint64_t word = 0;
    for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = hash_word(hash, word);
    }
    word = len;
    for (size_t i = 0; i < len; i++)
        word = word << 8 | (unsigned char)at[i];
    return hash_word(hash, word);
}

static uint64_t hash_start(uint32_t host_id)
{
    return hash_word(HASH_FACTOR, host_id);
}

/* 0 is kept for "free". */
static uint64_t hash_end(uint64_t hash)
{
    return hash ? hash : 1;
}

static uint64_t hash_host(struct slice name)
{
    return hash_end(hash_piece(hash_start(0), name.at, name.len));
}

/* Behind the segment that starts with the '/' at `at`. */
static size_t segment_end(struct slice path, size_t at)
{
    const char *next = memchr(path.at + at + 1, '/', path.len - at - 1);
    return next ? (size_t)(next - path.at) : path.len;
}

/* Segment by segment, so that match_path() has the hash of each prefix on its way. */
static uint64_t hash_path(uint32_t host_id, struct slice path)
{
    uint64_t hash = hash_start(host_id);
    for (size_t at = 0; at < path.len;) {
        size_t end = segment_end(path, at);
        hash = hash_piece(hash, path.at + at, end - at);
        at = end;
    }
    return hash_end(hash);
}

static const struct route_key *find(const struct route_table *table, uint64_t hash, uint32_t host_id, struct slice text)
{
    for (size_t i = hash & (table->cell_count - 1);; i = (i + 1) & (table->cell_count - 1)) {
        const struct route_key *key = &table->cells[i];
        if (key->hash == 0)
            return NULL;
        if (key->hash == hash && key->host_id == host_id && key->len == text.len &&
            memcmp(key->text, text.at, text.len) == 0)
            return key;
    }
}

static void place(struct route_table *table, struct route_key key)
{
    size_t i = key.hash & (table->cell_count - 1);
    while (table->cells[i].hash)
        i = (i + 1) & (table->cell_count - 1);
    table->cells[i] = key;
}

static void grow(struct route_table *table)
{
    struct route_key *old = table->cells;
    size_t old_count = table->cell_count;
    table->cell_count = old_count * 2;
    table->cells = mem_alloc_array(table->cell_count, sizeof *table->cells);
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].hash)
            place(table, old[i]);
    }
    free(old);
}

static void insert(struct route_table *table, uint64_t hash, uint32_t host_id, struct slice text, uint32_t value)
{
    if ((table->used + 1) * 2 > table->cell_count)
        grow(table);
    table->used++;
    place(table, (struct route_key){ .hash = hash,
                                     .text = mem_strndup(text.at, text.len),
                                     .len = (uint32_t)text.len,
                                     .host_id = host_id,
                                     .value = value });
}

struct route_table *route_table_new(void)
{
    struct route_table *table = mem_alloc(sizeof *table);
    table->cell_count = 16;
    table->cells = mem_alloc_array(table->cell_count, sizeof *table->cells);
    return table;
}

void route_table_free(struct route_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table->hosts);
    free(table);
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* Without a port: hosts are compared without it, so a route with one would never match. */
static bool is_ipv6_literal(const char *host, size_t len)
{
    return len > 2 && len <= ROUTE_HOST_MAX && host[0] == '[' && host[len - 1] == ']' &&
           strspn(host + 1, "0123456789abcdef:.") == len - 2;
}

static bool check_host(const char *host, struct error *error)
{
    const char *name = strncmp(host, "*.", 2) == 0 ? host + 2 : host;
    size_t len = strlen(host);
    if (strcmp(host, "*") == 0 || is_ipv6_literal(host, len))
        return true;
    if (len > ROUTE_HOST_MAX || *name == '\0' || host[len - 1] == '.')
        return error_set(error, "'%.80s' is not a host, allowed is a name, *.suffix or *", host);
    for (const char *c = name; *c; c++) {
        if (!is_host_char(*c))
            return error_set(error, "'%.80s' is not a host, allowed are lower-case letters, digits, '-' and '.'", host);
    }
    return true;
}

static bool check_path(const char *path, struct error *error)
{
    size_t len = strlen(path), segments = 0;
    for (const char *c = path; *c; c++) {
        segments += *c == '/';
        if (*c <= ' ' || *c == 0x7f || *c == '?' || *c == '#')
            return error_set(error, "'%.80s' is not a path, allowed is a prefix without space, '?' and '#'", path);
    }
    if (path[0] != '/' || len > ROUTE_PATH_MAX || segments > ROUTE_SEGMENTS_MAX)
        return error_set(error, "'%.80s' is not a path, allowed is '/' and up to %d bytes in %d segments", path,
                         ROUTE_PATH_MAX, ROUTE_SEGMENTS_MAX);
    return true;
}

#define NORMAL_PATH_MAX (3 * ROUTE_PATH_MAX)

/* "/api/" and "/api" are one prefix, "/" is the empty one. */
static struct slice canonical_path(const char *path, char out[NORMAL_PATH_MAX])
{
    struct slice s = { out, 0 };
    for (; *path; path++) {
        if (*path == '%')
            out[s.len++] = *path;
        else
            s.len += h1_path_put(*path, out + s.len);
    }
    while (s.len > 0 && s.at[s.len - 1] == '/')
        s.len--;
    return s;
}

static uint32_t add_host(struct route_table *table, struct slice name)
{
    uint32_t id = ++table->last_host_id;
    table->hosts = mem_grow_array(table->hosts, id + 1, sizeof *table->hosts);
    table->hosts[id] = (struct route_host){ .root = UINT32_MAX };
    insert(table, hash_host(name), 0, name, id);
    if (name.at[0] != '*')
        table->exact_count++;
    else if (name.len > 1)
        table->suffix_count++;
    else
        table->any_host_id = id;
    return id;
}

/* False: it is there already. */
static bool add_path(struct route_table *table, uint32_t host_id, struct slice path, uint32_t service_slot)
{
    struct route_host *host = &table->hosts[host_id];
    if (path.len == 0) {
        bool is_new = host->root == UINT32_MAX;
        host->root = is_new ? service_slot : host->root;
        return is_new;
    }
    uint64_t hash = hash_path(host_id, path);
    if (find(table, hash, host_id, path))
        return false;
    if (path.len > host->longest_bytes)
        host->longest_bytes = (uint32_t)path.len;
    insert(table, hash, host_id, path, service_slot);
    return true;
}

bool route_table_add(struct route_table *table, const char *host, const char *path, uint32_t service_slot,
                     struct error *error)
{
    if (!check_host(host, error) || !check_path(path, error))
        return false;
    if (table->route_count >= ROUTE_COUNT_MAX)
        return error_set(error, "too many routes, allowed are %d", ROUTE_COUNT_MAX);
    char normal_path[NORMAL_PATH_MAX];
    struct slice name = slice_of(host);
    const struct route_key *key = find(table, hash_host(name), 0, name);
    uint32_t host_id = key ? key->value : add_host(table, name);
    if (!add_path(table, host_id, canonical_path(path, normal_path), service_slot))
        return error_set(error, "host '%.80s' with path '%.80s' is there already, allowed is one route for each pair",
                         host, path);
    table->route_count++;
    return true;
}

size_t route_table_count(const struct route_table *table)
{
    return table->route_count;
}

/* The longest prefix of the path, on a segment boundary, that the host has a route for. */
static uint32_t match_path(const struct route_table *table, uint32_t host_id, struct slice path)
{
    const struct route_host *host = &table->hosts[host_id];
    struct {
        uint64_t hash;
        size_t len;
    } prefixes[ROUTE_SEGMENTS_MAX];
    size_t count = 0;
    uint64_t hash = hash_start(host_id);
    if (path.len == 0 || path.at[0] != '/')
        return host->root; /* the "*" of OPTIONS: it asks the host as a whole */
    for (size_t at = 0; at < path.len && count < ROUTE_SEGMENTS_MAX; count++) {
        size_t end = segment_end(path, at);
        if (end > host->longest_bytes)
            break;
        hash = hash_piece(hash, path.at + at, end - at);
        prefixes[count].hash = hash_end(hash);
        prefixes[count].len = at = end;
    }
    while (count-- > 0) {
        struct slice prefix = { path.at, prefixes[count].len };
        const struct route_key *key = find(table, prefixes[count].hash, host_id, prefix);
        if (key)
            return key->value;
    }
    return host->root;
}

static uint32_t match_host(const struct route_table *table, struct slice host, struct slice path)
{
    const struct route_key *key = find(table, hash_host(host), 0, host);
    return key ? match_path(table, key->value, path) : UINT32_MAX;
}

/* Lower case, without port and trailing dot. An IPv6 literal keeps its brackets. */
static struct slice canonical_host(struct slice host, char out[ROUTE_HOST_MAX + 1])
{
    size_t len = host.len;
    if (len > 0 && host.at[0] != '[') {
        const char *colon = memchr(host.at, ':', len);
        len = colon ? (size_t)(colon - host.at) : len;
    } else if (len > 0) {
        const char *bracket = memchr(host.at, ']', len);
        len = bracket ? (size_t)(bracket - host.at) + 1 : len;
    }
    if (len > 0 && host.at[len - 1] == '.')
        len--;
    if (len > ROUTE_HOST_MAX)
        return (struct slice){ out, 0 };
    for (size_t i = 0; i < len; i++) {
        char c = host.at[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    return (struct slice){ out, len };
}

static uint32_t match_named(const struct route_table *table, struct slice host, struct slice path)
{
    char text[ROUTE_HOST_MAX + 3];
    text[0] = '\0'; /* one byte before the name for the '*' of a suffix */
    struct slice name = canonical_host(host, text + 1);
    uint32_t service = name.len ? match_host(table, name, path) : UINT32_MAX;
    for (size_t dot = 0; table->suffix_count > 0 && service == UINT32_MAX && dot < name.len; dot++) {
        if (name.at[dot] != '.')
            continue;
        char *star = text + 1 + dot - 1, saved = *star;
        *star = '*';
        service = match_host(table, (struct slice){ star, name.len - dot + 1 }, path);
        *star = saved;
    }
    return service;
}

uint32_t route_table_match(const struct route_table *table, struct slice host, struct slice path)
{
    uint32_t service = UINT32_MAX;
    if (table->exact_count + table->suffix_count > 0)
        service = match_named(table, host, path);
    if (service == UINT32_MAX && table->any_host_id)
        service = match_path(table, table->any_host_id, path);
    return service;
}

/* What is behind the longest path that a route can have does not count. */
static struct slice decode_slashes(struct slice path, char out[NORMAL_PATH_MAX + 1])
{
    size_t len = 0;
    const char *end = path.at + path.len;
    for (const char *at = path.at; at < end && len <= NORMAL_PATH_MAX; len++) {
        bool is_slash = h1_is_encoded_slash(at, end);
        out[len] = is_slash ? '/' : *at;
        at += is_slash ? 3 : 1;
    }
    return (struct slice){ out, len };
}

uint32_t route_table_match_decoded(const struct route_table *table, struct slice host, struct slice path)
{
    char decoded[NORMAL_PATH_MAX + 1];
    return route_table_match(table, host, decode_slashes(path, decoded));
}
