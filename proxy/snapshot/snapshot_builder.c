#include "proxy/snapshot/snapshot_builder.h"

#include "base/check.h"
#include "base/mem.h"
#include "proxy/balance/shares.h"
#include "proxy/snapshot/snapshot_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct snapshot_builder {
    struct stats_region *stats; /* borrowed */
    struct endpoint_table *endpoints;
    uint32_t service_refs[STATS_SERVICES_MAX]; /* services of that slot in living snapshots, and workers that keep it */
    struct kept_rows *kept_endpoints, *kept_services;
    bool lacked_endpoint, lacked_service; /* a row of that kind could not be had */
    uint32_t worker_count;
};

struct snapshot_builder *snapshot_builder_new(struct stats_region *stats, uint32_t worker_count)
{
    struct snapshot_builder *builder = mem_alloc(sizeof *builder);
    builder->stats = stats;
    builder->worker_count = worker_count;
    builder->endpoints = endpoint_table_new(stats);
    builder->kept_endpoints = kept_rows_new(STATS_ENDPOINTS_MAX);
    builder->kept_services = kept_rows_new(STATS_SERVICES_MAX);
    return builder;
}

void snapshot_builder_free(struct snapshot_builder *builder)
{
    kept_rows_free(builder->kept_endpoints);
    kept_rows_free(builder->kept_services);
    endpoint_table_free(builder->endpoints);
    free(builder);
}

size_t snapshot_builder_endpoint_count(const struct snapshot_builder *builder)
{
    return endpoint_table_count(builder->endpoints);
}

static void release_service_row(struct snapshot_builder *builder, uint32_t slot)
{
    if (--builder->service_refs[slot] == 0)
        stats_release_service(builder->stats, slot);
}

void snapshot_keep_row(struct snapshot_builder *builder, struct snapshot_row row)
{
    if (row.endpoint) {
        endpoint_ref_again((struct endpoint *)row.endpoint);
        kept_rows_keep(builder->kept_endpoints, row.endpoint->slot);
    } else {
        builder->service_refs[row.service_slot]++;
        kept_rows_keep(builder->kept_services, row.service_slot);
    }
}

void snapshot_return_row(struct snapshot_builder *builder, struct snapshot_row row)
{
    if (row.endpoint) {
        kept_rows_return(builder->kept_endpoints, row.endpoint->slot);
        endpoint_unref(builder->endpoints, (struct endpoint *)row.endpoint);
    } else {
        kept_rows_return(builder->kept_services, row.service_slot);
        release_service_row(builder, row.service_slot);
    }
}

/* A change that brings more new ones at once than are left free is refused: for it, all that is kept makes room. */
bool snapshot_call_rows_in(struct snapshot_builder *builder, bool has_older, struct row_set *rows)
{
    size_t endpoints = builder->lacked_endpoint ? STATS_ENDPOINTS_MAX : LIMIT_ENDPOINT_ROWS_LEFT_FREE;
    size_t services = builder->lacked_service ? STATS_SERVICES_MAX : LIMIT_SERVICE_ROWS_LEFT_FREE;
    size_t free_endpoints = stats_free_endpoints(builder->stats), free_services = stats_free_services(builder->stats);
    *rows = (struct row_set){ 0 };
    builder->lacked_endpoint = builder->lacked_service = false;
    if (has_older)
        return false;
    return kept_rows_call_in(builder->kept_endpoints, free_endpoints, endpoints, rows->endpoints) +
               kept_rows_call_in(builder->kept_services, free_services, services, rows->services) >
           0;
}

static void service_unref(struct snapshot_builder *builder, struct snapshot_service *service)
{
    if (--service->refs > 0)
        return;
    for (size_t i = 0; i < service->endpoint_count; i++)
        endpoint_unref(builder->endpoints, (struct endpoint *)service->endpoints[i].endpoint);
    release_service_row(builder, service->slot);
    shares_free(service->shares);
    free(service);
}

static bool has_endpoint(const struct snapshot_service *service, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < service->endpoint_count; i++) {
        if (service->endpoints[i].endpoint == endpoint)
            return true;
    }
    return false;
}

