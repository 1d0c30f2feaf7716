#include "discovery/docker/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fair_queue.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/listen_address.h"
#include "discovery/docker/engine_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define CONNECT_TIMEOUT_MS 3000
#define PING_TIMEOUT_MS 5000
#define PING_PERIOD_MS 5000
#define PING_BYTES_MAX 1024
#define STATUS_NOT_IMPLEMENTED 501

static const struct {
    size_t places, share; /* share: of one party */
} lane_limits[DOCKER_LANE_COUNT] = {
    /* Containers in three lanes, images and a list: as many as can be asked for at once, so that none waits here. */
    [DOCKER_LANE_LOOK] = { 40, 40 },   [DOCKER_LANE_CREATE] = { 64, 48 },
    [DOCKER_LANE_STOP] = { 256, 64 },  [DOCKER_LANE_REMOVE] = { 64, 48 },
    [DOCKER_LANE_ENDING] = { 64, 64 }, [DOCKER_LANE_LOGS] = { 16, 12 },
    [DOCKER_LANE_STREAM] = { 4, 4 },   [DOCKER_LANE_PULL] = { DOCKER_PULLS_MAX, DOCKER_PULLS_MAX / 2 },
};

enum call_state {
    CALL_WAITING = 0, /* for the version, or for a place in its lane */
    CALL_REFUSED,     /* in `refused`, until the next turn */
    CALL_IN_FLIGHT,
    CALL_ANSWERING, /* inside its callback */
};

struct docker_call {
    struct fair_item turn;         /* first */
    TAILQ_ENTRY(docker_call) link; /* in the list of its state; none while answering */
    struct docker_engine *engine;
    enum call_state state;
    struct docker_call_spec spec; /* owns path, what and body */
    enum docker_result refused_as;
    char *refused_text; /* owned */
    struct http_call *http;
};

TAILQ_HEAD(docker_call_list, docker_call);

struct docker_engine {
    struct loop *loop;
    struct http_client *http;
    char *socket_path;                 /* owned; null: tcp */
    char *base_url;                    /* owned; "http://docker" or "https://host:2376" */
    char *remote_host;                 /* owned; null: an engine of this host */
    char *tls_ca, *tls_cert, *tls_key; /* owned */
    enum docker_engine_state state;
    char version[DOCKER_VERSION_SIZE];
    struct error problem;
    int64_t since_ms;
    docker_engine_state_cb on_change;
    void *listener;
    struct docker_call_list waiting, refused, in_flight;
    struct fair_queue lanes[DOCKER_LANE_COUNT];
    uint64_t calls_count, failures_count;
    struct http_call *ping;
    int64_t pinged_at_ms, answered_at_ms; /* of the last ping, and of the last answer to any call */
    unsigned failed_pings;
    /* How often there was doubt whether it still takes new connections: so far, when the ping under way was sent, and
     * when the newest one that was answered was. */
    unsigned doubts, asked_doubts, answered_doubts;
    unsigned short random_seed[3];
    struct timer ping_timer;
    struct timer refuse_timer;
};

static const char *const state_names[] = { "unknown", "reachable", "unreachable" };
_Static_assert(sizeof state_names / sizeof *state_names == DOCKER_ENGINE_STATE_COUNT, "a name for every state");

static const char *const result_names[] = {
    "ok", "already", "not found", "conflict", "refused", "failed", "timeout", "unreachable", "bad answer",
};
_Static_assert(sizeof result_names / sizeof *result_names == DOCKER_RESULT_COUNT, "a name for every result");

/* ---- one call ---- */

static void call_free(struct docker_call *call)
{
    free(call->spec.path);
    free(call->spec.what);
    free((char *)call->spec.body.at);
    if (call->spec.header)
        explicit_bzero(call->spec.header, strlen(call->spec.header));
    free(call->spec.header);
    free(call->refused_text);
    free(call);
}

static void call_answer(struct docker_call *call, const struct docker_answer *answer)
{
    struct docker_engine *engine = call->engine;
    call->state = CALL_ANSWERING;
    engine->calls_count++;
    if (!docker_answer_is_ok(answer))
        engine->failures_count++;
    call->spec.done(call->spec.owner, answer);
    call_free(call);
}

