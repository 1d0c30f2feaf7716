#include "controller/image_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/choices.h"
#include "controller/image_pulls.h"

enum question_stage { QUESTION_LOOKING = 0, QUESTION_PULLING };

struct question {
    struct image_desk *desk;
    struct question *next;
    char service[TASK_NAME_SIZE];
    char *image; /* owned; its name */
    uint64_t number;
    enum pull_policy policy;
    enum question_stage stage;
};

struct image_desk {
    struct runtime *runtime;  /* borrowed */
    struct record_book *book; /* borrowed */
    struct event_log *events; /* borrowed */
    image_desk_cb on_answer;
    void *owner;
    struct image_pulls *pulls;  /* owned */
    struct question *questions; /* owned */
    size_t looking_count;
    int64_t resumes_at_ms;
    uint64_t last_number;
};

static void question_free(struct question *question)
{
    struct image_desk *desk = question->desk;
    struct question **link = &desk->questions;
    while (*link != question)
        link = &(*link)->next;
    *link = question->next;
    desk->looking_count -= question->stage == QUESTION_LOOKING;
    free(question->image);
    free(question);
}

/* ---- its pulls ---- */

static struct question *find_pulling(const struct image_desk *desk, const char *image)
{
    struct question *question = desk->questions;
    while (question != NULL && (question->stage != QUESTION_PULLING || strcmp(question->image, image) != 0))
        question = question->next;
    return question;
}

static bool is_wanted(void *owner, const char *image)
{
    return find_pulling(owner, image) != NULL;
}

static void on_pull_news(void *owner, const char *image, const char *text)
{
    struct image_desk *desk = owner;
    for (const struct question *question = desk->questions; question != NULL; question = question->next)
        if (question->stage == QUESTION_PULLING && strcmp(question->image, image) == 0)
            event_log_keep(desk->events, question->service, text);
}

static void answer_question(struct question *question, enum runtime_result result, const char *id, const char *text)
{
    struct image_desk *desk = question->desk;
    char service[TASK_NAME_SIZE];
    struct image_answer answer = { .question = question->number, .result = result, .id = id, .text = text };
    snprintf(service, sizeof service, "%s", question->service);
    question_free(question);
    desk->on_answer(desk->owner, service, &answer);
}

/* Whoever is answered asks again in a later turn only. */
static void on_pull_end(void *owner, const char *image, const struct image_pull_end *end)
{
    struct image_desk *desk = owner;
    struct question *question;
    if (end->result == RUNTIME_UNREACHABLE)
        desk->resumes_at_ms = clock_now_ms() + IMAGE_DESK_PAUSE_MS;
    while ((question = find_pulling(desk, image)) != NULL)
        answer_question(question, end->result, end->id, end->text);
}

struct image_desk *image_desk_new(struct runtime *runtime, struct record_book *book, struct event_log *events,
                                  image_desk_cb on_answer, void *owner)
{
    struct image_desk *desk = mem_alloc(sizeof *desk);
    desk->runtime = runtime;
    desk->book = book;
    desk->events = events;
    desk->on_answer = on_answer;
    desk->owner = owner;
    desk->pulls = image_pulls_new(
        runtime, &(struct image_pulls_listener){
                     .on_news = on_pull_news, .on_end = on_pull_end, .is_wanted = is_wanted, .owner = desk });
    return desk;
}

void image_desk_free(struct image_desk *desk)
{
    while (desk->questions != NULL)
        question_free(desk->questions);
    image_pulls_free(desk->pulls);
    free(desk);
}

/* ---- questions ---- */

/* The question may be answered, and gone, when this returns. */
static void begin_pull(struct question *question)
{
    struct image_desk *desk = question->desk;
    desk->looking_count -= question->stage == QUESTION_LOOKING;
    question->stage = QUESTION_PULLING;
    image_pulls_want(desk->pulls, question->image);
}

static void on_resolved(void *owner, enum runtime_result result, const char *id, const char *text)
{
    struct question *question = owner;
    if (result == RUNTIME_IMAGE_MISSING && question->policy == PULL_MISSING)
        begin_pull(question);
    else
        answer_question(question, result, id, text);
}

static enum pull_policy policy_of(const struct config_service *config)
{
    size_t count;
    const char *const *words = choices_of(CHOICES_PULL_POLICY, &count);
    for (size_t i = 0; i < count; i++)
        if (config->pull != NULL && strcmp(words[i], config->pull) == 0)
            return (enum pull_policy)i;
    return PULL_MISSING;
}

