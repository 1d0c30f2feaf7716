#include "discovery/docker/labels.h"

#include "base/json.h"
#include "config/choices.h"
#include "config/form.h"
#include "config/listen_address.h"
#include "discovery/docker/address.h"
#include "discovery/docker/engine_time.h"
#include "discovery/docker/health_labels.h"
#include "discovery/revision.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_ID_LEN 12
#define WEIGHT_MAX 1000
#define STOP_TIMEOUT_DEFAULT_MS 10000 /* the engine's */
#define STOP_TIMEOUT_MAX_S 86400
#define STATUS_PAUSED "paused"
#define NETWORK_NAME_SIZE 129

static const char *const verdict_names[] = { "task", "not ours", "invalid", "unreadable", "borrows" };
_Static_assert(sizeof verdict_names / sizeof *verdict_names == DOCKER_VERDICT_COUNT, "a name for every verdict");

static const char *const known_labels[] = {
    DOCKER_LABEL_ENABLE,         DOCKER_LABEL_SERVICE,        DOCKER_LABEL_PORT,        DOCKER_LABEL_HOST,
    DOCKER_LABEL_PATH,           DOCKER_LABEL_WEIGHT,         DOCKER_LABEL_MANAGED_BY,  DOCKER_LABEL_CLUSTER,
    DOCKER_LABEL_REVISION,       DOCKER_LABEL_PROXY_PROTOCOL, DOCKER_LABEL_HEALTH_PATH, DOCKER_LABEL_HEALTH_INTERVAL,
    DOCKER_LABEL_HEALTH_TIMEOUT, DOCKER_LABEL_PROOF,          DOCKER_LABEL_NETWORK,     DOCKER_LABEL_IMAGE,
};

static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

/* What is looked at while one inspect document is read; all borrowed. */
struct reading {
    const json_t *root, *config, *labels, *state;
    const json_t *lender; /* null: none, or not asked for */
    const struct docker_label_scope *scope;
    struct docker_container *container;
    struct task_spec *spec; /* of the container */
    struct error *warning;
};

static void warn(struct reading *r, const char *reason)
{
    error_set(r->warning, "container %s (%.*s): %s", r->spec->name, SHORT_ID_LEN, r->spec->id, reason);
}

static bool refuse(struct reading *r, const char *reason)
{
    if (r->spec->managed && !r->spec->problem[0])
        snprintf(r->spec->problem, sizeof r->spec->problem, "%s", reason);
    warn(r, reason);
    return false;
}

static bool refuse_label(struct reading *r, const char *label, const char *value, const char *expected)
{
    struct error reason;
    error_set(&reason, "label %s=\"%.60s\"%s: %s is expected", label, value, strlen(value) > 60 ? "..." : "", expected);
    return refuse(r, reason.text);
}

/* False only when the label is there and is no text. */
static bool find_label(struct reading *r, const char *label, const char **value)
{
    const json_t *found = json_object_get(r->labels, label);
    *value = json_string_value(found);
    return !found || *value || refuse_label(r, label, "(not text)", "text");
}

/* ---- who it is ---- */

static bool word_is_valid(const char *text, size_t size)
{
    size_t len = strlen(text);
    return len > 0 && len < size && strspn(text, alphanumeric) == len && isalnum((unsigned char)text[0]);
}

static const char *const yes_words[] = { "true", "1", "yes", "on", NULL };
static const char *const no_words[] = { "false", "0", "no", "off", NULL };

