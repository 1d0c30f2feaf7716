/* event_log: the last things that happened to services, for people: a ring of EVENT_LOG_SIZE, newest first when read.
 * Control thread only. Owned by the controller. Texts are cut at 255 bytes, control characters become '?'. */
#ifndef CONTROLLER_EVENT_LOG_H
#define CONTROLLER_EVENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "controller/controller.h"

#define EVENT_LOG_SIZE 256

struct event_log;

struct event_log *event_log_new(void);
void event_log_free(struct event_log *log);

/* Also writes one log_info line. */
void event_log_add(struct event_log *log, const char *service, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void event_log_keep(struct event_log *log, const char *service, const char *text); /* the same without a log line */

/* Newest first; null service: all. The event is valid during the callback. */
void event_log_each(const struct event_log *log, const char *service, controller_event_cb each, void *owner);

#endif
