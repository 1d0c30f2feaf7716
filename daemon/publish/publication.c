#include "daemon/publish/publication.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/form.h"
#include "daemon/publish/rotation.h"
#include "daemon/publish/snapshot_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct published_service {
    char name[TASK_NAME_SIZE];
    bool is_routed;         /* some route leads to it: it belongs into the document */
    bool has_new_endpoints; /* its tasks, or what they want, have changed since `sent` */
    bool has_new_claims;    /* ... since the route book was told */
    bool is_mixed;          /* its tasks ask for different routes; told once */
    bool is_failing_open;   /* `sent` has tasks of last resort only */
    json_t *sent;           /* as in the newest frame; null: not in it */
    UT_hash_handle by_name;
};

struct publication {
    const struct task_registry *registry; /* borrowed */
    const char *bound_listeners;          /* borrowed */
    struct published_service *services;   /* hash by name */
    struct route_book *routes;
    struct rotation *rotation;
    json_t *settings;
    json_t *proxy_protocols; /* service -> word, of those that the configuration describes */
    json_t *settings_of;     /* service -> what the configuration says of it alone */
    size_t routed_count;
    bool may_fail_open;
    bool has_new_settings, has_new_routes;
    size_t left_out_count;         /* routes whose service is beyond the limit of services */
    char left_out[TASK_NAME_SIZE]; /* the first such service; "" when there is none */
    route_book_refusal_cb on_refusal;
    void *listener;
};

static struct published_service *find(const struct publication *p, const char *name)
{
    struct published_service *service;
    HASH_FIND(by_name, p->services, name, strlen(name), service);
    return service;
}

static struct published_service *find_or_add(struct publication *p, const char *name)
{
    struct published_service *service = find(p, name);
    if (service)
        return service;
    service = mem_alloc(sizeof *service);
    snprintf(service->name, sizeof service->name, "%s", name);
    HASH_ADD(by_name, p->services, name, strlen(service->name), service);
    return service;
}

static void drop(struct publication *p, struct published_service *service)
{
    HASH_DELETE(by_name, p->services, service); /* NOLINT(clang-analyzer-unix.Malloc): it does not follow uthash */
    json_decref(service->sent);
    free(service);
}

/* ---- routes ---- */

static void note_task(void *owner, const struct task *task)
{
    find_or_add(owner, task->spec.service)->has_new_claims = true;
}

struct claims {
    struct route_book *routes;
    bool has_tasks;
    const struct task *first, *other; /* two that ask for different routes; null until there are */
};

/* A stopped one asks too: providers keep those that will start again. */
static void claim_route(void *owner, const struct task *task)
{
    struct claims *claims = owner;
    const struct task_spec *spec = &task->spec;
    claims->has_tasks = true;
    if (!spec->host[0] && !spec->path[0])
        return;
    /* Either says that the task asks for a route; the other then means any. */
    const char *at = spec->host[0] ? spec->host : "*";
    char host[FORM_HOST_BYTES_MAX + 1];
    while (form_next_host(&at, host))
        route_book_claim(claims->routes, spec->service, host, spec->path[0] ? spec->path : "/", spec->name);
    if (!claims->first)
        claims->first = task;
    else if (strcmp(spec->host, claims->first->spec.host) != 0 || strcmp(spec->path, claims->first->spec.path) != 0)
        claims->other = task;
}

/* Requests for one of the routes reach the other's containers too: two that share a name by mistake, say. */
static void tell_of_mixed_claims(struct publication *p, struct published_service *service, const struct claims *claims)
{
    char text[400];
    bool was_mixed = service->is_mixed;
    service->is_mixed = claims->other != NULL;
    if (!service->is_mixed || was_mixed)
        return;
    const struct task_spec *a = &claims->first->spec, *b = &claims->other->spec;
    snprintf(text, sizeof text,
             "containers %.40s (%.40s%.20s) and %.40s (%.40s%.20s) ask for different routes, and each leads to both",
             a->name, a->host, a->path, b->name, b->host, b->path);
    log_warn("service %s: %s", service->name, text);
    if (p->on_refusal)
        p->on_refusal(p->listener, service->name, text);
}

