#include "admin/connections.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "base/clock.h"

static struct {
    struct loop *loop;
    struct evhttp *http;
    struct evconnlistener *listener;
    struct connections connections;
    struct sockaddr_in address;
    struct evhttp_request *waiting; /* evhttp's; of "/later" */
    size_t gone_count;
    struct bufferevent *asking; /* the stream of the latest request */
} fixture;

#define LONG_ANSWER_BYTES (16 << 20) /* more than a socket takes in */

static void on_gone(void *owner)
{
    (void)owner;
    fixture.waiting = NULL;
    fixture.gone_count++;
}

/* "/" is answered with nothing, "/later" when the test does, all else with a long answer: from
 * there on, and not before, silence is short. */
static void on_request(struct evhttp_request *request, void *arg)
{
    static char piece[1 << 16];
    static const struct timeval silence = { .tv_sec = 1 };
    (void)arg;
    if (strcmp(evhttp_request_get_uri(request), "/later") == 0) {
        fixture.waiting = request;
        connections_watch(&fixture.connections, evhttp_request_get_connection(request), on_gone, NULL);
        return;
    }
    struct evbuffer *body = evbuffer_new();
    fixture.asking = evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
    bufferevent_set_timeouts(fixture.asking, &silence, &silence);
    while (strcmp(evhttp_request_get_uri(request), "/") != 0 && evbuffer_get_length(body) < LONG_ANSWER_BYTES)
        evbuffer_add_reference(body, piece, sizeof piece, NULL, NULL);
    connections_begin_answer(&fixture.connections, request, evbuffer_get_length(body), clock_now_ms());
    evhttp_send_reply(request, 200, "OK", body);
    evbuffer_free(body);
}

static int set_up(void **state)
{
    (void)state;
    socklen_t len = sizeof fixture.address;
    fixture.waiting = NULL;
    fixture.gone_count = 0;
    fixture.loop = loop_new();
    fixture.http = evhttp_new(loop_base(fixture.loop));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    fixture.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)&fixture.address, sizeof fixture.address), 0);
    assert_int_equal(listen(fd, 256), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&fixture.address, &len), 0);
    fixture.listener = evconnlistener_new(loop_base(fixture.loop), NULL, NULL, LEV_OPT_CLOSE_ON_FREE, 0, fd);
    evhttp_set_gencb(fixture.http, on_request, NULL);
    evhttp_bind_listener(fixture.http, fixture.listener);
    connections_init(&fixture.connections, fixture.loop, fixture.http, fixture.listener);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    connections_fini(&fixture.connections);
    evhttp_free(fixture.http);
    loop_free(fixture.loop);
    return 0;
}

static int connect_client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&fixture.address, sizeof fixture.address), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        event_base_loop(loop_base(fixture.loop), EVLOOP_NONBLOCK);
}

#define TURNS_MAX 60000 /* of a millisecond or more: a bound, counted because the clock may be a fake one */

/* Turns the loop until the client sees something. */
static bool turn_until_seen(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    for (int i = 0; i < TURNS_MAX; i++) {
        turn();
        if (poll(&wait, 1, 1) == 1)
            return true;
    }
    return false;
}

/* The end (0 or less), or bytes (> 0). */
static ssize_t turn_until_readable(int fd)
{
    char bytes[4096];
    assert_true(turn_until_seen(fd));
    return recv(fd, bytes, sizeof bytes, 0);
}

/* What a client does reaches the server soon, not at once. */
static void turn_until_open(size_t count)
{
    for (int i = 0; i < TURNS_MAX && fixture.connections.open_count != count; i++) {
        turn();
        if (fixture.connections.open_count != count)
            poll(NULL, 0, 1);
    }
    assert_int_equal(fixture.connections.open_count, count);
}

static void a_silent_client_is_closed_at_its_deadline(void **state)
{
    (void)state;
    int64_t now_ms = clock_now_ms();
    clock_set_fake(now_ms * 1000);
    int fd = connect_client();
    turn_until_open(1);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\nHo", 18, 0), 18);
    turn();
    connections_sweep(&fixture.connections, now_ms + CONNECTIONS_DEADLINE_MS - 1);
    assert_int_equal(fixture.connections.open_count, 1);
    connections_sweep(&fixture.connections, now_ms + CONNECTIONS_DEADLINE_MS + 5000);
    assert_int_equal(fixture.connections.open_count, 0);
    assert_true(turn_until_readable(fd) <= 0);
    clock_set_fake(-1);
    close(fd);
}