/* Never answers from inside the caller: puts the call aside until the next turn. text: ownership passes. */
static void call_refuse(struct docker_call *call, enum docker_result result, char *text)
{
    call->state = CALL_REFUSED;
    call->refused_as = result;
    call->refused_text = text;
    TAILQ_INSERT_TAIL(&call->engine->refused, call, link);
    timer_start(&call->engine->refuse_timer, 0);
}

static void engine_on_refuse_timer(void *owner)
{
    struct docker_engine *engine = owner;
    struct docker_call *call;
    size_t turns = 0;
    /* Only what is there now: a callback may call again, and be refused again, without end. It may also cancel any. */
    TAILQ_FOREACH (call, &engine->refused, link)
        turns++;
    for (; turns > 0 && (call = TAILQ_FIRST(&engine->refused)); turns--) {
        TAILQ_REMOVE(&engine->refused, call, link);
        struct docker_answer answer = { .result = call->refused_as,
                                        .body = SLICE_LITERAL(""),
                                        .text = call->refused_text };
        call_answer(call, &answer);
    }
    if (!TAILQ_EMPTY(&engine->refused))
        timer_start(&engine->refuse_timer, 0);
}

static void call_refuse_unreachable(struct docker_call *call)
{
    call_refuse(call, DOCKER_UNREACHABLE,
                mem_printf("%s: the engine is unreachable: %s", call->spec.what, call->engine->problem.text));
}

/* ---- state ---- */

static void engine_set_state(struct docker_engine *engine, enum docker_engine_state state, const char *problem)
{
    struct docker_call *call;
    enum docker_engine_state old = engine->state;
    error_set(&engine->problem, "%s", problem);
    if (state == old)
        return;
    engine->state = state;
    engine->since_ms = clock_now_ms();
    if (state == DOCKER_ENGINE_REACHABLE) {
        log_info("docker engine: %s -> reachable, API version %s", state_names[old], engine->version);
    } else {
        log_warn("docker engine: %s -> %s: %s", state_names[old], state_names[state], problem);
        while ((call = TAILQ_FIRST(&engine->waiting))) {
            TAILQ_REMOVE(&engine->waiting, call, link);
            fair_queue_leave(&engine->lanes[call->spec.lane], &call->turn);
            call_refuse_unreachable(call);
        }
    }
    if (engine->on_change)
        engine->on_change(engine->listener, state);
}

static void engine_lose(struct docker_engine *engine, const char *cause)
{
    struct error problem;
    error_set(&problem, "%s: %s", engine->socket_path ? engine->socket_path : engine->base_url, cause);
    engine_set_state(engine, DOCKER_ENGINE_UNREACHABLE, problem.text);
    if (!engine->ping)
        timer_start(&engine->ping_timer,
                    docker_backoff_ms(engine->failed_pings, (uint32_t)nrand48(engine->random_seed)));
}

/* ---- lanes ---- */

static void engine_pump(struct docker_engine *engine);

static void call_on_response(void *owner, const struct http_response *response)
{
    struct docker_call *call = owner;
    struct docker_engine *engine = call->engine;
    TAILQ_REMOVE(&engine->in_flight, call, link);
    fair_queue_leave(&engine->lanes[call->spec.lane], &call->turn);
    switch (response->outcome) {
    case HTTP_OUTCOME_RESOLVE_FAILED:
    case HTTP_OUTCOME_CONNECT_FAILED:
    case HTTP_OUTCOME_CONNECT_TIMEOUT:
    case HTTP_OUTCOME_TLS_FAILED:
        engine_lose(engine, response->cause);
        break;
    default:
        break;
    }
    if (response->status > 0)
        engine->answered_at_ms = clock_now_ms();
    char *text = docker_answer_describe(call->spec.what, response);
    enum docker_result result = docker_result_of(response->outcome, response->status);
    bool is_unable = response->status == STATUS_NOT_IMPLEMENTED; /* and well */
    if (result == DOCKER_UNREACHABLE || (result == DOCKER_FAILED && !is_unable))
        docker_engine_doubt(engine);
    struct docker_answer answer = {
        .result = result, .status = response->status, .body = response->body, .text = text
    };
    call_answer(call, &answer);
    free(text);
    engine_pump(engine);
}

static void call_on_head(void *owner, int status)
{
    struct docker_call *call = owner;
    if (call->spec.on_head)
        call->spec.on_head(call->spec.owner, status);
}

