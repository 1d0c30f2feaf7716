#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/message/body_splice.h"

#include "tests/unit/proxy/io/channel_pair.h"

#include <signal.h>

#define SPLICE_BYTES_MIN (128 * 1024)
#define LEN (SPLICE_BYTES_MIN + 12345)

/* From the socket that the test writes to, through the body, to the one that it reads from. */
struct journey {
    struct channel_pair *from, *to;
    struct body body;
    struct buf out;
};

static struct journey *journey_new(uint64_t length)
{
    struct journey *j = calloc(1, sizeof *j);
    assert_non_null(j);
    j->from = channel_pair_new();
    j->to = channel_pair_new();
    buf_init(&j->out, 0);
    body_init(&j->body, HTTP_BODY_LENGTH, length, false, false);
    return j;
}

static void journey_free(struct journey *j)
{
    body_fini(&j->body, &j->to->pool);
    channel_pair_free(j->from);
    channel_pair_free(j->to);
    buf_fini(&j->out);
    free(j);
}

static char byte_at(uint64_t position)
{
    return (char)(position * 7 + position / 251);
}

/* As many bytes of the pattern as the socket takes. */
static uint64_t feed(struct journey *j, uint64_t position, uint64_t end)
{
    char bytes[4096];
    uint64_t wanted = end - position < sizeof bytes ? end - position : sizeof bytes;
    for (uint64_t i = 0; i < wanted; i++)
        bytes[i] = byte_at(position + i);
    ssize_t put = wanted ? write(j->from->peer_fd, bytes, wanted) : 0;
    return position + (put > 0 ? (uint64_t)put : 0);
}

static bool start_splice(struct journey *j)
{
    return body_start_splice(&j->body, &j->from->channel, &j->to->channel, &j->to->pool, SPLICE_BYTES_MIN);
}

static enum body_result splice_on(struct journey *j)
{
    return body_splice(&j->body, &j->from->channel, &j->to->channel, &j->to->pool);
}

static void check_out(const struct journey *j, uint64_t length)
{
    assert_int_equal(j->out.len, length);
    for (uint64_t i = 0; i < length; i++) {
        if (j->out.at[i] != byte_at(i))
            fail_msg("byte %llu is wrong", (unsigned long long)i);
    }
}

static void a_long_body_arrives_and_what_stands_behind_it_stays_in_the_socket(void **state)
{
    (void)state;
    struct journey *j = journey_new(LEN);
    enum body_result result = BODY_MORE;
    uint64_t fed = 0;
    assert_true(start_splice(j));
    while (result != BODY_COMPLETE) {
        fed = feed(j, fed, LEN + 5);
        result = splice_on(j);
        assert_true(result == BODY_MORE || result == BODY_BLOCKED || result == BODY_COMPLETE);
        assert_int_equal(result == BODY_BLOCKED, j->to->channel.is_writing);
        channel_pair_peer_read(j->to, &j->out, SIZE_MAX);
    }
    while (channel_pair_peer_read(j->to, &j->out, SIZE_MAX) > 0)
        ;
    check_out(j, LEN);
    assert_int_equal(j->body.relayed_bytes, LEN);
    assert_null(j->body.pipe);
    while (fed < LEN + 5)
        fed = feed(j, fed, LEN + 5);
    char behind[16];
    assert_int_equal(read(j->from->channel.fd, behind, sizeof behind), 5);
    journey_free(j);
}

static void a_receiver_that_takes_nothing_blocks_it_and_goes_on_later(void **state)
{
    (void)state;
    struct journey *j = journey_new(LEN);
    enum body_result result = BODY_MORE;
    uint64_t fed = 0;
    assert_true(start_splice(j));
    while (result != BODY_BLOCKED) {
        fed = feed(j, fed, LEN);
        result = splice_on(j);
    }
    assert_true(j->to->channel.is_writing && j->body.pipe->bytes > 0);
    assert_int_equal(splice_on(j), BODY_BLOCKED);
    while (result != BODY_COMPLETE) {
        channel_pair_peer_read(j->to, &j->out, 1000);
        fed = feed(j, fed, LEN);
        result = splice_on(j);
    }
    assert_false(j->to->channel.is_writing);
    while (channel_pair_peer_read(j->to, &j->out, SIZE_MAX) > 0)
        ;
    check_out(j, LEN);
    journey_free(j);
}

