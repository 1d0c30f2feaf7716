#include "controller/runtime/docker_runtime.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "controller/runtime/create_body.h"
#include "controller/runtime/docker_pull.h"
#include "controller/runtime/log_tail.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/labels.h"
#include "discovery/revision.h"

#define OUTPUT_WAIT_MS 2000 /* in all, with the wait for a turn: removals do not wait for logging drivers */

struct docker_runtime;

/* One order under way: a few engine calls, one after the other.
 *
 *   create_and_start:  create -> start -> done          stop:    inspect -> stop -> done
 *                          \        \-> remove -> done   remove:  inspect -> logs -> remove -> done
 *                           \-> remove -> done (cancelled)
 *   resolve:  inspect the image -> done */
struct flight {
    struct docker_runtime *runtime;
    struct flight *prev, *next;
    struct docker_call *call;
    char task_id[TASK_ID_SIZE];
    char service[TASK_NAME_SIZE]; /* its calls take turns with those of other services */
    int64_t stop_timeout_ms;      /* stop; negative: remove */
    runtime_start_cb started;
    runtime_done_cb done;
    void *owner;
    bool is_cancelled;          /* not to be started any more */
    enum runtime_result result; /* of a start that came to nothing, while its container is being removed */
    char text[512];             /* of such a start */
    struct last_words words;    /* owned; of a removal, once it was inspected */
    struct log_tail tail;       /* owned; while its output is read */
    struct timer patience;      /* with that */
};

struct docker_runtime {
    struct runtime base; /* first */
    struct loop *loop;   /* borrowed */
    struct docker_engine *engine;
    char *cluster, *network;           /* owned; network may be null */
    const struct ownership *ownership; /* borrowed */
    struct flight *flights;            /* owned */
    struct docker_pulls pulls;
};

static json_t *labels_of(const struct task_order *order, const char *cluster, const struct ownership *ownership)
{
    json_t *labels = json_object();
    char port[24], proof[OWNERSHIP_PROOF_SIZE];
    snprintf(port, sizeof port, "%" PRId64, order->service->port);
    ownership_prove(ownership,
                    &(struct ownership_claim){ .cluster = cluster,
                                               .name = order->name,
                                               .service = order->service->name,
                                               .revision = order->revision,
                                               .port = port },
                    proof);
    json_object_set_new(labels, DOCKER_LABEL_MANAGED_BY, json_string(DOCKER_LABEL_MANAGED_BY_US));
    json_object_set_new(labels, DOCKER_LABEL_CLUSTER, json_string(cluster));
    json_object_set_new(labels, DOCKER_LABEL_SERVICE, json_string(order->service->name));
    json_object_set_new(labels, DOCKER_LABEL_PORT, json_string(port));
    json_object_set_new(labels, DOCKER_LABEL_REVISION, json_string(order->revision));
    json_object_set_new(labels, DOCKER_LABEL_PROOF, json_string(proof));
    json_object_set_new(labels, DOCKER_LABEL_IMAGE, json_string(order->service->image));
    return labels;
}

/* A service of the configuration as a definition of one container. Its texts are borrowed. */
struct service_container {
    struct task_definition definition;
    struct container_definition container;
    struct port_mapping port;
    struct name_value *environment; /* owned */
};

static void service_container_init(struct service_container *s, const struct config_service *service)
{
    *s = (struct service_container){ .definition = { .containers = &s->container, .container_count = 1 } };
    s->port = (struct port_mapping){ .container_port = service->port };
    s->environment = mem_alloc_array(service->environment_count, sizeof *s->environment);
    for (size_t i = 0; i < service->environment_count; i++)
        s->environment[i] = (struct name_value){ service->environment[i].name, service->environment[i].value };
    s->container = (struct container_definition){
        .cpu = service->cpu > 0 ? service->cpu : DEFINITION_UNSET,
        .memory_mib = service->memory_mib > 0 ? service->memory_mib : DEFINITION_UNSET,
        .memory_reservation_mib = DEFINITION_UNSET,
        .command = service->command,
        .command_count = service->command_count,
        .environment = s->environment,
        .environment_count = service->environment_count,
        .port_mappings = &s->port,
        .port_mapping_count = 1,
        .stop_timeout_s = (service->stop_timeout_ms + 999) / 1000,
    };
}