static bool read_endpoint(struct snapshot_builder *builder, json_t *object, const char *path,
                          struct snapshot_service *service, struct error *error)
{
    static const char *const allowed[] = { "id", "address", "weight", NULL };
    int64_t weight = 1;
    struct error cause;
    if (!snapshot_check_keys(object, allowed, path, error) ||
        !snapshot_read_integer(object, "weight", path, 1, 1000, &weight, error))
        return false;
    const char *id = snapshot_read_text(object, "id", path, error);
    const char *address = id ? snapshot_read_text(object, "address", path, error) : NULL;
    if (!address)
        return false;
    struct endpoint *endpoint = endpoint_ref(builder->endpoints, id, address, &cause);
    if (!endpoint) {
        builder->lacked_endpoint |= stats_free_endpoints(builder->stats) == 0;
        return error_set(error, "%s.address: %s", path, cause.text);
    }
    if (has_endpoint(service, endpoint)) {
        endpoint_unref(builder->endpoints, endpoint);
        return error_set(error, "%s: the same id and address twice", path);
    }
    service->endpoints[service->endpoint_count++] =
        (struct endpoint_view){ .endpoint = endpoint, .slot = endpoint->slot, .weight = (uint32_t)weight };
    return true;
}

/* A new service with one ref, or null. */
static struct snapshot_service *read_service(struct snapshot_builder *builder, json_t *object, const char *path,
                                             struct error *error)
{
    static const char *const others[] = { "name", "endpoints", "proxyProtocol", NULL };
    enum proxy_protocol_version proxy_protocol;
    struct service_settings settings;
    if (!snapshot_read_service_settings(object, others, path, &settings, error) ||
        !snapshot_read_proxy_protocol(object, path, &proxy_protocol, error))
        return NULL;
    const char *name = snapshot_read_text(object, "name", path, error);
    json_t *list = json_object_get(object, "endpoints");
    if (!name || (list && !json_is_array(list)) || strlen(name) >= STATS_NAME_SIZE) {
        if (name)
            error_set(error, "%s: endpoints is not a list, or the name is longer than %d bytes", path,
                      STATS_NAME_SIZE - 1);
        return NULL;
    }
    uint32_t slot = stats_claim_service(builder->stats, name);
    if (slot == STATS_SLOT_NONE) {
        builder->lacked_service |= stats_free_services(builder->stats) == 0;
        error_set(error, "%s: too many services, allowed are %d", path, STATS_SERVICES_MAX);
        return NULL;
    }
    struct snapshot_service *service =
        mem_alloc(sizeof *service + json_array_size(list) * sizeof service->endpoints[0]);
    service->slot = slot;
    service->proxy_protocol = proxy_protocol;
    service->settings = settings;
    service->refs = 1;
    builder->service_refs[slot]++;
    snprintf(service->name, sizeof service->name, "%s", name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char endpoint_path[96];
        snprintf(endpoint_path, sizeof endpoint_path, "%s.endpoints[%zu]", path, i);
        if (!read_endpoint(builder, json_array_get(list, i), endpoint_path, service, error)) {
            service_unref(builder, service);
            return NULL;
        }
    }
    service->shares = shares_new(service->endpoints, service->endpoint_count);
    return service;
}

static bool settings_are_equal(const struct service_settings *a, const struct service_settings *b)
{
#define SETTING_OF_SERVICE(key, field, ...)                       \
    if (a->has_##field != b->has_##field || a->field != b->field) \
        return false;
#include "config/schema.def"
    return true;
}

static bool services_are_equal(const struct snapshot_service *a, const struct snapshot_service *b)
{
    if (a->endpoint_count != b->endpoint_count || a->proxy_protocol != b->proxy_protocol ||
        !settings_are_equal(&a->settings, &b->settings))
        return false;
    for (size_t i = 0; i < a->endpoint_count; i++) {
        if (a->endpoints[i].endpoint != b->endpoints[i].endpoint || a->endpoints[i].weight != b->endpoints[i].weight)
            return false;
    }
    return true;
}

/* Takes over the caller's ref. An equal one of the newest snapshot is used instead. */
static void put_service(struct snapshot_builder *builder, struct snapshot *snapshot, struct snapshot_service *service,
                        const struct snapshot *newest)
{
    struct snapshot_service *known = newest ? newest->services[service->slot] : NULL;
    if (known && services_are_equal(known, service)) {
        service_unref(builder, service);
        service = known;
        service->refs++;
    }
    if (snapshot->services[service->slot])
        service_unref(builder, snapshot->services[service->slot]);
    snapshot->services[service->slot] = service;
}

static bool read_services(struct snapshot_builder *builder, json_t *list, struct snapshot *snapshot,
                          const struct snapshot *newest, struct error *error)
{
    uint8_t seen[STATS_SERVICES_MAX] = { 0 };
    if (list && !json_is_array(list))
        return error_set(error, "services: not a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        char path[64];
        snprintf(path, sizeof path, "services[%zu]", i);
        struct snapshot_service *service = read_service(builder, json_array_get(list, i), path, error);
        if (!service)
            return false;
        if (seen[service->slot]++) {
            error_set(error, "%s.name: '%.60s' is there already", path, service->name);
            service_unref(builder, service);
            return false;
        }
        put_service(builder, snapshot, service, newest);
    }
    return true;
}

static struct snapshot_service *find_service(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < STATS_SERVICES_MAX; i++) {
        if (snapshot->services[i] && strcmp(snapshot->services[i]->name, name) == 0)
            return snapshot->services[i];
    }
    return NULL;
}

