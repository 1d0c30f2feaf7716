/* stopped_book: the tasks of ours that have ended, for who asks why: of each service the last STOPPED_BOOK_OF_SERVICE,
 * of all together STOPPED_BOOK_MAX, none for longer than STOPPED_BOOK_AGE_MS. A service may be long gone. In memory
 * only. Control thread only; owned by the controller.
 *
 * What is known of one task comes from several sides, in any order: the registry lost it, its removal read its last
 * words, its creation failed. Each is noted as it comes; what is known already stays. */
#ifndef CONTROLLER_STOPPED_BOOK_H
#define CONTROLLER_STOPPED_BOOK_H

#include <stddef.h>
#include <stdint.h>

#include "controller/actuator.h"
#include "controller/controller.h"
#include "controller/runtime/last_words.h"
#include "controller/stop_cause.h"

#define STOPPED_BOOK_OF_SERVICE 10
#define STOPPED_BOOK_STARTS_OF_SERVICE 3 /* of those, at most: one that cannot start is tried again and again */
#define STOPPED_BOOK_MAX 1000
#define STOPPED_BOOK_AGE_MS (24 * 3600 * 1000)

#define STOPPED_ID_SIZE (2 * TASK_NAME_SIZE + 32)

struct stopped_task {
    char id
        [STOPPED_ID_SIZE]; /* of the container; where a start made none provider/service/name, for want of a name ".../next" */
    char service[TASK_NAME_SIZE];
    struct stop_cause cause;
    struct last_words words; /* owned by the book; its id and its times may be unknown */
};

struct stopped_book;

/* provider: of the runtime, borrowed. */
struct stopped_book *stopped_book_new(const char *provider);
void stopped_book_free(struct stopped_book *book);

/* A removal, or a start that came to nothing; anything else is passed over. */
void stopped_book_note_outcome(struct stopped_book *book, const struct actuator_outcome *outcome);
/* task_id: "" if there never was a container. name: "" if it did not come to that. */
void stopped_book_note_failed_start(struct stopped_book *book, const char *service, const char *task_id,
                                    const char *name, const char *revision, const char *text);
/* All is copied. cause: null if nothing is known of it. words: output is taken as it is, null for not known. */
void stopped_book_note(struct stopped_book *book, const char *id, const char *service, const struct stop_cause *cause,
                       const struct last_words *words);

void stopped_book_forget_old(struct stopped_book *book, int64_t now_ms);

struct stopped_book_status {
    size_t kept_count;
    uint64_t noted_count;   /* tasks, so far */
    uint64_t dropped_count; /* of those, for want of room */
};
void stopped_book_status(const struct stopped_book *book, struct stopped_book_status *out);

/* Newest first; null service: all. The task is valid during the callback. */
typedef void (*stopped_task_cb)(void *owner, const struct stopped_task *task);
void stopped_book_each(const struct stopped_book *book, const char *service, stopped_task_cb each, void *owner);

/* written: a whole id, or the beginning of exactly one. Else null, and how many it fits. Valid until the next change. */
const struct stopped_task *stopped_book_find(const struct stopped_book *book, const char *written, size_t *fit_count);

/* "it ended by itself with exit code 137, out of memory", "more tasks than the 1 desired". Pure. */
#define STOPPED_REASON_SIZE (STOP_CAUSE_SIZE + LAST_WORDS_ERROR_SIZE + 64)
void stopped_task_explain(const struct stopped_task *task, char out[STOPPED_REASON_SIZE]);

#endif