static bool call_on_piece(void *owner, struct slice piece)
{
    struct docker_call *call = owner;
    return call->spec.on_piece(call->spec.owner, piece);
}

static void engine_set_transport(const struct docker_engine *engine, struct http_request *request)
{
    request->unix_socket_path = engine->socket_path;
    request->tls_ca = engine->tls_ca;
    request->tls_cert = engine->tls_cert;
    request->tls_key = engine->tls_key;
    request->connect_timeout_ms = CONNECT_TIMEOUT_MS;
}

static void call_send(struct docker_call *call)
{
    struct docker_engine *engine = call->engine;
    const char *headers[2];
    size_t header_count = 0;
    if (call->spec.body.len)
        headers[header_count++] = "Content-Type: application/json";
    if (call->spec.header)
        headers[header_count++] = call->spec.header;
    char *url = mem_printf("%s/v%s%s", engine->base_url, engine->version, call->spec.path);
    struct http_request request = {
        .method = call->spec.method,
        .url = url,
        .headers = headers,
        .header_count = header_count,
        .body = call->spec.body,
        .total_timeout_ms = call->spec.deadline_ms,
        .idle_timeout_ms = call->spec.idle_ms,
        .response_bytes_max = call->spec.answer_bytes_max,
        .on_done = call_on_response,
        .on_head = call_on_head,
        .on_piece = call->spec.on_piece ? call_on_piece : NULL,
        .owner = call,
    };
    engine_set_transport(engine, &request);
    call->state = CALL_IN_FLIGHT;
    TAILQ_INSERT_TAIL(&engine->in_flight, call, link);
    call->http = http_client_send(engine->http, &request);
    free(url);
}

static bool is_doubted(const struct docker_engine *engine)
{
    return engine->doubts != engine->answered_doubts;
}

static void engine_pump(struct docker_engine *engine)
{
    struct fair_item *turn;
    if (engine->state != DOCKER_ENGINE_REACHABLE)
        return;
    for (size_t lane = 0; lane < DOCKER_LANE_COUNT; lane++)
        while ((lane != DOCKER_LANE_CREATE || !is_doubted(engine)) && (turn = fair_queue_take(&engine->lanes[lane]))) {
            struct docker_call *call = (struct docker_call *)turn;
            TAILQ_REMOVE(&engine->waiting, call, link);
            call_send(call);
        }
}

/* ---- ping: the version, and whether it lives ---- */

static void engine_on_ping(void *owner, const struct http_response *response)
{
    struct docker_engine *engine = owner;
    struct error problem;
    char old[DOCKER_VERSION_SIZE];
    memcpy(old, engine->version, sizeof old);
    engine->ping = NULL;
    if (engine->state == DOCKER_ENGINE_REACHABLE &&
        docker_ping_says_nothing(response->outcome, engine->pinged_at_ms, engine->answered_at_ms)) {
        log_warn("docker engine: ping: %s, but other calls are answered", response->cause);
        timer_start(&engine->ping_timer, 0);
        return;
    }
    if (response->outcome != HTTP_OUTCOME_ANSWERED || response->status != 200) {
        char *text = docker_answer_describe("ping", response);
        engine_lose(engine, text);
        free(text);
    } else if (!docker_version_negotiate(http_response_find_header(response, "Api-Version"), engine->version,
                                         &problem)) {
        engine_lose(engine, problem.text);
    } else {
        if (engine->state == DOCKER_ENGINE_REACHABLE && strcmp(old, engine->version) != 0)
            log_info("docker engine: API version %s -> %s", old, engine->version);
        engine->failed_pings = 0;
        engine->answered_doubts = engine->asked_doubts;
        engine_set_state(engine, DOCKER_ENGINE_REACHABLE, "");
        engine_pump(engine);
        timer_start(&engine->ping_timer, is_doubted(engine) ? 0 : PING_PERIOD_MS);
        return;
    }
    engine->failed_pings++;
}

static void engine_on_ping_timer(void *owner)
{
    struct docker_engine *engine = owner;
    if (engine->ping)
        return;
    char *url = mem_printf("%s/_ping", engine->base_url);
    struct http_request request = {
        .url = url,
        .fresh_connection = true, /* one that shuts down goes on answering on those that it has */
        .total_timeout_ms = PING_TIMEOUT_MS,
        .response_bytes_max = PING_BYTES_MAX,
        .on_done = engine_on_ping,
        .owner = engine,
    };
    engine_set_transport(engine, &request);
    engine->pinged_at_ms = clock_now_ms();
    engine->asked_doubts = engine->doubts;
    engine->ping = http_client_send(engine->http, &request);
    free(url);
}

