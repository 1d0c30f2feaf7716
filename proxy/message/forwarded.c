#include "proxy/message/forwarded.h"

#define PEER_MAX 45 /* an IPv6 address as text */

static bool appends(const struct forwarded_client *client)
{
    return client->is_trusted && client->mode == FORWARDED_FOR_APPEND;
}

/* What stands behind a value with an open quote would be read as part of it. */
static bool has_open_quote(struct slice value)
{
    bool is_quoted = false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '"')
            is_quoted = !is_quoted;
        else if (value.at[i] == '\\' && is_quoted)
            i++;
    }
    return is_quoted;
}

/* The values of all lines of that name, each with ", " behind it: ours follows. */
static struct head_writer put_values(struct head_writer w, const struct http_head *head, enum http_field id)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field_line *field = &head->fields[i];
        if (field->id != id || field->value.len == 0 || (id == HTTP_FIELD_FORWARDED && has_open_quote(field->value)))
            continue;
        head_put_slice(&w, field->value);
        HEAD_PUT_LITERAL(&w, ", ");
    }
    return w;
}

/* RFC 7239 4 and 6: what is no token is quoted, IPv6 in brackets. `by` is left out: it would tell about the inside. */
static struct head_writer put_element(struct head_writer w, const struct http_head *head,
                                      const struct forwarded_client *client)
{
    bool is_v6 = memchr(client->peer.at, ':', client->peer.len) != NULL;
    if (is_v6)
        HEAD_PUT_LITERAL(&w, "for=\"[");
    else
        HEAD_PUT_LITERAL(&w, "for=");
    head_put_slice(&w, client->peer);
    if (is_v6)
        HEAD_PUT_LITERAL(&w, "]\"");
    if (head->authority.len) { /* has no character that would have to be escaped */
        HEAD_PUT_LITERAL(&w, ";host=\"");
        head_put_slice(&w, head->authority);
        HEAD_PUT_LITERAL(&w, "\"");
    }
    if (client->is_https)
        HEAD_PUT_LITERAL(&w, ";proto=https");
    else
        HEAD_PUT_LITERAL(&w, ";proto=http");
    return w;
}

static struct head_writer put_forwarded(struct head_writer w, const struct http_head *head,
                                        const struct forwarded_client *client)
{
    HEAD_PUT_LITERAL(&w, "Forwarded: ");
    if (appends(client) && head->field_ids & HTTP_FIELD_BIT(FORWARDED))
        w = put_values(w, head, HTTP_FIELD_FORWARDED);
    w = put_element(w, head, client);
    HEAD_PUT_LITERAL(&w, "\r\n");
    return w;
}

/* APPEND: what has come stays in front. */
static struct head_writer put_longer_for(struct head_writer w, const struct http_head *head,
                                         const struct forwarded_client *client)
{
    HEAD_PUT_LITERAL(&w, "X-Forwarded-For: ");
    w = put_values(w, head, HTTP_FIELD_X_FORWARDED_FOR);
    head_put_slice(&w, client->peer);
    HEAD_PUT_LITERAL(&w, "\r\n");
    return w;
}

static inline struct head_writer put_proto(struct head_writer w, const struct forwarded_client *client)
{
    if (client->is_https)
        HEAD_PUT_LITERAL(&w, "X-Forwarded-Proto: https\r\n");
    else
        HEAD_PUT_LITERAL(&w, "X-Forwarded-Proto: http\r\n");
    return w;
}

/* As far as anybody who is believed says, the peer is the client itself. */
static bool peer_is_client(const struct http_head *head, const struct forwarded_client *client)
{
    return !client->is_trusted || client->mode == FORWARDED_FOR_REPLACE ||
           !(head->field_ids & (HTTP_FIELD_BIT(X_FORWARDED_FOR) | HTTP_FIELD_BIT(X_REAL_IP)));
}

uint64_t forwarded_dropped_fields(const struct forwarded_client *client)
{
    if (!client->is_trusted || client->mode == FORWARDED_FOR_REPLACE)
        return FORWARDED_FIELDS | HTTP_FIELD_BIT(CLAIM);
    if (client->mode == FORWARDED_FOR_PRESERVE)
        return 0;
    return HTTP_FIELD_BIT(X_FORWARDED_FOR) | (client->sends_forwarded ? HTTP_FIELD_BIT(FORWARDED) : 0);
}

struct head_writer forwarded_write(struct head_writer w, const struct http_head *head,
                                   const struct forwarded_client *client)
{
    uint64_t kept = head->field_ids & FORWARDED_FIELDS & ~forwarded_dropped_fields(client);
    check(client->peer.len <= PEER_MAX && client->port.len <= 5);
    if (appends(client) && head->field_ids & HTTP_FIELD_BIT(X_FORWARDED_FOR))
        w = put_longer_for(w, head, client);
    else if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_FOR)))
        HEAD_PUT_LINE(&w, "X-Forwarded-For: ", client->peer);
    if (peer_is_client(head, client))
        HEAD_PUT_LINE(&w, "X-Real-IP: ", client->peer);
    if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_PROTO)))
        w = put_proto(w, client);
    if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_HOST)) && head->authority.len)
        HEAD_PUT_LINE(&w, "X-Forwarded-Host: ", head->authority);
    if (!(kept & HTTP_FIELD_BIT(X_FORWARDED_PORT)) && client->port.len)
        HEAD_PUT_LINE(&w, "X-Forwarded-Port: ", client->port);
    if (!(kept & HTTP_FIELD_BIT(FORWARDED)) && client->sends_forwarded)
        w = put_forwarded(w, head, client);
    return w;
}
