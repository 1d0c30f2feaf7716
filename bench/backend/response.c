#include "bench/backend/response.h"

#include <string.h>

#define PIECE_BYTES (32u << 10)

static const char *response_reason(int status)
{
    return status < 300 ? "OK" : status < 400 ? "Redirection" : status < 500 ? "Client Error" : "Server Error";
}

static void response_add_alphabet(struct bytes *out, uint64_t at, size_t len)
{
    bytes_reserve(out, len);
    char *to = out->data + out->len;
    for (size_t i = 0; i < len; i++) {
        if (i < 26)
            to[i] = (char)('a' + (at + i) % 26);
        else
            to[i] = to[i - 26];
    }
    out->len += len;
}

void response_add_piece(struct response *r, struct bytes *out)
{
    size_t n = (size_t)(r->body_left < r->piece_bytes ? r->body_left : r->piece_bytes);
    if (r->is_chunked && n > 0)
        bytes_print(out, "%zx\r\n", n);
    if (r->is_text)
        bytes_add(out, r->text.data + r->body_at, n);
    else
        response_add_alphabet(out, r->body_at, n);
    r->body_at += n;
    r->body_left -= n;
    if (r->is_chunked)
        bytes_print(out, "%s%s", n > 0 ? "\r\n" : "", r->body_left == 0 ? "0\r\n\r\n" : "");
}

static void response_set_pieces(struct response *r, const struct request *q, const char *head, uint64_t body_bytes)
{
    uint64_t count = (uint64_t)request_query(q, head, "pieces", 10, 1e6);
    r->pause_us = (int64_t)(request_query(q, head, "slow_body_ms", 0, 3.6e6) * 1000);
    r->piece_bytes = r->pause_us && count ? (body_bytes + count - 1) / count : PIECE_BYTES;
    if (r->piece_bytes > PIECE_BYTES || r->piece_bytes == 0)
        r->piece_bytes = PIECE_BYTES;
}

void response_start(struct response *r, const struct request *q, const char *head, int status, uint64_t body_bytes,
                    const char *task, struct bytes *out)
{
    bool has_body = status != 204 && status != 304;
    r->is_chunked = has_body && !q->is_http10 && request_query(q, head, "chunked", 0, 1) > 0;
    r->body_at = 0;
    r->body_left = has_body && !q->is_head ? body_bytes : 0;
    response_set_pieces(r, q, head, body_bytes);
    bytes_print(out, "HTTP/1.1 %d %s\r\nX-Task: %s\r\nContent-Type: %s\r\n", status, response_reason(status), task,
                r->is_json ? "application/json" : "text/plain");
    if (r->is_chunked)
        bytes_print(out, "Transfer-Encoding: chunked\r\n");
    else if (has_body)
        bytes_print(out, "Content-Length: %llu\r\n", (unsigned long long)body_bytes);
    if (q->wants_close || q->is_http10)
        bytes_print(out, "Connection: %s\r\n", q->wants_close ? "close" : "keep-alive");
    bytes_add(out, "\r\n", 2);
    if (!q->is_head && (r->body_left > 0 || r->is_chunked))
        response_add_piece(r, out);
}

void response_add_echo(struct bytes *text, const struct request *q, const char *head, const char *task)
{
    const char *at = head + q->fields_at;
    struct field f;
    bytes_print(text, "{\"method\": ");
    bytes_add_json(text, head, q->method_len);
    bytes_print(text, ", \"target\": ");
    bytes_add_json(text, head + q->target_at, q->target_len);
    bytes_print(text, ", \"version\": \"HTTP/1.%d\", \"headers\": [", !q->is_http10);
    for (const char *comma = ""; field_next(&at, head + q->head_len, &f) > 0; comma = ", ") {
        bytes_print(text, "%s[", comma);
        bytes_add_json(text, f.name, f.name_len);
        bytes_add(text, ", ", 2);
        bytes_add_json(text, f.value, f.value_len);
        bytes_add(text, "]", 1);
    }
    bytes_print(text, "], \"bodyLength\": %llu, \"bodyAdler32\": %u, \"hostname\": ", (unsigned long long)q->body.bytes,
                q->body.adler_b << 16 | q->body.adler_a);
    bytes_add_json(text, task, strlen(task));
    bytes_add(text, "}\n", 2);
}
