#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/frame_link.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One link and the bare socket of its other side. */
struct bench {
    struct loop *loop;
    struct frame_link *link;
    int peer;
    struct buf seen; /* frames, each followed by '|' */
    size_t frame_count, close_count, last_length;
    char reason[128];
    size_t free_after; /* frames after which the link is freed from inside the callback; 0: never */
};

static void on_frame(void *owner, struct slice frame)
{
    struct bench *b = owner;
    b->frame_count++;
    b->last_length = frame.len;
    if (frame.len < 100) {
        buf_append_slice(&b->seen, frame);
        buf_append_text(&b->seen, "|");
    }
    if (b->free_after && b->frame_count == b->free_after) {
        frame_link_free(b->link);
        b->link = NULL;
    }
}

static void on_close(void *owner, const char *reason)
{
    struct bench *b = owner;
    b->close_count++;
    strncpy(b->reason, reason, sizeof b->reason - 1);
}

static const struct frame_link_callbacks callbacks = { .on_frame = on_frame, .on_close = on_close };

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    b->loop = loop_new();
    b->link = frame_link_new(b->loop, fds[0], &callbacks, b);
    b->peer = fds[1];
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    frame_link_free(b->link);
    loop_free(b->loop);
    if (b->peer >= 0)
        close(b->peer);
    buf_fini(&b->seen);
    free(b);
    return 0;
}

static void turn(struct bench *b)
{
    for (int i = 0; i < 4; i++)
        event_base_loop(loop_base(b->loop), EVLOOP_NONBLOCK);
}

static void peer_writes(struct bench *b, const void *bytes, size_t len)
{
    assert_int_equal(write(b->peer, bytes, len), (ssize_t)len);
}

static void a_frame_split_at_every_byte_arrives_whole(void **state)
{
    struct bench *b = *state;
    static const char bytes[] = "\0\0\0\5hello\0\0\0\0\0\0\0\3abc";
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        peer_writes(b, bytes + i, 1);
        turn(b);
    }
    assert_string_equal(buf_text(&b->seen), "hello||abc|");
    assert_int_equal(b->close_count, 0);
}

static void frames_that_arrive_together_are_told_apart(void **state)
{
    struct bench *b = *state;
    peer_writes(b, "\0\0\0\1a\0\0\0\2bb\0\0\0\3cc", 17);
    turn(b);
    assert_string_equal(buf_text(&b->seen), "a|bb|");
    peer_writes(b, "c", 1);
    turn(b);
    assert_string_equal(buf_text(&b->seen), "a|bb|ccc|");
}

static void what_is_sent_carries_its_length_in_front(void **state)
{
    struct bench *b = *state;
    char got[16];
    assert_true(frame_link_send(b->link, SLICE_LITERAL("ping")));
    turn(b);
    assert_int_equal(read(b->peer, got, sizeof got), 8);
    assert_memory_equal(got, "\0\0\0\4ping", 8);
}

static void a_frame_above_the_limit_closes_the_link_once(void **state)
{
    struct bench *b = *state;
    const unsigned char header[4] = { 0x04, 0x00, 0x00, 0x01 }; /* FRAME_BYTES_MAX + 1 */
    peer_writes(b, header, sizeof header);
    turn(b);
    assert_int_equal(b->close_count, 1);
    assert_int_equal(b->frame_count, 0);
    assert_non_null(strstr(b->reason, "above the limit"));
    assert_false(frame_link_send(b->link, SLICE_LITERAL("x")));
    turn(b);
    assert_int_equal(b->close_count, 1);
}

static void the_end_of_the_stream_is_told_after_the_last_frame(void **state)
{
    struct bench *b = *state;
    peer_writes(b, "\0\0\0\2ok\0\0", 8);
    close(b->peer);
    b->peer = -1;
    turn(b);
    assert_string_equal(buf_text(&b->seen), "ok|");
    assert_int_equal(b->close_count, 1);
}

static void a_peer_that_does_not_read_meets_the_queue_limit(void **state)
{
    struct bench *b = *state;
    size_t size = 32u << 20, sent = 0;
    char *big = mem_alloc(size);
    while (sent < 8 && frame_link_send(b->link, (struct slice){ big, size }))
        sent++;
    free(big);
    assert_in_range(sent, 3, 4);         /* 128 MiB, the headers not counted */
    assert_int_equal(b->close_count, 0); /* never from inside frame_link_send */
    turn(b);
    assert_int_equal(b->close_count, 1);
    assert_non_null(strstr(b->reason, "queue full"));
}

static void a_long_queue_is_sent_in_order_when_the_peer_reads(void **state)
{
    struct bench *b = *state;
    enum { FRAMES = 300, SIZE = 9973 };
    unsigned char *frame = mem_alloc(SIZE);
    for (int i = 0; i < FRAMES; i++) {
        memset(frame, i & 255, SIZE);
        assert_true(frame_link_send(b->link, (struct slice){ (char *)frame, SIZE }));
    }
    free(frame);
    size_t want = FRAMES * (SIZE + 4), got = 0;
    unsigned char piece[5000];
    while (got < want) {
        turn(b);
        ssize_t n = recv(b->peer, piece, sizeof piece, MSG_DONTWAIT);
        assert_true(n > 0);
        for (ssize_t k = 0; k < n; k++, got++) {
            if (got % (SIZE + 4) >= 4)
                assert_int_equal(piece[k], got / (SIZE + 4) & 255);
        }
    }
    assert_int_equal(recv(b->peer, piece, sizeof piece, MSG_DONTWAIT), -1);
}

static void a_peer_that_vanishes_while_we_send_is_reported_from_the_loop(void **state)
{
    struct bench *b = *state;
    close(b->peer);
    b->peer = -1;
    assert_false(frame_link_send(b->link, SLICE_LITERAL("x")));
    assert_int_equal(b->close_count, 0);
    turn(b);
    assert_int_equal(b->close_count, 1);
}

static void the_owner_may_free_the_link_while_it_gets_a_frame(void **state)
{
    struct bench *b = *state;
    b->free_after = 2;
    peer_writes(b, "\0\0\0\1a\0\0\0\1b\0\0\0\1c", 15);
    turn(b);
    assert_string_equal(buf_text(&b->seen), "a|b|");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_frame_split_at_every_byte_arrives_whole),
        TEST(frames_that_arrive_together_are_told_apart),
        TEST(what_is_sent_carries_its_length_in_front),
        TEST(a_frame_above_the_limit_closes_the_link_once),
        TEST(the_end_of_the_stream_is_told_after_the_last_frame),
        TEST(a_peer_that_does_not_read_meets_the_queue_limit),
        TEST(a_long_queue_is_sent_in_order_when_the_peer_reads),
        TEST(a_peer_that_vanishes_while_we_send_is_reported_from_the_loop),
        TEST(the_owner_may_free_the_link_while_it_gets_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
