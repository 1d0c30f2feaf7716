#include "discovery/docker/provider.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/local_links.h"
#include "base/log.h"
#include "base/mem.h"
#include "discovery/docker/container_set.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/engine_call.h"
#include "discovery/docker/event_stream.h"
#include "discovery/docker/id_list.h"
#include "discovery/docker/label_policy.h"
#include "discovery/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Our own first, by a label that nothing else has. One after the other: the engine joins several labels of one list with
 * AND. */
#define LISTS_COUNT CONTAINER_KIND_COUNT

struct docker_provider {
    struct provider *provider;
    struct docker_engine *engine; /* borrowed */
    struct docker_event_stream *stream;
    struct container_set *set;
    char *cluster, *network; /* owned; the latter may be null */
    char **joinable;         /* owned, each too: names of the configuration's services, sorted */
    size_t joinable_count;
    struct label_policy policy;
    struct local_links links;
    struct docker_call *list; /* null: none under way */
    struct id_list ids;       /* of its answer so far */
    size_t lists_done;
    bool is_syncing;
    bool sync_again; /* asked for while one was under way */
    uint64_t syncs_count;
    struct timer retry;
    unsigned failed_syncs;  /* in a row */
    char sync_failure[200]; /* why the last one failed, of what has been said; "": it did not */
    unsigned short random_seed[3];
    char problem[600];
};

static void sync_next_list(struct docker_provider *p);

/* ---- full list ---- */

static void sync_start(struct docker_provider *p)
{
    if (p->is_syncing) {
        p->sync_again = true;
        return;
    }
    timer_stop(&p->retry);
    p->is_syncing = true;
    p->sync_again = false;
    p->lists_done = 0;
    local_links_read(&p->links);
    task_registry_begin_sync(p->provider->parts.registry, p->provider->index);
    container_set_begin_sync(p->set);
    sync_next_list(p);
}

/* Nothing is removed: the registry keeps what it had until a sync ends. */
static void sync_abort(struct docker_provider *p)
{
    if (p->list)
        docker_engine_cancel(p->engine, p->list);
    p->list = NULL;
    p->is_syncing = false;
    p->sync_again = false;
}

/* A list that the engine could not give. Again, more and more slowly; said once. why: "": it has been said. */
static void sync_put_off(struct docker_provider *p, const char *why)
{
    char words[sizeof p->sync_failure];
    snprintf(words, sizeof words, "%s", why);
    if (words[0] && strcmp(words, p->sync_failure) != 0)
        log_warn("docker: %s; the list is asked for again", words);
    memcpy(p->sync_failure, words, sizeof words);
    sync_abort(p);
    timer_start(&p->retry, docker_backoff_ms(p->failed_syncs++, (uint32_t)nrand48(p->random_seed)));
}

static void sync_finish_if_done(void *owner)
{
    struct docker_provider *p = owner;
    struct task_registry *registry = p->provider->parts.registry;
    if (!p->is_syncing || p->lists_done < LISTS_COUNT || !container_set_is_settled(p->set))
        return;
    p->is_syncing = false;
    p->syncs_count++;
    p->failed_syncs = 0;
    p->sync_failure[0] = '\0';
    container_set_end_sync(p->set);
    bool was_recalled =
        task_registry_is_known(registry, p->provider->index) && !task_registry_is_synced(registry, p->provider->index);
    task_registry_end_sync(registry, p->provider->index);
    if (was_recalled && p->provider->parts.on_refusal)
        p->provider->parts.on_refusal(p->provider->parts.owner, "",
                                      "the Docker Engine's list of containers is complete: nothing is taken for what "
                                      "it was any more");
    struct container_set_status status;
    container_set_status(p->set, &status);
    log_info("docker: full list taken in, %zu containers with our labels", status.known_count);
    if (p->sync_again)
        sync_start(p);
}

static void provider_on_retry(void *owner)
{
    struct docker_provider *p = owner;
    if (docker_event_stream_is_open(p->stream)) /* else on_gap comes when it opens again */
        sync_start(p);
}

/* The kind of those in the list under way. */
static enum container_kind listed_kind(const struct docker_provider *p)
{
    return p->lists_done == 0 ? CONTAINER_OWN : CONTAINER_OF_OTHERS;
}

static void on_listed_id(void *owner, const char *id)
{
    struct docker_provider *p = owner;
    container_set_list(p->set, id, listed_kind(p));
}

