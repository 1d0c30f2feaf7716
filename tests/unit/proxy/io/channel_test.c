
#include "tests/unit/proxy/io/channel_pair.h"

static int set_up(void **state)
{
    *state = channel_pair_new();
    return 0;
}

static int tear_down(void **state)
{
    channel_pair_free(*state);
    return 0;
}

static void peer_sends(struct channel_pair *p, const char *text)
{
    assert_int_equal(write(p->peer_fd, text, strlen(text)), strlen(text));
}

static void check_in(struct channel_pair *p, const char *text)
{
    assert_int_equal(buffer_len(p->channel.in), strlen(text));
    assert_memory_equal(buffer_at(p->channel.in), text, strlen(text));
}

static void what_the_peer_sends_is_received_behind_what_is_there(void **state)
{
    struct channel_pair *p = *state;
    peer_sends(p, "hello");
    assert_int_equal(channel_receive(&p->channel, &p->pool, 100), CHANNEL_OK);
    check_in(p, "hello");
    peer_sends(p, " world");
    assert_int_equal(channel_receive(&p->channel, &p->pool, 100), CHANNEL_OK);
    check_in(p, "hello world");
    channel_consume(&p->channel, &p->pool, 6);
    check_in(p, "world");
    channel_consume(&p->channel, &p->pool, 5);
    assert_null(p->channel.in);
    assert_int_equal(p->stats.buffer_bytes, 0);
}

static void nothing_to_receive_holds_no_buffer(void **state)
{
    struct channel_pair *p = *state;
    assert_int_equal(channel_receive(&p->channel, &p->pool, 100), CHANNEL_BLOCKED);
    assert_null(p->channel.in);
    assert_int_equal(p->stats.buffer_bytes, 0);
    channel_consume(&p->channel, &p->pool, 0);
}

static void the_end_is_told_apart_from_a_reset(void **state)
{
    struct channel_pair *p = *state;
    peer_sends(p, "last");
    assert_int_equal(shutdown(p->peer_fd, SHUT_WR), 0);
    assert_int_equal(channel_receive(&p->channel, &p->pool, 100), CHANNEL_OK);
    assert_int_equal(channel_receive(&p->channel, &p->pool, 100), CHANNEL_EOF);
    check_in(p, "last"); /* what came before the end stays */
    size_t sent = 0;
    assert_int_equal(channel_send(&p->channel, "unread", 6, &sent), CHANNEL_OK);
    channel_pair_close_peer(p); /* with unread bytes: a reset */
    assert_int_equal(channel_receive(&p->channel, &p->pool, 100), CHANNEL_BROKEN);
    check_in(p, "last");
}

static void a_full_buffer_moves_up_or_grows(void **state)
{
    struct channel_pair *p = *state;
    static char block[BUFFER_SMALL_BYTES];
    memset(block, 'x', sizeof block);
    assert_int_equal(write(p->peer_fd, block, sizeof block), sizeof block);
    assert_int_equal(channel_receive(&p->channel, &p->pool, sizeof block), CHANNEL_OK);
    assert_int_equal(buffer_room(p->channel.in), 0);
    channel_consume(&p->channel, &p->pool, 4000);
    peer_sends(p, "more");
    assert_int_equal(channel_receive(&p->channel, &p->pool, 1), CHANNEL_OK); /* moved to the front */
    assert_int_equal(p->channel.in->size, BUFFER_SMALL_BYTES);
    assert_int_equal(buffer_len(p->channel.in), 100);
    assert_memory_equal(buffer_at(p->channel.in), block, 96);
    assert_memory_equal(buffer_at(p->channel.in) + 96, "more", 4);
    assert_int_equal(write(p->peer_fd, block, sizeof block), sizeof block);
    assert_int_equal(channel_receive(&p->channel, &p->pool, 1), CHANNEL_OK);
    assert_int_equal(buffer_len(p->channel.in), BUFFER_SMALL_BYTES);
    assert_int_equal(channel_receive(&p->channel, &p->pool, 1), CHANNEL_OK); /* grown */
    assert_int_equal(p->channel.in->size, BUFFER_LARGE_BYTES);
    assert_int_equal(buffer_len(p->channel.in), BUFFER_SMALL_BYTES + 100);
    assert_memory_equal(buffer_at(p->channel.in) + 96, "more", 4);
    assert_int_equal(p->stats.buffer_bytes, BUFFER_LARGE_BYTES);
}

static void the_largest_buffer_does_not_grow(void **state)
{
    struct channel_pair *p = *state;
    p->channel.in = buffer_take(&p->pool, BUFFER_LARGE_BYTES);
    p->channel.in->end = p->channel.in->size;
    peer_sends(p, "waits in the socket");
    assert_int_equal(channel_receive(&p->channel, &p->pool, 1), CHANNEL_OK);
    assert_int_equal(buffer_len(p->channel.in), BUFFER_LARGE_BYTES);
}

static void without_a_buffer_nothing_is_received(void **state)
{
    struct channel_pair *p = *state;
    peer_sends(p, "hello");
    p->pool.limit_bytes = BUFFER_SMALL_BYTES - 1;
    assert_int_equal(channel_receive(&p->channel, &p->pool, 1), CHANNEL_NO_BUFFER);
    p->pool.limit_bytes = BUFFER_SMALL_BYTES;
    assert_int_equal(channel_receive(&p->channel, &p->pool, 1), CHANNEL_OK);
    check_in(p, "hello");
    assert_int_equal(p->stats.buffer_refusals, 1);
    p->channel.in->end = p->channel.in->size; /* full, and no larger one to be had */
    assert_int_equal(channel_receive(&p->channel, &p->pool, 1), CHANNEL_NO_BUFFER);
}