static bool word_is_among(const char *word, const char *const *words)
{
    while (*words && strcasecmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static bool read_identity(struct reading *r)
{
    const char *id = json_find_string(r->root, "Id");
    const char *name = json_find_string(r->root, "Name");
    if (!id || !word_is_valid(id, sizeof r->spec->id))
        return error_set(r->warning, "a container without a valid id");
    memcpy(r->spec->id, id, strlen(id) + 1);
    if (name && name[0] == '/')
        name++;
    /* For people only, so a longer one is cut. */
    if (name && word_is_valid(name, 256))
        snprintf(r->spec->name, sizeof r->spec->name, "%.*s", (int)sizeof r->spec->name - 1, name);
    else
        snprintf(r->spec->name, sizeof r->spec->name, "%.*s", SHORT_ID_LEN, id);
    return true;
}

/* Whether the container concerns us at all. False with an empty warning: it does not. */
static bool read_ownership(struct reading *r)
{
    const char *managed_by, *cluster, *enable;
    if (!find_label(r, DOCKER_LABEL_MANAGED_BY, &managed_by) || !find_label(r, DOCKER_LABEL_CLUSTER, &cluster) ||
        !find_label(r, DOCKER_LABEL_ENABLE, &enable))
        return false;
    switch (ownership_of(r->root, r->scope->cluster, r->scope->ownership)) {
    case OWNERSHIP_OURS:
        r->spec->managed = true;
        return true;
    case OWNERSHIP_ELSEWHERE:
        return false;
    case OWNERSHIP_UNPROVEN:
        return refuse(r,
                      "it has the labels of this installation's tasks and no proof that Portico created it, so that it "
                      "gets no requests and is not stopped; if it is ours, and the state folder was lost, adopt it "
                      "with docker.adoptCreatedBefore");
    default:
        break;
    }
    if (!enable || word_is_among(enable, no_words))
        return false;
    return word_is_among(enable, yes_words) ||
           refuse_label(r, DOCKER_LABEL_ENABLE, enable, "true, 1, yes or on, or false, 0, no or off");
}

/* ---- where its requests come from and go to ---- */

static bool accept(struct reading *r, const char *label, const char *value, char *canonical, char *out, size_t size,
                   const char *expected)
{
    bool accepted = canonical && strlen(canonical) < size;
    if (accepted)
        memcpy(out, canonical, strlen(canonical) + 1);
    free(canonical);
    return accepted || refuse_label(r, label, value, expected);
}

static bool read_service(struct reading *r)
{
    struct service_labels labels;
    struct error reason;
    if (!find_label(r, DOCKER_LABEL_SERVICE, &labels.service) ||
        !find_label(r, DOCKER_LABEL_COMPOSE_PROJECT, &labels.compose_project) ||
        !find_label(r, DOCKER_LABEL_COMPOSE_SERVICE, &labels.compose_service))
        return false;
    if (r->spec->managed) /* by its own name; what compose's labels its image has means nothing */
        labels.compose_project = labels.compose_service = NULL;
    return service_name_read(&labels, &r->scope->joinable, r->spec->service, &reason) || refuse(r, reason.text);
}

/* Whoever answers for a service that somebody configured is for the configuration to say. */
static bool check_join(struct reading *r)
{
    if (label_policy_may_join(r->scope->policy, r->spec->service))
        return true;
    struct error reason;
    error_set(&reason, "service %s is in the configuration and has not allowLabels: true", r->spec->service);
    return refuse(r, reason.text);
}

static bool read_route(struct reading *r)
{
    const char *host, *path;
    if (!find_label(r, DOCKER_LABEL_HOST, &host) || !find_label(r, DOCKER_LABEL_PATH, &path))
        return false;
    if (host && !accept(r, DOCKER_LABEL_HOST, host, form_accept_hosts(host), r->spec->host, sizeof r->spec->host,
                        "a host name, *.suffix or *, or several with commas between"))
        return false;
    char expected[FORM_PATH_BYTES_MAX + 60] = "a path prefix", suggestion[FORM_PATH_BYTES_MAX + 1];
    if (path && form_suggest_path_prefix(path, suggestion))
        snprintf(expected, sizeof expected, "%s, which takes all below it,", suggestion);
    return !path || accept(r, DOCKER_LABEL_PATH, path, form_accept_path_prefix(path), r->spec->path,
                           sizeof r->spec->path, expected);
}

static bool read_weight(struct reading *r)
{
    const char *text;
    if (!find_label(r, DOCKER_LABEL_WEIGHT, &text))
        return false;
    unsigned weight = text ? listen_address_parse_port(text) : 1; /* the same decimal notation */
    if (weight < 1 || weight > WEIGHT_MAX)
        return refuse_label(r, DOCKER_LABEL_WEIGHT, text, "a number from 1 to 1000");
    r->spec->weight = weight;
    return true;
}

static bool read_proxy_protocol(struct reading *r)
{
    const char *word;
    if (!find_label(r, DOCKER_LABEL_PROXY_PROTOCOL, &word))
        return false;
    if (!word)
        return true;
    if (!choices_include(CHOICES_PROXY_PROTOCOL, word) || strlen(word) >= sizeof r->spec->proxy_protocol)
        return refuse_label(r, DOCKER_LABEL_PROXY_PROTOCOL, word, "off, v1 or v2");
    memcpy(r->spec->proxy_protocol, word, strlen(word) + 1);
    return true;
}

static bool read_check(struct reading *r)
{
    struct error reason;
    return docker_health_labels_read(r->labels, &r->spec->check, &reason) || refuse(r, reason.text);
}

/* One of an earlier version does not say of which image it is: the engine does. */
static bool read_revision(struct reading *r)
{
    const char *revision;
    revision_read_image_id(json_find_string(r->root, "Image"), r->spec->image_id);
    if (!find_label(r, DOCKER_LABEL_REVISION, &revision))
        return false;
    if (!revision)
        return true;
    if (!word_is_valid(revision, sizeof r->spec->revision))
        return refuse_label(r, DOCKER_LABEL_REVISION, revision, "at most 35 letters and digits");
    revision_make(revision, r->spec->image_id, r->spec->revision);
    return true;
}

/* The one TCP port that the image exposes; 0 when there is none or more than one. */
static uint16_t only_exposed_port(const json_t *config)
{
    const char *key;
    json_t *unused;
    char number[8];
    uint16_t port = 0;
    json_object_foreach ((json_t *)json_find_object(config, "ExposedPorts"), key, unused) {
        size_t len = strcspn(key, "/");
        if (strcmp(key + len, "/tcp") != 0 || len >= sizeof number)
            continue;
        if (port)
            return 0;
        snprintf(number, sizeof number, "%.*s", (int)len, key);
        port = listen_address_parse_port(number);
    }
    return port;
}

static bool read_port(struct reading *r, uint16_t *port)
{
    const char *text;
    if (!find_label(r, DOCKER_LABEL_PORT, &text))
        return false;
    *port = text ? listen_address_parse_port(text) : only_exposed_port(r->config);
    if (text && !*port)
        return refuse_label(r, DOCKER_LABEL_PORT, text, "a number from 1 to 65535");
    return *port ||
           refuse(r, "label " DOCKER_LABEL_PORT " is missing, and the image does not expose exactly one TCP port");
}

static bool read_network(struct reading *r, struct docker_address_query *query)
{
    if (!find_label(r, DOCKER_LABEL_COMPOSE_PROJECT, &query->compose_project) ||
        !find_label(r, DOCKER_LABEL_NETWORK, &query->network))
        return false;
    if (r->spec->managed) /* its image may say what it likes */
        query->network = query->compose_project = NULL;
    if (query->network && !word_is_valid(query->network, NETWORK_NAME_SIZE))
        return refuse_label(r, DOCKER_LABEL_NETWORK, query->network, "the name of a network");
    return true;
}

static bool needs_lender(const struct reading *r)
{
    return r->spec->state == TASK_RUNNING && r->container->lender[0] && !r->lender;
}

static bool refuse_borrowed(struct reading *r, const char *why)
{
    struct error reason;
    error_set(&reason, "it uses the network of container %.12s: %s", r->container->lender, why);
    return refuse(r, reason.text);
}

static bool read_address(struct reading *r)
{
    struct docker_address_query query = { .inspected = r->lender ? r->lender : r->root };
    char address[TASK_ADDRESS_SIZE] = "";
    struct error reason;
    bool is_running = r->spec->state == TASK_RUNNING;
    if (!read_port(r, &query.port) || !read_network(r, &query))
        return false;
    if (!is_running && !docker_address_is_of_host(r->root))
        return true; /* it has none while it does not run */
    if (needs_lender(r))
        return true;
    if (docker_address_find_lender(query.inspected))
        return refuse_borrowed(r, "that one uses another's itself");
    if (!docker_address_find(&query, r->scope, address, &reason))
        return r->lender ? refuse_borrowed(r, reason.text) : refuse(r, reason.text);
    if (reason.text[0])
        warn(r, reason.text);
    if (own_sockets_include(r->scope->own_sockets, address)) {
        error_set(&reason, "its address %s is one that Portico itself listens on", address);
        return refuse(r, reason.text);
    }
    if (is_running)
        memcpy(r->spec->address, address, sizeof address);
    return true;
}

/* ---- what it does ---- */

static bool find_state(const struct reading *r, enum task_state *out)
{
    static const struct {
        const char *word;
        enum task_state state;
    } states[] = {
        { "created", TASK_PENDING },     { "restarting", TASK_PENDING }, { "running", TASK_RUNNING },
        { STATUS_PAUSED, TASK_RUNNING }, { "removing", TASK_STOPPED },   { "exited", TASK_STOPPED },
        { "dead", TASK_STOPPED },
    };
    const char *status = json_find_string(r->state, "Status");
    size_t i = 0;
    while (i < sizeof states / sizeof *states && (!status || strcmp(states[i].word, status) != 0))
        i++;
    if (i < sizeof states / sizeof *states)
        *out = states[i].state;
    return i < sizeof states / sizeof *states;
}

static bool read_state(struct reading *r)
{
    int64_t exit_code = 0;
    if (!find_state(r, &r->spec->state))
        return refuse(r, "the engine reports a state that is not known");
    if (json_find_integer(r->state, "ExitCode", &exit_code) && exit_code >= INT32_MIN && exit_code <= INT32_MAX)
        r->spec->exit_code = (int32_t)exit_code;
    r->spec->started_at_wall_us = docker_time_parse_us(json_find_string(r->state, "StartedAt"));
    return true;
}

static void read_engine_health(struct reading *r)
{
    r->spec->start_period_ms = docker_health_start_period_ms(r->config);
    const char *status = json_find_string(json_find_object(r->state, "Health"), "Status");
    const char *container = json_find_string(r->state, "Status");
    if (container && strcmp(container, STATUS_PAUSED) == 0)
        status = "unhealthy";                                 /* it runs, and answers nobody until it goes on */
    if (!status || !status[0] || strcmp(status, "none") == 0) /* Podman has an empty one where there is no check */
        return;
    r->spec->has_engine_health = true;
    docker_health_words(r->state, r->spec->engine_words);
    r->spec->engine_health = strcmp(status, "healthy") == 0     ? TASK_HEALTH_UP
                             : strcmp(status, "unhealthy") == 0 ? TASK_HEALTH_DOWN
                                                                : TASK_HEALTH_UNKNOWN;
}

static void read_stop(struct reading *r)
{
    const char *text = json_find_string(r->config, "StopSignal");
    int number = text ? docker_signal_parse(text) : 0;
    int64_t timeout_s;
    r->container->stop_signal = number ? number : SIGTERM;
    r->container->stop_timeout_ms = STOP_TIMEOUT_DEFAULT_MS;
    if (json_find_integer(r->config, "StopTimeout", &timeout_s) && timeout_s >= 0)
        r->container->stop_timeout_ms = (timeout_s < STOP_TIMEOUT_MAX_S ? timeout_s : STOP_TIMEOUT_MAX_S) * 1000;
}

/* The engine starts "on-failure" ones a limited number of times; one that stays down is no reason to forget its route. */
static void read_restart_policy(struct reading *r)
{
    const json_t *host_config = json_find_object(r->root, "HostConfig");
    const char *name = json_find_string(json_find_object(host_config, "RestartPolicy"), "Name");
    r->container->restarts = name && name[0] && strcmp(name, "no") != 0;
}

/* Without one only what other containers of the service ask for leads to it. */
static void warn_of_missing_route(struct reading *r)
{
    if (!r->spec->managed && !r->spec->host[0] && !r->spec->path[0])
        warn(r, "neither " DOCKER_LABEL_HOST " nor " DOCKER_LABEL_PATH " is set: it asks for no route of its own");
}

/* A misspelt label would otherwise be silently without effect. */
static void warn_of_unknown_label(struct reading *r)
{
    const char *label;
    json_t *unused;
    json_object_foreach ((json_t *)r->labels, label, unused) {
        size_t i = 0;
        if (strncmp(label, DOCKER_LABEL_PREFIX, sizeof DOCKER_LABEL_PREFIX - 1) != 0)
            continue;
        while (i < sizeof known_labels / sizeof *known_labels && strcmp(known_labels[i], label) != 0)
            i++;
        if (i < sizeof known_labels / sizeof *known_labels)
            continue;
        struct error reason;
        error_set(&reason, "label %.80s is not known and has no effect", label);
        warn(r, reason.text);
        return;
    }
}

/* What a task of our own is, is said by the configuration: an image's labels have no say in it. */
static bool read_managed(struct reading *r)
{
    r->spec->weight = 1;
    bool is_named = read_service(r), is_stated = read_state(r), is_versioned = read_revision(r);
    if (!is_named)
        snprintf(r->spec->service, sizeof r->spec->service, "%s", DOCKER_SERVICE_UNKNOWN);
    if (!is_stated)
        r->spec->state = TASK_RUNNING; /* it has to be stopped before it can be removed */
    return is_named && is_stated && is_versioned && read_address(r);
}

static bool read_foreign(struct reading *r)
{
    return read_service(r) && check_join(r) && read_weight(r) && read_state(r) && read_address(r) && read_route(r) &&
           read_proxy_protocol(r) && read_check(r);
}

static void read_lender(struct reading *r)
{
    const char *id = json_find_string(r->lender, "Id"); /* what events call it, where ours may have its name */
    const char *lender = docker_address_find_lender(r->root);
    if (lender && id)
        lender = id;
    if (lender && word_is_valid(lender, sizeof r->container->lender))
        memcpy(r->container->lender, lender, strlen(lender) + 1);
}

/* One of our own is a task whatever is wrong with it: what we made is never left out of the count. */
static enum docker_verdict read_container(struct reading *r)
{
    r->config = json_find_object(r->root, "Config");
    r->labels = json_find_object(r->config, "Labels");
    r->state = json_find_object(r->root, "State");
    if (!read_identity(r))
        return DOCKER_VERDICT_UNREADABLE;
    if (!read_ownership(r))
        return r->warning->text[0] ? DOCKER_VERDICT_INVALID : DOCKER_VERDICT_NOT_OURS;
    read_lender(r);
    enum task_state unused;
    if (!r->spec->managed && !read_foreign(r))
        return find_state(r, &unused) ? DOCKER_VERDICT_INVALID : DOCKER_VERDICT_UNREADABLE;
    bool is_usable = !r->spec->managed || read_managed(r);
    read_engine_health(r);
    read_stop(r);
    read_restart_policy(r);
    if (!is_usable)
        return find_state(r, &unused) ? DOCKER_VERDICT_TASK : DOCKER_VERDICT_UNREADABLE;
    if (needs_lender(r))
        return DOCKER_VERDICT_BORROWS;
    if (r->warning->text[0])
        return DOCKER_VERDICT_TASK;
    warn_of_missing_route(r);
    warn_of_unknown_label(r);
    return DOCKER_VERDICT_TASK;
}

/* ---- public ---- */

const char *docker_verdict_to_str(enum docker_verdict verdict)
{
    return verdict < DOCKER_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

enum docker_verdict docker_container_parse(struct slice json, struct slice lender,
                                           const struct docker_label_scope *scope, struct docker_container *out,
                                           struct error *warning)
{
    struct error reason;
    memset(out, 0, sizeof *out);
    warning->text[0] = '\0';
    json_t *root = json_parse_bounded(json, &json_limits_default, &reason);
    json_t *lender_root = root && lender.len ? json_parse_bounded(lender, &json_limits_default, &reason) : NULL;
    enum docker_verdict verdict = DOCKER_VERDICT_UNREADABLE;
    if (!root || (lender.len && !lender_root)) {
        error_set(warning, "a container's inspect document: %.400s", reason.text);
    } else {
        struct reading r = { .root = root,
                             .lender = lender_root,
                             .scope = scope,
                             .container = out,
                             .spec = &out->spec,
                             .warning = warning };
        verdict = read_container(&r);
    }
    json_decref(root);
    json_decref(lender_root);
    return verdict;
}

int docker_signal_parse(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > 12)
        return 0;
    if (strspn(text, "0123456789") == len) {
        long number = strtol(text, NULL, 10);
        return number >= 1 && number <= 64 ? (int)number : 0;
    }
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int number = 1; number < 32; number++) {
        const char *name = sigabbrev_np(number);
        if (name && strcasecmp(name, text) == 0)
            return number;
    }
    int offset = 0;
    char sign = 0;
    /* As the kernel counts them, not libc, which keeps the first two for itself. */
    if (strcasecmp(text, "RTMIN") == 0 || (sscanf(text, "RTMIN%c%2d", &sign, &offset) == 2 && sign == '+'))
        return offset >= 0 && 34 + offset <= 64 ? 34 + offset : 0;
    return 0;
}
