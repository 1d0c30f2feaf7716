#include "daemon/publish/route_book.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/form.h"
#include "daemon/publish/configured_hosts.h"
#include "discovery/task_registry.h"
#include "proxy/route/route_table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define KEY_SIZE (ROUTE_HOST_MAX + ROUTE_PATH_MAX + 2)
#define REFUSAL_KEY_SIZE (TASK_NAME_SIZE + KEY_SIZE)
#define REFUSAL_TEXT_SIZE 512

struct route {
    char key[KEY_SIZE]; /* "host path": a host has no space */
    char host[ROUTE_HOST_MAX + 1], path[ROUTE_PATH_MAX + 1];
    char service[TASK_NAME_SIZE];
    bool is_from_config;
    bool is_claimed;   /* some task asks for it now; else it is idle */
    bool is_contested; /* a claim of another service was refused because of it */
    bool is_aging;     /* idle since idle_since_ms */
    int64_t idle_since_ms;
    UT_hash_handle by_key;
};

/* One line for each service and route, however many tasks ask and however often they change. */
struct refusal {
    char key[REFUSAL_KEY_SIZE]; /* "service host path" */
    char service[TASK_NAME_SIZE];
    char text[REFUSAL_TEXT_SIZE];
    bool is_current; /* made again since the service's claims began */
    UT_hash_handle by_key;
};

struct route_book {
    struct route *routes;     /* hash by key, in order of arrival */
    struct refusal *refusals; /* hash by key, in order of arrival */
    size_t claimed_count;     /* routes that are not from the configuration */
    size_t refused_count;
    bool has_changed;
    struct configured_hosts *hosts; /* owned; null before the first configuration */
    route_book_refusal_cb on_refusal;
    void *listener;
};

/* "/api/" and "/api" are one prefix. */
static void canonical_path(char *out, size_t size, const char *path)
{
    snprintf(out, size, "%s", *path ? path : "/");
    size_t len = strlen(out);
    while (len > 1 && out[len - 1] == '/')
        out[--len] = '\0';
}

/* By the data plane's own rules. */
static bool is_acceptable(const char *host, const char *path, struct error *error)
{
    struct route_table *scratch = route_table_new();
    bool ok = route_table_add(scratch, host, path, 0, error);
    route_table_free(scratch);
    return ok;
}

static bool make_key(char out[KEY_SIZE], char path[ROUTE_PATH_MAX + 1], const char *host, const char *wanted_path,
                     struct error *error)
{
    if (!is_acceptable(host, *wanted_path ? wanted_path : "/", error))
        return false;
    canonical_path(path, ROUTE_PATH_MAX + 1, wanted_path);
    snprintf(out, KEY_SIZE, "%s %s", host, path);
    return true;
}

static struct route *find(const struct route_book *book, const char *key)
{
    struct route *route;
    HASH_FIND(by_key, book->routes, key, strlen(key), route);
    return route;
}

static void drop(struct route_book *book, struct route *route)
{
    HASH_DELETE(by_key, book->routes, route);
    book->claimed_count -= !route->is_from_config;
    book->has_changed = true;
    free(route);
}

static struct route *add(struct route_book *book, const char *key, const char *host, const char *path,
                         const char *service)
{
    struct route *route = mem_alloc(sizeof *route);
    snprintf(route->key, sizeof route->key, "%s", key);
    snprintf(route->host, sizeof route->host, "%s", host);
    snprintf(route->path, sizeof route->path, "%s", path);
    snprintf(route->service, sizeof route->service, "%s", service);
    HASH_ADD(by_key, book->routes, key, strlen(route->key), route);
    book->claimed_count++;
    book->has_changed = true;
    return route;
}

/* Makes room for one more claimed route. False: every one has a living task. */
static bool make_room(struct route_book *book)
{
    if (book->claimed_count >= ROUTE_BOOK_CLAIMED_MAX)
        route_book_drop_idle(book);
    return book->claimed_count < ROUTE_BOOK_CLAIMED_MAX;
}

/* ---- refusals ---- */

