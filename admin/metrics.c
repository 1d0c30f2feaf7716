#include "admin/metrics.h"

#include "base/mem.h"
#include "controller/stopped_book.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct metrics_service {
    char *name; /* owned */
    int64_t desired_count;
    uint64_t scale_out_count, scale_in_count, start_failure_count;
    bool has_traffic;
    struct service_traffic traffic;
    uint64_t routable_count, unroutable_count, draining_count;
};

struct metrics_endpoint {
    char id[TASK_ID_SIZE];
    char service[TASK_NAME_SIZE];
    uint64_t in_flight;
};

/* Everything is collected first, since the format wants all samples of a family in one run. */
struct metrics_collection {
    const struct admin_parts *parts;
    struct metrics_service *services; /* owned */
    size_t service_count, service_size;
    struct metrics_endpoint *endpoints; /* owned */
    size_t endpoint_count, endpoint_size;
    struct buf *out;
};

static const struct {
    uint64_t us;
    const char *seconds;
} duration_bounds[] = { { 1000, "0.001" },  { 2500, "0.0025" }, { 5000, "0.005" },  { 10000, "0.01" },
                        { 25000, "0.025" }, { 50000, "0.05" },  { 100000, "0.1" },  { 250000, "0.25" },
                        { 500000, "0.5" },  { 1000000, "1" },   { 2500000, "2.5" }, { 5000000, "5" },
                        { 10000000, "10" } };

static const char *const class_labels[TRAFFIC_STATUS_CLASSES] = { "aborted", "1xx", "2xx", "3xx", "4xx", "5xx" };

static void collect_service(void *owner, const struct service_status *status)
{
    struct metrics_collection *c = owner;
    if (c->service_count == c->service_size) {
        c->service_size = c->service_size ? c->service_size * 2 : 16;
        c->services = mem_grow_array(c->services, c->service_size, sizeof *c->services);
    }
    struct metrics_service *s = &c->services[c->service_count++];
    *s = (struct metrics_service){ .name = mem_strdup(status->name),
                                   .desired_count = status->desired_count,
                                   .scale_out_count = status->scale_out_count,
                                   .scale_in_count = status->scale_in_count,
                                   .start_failure_count = status->start_failure_count };
    const struct data_plane *plane = &c->parts->data_plane;
    s->has_traffic = plane->ops && plane->ops->service_traffic(plane->owner, s->name, &s->traffic);
}

static void collect_endpoint(void *owner, const struct task *task)
{
    struct metrics_collection *c = owner;
    struct endpoint_traffic traffic;
    const struct data_plane *plane = &c->parts->data_plane;
    if (!plane->ops || !plane->ops->endpoint_traffic(plane->owner, task->spec.id, &traffic))
        return;
    if (c->endpoint_count == c->endpoint_size) {
        c->endpoint_size = c->endpoint_size ? c->endpoint_size * 2 : 64;
        c->endpoints = mem_grow_array(c->endpoints, c->endpoint_size, sizeof *c->endpoints);
    }
    struct metrics_endpoint *e = &c->endpoints[c->endpoint_count++];
    memcpy(e->id, task->spec.id, sizeof e->id);
    memcpy(e->service, task->spec.service, sizeof e->service);
    e->in_flight = traffic.in_flight;
}

static void count_task(void *owner, const struct task *task)
{
    struct metrics_service *s = owner;
    if (task->spec.state == TASK_STOPPED)
        return;
    if (task->admin != TASK_ADMIN_READY)
        s->draining_count++;
    else if (task_is_routable(task))
        s->routable_count++;
    else
        s->unroutable_count++;
}

static void collect(struct metrics_collection *c)
{
    controller_each_service(c->parts->controller, collect_service, c);
    for (size_t i = 0; i < c->service_count; i++)
        task_registry_each_of(c->parts->registry, c->services[i].name, count_task, &c->services[i]);
    task_registry_each(c->parts->registry, collect_endpoint, c);
}

static void collection_fini(struct metrics_collection *c)
{
    for (size_t i = 0; i < c->service_count; i++)
        free(c->services[i].name);
    free(c->services);
    free(c->endpoints);
}

