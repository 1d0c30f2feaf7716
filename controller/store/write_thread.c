#include "controller/store/write_thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

struct write_thread {
    pthread_t thread;
    struct mailbox *answers; /* owned */
    write_thread_cb apply;
    void *owner;           /* borrowed */
    pthread_mutex_t mutex; /* of the rest */
    pthread_cond_t has_work;
    struct store_change *first, **end; /* oldest first */
    bool is_ending;                    /* when nothing waits any more */
};

static void on_answer(void *owner, struct mail *mail)
{
    (void)owner;
    struct store_change *change = (struct store_change *)mail;
    change->done(change);
}

static struct store_change *take_first(struct write_thread *t)
{
    struct store_change *change = t->first;
    t->first = change->next;
    if (t->first == NULL)
        t->end = &t->first;
    change->next = NULL;
    return change;
}

/* 0: no more will come. */
static size_t take_batch(struct write_thread *t, struct store_change **batch)
{
    size_t count = 0;
    pthread_mutex_lock(&t->mutex);
    while (t->first == NULL && !t->is_ending)
        pthread_cond_wait(&t->has_work, &t->mutex);
    while (t->first != NULL && count < WRITE_THREAD_BATCH_MAX)
        batch[count++] = take_first(t);
    pthread_mutex_unlock(&t->mutex);
    return count;
}

static void *run(void *arg)
{
    struct write_thread *t = arg;
    struct store_change *batch[WRITE_THREAD_BATCH_MAX];
    size_t count;
    while ((count = take_batch(t, batch)) > 0) {
        t->apply(t->owner, batch, count);
        for (size_t i = 0; i < count; i++) {
            check(batch[i]->outcome != STORE_CHANGE_WAITS);
            mailbox_post(t->answers, &batch[i]->mail);
        }
    }
    return NULL;
}

/* Signals are for the loop's thread. */
static void start_thread(struct write_thread *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    check(pthread_create(&t->thread, NULL, run, t) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct write_thread *write_thread_new(struct loop *loop, write_thread_cb apply, void *owner)
{
    struct write_thread *t = mem_alloc(sizeof *t);
    t->apply = apply;
    t->owner = owner;
    t->end = &t->first;
    t->answers = mailbox_new(loop, on_answer, t);
    check(pthread_mutex_init(&t->mutex, NULL) == 0);
    check(pthread_cond_init(&t->has_work, NULL) == 0);
    start_thread(t);
    return t;
}

void write_thread_free(struct write_thread *t)
{
    pthread_mutex_lock(&t->mutex);
    t->is_ending = true;
    pthread_cond_signal(&t->has_work);
    pthread_mutex_unlock(&t->mutex);
    check(pthread_join(t->thread, NULL) == 0);
    mailbox_free(t->answers);
    pthread_cond_destroy(&t->has_work);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

void write_thread_post(struct write_thread *t, struct store_change *change)
{
    pthread_mutex_lock(&t->mutex);
    *t->end = change;
    t->end = &change->next;
    pthread_cond_signal(&t->has_work);
    pthread_mutex_unlock(&t->mutex);
}
