/* image_desk: finds out which image the name in a service's definition stands for, and has the answer stored before a task is
 * created by it. Whether the image is pulled for that is up to the service's `pull`: always before the runtime is asked, when
 * it says that the image is missing, or never.
 *
 *   LOOKING --missing--> PULLING --> answered        (`always` begins with PULLING)
 *       \--> answered
 *
 * At most IMAGE_DESK_MAX questions LOOK, all services together: looks at containers wait behind no more. Control thread
 * only. */
#ifndef CONTROLLER_IMAGE_DESK_H
#define CONTROLLER_IMAGE_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/event_log.h"
#include "controller/record_book.h"
#include "controller/runtime/runtime.h"
#include "controller/service.h"

#define IMAGE_DESK_MAX 8
#define IMAGE_DESK_PAUSE_MS \
    1000 /* after a pull that went with the engine: one that cuts off each is not asked all the time */

struct image_desk;

/* From the loop, or from inside image_desk_follow(): what service_note_image() takes. */
typedef void (*image_desk_cb)(void *owner, const char *service, const struct image_answer *answer);

/* All are borrowed. events: the news of pulls. */
struct image_desk *image_desk_new(struct runtime *runtime, struct record_book *book, struct event_log *events,
                                  image_desk_cb on_answer, void *owner);
void image_desk_free(struct image_desk *desk); /* after the runtime has abandoned what is under way */

/* Once a turn, for a managed service. */
void image_desk_follow(struct image_desk *desk, struct service *s, int64_t now_ms);
/* After those. Pulls that no service wants any more are ended. And what the store has refused before is saved, until it
 * refuses one again, which stands for the others: a store that is slow to refuse would otherwise never come to what it was
 * not asked for yet, and no task would be created by that. */
void image_desk_end_turn(struct image_desk *desk, struct service *services);

size_t image_desk_pull_count(const struct image_desk *desk);

#endif