static bool read_route(struct snapshot_builder *builder, json_t *object, const char *path, struct snapshot *snapshot,
                       struct error *error)
{
    static const char *const allowed[] = { "host", "path", "service", NULL };
    struct error cause;
    if (!snapshot_check_keys(object, allowed, path, error))
        return false;
    const char *host = snapshot_read_text(object, "host", path, error);
    const char *prefix = host ? snapshot_read_text(object, "path", path, error) : NULL;
    const char *name = prefix ? snapshot_read_text(object, "service", path, error) : NULL;
    if (!name)
        return false;
    uint32_t slot = stats_find_service(builder->stats, name);
    if (slot == STATS_SLOT_NONE || !snapshot->services[slot])
        return error_set(error, "%s.service: '%.60s' is not a service of this document", path, name);
    if (!route_table_add(snapshot->routes->table, host, prefix, slot, &cause))
        return error_set(error, "%s: %s", path, cause.text);
    return true;
}

static bool read_routes(struct snapshot_builder *builder, json_t *list, struct snapshot *snapshot, struct error *error)
{
    snapshot->routes = mem_alloc(sizeof *snapshot->routes);
    snapshot->routes->refs = 1;
    snapshot->routes->table = route_table_new();
    if (list && !json_is_array(list))
        return error_set(error, "routes: not a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        char path[64];
        snprintf(path, sizeof path, "routes[%zu]", i);
        if (!read_route(builder, json_array_get(list, i), path, snapshot, error))
            return false;
    }
    return true;
}

static bool read_serial(json_t *object, struct snapshot *snapshot, struct error *error)
{
    int64_t serial = 0;
    if (!json_object_get(object, "serial"))
        return error_set(error, "serial: missing");
    if (!snapshot_read_integer(object, "serial", "document", 1, INT64_C(1) << 62, &serial, error))
        return false;
    snapshot->serial = (uint64_t)serial;
    return true;
}

static struct snapshot *snapshot_alloc(const struct snapshot_builder *builder)
{
    size_t size = sizeof(struct snapshot) + builder->worker_count * sizeof(struct snapshot_hold);
    struct snapshot *snapshot = mem_alloc(size);
    snapshot->services = mem_alloc_array(STATS_SERVICES_MAX, sizeof *snapshot->services);
    snapshot->hold_count = builder->worker_count;
    for (uint32_t w = 0; w < builder->worker_count; w++)
        snapshot->holds[w].snapshot = snapshot;
    return snapshot;
}

static void slot_list_add(struct slot_list *list, uint32_t slot)
{
    list->slots = mem_grow_array(list->slots, list->count + 1, sizeof *list->slots);
    list->slots[list->count++] = slot;
}

static void count_endpoints(const struct snapshot_service *service, int32_t change)
{
    for (size_t i = 0; service && i < service->endpoint_count; i++)
        ((struct endpoint *)service->endpoints[i].endpoint)->routes += (uint32_t)change;
}

/* Notes the service's endpoints that nothing routes to at this point of the count. Naming one twice is harmless. */
static void note_unrouted(const struct snapshot_service *service, struct slot_list *list)
{
    for (size_t i = 0; service && i < service->endpoint_count; i++) {
        if (service->endpoints[i].endpoint->routes == 0)
            slot_list_add(list, service->endpoints[i].slot);
    }
}

/* Which services and endpoints have left the rotation with this step and which have come (back). Costs only what changed. */
static void note_changes(struct snapshot *snapshot, const struct snapshot *newest)
{
    for (uint32_t i = 0; i < STATS_SERVICES_MAX; i++) {
        struct snapshot_service *old = newest ? newest->services[i] : NULL, *new = snapshot->services[i];
        if (!old != !new)
            slot_list_add(new ? &snapshot->services_back : &snapshot->services_gone, i);
        if (old != new) {
            count_endpoints(old, -1);
            note_unrouted(new, &snapshot->endpoints_back);
            count_endpoints(new, 1);
        }
    }
    for (size_t i = 0; newest && i < STATS_SERVICES_MAX; i++) {
        if (newest->services[i] != snapshot->services[i])
            note_unrouted(newest->services[i], &snapshot->endpoints_gone);
    }
}

