#include "tests/unit/proxy/io/channel_pair.h"
#include "tests/unit/proxy/io/sealed_transport.h"

/* A channel over a transport with a state, with an owner that does what all owners do: one receive for each EV_READ, a
 * flush for each EV_WRITE. The test is the peer. */
struct sealed_pair {
    struct channel_pair *pair;
    struct buf wire;    /* from the channel, not opened yet */
    struct buf content; /* from the channel, opened */
    int open_count;
};

static struct buf received; /* by the owner */
static enum channel_result last_result;

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct channel_pair *p = arg;
    struct channel *ch = &p->channel;
    (void)fd;
    p->readable_count += what == EV_READ;
    p->writable_count += what == EV_WRITE;
    if (what == EV_WRITE) {
        if (channel_flush(ch, &p->pool) == CHANNEL_OK)
            channel_set_writing(ch, false);
        return;
    }
    last_result = channel_receive(ch, &p->pool, 100);
    if (last_result == CHANNEL_OK)
        assert_true(buf_append(&received, buffer_at(ch->in), buffer_len(ch->in)));
    else if (last_result != CHANNEL_BLOCKED)
        channel_set_reading(ch, false);
    channel_consume(ch, &p->pool, buffer_len(ch->in));
}

static struct sealed_pair *sealed_pair_new(bool is_first)
{
    struct sealed_pair *s = calloc(1, sizeof *s);
    assert_non_null(s);
    buf_init(&s->wire, 0);
    buf_init(&s->content, 0);
    buf_init(&received, 0);
    last_result = CHANNEL_OK;
    s->pair = channel_pair_new_over(sealed_transport_new(is_first, &s->open_count), on_event);
    return s;
}

static void sealed_pair_free(struct sealed_pair *s)
{
    channel_pair_free(s->pair);
    assert_int_equal(s->open_count, 0);
    buf_fini(&s->wire);
    buf_fini(&s->content);
    buf_fini(&received);
    free(s);
}

static void turns(struct sealed_pair *s, int count)
{
    for (int i = 0; i < count; i++)
        channel_pair_turn(s->pair);
}

/* As many records of one kind in one write. */
static void peer_puts(struct sealed_pair *s, enum sealed_type type, const char *text)
{
    struct buf out;
    buf_init(&out, 0);
    sealed_put(&out, type, text, strlen(text));
    assert_int_equal(write(s->pair->peer_fd, out.at, out.len), out.len);
    buf_fini(&out);
}

/* The type of the next record that the peer can read; 0: none. */
static enum sealed_type peer_takes(struct sealed_pair *s)
{
    buf_clear(&s->content);
    while (channel_pair_peer_read(s->pair, &s->wire, SIZE_MAX) > 0) {
    }
    return sealed_take(&s->wire, &s->content);
}

static void greet(struct sealed_pair *s)
{
    peer_puts(s, SEALED_HELLO, "");
    turns(s, 2);
    assert_int_equal(peer_takes(s), SEALED_HELLO);
    s->pair->readable_count = s->pair->writable_count = 0;
}

static struct sealed_pair *greeted_new(void)
{
    struct sealed_pair *s = sealed_pair_new(false);
    greet(s);
    return s;
}

/* Until the socket takes no more, and the transport neither; returns how many bytes of content. */
static size_t stuff(struct sealed_pair *s)
{
    static char block[SEALED_RECORD_BYTES];
    size_t sent, all = 0;
    memset(block, '#', sizeof block);
    do {
        channel_send(&s->pair->channel, block, sizeof block, &sent);
        all += sent;
    } while (sent > 0);
    assert_true(all > 0);
    return all;
}

static size_t peer_takes_bytes(struct sealed_pair *s)
{
    size_t all = 0;
    while (peer_takes(s) == SEALED_BYTES)
        all += s->content.len;
    return all;
}

static void check_received(const char *text)
{
    assert_int_equal(received.len, strlen(text));
    assert_memory_equal(received.at, text, strlen(text));
}

/* ---- a handshake ---- */

