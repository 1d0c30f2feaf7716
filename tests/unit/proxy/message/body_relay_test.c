#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/message/body_relay.h"

#include "base/mem.h"
#include "tests/unit/base/random_source.h"
#include "tests/unit/proxy/io/channel_pair.h"

#include <stdio.h>

/* One body on its way: `from` is a channel whose bytes the test puts in by hand, `to` the one of the pair. */
struct journey {
    struct channel_pair *pair;
    struct channel from;
    struct body body;
    struct buf out; /* what the receiver has read */
};

static void journey_start(struct journey *j, enum http_body kind, uint64_t length, bool rechunks)
{
    memset(j, 0, sizeof *j);
    j->pair = channel_pair_new();
    j->from.fd = -1;
    buf_init(&j->out, 0);
    body_init(&j->body, kind, length, rechunks, true);
}

static void journey_end(struct journey *j)
{
    channel_consume(&j->from, &j->pair->pool, buffer_len(j->from.in));
    channel_pair_free(j->pair);
    buf_fini(&j->out);
}

static void receive(struct journey *j, const char *bytes, size_t len)
{
    assert_null(j->from.in);
    if (len == 0)
        return;
    j->from.in = buffer_take(&j->pair->pool, len);
    assert_non_null(j->from.in);
    memcpy(j->from.in->data, bytes, len);
    j->from.in->end = (uint32_t)len;
}

static enum body_result relay(struct journey *j)
{
    return body_relay(&j->body, &j->from, &j->pair->channel, &j->pair->pool);
}

static void read_all(struct journey *j)
{
    while (channel_pair_peer_read(j->pair, &j->out, SIZE_MAX) > 0) {
    }
}

/* Relays what has been received; the receiver reads whenever it must. */
static enum body_result relay_all(struct journey *j)
{
    enum body_result result;
    while ((result = relay(j)) == BODY_BLOCKED) {
        assert_true(j->pair->channel.is_writing);
        read_all(j);
    }
    read_all(j);
    return result;
}

/* The content of a chunked body that has to be whole: ended, once, with nothing behind its end. */
static void decode(struct buf *chunked, struct buf *content)
{
    struct h1_chunk_decoder decoder;
    enum h1_result result = H1_MORE;
    size_t at = 0;
    h1_chunk_init(&decoder);
    while (at < chunked->len && result == H1_MORE) {
        size_t consumed = 0;
        struct slice data, trailer;
        enum h1_error error;
        result = h1_chunk_decode(&decoder, chunked->at + at, chunked->len - at, &consumed, &data, &trailer, &error);
        buf_append_slice(content, data);
        at += consumed;
    }
    assert_int_equal(result, H1_DONE);
    assert_int_equal(at, chunked->len);
}

static void check_out(struct journey *j, const char *content, size_t len)
{
    struct buf decoded;
    buf_init(&decoded, 0);
    struct buf *got = &j->out;
    if (j->body.rechunks) {
        decode(&j->out, &decoded);
        got = &decoded;
    }
    assert_int_equal(got->len, len);
    assert_memory_equal(got->len ? got->at : "", content, len);
    assert_int_equal(j->body.relayed_bytes, len);
    buf_fini(&decoded);
}

struct body_case {
    enum http_body kind;
    bool rechunks;
    const char *in, *content;
};

