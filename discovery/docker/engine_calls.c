#include "discovery/docker/engine_call.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "discovery/docker/image_reference.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN_MAX 128
#define IMAGE_LEN_MAX 512
#define MESSAGE_LEN_MAX 300
#define STOP_TIMEOUT_S_MAX 86400
/* Deadlines: far beyond what a healthy engine needs, so that only a stuck one meets them. */
#define LIST_DEADLINE_MS 30000
#define LOGS_DEADLINE_MS 30000
#define CREATE_DEADLINE_MS 60000
#define START_DEADLINE_MS 60000
#define STOP_MARGIN_MS 30000
#define KILL_DEADLINE_MS 30000
#define REMOVE_DEADLINE_MS 60000
/* Events may well be rarer; a stream that has been silent for so long is opened anew, which costs one list. */
#define STREAM_IDLE_MS (30 * 60 * 1000)

static char *percent_encode(const char *text)
{
    struct buf out;
    buf_init(&out, 0);
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c))
            buf_append(&out, c, 1);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*c);
    }
    char *encoded = mem_strdup(buf_text(&out));
    buf_fini(&out);
    return encoded;
}

static const char *refuse_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t len = name ? strlen(name) : 0;
    if (len == 0 || len > NAME_LEN_MAX || strspn(name, allowed) != len || !isalnum((unsigned char)name[0]))
        return "not a container id or name";
    return NULL;
}

static const char *refuse_image(const char *image)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:@";
    size_t len = image ? strlen(image) : 0;
    if (len == 0 || len > IMAGE_LEN_MAX || strspn(image, allowed) != len || !isalnum((unsigned char)image[0]) ||
        strstr(image, "..") || strstr(image, "//") || strstr(image, "/."))
        return "not an image reference";
    return NULL;
}

/* "/containers/<id><tail>"; never null, also for a name that will be refused. */
static char *container_path(const char *id, const char *tail)
{
    char *encoded = percent_encode(id ? id : "");
    char *path = mem_printf("/containers/%s%s", encoded, tail);
    free(encoded);
    return path;
}

static char *describe_call(const char *verb, const char *id)
{
    size_t len = id ? strlen(id) : 0;
    /* Whole ids are 64 digits; 12 are what people know them by. */
    return mem_printf("%s %.*s", verb, len == 64 ? 12 : (int)(len > NAME_LEN_MAX ? NAME_LEN_MAX : len), id ? id : "");
}

static struct docker_call *submit_container(struct docker_engine *e, const char *verb, const char *method,
                                            const char *id, const char *tail, struct docker_call_spec spec)
{
    spec.method = method;
    spec.path = container_path(id, tail);
    spec.what = describe_call(verb, id);
    if (spec.answer_bytes_max == 0)
        spec.answer_bytes_max = DOCKER_ANSWER_BYTES_MAX;
    if (!spec.refusal)
        spec.refusal = refuse_name(id);
    return docker_engine_submit(e, &spec);
}

static bool parse_version(const char *text, unsigned *major, unsigned *minor)
{
    int used = 0;
    if (!text || strspn(text, "0123456789.") != strlen(text) || strlen(text) > 8)
        return false;
    return sscanf(text, "%3u.%3u%n", major, minor, &used) == 2 && text[used] == '\0';
}

/* ---- pure parts ---- */

bool docker_version_negotiate(const char *engine_version, char out[DOCKER_VERSION_SIZE], struct error *error)
{
    unsigned major = 0, minor = 0, oldest_major = 0, oldest_minor = 0, newest_major = 0, newest_minor = 0;
    parse_version(DOCKER_API_OLDEST, &oldest_major, &oldest_minor);
    parse_version(DOCKER_API_NEWEST, &newest_major, &newest_minor);
    if (!parse_version(engine_version, &major, &minor))
        return error_set(error, "this is no Docker Engine: it answers a ping with API version \"%.32s\"",
                         engine_version ? engine_version : "");
    if (major < oldest_major || (major == oldest_major && minor < oldest_minor))
        return error_set(error, "the engine speaks API version %u.%u, " DOCKER_API_OLDEST " or newer is needed", major,
                         minor);
    if (major > newest_major || (major == newest_major && minor > newest_minor)) {
        major = newest_major;
        minor = newest_minor;
    }
    snprintf(out, DOCKER_VERSION_SIZE, "%u.%u", major, minor);
    return true;
}

