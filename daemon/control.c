#include "daemon/control.h"

#include "admin/server.h"
#include "base/child_channel.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/diff.h"
#include "config/load.h"
#include "controller/controller.h"
#include "controller/resource/resource_desk.h"
#include "controller/runtime/docker_runtime.h"
#include "controller/store/store.h"
#include "controller/store/store_sqlite.h"
#include "daemon/config_file.h"
#include "daemon/proxy_view.h"
#include "daemon/publish/publisher.h"
#include "daemon/signals.h"
#include "daemon/status.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/engine_time.h"
#include "discovery/health/checker.h"
#include "discovery/own_sockets.h"
#include "discovery/provider.h"
#include "discovery/task_memory.h"
#include "proxy/stats.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_AGAIN 1
#define EXIT_REFUSED 2
#define BEAT_MS 1000        /* see daemon/watchdog.h */
#define HTTP_CALLS_MAX 1024 /* above what the lanes of the engine and of the health checks let out together */
#define EARLY_REFUSALS_MAX 32

struct early_refusal {
    char service[TASK_NAME_SIZE];
    char text[PROVIDER_REFUSAL_SIZE];
};

struct control {
    const struct control_options *options;
    struct loop *loop;
    struct config *started_config; /* what needs a restart is compared with this one */
    struct config *config;         /* in force; may be started_config */
    struct child_channel *supervisor;
    struct signals signals;
    struct timer beat;
    struct stats_region *stats;
    struct stats_region *earlier_stats[PROXY_VIEW_EARLIER_MAX];
    struct http_client *http;
    struct task_registry *registry;
    struct docker_engine *engine; /* null: docker is off */
    struct provider providers[PUBLISHER_PROVIDERS_MAX];
    size_t provider_count;
    const struct provider *docker; /* in providers; null: docker is off */
    struct task_memory *memory;    /* of docker's tasks; null likewise */
    struct health_checker *checker;
    struct store *store; /* null: cannot be opened */
    struct ownership stored_ownership;
    struct ownership ownership; /* the same, with what the configuration adopts beyond it */
    struct runtime *runtime;    /* null: nothing is created */
    struct publisher *publisher;
    struct proxy_view view;
    struct controller *controller;
    struct resource_book *resources;
    struct resource_desk *desk; /* null: the store cannot be opened or read */
    struct admin_server *admin; /* null: refused at a restart */
    struct status status;
    struct own_sockets own_sockets;
    struct early_refusal early[EARLY_REFUSALS_MAX]; /* told once there is a controller */
    size_t early_count;
    bool is_provisional; /* until the supervisor commits */
    uint64_t proxy_start_count;
    int exit_code;
};

static bool is_first_start(const struct control *c)
{
    return c->options->control_restarts == 0;
}

/* ---- configuration ---- */

/* Of what is in force for good: not of what a program runs by that may have to go back, nor of the copy itself. */
static void save_copy(const struct control *c)
{
    struct error error;
    if (c->is_provisional || c->status.is_config_fallback)
        return;
    if (!config_file_save_copy(c->config, c->options->state_dir, &error))
        log_warn("no copy of the configuration for a later start: %s", error.text);
}

static bool load_config(struct control *c)
{
    struct config_problems problems;
    c->config = config_load_file(c->options->config_path, &problems);
    config_file_log_problems(&problems);
    config_problems_fini(&problems);
    if (c->config)
        return true;
    if (is_first_start(c))
        return false;
    c->config = config_file_load_copy(c->options->state_dir, &problems);
    config_file_log_problems(&problems);
    config_problems_fini(&problems);
    c->status.is_config_fallback = true;
    log_error("the configuration is bad (above): %s",
              c->config ? "the last good one stays in force" : "and there is no copy of the last good one");
    return c->config != NULL;
}

static bool has_service(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->service_count; i++)
        if (strcmp(config->services[i].name, name) == 0)
            return true;
    return false;
}