static const struct body_case cases[] = {
    { HTTP_BODY_LENGTH, false, "hello world", "hello world" },
    { HTTP_BODY_CHUNKED, true, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world" },
    { HTTP_BODY_CHUNKED, false, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world" },
    { HTTP_BODY_CHUNKED, true, "0\r\n\r\n", "" },
    { HTTP_BODY_CHUNKED, false, "0\r\n\r\n", "" },
    { HTTP_BODY_CHUNKED, true, "00b;name=\"va\\\"lue\"\r\nhello world\r\n000\r\nA: x\r\nB: y\r\n\r\n", "hello world" },
    { HTTP_BODY_CHUNKED, true, "1\r\nh\r\n1\r\ne\r\n2\r\n\r\n\r\n1\r\n0\r\n0\r\n\r\n", "he\r\n0" },
};
#define CASES (sizeof cases / sizeof *cases)

/* What stands behind the body belongs to the next message and stays. */
static void check_pieces(const struct body_case *c, size_t first, size_t second)
{
    static const char next[] = "GET /next";
    char in[256];
    size_t len = strlen(c->in), in_len = (size_t)snprintf(in, sizeof in, "%s%s", c->in, next);
    struct journey j;
    journey_start(&j, c->kind, strlen(c->content), c->rechunks);
    size_t cuts[4] = { 0, first, second, in_len };
    for (int i = 0; i < 3; i++) {
        bool is_behind = cuts[i] >= len;
        enum body_result wanted = cuts[i + 1] >= len ? BODY_COMPLETE : BODY_MORE;
        if (is_behind)
            break;
        receive(&j, in + cuts[i], cuts[i + 1] - cuts[i]);
        assert_int_equal(relay_all(&j), wanted);
        assert_int_equal(j.body.is_complete, wanted == BODY_COMPLETE);
        if (wanted == BODY_COMPLETE) {
            assert_int_equal(buffer_len(j.from.in), cuts[i + 1] - len);
            assert_memory_equal(j.from.in ? buffer_at(j.from.in) : "", next, cuts[i + 1] - len);
            assert_int_equal(relay_all(&j), BODY_COMPLETE); /* asked again, it sends nothing more */
        }
    }
    check_out(&j, c->content, strlen(c->content));
    journey_end(&j);
}

static void a_body_arrives_the_same_however_it_was_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        size_t len = strlen(cases[i].in) + 9;
        for (size_t first = 0; first <= len; first++) {
            for (size_t second = first; second <= len; second += 3)
                check_pieces(&cases[i], first, second);
        }
    }
}

static void a_body_arrives_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct journey j;
        size_t len = strlen(cases[i].in);
        journey_start(&j, cases[i].kind, strlen(cases[i].content), cases[i].rechunks);
        for (size_t at = 0; at < len; at++) {
            receive(&j, cases[i].in + at, 1);
            assert_int_equal(relay_all(&j), at + 1 == len ? BODY_COMPLETE : BODY_MORE);
        }
        check_out(&j, cases[i].content, strlen(cases[i].content));
        journey_end(&j);
    }
}

static void a_body_that_ends_with_the_connection_gets_its_last_chunk_once(void **state)
{
    (void)state;
    static const char content[] = "as long as it comes";
    for (int rechunks = 0; rechunks < 2; rechunks++) {
        for (size_t cut = 0; cut < sizeof content; cut++) {
            struct journey j;
            journey_start(&j, HTTP_BODY_UNTIL_CLOSE, 0, rechunks);
            receive(&j, content, cut);
            assert_int_equal(relay_all(&j), BODY_MORE);
            receive(&j, content + cut, sizeof content - 1 - cut);
            assert_int_equal(relay_all(&j), BODY_MORE);
            assert_false(j.body.is_complete);
            assert_int_equal(body_end(&j.body, &j.pair->channel, &j.pair->pool), BODY_COMPLETE);
            assert_int_equal(relay_all(&j), BODY_COMPLETE);
            check_out(&j, content, sizeof content - 1);
            journey_end(&j);
        }
    }
}

static void no_body_is_complete_at_once(void **state)
{
    (void)state;
    struct journey j;
    journey_start(&j, HTTP_BODY_NONE, 0, false);
    assert_true(j.body.is_complete);
    receive(&j, "GET /next", 9);
    assert_int_equal(relay_all(&j), BODY_COMPLETE);
    assert_int_equal(buffer_len(j.from.in), 9);
    assert_int_equal(j.out.len, 0);
    journey_end(&j);
}