static void drop_refusal(struct route_book *book, struct refusal *refusal)
{
    HASH_DELETE(by_key, book->refusals, refusal); /* NOLINT(clang-analyzer-unix.Malloc): it does not follow uthash */
    free(refusal);
}

/* route: "host/path" as far as they are known. */
static void refuse(struct route_book *book, const char *service, const char *host, const char *path, const char *by,
                   const char *why)
{
    struct refusal *refusal;
    char key[REFUSAL_KEY_SIZE];
    snprintf(key, sizeof key, "%s %s %s", service, host, path);
    HASH_FIND(by_key, book->refusals, key, strlen(key), refusal);
    if (refusal) {
        refusal->is_current = true;
        return;
    }
    book->refused_count++;
    if (HASH_CNT(by_key, book->refusals) >= ROUTE_BOOK_REFUSALS_MAX)
        return;
    refusal = mem_alloc(sizeof *refusal);
    snprintf(refusal->key, sizeof refusal->key, "%s", key);
    snprintf(refusal->service, sizeof refusal->service, "%s", service);
    snprintf(refusal->text, sizeof refusal->text, "route %.80s%.60s, asked for by container '%s', is not given: %s",
             host, path, by, why);
    refusal->is_current = true;
    HASH_ADD(by_key, book->refusals, key, strlen(refusal->key), refusal);
    log_warn("%s", refusal->text);
    if (book->on_refusal)
        book->on_refusal(book->listener, service, refusal->text);
}

static void refuse_held(struct route_book *book, struct route *holder, const char *service, const char *by)
{
    char why[TASK_NAME_SIZE + 80];
    snprintf(why, sizeof why, "%s service '%s' has it",
             holder->is_from_config ? "in the configuration," : "for as long as its containers ask for it,",
             holder->service);
    holder->is_contested = true;
    refuse(book, service, holder->host, holder->path, by, why);
}

static void refuse_kept(struct route_book *book, const char *keeper, const char *service, const char *host,
                        const char *path, const char *by)
{
    char why[192];
    snprintf(why, sizeof why,
             "the configuration routes this host to service '%s', which does not allow it (allowTaskRoutes)", keeper);
    refuse(book, service, host, path, by, why);
}

static void begin_refusals(struct route_book *book, const char *service)
{
    struct refusal *refusal, *next;
    HASH_ITER (by_key, book->refusals, refusal, next)
        refusal->is_current &= strcmp(refusal->service, service) != 0;
}

static void end_refusals(struct route_book *book)
{
    struct refusal *refusal, *next;
    HASH_ITER (by_key, book->refusals, refusal, next) {
        if (!refusal->is_current)
            drop_refusal(book, refusal);
    }
}

/* ---- public ---- */

struct route_book *route_book_new(void)
{
    return mem_alloc(sizeof(struct route_book));
}

void route_book_free(struct route_book *book)
{
    struct route *route, *next;
    if (!book)
        return;
    HASH_ITER (by_key, book->routes, route, next) {
        drop(book, route);
    }
    while (book->refusals)
        drop_refusal(book, book->refusals);
    configured_hosts_free(book->hosts);
    free(book);
}

void route_book_set_listener(struct route_book *book, route_book_refusal_cb on_refusal, void *owner)
{
    book->on_refusal = on_refusal;
    book->listener = owner;
}

static void add_from_config(struct route_book *book, const struct config_service *service, const char *host)
{
    char key[KEY_SIZE], path[ROUTE_PATH_MAX + 1];
    struct error error;
    if (!make_key(key, path, host, service->path, &error)) {
        log_error("service %s: no route: %s", service->name, error.text); /* its own check lets none through */
        return;
    }
    struct route *route = find(book, key);
    if (route)
        drop(book, route);
    route = add(book, key, host, path, service->name);
    route->is_from_config = true;
    book->claimed_count--;
}