static bool on_list_piece(void *owner, struct slice piece)
{
    struct docker_provider *p = owner;
    return id_list_feed(&p->ids, piece, on_listed_id, p);
}

static void on_listed(void *owner, const struct docker_answer *answer)
{
    struct docker_provider *p = owner;
    p->list = NULL;
    bool is_whole = docker_answer_is_ok(answer) && id_list_is_complete(&p->ids);
    if (is_whole) {
        p->lists_done++;
        sync_next_list(p);
        return;
    }
    bool is_nonsense = docker_answer_is_ok(answer) || answer->result == DOCKER_BAD_ANSWER;
    sync_put_off(p, is_nonsense                            ? "list: it is not an array of containers"
                    : answer->result == DOCKER_UNREACHABLE ? ""
                                                           : answer->text);
}

static void sync_next_list(struct docker_provider *p)
{
    char *own = mem_printf(DOCKER_LABEL_CLUSTER "=%s", p->cluster);
    p->ids = (struct id_list){ .state = ID_LIST_BEFORE };
    if (p->lists_done < LISTS_COUNT)
        p->list = docker_engine_list(p->engine, listed_kind(p) == CONTAINER_OWN ? own : DOCKER_LABEL_ENABLE,
                                     on_list_piece, on_listed, p);
    else
        sync_finish_if_done(p);
    free(own);
}

/* ---- what the engine tells ---- */

static void on_gap(void *owner)
{
    sync_start(owner);
}

/* Of the host: a new bridge. Of the container that Portico is in: its own joining of a network, after which all addresses
 * are chosen anew. */
static void follow_links(struct docker_provider *p, const struct docker_event *event)
{
    struct local_links now = { 0 };
    if ((event->action != DOCKER_EVENT_CHANGED && event->action != DOCKER_EVENT_START) || !local_links_read(&now))
        return;
    struct local_links before = p->links;
    p->links = now;
    if (!local_links_equal(&before, &now))
        sync_start(p);
    local_links_fini(&before);
}

static void on_event(void *owner, const struct docker_event *event)
{
    struct docker_provider *p = owner;
    log_debug("docker event: %s %.12s", docker_event_action_to_str(event->action), event->id);
    const struct task *task = task_registry_find(p->provider->parts.registry, event->id);
    bool is_ending = event->action == DOCKER_EVENT_KILL || event->action == DOCKER_EVENT_DIE;
    if (is_ending && task && task->spec.managed)
        docker_engine_doubt(p->engine); /* it may be shutting down: then its containers are the first to go */
    follow_links(p, event);
    container_set_take_event(p->set, event);
}

static void on_lost(void *owner)
{
    struct docker_provider *p = owner;
    if (!p->is_syncing)
        return;
    sync_put_off(p, "");
}

static void on_ignored(void *owner, bool is_ignored)
{
    struct docker_provider *p = owner;
    if (is_ignored)
        p->provider->refused_count++;
    else
        p->provider->refused_count--;
}

static void on_refusal(void *owner, const char *service, const char *text)
{
    struct docker_provider *p = owner;
    provider_tell_refusal(p->provider, service, text);
}

static void on_engine_state(void *owner, enum docker_engine_state state)
{
    struct docker_provider *p = owner;
    if (state != DOCKER_ENGINE_REACHABLE)
        return;
    docker_event_stream_retry_now(p->stream);
    container_set_look_again(p->set);
}

/* ---- the configuration's services ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_joinable(struct docker_provider *p)
{
    for (size_t i = 0; i < p->joinable_count; i++)
        free(p->joinable[i]);
    free(p->joinable);
}

static void set_joinable(struct docker_provider *p, const struct config *config)
{
    free_joinable(p);
    p->joinable_count = config->service_count;
    p->joinable = mem_alloc_array(p->joinable_count + 1, sizeof *p->joinable);
    for (size_t i = 0; i < p->joinable_count; i++)
        p->joinable[i] = mem_strdup(config->services[i].name);
    qsort(p->joinable, p->joinable_count, sizeof *p->joinable, compare_names);
    container_set_set_joinable(p->set,
                               (struct joinable_services){ (const char *const *)p->joinable, p->joinable_count });
}

/* ---- ops ---- */

static bool docker_is_configured(const struct config *config)
{
    return config->docker.enabled;
}

