/* write_thread: makes changes durable in the order in which they came, away from the loop that ordered them, and answers
 * on that loop in the same order. What came while the disk was busy is one batch: it shares a commit. */
#ifndef CONTROLLER_STORE_WRITE_THREAD_H
#define CONTROLLER_STORE_WRITE_THREAD_H

#include <stddef.h>

#include "base/loop.h"
#include "controller/store/store_change.h"

#define WRITE_THREAD_BATCH_MAX 128

struct write_thread;

/* On the thread: settles each of them. */
typedef void (*write_thread_cb)(void *owner, struct store_change *const *changes, size_t count);

struct write_thread *write_thread_new(struct loop *loop, write_thread_cb apply, void *owner);
/* Waits until all that was posted is applied and answered. */
void write_thread_free(struct write_thread *t);
void write_thread_post(struct write_thread *t, struct store_change *change); /* the loop's thread */

#endif
