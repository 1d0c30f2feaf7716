#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/tcp_probe.h"
#include "tests/unit/base/scripted_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBES 3
#define FILLERS 8
#define PATIENCE_MS 60000

static struct loop *loop;
static struct tcp_prober *prober;
static struct tcp_probe probes[PROBES];
static struct tcp_probe_result results[PROBES];
static size_t told_count;
static struct tcp_probe *to_stop, *to_start; /* by the first that is told */
static int listener;
static char address[64];

static int connect_error; /* 0: it is the kernel's to say */
static bool is_stuck;     /* what is connected stays so */

int __real_connect(int fd, const struct sockaddr *peer, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *peer, socklen_t len);

int __wrap_connect(int fd, const struct sockaddr *peer, socklen_t len)
{
    if (is_stuck && peer->sa_family == AF_UNSPEC) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (connect_error == 0)
        return __real_connect(fd, peer, len);
    errno = connect_error;
    return -1;
}

static size_t socket_count; /* made */

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);

int __wrap_socket(int domain, int type, int protocol)
{
    socket_count++;
    return __real_socket(domain, type, protocol);
}

static void on_done(void *owner, const struct tcp_probe_result *result)
{
    size_t number = (size_t)((struct tcp_probe *)owner - probes);
    results[number] = *result;
    told_count++;
    if (to_stop)
        tcp_probe_stop(to_stop);
    if (to_start)
        tcp_probe_start(to_start, address, PATIENCE_MS);
    to_stop = to_start = NULL;
}

static void name_listener(void)
{
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&bound, &size), 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(bound.sin_port));
}

static void listen_with(int backlog)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(listener, backlog), 0);
    name_listener();
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    prober = tcp_prober_new(loop);
    told_count = 0;
    connect_error = 0;
    is_stuck = false;
    socket_count = 0;
    to_stop = to_start = NULL;
    for (size_t i = 0; i < PROBES; i++)
        tcp_probe_init(&probes[i], prober, on_done, &probes[i]);
    listen_with(16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROBES; i++)
        tcp_probe_stop(&probes[i]);
    tcp_prober_free(prober);
    loop_free(loop);
    close(listener);
    return 0;
}

static bool has_told_fewer(void *owner)
{
    return told_count < *(size_t *)owner;
}

static void wait_for_told(size_t count)
{
    scripted_run_while(loop, has_told_fewer, &count);
}

static struct tcp_probe_result ask(const char *where, int64_t timeout_ms)
{
    size_t before = told_count;
    tcp_probe_start(&probes[0], where, timeout_ms);
    assert_int_equal(told_count, before); /* never from inside */
    wait_for_told(before + 1);
    assert_int_equal(probes[0].state, TCP_PROBE_IDLE);
    return results[0];
}

static void what_listens_is_connected_to_as_often_as_it_is_asked(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) { /* more than its backlog, and nobody accepts */
        struct tcp_probe_result result = ask(address, PATIENCE_MS);
        assert_int_equal(result.outcome, TCP_PROBE_CONNECTED);
        assert_true(result.took_us >= 0);
    }
}

static void a_probe_takes_the_socket_of_the_one_before(void **state)
{
    (void)state;
    assert_int_equal(ask(address, PATIENCE_MS).outcome, TCP_PROBE_CONNECTED);
    socket_count = 0;
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask(address, PATIENCE_MS).outcome, TCP_PROBE_CONNECTED);
    close(listener);
    assert_int_equal(ask(address, PATIENCE_MS).outcome, TCP_PROBE_REFUSED);
    assert_int_equal(socket_count, 0);
    listen_with(16);
    socket_count = 0;
    assert_int_equal(ask(address, PATIENCE_MS).outcome, TCP_PROBE_CONNECTED); /* what was refused leaves no trace */
    assert_int_equal(socket_count, 0);
}

/* As where a kernel cannot take a connection back. */
static void a_socket_that_stays_connected_is_not_taken_again(void **state)
{
    (void)state;
    is_stuck = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(address, PATIENCE_MS).outcome, TCP_PROBE_CONNECTED);
    assert_int_equal(socket_count, 1 + 3);
}

/* Or a socket of IPv6 that has sent IPv4 would be taken for a peer of IPv6. */
static void an_ipv4_address_in_disguise_takes_a_socket_of_ipv4(void **state)
{
    char disguised[80];
    (void)state;
    assert_int_equal(ask(address, PATIENCE_MS).outcome, TCP_PROBE_CONNECTED);
    socket_count = 0;
    snprintf(disguised, sizeof disguised, "[::ffff:127.0.0.1]%s", strchr(address, ':'));
    assert_int_equal(ask(disguised, PATIENCE_MS).outcome, TCP_PROBE_CONNECTED);
    assert_int_equal(socket_count, 0);
}

/* Most are never heard of. One whose process is kept from running in the middle may be. */
static void what_is_heard_of_a_probe_is_a_reset(void **state)
{
    char byte;
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(address, PATIENCE_MS).outcome, TCP_PROBE_CONNECTED);
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        assert_int_equal(recv(fd, &byte, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
    }
}

static void a_closed_port_is_refused(void **state)
{
    (void)state;
    close(listener);
    struct tcp_probe_result result = ask(address, PATIENCE_MS);
    assert_int_equal(result.outcome, TCP_PROBE_REFUSED);
    assert_int_equal(result.error, ECONNREFUSED);
    listen_with(16);
}