static void a_handshake_goes_on_though_the_owner_waits_for_nothing(void **state)
{
    struct sealed_pair *s = sealed_pair_new(false);
    (void)state;
    turns(s, 2);
    assert_int_equal(peer_takes(s), 0);
    greet(s);
    assert_int_equal(s->pair->readable_count + s->pair->writable_count, 0);
    sealed_pair_free(s);
}

static void what_comes_with_it_is_received(void **state)
{
    struct sealed_pair *s = sealed_pair_new(false);
    (void)state;
    channel_set_reading(&s->pair->channel, true);
    peer_puts(s, SEALED_HELLO, "");
    peer_puts(s, SEALED_BYTES, "first");
    turns(s, 2);
    check_received("first");
    assert_int_equal(peer_takes(s), SEALED_HELLO);
    sealed_pair_free(s);
}

static void who_writes_waits_for_what_must_be_read_first(void **state)
{
    struct sealed_pair *s = sealed_pair_new(false);
    size_t sent = 7;
    (void)state;
    assert_int_equal(channel_send(&s->pair->channel, "early", 5, &sent), CHANNEL_BLOCKED);
    assert_int_equal(sent, 0);
    assert_true(s->pair->channel.is_writing);
    turns(s, 3);
    assert_int_equal(s->pair->writable_count, 0); /* though the socket is writable */
    peer_puts(s, SEALED_HELLO, "");
    turns(s, 3);
    assert_int_equal(s->pair->writable_count, 1);
    assert_int_equal(peer_takes(s), SEALED_HELLO);
    assert_int_equal(channel_send(&s->pair->channel, "early", 5, &sent), CHANNEL_OK);
    assert_int_equal(sent, 5);
    assert_int_equal(peer_takes(s), SEALED_BYTES);
    assert_memory_equal(s->content.at, "early", 5);
    sealed_pair_free(s);
}

static void who_connects_hears_when_both_have_greeted(void **state)
{
    struct sealed_pair *s = sealed_pair_new(true);
    (void)state;
    channel_set_writing(&s->pair->channel, true);
    turns(s, 3);
    assert_int_equal(peer_takes(s), SEALED_HELLO);
    assert_int_equal(s->pair->writable_count, 0);
    peer_puts(s, SEALED_HELLO, "");
    turns(s, 1);
    assert_int_equal(s->pair->writable_count, 1);
    assert_int_equal(channel_connect_error(&s->pair->channel), 0);
    sealed_pair_free(s);
}

static void a_handshake_that_fails_is_a_connection_that_fails(void **state)
{
    struct sealed_pair *s = sealed_pair_new(true);
    size_t sent;
    (void)state;
    channel_set_writing(&s->pair->channel, true);
    turns(s, 1);
    peer_puts(s, SEALED_BYTES, "no greeting");
    turns(s, 1);
    assert_int_equal(s->pair->writable_count, 1);
    assert_int_equal(channel_connect_error(&s->pair->channel), EPROTO);
    assert_int_equal(channel_send(&s->pair->channel, "x", 1, &sent), CHANNEL_BROKEN);
    assert_int_equal(s->pair->channel.broken_by, EPROTO);
    assert_int_equal(channel_receive(&s->pair->channel, &s->pair->pool, 1), CHANNEL_BROKEN);
    sealed_pair_free(s);
}

/* ---- to receive ---- */

static void who_reads_waits_for_what_must_be_written_first(void **state)
{
    struct sealed_pair *s = greeted_new();
    (void)state;
    channel_set_reading(&s->pair->channel, true);
    size_t stuffed = stuff(s);
    peer_puts(s, SEALED_KEYS, "");
    peer_puts(s, SEALED_BYTES, "behind");
    turns(s, 1);
    int readable_count = s->pair->readable_count;
    turns(s, 5);
    assert_int_equal(s->pair->readable_count, readable_count); /* though the socket is readable */
    check_received("");
    assert_int_equal(channel_receive(&s->pair->channel, &s->pair->pool, 1), CHANNEL_BLOCKED);
    size_t taken = 0, keys_count = 0;
    for (int i = 0; i < 100 && (taken < stuffed || keys_count == 0); i++) {
        for (enum sealed_type type; (type = peer_takes(s)) != 0;) {
            taken += type == SEALED_BYTES ? s->content.len : 0;
            keys_count += type == SEALED_KEYS;
        }
        turns(s, 1);
    }
    assert_int_equal(taken, stuffed);
    assert_int_equal(keys_count, 1);
    turns(s, 1);
    check_received("behind");
    sealed_pair_free(s);
}

