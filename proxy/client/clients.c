#include "proxy/client/clients.h"

#include "proxy/client/conn.h"
#include "proxy/client/shedding.h"
#include "proxy/exchange/exchange.h"
#include "proxy/worker/worker.h"

void clients_set_up(struct worker *w)
{
    TAILQ_INIT(&w->clients->conns);
    conn_set_up(w);
    w->clients->table = client_table_new(CLIENT_TABLE_ENTRIES, worker_random(w));
    w->free_descriptor = shedding_free_descriptor_for_request;
}

void clients_tear_down(struct worker *w)
{
    client_table_free(w->clients->table);
    slab_fini(&w->clients->yard.slab);
}

size_t clients_trim(struct worker *w)
{
    return slab_trim(&w->clients->yard.slab);
}

void clients_readmit(struct worker *w)
{
    struct conn *c, *next;
    TAILQ_FOREACH (c, &w->clients->conns, link)
        conn_leave_client_table(c);
    for (c = TAILQ_FIRST(&w->clients->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        conn_readmit(c);
    }
}

bool clients_drain(struct worker *w)
{
    bool has_all = true;
    struct conn *c, *next;
    for (c = TAILQ_FIRST(&w->clients->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        conn_drain(c);
        has_all = has_all && !conn_may_begin(c);
    }
    return has_all;
}

void clients_end_tunnels(struct worker *w)
{
    struct conn *c, *next;
    for (c = TAILQ_FIRST(&w->clients->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->side.exchange && exchange_is_tunnel(c->side.exchange))
            exchange_end_tunnel(c->side.exchange);
    }
}

static struct conn *first_in_exchange(struct conn *c)
{
    while (c && !c->side.exchange)
        c = TAILQ_NEXT(c, link);
    return c;
}

/* Who hears at once that its request is broken off may have its next one begun, and for that another connection may be closed that
 * is idle. None that is in an exchange ever is. */
void clients_leave_rows(struct worker *w, const struct row_set *rows)
{
    struct conn *c, *next;
    for (c = first_in_exchange(TAILQ_FIRST(&w->clients->conns)); c; c = next) {
        next = first_in_exchange(TAILQ_NEXT(c, link));
        exchange_leave_rows(c->side.exchange, rows);
    }
}

uint32_t clients_cut_off(struct worker *w)
{
    uint32_t count = 0;
    struct conn *c;
    while ((c = TAILQ_FIRST(&w->clients->conns))) {
        count += c->side.exchange != NULL;
        conn_close(c, CONN_CLOSE_DRAINING);
    }
    return count;
}