/* True: what another service asked for in vain could be granted now. */
static bool make_claims(struct publication *p)
{
    struct published_service *service, *next;
    bool others_may_claim = false;
    HASH_ITER (by_name, p->services, service, next) {
        if (!service->has_new_claims)
            continue;
        service->has_new_claims = false;
        if (!snapshot_is_service_name(service->name))
            continue;
        struct claims claims = { .routes = p->routes };
        route_book_begin(p->routes, service->name);
        task_registry_each_of(p->registry, service->name, claim_route, &claims);
        others_may_claim |= route_book_end(p->routes, service->name, claims.has_tasks);
        tell_of_mixed_claims(p, service, &claims);
    }
    return others_may_claim;
}

static void mark_routed(void *owner, const char *host, const char *path, const char *name)
{
    (void)host;
    (void)path;
    struct publication *p = owner;
    struct published_service *service = find_or_add(p, name);
    if (service->is_routed)
        return;
    if (p->routed_count < SNAPSHOT_SERVICES_MAX) {
        service->is_routed = true;
        p->routed_count++;
        return;
    }
    if (p->left_out_count++ == 0)
        snprintf(p->left_out, sizeof p->left_out, "%s", name);
}

static void mark_routed_anew(struct publication *p)
{
    struct published_service *service, *next;
    HASH_ITER (by_name, p->services, service, next)
        service->is_routed = false;
    p->routed_count = p->left_out_count = 0;
    p->left_out[0] = '\0';
    route_book_each(p->routes, mark_routed, p);
}

static void mark_all_routed(struct publication *p)
{
    char before[TASK_NAME_SIZE], text[320];
    memcpy(before, p->left_out, sizeof before);
    mark_routed_anew(p);
    if (p->left_out_count > 0) { /* those without a container make room for those with one */
        route_book_drop_idle(p->routes);
        mark_routed_anew(p);
    }
    if (strcmp(before, p->left_out) == 0)
        return;
    if (p->left_out_count == 0) {
        log_info("all services with a route are published again");
        return;
    }
    snprintf(text, sizeof text,
             "more than %d services have routes, which is the limit: '%s' and %zu more routes are left out",
             SNAPSHOT_SERVICES_MAX, p->left_out, p->left_out_count - 1);
    log_error("%s", text);
    if (p->on_refusal)
        p->on_refusal(p->listener, p->left_out, text);
}

/* Nothing leads to them and the data plane does not know them: tasks without a route. */
static void forget_unrouted(struct publication *p)
{
    struct published_service *service, *next;
    HASH_ITER (by_name, p->services, service, next) {
        if (!service->is_routed && !service->sent)
            drop(p, service);
    }
}

static bool is_routed(void *owner, const char *name)
{
    const struct published_service *service = find(owner, name);
    return service && service->is_routed;
}

/* ---- frames ---- */

/* sent: as in struct published_service. */
static void enter_all(struct publication *p, const json_t *sent)
{
    const json_t *endpoints = json_object_get(sent, "endpoints");
    for (size_t i = 0; i < json_array_size(endpoints); i++)
        rotation_enter(p->rotation, json_string_value(json_object_get(json_array_get(endpoints, i), "id")));
}

static void leave_all(struct publication *p, const json_t *sent, uint64_t serial)
{
    const json_t *endpoints = json_object_get(sent, "endpoints");
    for (size_t i = 0; i < json_array_size(endpoints); i++)
        rotation_leave(p->rotation, json_string_value(json_object_get(json_array_get(endpoints, i), "id")), serial);
}

/* From now on `sent` (taken over; null: not in the document) counts as sent. Enter before leave: who is in both stays. */
static void set_sent(struct publication *p, struct published_service *service, json_t *sent, uint64_t serial)
{
    json_t *before = service->sent;
    enter_all(p, sent);
    leave_all(p, before, serial);
    json_decref(before);
    service->sent = sent;
    service->has_new_endpoints = false;
}

static void set_failing_open(struct published_service *service, bool on, const json_t *current)
{
    if (service->is_failing_open == on)
        return;
    service->is_failing_open = on;
    if (on)
        log_warn("service '%s': no task is healthy, requests go to the %zu that were (proxy.failOpen)", service->name,
                 json_array_size(json_object_get(current, "endpoints")));
    else
        log_info("service '%s': requests go to healthy tasks only again", service->name);
}