/* The pull that an earlier question of the service waits for is what another one would wait for too. */
static bool has_pull_for(const struct question *question, const struct service *s)
{
    return question->stage == QUESTION_PULLING && strcmp(question->service, s->name) == 0 &&
           strcmp(question->image, s->config->image) == 0 && policy_of(s->config) != PULL_NEVER;
}

static struct question *find_pull_for(const struct image_desk *desk, const struct service *s)
{
    struct question *question = desk->questions;
    while (question != NULL && !has_pull_for(question, s))
        question = question->next;
    return question;
}

static void ask(struct image_desk *desk, struct service *s)
{
    struct question *question = find_pull_for(desk, s);
    enum pull_policy policy = policy_of(s->config);
    image_pin_ask(&s->image, ++desk->last_number);
    if (question != NULL) {
        question->number = desk->last_number;
        question->policy = policy;
        return;
    }
    question = mem_alloc(sizeof *question);
    question->desk = desk;
    question->next = desk->questions;
    desk->questions = question;
    snprintf(question->service, sizeof question->service, "%s", s->name);
    question->image = mem_strdup(s->config->image);
    question->number = desk->last_number;
    question->policy = policy;
    desk->looking_count++;
    if (policy == PULL_ALWAYS)
        begin_pull(question);
    else
        desk->runtime->ops->resolve(desk->runtime, question->image, on_resolved, question);
}

static bool is_asked_by(const struct question *question, const struct service *s)
{
    return s != NULL && service_is_managed(s) && image_pin_awaits(&s->image, question->number);
}

/* Doubted, as by a reload, and not asked anew yet: there was no room, or the engine is in doubt itself. */
static bool will_be_asked_by(const struct question *question, const struct service *s)
{
    return s != NULL && service_is_managed(s) && s->image.phase == IMAGE_DUE && has_pull_for(question, s);
}

/* A look cannot be called back; what it finds missing is pulled for those only who still ask. */
static void drop_outdated(struct image_desk *desk, struct service *services)
{
    struct question *next;
    for (struct question *question = desk->questions; question != NULL; question = next) {
        struct service *s;
        next = question->next;
        HASH_FIND_STR(services, question->service, s);
        bool is_asked = is_asked_by(question, s);
        if (question->stage == QUESTION_LOOKING) {
            question->policy = is_asked ? question->policy : PULL_NEVER;
            continue;
        }
        bool is_wanted = is_asked || will_be_asked_by(question, s);
        if (is_wanted && image_pin_is_open(&s->image, s->scaler.state.desired))
            continue;
        if (is_asked)
            image_pin_doubt(&s->image); /* asked again once a task is wanted */
        question_free(question);
    }
}

/* A refusal is told of once for each image. The store may hold an id of before, which a restart would roll back to. */
static void save(struct image_desk *desk, struct service *s)
{
    struct store_image image;
    struct error error;
    snprintf(image.service, sizeof image.service, "%s", s->name);
    snprintf(image.definition, sizeof image.definition, "%s", s->definition);
    snprintf(image.image_id, sizeof image.image_id, "%s", s->image.id);
    bool is_put = record_book_put_image(desk->book, &image, &error);
    if (!is_put && s->image.memory != IMAGE_REFUSED)
        log_warn("service %s: which image it runs is not stored: %s", s->name, error.text);
    s->is_image_stored |= is_put;
    image_pin_note_saved(&s->image, is_put);
}

void image_desk_follow(struct image_desk *desk, struct service *s, int64_t now_ms)
{
    bool is_reachable = desk->runtime->ops->is_reachable(desk->runtime);
    bool has_room = desk->looking_count < IMAGE_DESK_MAX && now_ms >= desk->resumes_at_ms;
    if (service_follow_image(s, desk->events, now_ms) && is_reachable && has_room)
        ask(desk, s);
    if (s->image.memory == IMAGE_UNSAVED && record_book_has_time(desk->book))
        save(desk, s);
}

static void save_refused(struct image_desk *desk, struct service *services)
{
    for (struct service *s = services; s != NULL && record_book_has_time(desk->book); s = s->hh.next) {
        if (!service_is_managed(s) || s->image.memory != IMAGE_REFUSED)
            continue;
        save(desk, s);
        if (s->image.memory == IMAGE_REFUSED)
            return;
    }
}

void image_desk_end_turn(struct image_desk *desk, struct service *services)
{
    drop_outdated(desk, services);
    image_pulls_drop_unwanted(desk->pulls);
    save_refused(desk, services);
}

size_t image_desk_pull_count(const struct image_desk *desk)
{
    return image_pulls_count(desk->pulls);
}