static void a_send_that_blocks_turns_the_write_event_on(void **state)
{
    struct channel_pair *p = *state;
    static char block[200000];
    struct buf seen;
    size_t sent = 0, first;
    buf_init(&seen, 0);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)('a' + i % 26);
    assert_int_equal(channel_send(&p->channel, block, sizeof block, &sent), CHANNEL_BLOCKED);
    first = sent;
    assert_in_range(first, 1, sizeof block - 1);
    assert_true(p->channel.is_writing);
    assert_int_equal(channel_send(&p->channel, block + first, 1000, &sent), CHANNEL_BLOCKED);
    assert_int_equal(sent, 0);
    channel_pair_turn(p);
    assert_int_equal(p->writable_count, 0);
    while (channel_pair_peer_read(p, &seen, SIZE_MAX) > 0) {
    }
    assert_int_equal(seen.len, first);
    assert_memory_equal(seen.at, block, first);
    channel_pair_turn(p);
    assert_int_equal(p->writable_count, 1);
    assert_int_equal(channel_send(&p->channel, block + first, 100, &sent), CHANNEL_OK);
    assert_int_equal(sent, 100);
    assert_false(p->channel.is_writing);
    channel_pair_turn(p);
    assert_int_equal(p->writable_count, 1);
    buf_fini(&seen);
}

static void flushing_sends_what_waits_and_gives_the_buffer_back(void **state)
{
    struct channel_pair *p = *state;
    struct buf seen;
    buf_init(&seen, 0);
    assert_int_equal(channel_flush(&p->channel, &p->pool), CHANNEL_OK); /* nothing waits */
    p->channel.out = buffer_take(&p->pool, BUFFER_LARGE_BYTES);
    for (uint32_t i = 0; i < BUFFER_LARGE_BYTES; i++)
        p->channel.out->data[i] = (char)i;
    p->channel.out->end = BUFFER_LARGE_BYTES;
    int blocked_count = 0;
    while (channel_flush(&p->channel, &p->pool) == CHANNEL_BLOCKED) {
        blocked_count++;
        assert_true(p->channel.is_writing);
        assert_non_null(p->channel.out);
        channel_pair_peer_read(p, &seen, 1000);
    }
    assert_null(p->channel.out);
    assert_true(blocked_count > 5);
    while (channel_pair_peer_read(p, &seen, SIZE_MAX) > 0) {
    }
    assert_int_equal(seen.len, BUFFER_LARGE_BYTES);
    for (uint32_t i = 0; i < BUFFER_LARGE_BYTES; i++)
        assert_int_equal(seen.at[i], (char)i);
    buf_fini(&seen);
}

static void sending_to_a_peer_that_is_gone_is_broken_and_no_signal(void **state)
{
    struct channel_pair *p = *state;
    size_t sent = 7;
    channel_pair_close_peer(p);
    assert_int_equal(channel_send(&p->channel, "x", 1, &sent), CHANNEL_BROKEN);
    assert_int_equal(sent, 0);
    p->channel.out = buffer_take(&p->pool, 10);
    p->channel.out->end = 10;
    assert_int_equal(channel_flush(&p->channel, &p->pool), CHANNEL_BROKEN);
    assert_non_null(p->channel.out); /* channel_close gives it back */
}

static void the_read_event_fires_only_while_it_is_on(void **state)
{
    struct channel_pair *p = *state;
    peer_sends(p, "x");
    channel_pair_turn(p);
    assert_int_equal(p->readable_count, 0);
    channel_set_reading(&p->channel, true);
    channel_set_reading(&p->channel, true);
    channel_pair_turn(p);
    channel_pair_turn(p); /* still there: it is level-triggered */
    assert_int_equal(p->readable_count, 2);
    channel_set_reading(&p->channel, false);
    channel_set_reading(&p->channel, false);
    channel_pair_turn(p);
    assert_int_equal(p->readable_count, 2);
}

static void closing_is_idempotent_and_gives_all_back(void **state)
{
    struct channel_pair *p = *state;
    channel_set_reading(&p->channel, true);
    channel_set_writing(&p->channel, true);
    p->channel.in = buffer_take(&p->pool, 1);
    p->channel.out = buffer_take(&p->pool, BUFFER_LARGE_BYTES);
    channel_close(&p->channel, &p->pool);
    channel_close(&p->channel, &p->pool);
    assert_int_equal(p->channel.fd, -1);
    assert_int_equal(p->stats.buffer_bytes, 0);
    channel_pair_turn(p);
    assert_int_equal(p->readable_count + p->writable_count, 0);
    char byte;
    assert_int_equal(read(p->peer_fd, &byte, 1), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_the_peer_sends_is_received_behind_what_is_there),
        TEST(nothing_to_receive_holds_no_buffer),
        TEST(the_end_is_told_apart_from_a_reset),
        TEST(a_full_buffer_moves_up_or_grows),
        TEST(the_largest_buffer_does_not_grow),
        TEST(without_a_buffer_nothing_is_received),
        TEST(a_send_that_blocks_turns_the_write_event_on),
        TEST(flushing_sends_what_waits_and_gives_the_buffer_back),
        TEST(sending_to_a_peer_that_is_gone_is_broken_and_no_signal),
        TEST(the_read_event_fires_only_while_it_is_on),
        TEST(closing_is_idempotent_and_gives_all_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