static void a_malformed_chunk_never_completes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "5\r\nhelloX\r\n0\r\n\r\n",  "5\r\nhello\r\nx\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",  "5\r\nhello\r\n0\r\n X\r\n",    "5\r\nhello\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",  "8000000000000000\r\nhello",
        "5 \r\nhello\r\n0\r\n\r\n",  "5\r\nhello\r\n0\r\n\rX",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t len = strlen(bad[i]);
        for (size_t cut = 0; cut < len; cut++) {
            struct journey j;
            journey_start(&j, HTTP_BODY_CHUNKED, 0, true);
            receive(&j, bad[i], cut);
            enum body_result result = relay_all(&j);
            if (result == BODY_MORE) {
                receive(&j, bad[i] + cut, len - cut);
                result = relay_all(&j);
            }
            assert_int_equal(result, BODY_MALFORMED);
            assert_int_equal(relay_all(&j), BODY_MALFORMED); /* and stays so */
            assert_false(j.body.is_complete);
            assert_null(strstr(buf_text(&j.out), "\r\n0\r\n"));
            journey_end(&j);
        }
    }
}

static char *random_bytes(size_t len, uint64_t seed)
{
    char *bytes = mem_alloc(len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)random_next(&seed);
    return bytes;
}

/* The content in chunks of 1 to 3000 bytes. */
static void encode(const char *content, size_t len, struct buf *chunked)
{
    uint64_t random = 3;
    for (size_t at = 0; at < len;) {
        size_t size = 1 + random_below(&random, 3000);
        size = size < len - at ? size : len - at;
        buf_printf(chunked, "%zX\r\n", size);
        buf_append(chunked, content + at, size);
        buf_append_text(chunked, "\r\n");
        at += size;
    }
    buf_append_text(chunked, "0\r\n\r\n");
}

/* Bytes come as the sender likes, and the receiver takes some of what is there now and then: nothing more is held than
 * one buffer on either side. */
static void send_to_a_slow_receiver(enum http_body kind, bool rechunks, size_t len)
{
    struct journey j;
    struct buf in;
    uint64_t random = 11;
    char *content = random_bytes(len, 5);
    buf_init(&in, 0);
    if (kind == HTTP_BODY_CHUNKED)
        encode(content, len, &in);
    else
        buf_append(&in, content, len);
    journey_start(&j, kind, len, rechunks);
    size_t at = 0;
    enum body_result result = BODY_MORE;
    while (result == BODY_BLOCKED || at < in.len) {
        if (!j.from.in && at < in.len) {
            size_t piece = 1 + random_below(&random, 20000);
            piece = piece < in.len - at ? piece : in.len - at;
            receive(&j, in.at + at, piece);
            at += piece;
        }
        result = relay(&j);
        assert_true(result == BODY_BLOCKED || result == BODY_MORE || result == BODY_COMPLETE);
        assert_true(result != BODY_BLOCKED || j.pair->channel.is_writing);
        assert_true(j.pair->stats.buffer_bytes <= 2 * BUFFER_LARGE_BYTES);
        channel_pair_peer_read(j.pair, &j.out, 1 + random_below(&random, 700));
    }
    if (kind == HTTP_BODY_UNTIL_CLOSE) {
        for (result = body_end(&j.body, &j.pair->channel, &j.pair->pool); result == BODY_BLOCKED; result = relay(&j))
            channel_pair_peer_read(j.pair, &j.out, 100);
    }
    assert_int_equal(result, BODY_COMPLETE);
    read_all(&j);
    check_out(&j, content, len);
    journey_end(&j);
    buf_fini(&in);
    free(content);
}

static void a_slow_receiver_gets_everything_in_order(void **state)
{
    (void)state;
    send_to_a_slow_receiver(HTTP_BODY_LENGTH, false, 300000);
    send_to_a_slow_receiver(HTTP_BODY_CHUNKED, true, 300000);
    send_to_a_slow_receiver(HTTP_BODY_CHUNKED, false, 300000);
    send_to_a_slow_receiver(HTTP_BODY_UNTIL_CLOSE, false, 300000);
    send_to_a_slow_receiver(HTTP_BODY_UNTIL_CLOSE, true, 300000);
}