static void an_early_end_of_the_sender_is_told_and_never_completes(void **state)
{
    (void)state;
    struct journey *j = journey_new(LEN);
    assert_true(start_splice(j));
    feed(j, 0, 100);
    channel_pair_close_peer(j->from);
    assert_int_equal(splice_on(j), BODY_SENDER_ENDED);
    assert_false(j->body.is_complete);
    assert_int_equal(channel_pair_peer_read(j->to, &j->out, SIZE_MAX), 100);
    journey_free(j);
}

static void a_receiver_that_is_gone_breaks_it_and_its_pipe_is_not_used_again(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as in the proxy */
    struct journey *j = journey_new(LEN);
    assert_true(start_splice(j));
    feed(j, 0, 100);
    channel_pair_close_peer(j->to);
    assert_int_equal(splice_on(j), BODY_BROKEN);
    assert_true(j->body.pipe->bytes > 0);
    body_fini(&j->body, &j->to->pool);
    assert_int_equal(j->to->pool.pipes.free_count, 0);
    journey_free(j);
}

static void only_a_long_rest_with_nothing_in_between_goes_this_way(void **state)
{
    (void)state;
    struct journey *j = journey_new(SPLICE_BYTES_MIN - 1);
    assert_false(start_splice(j));
    j->body.left_bytes = SPLICE_BYTES_MIN;
    j->to->channel.out = buffer_take(&j->to->pool, 1);
    assert_false(start_splice(j));
    buffer_give_back(&j->to->pool, j->to->channel.out);
    j->to->channel.out = NULL;
    j->body.kind = HTTP_BODY_CHUNKED;
    assert_false(start_splice(j));
    j->body.kind = HTTP_BODY_LENGTH;
    assert_false(body_start_splice(&j->body, &j->from->channel, &j->to->channel, &j->to->pool, 0));
    assert_true(start_splice(j) && start_splice(j));
    body_fini(&j->body, &j->to->pool);
    assert_int_equal(j->to->pool.pipes.free_count, 1);
    journey_free(j);
}

static void pipes_are_used_again_and_few_are_kept(void **state)
{
    (void)state;
    struct pipe_pool pool = { NULL, 0 };
    struct pipe *pipes[PIPES_KEPT_MAX + 3];
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++) {
        pipes[i] = pipe_take(&pool);
        assert_non_null(pipes[i]);
    }
    for (size_t i = 0; i < sizeof pipes / sizeof *pipes; i++)
        pipe_give_back(&pool, pipes[i]);
    pipe_give_back(&pool, NULL);
    assert_int_equal(pool.free_count, PIPES_KEPT_MAX);
    assert_ptr_equal(pipe_take(&pool), pipes[PIPES_KEPT_MAX - 1]);
    pipe_give_back(&pool, pipes[PIPES_KEPT_MAX - 1]);
    pipe_pool_fini(&pool);
    assert_int_equal(pool.free_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_body_arrives_and_what_stands_behind_it_stays_in_the_socket),
        cmocka_unit_test(a_receiver_that_takes_nothing_blocks_it_and_goes_on_later),
        cmocka_unit_test(an_early_end_of_the_sender_is_told_and_never_completes),
        cmocka_unit_test(a_receiver_that_is_gone_breaks_it_and_its_pipe_is_not_used_again),
        cmocka_unit_test(only_a_long_rest_with_nothing_in_between_goes_this_way),
        cmocka_unit_test(pipes_are_used_again_and_few_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