int64_t docker_backoff_ms(unsigned attempt, uint32_t random)
{
    int64_t delay_ms = attempt >= 6 ? 5000 : 100 << attempt;
    return delay_ms - delay_ms / 5 + random % (2 * delay_ms / 5 + 1);
}

enum docker_result docker_result_of(enum http_outcome outcome, int status)
{
    switch (outcome) {
    case HTTP_OUTCOME_ANSWERED:
        break;
    case HTTP_OUTCOME_NOT_SENT:
        return DOCKER_REFUSED;
    case HTTP_OUTCOME_TIMEOUT:
    case HTTP_OUTCOME_SILENT:
        return DOCKER_TIMEOUT;
    case HTTP_OUTCOME_BAD_ANSWER:
    case HTTP_OUTCOME_TOO_LARGE:
    case HTTP_OUTCOME_STOPPED: /* by on_piece, which could not read it */
        return DOCKER_BAD_ANSWER;
    default:
        return DOCKER_UNREACHABLE;
    }
    if (status >= 200 && status <= 299)
        return DOCKER_OK;
    if (status == 304)
        return DOCKER_ALREADY;
    if (status == 404)
        return DOCKER_NOT_FOUND;
    if (status == 409)
        return DOCKER_CONFLICT;
    if (status >= 400 && status <= 499)
        return DOCKER_REFUSED;
    return status >= 500 ? DOCKER_FAILED : DOCKER_BAD_ANSWER;
}

bool docker_ping_says_nothing(enum http_outcome outcome, int64_t pinged_at_ms, int64_t answered_at_ms)
{
    return outcome == HTTP_OUTCOME_TIMEOUT && answered_at_ms >= pinged_at_ms;
}

char *docker_shorten_message(const char *message)
{
    size_t len = strlen(message), half = MESSAGE_LEN_MAX / 2;
    if (len <= MESSAGE_LEN_MAX)
        return mem_strdup(message);
    return mem_printf("%.*s ... %s", (int)half, message, message + len - half);
}

char *docker_answer_describe(const char *what, const struct http_response *response)
{
    if (response->outcome != HTTP_OUTCOME_ANSWERED)
        return mem_printf("%s: %s", what, response->cause);
    if (response->status < 400)
        return mem_printf("%s: %d", what, response->status);
    json_t *body = json_parse_bounded(response->body, &json_limits_default, NULL);
    const char *message = json_find_string(body, "message");
    char *words = message ? docker_shorten_message(message) : NULL;
    char *text = words ? mem_printf("%s: %d: %s", what, response->status, words)
                       : mem_printf("%s: %d without a message", what, response->status);
    free(words);
    json_decref(body);
    return text;
}

/* ---- public ---- */

bool docker_answer_is_ok(const struct docker_answer *answer)
{
    return answer->result == DOCKER_OK || answer->result == DOCKER_ALREADY;
}

bool docker_answer_find_id(const struct docker_answer *answer, char id[DOCKER_ID_SIZE])
{
    if (answer->result != DOCKER_OK)
        return false;
    json_t *body = json_parse_bounded(answer->body, &json_limits_default, NULL);
    const char *text = json_find_string(body, "Id");
    bool found = text && !refuse_name(text) && strlen(text) < DOCKER_ID_SIZE;
    if (found)
        memcpy(id, text, strlen(text) + 1);
    json_decref(body);
    return found;
}

struct docker_call *docker_engine_list(struct docker_engine *e, const char *label, http_piece_cb on_piece,
                                       docker_answer_cb done, void *owner)
{
    struct docker_call_spec spec = { .lane = DOCKER_LANE_LOOK,
                                     .method = "GET",
                                     .what = mem_strdup("list"),
                                     .deadline_ms = LIST_DEADLINE_MS,
                                     .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                     .on_piece = on_piece,
                                     .done = done,
                                     .owner = owner };
    if (!label) {
        spec.path = mem_strdup("/containers/json?all=1");
        return docker_engine_submit(e, &spec);
    }
    json_t *filters = json_pack("{s:[s]}", "label", label);
    char *text = filters ? json_to_text(filters) : mem_strdup("");
    char *encoded = percent_encode(text);
    spec.path = mem_printf("/containers/json?all=1&filters=%s", encoded);
    spec.refusal = filters ? NULL : "the label is not UTF-8";
    free(encoded);
    free(text);
    json_decref(filters);
    return docker_engine_submit(e, &spec);
}

