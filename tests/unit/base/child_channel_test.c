#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/child_channel.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct child_channel *channel;
    char seen[16];
    size_t message_count, close_count;
    int fd; /* last one received */
};

struct bench {
    struct loop *loop;
    struct side a, b;
};

static void on_message(void *owner, enum child_message message, int fd)
{
    struct side *side = owner;
    side->seen[side->message_count++] = (char)message;
    side->fd = fd;
}

static void on_close(void *owner)
{
    struct side *side = owner;
    side->close_count++;
    child_channel_free(side->channel);
    side->channel = NULL;
}

static const struct child_channel_callbacks callbacks = { .on_message = on_message, .on_close = on_close };

static int set_up(void **state)
{
    struct bench *bench = mem_alloc(sizeof *bench);
    int fds[2];
    assert_true(child_channel_open_pair(fds));
    bench->loop = loop_new();
    bench->a.channel = child_channel_new(bench->loop, fds[0], &callbacks, &bench->a);
    bench->b.channel = child_channel_new(bench->loop, fds[1], &callbacks, &bench->b);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    child_channel_free(bench->a.channel);
    child_channel_free(bench->b.channel);
    loop_free(bench->loop);
    free(bench);
    return 0;
}

static void turn(struct bench *bench)
{
    for (int i = 0; i < 4; i++)
        event_base_loop(loop_base(bench->loop), EVLOOP_NONBLOCK);
}

static void messages_arrive_one_by_one_and_in_order(void **state)
{
    struct bench *bench = *state;
    assert_true(child_channel_send(bench->a.channel, CHILD_MESSAGE_RELOAD, -1));
    assert_true(child_channel_send(bench->a.channel, CHILD_MESSAGE_DRAIN, -1));
    assert_true(child_channel_send(bench->a.channel, CHILD_MESSAGE_REOPEN_LOG, -1));
    assert_true(child_channel_send(bench->a.channel, CHILD_MESSAGE_LOG, -1));
    assert_true(child_channel_send(bench->b.channel, CHILD_MESSAGE_READY, -1));
    turn(bench);
    assert_string_equal(bench->b.seen, "RDOG");
    assert_string_equal(bench->a.seen, "Y");
    assert_int_equal(bench->b.fd, -1);
}

static void a_descriptor_travels_and_stays_close_on_exec(void **state)
{
    struct bench *bench = *state;
    int ends[2];
    char got[4] = "";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(child_channel_send(bench->a.channel, CHILD_MESSAGE_LINK, ends[1]));
    close(ends[1]);
    turn(bench);
    assert_true(bench->b.fd >= 0);
    assert_int_equal(fcntl(bench->b.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(write(bench->b.fd, "hi", 2), 2);
    assert_int_equal(read(ends[0], got, sizeof got), 2);
    close(bench->b.fd);
    close(ends[0]);
}

static void the_death_of_the_other_side_is_told_once(void **state)
{
    struct bench *bench = *state;
    child_channel_send(bench->a.channel, CHILD_MESSAGE_READY, -1);
    child_channel_free(bench->a.channel);
    bench->a.channel = NULL;
    turn(bench);
    assert_string_equal(bench->b.seen, "Y");
    assert_int_equal(bench->b.close_count, 1);
}

static void a_send_to_a_dead_side_says_so(void **state)
{
    struct bench *bench = *state;
    child_channel_free(bench->a.channel);
    bench->a.channel = NULL;
    assert_false(child_channel_send(bench->b.channel, CHILD_MESSAGE_READY, -1));
}

static void an_unknown_message_is_dropped(void **state)
{
    struct bench *bench = *state;
    int fds[2];
    assert_true(child_channel_open_pair(fds));
    child_channel_free(bench->b.channel);
    bench->b.channel = child_channel_new(bench->loop, fds[1], &callbacks, &bench->b);
    assert_int_equal(write(fds[0], "?", 1), 1);
    assert_int_equal(write(fds[0], "D", 1), 1);
    turn(bench);
    assert_string_equal(bench->b.seen, "D");
    close(fds[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(messages_arrive_one_by_one_and_in_order),
        TEST(a_descriptor_travels_and_stays_close_on_exec),
        TEST(the_death_of_the_other_side_is_told_once),
        TEST(a_send_to_a_dead_side_says_so),
        TEST(an_unknown_message_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