static bool docker_start(struct provider *provider, const struct config *config, struct error *error)
{
    check(provider->state == NULL);
    if (!provider->parts.engine)
        return error_set(error, "the docker provider has no engine");
    struct docker_provider *p = mem_alloc(sizeof *p);
    p->provider = provider;
    p->engine = provider->parts.engine;
    p->cluster = mem_strdup(config->cluster);
    p->network = config->docker.network ? mem_strdup(config->docker.network) : NULL;
    label_policy_set(&p->policy, config);
    timer_init(&p->retry, provider->parts.loop, provider_on_retry, p);
    memcpy(p->random_seed, &(int64_t){ clock_now_us() }, sizeof p->random_seed);
    p->set = container_set_new(&(struct container_set_parts){
        .loop = provider->parts.loop,
        .engine = p->engine,
        .registry = provider->parts.registry,
        .provider = provider->index,
        .scope = { .cluster = p->cluster,
                   .network = p->network,
                   .links = &p->links,
                   .remote_host = docker_engine_remote_host(p->engine),
                   .ownership = provider->parts.ownership,
                   .own_sockets = provider->parts.own_sockets,
                   .policy = &p->policy },
        .on_settled = sync_finish_if_done,
        .on_lost = on_lost,
        .on_ignored = on_ignored,
        .on_refusal = on_refusal,
        .owner = p,
    });
    set_joinable(p, config);
    p->stream = docker_event_stream_new(
        provider->parts.loop, p->engine,
        &(struct docker_event_stream_callbacks){ .on_gap = on_gap, .on_event = on_event, .owner = p });
    provider->state = p;
    docker_engine_set_listener(p->engine, on_engine_state, p);
    docker_event_stream_start(p->stream);
    return true;
}

static bool docker_reload(struct provider *provider, const struct config *config, struct error *error)
{
    (void)error; /* the keys of `docker` need a restart; what containers may do follows the services */
    struct docker_provider *p = provider->state;
    if (p) {
        set_joinable(p, config);
        label_policy_set(&p->policy, config);
        container_set_enforce_policy(p->set);
    }
    if (p && docker_event_stream_is_open(p->stream))
        sync_start(p);
    return true;
}

static void docker_stop(struct provider *provider)
{
    struct docker_provider *p = provider->state;
    if (!p)
        return;
    provider->state = NULL;
    docker_engine_set_listener(p->engine, NULL, NULL);
    timer_stop(&p->retry);
    sync_abort(p);
    docker_event_stream_free(p->stream);
    container_set_free(p->set);
    free_joinable(p);
    label_policy_fini(&p->policy);
    local_links_fini(&p->links);
    free(p->cluster);
    free(p->network);
    free(p);
}

static const char *docker_find_problem(const struct provider *provider)
{
    struct docker_provider *p = provider->state;
    struct docker_engine_status engine;
    if (!p)
        return "the docker provider is stopped";
    docker_engine_status(p->engine, &engine);
    if (engine.state == DOCKER_ENGINE_UNREACHABLE) {
        snprintf(p->problem, sizeof p->problem, "the Docker Engine is unreachable: %s", engine.error);
        return p->problem;
    }
    if (!docker_event_stream_is_open(p->stream))
        return "the Docker event stream is not open";
    if (!task_registry_is_synced(provider->parts.registry, provider->index)) {
        snprintf(p->problem, sizeof p->problem, "the first list of containers is not complete%s%s",
                 p->sync_failure[0] ? ": " : "", p->sync_failure);
        return p->problem;
    }
    return NULL;
}

const struct provider_ops provider_docker_ops = {
    .name = "docker",
    .summary = "containers of a Docker Engine, by their labels",
    .is_configured = docker_is_configured,
    .start = docker_start,
    .reload = docker_reload,
    .stop = docker_stop,
    .find_problem = docker_find_problem,
};

/* ---- public ---- */

void docker_provider_status(const struct provider *provider, struct docker_provider_status *out)
{
    const struct docker_provider *p = provider->state;
    struct docker_event_stream_status stream;
    struct container_set_status set;
    *out = (struct docker_provider_status){ 0 };
    if (!p || provider->ops != &provider_docker_ops)
        return;
    docker_event_stream_status(p->stream, &stream);
    container_set_status(p->set, &set);
    *out = (struct docker_provider_status){
        .stream_open = stream.open,
        .syncing = p->is_syncing,
        .events_count = stream.events_count,
        .bad_lines_count = stream.bad_lines_count + stream.dropped_lines_count,
        .stream_opened_count = stream.opened_count,
        .syncs_count = p->syncs_count,
        .inspects_count = set.looks_count,
        .ignored_count = set.ignored_count,
    };
}
