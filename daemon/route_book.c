#include "daemon/route_book.h"

#include "base/log.h"
#include "base/mem.h"
#include "discovery/task_registry.h"
#include "proxy/route_table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define KEY_SIZE (ROUTE_HOST_MAX + ROUTE_PATH_MAX + 2)

struct route {
    char key[KEY_SIZE]; /* "host path": a host has no space */
    char host[ROUTE_HOST_MAX + 1], path[ROUTE_PATH_MAX + 1];
    char service[TASK_NAME_SIZE];
    bool is_from_config;
    bool is_claimed;     /* some task asks for it now */
    bool is_contested;   /* a claim of another service was refused because of it */
    uint64_t idle_since; /* order in which routes lost their last claim */
    UT_hash_handle by_key;
};

struct route_book {
    struct route *routes; /* hash by key, in order of arrival */
    size_t claimed_count; /* not from the configuration */
    uint64_t idle_clock;
    size_t refused_count;
    char last_refusal[KEY_SIZE + TASK_NAME_SIZE]; /* not said again and again while one container flaps */
    bool has_changed;
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
static bool evict_idle(struct route_book *book)
{
    struct route *route, *next, *oldest = NULL;
    if (book->claimed_count < ROUTE_BOOK_CLAIMED_MAX)
        return true;
    HASH_ITER (by_key, book->routes, route, next) {
        if (!route->is_from_config && !route->is_claimed && (!oldest || route->idle_since < oldest->idle_since))
            oldest = route;
    }
    if (!oldest)
        return false;
    drop(book, oldest);
    return true;
}

static void refuse(struct route_book *book, const char *key, const char *by, const char *why)
{
    char refusal[sizeof book->last_refusal];
    book->refused_count++;
    snprintf(refusal, sizeof refusal, "%s %s", key, by);
    if (strcmp(refusal, book->last_refusal) == 0)
        return;
    snprintf(book->last_refusal, sizeof book->last_refusal, "%s", refusal);
    log_warn("route '%s' asked for by container '%s' is not given: %s", key, by, why);
}

static void refuse_held(struct route_book *book, struct route *holder, const char *by)
{
    char why[128];
    snprintf(why, sizeof why, "%s service '%s' has it",
             holder->is_from_config ? "in the configuration," : "for as long as its tasks run,", holder->service);
    holder->is_contested = true;
    refuse(book, holder->key, by, why);
}

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
    free(book);
}

void route_book_apply_config(struct route_book *book, const struct config *config)
{
    struct route *route, *next;
    HASH_ITER (by_key, book->routes, route, next) {
        if (route->is_from_config)
            drop(book, route);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        char key[KEY_SIZE], path[ROUTE_PATH_MAX + 1];
        struct error error;
        if (!make_key(key, path, service->host, service->path, &error)) {
            log_error("services[%zu]: no route: %s", i,
                      error.text); /* the configuration's own check lets none through */
            continue;
        }
        route = find(book, key);
        if (route)
            drop(book, route);
        route = add(book, key, service->host, path, service->name);
        route->is_from_config = true;
        book->claimed_count--;
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
}

void route_book_claim(struct route_book *book, const char *service, const char *host, const char *path, const char *by)
{
    char key[KEY_SIZE], canonical[ROUTE_PATH_MAX + 1];
    struct error error;
    if (!make_key(key, canonical, host, path, &error)) {
        refuse(book, host, by, error.text);
        return;
    }
    struct route *route = find(book, key);
    if (route && strcmp(route->service, service) == 0) {
        route->is_claimed = true;
        route->idle_since = 0;
        return;
    }
    if (route && (route->is_from_config || route->is_claimed)) {
        refuse_held(book, route, by);
        return;
    }
    if (route)
        drop(book, route);
    if (!evict_idle(book)) {
        refuse(book, key, by, "too many routes");
        return;
    }
    add(book, key, host, canonical, service)->is_claimed = true;
}

bool route_book_end(struct route_book *book, const char *service)
{
    struct route *route, *next;
    bool others_may_claim = false;
    HASH_ITER (by_key, book->routes, route, next) {
        if (route->is_from_config || route->is_claimed || strcmp(route->service, service) != 0)
            continue;
        route->idle_since = route->idle_since ? route->idle_since : ++book->idle_clock;
        others_may_claim |= route->is_contested;
        route->is_contested = false;
    }
    return others_may_claim;
}

bool route_book_take_changed(struct route_book *book)
{
    bool has_changed = book->has_changed;
    book->has_changed = false;
    return has_changed;
}

void route_book_each(const struct route_book *book, route_book_cb each, void *owner)
{
    for (const struct route *route = book->routes; route; route = route->by_key.next)
        each(owner, route->host, route->path, route->service);
}

size_t route_book_count(const struct route_book *book)
{
    return HASH_CNT(by_key, book->routes);
}

size_t route_book_refused_count(const struct route_book *book)
{
    return book->refused_count;
}