static void a_complete_request_moves_the_deadline(void **state)
{
    (void)state;
    int64_t start_us = clock_now_us();
    clock_set_fake(start_us);
    int fd = connect_client();
    turn_until_open(1);
    clock_set_fake(start_us + 9000000);
    assert_true(send(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 0) == 27);
    assert_true(turn_until_seen(fd)); /* the answer */
    connections_sweep(&fixture.connections, start_us / 1000 + 15000);
    assert_int_equal(fixture.connections.open_count, 1);
    connections_sweep(&fixture.connections, start_us / 1000 + 19001);
    assert_int_equal(fixture.connections.open_count, 0);
    clock_set_fake(-1);
    close(fd);
}

/* As many bytes as there are until the end, or until `most` are there. */
static size_t read_until(int fd, size_t most)
{
    static char bytes[1 << 16];
    size_t sum = 0;
    while (sum < most && turn_until_seen(fd)) {
        ssize_t count = recv(fd, bytes, sizeof bytes, 0);
        if (count <= 0)
            break;
        sum += (size_t)count;
    }
    return sum;
}

static void a_long_answer_has_time_by_its_length(void **state)
{
    (void)state;
    int64_t start_us = clock_now_us(), reading_ms = (int64_t)LONG_ANSWER_BYTES * 1000 / CONNECTIONS_READER_BYTES_PER_S;
    clock_set_fake(start_us);
    int fd = connect_client(), other = connect_client();
    turn_until_open(2);
    assert_true(send(fd, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n", 31, 0) == 31);
    assert_true(send(other, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n", 31, 0) == 31);
    assert_true(turn_until_seen(fd) && turn_until_seen(other));
    connections_sweep(&fixture.connections, start_us / 1000 + reading_ms + CONNECTIONS_DEADLINE_MS - 1);
    assert_int_equal(fixture.connections.open_count, 2);
    assert_true(read_until(fd, LONG_ANSWER_BYTES) >= LONG_ANSWER_BYTES);
    /* When the last of it has left, the place is that of an idle one again. */
    for (int i = 0; i < TURNS_MAX && fixture.connections.open_count > 1; i++) {
        turn();
        connections_sweep(&fixture.connections, start_us / 1000 + CONNECTIONS_DEADLINE_MS + 1);
        poll(NULL, 0, 1);
    }
    assert_int_equal(fixture.connections.open_count, 1);
    connections_sweep(&fixture.connections, start_us / 1000 + reading_ms + CONNECTIONS_DEADLINE_MS + 1);
    assert_int_equal(fixture.connections.open_count, 0);
    clock_set_fake(-1);
    close(fd);
    close(other);
}

/* evhttp's own time-out, which is that of the stream, is for requests. */
static void a_reader_that_pauses_gets_the_whole_answer(void **state)
{
    (void)state;
    int fd = connect_client();
    turn_until_open(1);
    assert_true(send(fd, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n", 31, 0) == 31);
    for (int64_t end_ms = clock_now_ms() + 1500; clock_now_ms() < end_ms; poll(NULL, 0, 10))
        turn();
    assert_true(read_until(fd, LONG_ANSWER_BYTES) >= LONG_ANSWER_BYTES);
    close(fd);
}

static void what_comes_while_an_answer_leaves_is_not_read_without_end(void **state)
{
    static const char ahead[1 << 16];
    (void)state;
    int fd = connect_client();
    turn_until_open(1);
    assert_true(send(fd, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n", 31, 0) == 31);
    assert_true(turn_until_seen(fd));
    struct evbuffer *input = bufferevent_get_input(fixture.asking);
    for (int i = 0; i < TURNS_MAX && evbuffer_get_length(input) < CONNECTIONS_INPUT_BYTES_MAX; i++) {
        (void)send(fd, ahead, sizeof ahead, MSG_NOSIGNAL);
        turn();
    }
    for (int i = 0; i < 100; i++) {
        (void)send(fd, ahead, sizeof ahead, MSG_NOSIGNAL);
        turn();
    }
    assert_int_equal(evbuffer_get_length(input), CONNECTIONS_INPUT_BYTES_MAX);
    close(fd);
}

static void a_client_that_leaves_gives_its_place_back(void **state)
{
    (void)state;
    int fd = connect_client();
    turn_until_open(1);
    close(fd);
    turn_until_open(0);
}

static int ask_for_later(void)
{
    int fd = connect_client();
    turn_until_open(1);
    assert_true(send(fd, "DELETE /later HTTP/1.1\r\nHost: a\r\n\r\n", 35, 0) == 35);
    for (int i = 0; i < TURNS_MAX && !fixture.waiting; i++) {
        turn();
        poll(NULL, 0, 1);
    }
    assert_non_null(fixture.waiting);
    return fd;
}

/* What the client did last has reached the server; nothing shows it. */
static void turn_a_while(void)
{
    for (int i = 0; i < 50; i++) {
        turn();
        poll(NULL, 0, 1);
    }
}

static void answer_what_waits(void)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(fixture.waiting);
    connections_watch(&fixture.connections, evcon, NULL, NULL);
    connections_begin_answer(&fixture.connections, fixture.waiting, 0, clock_now_ms());
    evhttp_send_reply(fixture.waiting, 204, "Done", NULL);
    fixture.waiting = NULL;
}

static void a_request_that_comes_before_the_answer_to_the_one_before_waits_for_it(void **state)
{
    (void)state;
    char bytes[4096] = "";
    size_t len = 0;
    int fd = ask_for_later();
    assert_true(send(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 0) == 27);
    turn_a_while();
    assert_int_equal(fixture.gone_count, 0);
    answer_what_waits();
    while (!strstr(bytes, "HTTP/1.1 200")) {
        assert_true(turn_until_seen(fd));
        ssize_t got = recv(fd, bytes + len, sizeof bytes - len - 1, 0);
        assert_true(got > 0);
        len += (size_t)got;
        bytes[len] = '\0';
    }
    assert_true(strncmp(bytes, "HTTP/1.1 204", 12) == 0);
    close(fd);
}

/* The request is evhttp's all the while: a leak checker sees it. */
static void a_client_that_leaves_before_its_answer_is_forgotten_at_the_deadline(void **state)
{
    (void)state;
    close(ask_for_later());
    turn_a_while();
    connections_sweep(&fixture.connections, INT64_MAX);
    assert_int_equal(fixture.gone_count, 1);
    assert_int_equal(fixture.connections.open_count, 0);
}

static void a_client_that_leaves_before_its_answer_can_be_answered(void **state)
{
    (void)state;
    close(ask_for_later());
    turn_a_while();
    assert_non_null(fixture.waiting);
    answer_what_waits();
    turn_until_open(0);
    assert_int_equal(fixture.gone_count, 0);
}

static void where_all_places_are_taken_whoever_asked_nothing_for_longest_makes_room(void **state)
{
    (void)state;
    int fds[CONNECTIONS_MAX + 5];
    for (size_t i = 0; i < CONNECTIONS_MAX + 5; i++) {
        fds[i] = connect_client();
        assert_true(send(fds[i], "GET /", 5, 0) == 5); /* and no more: it drips */
    }
    int asks = connect_client();
    assert_true(send(asks, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 0) == 27);
    assert_true(turn_until_readable(asks) > 0);
    assert_true(turn_until_readable(fds[0]) <= 0);
    assert_true(fixture.connections.open_count <= CONNECTIONS_MAX);
    for (size_t i = 0; i < CONNECTIONS_MAX + 5; i++)
        close(fds[i]);
    turn_until_open(1);
    close(asks);
    turn_until_open(0);
}

static void what_is_open_at_the_end_is_closed(void **state)
{
    (void)state;
    int fd = connect_client();
    turn_until_open(1);
    tear_down(NULL);
    char byte;
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 60000), 1);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    set_up(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_silent_client_is_closed_at_its_deadline),
        TEST(a_complete_request_moves_the_deadline),
        TEST(a_long_answer_has_time_by_its_length),
        TEST(a_reader_that_pauses_gets_the_whole_answer),
        TEST(what_comes_while_an_answer_leaves_is_not_read_without_end),
        TEST(a_client_that_leaves_gives_its_place_back),
        TEST(a_request_that_comes_before_the_answer_to_the_one_before_waits_for_it),
        TEST(a_client_that_leaves_before_its_answer_is_forgotten_at_the_deadline),
        TEST(a_client_that_leaves_before_its_answer_can_be_answered),
        TEST(where_all_places_are_taken_whoever_asked_nothing_for_longest_makes_room),
        TEST(what_is_open_at_the_end_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
