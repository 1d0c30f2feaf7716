#include "proxy/io/deadline.h"

/* All that wait in one list wait for the same span, so the first to have begun is the first to be over, and looking at the heads is
 * enough. That stays true when a reload changes the span: those that wait already are measured by the new one from their
 * beginning, a longer one gives them more time, a shorter one ends at the next tick what is over by it, and the order of the
 * list is that of the beginnings in either case. What is to differ within a kind is a kind of its own. */

void deadline_table_init(struct deadline_table *table)
{
    for (int kind = 0; kind < DEADLINE_KIND_COUNT; kind++) {
        TAILQ_INIT(&table->lists[kind]);
        table->span_ms[kind] = 0;
        table->on_expire[kind] = NULL;
    }
}

void deadline_table_on(struct deadline_table *table, enum deadline_kind kind, deadline_cb on_expire)
{
    table->on_expire[kind] = on_expire;
}

void deadline_start(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, int64_t now_ms)
{
    deadline_stop(table, d);
    d->kind = kind;
    d->since_ms = now_ms;
    TAILQ_INSERT_TAIL(&table->lists[kind], d, link);
}

static bool is_over(const struct deadline_table *table, const struct deadline *d, int64_t now_ms)
{
    int64_t span_ms = table->span_ms[d->kind];
    return span_ms > 0 && d->since_ms + span_ms <= now_ms;
}

void deadline_table_expire(struct deadline_table *table, int64_t now_ms)
{
    for (enum deadline_kind kind = DEADLINE_HEAD; kind < DEADLINE_KIND_COUNT; kind++) {
        struct deadline *first;
        while ((first = TAILQ_FIRST(&table->lists[kind])) && is_over(table, first, now_ms)) {
            deadline_stop(table, first);
            table->on_expire[kind](first, kind);
        }
    }
}
