/* Any bytes as what control sends to the proxy: JSON texts with 0x1e between them (RFC 7464), those with a "version" as
 * documents and the others as patches, one after the other on top of what was accepted last. No crash; what is refused
 * says why and leaves no endpoint behind; what is accepted names its endpoints, and routes lead to its services. */
#include "base/check.h"
#include "base/json.h"
#include "proxy/snapshot/snapshot_builder.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 2
#define SEPARATOR 0x1e

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct stats_region *stats;
static struct snapshot_builder *builder;
static const struct json_limits limits = { .bytes_max = 1 << 20, .depth_max = 16, .values_max = 100000 };

static void open_once(void)
{
    if (builder)
        return;
    int fd = stats_create_fd(WORKERS, NULL);
    stats = stats_map_writer(fd, WORKERS, NULL);
    check(stats != NULL);
    close(fd);
    builder = snapshot_builder_new(stats, WORKERS);
}

static void check_services(const struct snapshot *snapshot)
{
    for (uint32_t slot = 0; slot < STATS_SERVICES_MAX; slot++) {
        const struct snapshot_service *service = snapshot->services[slot];
        if (!service)
            continue;
        check(service->slot == slot && stats_find_service(stats, service->name) == slot);
        for (size_t i = 0; i < service->endpoint_count; i++) {
            const struct endpoint_view *view = &service->endpoints[i];
            check(view->slot == view->endpoint->slot && view->slot < STATS_ENDPOINTS_MAX);
            check(view->weight >= 1 && view->weight <= 1000);
            check(view->endpoint->refs > 0 && view->endpoint->routes > 0);
        }
    }
}

static void check_routes(const struct snapshot *snapshot)
{
    static const char *const hosts[] = { "", "a", "b.a", "web.example.com", "[::1]", "A.:80" };
    static const char *const paths[] = { "/", "/api", "/api/v1/x", "*", "" };
    for (size_t h = 0; h < sizeof hosts / sizeof *hosts; h++) {
        for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
            uint32_t slot = route_table_match(snapshot->routes->table, slice_of(hosts[h]), slice_of(paths[p]));
            check(slot == UINT32_MAX || snapshot->services[slot]);
        }
    }
}

/* The snapshot that is the newest afterwards. */
static struct snapshot *take(struct snapshot *newest, json_t *text)
{
    struct error error = { "" };
    size_t before = snapshot_builder_endpoint_count(builder);
    struct snapshot *snapshot = json_object_get(text, "version") ? snapshot_build(builder, text, newest, &error)
                                                                 : snapshot_build_patch(builder, text, newest, &error);
    if (!snapshot) {
        check(error.text[0] != '\0' && snapshot_builder_endpoint_count(builder) == before);
        return newest;
    }
    check_services(snapshot);
    check_routes(snapshot);
    if (newest)
        snapshot_free(builder, newest);
    return snapshot;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snapshot *newest = NULL;
    open_once();
    for (size_t at = 0; at < size;) {
        const uint8_t *end = memchr(data + at, SEPARATOR, size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at;
        json_t *text = json_parse_bounded((struct slice){ (const char *)data + at, len }, &limits, NULL);
        if (text)
            newest = take(newest, text);
        json_decref(text);
        at += len + 1;
    }
    if (newest)
        snapshot_free(builder, newest);
    check(snapshot_builder_endpoint_count(builder) == 0);
    return 0;
}