static void configure_checks(struct control *c, const struct config *before)
{
    for (size_t i = 0; before && i < before->service_count; i++)
        if (!has_service(c->config, before->services[i].name))
            health_checker_configure(c->checker, before->services[i].name, NULL, false);
    for (size_t i = 0; i < c->config->service_count; i++) {
        const struct config_service *service = &c->config->services[i];
        bool sends_proxy_header = strcmp(service->proxy_protocol, "off") != 0;
        health_checker_configure(c->checker, service->name, &service->health_check, sends_proxy_header);
    }
}

static void reload_providers(struct control *c)
{
    for (size_t i = 0; i < c->provider_count; i++) {
        struct provider *provider = &c->providers[i];
        struct error error = { "" };
        bool ok = provider->state ? provider->ops->reload(provider, c->config, &error)
                                  : provider->ops->start(provider, c->config, &error);
        if (!ok)
            log_error("%s provider: %s", provider->ops->name, error.text);
    }
}

/* A date in the future would adopt what somebody is yet to start. */
static void adopt_claims(struct control *c)
{
    const char *before = c->config->docker.adopt_created_before;
    int64_t now_us = clock_wall_us(), adopted_us = before ? docker_time_parse_us(before) : 0;
    if (adopted_us > now_us)
        log_warn("docker.adoptCreatedBefore %s is in the future: taken as now", before);
    c->ownership = c->stored_ownership;
    if (adopted_us > c->ownership.claims_hold_before_wall_us)
        c->ownership.claims_hold_before_wall_us = adopted_us > now_us ? now_us : adopted_us;
    if (c->ownership.claims_hold_before_wall_us == 0)
        return;
    char until[32];
    clock_format_wall(c->ownership.claims_hold_before_wall_us, until);
    log_info("containers with our labels that were created before %s count as ours without a proof", until);
}

/* A token can be changed without a restart; its absence only where the address in force is loopback. */
static void reconfigure_admin(struct control *c, const struct config_admin *wanted)
{
    struct error error = { "" };
    if (c->admin &&
        !admin_server_reconfigure(c->admin, wanted->token, wanted->allowed_hosts, wanted->allowed_host_count, &error))
        log_error("admin: %s", error.text);
}

static void warn_of_restart(const struct control *c, const struct config *wanted)
{
    char names[512];
    if (config_restart_needed(c->started_config, wanted, names, sizeof names))
        log_warn("changed, but in force only after a restart: %s", names);
}

static void take_over(struct control *c, struct config *wanted)
{
    struct config *before = c->config;
    warn_of_restart(c, wanted);
    c->config = wanted;
    configure_checks(c, before);
    adopt_claims(c);
    if (c->runtime)
        docker_runtime_reconfigure(c->runtime, &wanted->docker);
    controller_apply_config(c->controller, wanted);
    publisher_apply_config(c->publisher, wanted);
    reload_providers(c);
    reconfigure_admin(c, &wanted->admin);
    if (before != c->started_config)
        config_free(before);
    c->status.reload_count++;
    c->status.is_config_fallback = false;
    save_copy(c);
    log_info("configuration read again: %zu services", wanted->service_count);
}

static void reload(struct control *c)
{
    struct config_problems problems;
    struct config *wanted = config_load_file(c->options->config_path, &problems);
    config_file_log_problems(&problems);
    if (wanted && wanted->is_token_exposed)
        log_warn("admin.token: %s", CONFIG_SECRET_EXPOSED);
    if (wanted && wanted->is_password_exposed)
        log_warn("docker.registries[].password: %s", CONFIG_SECRET_EXPOSED);
    if (wanted) {
        take_over(c, wanted);
    } else {
        c->status.reload_failure_count++;
        log_error("the configuration has %zu problems (above): the old one stays in force", problems.count);
    }
    config_problems_fini(&problems);
    if (c->status.is_store_missing) {
        log_info("starting again, to open the durable state");
        c->exit_code = EXIT_AGAIN;
        loop_stop(c->loop);
    }
}

/* ---- the other processes ---- */

static void count_proxy_start(struct control *c)
{
    c->proxy_start_count++;
    c->status.proxy_restart_count = c->proxy_start_count - 1;
}