char *docker_runtime_body(const struct task_order *order, const char *cluster, const struct ownership *ownership,
                          const char *network, bool publish)
{
    struct service_container s;
    json_t *labels = labels_of(order, cluster, ownership);
    service_container_init(&s, order->service);
    json_t *body = create_body_write(
        &(struct create_order){ .definition = &s.definition,
                                .image = order->image_id[0] != '\0' ? order->image_id : order->service->image,
                                .labels = labels,
                                .network = network,
                                .ports = publish ? CREATE_PORTS_PUBLISHED : CREATE_PORTS_EXPOSED,
                                .keeps_image_health = true });
    char *text = json_to_text(body);
    json_decref(body);
    json_decref(labels);
    free(s.environment);
    return text;
}

bool docker_runtime_is_ours(struct slice inspect_text, const char *id_or_name, const char *cluster,
                            const struct ownership *ownership)
{
    json_t *container = json_parse_bounded(inspect_text, &json_limits_default, NULL);
    const char *id = json_find_string(container, "Id"), *name = json_find_string(container, "Name");
    bool is_meant = (id != NULL && strcmp(id, id_or_name) == 0) ||
                    (name != NULL && name[0] == '/' && strcmp(name + 1, id_or_name) == 0);
    bool is_ours = is_meant && ownership_of(container, cluster, ownership) == OWNERSHIP_OURS;
    json_decref(container);
    return is_ours;
}

static enum runtime_result result_of(const struct docker_answer *answer)
{
    switch (answer->result) {
    case DOCKER_OK:
    case DOCKER_ALREADY:
        return RUNTIME_OK;
    case DOCKER_NOT_FOUND:
    case DOCKER_CONFLICT:
    case DOCKER_REFUSED:
        return RUNTIME_REFUSED;
    case DOCKER_TIMEOUT:
        return RUNTIME_UNKNOWN;
    case DOCKER_UNREACHABLE:
        return RUNTIME_UNREACHABLE;
    default:
        return RUNTIME_FAILED;
    }
}

static void on_patience_over(void *owner);

static struct flight *flight_new(struct runtime *runtime, const char *task_id, void *owner)
{
    struct flight *f = mem_alloc(sizeof *f);
    f->runtime = (struct docker_runtime *)runtime;
    timer_init(&f->patience, f->runtime->loop, on_patience_over, f);
    log_tail_init(&f->tail);
    f->owner = owner;
    snprintf(f->task_id, sizeof f->task_id, "%s", task_id);
    f->next = f->runtime->flights;
    if (f->next != NULL)
        f->next->prev = f;
    f->runtime->flights = f;
    return f;
}

/* What it has read stays with the copy that was made of it. */
static void flight_free(struct flight *f)
{
    timer_stop(&f->patience);
    log_tail_fini(&f->tail);
    if (f->next != NULL)
        f->next->prev = f->prev;
    if (f->prev != NULL)
        f->prev->next = f->next;
    else
        f->runtime->flights = f->next;
    free(f);
}

/* The flight is gone before the owner hears of it: the owner may give another order, or close us. */
static void flight_finish(struct flight *f, enum runtime_result result, const char *text)
{
    struct flight last = *f;
    flight_free(f);
    if (last.started != NULL)
        last.started(last.owner, result, last.task_id, text);
    else
        last.done(last.owner, result, text, last.words.id[0] != '\0' ? &last.words : NULL);
    last_words_fini(&last.words);
}

static void on_failed_start_removed(void *owner, const struct docker_answer *answer)
{
    struct flight *f = owner;
    if (docker_answer_is_ok(answer) || answer->result == DOCKER_NOT_FOUND)
        f->task_id[0] = '\0';
    char text[sizeof f->text];
    snprintf(text, sizeof text, "%s", f->text);
    flight_finish(f, f->result, text);
}

static void remove_unstarted(struct flight *f, enum runtime_result result, const char *text)
{
    f->result = result;
    snprintf(f->text, sizeof f->text, "%s", text);
    f->call = docker_engine_remove(f->runtime->engine, f->service, f->task_id, false, on_failed_start_removed, f);
}

static void on_start_answer(void *owner, const struct docker_answer *answer)
{
    struct flight *f = owner;
    enum runtime_result result = result_of(answer);
    if (result == RUNTIME_OK || result == RUNTIME_UNKNOWN || result == RUNTIME_UNREACHABLE)
        flight_finish(f, result, answer->text); /* not known: it may be running, discovery will tell */
    else
        remove_unstarted(f, result, answer->text);
}

