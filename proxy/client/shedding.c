#include "proxy/client/shedding.h"

#include "proxy/client/conn.h"
#include "proxy/client/clients.h"
#include "proxy/upstream/pool.h"
#include "proxy/worker/worker.h"

#include <stddef.h>

#define BATCH 8
#define LOOKS_MAX 32         /* connections that one call looks at: a crowd may be thousands */
#define GRACE_MS 200         /* the request of a new one, or the next one, may be on its way */
#define HEAD_GRACE_MS 1000   /* a head that comes in more than one piece */
#define CROWD_CONNECTIONS 16 /* more than one person's browser opens */

/* ---- what may go ---- */

static struct conn *conn_of(struct deadline *d)
{
    return (struct conn *)((char *)d - offsetof(struct conn, deadline));
}

static bool waits_for_request(const struct conn *c)
{
    return c->state == CONN_IDLE && !c->side.channel.out;
}

static bool has_waited(const struct worker *w, const struct conn *c, int64_t least_ms)
{
    return worker_now_ms(w) - c->deadline.since_ms >= least_ms;
}

/* Of that list the one that has been idle for longest, if that is so long. */
static struct conn *find_idle(struct worker *w, enum deadline_kind kind, const struct listener *of, int64_t least_ms)
{
    struct deadline *d;
    int looks = 0;
    TAILQ_FOREACH (d, &w->deadlines.lists[kind], link) {
        struct conn *c = conn_of(d);
        if (looks++ == LOOKS_MAX || !has_waited(w, c, least_ms))
            return NULL; /* the others began to wait later still */
        if (waits_for_request(c) && (!of || c->listener == of))
            return c;
    }
    return NULL;
}

/* Of a client's: the one that may go, or else one that may soon, having asked nothing and only just come. */
struct look {
    struct conn *idle, *young;
};

/* Looks at a few, and puts them behind the others: the next call looks at the next ones. */
static struct look look_at_client(struct worker *w, struct client_entry *client, const struct listener *of)
{
    struct client_conns *conns = client_entry_conns(client);
    struct conn *idle = NULL, *half = NULL, *young = NULL;
    uint32_t looks = client_entry_connection_count(client);
    for (looks = looks < LOOKS_MAX ? looks : LOOKS_MAX; looks > 0; looks--) {
        struct conn *c = TAILQ_FIRST(conns);
        TAILQ_REMOVE(conns, c, client_link);
        TAILQ_INSERT_TAIL(conns, c, client_link);
        if (of && c->listener != of)
            continue;
        if (waits_for_request(c) && !c->has_served && has_waited(w, c, GRACE_MS))
            return (struct look){ .idle = c };
        if (waits_for_request(c) && !c->has_served)
            young = c;
        if (!idle && waits_for_request(c) && has_waited(w, c, GRACE_MS))
            idle = c;
        if (!half && c->state == CONN_READING_HEAD && has_waited(w, c, HEAD_GRACE_MS))
            half = c;
    }
    return (struct look){ .idle = idle ? idle : half, .young = young };
}

static struct look look_at_crowd(struct worker *w, const struct listener *of)
{
    struct client_entry *biggest = client_table_biggest(w->clients->table);
    if (!biggest || client_entry_connection_count(biggest) < CROWD_CONNECTIONS)
        return (struct look){ NULL, NULL };
    return look_at_client(w, biggest, of);
}

static struct conn *find_idle_of_all(struct worker *w, const struct listener *of)
{
    struct conn *c = find_idle(w, DEADLINE_FRESH, of, GRACE_MS);
    return c ? c : find_idle(w, DEADLINE_IDLE, of, GRACE_MS);
}

/* A crowd that has only just come is waited for: within GRACE_MS each of its connections can go or has asked something, and
 * meanwhile there is no place for more of them. Nobody else pays for it. */
static enum shed_outcome choose(struct worker *w, const struct listener *of, struct conn **chosen)
{
    struct look crowd = look_at_crowd(w, of);
    *chosen = crowd.idle || crowd.young ? crowd.idle : find_idle_of_all(w, of);
    if (*chosen)
        return SHED_DONE;
    bool is_somebody_young = crowd.young || find_idle(w, DEADLINE_FRESH, of, 0) || find_idle(w, DEADLINE_IDLE, of, 0);
    return is_somebody_young ? SHED_SOON : SHED_NONE;
}

/* Now or never. Who has only just come may have a request on its way, and goes last. */
static struct conn *choose_for_request(struct worker *w)
{
    struct conn *c = look_at_crowd(w, NULL).idle;
    if (!c)
        c = find_idle_of_all(w, NULL);
    if (!c)
        c = find_idle(w, DEADLINE_IDLE, NULL, 0);
    return c ? c : find_idle(w, DEADLINE_FRESH, NULL, 0);
}

/* ---- giving up ---- */

static bool shed(struct worker *w, struct conn *c)
{
    if (!c)
        return false;
    conn_close(c, CONN_CLOSE_SHED);
    STATS_ADD(w->stats->connections_shed, 1);
    return true;
}

enum shed_outcome shedding_make_place(struct worker *w, const struct listener *of)
{
    struct conn *chosen;
    enum shed_outcome outcome = choose(w, of, &chosen);
    shed(w, chosen);
    return outcome;
}

bool shedding_make_place_of_client(struct worker *w, struct client_entry *client)
{
    return shed(w, look_at_client(w, client, NULL).idle);
}

bool shedding_free_descriptors(struct worker *w)
{
    bool is_free = false;
    for (int i = 0; i < BATCH; i++) {
        struct conn *chosen;
        choose(w, NULL, &chosen);
        is_free |= upstream_close_oldest_idle(w);
        is_free |= shed(w, chosen);
    }
    return is_free;
}

bool shedding_free_descriptor_for_request(struct worker *w)
{
    return upstream_close_oldest_idle(w) || shed(w, choose_for_request(w));
}