static void what_no_socket_shows_any_more_is_told_nevertheless(void **state)
{
    struct sealed_pair *s = greeted_new();
    (void)state;
    peer_puts(s, SEALED_BYTES, "one ");
    peer_puts(s, SEALED_BYTES, "two ");
    peer_puts(s, SEALED_BYTES, "three");
    assert_int_equal(channel_receive(&s->pair->channel, &s->pair->pool, 100), CHANNEL_OK);
    assert_int_equal(buffer_len(s->pair->channel.in), 4);
    assert_true(s->pair->channel.has_more);
    channel_consume(&s->pair->channel, &s->pair->pool, 4);
    turns(s, 2);
    assert_int_equal(s->pair->readable_count, 0); /* nobody waits for it */
    channel_set_reading(&s->pair->channel, true);
    turns(s, 1);
    check_received("two three");
    assert_false(s->pair->channel.has_more);
    int readable_count = s->pair->readable_count;
    turns(s, 3);
    assert_int_equal(s->pair->readable_count, readable_count);
    sealed_pair_free(s);
}

static void who_stops_reading_in_between_hears_no_more_of_it(void **state)
{
    struct sealed_pair *s = greeted_new();
    (void)state;
    peer_puts(s, SEALED_BYTES, "one ");
    peer_puts(s, SEALED_BYTES, "two");
    channel_set_reading(&s->pair->channel, true);
    assert_int_equal(channel_receive(&s->pair->channel, &s->pair->pool, 100), CHANNEL_OK);
    channel_consume(&s->pair->channel, &s->pair->pool, 4);
    channel_set_reading(&s->pair->channel, false);
    channel_set_reading(&s->pair->channel, true); /* on, and off again before the turn */
    channel_set_reading(&s->pair->channel, false);
    turns(s, 3);
    assert_int_equal(s->pair->readable_count, 0);
    sealed_pair_free(s);
}

static void an_end_that_is_said_is_no_connection_that_breaks(void **state)
{
    struct sealed_pair *s = greeted_new();
    (void)state;
    channel_set_reading(&s->pair->channel, true);
    peer_puts(s, SEALED_BYTES, "last");
    peer_puts(s, SEALED_END, "");
    channel_pair_close_peer(s->pair);
    turns(s, 2);
    check_received("last");
    assert_int_equal(last_result, CHANNEL_EOF);
    sealed_pair_free(s);

    s = greeted_new();
    channel_set_reading(&s->pair->channel, true);
    peer_puts(s, SEALED_BYTES, "not the last");
    channel_pair_close_peer(s->pair);
    turns(s, 2);
    check_received("not the last");
    assert_int_equal(last_result, CHANNEL_BROKEN);
    assert_int_equal(s->pair->channel.broken_by, ECONNRESET);
    sealed_pair_free(s);
}

/* ---- to send ---- */

static void what_has_gone_no_further_than_the_transport_is_not_out(void **state)
{
    struct sealed_pair *s = greeted_new();
    static char block[SEALED_RECORD_BYTES];
    size_t sent = sizeof block, all = 0;
    enum channel_result result = CHANNEL_OK;
    (void)state;
    while (result == CHANNEL_OK) {
        result = channel_send(&s->pair->channel, block, sizeof block, &sent);
        all += sent;
    }
    assert_int_equal(result, CHANNEL_BLOCKED);
    assert_int_equal(sent, sizeof block); /* taken, and never to be offered again */
    assert_int_equal(channel_flush(&s->pair->channel, &s->pair->pool), CHANNEL_BLOCKED);
    assert_int_equal(channel_send(&s->pair->channel, "x", 1, &sent), CHANNEL_BLOCKED);
    assert_int_equal(sent, 0);
    turns(s, 2);
    assert_int_equal(s->pair->writable_count, 0);
    size_t taken = peer_takes_bytes(s);
    assert_true(taken < all);
    turns(s, 1);
    assert_int_equal(s->pair->writable_count, 1);
    assert_false(s->pair->channel.is_writing);
    assert_int_equal(taken + peer_takes_bytes(s), all);
    sealed_pair_free(s);
}

