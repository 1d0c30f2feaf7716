#include "bench/load/series.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

STAILQ_HEAD(interval_list, interval);

struct series {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct interval_list posted, unused; /* under lock */
    /* main thread only */
    unsigned expected_count; /* threads that will post the next second, or have */
    struct interval_list taken;
    struct hdr *latency;
    struct series_row *rows;
    size_t row_count;
};

static void free_all(struct interval_list *list)
{
    struct interval *i;
    while ((i = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, link);
        free(i);
    }
}

static unsigned count_of(const struct series *s, int64_t second)
{
    const struct interval *i;
    unsigned count = 0;
    STAILQ_FOREACH(i, &s->taken, link)
    count += i->second == second;
    return count;
}

static void wait_for_second(struct series *s, int64_t second)
{
    pthread_mutex_lock(&s->lock);
    for (;;) {
        STAILQ_CONCAT(&s->taken, &s->posted);
        if (count_of(s, second) == s->expected_count)
            break;
        pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

static void add_row(struct series *s, const struct interval *i, struct series_row *row)
{
    row->offered += i->offered;
    row->sent += i->sent;
    row->ok += i->ok;
    row->failed += i->failed;
    hdr_merge(s->latency, &i->latency);
}

static void give_back(struct series *s, struct interval *i)
{
    hdr_clear(&i->latency);
    pthread_mutex_lock(&s->lock);
    STAILQ_INSERT_TAIL(&s->unused, i, link);
    pthread_mutex_unlock(&s->lock);
}

/* Takes the intervals of that second out of those that were taken. */
static void sum_second(struct series *s, int64_t second, struct series_row *row)
{
    struct interval_list later = STAILQ_HEAD_INITIALIZER(later);
    struct interval *i;
    while ((i = STAILQ_FIRST(&s->taken))) {
        STAILQ_REMOVE_HEAD(&s->taken, link);
        if (i->second != second) {
            STAILQ_INSERT_TAIL(&later, i, link);
            continue;
        }
        add_row(s, i, row);
        s->expected_count -= i->is_last;
        give_back(s, i);
    }
    STAILQ_CONCAT(&s->taken, &later);
    row->p50_us = hdr_quantile_us(s->latency, 0.5);
    row->p99_us = hdr_quantile_us(s->latency, 0.99);
    row->max_us = s->latency->max_us;
    hdr_clear(s->latency);
}

struct series *series_new(unsigned thread_count)
{
    struct series *s = mem_alloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    STAILQ_INIT(&s->posted);
    STAILQ_INIT(&s->unused);
    STAILQ_INIT(&s->taken);
    s->expected_count = thread_count;
    s->latency = mem_alloc(sizeof *s->latency);
    return s;
}

void series_free(struct series *s)
{
    free_all(&s->posted);
    free_all(&s->unused);
    free_all(&s->taken);
    free(s->latency);
    free(s->rows);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct interval *series_post(struct series *s, struct interval *full, int64_t next_second)
{
    pthread_mutex_lock(&s->lock);
    if (full) {
        STAILQ_INSERT_TAIL(&s->posted, full, link);
        pthread_cond_signal(&s->changed);
    }
    struct interval *empty = STAILQ_FIRST(&s->unused);
    if (empty)
        STAILQ_REMOVE_HEAD(&s->unused, link);
    pthread_mutex_unlock(&s->lock);
    if (!empty)
        empty = mem_alloc(sizeof *empty);
    empty->second = next_second;
    empty->is_last = false;
    empty->offered = empty->sent = empty->ok = empty->failed = 0;
    return empty;
}

void series_end(struct series *s, struct interval *last)
{
    last->is_last = true;
    pthread_mutex_lock(&s->lock);
    STAILQ_INSERT_TAIL(&s->posted, last, link);
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

const struct series_row *series_wait_row(struct series *s)
{
    int64_t second = (int64_t)s->row_count;
    if (s->expected_count == 0)
        return NULL;
    wait_for_second(s, second);
    s->rows = mem_grow_array(s->rows, s->row_count + 1, sizeof *s->rows);
    struct series_row *row = &s->rows[s->row_count++];
    *row = (struct series_row){ 0 };
    sum_second(s, second, row);
    return row;
}

const struct series_row *series_rows(const struct series *s, size_t *count)
{
    *count = s->row_count;
    return s->rows;
}