/* There is no way back: what the program before us could not read may be written. */
static void settle(struct control *c)
{
    struct error error = { "" };
    c->is_provisional = false;
    save_copy(c);
    if (!c->store || store_sqlite_settle(c->store, &error)) {
        controller_hold(c->controller, false);
        return;
    }
    log_error("durable state: %s; starting again", error.text);
    c->exit_code = EXIT_AGAIN;
    loop_stop(c->loop);
}

static void control_on_message(void *owner, enum child_message message, int fd)
{
    struct control *c = owner;
    if (message == CHILD_MESSAGE_LINK && fd >= 0) {
        publisher_set_link(c->publisher, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (message == CHILD_MESSAGE_RELOAD)
        reload(c);
    else if (message == CHILD_MESSAGE_STARTED)
        count_proxy_start(c);
    else if (message == CHILD_MESSAGE_COMMIT)
        settle(c);
    else if (message == CHILD_MESSAGE_ENDED)
        proxy_view_forget_unreadable(&c->view);
}

static void control_on_supervisor_close(void *owner)
{
    struct control *c = owner;
    log_error("the supervisor is gone: stopping");
    loop_stop(c->loop);
}

static void control_on_signal(void *owner, int number)
{
    struct control *c = owner;
    if (number == SIGTERM)
        loop_stop(c->loop);
}

static void on_beat(void *owner)
{
    struct control *c = owner;
    child_channel_send(c->supervisor, CHILD_MESSAGE_BEAT, -1);
}

static void ask_for_link(void *owner)
{
    struct control *c = owner;
    child_channel_send(c->supervisor, CHILD_MESSAGE_RELINK, -1);
}

/* The endpoints file is read before there is a controller to note anything. */
static void on_refusal(void *owner, const char *service, const char *text)
{
    struct control *c = owner;
    if (c->controller) {
        controller_note_event(c->controller, service, text);
    } else if (c->early_count < EARLY_REFUSALS_MAX) {
        struct early_refusal *early = &c->early[c->early_count++];
        snprintf(early->service, sizeof early->service, "%s", service);
        snprintf(early->text, sizeof early->text, "%s", text);
    }
}

/* The engine hangs, or is away: what the process before this one knew of its containers, the proxy was told. */
static void recall(void *owner, const char *provider)
{
    struct control *c = owner;
    char text[200];
    size_t count;
    if (!c->docker || strcmp(provider, c->docker->ops->name) != 0 || !task_memory_recall(c->memory, &count))
        return;
    snprintf(text, sizeof text,
             "the Docker Engine gives no list of containers: until it does, the %zu tasks of before the restart are "
             "taken for what they were",
             count);
    log_warn("%s", text);
    on_refusal(c, "", text);
}

/* ---- start ---- */

static bool start_docker(struct control *c, struct error *error)
{
    if (!c->config->docker.enabled)
        return true;
    c->engine = docker_engine_new(c->loop, c->http, &c->config->docker, error);
    return c->engine != NULL;
}

static bool start_providers(struct control *c, struct error *error)
{
    const struct provider_parts parts = { .loop = c->loop,
                                          .registry = c->registry,
                                          .engine = c->engine,
                                          .ownership = c->store ? &c->ownership : NULL,
                                          .own_sockets = &c->own_sockets,
                                          .on_refusal = on_refusal,
                                          .owner = c };
    for (size_t i = 0; i < provider_kinds_count() && c->provider_count < PUBLISHER_PROVIDERS_MAX; i++) {
        const struct provider_ops *ops = provider_kind(i);
        if (!ops->is_configured(c->config))
            continue;
        struct provider *provider = &c->providers[c->provider_count++];
        provider_init(provider, ops, &parts);
        publisher_add_provider(c->publisher, provider->index);
        if (strcmp(ops->name, "docker") == 0) {
            c->docker = provider;
            c->memory = task_memory_new(c->loop, c->registry, provider->index, c->options->state_dir);
        }
        if (ops->start(provider, c->config, error))
            continue;
        if (is_first_start(c))
            return false;
        log_error("%s provider: %s", ops->name, error->text);
    }
    return true;
}

/* Without its memory the controller might take tasks away that somebody asked for: then it only watches. */
static bool open_store(struct control *c, struct error *error)
{
    c->store = c->is_provisional ? store_sqlite_open_held(c->options->state_dir, error)
                                 : store_ops_sqlite.open(c->options->state_dir, error);
    if (c->store && c->store->ops->load_ownership(c->store, &c->stored_ownership, error)) {
        adopt_claims(c);
        return true;
    }
    if (c->store)
        c->store->ops->close(c->store);
    c->store = NULL;
    if (is_first_start(c) && c->config->docker.enabled)
        return false;
    c->status.is_store_missing = c->config->docker.enabled;
    log_error("durable state: %s%s", error->text, c->config->docker.enabled ? "; no task is started or stopped" : "");
    return true;
}

static void start_controller(struct control *c)
{
    if (c->engine && c->store)
        c->runtime = docker_runtime_new(c->loop, c->engine, c->config->cluster, &c->ownership, &c->config->docker);
    c->controller = controller_new(&(struct controller_parts){ .loop = c->loop,
                                                               .registry = c->registry,
                                                               .runtime_provider = c->docker ? c->docker->index : 0,
                                                               .runtime = c->runtime,
                                                               .store = c->store ? c->store : store_unavailable(),
                                                               .data_plane = proxy_view_data_plane(&c->view) });
    for (size_t i = 0; i < c->early_count; i++)
        controller_note_event(c->controller, c->early[i].service, c->early[i].text);
    controller_hold(c->controller, c->store && store_sqlite_is_held(c->store));
    controller_apply_config(c->controller, c->config);
    controller_start(c->controller);
}

static void start_resources(struct control *c)
{
    struct error error = { "" };
    c->resources = resource_book_new(&resource_limits_default);
    if (c->store)
        c->desk = resource_desk_new(c->resources, c->store, c->loop, &error);
    if (c->store && !c->desk)
        log_error("durable state: %s", error.text);
}

static bool start_admin(struct control *c, struct error *error)
{
    c->admin = admin_server_new(&(struct admin_parts){ .loop = c->loop,
                                                       .config = &c->config->admin,
                                                       .controller = c->controller,
                                                       .registry = c->registry,
                                                       .resources = c->desk,
                                                       .data_plane = proxy_view_data_plane(&c->view),
                                                       .daemon = &status_admin_ops,
                                                       .daemon_owner = &c->status,
                                                       .version = PORTICO_VERSION,
                                                       .listen_fd = c->options->admin_fd },
                                error);
    if (c->admin)
        return true;
    log_error("admin API: %s", error->text);
    return !is_first_start(c);
}

static void fill_status(struct control *c)
{
    c->status.publisher = c->publisher;
    c->status.view = &c->view;
    c->status.engine = c->engine;
    c->status.docker = c->docker;
    c->status.providers = c->providers;
    c->status.provider_count = c->provider_count;
    c->status.checker = c->checker;
    c->status.desk = c->desk;
    c->status.store = c->engine ? c->store : NULL;
    c->status.control_restart_count = (uint64_t)c->options->control_restarts;
    c->status.upgrade_count = (uint64_t)c->options->upgrades;
    c->proxy_start_count = (uint64_t)c->options->proxy_starts;
    c->status.proxy_restart_count = c->proxy_start_count > 0 ? c->proxy_start_count - 1 : 0;
}

/* Of our proxy, and of those before it, which may be of another version. */
static bool map_counters(struct control *c, struct error *error)
{
    const struct control_options *options = c->options;
    c->stats = stats_map_reader(options->stats_fds[0], error);
    if (!c->stats)
        return false;
    c->view = (struct proxy_view){ .stats = c->stats, .unreadable_count = (uint32_t)options->unreadable_proxies };
    for (size_t i = 1; i < options->stats_fd_count && c->view.earlier_count < PROXY_VIEW_EARLIER_MAX; i++) {
        struct stats_region *region = stats_map_reader(options->stats_fds[i], NULL);
        if (region)
            c->earlier_stats[c->view.earlier_count] = region;
        if (region)
            c->view.earlier[c->view.earlier_count++] = region;
    }
    for (size_t i = 0; i < options->stats_fd_count; i++)
        close(options->stats_fds[i]);
    return true;
}

static bool start_parts(struct control *c, struct error *error)
{
    const struct control_options *options = c->options;
    if (!map_counters(c, error))
        return false;
    own_sockets_init(&c->own_sockets, c->started_config);
    c->registry = task_registry_new();
    c->http = http_client_new(c->loop, HTTP_CALLS_MAX);
    c->publisher = publisher_new(
        &(struct publisher_parts){ .loop = c->loop,
                                   .registry = c->registry,
                                   .bound_listeners = options->listeners,
                                   .serial_base = publisher_serial_base((uint64_t)options->control_restarts),
                                   .succeeds = options->succeeds,
                                   .is_restart = !is_first_start(c),
                                   .recall = recall,
                                   .ask_for_link = ask_for_link,
                                   .on_refusal = on_refusal,
                                   .owner = c });
    c->view.publisher = c->publisher;
    c->checker = health_checker_new(c->loop, c->http, c->registry);
    configure_checks(c, NULL);
    publisher_apply_config(c->publisher, c->config);
    if (!start_docker(c, error) || !open_store(c, error) || !start_providers(c, error))
        return false;
    start_controller(c);
    start_resources(c);
    fill_status(c);
    return start_admin(c, error);
}

static void start_links(struct control *c)
{
    static const struct child_channel_callbacks callbacks = { .on_message = control_on_message,
                                                              .on_close = control_on_supervisor_close };
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
    signals_start(&c->signals, c->loop, numbers, sizeof numbers / sizeof *numbers, control_on_signal, c);
    c->supervisor = child_channel_new(c->loop, c->options->supervisor_fd, &callbacks, c);
    if (c->options->link_fd >= 0)
        publisher_set_link(c->publisher, c->options->link_fd);
    child_channel_send(c->supervisor, CHILD_MESSAGE_READY, -1);
    timer_init(&c->beat, c->loop, on_beat, c);
    timer_start_every(&c->beat, BEAT_MS);
}

/* ---- stop: in the reverse order; whatever was not started is null ---- */

static void stop_parts(struct control *c)
{
    if (c->admin)
        admin_server_free(c->admin);
    if (c->controller)
        controller_free(c->controller);
    if (c->runtime)
        c->runtime->ops->close(c->runtime);
    if (c->store)
        c->store->ops->close(c->store); /* answers what waits */
    if (c->desk)
        resource_desk_free(c->desk);
    if (c->resources)
        resource_book_free(c->resources);
    for (size_t i = 0; i < c->provider_count; i++)
        c->providers[i].ops->stop(&c->providers[i]);
    if (c->checker)
        health_checker_free(c->checker);
    if (c->engine)
        docker_engine_free(c->engine);
    publisher_free(c->publisher);
    if (c->http)
        http_client_free(c->http);
    task_memory_free(c->memory);
    if (c->registry)
        task_registry_free(c->registry);
    stats_unmap(c->stats);
    for (size_t i = 0; i < c->view.earlier_count; i++)
        stats_unmap(c->earlier_stats[i]);
}

int control_run(const struct control_options *options)
{
    struct control c = { .options = options, .is_provisional = options->is_provisional };
    struct error error = { "" };
    log_init("control", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* "open the access log anew" is for the supervisor; control has none */
    if (!load_config(&c))
        return is_first_start(&c) ? EXIT_REFUSED : EXIT_AGAIN;
    c.started_config = c.config;
    log_init("control", config_file_log_level(c.config->log_level));
    c.loop = loop_new();
    if (start_parts(&c, &error)) {
        save_copy(&c);
        start_links(&c);
        loop_run(c.loop);
        timer_stop(&c.beat);
        signals_stop(&c.signals);
        child_channel_free(c.supervisor);
    } else {
        log_error("cannot start: %s", error.text);
        c.exit_code = is_first_start(&c) ? EXIT_REFUSED : EXIT_AGAIN;
    }
    stop_parts(&c);
    loop_free(c.loop);
    if (c.config != c.started_config)
        config_free(c.config);
    config_free(c.started_config);
    return c.exit_code;
}
