#include "proxy/deadline.h"

void deadline_table_init(struct deadline_table *table)
{
    for (int kind = 0; kind < DEADLINE_KIND_COUNT; kind++) {
        TAILQ_INIT(&table->lists[kind]);
        table->span_ms[kind] = INT64_MAX / 2;
    }
}

void deadline_start(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, int64_t now_ms)
{
    deadline_stop(table, d);
    d->kind = kind;
    d->since_ms = now_ms;
    TAILQ_INSERT_TAIL(&table->lists[kind], d, link);
}

void deadline_stop(struct deadline_table *table, struct deadline *d)
{
    if (d->kind == DEADLINE_NONE)
        return;
    TAILQ_REMOVE(&table->lists[d->kind], d, link);
    d->kind = DEADLINE_NONE;
}

void deadline_table_expire(struct deadline_table *table, int64_t now_ms, deadline_cb on_expire, void *owner)
{
    for (enum deadline_kind kind = DEADLINE_HEAD; kind < DEADLINE_KIND_COUNT; kind++) {
        struct deadline *first;
        while ((first = TAILQ_FIRST(&table->lists[kind])) && first->since_ms + table->span_ms[kind] <= now_ms) {
            deadline_stop(table, first);
            on_expire(owner, first, kind);
        }
    }
}
