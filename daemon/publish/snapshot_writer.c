#include "daemon/publish/snapshot_writer.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slice.h"
#include "config/choices.h"
#include "config/fields.h"
#include "config/value.h"
#include "proxy/snapshot/endpoint.h"
#include "proxy/snapshot/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NO_PROXY_PROTOCOL "off"

static_assert(CONFIG_TRUSTED_PROXIES_MAX == SETTINGS_TRUSTED_PROXIES_MAX &&
                  CONFIG_LISTENERS_MAX == SETTINGS_LISTENERS_MAX,
              "the data plane takes what the configuration may say");

/* Null text would lose the member without a word. */
static void set_text(json_t *object, const char *key, const char *text)
{
    check(json_object_set_new(object, key, json_string(text)) == 0);
}

static void set_integer(json_t *object, const char *key, int64_t value)
{
    check(json_object_set_new(object, key, json_integer(value)) == 0);
}

static json_t *write_value(const struct schema_row *row, const void *field)
{
    switch (row->type) {
    case SCHEMA_TYPE_INTEGER:
    case SCHEMA_TYPE_DURATION:
    case SCHEMA_TYPE_SIZE:
        return json_integer(*(const int64_t *)field);
    case SCHEMA_TYPE_BOOLEAN:
        return json_boolean(*(const bool *)field);
    default:
        return json_string(*(char *const *)field);
    }
}

/* What the data plane gets of a section. */
static void add_settings(json_t *out, enum schema_section section, const void *fields)
{
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        const void *field = fields_at(row, fields);
        if (row->sent_as && !value_is_unset(row, field))
            check(json_object_set_new(out, row->sent_as, write_value(row, field)) == 0);
    }
}

static json_t *write_settings(enum schema_section section, const void *fields)
{
    json_t *out = json_object();
    add_settings(out, section, fields);
    return out;
}

/* Whether it expects a PROXY header is what its socket was bound for, not what the configuration says now. */
static json_t *write_listener(const struct config_listener *listener, bool proxy_protocol)
{
    json_t *out = json_object();
    json_object_set_new(out, "proxyProtocol", json_boolean(proxy_protocol));
    add_settings(out, SCHEMA_SECTION_LISTENER, listener);
    return out;
}

/* What the configuration says now of the listener of this name; `otherwise` when it is no longer there. */
static const struct config_listener *find_listener(const struct config *config, struct slice name,
                                                   const struct config_listener *otherwise)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        if (slice_equals(slice_of(config->listeners[i].name), name))
            return &config->listeners[i];
    }
    return otherwise;
}

static json_t *write_listeners(const struct config *config, const char *bound)
{
    json_t *out = json_array();
    struct config_listener defaults = { .name = NULL };
    fields_set_defaults(SCHEMA_SECTION_LISTENER, &defaults);
    for (const char *at = bound; *at; at += *at == ',') {
        struct slice name = { at, strcspn(at, ",+") };
        size_t len = strcspn(at, ",");
        json_array_append_new(out, write_listener(find_listener(config, name, &defaults), len > name.len));
        at += len;
    }
    fields_free(SCHEMA_SECTION_LISTENER, &defaults);
    return out;
}

static json_t *write_trusted_proxies(const struct config_proxy *proxy)
{
    json_t *out = json_array();
    for (size_t i = 0; i < proxy->trusted_proxy_count; i++)
        json_array_append_new(out, json_string(proxy->trusted_proxies[i]));
    return out;
}

static bool is_printable(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return false;
    }
    return true;
}

struct endpoint_list {
    const struct task **tasks; /* borrowed from the registry */
    size_t count;
};

static void collect(struct endpoint_list *list, const struct task *task)
{
    union endpoint_address address;
    socklen_t len;
    if (!task->spec.id[0] || strlen(task->spec.id) > ENDPOINT_ID_MAX || !is_printable(task->spec.id) ||
        !endpoint_parse_address(task->spec.address, &address, &len)) {
        log_warn("task '%s' of service '%s' is left out: '%s' is no address to send to", task->spec.id,
                 task->spec.service, task->spec.address);
        return;
    }
    list->tasks = mem_grow_array(list->tasks, list->count + 1, sizeof *list->tasks);
    list->tasks[list->count++] = task;
}

static void collect_routable(void *owner, const struct task *task)
{
    if (task_is_routable(task))
        collect(owner, task);
}

static void collect_last_resort(void *owner, const struct task *task)
{
    if (task_is_last_resort(task))
        collect(owner, task);
}

static int compare_ids(const void *a, const void *b)
{
    const struct task *const *left = a, *const *right = b;
    return strcmp((*left)->spec.id, (*right)->spec.id);
}

