#include "proxy/client/conn.h"

#include "proxy/client/clients.h"
#include "proxy/client/listener.h"
#include "proxy/worker/worker.h"

bool conn_take_request(struct conn *c)
{
    struct worker *w = c->worker;
    struct listener *l = c->listener;
    int64_t now_ms = worker_now_ms(w);
    if (l->requests_per_second && token_bucket_count(&l->requests, l->requests_per_second, now_ms) == 0)
        return false;
    if (!client_entry_take_request(c->client, &w->clients->limits, now_ms))
        return false;
    if (l->requests_per_second)
        token_bucket_take(&l->requests, 1);
    return true;
}

bool conn_counts_body_bytes(const struct conn *c)
{
    return c->listener->body_bytes_per_second || (c->client && c->worker->clients->limits.body_bytes_per_second);
}

bool conn_may_read_body(struct conn *c)
{
    struct worker *w = c->worker;
    struct listener *l = c->listener;
    int64_t now_ms = worker_now_ms(w);
    if (l->body_bytes_per_second && token_bucket_count(&l->body_bytes, l->body_bytes_per_second, now_ms) == 0)
        return false;
    return client_entry_allowed_bytes(c->client, &w->clients->limits, 1, now_ms) > 0;
}

void conn_take_body_bytes(struct conn *c, size_t bytes)
{
    if (c->listener->body_bytes_per_second)
        token_bucket_take(&c->listener->body_bytes, (int64_t)bytes);
    client_entry_take_bytes(c->client, &c->worker->clients->limits, bytes);
}
