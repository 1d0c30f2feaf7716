#include "bench/backend/request_body.h"

#include <string.h>

static void request_body_count(struct request_body *b, const char *data, size_t len)
{
    b->bytes += len;
    b->left -= len;
    for (size_t i = 0; b->wants_checksum && i < len; i++) {
        b->adler_a = (b->adler_a + (unsigned char)data[i]) % 65521;
        b->adler_b = (b->adler_b + b->adler_a) % 65521;
    }
}

static bool chunk_size_digit(struct request_body *b, char ch)
{
    int digit = ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10 : -1;
    if (digit >= 0) {
        b->left = b->left * 16 + (uint64_t)digit;
        return ++b->digit_count <= 15;
    }
    b->state = ch == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
    return b->digit_count > 0 && (ch == '\r' || ch == ';' || ch == ' ' || ch == '\t');
}

/* One byte outside of a chunk's payload. */
static bool chunk_step(struct request_body *b, char ch)
{
    switch (b->state) {
    case CHUNK_SIZE:
        return chunk_size_digit(b, ch);
    case CHUNK_EXTENSION:
        b->state = ch == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
        return ch != '\n';
    case CHUNK_SIZE_LF:
        b->state = b->left ? CHUNK_PAYLOAD : CHUNK_LINE_START;
        return ch == '\n';
    case CHUNK_PAYLOAD_CR:
        b->state = CHUNK_PAYLOAD_LF;
        return ch == '\r';
    case CHUNK_PAYLOAD_LF:
        b->state = CHUNK_SIZE;
        b->digit_count = 0;
        return ch == '\n';
    case CHUNK_LINE_START:
        b->state = ch == '\r' ? CHUNK_LAST_LF : CHUNK_LINE;
        return ch != '\n';
    case CHUNK_LINE:
        b->state = ch == '\n' ? CHUNK_LINE_START : CHUNK_LINE;
        return true;
    case CHUNK_LAST_LF:
        b->state = CHUNK_DONE;
        return ch == '\n';
    case CHUNK_PAYLOAD:
    case CHUNK_DONE:
        break;
    }
    return false;
}

int request_body_take(struct request_body *b, struct bytes *in, size_t from)
{
    size_t at = from;
    bool is_good = true;
    while (is_good && at < in->len && (b->is_chunked ? b->state != CHUNK_DONE : b->left > 0)) {
        if (b->is_chunked && b->state != CHUNK_PAYLOAD) {
            is_good = chunk_step(b, in->data[at++]);
            continue;
        }
        size_t len = in->len - at < b->left ? in->len - at : (size_t)b->left;
        request_body_count(b, in->data + at, len);
        at += len;
        if (b->is_chunked && b->left == 0)
            b->state = CHUNK_PAYLOAD_CR;
    }
    memmove(in->data + from, in->data + at, in->len - at);
    in->len -= at - from;
    if (!is_good)
        return -1;
    return b->is_chunked ? b->state == CHUNK_DONE : b->left == 0;
}