static void put_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s ", name);
    for (; *help; help++) {
        if (*help == '\\')
            buf_append_text(out, "\\\\");
        else if (*help == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append(out, help, 1);
    }
    buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

/* label: a further one with its value, from a fixed set; null for none. */
static void put_sample(struct buf *out, const char *name, const char *service, const char *label, const char *value,
                       uint64_t count)
{
    buf_printf(out, "%s{service=\"", name);
    metrics_append_label_value(out, service);
    buf_append_text(out, "\"");
    if (label)
        buf_printf(out, ",%s=\"%s\"", label, value);
    buf_printf(out, "} %" PRIu64 "\n", count);
}

enum service_counter { COUNTER_REQUESTS = 0, COUNTER_IN_FLIGHT, COUNTER_RETRIES, COUNTER_NO_ENDPOINT };

static uint64_t read_counter(const struct service_traffic *traffic, enum service_counter counter)
{
    switch (counter) {
    case COUNTER_REQUESTS:
        return traffic->requests;
    case COUNTER_IN_FLIGHT:
        return traffic->in_flight;
    case COUNTER_RETRIES:
        return traffic->retries;
    case COUNTER_NO_ENDPOINT:
        return traffic->no_endpoint;
    }
    return 0;
}

static void put_counters(const struct metrics_collection *c)
{
    static const struct {
        enum service_counter counter;
        const char *name, *type, *help;
    } families[] = {
        { COUNTER_REQUESTS, "portico_requests_total", "counter", "Requests that were finished or failed." },
        { COUNTER_IN_FLIGHT, "portico_in_flight", "gauge", "Requests under way." },
        { COUNTER_RETRIES, "portico_retries_total", "counter", "Attempts on a further endpoint." },
        { COUNTER_NO_ENDPOINT, "portico_no_endpoint_total", "counter",
          "Requests refused because nothing was routable." },
    };
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        put_family(c->out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < c->service_count; i++) {
            const struct metrics_service *s = &c->services[i];
            if (s->has_traffic)
                put_sample(c->out, families[f].name, s->name, NULL, NULL,
                           read_counter(&s->traffic, families[f].counter));
        }
    }
}

static void put_responses(const struct metrics_collection *c)
{
    put_family(c->out, "portico_responses_total", "counter",
               "Responses by status class; aborted: the client went away before one.");
    for (size_t i = 0; i < c->service_count; i++) {
        const struct metrics_service *s = &c->services[i];
        for (size_t class = 0; s->has_traffic && class < TRAFFIC_STATUS_CLASSES; class ++)
            put_sample(c->out, "portico_responses_total", s->name, "class", class_labels[class],
                       s->traffic.statuses[class]);
    }
}

#define PUT_HISTOGRAM(out, family, service, h) \
    put_histogram(out, family "_bucket", family "_sum", family "_count", service, h)

static void put_histogram(struct buf *out, const char *bucket, const char *sum, const char *count, const char *service,
                          const struct histogram *h)
{
    for (size_t b = 0; b < sizeof duration_bounds / sizeof *duration_bounds; b++)
        put_sample(out, bucket, service, "le", duration_bounds[b].seconds,
                   metrics_count_up_to(h, duration_bounds[b].us));
    put_sample(out, bucket, service, "le", "+Inf", histogram_count(h));
    buf_printf(out, "%s{service=\"", sum);
    metrics_append_label_value(out, service);
    buf_printf(out, "\"} %.6f\n", (double)h->sum_us / 1e6);
    put_sample(out, count, service, NULL, NULL, histogram_count(h));
}

static void put_durations(const struct metrics_collection *c)
{
    put_family(c->out, "portico_response_latency_seconds", "histogram",
               "Request taken whole to response head: what latencyP99Ms is of.");
    for (size_t i = 0; i < c->service_count; i++) {
        const struct metrics_service *s = &c->services[i];
        if (s->has_traffic)
            PUT_HISTOGRAM(c->out, "portico_response_latency_seconds", s->name, &s->traffic.latency);
    }
    put_family(c->out, "portico_request_duration_seconds", "histogram",
               "Request head complete to last response byte sent.");
    for (size_t i = 0; i < c->service_count; i++) {
        const struct metrics_service *s = &c->services[i];
        if (s->has_traffic)
            PUT_HISTOGRAM(c->out, "portico_request_duration_seconds", s->name, &s->traffic.duration);
    }
}

static void put_endpoints(const struct metrics_collection *c)
{
    put_family(c->out, "portico_endpoints", "gauge",
               "Tasks by what they may get: new requests, none, or the rest of theirs.");
    for (size_t i = 0; i < c->service_count; i++) {
        const struct metrics_service *s = &c->services[i];
        put_sample(c->out, "portico_endpoints", s->name, "state", "routable", s->routable_count);
        put_sample(c->out, "portico_endpoints", s->name, "state", "unroutable", s->unroutable_count);
        put_sample(c->out, "portico_endpoints", s->name, "state", "draining", s->draining_count);
    }
    put_family(c->out, "portico_endpoint_in_flight", "gauge", "Requests under way at one task.");
    for (size_t i = 0; i < c->endpoint_count; i++) {
        buf_append_text(c->out, "portico_endpoint_in_flight{service=\"");
        metrics_append_label_value(c->out, c->endpoints[i].service);
        buf_append_text(c->out, "\",task=\"");
        metrics_append_label_value(c->out, c->endpoints[i].id);
        buf_printf(c->out, "\"} %" PRIu64 "\n", c->endpoints[i].in_flight);
    }
}

