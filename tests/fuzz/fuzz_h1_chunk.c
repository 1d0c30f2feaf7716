/* Any bytes as a chunked body: in one piece, byte by byte, and in pieces whose sizes the first byte chooses. Content and
 * trailers that were decoded, encoded anew, are decoded to the same. */
#include <stdio.h>

#include "base/check.h"
#include "proxy/h1/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define BODY_MAX 65536

struct outcome {
    enum h1_result result;
    enum h1_error error;
    size_t consumed;
    size_t data_len, trailer_len;
    char data[BODY_MAX];
    char trailer[H1_CHUNK_TRAILER_MAX];
};

static bool is_within(struct slice inner, const char *at, size_t len)
{
    return inner.len <= len && inner.at >= at && inner.at + inner.len <= at + len;
}

static void decode_piece(struct h1_chunk_decoder *decoder, const char *piece, size_t len, struct outcome *out)
{
    size_t at = 0;
    while (at < len && out->result == H1_MORE) {
        size_t consumed = 0;
        struct slice data, trailer;
        out->result = h1_chunk_decode(decoder, piece + at, len - at, &consumed, &data, &trailer, &out->error);
        check(consumed <= len - at && (out->result != H1_MORE || consumed > 0));
        check(is_within(data, piece + at, consumed) && is_within(trailer, piece + at, consumed));
        check(out->result == H1_MORE || data.len == 0);
        check(out->result != H1_BAD || trailer.len == 0);
        check(data.len == 0 || trailer.len == 0);
        memcpy(out->data + out->data_len, data.at, data.len);
        out->data_len += data.len;
        check(trailer.len <= sizeof(out->trailer) - out->trailer_len);
        memcpy(out->trailer + out->trailer_len, trailer.at, trailer.len);
        out->trailer_len += trailer.len;
        at += consumed;
    }
    out->consumed += at;
}

/* step_seed 0: one piece. 1: single bytes. Otherwise pieces of 1 to step_seed bytes. */
static void decode(const char *body, size_t len, unsigned step_seed, struct outcome *out)
{
    struct h1_chunk_decoder decoder;
    h1_chunk_init(&decoder);
    out->result = H1_MORE;
    out->error = H1_OK;
    out->consumed = out->data_len = out->trailer_len = 0;
    unsigned random = step_seed;
    for (size_t at = 0; at < len && out->result == H1_MORE;) {
        random = random * 1664525u + 1013904223u;
        size_t piece_len = step_seed == 0 ? len : 1 + (random >> 16) % step_seed;
        if (piece_len > len - at) {
            piece_len = len - at;
        }
        decode_piece(&decoder, body + at, piece_len, out);
        at += piece_len;
    }
}

/* What came before an error depends on the pieces, and is of no use. */
static void check_same(const struct outcome *a, const struct outcome *b)
{
    check(a->result == b->result && a->error == b->error && a->consumed == b->consumed);
    check(a->data_len == b->data_len && memcmp(a->data, b->data, a->data_len) == 0);
    if (a->result != H1_BAD) {
        check(a->trailer_len == b->trailer_len && memcmp(a->trailer, b->trailer, a->trailer_len) == 0);
    }
}

static void check_encoded_anew(const struct outcome *whole)
{
    static char text[BODY_MAX + H1_CHUNK_TRAILER_MAX + 64];
    static struct outcome again;
    int len = 0;
    if (whole->data_len > 0) {
        len = snprintf(text, sizeof(text), "%zx\r\n", whole->data_len);
        memcpy(text + len, whole->data, whole->data_len);
        len += (int)whole->data_len;
        len += snprintf(text + len, 3, "\r\n");
    }
    len += snprintf(text + len, 4, "0\r\n");
    memcpy(text + len, whole->trailer, whole->trailer_len);
    len += (int)whole->trailer_len;
    len += snprintf(text + len, 3, "\r\n");
    decode(text, (size_t)len, 0, &again);
    check(again.result == H1_DONE && again.consumed == (size_t)len);
    check(again.data_len == whole->data_len && memcmp(again.data, whole->data, whole->data_len) == 0);
    check(again.trailer_len == whole->trailer_len && memcmp(again.trailer, whole->trailer, whole->trailer_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct outcome whole, pieces;
    if (len == 0 || len > BODY_MAX) {
        return 0;
    }
    const char *body = (const char *)bytes + 1;
    len--;
    decode(body, len, 0, &whole);
    check((whole.result == H1_BAD) == (whole.error != H1_OK));
    check(whole.result != H1_MORE || whole.consumed == len);
    decode(body, len, 1, &pieces);
    check_same(&whole, &pieces);
    decode(body, len, 2 + bytes[0] % 32, &pieces);
    check_same(&whole, &pieces);
    if (whole.result == H1_DONE) {
        check_encoded_anew(&whole);
    }
    return 0;
}
