#include "controller/image_pulls.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define TEXT_SIZE 512

enum pull_phase { PULL_PHASE_PULLING = 0, PULL_PHASE_LOOKING /* at what has come */ };

struct image_pull {
    struct image_pulls *pulls;
    struct image_pull *next;
    char *image; /* owned */
    enum pull_phase phase;
    int64_t began_at_ms, told_at_ms;
    int told_percent;
    struct runtime_pull progress;
};

struct image_pulls {
    struct runtime *runtime; /* borrowed */
    struct image_pulls_listener listener;
    struct image_pull *list; /* owned */
    size_t count;
};

struct image_pulls *image_pulls_new(struct runtime *runtime, const struct image_pulls_listener *listener)
{
    struct image_pulls *pulls = mem_alloc(sizeof *pulls);
    pulls->runtime = runtime;
    pulls->listener = *listener;
    return pulls;
}

static void pull_free(struct image_pull *pull)
{
    struct image_pull **link = &pull->pulls->list;
    while (*link != pull)
        link = &(*link)->next;
    *link = pull->next;
    pull->pulls->count--;
    free(pull->image);
    free(pull);
}

void image_pulls_free(struct image_pulls *pulls)
{
    while (pulls->list != NULL)
        pull_free(pulls->list);
    free(pulls);
}

int image_pulls_percent(const struct runtime_pull *progress)
{
    if (progress->size_bytes <= 0)
        return 0;
    return (int)((double)progress->downloaded_bytes * 100 / (double)progress->size_bytes);
}

void image_pulls_describe(const struct runtime_pull *progress, char out[IMAGE_PULLS_TEXT_SIZE])
{
    snprintf(out, IMAGE_PULLS_TEXT_SIZE, "%d %% of %.1f MiB, %zu of %zu layer%s", image_pulls_percent(progress),
             (double)progress->size_bytes / (1 << 20), progress->done_count, progress->layer_count,
             progress->layer_count == 1 ? "" : "s");
}

__attribute__((format(printf, 2, 3))) static void tell(const struct image_pull *pull, const char *format, ...)
{
    const struct image_pulls_listener *listener = &pull->pulls->listener;
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_info("%s", text);
    listener->on_news(listener->owner, pull->image, text);
}

/* More layers may make the percent smaller than it was: only what is beyond all that was told is told. */
static void on_progress(void *owner, const struct runtime_pull *progress)
{
    struct image_pull *pull = owner;
    char text[IMAGE_PULLS_TEXT_SIZE];
    int64_t now_ms = clock_now_ms();
    int percent = image_pulls_percent(progress);
    pull->progress = *progress;
    if (now_ms - pull->told_at_ms < IMAGE_PULLS_TELL_MS || percent < pull->told_percent + IMAGE_PULLS_TELL_PERCENT)
        return;
    pull->told_at_ms = now_ms;
    pull->told_percent = percent;
    image_pulls_describe(progress, text);
    tell(pull, "pull of image %s: %s", pull->image, text);
}

static void tell_success(const struct image_pull *pull)
{
    double seconds = (double)(clock_now_ms() - pull->began_at_ms) / 1000;
    if (pull->progress.size_bytes > 0)
        tell(pull, "pull of image %s ends after %.1f s: %.1f MiB", pull->image, seconds,
             (double)pull->progress.size_bytes / (1 << 20));
    else
        tell(pull, "pull of image %s ends after %.1f s: nothing new had to be downloaded", pull->image, seconds);
}

/* It is gone before anybody hears of it; text may lie in what goes with it. */
static void pull_finish(struct image_pull *pull, const struct image_pull_end *end)
{
    const struct image_pulls_listener *listener = &pull->pulls->listener;
    char *image = mem_strdup(pull->image), *text = mem_strdup(end->text);
    pull_free(pull);
    listener->on_end(listener->owner, image, &(struct image_pull_end){ end->result, end->id, text });
    free(text);
    free(image);
}

static void on_looked(void *owner, enum runtime_result result, const char *id, const char *text)
{
    struct image_pull *pull = owner;
    char what[TEXT_SIZE];
    snprintf(what, sizeof what, "the engine says that it pulled %.100s, and: %.300s", pull->image, text);
    if (result == RUNTIME_OK)
        tell_success(pull);
    pull_finish(pull, &(struct image_pull_end){ .result = result == RUNTIME_OK || result == RUNTIME_UNREACHABLE
                                                              ? result
                                                              : RUNTIME_PULL_FAILED,
                                                .id = id,
                                                .text = result == RUNTIME_OK ? "" : what });
}

static void on_pulled(void *owner, enum runtime_result result, const char *id, const char *text)
{
    struct image_pull *pull = owner;
    (void)id;
    if (result != RUNTIME_OK) {
        enum runtime_result told = result == RUNTIME_UNREACHABLE ? RUNTIME_UNREACHABLE : RUNTIME_PULL_FAILED;
        pull_finish(pull, &(struct image_pull_end){ told, "", text });
        return;
    }
    pull->phase = PULL_PHASE_LOOKING;
    pull->pulls->runtime->ops->resolve(pull->pulls->runtime, pull->image, on_looked, pull);
}

static const struct image_pull *find(const struct image_pulls *pulls, const char *image)
{
    const struct image_pull *pull = pulls->list;
    while (pull != NULL && strcmp(pull->image, image) != 0)
        pull = pull->next;
    return pull;
}

void image_pulls_want(struct image_pulls *pulls, const char *image)
{
    if (find(pulls, image) != NULL)
        return;
    struct image_pull *pull = mem_alloc(sizeof *pull);
    pull->pulls = pulls;
    pull->next = pulls->list;
    pulls->list = pull;
    pulls->count++;
    pull->image = mem_strdup(image);
    pull->began_at_ms = pull->told_at_ms = clock_now_ms();
    tell(pull, "pull of image %s is asked for", pull->image);
    pulls->runtime->ops->pull(pulls->runtime, pull->image, on_progress, on_pulled, pull);
}

/* A look that is under way ends soon, and cannot be called back. */
void image_pulls_drop_unwanted(struct image_pulls *pulls)
{
    struct image_pull *next;
    for (struct image_pull *pull = pulls->list; pull != NULL; pull = next) {
        next = pull->next;
        if (pull->phase != PULL_PHASE_PULLING || pulls->listener.is_wanted(pulls->listener.owner, pull->image))
            continue;
        log_info("pull of image %s is given up: nobody wants it any more", pull->image);
        pulls->runtime->ops->cancel_pull(pulls->runtime, pull);
        pull_free(pull);
    }
}

size_t image_pulls_count(const struct image_pulls *pulls)
{
    return pulls->count;
}
