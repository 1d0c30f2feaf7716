#include "daemon/proxy_view.h"

#include "base/clock.h"

#include <string.h>

_Static_assert(TRAFFIC_STATUS_CLASSES == STATS_STATUS_CLASSES, "copied one by one");

static void add_service(struct service_traffic *out, const struct service_stats *sum)
{
    out->requests += sum->requests;
    out->in_flight += sum->in_flight;
    for (size_t i = 0; i < TRAFFIC_STATUS_CLASSES; i++)
        out->statuses[i] += sum->statuses[i];
    out->retries += sum->retries;
    out->no_endpoint += sum->no_endpoint;
    out->request_bytes += sum->request_bytes;
    out->response_bytes += sum->response_bytes;
    histogram_merge(&out->latency, &sum->latency);
    histogram_merge(&out->duration, &sum->duration);
}

static bool view_service_traffic(void *owner, const char *service, struct service_traffic *out)
{
    const struct proxy_view *view = owner;
    struct service_stats sum;
    bool found = stats_read_service(view->stats, service, &sum);
    if (proxy_view_is_dead(view))
        sum.in_flight = 0;
    memset(out, 0, sizeof *out);
    add_service(out, &sum);
    for (size_t i = 0; i < view->earlier_count; i++) {
        found |= stats_read_service(view->earlier[i], service, &sum);
        add_service(out, &sum);
    }
    return found;
}

/* An earlier proxy's requests are in flight for whoever waits for them. */
static bool view_service_load(void *owner, const char *service, struct service_load *out)
{
    const struct proxy_view *view = owner;
    struct stats_load load;
    bool found = stats_read_service_load(view->stats, service, &load);
    *out = (struct service_load){ load.requests, load.in_flight, load.no_endpoint };
    for (size_t i = 0; i < view->earlier_count; i++) {
        found |= stats_read_service_load(view->earlier[i], service, &load);
        out->requests += load.requests;
        out->in_flight += load.in_flight;
        out->no_endpoint += load.no_endpoint;
    }
    return found;
}

static void add_endpoint(struct endpoint_traffic *out, const struct endpoint_stats *sum)
{
    out->requests += sum->requests;
    out->in_flight += sum->in_flight;
    out->tunnels += sum->tunnels;
    out->failures += sum->failures;
}

/* What cannot be read may be in flight: then a task that leaves has its whole deregistration delay. */
static bool view_endpoint_traffic(void *owner, const char *task_id, struct endpoint_traffic *out)
{
    const struct proxy_view *view = owner;
    struct endpoint_stats sum;
    bool found = stats_read_endpoint(view->stats, task_id, &sum);
    if (proxy_view_is_dead(view))
        sum.in_flight = sum.tunnels = 0;
    *out = (struct endpoint_traffic){ .in_flight = view->unreadable_count };
    add_endpoint(out, &sum);
    for (size_t i = 0; i < view->earlier_count; i++) {
        found |= stats_read_endpoint(view->earlier[i], task_id, &sum);
        add_endpoint(out, &sum);
    }
    return found || view->unreadable_count > 0;
}

/* One that has retired goes by its last snapshot for another moment. */
static bool may_earlier_begin(const struct proxy_view *view)
{
    for (size_t i = 0; i < view->earlier_count; i++) {
        if (!stats_is_ending(view->earlier[i]))
            return true;
    }
    return false;
}

static bool view_is_out_of_rotation(void *owner, const char *task_id)
{
    const struct proxy_view *view = owner;
    return (publisher_is_out_of_rotation(view->publisher, task_id) || proxy_view_is_dead(view)) &&
           !may_earlier_begin(view);
}

static bool view_is_fresh(void *owner)
{
    const struct proxy_view *view = owner;
    struct publisher_link link;
    int64_t now_ms = clock_now_ms();
    publisher_link(view->publisher, &link);
    bool is_answering = link.oldest_unacked_at_ms == 0 || now_ms - link.oldest_unacked_at_ms < PROXY_FRESH_MS;
    return link.is_linked && is_answering && stats_beat_age_ms(view->stats, now_ms) < PROXY_FRESH_MS;
}

static bool view_is_holding(void *owner)
{
    const struct proxy_view *view = owner;
    struct publisher_link link;
    publisher_link(view->publisher, &link);
    return link.is_holding;
}

struct data_plane proxy_view_data_plane(struct proxy_view *view)
{
    static const struct data_plane_ops ops = { .service_traffic = view_service_traffic,
                                               .endpoint_traffic = view_endpoint_traffic,
                                               .is_out_of_rotation = view_is_out_of_rotation,
                                               .is_fresh = view_is_fresh,
                                               .is_holding = view_is_holding,
                                               .service_load = view_service_load };
    return (struct data_plane){ .ops = &ops, .owner = view };
}

void proxy_view_worker_totals(const struct proxy_view *view, struct worker_stats *sum)
{
    stats_read_worker_totals(view->stats, sum);
    for (size_t i = 0; i < view->earlier_count; i++) {
        struct worker_stats one;
        stats_read_worker_totals(view->earlier[i], &one);
#define X(name, kind, help) sum->name += one.name;
#include "proxy/stats.def"
#undef X
    }
}

void proxy_view_forget_unreadable(struct proxy_view *view)
{
    if (view->unreadable_count > 0)
        view->unreadable_count--;
}

/* A link that only broke leaves the heartbeat going. */
bool proxy_view_is_dead(const struct proxy_view *view)
{
    struct publisher_link link;
    int64_t now_ms = clock_now_ms();
    publisher_link(view->publisher, &link);
    return !link.is_linked && now_ms - link.unlinked_at_ms > PROXY_DEAD_MS &&
           stats_beat_age_ms(view->stats, now_ms) > PROXY_DEAD_MS;
}