struct docker_call *docker_engine_inspect(struct docker_engine *e, const char *id, int64_t deadline_ms,
                                          docker_answer_cb done, void *owner)
{
    return submit_container(e, "inspect", "GET", id, "/json",
                            (struct docker_call_spec){
                                .lane = DOCKER_LANE_LOOK, .deadline_ms = deadline_ms, .done = done, .owner = owner });
}

struct docker_call *docker_engine_inspect_ending(struct docker_engine *e, const char *id, docker_answer_cb done,
                                                 void *owner)
{
    return submit_container(
        e, "inspect", "GET", id, "/json",
        (struct docker_call_spec){
            .lane = DOCKER_LANE_ENDING, .deadline_ms = DOCKER_INSPECT_DEADLINE_MS, .done = done, .owner = owner });
}

struct docker_call *docker_engine_create(struct docker_engine *e, const char *party, const char *name,
                                         struct slice body, docker_answer_cb done, void *owner)
{
    char *encoded = percent_encode(name ? name : "");
    struct docker_call_spec spec = { .lane = DOCKER_LANE_CREATE,
                                     .party = party,
                                     .method = "POST",
                                     .path = name ? mem_printf("/containers/create?name=%s", encoded)
                                                  : mem_strdup("/containers/create"),
                                     .what = describe_call("create", name),
                                     .body = body,
                                     .deadline_ms = CREATE_DEADLINE_MS,
                                     .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                     .refusal = name ? refuse_name(name) : NULL,
                                     .done = done,
                                     .owner = owner };
    free(encoded);
    return docker_engine_submit(e, &spec);
}

struct docker_call *docker_engine_start(struct docker_engine *e, const char *party, const char *id,
                                        docker_answer_cb done, void *owner)
{
    return submit_container(e, "start", "POST", id, "/start",
                            (struct docker_call_spec){ .lane = DOCKER_LANE_CREATE,
                                                       .party = party,
                                                       .deadline_ms = START_DEADLINE_MS,
                                                       .done = done,
                                                       .owner = owner });
}

struct docker_call *docker_engine_stop(struct docker_engine *e, const char *party, const char *id, int64_t timeout_s,
                                       docker_answer_cb done, void *owner)
{
    char tail[48];
    int64_t seconds = timeout_s < 0 ? 0 : timeout_s > STOP_TIMEOUT_S_MAX ? STOP_TIMEOUT_S_MAX : timeout_s;
    snprintf(tail, sizeof tail, "/stop?t=%lld", (long long)seconds);
    return submit_container(e, "stop", "POST", id, tail,
                            (struct docker_call_spec){ .lane = DOCKER_LANE_STOP,
                                                       .party = party,
                                                       .deadline_ms = seconds * 1000 + STOP_MARGIN_MS,
                                                       .done = done,
                                                       .owner = owner });
}

