#include "controller/runtime/docker_pull.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "controller/runtime/pull_progress.h"
#include "controller/runtime/registry_login.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/image_reference.h"

#define TEXT_SIZE 640

/* Why we have ended the stream ourselves. */
enum pull_verdict { PULL_VERDICT_NONE = 0, PULL_VERDICT_STALLED, PULL_VERDICT_SENSELESS };

struct docker_pull {
    struct docker_pulls *pulls;
    struct docker_pull *next;
    struct docker_call *call;
    char *image; /* owned */
    struct pull_progress progress;
    int64_t timeout_ms, moved_at_ms; /* 0: nothing was said yet; until then the call has the same time-out */
    enum pull_verdict verdict;
    struct error problem; /* of PULL_VERDICT_SENSELESS */
    const char *note;     /* static; of its login */
    runtime_pull_cb on_progress;
    runtime_start_cb done;
    void *owner;
};

static void pull_free(struct docker_pull *p)
{
    struct docker_pull **link = &p->pulls->list;
    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    pull_progress_fini(&p->progress);
    free(p->image);
    free(p);
}

/* It is gone before the owner hears of it: who may order another, or close us. */
static void pull_finish(struct docker_pull *p, enum runtime_result result, const char *text)
{
    struct docker_pull last = *p;
    pull_free(p);
    last.done(last.owner, result, "", text);
}

static bool on_piece(void *owner, struct slice piece)
{
    struct docker_pull *p = owner;
    uint64_t news_before = p->progress.news_count;
    int64_t now_ms = clock_now_ms();
    if (!pull_progress_add(&p->progress, piece, &p->problem)) {
        p->verdict = PULL_VERDICT_SENSELESS;
        return false;
    }
    if (p->progress.news_count != news_before || p->moved_at_ms == 0) {
        struct runtime_pull sum;
        p->moved_at_ms = now_ms;
        pull_progress_sum(&p->progress, &sum);
        p->on_progress(p->owner, &sum);
        return true;
    }
    if (now_ms - p->moved_at_ms < p->timeout_ms)
        return true;
    p->verdict = PULL_VERDICT_STALLED;
    return false;
}

static enum runtime_result result_of(enum docker_result result)
{
    switch (result) {
    case DOCKER_OK:
        return RUNTIME_OK;
    case DOCKER_NOT_FOUND:
        return RUNTIME_IMAGE_MISSING;
    case DOCKER_UNREACHABLE:
        return RUNTIME_UNREACHABLE;
    case DOCKER_TIMEOUT:
        return RUNTIME_UNKNOWN;
    case DOCKER_FAILED:
    case DOCKER_BAD_ANSWER:
        return RUNTIME_FAILED;
    default:
        return RUNTIME_REFUSED;
    }
}

/* The engine tells of what goes wrong after its first word in the stream, whose status is 200. */
static void on_end(void *owner, const struct docker_answer *answer)
{
    struct docker_pull *p = owner;
    char text[TEXT_SIZE];
    if (p->verdict == PULL_VERDICT_NONE && answer->result == DOCKER_OK && !pull_progress_end(&p->progress, &p->problem))
        p->verdict = PULL_VERDICT_SENSELESS;
    enum runtime_result result = RUNTIME_FAILED;
    if (p->verdict == PULL_VERDICT_STALLED) {
        result = RUNTIME_UNKNOWN;
        snprintf(text, sizeof text, "pull %s: no progress for %lld s", p->image, (long long)p->timeout_ms / 1000);
    } else if (p->verdict == PULL_VERDICT_SENSELESS) {
        snprintf(text, sizeof text, "pull %s: the engine's answer makes no sense: %s", p->image, p->problem.text);
    } else if (p->progress.problem[0] != '\0') {
        snprintf(text, sizeof text, "pull %s: %s%s", p->image, p->progress.problem, p->note);
    } else {
        result = result_of(answer->result);
        snprintf(text, sizeof text, "%s%s", answer->text, result == RUNTIME_OK ? "" : p->note);
    }
    pull_finish(p, result, text);
}

void docker_pulls_begin(struct docker_pulls *pulls, const char *image, runtime_pull_cb on_progress,
                        runtime_start_cb done, void *owner)
{
    struct image_reference reference;
    struct registry_login login;
    struct error error;
    if (!image_reference_parse(image, &reference)) {
        done(owner, RUNTIME_REFUSED, "", "an id of an image cannot be pulled, only a name");
        return;
    }
    if (!registry_login_find(pulls->config, reference.registry, &login, &error)) {
        done(owner, RUNTIME_REFUSED, "", error.text);
        return;
    }
    struct docker_pull *p = mem_alloc(sizeof *p);
    p->pulls = pulls;
    p->next = pulls->list;
    pulls->list = p;
    p->image = mem_strdup(image);
    p->timeout_ms = pulls->config->pull_timeout_ms;
    p->note = login.note;
    p->on_progress = on_progress;
    p->done = done;
    p->owner = owner;
    pull_progress_init(&p->progress);
    p->call = docker_engine_pull(pulls->engine, &reference, login.auth, p->timeout_ms, on_piece, on_end, p);
    registry_login_fini(&login);
}

void docker_pulls_cancel(struct docker_pulls *pulls, const void *owner)
{
    struct docker_pull *p = pulls->list;
    while (p != NULL && p->owner != owner)
        p = p->next;
    if (p == NULL)
        return;
    docker_engine_cancel(pulls->engine, p->call);
    pull_free(p);
}

void docker_pulls_abandon(struct docker_pulls *pulls)
{
    while (pulls->list != NULL) {
        docker_engine_cancel(pulls->engine, pulls->list->call);
        pull_free(pulls->list);
    }
}
