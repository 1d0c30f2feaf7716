/* task_finder: the task that somebody means by what was written: a whole id, or a prefix of at least TASK_PREFIX_MIN
 * characters that fits one task only. Control thread only. */
#ifndef CONTROLLER_TASK_FINDER_H
#define CONTROLLER_TASK_FINDER_H

#include "base/error.h"
#include "controller/controller.h"
#include "discovery/task_registry.h"

#define TASK_PREFIX_MIN 12

/* *out is a copy. Else CONTROLLER_NOT_FOUND, or CONTROLLER_INVALID for a prefix that is too short or fits several. */
enum controller_result task_finder_find(const struct task_registry *registry, const char *written, struct task *out,
                                        struct error *error);

#endif
