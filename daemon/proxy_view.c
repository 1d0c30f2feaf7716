#include "daemon/proxy_view.h"

#include "base/clock.h"

_Static_assert(TRAFFIC_STATUS_CLASSES == STATS_STATUS_CLASSES, "copied one by one");

static bool view_service_traffic(void *owner, const char *service, struct service_traffic *out)
{
    const struct proxy_view *view = owner;
    struct service_stats sum;
    if (!stats_read_service(view->stats, service, &sum))
        return false;
    out->requests = sum.requests;
    out->in_flight = proxy_view_is_dead(view) ? 0 : sum.in_flight;
    for (size_t i = 0; i < TRAFFIC_STATUS_CLASSES; i++)
        out->statuses[i] = sum.statuses[i];
    out->retries = sum.retries;
    out->no_endpoint = sum.no_endpoint;
    out->request_bytes = sum.request_bytes;
    out->response_bytes = sum.response_bytes;
    out->latency = sum.latency;
    out->duration = sum.duration;
    return true;
}

static bool view_endpoint_traffic(void *owner, const char *task_id, struct endpoint_traffic *out)
{
    const struct proxy_view *view = owner;
    struct endpoint_stats sum;
    if (!stats_read_endpoint(view->stats, task_id, &sum))
        return false;
    out->requests = sum.requests;
    out->in_flight = proxy_view_is_dead(view) ? 0 : sum.in_flight;
    out->failures = sum.failures;
    return true;
}

static bool view_is_out_of_rotation(void *owner, const char *task_id)
{
    const struct proxy_view *view = owner;
    return publisher_is_out_of_rotation(view->publisher, task_id) || proxy_view_is_dead(view);
}

static bool view_is_fresh(void *owner)
{
    const struct proxy_view *view = owner;
    struct publisher_status publisher;
    int64_t now_ms = clock_now_ms();
    publisher_status(view->publisher, &publisher);
    bool is_answering = publisher.oldest_unacked_at_ms == 0 || now_ms - publisher.oldest_unacked_at_ms < PROXY_FRESH_MS;
    return publisher.is_linked && is_answering && now_ms - stats_last_beat_ms(view->stats) < PROXY_FRESH_MS;
}

struct data_plane proxy_view_data_plane(struct proxy_view *view)
{
    static const struct data_plane_ops ops = { .service_traffic = view_service_traffic,
                                               .endpoint_traffic = view_endpoint_traffic,
                                               .is_out_of_rotation = view_is_out_of_rotation,
                                               .is_fresh = view_is_fresh };
    return (struct data_plane){ .ops = &ops, .owner = view };
}

/* A link that only broke leaves the heartbeat going. */
bool proxy_view_is_dead(const struct proxy_view *view)
{
    struct publisher_status publisher;
    int64_t now_ms = clock_now_ms();
    publisher_status(view->publisher, &publisher);
    return !publisher.is_linked && now_ms - publisher.unlinked_at_ms > PROXY_DEAD_MS &&
           now_ms - stats_last_beat_ms(view->stats) > PROXY_DEAD_MS;
}
