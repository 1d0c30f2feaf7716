/* Any bytes as what a connection carries: message behind message, each with head, the decision on its body, and the body.
 * The same bytes in one piece, byte by byte, and in other pieces have to become the same messages.
 * First byte: bit 0 responses instead of requests, bit 1 bare LF allowed, the others the size of the pieces; of responses
 * the second byte is the request's method. */
#include "base/check.h"
#include "proxy/h1/chunk.h"
#include "tests/fuzz/h1_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define INPUT_MAX 4096

enum phase { PHASE_HEAD = 0, PHASE_LENGTH, PHASE_CHUNKED, PHASE_UNTIL_CLOSE, PHASE_END };

/* What arrived, how far it is read, and what it came to. */
struct reader {
    bool reads_responses;
    enum http_method method;
    struct h1_limits limits;
    enum phase phase;
    char in[INPUT_MAX];
    size_t in_len, at, resume_at;
    uint64_t left_bytes;
    struct h1_chunk_decoder chunks;
    bool goes_on; /* behind this message */
    char trailer[INPUT_MAX];
    size_t trailer_len;
    struct text said; /* the messages, as text without regard to pieces */
};

static struct h1_request request;
static struct h1_response response;

static void say(struct reader *r, const char *word, uint64_t number)
{
    char line[96];
    int len = snprintf(line, sizeof(line), "\n%s %llu ", word, (unsigned long long)number);
    text_add(&r->said, (struct slice){ line, (size_t)len });
}

static void end_message(struct reader *r)
{
    say(r, "ends at", r->at);
    r->resume_at = 0;
    r->phase = r->goes_on ? PHASE_HEAD : PHASE_END;
}

static void fail(struct reader *r, enum h1_error error)
{
    say(r, h1_error_to_str(error), 0);
    r->phase = PHASE_END;
}

static void start_body(struct reader *r, enum http_body body, uint64_t length)
{
    say(r, http_body_to_str(body), length);
    r->left_bytes = length;
    r->trailer_len = 0;
    h1_chunk_init(&r->chunks);
    switch (body) {
    case HTTP_BODY_NONE:
        end_message(r);
        return;
    case HTTP_BODY_LENGTH:
        check(length > 0);
        r->phase = PHASE_LENGTH;
        return;
    case HTTP_BODY_CHUNKED:
        r->phase = PHASE_CHUNKED;
        return;
    case HTTP_BODY_UNTIL_CLOSE:
        check(r->reads_responses && !r->goes_on);
        r->phase = PHASE_UNTIL_CLOSE;
    }
}

static enum h1_result parse_head(struct reader *r, enum h1_error *error)
{
    const char *at = r->in + r->at;
    size_t len = r->in_len - r->at;
    return r->reads_responses ? h1_parse_response(at, len, &r->limits, &r->resume_at, r->method, &response, error)
                              : h1_parse_request(at, len, &r->limits, &r->resume_at, &request, error);
}

static bool read_head(struct reader *r)
{
    enum h1_error error;
    enum h1_result result = parse_head(r, &error);
    if (result == H1_BAD) {
        fail(r, error);
    }
    if (result != H1_DONE) {
        return false;
    }
    if (r->reads_responses) {
        r->at += response.head.head_bytes;
        r->goes_on = (response.head.keep_alive || response.head.status < 200) && response.head.status != 101;
        say(r, response.head.upgrade ? "switches" : "response", (uint64_t)response.head.status);
        start_body(r, response.head.body, response.head.content_length);
        return true;
    }
    r->at += request.head.head_bytes;
    r->goes_on = request.head.keep_alive && request.desync <= H1_ACCEPTABLE && !request.head.upgrade;
    say(r, request.head.upgrade ? "asks to switch" : "request", request.desync_reasons);
    text_add(&r->said, request.head.forward_target);
    start_body(r, request.head.body, request.head.content_length);
    return true;
}

static void read_data(struct reader *r, size_t len)
{
    text_add(&r->said, (struct slice){ r->in + r->at, len });
    r->at += len;
}

static bool read_length(struct reader *r)
{
    size_t len = r->in_len - r->at;
    if (len > r->left_bytes) {
        len = (size_t)r->left_bytes;
    }
    read_data(r, len);
    r->left_bytes -= len;
    if (r->left_bytes == 0) {
        end_message(r);
    }
    return len > 0;
}

static bool read_chunks(struct reader *r)
{
    size_t consumed;
    struct slice data, trailer;
    enum h1_error error;
    enum h1_result result =
        h1_chunk_decode(&r->chunks, r->in + r->at, r->in_len - r->at, &consumed, &data, &trailer, &error);
    text_add(&r->said, data);
    check(trailer.len <= sizeof(r->trailer) - r->trailer_len);
    memcpy(r->trailer + r->trailer_len, trailer.at, trailer.len);
    r->trailer_len += trailer.len;
    r->at += consumed;
    if (result == H1_BAD) {
        fail(r, error);
    }
    if (result == H1_DONE) {
        say(r, "trailer", r->trailer_len);
        text_add(&r->said, (struct slice){ r->trailer, r->trailer_len });
        end_message(r);
    }
    return consumed > 0;
}

static bool read_on(struct reader *r)
{
    if (r->at == r->in_len) {
        return false;
    }
    switch (r->phase) {
    case PHASE_HEAD:
        return read_head(r);
    case PHASE_LENGTH:
        return read_length(r);
    case PHASE_CHUNKED:
        return read_chunks(r);
    case PHASE_UNTIL_CLOSE:
        read_data(r, r->in_len - r->at);
        return false;
    default:
        return false;
    }
}

/* step 0: all at once; otherwise pieces of 1 to `step` bytes. */
static void feed(struct reader *r, const char *bytes, size_t len, unsigned step)
{
    unsigned random = step;
    for (size_t fed = 0; fed < len && r->phase != PHASE_END;) {
        random = random * 1664525u + 1013904223u;
        size_t piece = step == 0 ? len : 1 + (random >> 16) % step;
        if (piece > len - fed) {
            piece = len - fed;
        }
        memcpy(r->in + r->in_len, bytes + fed, piece);
        r->in_len += piece;
        fed += piece;
        while (r->phase != PHASE_END && read_on(r)) {
        }
    }
}

static void start(struct reader *r, uint8_t choice, uint8_t method)
{
    r->reads_responses = choice & 1;
    r->method = (enum http_method)(method % HTTP_METHOD_COUNT);
    r->limits =
        (struct h1_limits){ .head_bytes = 1024, .target_bytes = 256, .field_count = 16, .accepts_bare_lf = choice & 2 };
    r->phase = PHASE_HEAD;
    r->in_len = r->at = r->resume_at = 0;
    r->said.len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct reader whole, pieces;
    if (len < 2 || len > INPUT_MAX - 4) {
        return 0;
    }
    const char *in = (const char *)bytes + 2;
    start(&whole, bytes[0], bytes[1]);
    feed(&whole, in, len - 2, 0);
    const unsigned steps[] = { 1, 2 + bytes[0] / 4 };
    for (int i = 0; i < 2; i++) {
        start(&pieces, bytes[0], bytes[1]);
        feed(&pieces, in, len - 2, steps[i]);
        if (whole.phase == PHASE_END && pieces.phase == PHASE_HEAD) {
            feed(&pieces, "\r\n", 2, 1); /* an error may be seen as late as with the end of its line */
        }
        check(whole.phase == pieces.phase && whole.at == pieces.at);
        check(whole.said.len == pieces.said.len && memcmp(whole.said.at, pieces.said.at, whole.said.len) == 0);
    }
    return 0;
}