static void a_receiver_that_takes_one_byte_at_a_time_gets_everything(void **state)
{
    (void)state;
    static const char content[] = "0123456789";
    struct journey j;
    char filler[65536];
    size_t sent, filled = 0;
    journey_start(&j, HTTP_BODY_CHUNKED, 0, true);
    memset(filler, 'f', sizeof filler);
    while (channel_send(&j.pair->channel, filler, sizeof filler, &sent) == CHANNEL_OK || sent > 0)
        filled += sent; /* the socket is full before the body starts */
    receive(&j, "a\r\n0123456789\r\n0\r\n\r\n", 20);
    size_t blocked_count = 0;
    while (relay(&j) == BODY_BLOCKED) {
        blocked_count++;
        channel_pair_peer_read(j.pair, &j.out, 1);
    }
    assert_true(blocked_count > 100);
    assert_true(j.body.is_complete);
    read_all(&j);
    buf_consume(&j.out, filled);
    check_out(&j, content, 10);
    journey_end(&j);
}

static void what_waits_for_the_receiver_goes_first(void **state)
{
    (void)state;
    struct journey j;
    journey_start(&j, HTTP_BODY_LENGTH, 5, false);
    j.pair->channel.out = buffer_take(&j.pair->pool, 10);
    memcpy(j.pair->channel.out->data, "head:", 5);
    j.pair->channel.out->end = 5;
    receive(&j, "hello", 5);
    assert_int_equal(relay_all(&j), BODY_COMPLETE);
    assert_string_equal(buf_text(&j.out), "head:hello");
    journey_end(&j);
}

/* As behind a head: as much as fits one buffer. */
static void check_append(enum http_body kind, bool rechunks, size_t room)
{
    struct journey j;
    struct buf in;
    char content[3000];
    memset(content, 'c', sizeof content);
    buf_init(&in, 0);
    if (kind == HTTP_BODY_CHUNKED)
        encode(content, sizeof content, &in);
    else
        buf_append(&in, content, sizeof content);
    journey_start(&j, kind, sizeof content, rechunks);
    receive(&j, in.at, in.len);
    struct buffer *out = buffer_take(&j.pair->pool, 1);
    out->begin = out->end = out->size - (uint32_t)room;
    enum body_result result = body_append(&j.body, &j.from, out, &j.pair->pool);
    assert_true(out->end <= out->size);
    assert_int_equal(result == BODY_COMPLETE, j.body.is_complete);
    assert_int_equal(result == BODY_BLOCKED, j.from.in != NULL);
    j.pair->channel.out = out;
    result = relay_all(&j);
    if (kind == HTTP_BODY_UNTIL_CLOSE)
        result = body_end(&j.body, &j.pair->channel, &j.pair->pool);
    assert_int_equal(result, BODY_COMPLETE);
    read_all(&j);
    check_out(&j, content, sizeof content);
    journey_end(&j);
    buf_fini(&in);
}

static void what_fits_behind_a_head_is_appended_and_the_rest_follows(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 64; room++) {
        check_append(HTTP_BODY_LENGTH, false, room);
        check_append(HTTP_BODY_CHUNKED, true, room);
        check_append(HTTP_BODY_CHUNKED, false, room);
        check_append(HTTP_BODY_UNTIL_CLOSE, false, room);
        check_append(HTTP_BODY_UNTIL_CLOSE, true, room);
    }
    check_append(HTTP_BODY_CHUNKED, true, BUFFER_SMALL_BYTES);
    check_append(HTTP_BODY_LENGTH, false, BUFFER_SMALL_BYTES);
}