/* Has the service anything that the data plane does not know? */
static bool update_sent(struct publication *p, struct published_service *service, uint64_t serial)
{
    if (service->sent && !service->has_new_endpoints)
        return false;
    struct snapshot_service_rules rules = { .proxy_protocol =
                                                json_string_value(json_object_get(p->proxy_protocols, service->name)),
                                            .may_fail_open = p->may_fail_open };
    bool is_failing_open;
    json_t *current = snapshot_write_service(p->registry, service->name, &rules, &is_failing_open);
    set_failing_open(service, is_failing_open, current);
    json_t *settings = json_object_get(p->settings_of, service->name);
    if (settings)
        json_object_update(current, settings);
    bool is_new = !service->sent || !json_equal(service->sent, current);
    if (is_new)
        set_sent(p, service, current, serial);
    else
        json_decref(current);
    service->has_new_endpoints = false;
    return is_new;
}

/* Returns the names that leave the document. */
static json_t *remove_unrouted(struct publication *p, uint64_t serial)
{
    struct published_service *service, *next;
    json_t *removed = json_array();
    HASH_ITER (by_name, p->services, service, next) {
        if (service->is_routed)
            continue;
        json_array_append_new(removed, json_string(service->name));
        set_sent(p, service, NULL, serial);
        drop(p, service);
    }
    return removed;
}

static void put(json_t *object, const char *key, json_t *value)
{
    check(value != NULL && json_object_set_new(object, key, value) == 0);
}

static void put_unless_empty(json_t *object, const char *key, json_t *list)
{
    if (json_array_size(list) > 0)
        put(object, key, list);
    else
        json_decref(list);
}

/* Their tasks carry no labels of it. */
static void note_service_settings(struct publication *p, const struct config *config)
{
    struct published_service *service, *next;
    json_object_clear(p->proxy_protocols);
    json_object_clear(p->settings_of);
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *one = &config->services[i];
        put(p->proxy_protocols, one->name, json_string(one->proxy_protocol));
        put(p->settings_of, one->name, snapshot_write_service_settings(one));
    }
    HASH_ITER (by_name, p->services, service, next)
        service->has_new_endpoints = true;
}

struct publication *publication_new(const struct task_registry *registry, const char *bound_listeners)
{
    struct publication *p = mem_alloc(sizeof *p);
    p->registry = registry;
    p->bound_listeners = bound_listeners;
    p->routes = route_book_new();
    p->rotation = rotation_new();
    p->settings = json_object();
    p->proxy_protocols = json_object();
    p->settings_of = json_object();
    return p;
}

void publication_free(struct publication *p)
{
    struct published_service *service, *next;
    if (!p)
        return;
    HASH_ITER (by_name, p->services, service, next) {
        drop(p, service);
    }
    route_book_free(p->routes);
    rotation_free(p->rotation);
    json_decref(p->settings);
    json_decref(p->proxy_protocols);
    json_decref(p->settings_of);
    free(p);
}

void publication_set_listener(struct publication *p, route_book_refusal_cb on_refusal, void *owner)
{
    p->on_refusal = on_refusal;
    p->listener = owner;
    route_book_set_listener(p->routes, on_refusal, owner);
}

void publication_apply_config(struct publication *p, const struct config *config)
{
    json_t *settings = snapshot_write_settings(config, p->bound_listeners);
    p->has_new_settings |= !json_equal(settings, p->settings);
    json_decref(p->settings);
    p->settings = settings;
    p->may_fail_open = config->proxy.fails_open;
    note_service_settings(p, config);
    route_book_apply_config(p->routes, config);
    task_registry_each(p->registry, note_task, p);
}

void publication_note_service(struct publication *p, const char *name)
{
    struct published_service *service = find_or_add(p, name);
    service->has_new_endpoints = true;
    service->has_new_claims = true;
}

void publication_refresh(struct publication *p)
{
    while (make_claims(p))
        task_registry_each(p->registry, note_task, p);
    bool has_changed = route_book_take_changed(p->routes);
    if (has_changed || p->left_out_count > 0) {
        mark_all_routed(p);
        has_changed |= route_book_take_changed(p->routes); /* it made room */
    }
    p->has_new_routes |= has_changed;
    forget_unrouted(p);
}

