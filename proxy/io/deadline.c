#include "proxy/io/deadline.h"

#include "base/check.h"

/* All that wait in one list wait for the same span, so the first to have begun is the first to be over, and looking at the heads is
 * enough. That stays true when a reload changes the span: those that wait already are measured by the new one from their
 * beginning, a longer one gives them more time, a shorter one ends at the next tick what is over by it, and the order of the
 * list is that of the beginnings in either case. So is a lane, whose span may change as often as it is asked for. */

void deadline_table_init(struct deadline_table *table)
{
    table->lane_count = 0;
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

void deadline_table_on_lanes(struct deadline_table *table, deadline_lane_span_cb span_ms, void *owner)
{
    table->lane_span_ms = span_ms;
    table->lane_owner = owner;
}

static inline void start(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, uint32_t list,
                         int64_t now_ms)
{
    deadline_stop(table, d);
    d->kind = kind;
    d->list = list;
    d->since_ms = now_ms;
    TAILQ_INSERT_TAIL(&table->lists[list], d, link);
}

void deadline_start(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, int64_t now_ms)
{
    start(table, d, kind, kind, now_ms);
}

void deadline_start_in_lane(struct deadline_table *table, struct deadline *d, enum deadline_kind kind, uint32_t lane,
                            int64_t now_ms)
{
    check(lane < DEADLINE_LANES);
    for (; table->lane_count <= lane; table->lane_count++)
        TAILQ_INIT(&table->lists[DEADLINE_KIND_COUNT + table->lane_count]);
    start(table, d, kind, DEADLINE_KIND_COUNT + lane, now_ms);
}

static void expire(struct deadline_table *table, struct deadline_list *list, int64_t span_ms, int64_t now_ms)
{
    struct deadline *first;
    while ((first = TAILQ_FIRST(list)) && span_ms > 0 && first->since_ms + span_ms <= now_ms) {
        enum deadline_kind kind = first->kind;
        deadline_stop(table, first);
        table->on_expire[kind](first, kind);
    }
}

void deadline_table_expire(struct deadline_table *table, int64_t now_ms)
{
    for (enum deadline_kind kind = DEADLINE_HEAD; kind < DEADLINE_KIND_COUNT; kind++)
        expire(table, &table->lists[kind], table->span_ms[kind], now_ms);
    for (uint32_t lane = 0; lane < table->lane_count; lane++) {
        struct deadline_list *list = &table->lists[DEADLINE_KIND_COUNT + lane];
        if (!TAILQ_EMPTY(list))
            expire(table, list, table->lane_span_ms(table->lane_owner, lane), now_ms);
    }
}
