/* pull_progress: what an engine says while it pulls an image: lines of JSON, in pieces however they are cut, each about one
 * layer, about the whole, or an error. Holds one line (discovery/docker/events.h) and PULL_LAYERS_MAX layers at most. Only what was never there before is
 * progress: a layer that is new, further, or has more bytes. Pure; one thread; embedded in its owner. */
#ifndef CONTROLLER_RUNTIME_PULL_PROGRESS_H
#define CONTROLLER_RUNTIME_PULL_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "controller/runtime/runtime.h"
#include "discovery/docker/events.h"

#define PULL_LAYERS_MAX 128 /* Docker allows 127; what comes beyond is not counted */
#define PULL_LAYER_ID_SIZE 24
#define PULL_PROBLEM_SIZE 480

enum pull_layer_state {
    PULL_LAYER_WAITING = 0,
    PULL_LAYER_DOWNLOADING,
    PULL_LAYER_DOWNLOADED,
    PULL_LAYER_EXTRACTING,
    PULL_LAYER_DONE,
    PULL_LAYER_STATE_COUNT
};

struct pull_layer {
    char id[PULL_LAYER_ID_SIZE];
    enum pull_layer_state state;
    int64_t downloaded_bytes, extracted_bytes, size_bytes; /* size 0: not known */
};

struct pull_progress {
    struct docker_lines lines;
    struct pull_layer layers[PULL_LAYERS_MAX];
    size_t layer_count;
    uint64_t news_count;             /* grows with each line that is progress */
    char problem[PULL_PROBLEM_SIZE]; /* the engine's words about what went wrong; "": nothing so far */
    bool is_senseless;               /* a line of it was; `error` says which */
    struct error error;
};

void pull_progress_init(struct pull_progress *p);
void pull_progress_fini(struct pull_progress *p);

/* False with error: a line that is too long, or not a JSON object. */
bool pull_progress_add(struct pull_progress *p, struct slice piece, struct error *error);
/* At the end of the stream: the last line may lack its end. */
bool pull_progress_end(struct pull_progress *p, struct error *error);

void pull_progress_sum(const struct pull_progress *p, struct runtime_pull *out);

#endif