struct docker_call *docker_engine_kill(struct docker_engine *e, const char *id, const char *signal,
                                       docker_answer_cb done, void *owner)
{
    char tail[48];
    bool is_valid =
        signal[0] && strlen(signal) < 16 && strspn(signal, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-") == strlen(signal);
    char *encoded = percent_encode(is_valid ? signal : "");
    snprintf(tail, sizeof tail, "/kill?signal=%s", encoded);
    free(encoded);
    return submit_container(e, "kill", "POST", id, tail,
                            (struct docker_call_spec){ .lane = DOCKER_LANE_STOP,
                                                       .deadline_ms = KILL_DEADLINE_MS,
                                                       .refusal = is_valid ? NULL : "not a signal name",
                                                       .done = done,
                                                       .owner = owner });
}

struct docker_call *docker_engine_remove(struct docker_engine *e, const char *party, const char *id, bool force,
                                         docker_answer_cb done, void *owner)
{
    return submit_container(e, "remove", "DELETE", id, force ? "?v=1&force=1" : "?v=1",
                            (struct docker_call_spec){ .lane = DOCKER_LANE_REMOVE,
                                                       .party = party,
                                                       .deadline_ms = REMOVE_DEADLINE_MS,
                                                       .done = done,
                                                       .owner = owner });
}

struct docker_call *docker_engine_logs(struct docker_engine *e, const char *party, const char *id, int64_t line_count,
                                       http_piece_cb on_piece, docker_answer_cb done, void *owner)
{
    char tail[64];
    snprintf(tail, sizeof tail, "/logs?stdout=1&stderr=1&tail=%lld", (long long)line_count);
    return submit_container(e, "logs", "GET", id, tail,
                            (struct docker_call_spec){ .lane = DOCKER_LANE_LOGS,
                                                       .party = party,
                                                       .deadline_ms = LOGS_DEADLINE_MS,
                                                       .on_piece = on_piece,
                                                       .done = done,
                                                       .owner = owner });
}

struct docker_call *docker_engine_inspect_image(struct docker_engine *e, const char *image, docker_answer_cb done,
                                                void *owner)
{
    struct docker_call_spec spec = { .lane = DOCKER_LANE_LOOK,
                                     .method = "GET",
                                     .path = mem_printf("/images/%.*s/json", IMAGE_LEN_MAX, image ? image : ""),
                                     .what = mem_printf("inspect image %.*s", NAME_LEN_MAX, image ? image : ""),
                                     .deadline_ms = DOCKER_INSPECT_DEADLINE_MS,
                                     .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                     .refusal = refuse_image(image),
                                     .done = done,
                                     .owner = owner };
    return docker_engine_submit(e, &spec);
}

struct docker_call *docker_engine_pull(struct docker_engine *e, const struct image_reference *image, const char *auth,
                                       int64_t silence_ms, http_piece_cb on_piece, docker_answer_cb done, void *owner)
{
    char *name = percent_encode(image->name), *tag = percent_encode(image->tag);
    struct docker_call_spec spec = { .lane = DOCKER_LANE_PULL,
                                     .party = image->registry,
                                     .method = "POST",
                                     .path = mem_printf("/images/create?fromImage=%s&tag=%s", name, tag),
                                     .what = mem_printf("pull %s%s%s", image->name, strchr(image->tag, ':') ? "@" : ":",
                                                        image->tag),
                                     .header = auth[0] ? mem_printf("X-Registry-Auth: %s", auth) : NULL,
                                     .idle_ms = silence_ms,
                                     .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                     .on_piece = on_piece,
                                     .done = done,
                                     .owner = owner };
    free(name);
    free(tag);
    return docker_engine_submit(e, &spec);
}

struct docker_call *docker_engine_watch(struct docker_engine *e, const char *since, http_head_cb on_head,
                                        http_piece_cb on_piece, docker_answer_cb done, void *owner)
{
    /* Only what discovery/docker/events.h knows: a HEALTHCHECK makes three exec events each time it runs. Podman calls
     * `die` and `destroy` by other names here: `died`, `remove`. */
    static const char filters[] =
        "{\"type\":[\"container\",\"network\"],\"event\":[\"create\",\"start\",\"kill\",\"die\",\"died\",\"stop\","
        "\"destroy\","
        "\"remove\","
        "\"pause\",\"unpause\",\"health_status\",\"rename\",\"update\",\"connect\",\"disconnect\"]}";
    bool is_valid = strspn(since, "0123456789.") == strlen(since) && strlen(since) < 32;
    char *encoded = percent_encode(filters);
    struct docker_call_spec spec = { .lane = DOCKER_LANE_STREAM,
                                     .method = "GET",
                                     .what = mem_strdup("events"),
                                     .idle_ms = STREAM_IDLE_MS,
                                     .answer_bytes_max = DOCKER_ANSWER_BYTES_MAX,
                                     .refusal = is_valid ? NULL : "not a time",
                                     .on_head = on_head,
                                     .on_piece = on_piece,
                                     .done = done,
                                     .owner = owner };
    spec.path = mem_printf("/events?filters=%s%s%s", encoded, since[0] ? "&since=" : "", is_valid ? since : "");
    free(encoded);
    return docker_engine_submit(e, &spec);
}