void route_book_apply_config(struct route_book *book, const struct config *config)
{
    struct route *route, *next;
    configured_hosts_free(book->hosts);
    book->hosts = configured_hosts_new(config);
    HASH_ITER (by_key, book->routes, route, next) {
        if (route->is_from_config || configured_hosts_find_keeper(book->hosts, route->host, route->service))
            drop(book, route);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        const char *at = config->services[i].host;
        char host[FORM_HOST_BYTES_MAX + 1];
        while (form_next_host(&at, host))
            add_from_config(book, &config->services[i], host);
    }
    book->has_changed = true;
}

void route_book_begin(struct route_book *book, const char *service)
{
    struct route *route, *next;
    HASH_ITER (by_key, book->routes, route, next) {
        if (!route->is_from_config && strcmp(route->service, service) == 0)
            route->is_claimed = false;
    }
    begin_refusals(book, service);
}

void route_book_claim(struct route_book *book, const char *service, const char *host, const char *path, const char *by)
{
    char key[KEY_SIZE], canonical[ROUTE_PATH_MAX + 1];
    struct error error;
    if (!make_key(key, canonical, host, path, &error)) {
        refuse(book, service, host, path, by, error.text);
        return;
    }
    struct route *route = find(book, key);
    if (route && strcmp(route->service, service) == 0) {
        route->is_claimed = true;
        route->is_aging = false;
        return;
    }
    if (route && (route->is_from_config || route->is_claimed)) {
        refuse_held(book, route, service, by);
        return;
    }
    const char *keeper = configured_hosts_find_keeper(book->hosts, host, service);
    if (keeper) {
        refuse_kept(book, keeper, service, host, canonical, by);
        return;
    }
    if (route)
        drop(book, route);
    if (!make_room(book)) {
        refuse(book, service, host, canonical, by, "containers ask for 4,096 routes already, which is the limit");
        return;
    }
    add(book, key, host, canonical, service)->is_claimed = true;
}

bool route_book_end(struct route_book *book, const char *service, bool has_tasks)
{
    struct route *route, *next;
    bool others_may_claim = false;
    HASH_ITER (by_key, book->routes, route, next) {
        if (route->is_from_config || route->is_claimed || strcmp(route->service, service) != 0)
            continue;
        others_may_claim |= route->is_contested;
        route->is_contested = false;
        if (has_tasks)
            drop(book, route);
    }
    end_refusals(book);
    return others_may_claim;
}

static bool is_idle(const struct route *route)
{
    return !route->is_from_config && !route->is_claimed;
}

int64_t route_book_age(struct route_book *book, int64_t now_ms)
{
    struct route *route, *next;
    int64_t next_ms = -1;
    HASH_ITER (by_key, book->routes, route, next) {
        if (!is_idle(route))
            continue;
        if (!route->is_aging)
            route->idle_since_ms = now_ms;
        route->is_aging = true;
        int64_t left_ms = route->idle_since_ms + ROUTE_BOOK_IDLE_MS - now_ms;
        if (left_ms <= 0)
            drop(book, route);
        else if (next_ms < 0 || left_ms < next_ms)
            next_ms = left_ms;
    }
    return next_ms;
}

void route_book_drop_idle(struct route_book *book)
{
    struct route *route, *next;
    HASH_ITER (by_key, book->routes, route, next) {
        if (is_idle(route))
            drop(book, route);
    }
}

bool route_book_take_changed(struct route_book *book)
{
    bool has_changed = book->has_changed;
    book->has_changed = false;
    return has_changed;
}

void route_book_each(const struct route_book *book, route_book_cb each, void *owner)
{
    for (int from_config = 1; from_config >= 0; from_config--) {
        for (const struct route *route = book->routes; route; route = route->by_key.next) {
            if (route->is_from_config == from_config)
                each(owner, route->host, route->path, route->service);
        }
    }
}

size_t route_book_count(const struct route_book *book)
{
    return HASH_CNT(by_key, book->routes);
}

void route_book_refusals(const struct route_book *book, struct route_book_refusals *out)
{
    *out = (struct route_book_refusals){ .total_count = book->refused_count,
                                         .current_count = HASH_CNT(by_key, book->refusals),
                                         .example = book->refusals ? book->refusals->text : "" };
}
