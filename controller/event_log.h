/* event_log: the last things that happened to services, for people: of each service the last EVENT_LOG_OF_SERVICE, so
 * that a noisy one does not drive out the others'. Of more than EVENT_LOG_SERVICES_MAX names those that have been silent
 * for longest are forgotten. Control thread only. Owned by the controller. Texts are cut at 511 bytes, control
 * characters become '?'. */
#ifndef CONTROLLER_EVENT_LOG_H
#define CONTROLLER_EVENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"
#include "controller/controller.h"

#define EVENT_LOG_OF_SERVICE 128
#define EVENT_LOG_SERVICES_MAX LIMIT_SERVICE_ROWS
#define EVENT_LOG_READ_MAX 256 /* of all services together */

struct event_log;

struct event_log *event_log_new(void);
void event_log_free(struct event_log *log);

/* Also writes one log_info line. */
void event_log_add(struct event_log *log, const char *service, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a log_warn line: something is wrong, or may be. */
void event_log_warn(struct event_log *log, const char *service, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void event_log_keep(struct event_log *log, const char *service, const char *text); /* the same without a log line */

/* Newest first; null service: the newest EVENT_LOG_READ_MAX of all. The event is valid during the callback. */
void event_log_each(const struct event_log *log, const char *service, controller_event_cb each, void *owner);

#endif