/* ---- the endpoint ---- */

static bool host_is_valid(const char *host)
{
    if (host[0] == '[') {
        size_t len = strspn(host + 1, "0123456789abcdefABCDEF:.");
        return len > 1 && strcmp(host + 1 + len, "]") == 0;
    }
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    return len > 0 && host[len] == '\0';
}

static bool engine_set_tcp(struct docker_engine *engine, const char *authority, struct error *error)
{
    const char *colon = strrchr(authority, ':');
    if (colon && strchr(colon, ']'))
        colon = NULL;
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 2376;
    engine->remote_host = colon ? mem_strndup(authority, (size_t)(colon - authority)) : mem_strdup(authority);
    if (!host_is_valid(engine->remote_host) || (colon && (end == colon + 1 || *end)) || port < 1 || port > 65535)
        return error_set(error, "docker.endpoint tcp://%s: tcp://host:port is expected", authority);
    engine->base_url = mem_printf("%s://%s:%ld", engine->tls_key ? "https" : "http", engine->remote_host, port);
    if (!engine->tls_key) { /* a socket proxy: the containers are here */
        free(engine->remote_host);
        engine->remote_host = NULL;
    }
    return true;
}

static bool engine_set_endpoint(struct docker_engine *engine, const struct config_docker *config, struct error *error)
{
    const char *endpoint = config->endpoint ? config->endpoint : "unix:///var/run/docker.sock";
    if (strncmp(endpoint, "unix:///", 8) == 0 && strlen(endpoint) < 7 + 108) {
        engine->socket_path = mem_strdup(endpoint + 7);
        engine->base_url = mem_strdup("http://docker");
        return true;
    }
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return error_set(error, "docker.endpoint %s: unix:///path or tcp://host:port is expected", endpoint);
    bool has_tls = config->tls_ca && config->tls_cert && config->tls_key;
    if (!has_tls && !config->insecure && !listen_address_names_loopback(endpoint + 6))
        return error_set(
            error,
            "docker.endpoint %s: whoever reaches an engine is root there, so tcp:// needs ca, cert and key of "
            "docker.tls, a loopback address, or docker.insecure",
            endpoint);
    if (has_tls) {
        engine->tls_ca = mem_strdup(config->tls_ca);
        engine->tls_cert = mem_strdup(config->tls_cert);
        engine->tls_key = mem_strdup(config->tls_key);
    }
    return engine_set_tcp(engine, endpoint + 6, error);
}

/* ---- public ---- */

const char *docker_engine_state_to_str(enum docker_engine_state state)
{
    return state < DOCKER_ENGINE_STATE_COUNT ? state_names[state] : "?";
}

const char *docker_result_to_str(enum docker_result result)
{
    return result < DOCKER_RESULT_COUNT ? result_names[result] : "?";
}

struct docker_engine *docker_engine_new(struct loop *loop, struct http_client *http, const struct config_docker *config,
                                        struct error *error)
{
    struct docker_engine *engine = mem_alloc(sizeof *engine);
    engine->loop = loop;
    engine->http = http;
    engine->since_ms = clock_now_ms();
    memcpy(engine->random_seed, &(int64_t){ clock_now_us() }, sizeof engine->random_seed);
    for (size_t lane = 0; lane < DOCKER_LANE_COUNT; lane++)
        fair_queue_init(&engine->lanes[lane], lane_limits[lane].places, lane_limits[lane].share, FAIR_OLDEST_FIRST);
    TAILQ_INIT(&engine->waiting);
    TAILQ_INIT(&engine->refused);
    TAILQ_INIT(&engine->in_flight);
    timer_init(&engine->ping_timer, loop, engine_on_ping_timer, engine);
    timer_init(&engine->refuse_timer, loop, engine_on_refuse_timer, engine);
    if (!engine_set_endpoint(engine, config, error)) {
        docker_engine_free(engine);
        return NULL;
    }
    engine_on_ping_timer(engine);
    return engine;
}

