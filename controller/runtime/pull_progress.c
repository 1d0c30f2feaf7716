#include "controller/runtime/pull_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "discovery/docker/engine.h"

#define SIZE_BYTES_MAX (INT64_C(1) << 50) /* of a layer: what is larger is a lie */

void pull_progress_init(struct pull_progress *p)
{
    *p = (struct pull_progress){ 0 };
    docker_lines_init(&p->lines);
}

void pull_progress_fini(struct pull_progress *p)
{
    docker_lines_fini(&p->lines);
}

/* What says nothing of where the layer stands ("Retrying in 5 seconds") leaves it where it was. */
static enum pull_layer_state state_of(const char *status)
{
    static const struct {
        const char *status;
        enum pull_layer_state state;
    } words[] = {
        { "Downloading", PULL_LAYER_DOWNLOADING },      { "Verifying Checksum", PULL_LAYER_DOWNLOADED },
        { "Download complete", PULL_LAYER_DOWNLOADED }, { "Extracting", PULL_LAYER_EXTRACTING },
        { "Pull complete", PULL_LAYER_DONE },           { "Already exists", PULL_LAYER_DONE },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(status, words[i].status) == 0)
            return words[i].state;
    return PULL_LAYER_WAITING;
}

static struct pull_layer *find_or_add(struct pull_progress *p, const char *id)
{
    for (size_t i = 0; i < p->layer_count; i++)
        if (strcmp(p->layers[i].id, id) == 0)
            return &p->layers[i];
    if (p->layer_count == PULL_LAYERS_MAX || strlen(id) >= PULL_LAYER_ID_SIZE)
        return NULL;
    struct pull_layer *layer = &p->layers[p->layer_count++];
    snprintf(layer->id, sizeof layer->id, "%s", id);
    p->news_count++;
    return layer;
}

static void raise(struct pull_progress *p, int64_t *count, int64_t now)
{
    if (now <= *count || now > SIZE_BYTES_MAX)
        return;
    *count = now;
    p->news_count++;
}

/* The first line names the tag in the place of a layer. */
static void take_layer(struct pull_progress *p, const char *id, const char *status, const json_t *detail)
{
    struct pull_layer *layer = strncmp(status, "Pulling from", 12) == 0 ? NULL : find_or_add(p, id);
    enum pull_layer_state state = state_of(status);
    int64_t current = 0, total = 0;
    if (layer == NULL)
        return;
    if (state > layer->state) {
        layer->state = state;
        p->news_count++;
    }
    json_find_integer(detail, "current", &current);
    json_find_integer(detail, "total", &total);
    if (state == PULL_LAYER_DOWNLOADING && total > 0 && total <= SIZE_BYTES_MAX)
        layer->size_bytes = total;
    if (state == PULL_LAYER_DOWNLOADING)
        raise(p, &layer->downloaded_bytes, current);
    else if (state == PULL_LAYER_EXTRACTING)
        raise(p, &layer->extracted_bytes, current);
}

static void take_problem(struct pull_progress *p, const char *message)
{
    char *words = docker_shorten_message(message[0] != '\0' ? message : "an error without a message");
    snprintf(p->problem, sizeof p->problem, "%s", words);
    free(words);
}

static void take_line(void *owner, struct slice line)
{
    struct pull_progress *p = owner;
    struct error problem;
    json_t *said = json_parse_bounded(line, &json_limits_default, &problem);
    if (said == NULL || !json_is_object(said)) {
        p->is_senseless = true;
        error_set(&p->error, "a line of it is not a JSON object%s%.200s", said == NULL ? ": " : "",
                  said == NULL ? problem.text : "");
        json_decref(said);
        return;
    }
    const char *id = json_find_string(said, "id"), *status = json_find_string(said, "status");
    const char *message = json_find_string(json_find_object(said, "errorDetail"), "message");
    if (message == NULL)
        message = json_find_string(said, "error");
    if (message != NULL)
        take_problem(p, message);
    else if (id != NULL && status != NULL)
        take_layer(p, id, status, json_find_object(said, "progressDetail"));
    json_decref(said);
}

bool pull_progress_add(struct pull_progress *p, struct slice piece, struct error *error)
{
    docker_lines_feed(&p->lines, piece, take_line, p);
    if (p->lines.dropped_count > 0)
        return error_set(error, "a line of it has more than %u bytes", DOCKER_EVENT_LINE_BYTES_MAX);
    return !p->is_senseless || error_set(error, "%s", p->error.text);
}

bool pull_progress_end(struct pull_progress *p, struct error *error)
{
    return pull_progress_add(p, SLICE_LITERAL("\n"), error);
}

void pull_progress_sum(const struct pull_progress *p, struct runtime_pull *out)
{
    *out = (struct runtime_pull){ .layer_count = p->layer_count };
    for (size_t i = 0; i < p->layer_count; i++) {
        const struct pull_layer *layer = &p->layers[i];
        bool is_here = layer->state >= PULL_LAYER_DOWNLOADED && layer->size_bytes > layer->downloaded_bytes;
        out->done_count += layer->state == PULL_LAYER_DONE;
        out->downloaded_bytes += is_here ? layer->size_bytes : layer->downloaded_bytes;
        out->size_bytes += layer->size_bytes > layer->downloaded_bytes ? layer->size_bytes : layer->downloaded_bytes;
    }
}
