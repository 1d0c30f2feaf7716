/* image_pin: which image the tasks of one service are created from. The name in the configuration may stand for another
 * image tomorrow, so the engine is asked at a deployment what it stands for, and the answer is gone by until it is asked
 * again: all tasks of a revision run the same. Pure; control thread only. Embedded in its service.
 *
 *   LOOKING --what runs says it--> SETTLED        what ran before this process and nothing remembers
 *      \--nothing runs--> DUE -> ASKED -> SETTLED
 *   SETTLED, ASKED --the configuration is read again, or the image is gone--> DUE
 *
 * SETTLED without an id: nobody can say, and tasks are created by the name. */
#ifndef CONTROLLER_IMAGE_PIN_H
#define CONTROLLER_IMAGE_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/reconciler.h"
#include "discovery/task_registry.h"

enum image_phase { IMAGE_LOOKING = 0, IMAGE_DUE, IMAGE_ASKED, IMAGE_SETTLED, IMAGE_PHASE_COUNT };

enum image_memory {
    IMAGE_SAVED = 0, /* or there is none to save */
    IMAGE_UNSAVED,   /* not yet, and no task is created by it */
    IMAGE_REFUSED,   /* the store would not take it: tried again and again, and tasks are created meanwhile */
    IMAGE_MEMORY_COUNT
};

struct image_pin {
    enum image_phase phase;
    char id[TASK_IMAGE_ID_SIZE]; /* "": not known */
    uint64_t question;           /* the newest: an answer to another counts no more */
    enum image_memory memory;    /* whether the store knows the id */
};

void image_pin_begin(struct image_pin *pin); /* another definition: nothing is known, and the engine has to be asked */
/* The first configuration of this process: a restart is no deployment. id: what the store remembers; null: nothing. */
void image_pin_recall(struct image_pin *pin, const char *id);
void image_pin_doubt(struct image_pin *pin); /* what is known stands until the engine has been asked again */

/* DUE -> ASKED. question: its number, of no other of any service, also of one of this name that is gone. */
void image_pin_ask(struct image_pin *pin, uint64_t question);
bool image_pin_awaits(const struct image_pin *pin, uint64_t question);
/* -> SETTLED; "": nothing new, or nobody can say. */
void image_pin_settle(struct image_pin *pin, const char *id);

/* The answer of the store; false: it would not take it. */
void image_pin_note_saved(struct image_pin *pin, bool is_saved);

/* A question is worth an answer: of a service that wants no task, only where a change would have to be told. */
bool image_pin_is_open(const struct image_pin *pin, int64_t desired_count);
bool image_pin_lets_create(const struct image_pin *pin);

/* What the tasks of the definition say that run or will. */
enum image_sight { IMAGE_SIGHT_NONE = 0, IMAGE_SIGHT_ONE, IMAGE_SIGHT_SEVERAL, IMAGE_SIGHT_COUNT };
/* *id: the image of IMAGE_SIGHT_ONE, one of them of IMAGE_SIGHT_SEVERAL, else "". */
enum image_sight image_pin_look(const struct observed_task *tasks, size_t n, const char *definition,
                                char id[TASK_IMAGE_ID_SIZE]);

#endif
