#include "proxy/client/conn.h"

#include "proxy/worker/worker.h"

#include <arpa/inet.h>
#include <string.h>

struct refusal_row {
    const char *end, *termination;
};

static const struct refusal_row rows[CONN_REFUSAL_COUNT] = {
    [CONN_REFUSAL_MALFORMED] = { "malformed", "PR" },
    [CONN_REFUSAL_DESYNC] = { "desync", "PR" },
    [CONN_REFUSAL_MISDIRECTED] = { "misdirected", "PR" },
    [CONN_REFUSAL_HEAD_TIMEOUT] = { "head-timeout", "cR" },
};

static struct slice take_word(struct slice *line)
{
    const char *space = memchr(line->at, ' ', line->len);
    size_t len = space ? (size_t)(space - line->at) : line->len;
    struct slice word = { line->at, len };
    line->at += len + (space != NULL);
    line->len -= len + (space != NULL);
    return word;
}

/* What a head that cannot be read seems to ask for, so that a person can make something of it. */
static void guess_request(struct slice head, struct access_record *record)
{
    while (head.len > 0 && (*head.at == '\r' || *head.at == '\n')) {
        head.at++;
        head.len--;
    }
    const char *newline = memchr(head.at, '\n', head.len);
    if (newline)
        head.len = (size_t)(newline - head.at);
    if (head.len > 0 && head.at[head.len - 1] == '\r')
        head.len--;
    record->method = take_word(&head);
    record->target = take_word(&head);
}

static void set_request(const struct h1_request *request, struct access_record *record)
{
    record->method = request->head.method_text;
    record->target = request->head.target;
    record->host = request->head.authority;
    record->protocol = request->head.version == HTTP_1_1 ? "1.1" : "1.0";
    if (request->desync == H1_COMPLIANT)
        return;
    record->desync = h1_desync_to_str(request->desync);
    record->desync_reason = h1_desync_reason_to_str(request->desync_reason);
}

void conn_log_refusal(struct conn *c, enum conn_refusal refusal, int status)
{
    struct worker *w = c->worker;
    const union endpoint_address *source = &c->side.source;
    if (!access_log_is_on(&w->access_log))
        return;
    struct access_record record = {
        .started_at_us = w->now_us,
        .client = c->side.peer,
        .client_port = ntohs(source->any.sa_family == AF_INET6 ? source->v6.sin6_port : source->v4.sin_port),
        .end = rows[refusal].end,
        .termination = rows[refusal].termination,
        .status = status,
    };
    if (refusal == CONN_REFUSAL_DESYNC || refusal == CONN_REFUSAL_MISDIRECTED)
        set_request(&w->request, &record);
    else if (c->side.channel.in)
        guess_request((struct slice){ buffer_at(c->side.channel.in), buffer_len(c->side.channel.in) }, &record);
    if (refusal == CONN_REFUSAL_MALFORMED) {
        record.desync = h1_desync_to_str(H1_SEVERE);
        record.desync_reason = h1_desync_reason_to_str(H1_DESYNC_MALFORMED);
        access_record_set_fault(&record, &w->fault);
    }
    access_log_add(&w->access_log, &record);
}
