#include "controller/image_desk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

struct question {
    struct image_desk *desk;
    struct question *next;
    char service[TASK_NAME_SIZE];
    uint64_t number;
};

struct image_desk {
    struct runtime *runtime;  /* borrowed */
    struct record_book *book; /* borrowed */
    image_desk_cb on_answer;
    void *owner;
    struct question *questions; /* owned */
    size_t question_count;
    uint64_t last_number;
};

struct image_desk *image_desk_new(struct runtime *runtime, struct record_book *book, image_desk_cb on_answer,
                                  void *owner)
{
    struct image_desk *desk = mem_alloc(sizeof *desk);
    desk->runtime = runtime;
    desk->book = book;
    desk->on_answer = on_answer;
    desk->owner = owner;
    return desk;
}

static void question_free(struct question *question)
{
    struct image_desk *desk = question->desk;
    struct question **link = &desk->questions;
    while (*link != question)
        link = &(*link)->next;
    *link = question->next;
    desk->question_count--;
    free(question);
}

void image_desk_free(struct image_desk *desk)
{
    while (desk->questions != NULL)
        question_free(desk->questions);
    free(desk);
}

static void on_resolved(void *owner, enum runtime_result result, const char *id, const char *text)
{
    struct question *question = owner;
    struct image_desk *desk = question->desk;
    struct question last = *question;
    struct image_answer answer = { .question = last.number, .result = result, .id = id, .text = text };
    question_free(question);
    desk->on_answer(desk->owner, last.service, &answer);
}

static void ask(struct image_desk *desk, struct service *s)
{
    struct question *question = mem_alloc(sizeof *question);
    question->desk = desk;
    question->next = desk->questions;
    desk->questions = question;
    desk->question_count++;
    snprintf(question->service, sizeof question->service, "%s", s->name);
    question->number = ++desk->last_number;
    image_pin_ask(&s->image, question->number);
    desk->runtime->ops->resolve(desk->runtime, s->config->image, on_resolved, question);
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

void image_desk_follow(struct image_desk *desk, struct service *s, struct event_log *events, int64_t now_ms)
{
    bool is_reachable = desk->runtime->ops->is_reachable(desk->runtime);
    if (service_follow_image(s, events, now_ms) && is_reachable && desk->question_count < IMAGE_DESK_MAX)
        ask(desk, s);
    if (s->image.memory == IMAGE_UNSAVED && record_book_has_time(desk->book))
        save(desk, s);
}

void image_desk_save_refused(struct image_desk *desk, struct service *services)
{
    for (struct service *s = services; s != NULL && record_book_has_time(desk->book); s = s->hh.next) {
        if (!service_is_managed(s) || s->image.memory != IMAGE_REFUSED)
            continue;
        save(desk, s);
        if (s->image.memory == IMAGE_REFUSED)
            return;
    }
}