static void on_create_answer(void *owner, const struct docker_answer *answer)
{
    struct flight *f = owner;
    char id[DOCKER_ID_SIZE];
    if (!docker_answer_is_ok(answer)) {
        flight_finish(f, answer->result == DOCKER_NOT_FOUND ? RUNTIME_IMAGE_MISSING : result_of(answer), answer->text);
        return;
    }
    if (!docker_answer_find_id(answer, id)) {
        flight_finish(f, RUNTIME_FAILED, "the engine's answer to a create names no container");
        return;
    }
    snprintf(f->task_id, sizeof f->task_id, "%s", id);
    if (f->is_cancelled) {
        remove_unstarted(f, RUNTIME_CANCELLED, "cancelled before it was started");
        return;
    }
    f->call = docker_engine_start(f->runtime->engine, f->service, f->task_id, on_start_answer, f);
}

static void docker_create_and_start(struct runtime *runtime, const struct task_order *order, runtime_start_cb done,
                                    void *owner)
{
    struct flight *f = flight_new(runtime, "", owner);
    f->started = done;
    snprintf(f->service, sizeof f->service, "%s", order->service->name);
    struct docker_runtime *d = f->runtime;
    char *body =
        docker_runtime_body(order, d->cluster, d->ownership, d->network, docker_engine_remote_host(d->engine) != NULL);
    f->call = docker_engine_create(d->engine, f->service, order->name, slice_of(body), on_create_answer, f);
    free(body);
}

static void on_image(void *owner, const struct docker_answer *answer)
{
    struct flight *f = owner;
    if (answer->result != DOCKER_OK) {
        flight_finish(f, answer->result == DOCKER_NOT_FOUND ? RUNTIME_IMAGE_MISSING : result_of(answer), answer->text);
        return;
    }
    json_t *image = json_parse_bounded(answer->body, &json_limits_default, NULL);
    bool is_found = revision_read_image_id(json_find_string(image, "Id"), f->task_id);
    json_decref(image);
    flight_finish(f, is_found ? RUNTIME_OK : RUNTIME_FAILED,
                  is_found ? "" : "the engine's answer to an inspect of the image holds no id");
}

static void docker_resolve(struct runtime *runtime, const char *image, runtime_start_cb done, void *owner)
{
    struct flight *f = flight_new(runtime, "", owner);
    f->started = done;
    f->call = docker_engine_inspect_image(f->runtime->engine, image, on_image, f);
}

static void docker_pull(struct runtime *runtime, const char *image, runtime_pull_cb on_progress, runtime_start_cb done,
                        void *owner)
{
    docker_pulls_begin(&((struct docker_runtime *)runtime)->pulls, image, on_progress, done, owner);
}

static void docker_cancel_pull(struct runtime *runtime, const void *owner)
{
    docker_pulls_cancel(&((struct docker_runtime *)runtime)->pulls, owner);
}

static void docker_cancel_start(struct runtime *runtime, const void *owner)
{
    for (struct flight *f = ((struct docker_runtime *)runtime)->flights; f != NULL; f = f->next)
        f->is_cancelled |= f->started != NULL && f->owner == owner;
}

static bool docker_is_reachable(const struct runtime *runtime)
{
    struct docker_engine_status status;
    docker_engine_status(((const struct docker_runtime *)runtime)->engine, &status);
    return status.state == DOCKER_ENGINE_REACHABLE && !status.is_doubted;
}

static void on_end_answer(void *owner, const struct docker_answer *answer)
{
    enum runtime_result result = answer->result == DOCKER_NOT_FOUND ? RUNTIME_OK : result_of(answer);
    flight_finish(owner, result, result == RUNTIME_OK ? "" : answer->text);
}

/* Whose it is, and how it ended. */
static void read_container(struct slice inspect_text, struct flight *f)
{
    json_t *container = json_parse_bounded(inspect_text, &json_limits_default, NULL);
    const json_t *labels = json_find_object(json_find_object(container, "Config"), "Labels");
    const char *service = json_find_string(labels, DOCKER_LABEL_SERVICE);
    snprintf(f->service, sizeof f->service, "%s", service != NULL ? service : "");
    if (f->stop_timeout_ms < 0)
        last_words_read(&f->words, container);
    json_decref(container);
}

static void begin_removal(struct flight *f)
{
    f->call = docker_engine_remove(f->runtime->engine, f->service, f->task_id, false, on_end_answer, f);
}

/* What came is kept: of lines that are asked for from the end, a part is better than nothing. */
static void end_reading(struct flight *f, const char *problem)
{
    char *output = log_tail_text(&f->tail);
    timer_stop(&f->patience);
    if (problem != NULL && output[0] == '\0') {
        free(output);
        output = NULL;
    }
    last_words_set_output(&f->words, output, problem);
    begin_removal(f);
}

