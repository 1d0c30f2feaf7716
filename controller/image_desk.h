/* image_desk: asks the runtime which image the name in a service's definition stands for, and has the answer stored
 * before a task is created by it. At most IMAGE_DESK_MAX questions are under way, all services together: looks at
 * containers wait behind no more. Control thread only. */
#ifndef CONTROLLER_IMAGE_DESK_H
#define CONTROLLER_IMAGE_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/event_log.h"
#include "controller/record_book.h"
#include "controller/runtime/runtime.h"
#include "controller/service.h"

#define IMAGE_DESK_MAX 8

struct image_desk;

/* From the loop, or from inside image_desk_follow(): what service_note_image() takes. */
typedef void (*image_desk_cb)(void *owner, const char *service, const struct image_answer *answer);

/* runtime and book are borrowed. */
struct image_desk *image_desk_new(struct runtime *runtime, struct record_book *book, image_desk_cb on_answer,
                                  void *owner);
void image_desk_free(struct image_desk *desk); /* after the runtime has abandoned what is under way */

/* Once a turn, for a managed service. */
void image_desk_follow(struct image_desk *desk, struct service *s, struct event_log *events, int64_t now_ms);
/* After those: what the store has refused before, until it refuses one again, which stands for the others. A store that
 * is slow to refuse would otherwise never come to what it was not asked for yet, and no task would be created by that. */
void image_desk_save_refused(struct image_desk *desk, struct service *services);

#endif
