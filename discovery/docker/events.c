#include "discovery/docker/events.h"

#include "base/json.h"
#include "discovery/docker/labels.h"

#include <stdlib.h>
#include <string.h>

static const char *const action_names[] = {
    "other", "create", "start", "kill", "die", "stop", "destroy", "pause", "unpause", "health", "changed",
};
_Static_assert(sizeof action_names / sizeof *action_names == DOCKER_EVENT_ACTION_COUNT, "a name for every action");

static const struct {
    const char *word;
    enum docker_event_action action;
} container_words[] = {
    { "create", DOCKER_EVENT_CREATE },  { "start", DOCKER_EVENT_START },     { "kill", DOCKER_EVENT_KILL },
    { "die", DOCKER_EVENT_DIE },        { "stop", DOCKER_EVENT_STOP },       { "destroy", DOCKER_EVENT_DESTROY },
    { "remove", DOCKER_EVENT_DESTROY }, /* Podman's word */
    { "pause", DOCKER_EVENT_PAUSE },    { "unpause", DOCKER_EVENT_UNPAUSE }, { "rename", DOCKER_EVENT_CHANGED },
    { "update", DOCKER_EVENT_CHANGED },
};

static enum docker_event_action container_action(const char *word)
{
    for (size_t i = 0; i < sizeof container_words / sizeof *container_words; i++)
        if (strcmp(container_words[i].word, word) == 0)
            return container_words[i].action;
    return DOCKER_EVENT_OTHER;
}

static bool set_id(struct docker_event *event, const char *id)
{
    size_t len = id ? strlen(id) : 0;
    if (len == 0 || len > 64 || strspn(id, "0123456789abcdef") != len)
        return false;
    memcpy(event->id, id, len + 1);
    return true;
}

static int find_number(const json_t *attributes, const char *key, int fallback)
{
    const char *text = json_find_string(attributes, key);
    char *end;
    if (!text || !*text || strlen(text) > 10)
        return fallback;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number >= INT32_MIN && number <= INT32_MAX ? (int)number : fallback;
}

/* "health_status: healthy"; a word that is not known means: look again. */
static enum docker_event_action read_health(const char *word, struct docker_event *event)
{
    static const char prefix[] = "health_status";
    if (strncmp(word, prefix, sizeof prefix - 1) != 0)
        return DOCKER_EVENT_OTHER;
    word += sizeof prefix - 1;
    word += strspn(word, ": ");
    if (strcmp(word, "healthy") == 0)
        event->health = TASK_HEALTH_UP;
    else if (strcmp(word, "unhealthy") == 0)
        event->health = TASK_HEALTH_DOWN;
    else
        return DOCKER_EVENT_CHANGED;
    return DOCKER_EVENT_HEALTH;
}

static bool read_container_event(const char *word, const json_t *actor, struct docker_event *event, struct error *error)
{
    const json_t *attributes = json_find_object(actor, "Attributes");
    event->action = container_action(word);
    if (event->action == DOCKER_EVENT_OTHER)
        event->action = read_health(word, event);
    if (event->action == DOCKER_EVENT_OTHER)
        return true;
    if (!set_id(event, json_find_string(actor, "ID")))
        return error_set(error, "a container event without a container id");
    event->has_labels = true;
    event->has_managed_label = json_object_get(attributes, DOCKER_LABEL_MANAGED_BY) != NULL;
    event->has_our_label = event->has_managed_label || json_object_get(attributes, DOCKER_LABEL_ENABLE);
    /* A container's labels are among the attributes too, and one of these names overwrites the engine's value: it can
     * fool us about itself only. */
    event->signal = find_number(attributes, "signal", 0);
    event->exit_code = find_number(attributes, "exitCode", 0);
    return true;
}

static bool read_event(const json_t *root, struct docker_event *event, struct error *error)
{
    const char *type = json_find_string(root, "Type");
    const char *word = json_find_string(root, "Action");
    const json_t *actor = json_find_object(root, "Actor");
    if (!type || !word)
        return error_set(error, "an event without type or action");
    int64_t time_nano = 0;
    if (json_find_integer(root, "timeNano", &time_nano) && time_nano > 0)
        event->time_nano = time_nano;
    if (strcmp(type, "container") == 0)
        return read_container_event(word, actor, event, error);
    if (strcmp(type, "network") == 0 && (strcmp(word, "connect") == 0 || strcmp(word, "disconnect") == 0)) {
        event->action = DOCKER_EVENT_CHANGED;
        return set_id(event, json_find_string(json_find_object(actor, "Attributes"), "container")) ||
               error_set(error, "a network event without a container id");
    }
    return true;
}

static void end_line(struct docker_lines *lines, struct slice line, docker_line_cb on_line, void *owner)
{
    if (line.len > DOCKER_EVENT_LINE_BYTES_MAX) {
        lines->dropped_count++;
        return;
    }
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len > 0)
        on_line(owner, line);
}

/* ---- public ---- */

const char *docker_event_action_to_str(enum docker_event_action action)
{
    return action < DOCKER_EVENT_ACTION_COUNT ? action_names[action] : "?";
}

bool docker_event_parse(struct slice line, struct docker_event *out, struct error *error)
{
    memset(out, 0, sizeof *out);
    json_t *root = json_parse_bounded(line, &json_limits_default, error);
    if (!root)
        return false;
    bool understood = read_event(root, out, error);
    json_decref(root);
    if (!understood)
        memset(out, 0, sizeof *out);
    return understood;
}

void docker_lines_init(struct docker_lines *lines)
{
    memset(lines, 0, sizeof *lines);
    buf_init(&lines->partial, DOCKER_EVENT_LINE_BYTES_MAX);
}

void docker_lines_fini(struct docker_lines *lines)
{
    buf_fini(&lines->partial);
}

void docker_lines_clear(struct docker_lines *lines)
{
    buf_clear(&lines->partial);
    lines->skipping = false;
}

void docker_lines_feed(struct docker_lines *lines, struct slice piece, docker_line_cb on_line, void *owner)
{
    while (piece.len > 0) {
        const char *end = memchr(piece.at, '\n', piece.len);
        struct slice part = { piece.at, end ? (size_t)(end - piece.at) : piece.len };
        size_t used = part.len + (end ? 1 : 0);
        piece.at += used;
        piece.len -= used;
        if (end && !lines->skipping && lines->partial.len == 0) {
            end_line(lines, part, on_line, owner);
            continue;
        }
        if (!lines->skipping && !buf_append_slice(&lines->partial, part)) {
            lines->skipping = true;
            lines->dropped_count++;
            buf_clear(&lines->partial);
        }
        if (!end)
            continue;
        if (!lines->skipping)
            end_line(lines, (struct slice){ lines->partial.at, lines->partial.len }, on_line, owner);
        lines->skipping = false;
        buf_clear(&lines->partial);
    }
}
