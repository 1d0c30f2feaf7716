#include "daemon/status.h"

#include "base/clock.h"
#include "discovery/docker/provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- /readyz ---- */

static void describe_docker(const struct status *s, char *out, size_t size)
{
    struct docker_engine_status engine;
    if (!s->engine) {
        snprintf(out, size, "disabled");
        return;
    }
    docker_engine_status(s->engine, &engine);
    const char *problem = s->docker ? s->docker->ops->find_problem(s->docker) : NULL;
    if (engine.state == DOCKER_ENGINE_UNREACHABLE)
        snprintf(out, size, "unreachable: %s", engine.error);
    else if (engine.state == DOCKER_ENGINE_REACHABLE && !problem)
        snprintf(out, size, "connected");
    else
        snprintf(out, size, "connecting: %s", problem ? problem : "no answer yet");
}

/* Behind what is there already. */
__attribute__((format(printf, 3, 4))) static void add_trouble(char *out, size_t size, const char *format, ...)
{
    size_t len = strlen(out);
    va_list args;
    if (len > 0)
        len += (size_t)snprintf(out + len, size - len, "; ");
    if (len >= size)
        return;
    va_start(args, format);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

/* What does not keep requests from being served, and should not stay unseen. */
static void describe_troubles(const struct status *s, const struct publisher_status *publisher, char *out, size_t size)
{
    if (publisher->is_holding)
        add_trouble(out, size, "changes are held back: %s%s",
                    publisher->held_by[0] ? "no complete list yet from " : "first checks are under way",
                    publisher->held_by);
    if (publisher->recalled[0])
        add_trouble(out, size, "tasks of provider %s are those of before the restart: it has given no list yet",
                    publisher->recalled);
    for (size_t i = 0; i < s->provider_count; i++) {
        const struct provider *provider = &s->providers[i];
        const char *problem =
            provider == s->docker ? NULL : provider->ops->find_problem(provider); /* it has its own field */
        if (problem)
            add_trouble(out, size, "%.200s", problem);
        if (provider->refused_count > 0)
            add_trouble(out, size, "%zu of provider %s not taken: %s", provider->refused_count, provider->ops->name,
                        provider->refusal);
    }
    if (publisher->left_out_count > 0)
        add_trouble(out, size, "service %s and %zu more routes are left out: too many services", publisher->left_out,
                    publisher->left_out_count - 1);
    if (publisher->refusals.current_count > 0)
        add_trouble(out, size, "%zu refused: %s", publisher->refusals.current_count, publisher->refusals.example);
}

static const char *find_store_problem(const struct status *s)
{
    if (s->is_store_missing)
        return "it could not be opened at the start, see the log";
    return s->store ? s->store->ops->find_problem(s->store) : NULL;
}

/* Ready means that requests are served, and that what serves them is kept up. An engine that is away takes no traffic
 * from those who serve and comes back, so that it is told but does not count; a durable state that is gone needs
 * somebody. */
static void status_readiness(void *owner, struct admin_readiness *out)
{
    const struct status *s = owner;
    struct publisher_status publisher;
    const char *store_problem = find_store_problem(s);
    publisher_status(s->publisher, &publisher);
    int64_t beat_age_ms = stats_beat_age_ms(s->view->stats, clock_now_ms());
    bool is_beating = beat_age_ms < STATUS_BEAT_MS;
    *out = (struct admin_readiness){ .ready =
                                         publisher.is_linked && publisher.is_serving && is_beating && !store_problem };
    describe_docker(s, out->docker, sizeof out->docker);
    describe_troubles(s, &publisher, out->warning, sizeof out->warning);
    if (!publisher.is_linked)
        snprintf(out->reason, sizeof out->reason, "no link to the proxy process");
    else if (!publisher.is_serving)
        snprintf(out->reason, sizeof out->reason, "the proxy has no snapshot yet%s%.*s",
                 publisher.last_rejection[0] ? "; it refused: " : "", (int)sizeof out->reason / 2,
                 publisher.last_rejection);
    else if (beat_age_ms == STATS_BEAT_NEVER)
        snprintf(out->reason, sizeof out->reason, "the proxy has given no sign of life");
    else if (!is_beating)
        snprintf(out->reason, sizeof out->reason, "the proxy has given no sign of life for %lld s",
                 (long long)beat_age_ms / 1000);
    else if (store_problem)
        snprintf(out->reason, sizeof out->reason, "durable state: no task is started or stopped: %.180s",
                 store_problem);
}

/* ---- /metrics ---- */

struct metric_sink {
    admin_metric_cb each;
    void *owner;
};

static void put(const struct metric_sink *sink, enum admin_metric_type type, const char *name, double value,
                const char *help)
{
    const struct admin_metric metric = { .name = name, .type = type, .help = help, .value = value };
    sink->each(sink->owner, &metric);
}

#define PUT_COUNTER(name, value, help) put(sink, ADMIN_METRIC_COUNTER, "portico_" name "_total", (double)(value), help)
#define PUT_GAUGE(name, value, help) put(sink, ADMIN_METRIC_GAUGE, "portico_" name, (double)(value), help)

static void put_workers(const struct metric_sink *sink, const struct proxy_view *view)
{
    struct worker_stats totals;
    proxy_view_worker_totals(view, &totals);
#define COUNTER(name, help) PUT_COUNTER("proxy_" #name, totals.name, help);
#define GAUGE(name, help) PUT_GAUGE("proxy_" #name, totals.name, help);
#define X(name, kind, help) kind(name, help)
#include "proxy/stats.def"
#undef X
#undef GAUGE
#undef COUNTER
    PUT_GAUGE("proxy_workers", stats_workers(view->stats), "worker threads of the proxy");
    int64_t age_ms = stats_beat_age_ms(view->stats, clock_now_ms());
    if (age_ms != STATS_BEAT_NEVER)
        PUT_GAUGE("proxy_heartbeat_age_seconds", (double)age_ms / 1000,
                  "since the proxy's main thread last said that it lives");
}

static void put_publisher(const struct metric_sink *sink, const struct publisher *publisher)
{
    struct publisher_status s;
    publisher_status(publisher, &s);
    double unacked_s = s.oldest_unacked_at_ms ? (double)(clock_now_ms() - s.oldest_unacked_at_ms) / 1000 : 0;
    PUT_GAUGE("publisher_linked", s.is_linked, "1 while there is a link to the proxy, else 0");
    PUT_GAUGE("publisher_holding", s.is_holding, "1 while the first snapshot after a start is held back, else 0");
    PUT_GAUGE("publisher_unacked_seconds", unacked_s, "age of the oldest change that a worker has not taken yet");
    PUT_COUNTER("publisher_links", s.link_count, "links to the proxy so far");
    PUT_COUNTER("publisher_frames", s.frame_count, "snapshots and patches sent to the proxy");
    PUT_COUNTER("publisher_acks", s.ack_count, "acknowledgements from the proxy");
    PUT_COUNTER("publisher_rejections", s.rejection_count, "snapshots and patches that the proxy refused");
    PUT_GAUGE("published_services", s.service_count, "services that some route leads to");
    PUT_GAUGE("published_routes", s.route_count, "routes");
    PUT_GAUGE("published_endpoints", s.endpoint_count, "tasks that may get requests, or may not but still could");
    PUT_GAUGE("services_failing_open", s.failing_open_count,
              "services without a healthy task whose requests go to those that were healthy");
    PUT_COUNTER("routes_refused", s.refusals.total_count, "routes asked for by tasks and not given");
    PUT_GAUGE("routes_refused_now", s.refusals.current_count, "routes that tasks ask for now and are not given");
    PUT_GAUGE("routes_left_out", s.left_out_count, "routes of services beyond the limit of services");
}

static void put_docker(const struct metric_sink *sink, const struct status *s)
{
    struct docker_engine_status engine;
    struct docker_provider_status provider;
    if (!s->engine || !s->docker)
        return;
    docker_engine_status(s->engine, &engine);
    docker_provider_status(s->docker, &provider);
    PUT_GAUGE("docker_reachable", engine.state == DOCKER_ENGINE_REACHABLE, "1 while the Docker Engine answers, else 0");
    PUT_GAUGE("docker_calls_in_flight", engine.in_flight_count, "calls to the Docker Engine under way");
    PUT_GAUGE("docker_calls_waiting", engine.waiting_count, "calls to the Docker Engine that wait for their turn");
    PUT_COUNTER("docker_calls", engine.calls_count, "finished calls to the Docker Engine");
    PUT_COUNTER("docker_call_failures", engine.failures_count, "calls to the Docker Engine that failed");
    PUT_GAUGE("docker_event_stream_open", provider.stream_open, "1 while the Docker event stream is open, else 0");
    PUT_COUNTER("docker_event_streams", provider.stream_opened_count, "times that the Docker event stream was opened");
    PUT_COUNTER("docker_events", provider.events_count, "Docker events received");
    PUT_COUNTER("docker_bad_event_lines", provider.bad_lines_count,
                "lines of the Docker event stream that were no event");
    PUT_COUNTER("docker_syncs", provider.syncs_count, "full lists of containers taken in");
    PUT_GAUGE("docker_ignored_containers", provider.ignored_count,
              "containers whose labels were refused, or without room");
}

static void put_checks(const struct metric_sink *sink, const struct health_checker *checker)
{
    struct health_checker_status s;
    uint64_t finished = 0;
    health_checker_status(checker, &s);
    for (size_t i = 0; i < CHECK_OUTCOME_COUNT; i++)
        finished += s.outcomes[i];
    PUT_COUNTER("health_checks", finished, "finished health checks");
    PUT_COUNTER("health_checks_failed", finished - s.outcomes[CHECK_PASSED], "health checks that failed");
    PUT_GAUGE("health_checks_in_flight", s.in_flight_count, "health checks under way");
    PUT_GAUGE("health_checks_waiting", s.waiting_count, "health checks that wait for their turn");
}

static void put_resources(const struct metric_sink *sink, const struct resource_desk *desk)
{
    struct resource_desk_counts counts = resource_desk_counts(desk);
    const struct resource_book *book = resource_desk_book(desk);
    put(sink, ADMIN_METRIC_GAUGE, "portico_resources", (double)resource_book_count(book),
        "Resources that are kept; resource_limits_default says how many can be.");
    put(sink, ADMIN_METRIC_GAUGE, "portico_resource_bytes", (double)resource_book_bytes(book),
        "Bytes of their bodies.");
    put(sink, ADMIN_METRIC_COUNTER, "portico_resource_changes_total", (double)counts.change_count,
        "Changes of resources that were made durable.");
    put(sink, ADMIN_METRIC_COUNTER, "portico_resource_refusals_total", (double)counts.refusal_count,
        "Changes of resources that were refused.");
    put(sink, ADMIN_METRIC_GAUGE, "portico_resource_changes_waiting", (double)counts.waiting_count,
        "Changes that wait for the disk.");
}

static void status_each_metric(void *owner, admin_metric_cb each, void *each_owner)
{
    const struct status *s = owner;
    const struct metric_sink sink_of_caller = { each, each_owner }, *sink = &sink_of_caller;
    put_workers(sink, s->view);
    put_publisher(sink, s->publisher);
    put_docker(sink, s);
    put_checks(sink, s->checker);
    size_t refused_count = 0;
    for (size_t i = 0; i < s->provider_count; i++)
        refused_count += s->providers[i].refused_count;
    PUT_GAUGE("tasks_refused", refused_count, "containers and endpoints that ask to be taken and are not");
    PUT_COUNTER("control_restarts", s->control_restart_count, "times that the control process was started again");
    PUT_COUNTER("proxy_restarts", s->proxy_restart_count, "times that the proxy process was started again");
    PUT_COUNTER("upgrades", s->upgrade_count,
                "programs and configurations that took over while the one before served on");
    PUT_COUNTER("config_reloads", s->reload_count, "configurations taken over while running");
    PUT_COUNTER("config_reload_failures", s->reload_failure_count, "configurations refused while running");
    PUT_GAUGE("config_fallback", s->is_config_fallback, "1 while the last good copy stands in for a bad file, else 0");
    PUT_GAUGE("store_missing", find_store_problem(s) != NULL, "1 while the durable state is not usable, else 0");
    if (s->desk)
        put_resources(sink, s->desk);
}

/* ---- /v1/routes ---- */

struct route_sink {
    admin_route_row_cb each;
    void *owner;
};

static void put_route(void *owner, const char *host, const char *path, const char *service)
{
    const struct route_sink *sink = owner;
    const struct admin_route_row row = { .host = host, .path = path, .service = service };
    sink->each(sink->owner, &row);
}

static void status_each_route(void *owner, admin_route_row_cb each, void *each_owner)
{
    const struct status *s = owner;
    struct route_sink sink = { each, each_owner };
    publisher_each_route(s->publisher, put_route, &sink);
}

const struct admin_daemon_ops status_admin_ops = { .readiness = status_readiness,
                                                   .each_metric = status_each_metric,
                                                   .each_route = status_each_route };