static const char *proxy_protocol_of(const struct task *task)
{
    return task->spec.proxy_protocol[0] ? task->spec.proxy_protocol : NO_PROXY_PROTOCOL;
}

/* The word that most tasks say. */
static const char *choose_proxy_protocol(const struct endpoint_list *list)
{
    size_t count, most = 0;
    const char *const *words = choices_of(CHOICES_PROXY_PROTOCOL, &count), *chosen = NO_PROXY_PROTOCOL;
    for (size_t i = 0; i < count; i++) {
        size_t votes = 0;
        for (size_t j = 0; j < list->count; j++)
            votes += strcmp(proxy_protocol_of(list->tasks[j]), words[i]) == 0;
        if (votes > most) {
            chosen = words[i];
            most = votes;
        }
    }
    return chosen;
}

static void leave_out_others(struct endpoint_list *list, const char *proxy_protocol)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct task *task = list->tasks[i];
        if (strcmp(proxy_protocol_of(task), proxy_protocol) == 0)
            list->tasks[kept++] = task;
        else
            log_warn("task '%s' of service '%s' is left out: it wants PROXY protocol %s, and most others %s",
                     task->spec.id, task->spec.service, proxy_protocol_of(task), proxy_protocol);
    }
    list->count = kept;
}

static json_t *write_endpoint(const struct task *task)
{
    json_t *out = json_object();
    uint32_t weight = task->spec.weight;
    set_text(out, "id", task->spec.id);
    set_text(out, "address", task->spec.address);
    set_integer(out, "weight", weight < 1 ? 1 : weight > 1000 ? 1000 : weight);
    return out;
}

struct route_list {
    json_t *out;
    snapshot_filter_cb is_published;
    void *owner;
};

/* Hosts and paths are ASCII: the route book has seen to it. */
static void write_route(void *owner, const char *host, const char *path, const char *service)
{
    struct route_list *list = owner;
    if (!list->is_published(list->owner, service))
        return;
    json_t *route = json_object();
    set_text(route, "host", host);
    set_text(route, "path", path);
    set_text(route, "service", service);
    json_array_append_new(list->out, route);
}

json_t *snapshot_write_settings(const struct config *config, const char *bound_listeners)
{
    const struct config_proxy *proxy = &config->proxy;
    json_t *out = write_settings(SCHEMA_SECTION_PROXY, proxy);
    json_object_set_new(out, "trustedProxies", write_trusted_proxies(proxy));
    json_object_set_new(out, "timeouts", write_settings(SCHEMA_SECTION_TIMEOUTS, &proxy->timeouts));
    json_object_set_new(out, "limits", write_settings(SCHEMA_SECTION_LIMITS, &proxy->limits));
    json_object_set_new(out, "clients", write_settings(SCHEMA_SECTION_CLIENTS, &proxy->clients));
    json_object_set_new(out, "listeners", write_listeners(config, bound_listeners));
    return out;
}

json_t *snapshot_write_service_settings(const struct config_service *service)
{
    return write_settings(SCHEMA_SECTION_SERVICE, service);
}

json_t *snapshot_write_service(const struct task_registry *registry, const char *name,
                               const struct snapshot_service_rules *rules, bool *is_failing_open)
{
    struct endpoint_list list = { NULL, 0 };
    json_t *out = json_object(), *endpoints = json_array();
    const char *proxy_protocol = rules->proxy_protocol;
    task_registry_each_of(registry, name, collect_routable, &list);
    bool has_routable = list.count > 0;
    if (!has_routable && rules->may_fail_open)
        task_registry_each_of(registry, name, collect_last_resort, &list);
    *is_failing_open = !has_routable && list.count > 0;
    if (!proxy_protocol) {
        proxy_protocol = choose_proxy_protocol(&list);
        leave_out_others(&list, proxy_protocol);
    }
    if (list.count > 0)
        qsort(list.tasks, list.count, sizeof *list.tasks, compare_ids);
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(endpoints, write_endpoint(list.tasks[i]));
    free(list.tasks);
    set_text(out, "name", name);
    if (strcmp(proxy_protocol, NO_PROXY_PROTOCOL) != 0)
        set_text(out, "proxyProtocol", proxy_protocol);
    json_object_set_new(out, "endpoints", endpoints);
    return out;
}

json_t *snapshot_write_routes(const struct route_book *routes, snapshot_filter_cb is_published, void *owner)
{
    struct route_list list = { json_array(), is_published, owner };
    route_book_each(routes, write_route, &list);
    return list.out;
}

bool snapshot_is_service_name(const char *name)
{
    return *name && is_printable(name);
}