static void free_calls(struct docker_call_list *calls)
{
    struct docker_call *call;
    while ((call = TAILQ_FIRST(calls))) {
        TAILQ_REMOVE(calls, call, link);
        if (call->state == CALL_IN_FLIGHT)
            http_client_cancel(call->engine->http, call->http);
        fair_queue_leave(&call->engine->lanes[call->spec.lane], &call->turn);
        call_free(call);
    }
}

void docker_engine_free(struct docker_engine *engine)
{
    if (!engine)
        return;
    timer_stop(&engine->ping_timer);
    timer_stop(&engine->refuse_timer);
    if (engine->ping)
        http_client_cancel(engine->http, engine->ping);
    free_calls(&engine->waiting);
    free_calls(&engine->refused);
    free_calls(&engine->in_flight);
    for (size_t lane = 0; lane < DOCKER_LANE_COUNT; lane++)
        fair_queue_fini(&engine->lanes[lane]);
    free(engine->socket_path);
    free(engine->base_url);
    free(engine->remote_host);
    free(engine->tls_ca);
    free(engine->tls_cert);
    free(engine->tls_key);
    free(engine);
}

void docker_engine_status(const struct docker_engine *engine, struct docker_engine_status *out)
{
    *out = (struct docker_engine_status){
        .state = engine->state,
        .error = engine->problem.text,
        .since_ms = engine->since_ms,
        .is_doubted = is_doubted(engine),
        .api_version = engine->version,
        .calls_count = engine->calls_count,
        .failures_count = engine->failures_count,
    };
    for (size_t lane = 0; lane < DOCKER_LANE_COUNT; lane++) {
        out->in_flight_count += engine->lanes[lane].out_count;
        out->waiting_count += engine->lanes[lane].waiting_count;
    }
}

void docker_engine_doubt(struct docker_engine *engine)
{
    engine->doubts++;
    if (engine->state == DOCKER_ENGINE_REACHABLE && !engine->ping)
        timer_start(&engine->ping_timer, 0);
}

const char *docker_engine_remote_host(const struct docker_engine *engine)
{
    return engine->remote_host;
}

void docker_engine_set_listener(struct docker_engine *engine, docker_engine_state_cb on_change, void *owner)
{
    engine->on_change = on_change;
    engine->listener = owner;
}

struct docker_call *docker_engine_submit(struct docker_engine *engine, const struct docker_call_spec *spec)
{
    struct docker_call *call = mem_alloc(sizeof *call);
    call->engine = engine;
    call->spec = *spec;
    call->spec.body = (struct slice){ 0 };
    if (spec->body.len) {
        call->spec.body.at = memcpy(mem_alloc(spec->body.len), spec->body.at, spec->body.len);
        call->spec.body.len = spec->body.len;
    }
    bool is_stream = spec->lane == DOCKER_LANE_STREAM;
    if (spec->refusal) {
        call_refuse(call, DOCKER_REFUSED, mem_printf("%s: not sent: %s", spec->what, spec->refusal));
    } else if (engine->state == DOCKER_ENGINE_UNREACHABLE || (is_stream && engine->state != DOCKER_ENGINE_REACHABLE)) {
        call_refuse_unreachable(call);
    } else if (engine->lanes[spec->lane].waiting_count >= DOCKER_CALLS_MAX) {
        call_refuse(call, DOCKER_REFUSED,
                    mem_printf("%s: not sent: %d calls are waiting", spec->what, DOCKER_CALLS_MAX));
    } else {
        call->state = CALL_WAITING;
        TAILQ_INSERT_TAIL(&engine->waiting, call, link);
        fair_queue_put(&engine->lanes[spec->lane], &call->turn, spec->party ? spec->party : "");
        engine_pump(engine);
    }
    return call;
}

void docker_engine_cancel(struct docker_engine *engine, struct docker_call *call)
{
    switch (call->state) {
    case CALL_ANSWERING:
        return;
    case CALL_WAITING:
        TAILQ_REMOVE(&engine->waiting, call, link);
        break;
    case CALL_REFUSED:
        TAILQ_REMOVE(&engine->refused, call, link);
        break;
    case CALL_IN_FLIGHT:
        TAILQ_REMOVE(&engine->in_flight, call, link);
        http_client_cancel(engine->http, call->http);
        break;
    }
    fair_queue_leave(&engine->lanes[call->spec.lane], &call->turn);
    call_free(call);
    engine_pump(engine);
}