/* Of a listening socket, tcpi_unacked is how many wait and tcpi_sacked its backlog, which the kernel exceeds by one. */
static bool is_backlog_full(void)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    assert_int_equal(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_unacked > info.tcpi_sacked;
}

/* Nobody accepts, and whoever comes now is left without an answer. */
static void fill_backlog(int fillers[FILLERS])
{
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    close(listener);
    listen_with(0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&bound, &size), 0);
    for (size_t i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&bound, sizeof bound);
    }
    while (!is_backlog_full()) /* the kernel may take its time, while others have the processor */
        poll(NULL, 0, 1);
}

static void close_all(const int fillers[FILLERS])
{
    for (size_t i = 0; i < FILLERS; i++)
        close(fillers[i]);
}

static void a_full_backlog_meets_the_timeout(void **state)
{
    int fillers[FILLERS];
    (void)state;
    fill_backlog(fillers);
    tcp_probe_start(&probes[1], address, PATIENCE_MS); /* under way until it is stopped */
    assert_int_equal(ask(address, 30).outcome, TCP_PROBE_TIMEOUT);
    assert_int_equal(probes[1].state, TCP_PROBE_CONNECTING);
    tcp_probe_stop(&probes[1]);
    assert_int_equal(told_count, 1);
    close_all(fillers);
}

/* As when our process is kept from running: its time is long over when the loop goes on. */
static void an_answer_that_nobody_looked_at_in_time_counts(void **state)
{
    int fillers[FILLERS];
    (void)state;
    fill_backlog(fillers);
    tcp_probe_start(&probes[0], address, 1);
    assert_int_equal(probes[0].state, TCP_PROBE_CONNECTING);
    close_all(fillers);
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;)
        close(fd);
    struct pollfd answer = { .fd = probes[0].fd, .events = POLLOUT };
    assert_int_equal(poll(&answer, 1, PATIENCE_MS), 1); /* the kernel asks again after a second */
    wait_for_told(1);
    assert_int_equal(results[0].outcome, TCP_PROBE_CONNECTED);
}

static void a_malformed_address_is_not_sent(void **state)
{
    static const char *const texts[] = { "",
                                         ":",
                                         "]:1",
                                         "[:1",
                                         "[]:1",
                                         "127.0.0.1",
                                         "localhost:80",
                                         "[::1",
                                         "[::1:80",
                                         "[127.0.0.1]:80",
                                         "::1:80",
                                         "1.2.3:80",
                                         "1111111111111111111111111111111111111111111111:80" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tcp_probe_result result = ask(texts[i], PATIENCE_MS);
        if (result.outcome != TCP_PROBE_NOT_SENT || result.error != EINVAL)
            fail_msg("'%s' is outcome %d", texts[i], result.outcome);
    }
}

static void an_ipv6_address_is_understood(void **state)
{
    struct tcp_probe_result result = (ask("[::1]:1", PATIENCE_MS));
    (void)state;
    assert_int_equal(result.outcome, TCP_PROBE_REFUSED); /* nobody listens, or there is no IPv6 here */
}

static void what_we_lack_ourselves_is_not_held_against_the_peer(void **state)
{
    struct rlimit before, none;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ 0, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct tcp_probe_result result = ask(address, PATIENCE_MS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result.outcome, TCP_PROBE_NOT_SENT);
    assert_int_equal(result.error, EMFILE);
}

static void a_peer_to_which_we_have_no_port_left_is_not_held_to_be_down(void **state)
{
    (void)state;
    connect_error = EADDRNOTAVAIL;
    struct tcp_probe_result result = ask(address, PATIENCE_MS);
    assert_int_equal(result.outcome, TCP_PROBE_NOT_SENT);
    assert_int_equal(result.error, EADDRNOTAVAIL);
    assert_int_equal(ask("[::1]:1", PATIENCE_MS).outcome, TCP_PROBE_REFUSED); /* where there is no IPv6 */
}

static void a_stopped_probe_is_not_told_of(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROBES; i++)
        tcp_probe_start(&probes[i], address, PATIENCE_MS);
    tcp_probe_stop(&probes[0]);
    tcp_probe_stop(&probes[0]);
    to_stop = &probes[2]; /* by the second, which is told first */
    wait_for_told(1);
    scripted_run_turns(loop, 20);
    assert_int_equal(told_count, 1);
}

static void a_callback_may_start_the_same_probe_again(void **state)
{
    (void)state;
    to_start = &probes[0];
    tcp_probe_start(&probes[0], address, PATIENCE_MS);
    wait_for_told(2);
    assert_int_equal(results[0].outcome, TCP_PROBE_CONNECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(what_listens_is_connected_to_as_often_as_it_is_asked),
        TEST(a_probe_takes_the_socket_of_the_one_before),
        TEST(a_socket_that_stays_connected_is_not_taken_again),
        TEST(an_ipv4_address_in_disguise_takes_a_socket_of_ipv4),
        TEST(what_is_heard_of_a_probe_is_a_reset),
        TEST(a_closed_port_is_refused),
        TEST(a_full_backlog_meets_the_timeout),
        TEST(an_answer_that_nobody_looked_at_in_time_counts),
        TEST(a_malformed_address_is_not_sent),
        TEST(an_ipv6_address_is_understood),
        TEST(what_we_lack_ourselves_is_not_held_against_the_peer),
        TEST(a_peer_to_which_we_have_no_port_left_is_not_held_to_be_down),
        TEST(a_stopped_probe_is_not_told_of),
        TEST(a_callback_may_start_the_same_probe_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
