#include "proxy/exchange/exchange_parts.h"

#include "proxy/log/termination.h"
#include "proxy/worker/worker.h"

#include <arpa/inet.h>

static enum termination_phase phase_of(const struct exchange *x)
{
    if (x->response_state == RESPONSE_TUNNELLING)
        return TERMINATION_TUNNEL;
    if (x->response_at_us)
        return x->waited_for_client ? TERMINATION_DATA_BLOCKED : TERMINATION_DATA;
    if (x->try_count == 0)
        return TERMINATION_REQUEST;
    if (!x->is_reused && !x->connected_at_us)
        return TERMINATION_CONNECT;
    if (x->request_body.is_complete || x->awaits_continue)
        return TERMINATION_HEAD;
    return x->waited_for_client ? TERMINATION_REQUEST : TERMINATION_REQUEST_BLOCKED;
}

static void set_head_fields(const struct exchange *x, enum log_format format, struct access_record *record)
{
    struct slice head = { x->head->data + x->method_at, x->head->end - x->method_at };
    record->method = (struct slice){ head.at, x->method_len };
    record->target = (struct slice){ head.at + x->method_len + 1, x->target_len };
    if (format == LOG_FORMAT_COMBINED) {
        record->referer = access_log_find_field(head, SLICE_LITERAL("referer"));
        record->user_agent = access_log_find_field(head, SLICE_LITERAL("user-agent"));
        return;
    }
    record->host = x->host_at ? (struct slice){ "", 0 } : access_log_find_field(head, SLICE_LITERAL("host"));
    record->request_id = x->keeps_request_id ? access_log_find_field(head, SLICE_LITERAL("x-request-id"))
                                             : (struct slice){ x->request_id, sizeof x->request_id };
}

/* From the start to then; 0 when that has not come. */
static int64_t since_start(const struct exchange *x, int64_t at_us)
{
    return at_us ? at_us - x->started_at_us : 0;
}

/* A request without a body was whole at once. */
static void set_phases(const struct exchange *x, struct access_record *record)
{
    record->started_at_us = x->started_at_us;
    record->request_us = x->request_body.kind == HTTP_BODY_NONE ? 0 : since_start(x, x->sent_at_us);
    record->connect_us = x->connected_at_us ? x->connected_at_us - x->tried_at_us : 0;
    record->response_us = since_start(x, x->response_at_us);
    record->duration_us = since_start(x, x->worker->now_us);
}

void exchange_log(struct exchange *x)
{
    struct access_log *log = &x->worker->access_log;
    bool has_service = x->service_slot != UINT32_MAX;
    const union endpoint_address *source = &x->client->source;
    struct termination termination = termination_of(x->end, phase_of(x));
    struct access_record record = {
        .client = x->client->peer,
        .client_port = ntohs(source->any.sa_family == AF_INET6 ? source->v6.sin6_port : source->v4.sin_port),
        .protocol = x->client_is_1_0 ? "1.0" : "1.1",
        .service = has_service ? stats_service_name(x->worker->region, x->service_slot) : NULL,
        .endpoint = x->endpoint ? x->endpoint->address_text : NULL,
        .end = exchange_end_to_str(x->end),
        .termination = termination.text,
        .status = x->status,
        .try_count = x->try_count,
        .is_reused = x->is_reused,
        .request_bytes = x->request_body.relayed_bytes,
        .response_bytes = x->response_body.relayed_bytes,
        .desync = x->doubt,
        .desync_reason = x->doubt_reason,
    };
    if (x->end == EXCHANGE_END_UPSTREAM_MALFORMED || x->end == EXCHANGE_END_BODY_MALFORMED)
        access_record_set_fault(&record, &x->worker->fault);
    if (x->head)
        set_head_fields(x, log->format, &record);
    set_phases(x, &record);
    access_log_add(log, &record);
}
