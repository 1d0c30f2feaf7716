#include "bench/load/answer.h"

static const struct h1_limits LIMITS = { .head_bytes = ANSWER_HEAD_BYTES_MAX, .field_count = HTTP_FIELDS_MAX };

static void finish(struct answer *a, enum failure failure, const char *why)
{
    a->state = ANSWER_DONE;
    a->failure = failure;
    a->why = why;
    a->keeps_alive &= failure == FAILURE_NONE || (failure >= FAILURE_STATUS_1XX && failure <= FAILURE_STATUS_5XX) ||
                      failure == FAILURE_WRONG_BODY;
}

/* The message is whole. */
static void judge(const struct answer_reader *reader, struct answer *a)
{
    if (!reader->expectation->statuses[a->status]) {
        finish(a, FAILURE_STATUS_1XX + a->status / 100 - 1, NULL);
        return;
    }
    const char *wrong = body_check_finish(&a->check, reader->expectation);
    finish(a, wrong ? FAILURE_WRONG_BODY : FAILURE_NONE, wrong);
}

static void take_length(struct answer_reader *reader, struct answer *a, const char *at, size_t len)
{
    size_t own = len < a->left_bytes ? len : (size_t)a->left_bytes;
    body_check_take(&a->check, reader->expectation, at, own);
    a->left_bytes -= own;
    if (a->left_bytes == 0)
        judge(reader, a);
    if (own < len)
        finish(a, FAILURE_MALFORMED, "bytes behind the end of the answer");
}

static void take_chunks(struct answer_reader *reader, struct answer *a, const char *at, size_t len)
{
    enum h1_result result = H1_MORE;
    enum h1_error error = H1_OK;
    while (len > 0 && result == H1_MORE) {
        size_t consumed;
        struct slice piece, trailer;
        result = h1_chunk_decode(&a->chunks, at, len, &consumed, &piece, &trailer, &error);
        if (piece.len > 0)
            body_check_take(&a->check, reader->expectation, piece.at, piece.len);
        at += consumed;
        len -= consumed;
    }
    if (result == H1_DONE)
        judge(reader, a);
    if (result == H1_BAD)
        finish(a, FAILURE_MALFORMED, h1_error_to_str(error));
    else if (len > 0)
        finish(a, FAILURE_MALFORMED, "bytes behind the end of the answer");
}

static void take_body(struct answer_reader *reader, struct answer *a, const char *at, size_t len)
{
    switch (a->body) {
    case HTTP_BODY_NONE:
    case HTTP_BODY_LENGTH:
        take_length(reader, a, at, len);
        break;
    case HTTP_BODY_CHUNKED:
        take_chunks(reader, a, at, len);
        break;
    case HTTP_BODY_UNTIL_CLOSE:
        body_check_take(&a->check, reader->expectation, at, len);
        break;
    }
}

/* Takes heads from the start of the bytes, interim ones too (RFC 9110 15.2), and returns how long they are. */
static size_t take_heads(struct answer_reader *reader, struct answer *a, const char *at, size_t len)
{
    struct h1_response *r = &reader->response;
    enum h1_error error;
    size_t used = 0;
    for (;;) {
        switch (h1_parse_response(at + used, len - used, &LIMITS, &a->resume_at, reader->method, r, &error)) {
        case H1_MORE:
            return used;
        case H1_BAD:
            finish(a, FAILURE_MALFORMED, h1_error_to_str(error));
            return used;
        case H1_DONE:
            break;
        }
        used += r->head.head_bytes;
        a->resume_at = 0;
        if (r->head.status >= 200 || r->head.status == 101)
            break;
    }
    a->state = ANSWER_IN_BODY;
    a->status = r->head.status;
    a->body = r->head.body;
    a->left_bytes = r->head.body == HTTP_BODY_LENGTH ? r->head.content_length : 0;
    a->keeps_alive = r->head.keep_alive && r->head.status != 101;
    if (r->head.body == HTTP_BODY_CHUNKED)
        h1_chunk_init(&a->chunks);
    return used;
}

/* The usual case: the head in one piece. */
static void take(struct answer_reader *reader, struct answer *a, const char *at, size_t len)
{
    size_t used = take_heads(reader, a, at, len);
    if (a->state == ANSWER_IN_BODY && (len > used || a->body == HTTP_BODY_NONE))
        take_body(reader, a, at + used, len - used);
    else if (a->state == ANSWER_IN_HEAD && !buf_append(&a->head, at + used, len - used))
        finish(a, FAILURE_MALFORMED, h1_error_to_str(H1_ERR_HEAD_TOO_LARGE));
}

/* Joins what was kept of a head with what has come now. */
static void take_later(struct answer_reader *reader, struct answer *a, const char *at, size_t len)
{
    if (!buf_append(&a->head, at, len)) {
        finish(a, FAILURE_MALFORMED, h1_error_to_str(H1_ERR_HEAD_TOO_LARGE));
        return;
    }
    buf_consume(&a->head, take_heads(reader, a, a->head.at, a->head.len));
    if (a->state == ANSWER_IN_BODY && (a->head.len > 0 || a->body == HTTP_BODY_NONE))
        take_body(reader, a, a->head.at, a->head.len);
}

void answer_init(struct answer *a)
{
    *a = (struct answer){ .state = ANSWER_DONE };
    /* Bytes of a body may follow the last byte of the largest head. */
    buf_init(&a->head, 4 * ANSWER_HEAD_BYTES_MAX);
}

void answer_fini(struct answer *a)
{
    buf_fini(&a->head);
}

void answer_begin(struct answer *a)
{
    a->state = ANSWER_IN_HEAD;
    a->failure = FAILURE_NONE;
    a->why = NULL;
    a->status = 0;
    a->keeps_alive = true;
    a->resume_at = 0;
    buf_clear(&a->head);
    body_check_init(&a->check);
}

bool answer_has_begun(const struct answer *a)
{
    return a->state != ANSWER_IN_HEAD || a->head.len > 0;
}

enum answer_state answer_take(struct answer_reader *reader, struct answer *a, const char *at, size_t len)
{
    if (a->state == ANSWER_IN_BODY)
        take_body(reader, a, at, len);
    else if (a->state == ANSWER_IN_HEAD && a->head.len == 0)
        take(reader, a, at, len);
    else if (a->state == ANSWER_IN_HEAD)
        take_later(reader, a, at, len);
    return a->state;
}

void answer_end(struct answer_reader *reader, struct answer *a)
{
    a->keeps_alive = false;
    if (a->state == ANSWER_IN_HEAD)
        finish(a, FAILURE_RESET, a->head.len > 0 ? "connection ended within the head" : "connection ended");
    else if (a->state == ANSWER_IN_BODY && a->body == HTTP_BODY_UNTIL_CLOSE)
        judge(reader, a);
    else if (a->state == ANSWER_IN_BODY)
        finish(a, FAILURE_SHORT_BODY, "connection ended within the body");
}