int64_t publication_age(struct publication *p, int64_t now_ms)
{
    int64_t next_ms = route_book_age(p->routes, now_ms);
    publication_refresh(p);
    return next_ms;
}

json_t *publication_write_patch(struct publication *p, uint64_t serial)
{
    struct published_service *service, *next;
    json_t *frame = json_object(), *services = json_array();
    publication_refresh(p);
    HASH_ITER (by_name, p->services, service, next) {
        if (service->is_routed && update_sent(p, service, serial))
            json_array_append(services, service->sent);
    }
    put_unless_empty(frame, "services", services);
    put_unless_empty(frame, "removedServices", remove_unrouted(p, serial));
    if (p->has_new_settings)
        put(frame, "settings", json_incref(p->settings));
    if (p->has_new_routes)
        put(frame, "routes", snapshot_write_routes(p->routes, is_routed, p));
    p->has_new_settings = p->has_new_routes = false;
    if (json_object_size(frame) == 0) {
        json_decref(frame);
        return NULL;
    }
    put(frame, "type", json_string("patch"));
    put(frame, "serial", json_integer((json_int_t)serial));
    return frame;
}

json_t *publication_write_snapshot(struct publication *p, uint64_t serial)
{
    struct published_service *service, *next;
    json_t *document = json_object(), *services = json_array();
    publication_refresh(p);
    json_decref(remove_unrouted(p, serial));
    HASH_ITER (by_name, p->services, service, next) {
        update_sent(p, service, serial);
        json_array_append(services, service->sent);
    }
    put(document, "version", json_integer(1));
    put(document, "serial", json_integer((json_int_t)serial));
    put(document, "settings", json_incref(p->settings));
    put(document, "services", services);
    put(document, "routes", snapshot_write_routes(p->routes, is_routed, p));
    p->has_new_settings = p->has_new_routes = false;
    json_t *frame = json_object();
    put(frame, "type", json_string("snapshot"));
    put(frame, "document", document);
    return frame;
}

void publication_acknowledge(struct publication *p, uint64_t serial)
{
    rotation_acknowledge(p->rotation, serial);
}

void publication_forget_sent(struct publication *p)
{
    struct published_service *service, *next;
    rotation_clear(p->rotation);
    HASH_ITER (by_name, p->services, service, next) {
        json_decref(service->sent);
        service->sent = NULL;
    }
}

bool publication_is_out_of_rotation(const struct publication *p, const char *id)
{
    return rotation_is_out(p->rotation, id);
}

struct look {
    size_t routable_count, unprobed_count;
};

static void look_at_task(void *owner, const struct task *task)
{
    struct look *look = owner;
    look->routable_count += task_is_routable(task);
    look->unprobed_count += task_awaits_probe(task);
}

void publication_look_out(const struct publication *p, struct publication_outlook *out)
{
    *out = (struct publication_outlook){ .served_count = 0 };
    for (const struct published_service *service = p->services; service; service = service->by_name.next) {
        struct look look = { .routable_count = 0 };
        task_registry_each_of(p->registry, service->name, look_at_task, &look);
        out->served_count += look.routable_count > 0;
        out->unanswered_count += look.routable_count == 0 && look.unprobed_count > 0;
        out->unprobed_count += look.unprobed_count;
    }
}

void publication_each_route(struct publication *p, route_book_cb each, void *owner)
{
    publication_refresh(p);
    route_book_each(p->routes, each, owner);
}

static size_t count_failing_open(const struct publication *p)
{
    size_t count = 0;
    for (const struct published_service *service = p->services; service; service = service->by_name.next)
        count += service->is_failing_open;
    return count;
}

void publication_status(const struct publication *p, struct publication_status *out)
{
    *out = (struct publication_status){ .service_count = p->routed_count,
                                        .route_count = route_book_count(p->routes),
                                        .endpoint_count = rotation_count(p->rotation),
                                        .failing_open_count = count_failing_open(p),
                                        .left_out_count = p->left_out_count };
    snprintf(out->left_out, sizeof out->left_out, "%s", p->left_out);
    route_book_refusals(p->routes, &out->refusals);
}