static void several_pieces_and_records_arrive_in_order(void **state)
{
    struct sealed_pair *s = greeted_new();
    char bytes[4 * SEALED_RECORD_BYTES];
    size_t at, sent, waiting = 500;
    struct buf got;
    (void)state;
    buf_init(&got, 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    s->pair->channel.out = buffer_take(&s->pair->pool, waiting);
    memcpy(s->pair->channel.out->data, bytes, waiting);
    s->pair->channel.out->end = (uint32_t)waiting;
    at = waiting;
    for (int i = 0; i < 100 && got.len < sizeof bytes; i++) {
        enum channel_result result = at < sizeof bytes ? channel_send_behind(&s->pair->channel, &s->pair->pool,
                                                                             bytes + at, sizeof bytes - at, &sent)
                                                       : channel_flush(&s->pair->channel, &s->pair->pool);
        assert_true(result == CHANNEL_OK || result == CHANNEL_BLOCKED);
        at += at < sizeof bytes ? sent : 0;
        while (peer_takes(s) == SEALED_BYTES)
            assert_true(buf_append(&got, s->content.at, s->content.len));
        turns(s, 1);
    }
    assert_null(s->pair->channel.out);
    assert_int_equal(got.len, sizeof bytes);
    assert_memory_equal(got.at, bytes, sizeof bytes);
    buf_fini(&got);
    sealed_pair_free(s);
}

static void an_end_waits_for_the_socket_and_for_nobody_else(void **state)
{
    struct sealed_pair *s = greeted_new();
    (void)state;
    size_t stuffed = stuff(s);
    channel_set_writing(&s->pair->channel, false); /* the owner has said all it has to say */
    channel_shut_down(&s->pair->channel);
    turns(s, 2);
    size_t taken = peer_takes_bytes(s);
    assert_true(taken < stuffed);
    turns(s, 2);
    enum sealed_type type;
    while ((type = peer_takes(s)) == SEALED_BYTES)
        taken += s->content.len;
    assert_int_equal(type, SEALED_END);
    assert_int_equal(taken, stuffed);
    assert_int_equal(s->pair->readable_count + s->pair->writable_count, 0);
    sealed_pair_free(s);
}

static void closing_does_not_wait_for_what_is_held(void **state)
{
    struct sealed_pair *s = greeted_new();
    (void)state;
    stuff(s);
    peer_puts(s, SEALED_BYTES, "unread");
    channel_set_reading(&s->pair->channel, true);
    channel_close(&s->pair->channel, &s->pair->pool);
    assert_int_equal(s->open_count, 0);
    channel_close(&s->pair->channel, &s->pair->pool);
    peer_takes(s);
    turns(s, 2);
    assert_int_equal(s->pair->readable_count + s->pair->writable_count, 0);
    sealed_pair_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_goes_on_though_the_owner_waits_for_nothing),
        cmocka_unit_test(what_comes_with_it_is_received),
        cmocka_unit_test(who_writes_waits_for_what_must_be_read_first),
        cmocka_unit_test(who_connects_hears_when_both_have_greeted),
        cmocka_unit_test(a_handshake_that_fails_is_a_connection_that_fails),
        cmocka_unit_test(who_reads_waits_for_what_must_be_written_first),
        cmocka_unit_test(what_no_socket_shows_any_more_is_told_nevertheless),
        cmocka_unit_test(who_stops_reading_in_between_hears_no_more_of_it),
        cmocka_unit_test(an_end_that_is_said_is_no_connection_that_breaks),
        cmocka_unit_test(what_has_gone_no_further_than_the_transport_is_not_out),
        cmocka_unit_test(several_pieces_and_records_arrive_in_order),
        cmocka_unit_test(an_end_waits_for_the_socket_and_for_nobody_else),
        cmocka_unit_test(closing_does_not_wait_for_what_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