struct snapshot *snapshot_build(struct snapshot_builder *builder, json_t *document, const struct snapshot *newest,
                                struct error *error)
{
    static const char *const allowed[] = { "version",   "serial",  "settings",  "services", "routes",
                                           "listeners", "workers", "accessLog", NULL };
    int64_t version = 0;
    struct snapshot *snapshot = snapshot_alloc(builder);
    bool ok = snapshot_check_keys(document, allowed, "document", error) &&
              snapshot_read_integer(document, "version", "document", 1, 1, &version, error) &&
              (version == 1 || error_set(error, "version: missing, allowed is 1")) &&
              read_serial(document, snapshot, error) &&
              snapshot_read_settings(json_object_get(document, "settings"), &snapshot->settings, error) &&
              read_services(builder, json_object_get(document, "services"), snapshot, newest, error) &&
              read_routes(builder, json_object_get(document, "routes"), snapshot, error);
    if (!ok) {
        snapshot_free(builder, snapshot);
        return NULL;
    }
    note_changes(snapshot, newest);
    return snapshot;
}

static bool remove_services(struct snapshot_builder *builder, json_t *names, struct snapshot *snapshot,
                            struct error *error)
{
    if (names && !json_is_array(names))
        return error_set(error, "removedServices: not a list");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        struct snapshot_service *service = name ? find_service(snapshot, name) : NULL;
        if (!service)
            return error_set(error, "removedServices[%zu]: not a service", i);
        snapshot->services[service->slot] = NULL;
        service_unref(builder, service);
    }
    return true;
}

/* Routes of a snapshot may only lead to services that it has. */
static bool share_routes(struct snapshot *snapshot, const struct snapshot *newest, json_t *removed, struct error *error)
{
    if (json_array_size(removed) > 0)
        return error_set(error, "routes: missing, needed when services are removed");
    snapshot->routes = newest->routes;
    snapshot->routes->refs++;
    return true;
}

struct snapshot *snapshot_build_patch(struct snapshot_builder *builder, json_t *patch, const struct snapshot *newest,
                                      struct error *error)
{
    static const char *const allowed[] = {
        "type", "serial", "settings", "services", "removedServices", "routes", NULL
    };
    if (!newest) {
        error_set(error, "patch: nothing to change yet, a snapshot must come first");
        return NULL;
    }
    struct snapshot *snapshot = snapshot_alloc(builder);
    snapshot->settings = newest->settings;
    memcpy(snapshot->services, newest->services, STATS_SERVICES_MAX * sizeof *snapshot->services);
    for (size_t i = 0; i < STATS_SERVICES_MAX; i++) {
        if (snapshot->services[i])
            snapshot->services[i]->refs++;
    }
    json_t *settings = json_object_get(patch, "settings"), *routes = json_object_get(patch, "routes");
    json_t *removed = json_object_get(patch, "removedServices");
    bool ok = snapshot_check_keys(patch, allowed, "patch", error) && read_serial(patch, snapshot, error) &&
              (!settings || snapshot_read_settings(settings, &snapshot->settings, error)) &&
              read_services(builder, json_object_get(patch, "services"), snapshot, newest, error) &&
              remove_services(builder, removed, snapshot, error) &&
              (routes ? read_routes(builder, routes, snapshot, error) : share_routes(snapshot, newest, removed, error));
    if (!ok) {
        snapshot_free(builder, snapshot);
        return NULL;
    }
    note_changes(snapshot, newest);
    return snapshot;
}

void snapshot_free(struct snapshot_builder *builder, struct snapshot *snapshot)
{
    for (size_t i = 0; i < STATS_SERVICES_MAX; i++) {
        if (snapshot->services[i])
            service_unref(builder, snapshot->services[i]);
    }
    if (snapshot->routes && --snapshot->routes->refs == 0) {
        route_table_free(snapshot->routes->table);
        free(snapshot->routes);
    }
    free(snapshot->services);
    free(snapshot->endpoints_gone.slots);
    free(snapshot->endpoints_back.slots);
    free(snapshot->services_gone.slots);
    free(snapshot->services_back.slots);
    free(snapshot);
}
