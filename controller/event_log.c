#include "controller/event_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct event_log {
    struct controller_event events[EVENT_LOG_SIZE];
    uint64_t added_count; /* the newest is at (added_count - 1) % EVENT_LOG_SIZE */
};

struct event_log *event_log_new(void)
{
    return mem_alloc(sizeof(struct event_log));
}

void event_log_free(struct event_log *log)
{
    free(log);
}

static void replace_control_characters(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

static const struct controller_event *keep(struct event_log *log, const char *service, const char *text)
{
    struct controller_event *event = &log->events[log->added_count++ % EVENT_LOG_SIZE];
    event->at_wall_us = clock_wall_us();
    snprintf(event->service, sizeof event->service, "%s", service);
    snprintf(event->text, sizeof event->text, "%s", text);
    replace_control_characters(event->service);
    replace_control_characters(event->text);
    return event;
}

void event_log_add(struct event_log *log, const char *service, const char *format, ...)
{
    char text[sizeof((struct controller_event *)NULL)->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct controller_event *event = keep(log, service, text);
    log_info("service %s: %s", event->service, event->text);
}

void event_log_keep(struct event_log *log, const char *service, const char *text)
{
    keep(log, service, text);
}

void event_log_each(const struct event_log *log, const char *service, controller_event_cb each, void *owner)
{
    uint64_t kept = log->added_count < EVENT_LOG_SIZE ? log->added_count : EVENT_LOG_SIZE;
    for (uint64_t back = 1; back <= kept; back++) {
        const struct controller_event *event = &log->events[(log->added_count - back) % EVENT_LOG_SIZE];
        if (service == NULL || strcmp(event->service, service) == 0)
            each(owner, event);
    }
}