static void put_controller(const struct metrics_collection *c)
{
    put_family(c->out, "portico_desired_tasks", "gauge", "Tasks that should run.");
    for (size_t i = 0; i < c->service_count; i++)
        put_sample(c->out, "portico_desired_tasks", c->services[i].name, NULL, NULL,
                   c->services[i].desired_count > 0 ? (uint64_t)c->services[i].desired_count : 0);
    put_family(c->out, "portico_scaling_decisions_total", "counter",
               "Changes of the desired count by the scaling policy.");
    for (size_t i = 0; i < c->service_count; i++) {
        const struct metrics_service *s = &c->services[i];
        put_sample(c->out, "portico_scaling_decisions_total", s->name, "direction", "out", s->scale_out_count);
        put_sample(c->out, "portico_scaling_decisions_total", s->name, "direction", "in", s->scale_in_count);
    }
    put_family(c->out, "portico_start_failures_total", "counter", "Tasks that failed to start.");
    for (size_t i = 0; i < c->service_count; i++)
        put_sample(c->out, "portico_start_failures_total", c->services[i].name, NULL, NULL,
                   c->services[i].start_failure_count);
}

static void put_stopped(const struct metrics_collection *c)
{
    struct stopped_book_status status;
    stopped_book_status(controller_stopped_tasks(c->parts->controller), &status);
    put_family(c->out, "portico_stopped_tasks_total", "counter",
               "Tasks that were created by Portico and have ended, and starts that came to nothing.");
    buf_printf(c->out, "portico_stopped_tasks_total %" PRIu64 "\n", status.noted_count);
    put_family(c->out, "portico_stopped_tasks_dropped_total", "counter",
               "Of those, forgotten before their time to make room.");
    buf_printf(c->out, "portico_stopped_tasks_dropped_total %" PRIu64 "\n", status.dropped_count);
    put_family(c->out, "portico_stopped_tasks_kept", "gauge", "Of those, described at /v1/stopped-tasks now.");
    buf_printf(c->out, "portico_stopped_tasks_kept %zu\n", status.kept_count);
}

static bool is_metric_name(const char *name)
{
    return (*name == '_' || (*name >= 'a' && *name <= 'z')) &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static void put_extra(void *owner, const struct admin_metric *metric)
{
    struct buf *out = owner;
    if (!is_metric_name(metric->name) || !isfinite(metric->value))
        return;
    put_family(out, metric->name, metric->type == ADMIN_METRIC_COUNTER ? "counter" : "gauge", metric->help);
    buf_printf(out, "%s %.15g\n", metric->name, metric->value);
}

bool metrics_render(const struct admin_parts *parts, struct buf *out)
{
    struct metrics_collection c = { .parts = parts, .out = out };
    collect(&c);
    put_counters(&c);
    put_responses(&c);
    put_durations(&c);
    put_endpoints(&c);
    put_controller(&c);
    put_stopped(&c);
    collection_fini(&c);
    const struct data_plane *plane = &parts->data_plane;
    put_family(out, "portico_data_plane_fresh", "gauge", "1 while the proxy process answers, else 0.");
    buf_printf(out, "portico_data_plane_fresh %d\n", plane->ops && plane->ops->is_fresh(plane->owner) ? 1 : 0);
    put_family(out, "portico_build", "gauge", "Always 1; the label is the version.");
    buf_append_text(out, "portico_build{version=\"");
    metrics_append_label_value(out, parts->version ? parts->version : "");
    buf_append_text(out, "\"} 1\n");
    if (parts->daemon && parts->daemon->each_metric)
        parts->daemon->each_metric(parts->daemon_owner, put_extra, out);
    return !out->overflowed;
}

uint64_t metrics_count_up_to(const struct histogram *h, uint64_t bound_us)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT && histogram_bucket_upper_us(i) <= bound_us; i++)
        count += h->buckets[i];
    return count;
}

void metrics_append_label_value(struct buf *out, const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '\\' || c == '"')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_append_text(out, "\\n");
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(out, "\\\\x%02x", c);
        else
            buf_append(out, value, 1);
    }
}