/* Trailers as large as they may be, behind a head that leaves this room. */
static void check_trailers(size_t room, bool passes, size_t cut)
{
    static const char chunks[] = "1\r\nx\r\n0\r\n";
    char in[9000], wanted[9000];
    int value_len = 4000;
    int len = snprintf(in, sizeof in, "%sX-A: %0*d\r\nSet-Cookie: no\r\nX-B: %0*d\r\n\r\n", chunks, value_len, 1,
                       value_len, 2);
    snprintf(wanted, sizeof wanted, "1\r\nx\r\n0\r\nX-A: %0*d\r\nX-B: %0*d\r\n\r\n", value_len, 1, value_len, 2);
    struct journey j;
    journey_start(&j, HTTP_BODY_CHUNKED, 0, true);
    j.body.passes_trailers = passes;
    struct buffer *out = buffer_take(&j.pair->pool, 1);
    out->begin = out->end = out->size - (uint32_t)room;
    receive(&j, in, cut);
    body_append(&j.body, &j.from, out, &j.pair->pool);
    j.pair->channel.out = out;
    relay_all(&j);
    if (!j.from.in && cut < (size_t)len)
        receive(&j, in + cut, (size_t)len - cut);
    assert_int_equal(relay_all(&j), BODY_COMPLETE);
    assert_null(j.body.trailers);
    assert_string_equal(buf_text(&j.out), passes ? wanted : "1\r\nx\r\n0\r\n\r\n");
    journey_end(&j);
}

static void trailers_follow_the_last_chunk_whatever_room_there_is(void **state)
{
    (void)state;
    static const size_t cuts[] = { 1, 8, 11, 12, 4016, 4017, 4018, 8044, 8047 };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        for (size_t room = 0; room <= 48; room += 4) {
            check_trailers(room, true, cuts[i]);
            check_trailers(room, false, cuts[i]);
        }
        check_trailers(BUFFER_SMALL_BYTES, true, cuts[i]);
    }
}

static void trailers_that_would_change_the_message_never_complete_it(void **state)
{
    (void)state;
    static const char *const bad[] = { "Content-Length: 1", "Transfer-Encoding: chunked", "Host: b",
                                       "Content_Length: 1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char in[128];
        int len = snprintf(in, sizeof in, "1\r\nx\r\n0\r\n%s\r\n\r\n", bad[i]);
        struct journey j;
        journey_start(&j, HTTP_BODY_CHUNKED, 0, true);
        receive(&j, in, (size_t)len);
        assert_int_equal(relay_all(&j), BODY_MALFORMED);
        assert_false(j.body.is_complete);
        body_fini(&j.body, &j.pair->pool);
        journey_end(&j);
    }
}

static void a_receiver_that_is_gone_breaks_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct journey j;
        if (cases[i].content[0] == '\0')
            continue;
        journey_start(&j, cases[i].kind, strlen(cases[i].content), cases[i].rechunks);
        channel_pair_close_peer(j.pair);
        receive(&j, cases[i].in, strlen(cases[i].in));
        assert_int_equal(relay(&j), BODY_BROKEN);
        journey_end(&j);
    }
}

static void without_a_buffer_to_frame_in_it_says_so(void **state)
{
    (void)state;
    struct journey j;
    journey_start(&j, HTTP_BODY_CHUNKED, 0, true);
    receive(&j, "5\r\nhello\r\n0\r\n\r\n", 15);
    j.pair->pool.limit_bytes = BUFFER_SMALL_BYTES; /* taken by what was received */
    assert_int_equal(relay(&j), BODY_NO_BUFFER);
    assert_int_equal(j.pair->stats.buffer_refusals, 1);
    journey_end(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_arrives_the_same_however_it_was_cut),
        cmocka_unit_test(a_body_arrives_byte_by_byte),
        cmocka_unit_test(a_body_that_ends_with_the_connection_gets_its_last_chunk_once),
        cmocka_unit_test(no_body_is_complete_at_once),
        cmocka_unit_test(a_malformed_chunk_never_completes),
        cmocka_unit_test(a_slow_receiver_gets_everything_in_order),
        cmocka_unit_test(a_receiver_that_takes_one_byte_at_a_time_gets_everything),
        cmocka_unit_test(what_waits_for_the_receiver_goes_first),
        cmocka_unit_test(what_fits_behind_a_head_is_appended_and_the_rest_follows),
        cmocka_unit_test(trailers_follow_the_last_chunk_whatever_room_there_is),
        cmocka_unit_test(trailers_that_would_change_the_message_never_complete_it),
        cmocka_unit_test(a_receiver_that_is_gone_breaks_it),
        cmocka_unit_test(without_a_buffer_to_frame_in_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
