#include "controller/event_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define TEXT_SIZE sizeof((struct controller_event *)NULL)->text

struct entry {
    struct ring *ring;
    int64_t at_wall_us;
    char *text; /* owned */
    TAILQ_ENTRY(entry) of_all, of_ring;
};

TAILQ_HEAD(entry_list, entry); /* newest first */

struct ring {
    char service[TASK_NAME_SIZE]; /* key */
    struct entry_list entries;
    size_t count;
    UT_hash_handle hh;
};

struct event_log {
    struct ring *rings; /* owned, by service */
    struct entry_list all;
};

struct event_log *event_log_new(void)
{
    struct event_log *log = mem_alloc(sizeof *log);
    TAILQ_INIT(&log->all);
    return log;
}

static void entry_free(struct event_log *log, struct entry *entry)
{
    TAILQ_REMOVE(&log->all, entry, of_all);
    TAILQ_REMOVE(&entry->ring->entries, entry, of_ring);
    entry->ring->count--;
    free(entry->text);
    free(entry);
}

static void ring_free(struct event_log *log, struct ring *ring)
{
    struct entry *entry;
    while ((entry = TAILQ_FIRST(&ring->entries)) != NULL) /* NOLINT(clang-analyzer-unix.Malloc): sys/queue.h */
        entry_free(log, entry);
    HASH_DEL(log->rings, ring);
    free(ring);
}

void event_log_free(struct event_log *log)
{
    struct ring *ring, *next;
    HASH_ITER (hh, log->rings, ring, next)
        ring_free(log, ring);
    free(log);
}

static void replace_control_characters(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

/* The one whose last event is the oldest. */
static struct ring *find_most_silent(const struct event_log *log)
{
    struct entry *entry;
    TAILQ_FOREACH_REVERSE(entry, &log->all, entry_list, of_all)
    if (entry == TAILQ_FIRST(&entry->ring->entries))
        return entry->ring;
    return NULL;
}

static struct ring *find_or_add_ring(struct event_log *log, const char *service)
{
    struct ring *ring;
    HASH_FIND_STR(log->rings, service, ring);
    if (ring != NULL)
        return ring;
    if (HASH_COUNT(log->rings) >= EVENT_LOG_SERVICES_MAX)
        ring_free(log, find_most_silent(log));
    ring = mem_alloc(sizeof *ring);
    snprintf(ring->service, sizeof ring->service, "%s", service);
    TAILQ_INIT(&ring->entries);
    HASH_ADD_STR(log->rings, service, ring);
    return ring;
}

static const struct entry *keep(struct event_log *log, const char *service, const char *text)
{
    char name[TASK_NAME_SIZE], line[TEXT_SIZE];
    snprintf(name, sizeof name, "%s", service);
    snprintf(line, sizeof line, "%s", text);
    replace_control_characters(name);
    replace_control_characters(line);
    struct ring *ring = find_or_add_ring(log, name);
    if (ring->count == EVENT_LOG_OF_SERVICE)
        entry_free(log, TAILQ_LAST(&ring->entries, entry_list));
    struct entry *entry = mem_alloc(sizeof *entry);
    *entry = (struct entry){ .ring = ring, .at_wall_us = clock_wall_us(), .text = mem_strdup(line) };
    TAILQ_INSERT_HEAD(&ring->entries, entry, of_ring);
    TAILQ_INSERT_HEAD(&log->all, entry, of_all);
    ring->count++;
    return entry;
}

__attribute__((format(printf, 4, 0))) static void add(struct event_log *log, enum log_level level, const char *service,
                                                      const char *format, va_list args)
{
    char text[TEXT_SIZE];
    vsnprintf(text, sizeof text, format, args);
    const struct entry *entry = keep(log, service, text);
    log_write(level, "service %s: %s", entry->ring->service, entry->text);
}

void event_log_add(struct event_log *log, const char *service, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(log, LOG_LEVEL_INFO, service, format, args);
    va_end(args);
}

void event_log_warn(struct event_log *log, const char *service, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(log, LOG_LEVEL_WARN, service, format, args);
    va_end(args);
}

void event_log_keep(struct event_log *log, const char *service, const char *text)
{
    keep(log, service, text);
}

static void show(const struct entry *entry, controller_event_cb each, void *owner)
{
    struct controller_event event = { .at_wall_us = entry->at_wall_us };
    snprintf(event.service, sizeof event.service, "%s", entry->ring->service);
    snprintf(event.text, sizeof event.text, "%s", entry->text);
    each(owner, &event);
}

void event_log_each(const struct event_log *log, const char *service, controller_event_cb each, void *owner)
{
    const struct entry *entry;
    size_t count = 0;
    if (service == NULL) {
        for (entry = TAILQ_FIRST(&log->all); entry != NULL && count < EVENT_LOG_READ_MAX; count++) {
            show(entry, each, owner);
            entry = TAILQ_NEXT(entry, of_all);
        }
        return;
    }
    const struct ring *ring;
    HASH_FIND_STR(log->rings, service, ring);
    if (ring == NULL)
        return;
    TAILQ_FOREACH (entry, &ring->entries, of_ring)
        show(entry, each, owner);
}