static bool on_output(void *owner, struct slice piece)
{
    struct flight *f = owner;
    log_tail_add(&f->tail, piece);
    return true;
}

static void on_output_end(void *owner, const struct docker_answer *answer)
{
    end_reading(owner, answer->result == DOCKER_OK ? NULL : answer->text);
}

static void on_patience_over(void *owner)
{
    struct flight *f = owner;
    docker_engine_cancel(f->runtime->engine, f->call);
    end_reading(f, "the engine did not give all of it within 2 s");
}

static void begin_reading(struct flight *f)
{
    if (f->words.started_at_wall_us == 0) { /* it had no time to write anything */
        end_reading(f, NULL);
        return;
    }
    timer_start(&f->patience, OUTPUT_WAIT_MS);
    f->call =
        docker_engine_logs(f->runtime->engine, f->service, f->task_id, LOG_TAIL_LINES_MAX, on_output, on_output_end, f);
}

static void on_inspected(void *owner, const struct docker_answer *answer)
{
    struct flight *f = owner;
    if (!docker_answer_is_ok(answer)) {
        on_end_answer(owner, answer);
        return;
    }
    if (!docker_runtime_is_ours(answer->body, f->task_id, f->runtime->cluster, f->runtime->ownership)) {
        flight_finish(f, RUNTIME_REFUSED, "nothing proves that the container is ours");
        return;
    }
    read_container(answer->body, f);
    if (f->stop_timeout_ms >= 0)
        f->call = docker_engine_stop(f->runtime->engine, f->service, f->task_id, (f->stop_timeout_ms + 999) / 1000,
                                     on_end_answer, f);
    else
        begin_reading(f);
}

static void begin_end(struct runtime *runtime, const char *task_id, int64_t stop_timeout_ms, runtime_done_cb done,
                      void *owner)
{
    struct flight *f = flight_new(runtime, task_id, owner);
    f->done = done;
    f->stop_timeout_ms = stop_timeout_ms;
    f->call = docker_engine_inspect_ending(f->runtime->engine, f->task_id, on_inspected, f);
}

static void docker_stop(struct runtime *runtime, const char *task_id, int64_t timeout_ms, runtime_done_cb done,
                        void *owner)
{
    begin_end(runtime, task_id, timeout_ms < 0 ? 0 : timeout_ms, done, owner);
}

static void docker_remove(struct runtime *runtime, const char *task_id, runtime_done_cb done, void *owner)
{
    begin_end(runtime, task_id, -1, done, owner);
}

static void docker_abandon(struct runtime *runtime)
{
    struct docker_runtime *d = (struct docker_runtime *)runtime;
    struct flight *f = d->flights, *next;
    docker_pulls_abandon(&d->pulls);
    d->flights = NULL;
    for (; f != NULL; f = next) {
        next = f->next;
        docker_engine_cancel(d->engine, f->call);
        timer_stop(&f->patience);
        log_tail_fini(&f->tail);
        last_words_fini(&f->words);
        free(f);
    }
}

static void docker_close(struct runtime *runtime)
{
    struct docker_runtime *d = (struct docker_runtime *)runtime;
    docker_abandon(runtime);
    free(d->cluster);
    free(d->network);
    free(d);
}

const struct runtime_ops runtime_ops_docker = {
    .name = "docker",
    .summary = "containers of one Docker Engine",
    .create_and_start = docker_create_and_start,
    .resolve = docker_resolve,
    .pull = docker_pull,
    .cancel_pull = docker_cancel_pull,
    .cancel_start = docker_cancel_start,
    .stop = docker_stop,
    .remove = docker_remove,
    .is_reachable = docker_is_reachable,
    .abandon = docker_abandon,
    .close = docker_close,
};

struct runtime *docker_runtime_new(struct loop *loop, struct docker_engine *engine, const char *cluster,
                                   const struct ownership *ownership, const struct config_docker *config)
{
    check(loop != NULL && engine != NULL && cluster != NULL && ownership != NULL);
    struct docker_runtime *d = mem_alloc(sizeof *d);
    d->base.ops = &runtime_ops_docker;
    d->loop = loop;
    d->engine = engine;
    d->cluster = mem_strdup(cluster);
    d->ownership = ownership;
    d->network = config->network != NULL ? mem_strdup(config->network) : NULL;
    d->pulls = (struct docker_pulls){ .engine = engine, .config = config };
    return &d->base;
}

void docker_runtime_reconfigure(struct runtime *runtime, const struct config_docker *config)
{
    ((struct docker_runtime *)runtime)->pulls.config = config;
}
