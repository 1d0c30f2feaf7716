#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/listen_sockets.h"

#include "tests/unit/daemon/free_port.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* As "127.0.0.1:PORT". */
static void find_free_address(char out[64])
{
    snprintf(out, 64, "127.0.0.1:%u", find_free_port());
}

static void several_sockets_share_one_port(void **state)
{
    char address[64];
    struct error error = { "" };
    int fds[3];
    (void)state;
    find_free_address(address);
    assert_true(listen_sockets_open(address, LISTEN_SHARED, 3, fds, &error));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(fds[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
    listen_sockets_close(fds, 3);
    assert_int_equal(fds[2], -1);
}

static void a_port_in_use_is_refused_even_when_it_could_be_shared(void **state)
{
    char address[64];
    struct error error = { "" };
    int first[2], second[2] = { -1, -1 };
    (void)state;
    find_free_address(address);
    assert_true(listen_sockets_open(address, LISTEN_SHARED, 2, first, &error));
    assert_false(listen_sockets_open(address, LISTEN_SHARED, 2, second, &error));
    assert_string_equal(error.text, "Address already in use");
    assert_false(listen_sockets_open(address, LISTEN_ALONE, 1, second, &error));
    listen_sockets_close(first, 2);
    assert_true(listen_sockets_open(address, LISTEN_ALONE, 1, first, &error));
    assert_false(listen_sockets_open(address, LISTEN_SHARED, 2, second, &error));
    listen_sockets_close(first, 1);
}

/* Connections are copies of the socket that listens, of the moment when they were made. */
static void what_waits_in_the_queue_sends_at_once_too(void **state)
{
    char address[64];
    struct error error = { "" };
    struct sockaddr_in where;
    socklen_t len = sizeof where;
    int listening, client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), is_at_once = 0;
    (void)state;
    find_free_address(address);
    assert_true(listen_sockets_open(address, LISTEN_ALONE, 1, &listening, &error));
    assert_int_equal(getsockname(listening, (struct sockaddr *)&where, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&where, len), 0);
    assert_int_equal(poll(&(struct pollfd){ .fd = listening, .events = POLLIN }, 1, -1), 1);
    int accepted = accept(listening, NULL, NULL);
    len = sizeof is_at_once;
    assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &is_at_once, &len), 0);
    assert_true(is_at_once);
    close(accepted);
    close(client);
    listen_sockets_close(&listening, 1);
}

static void both_families_may_have_the_same_port(void **state)
{
    char v4[64], v6[64];
    struct error error = { "" };
    int fds[2];
    unsigned port;
    (void)state;
    find_free_address(v4);
    assert_int_equal(sscanf(v4, "127.0.0.1:%u", &port), 1);
    snprintf(v4, sizeof v4, "*:%u", port);
    snprintf(v6, sizeof v6, "[::]:%u", port);
    assert_true(listen_sockets_open(v4, LISTEN_ALONE, 1, &fds[0], &error));
    assert_true(listen_sockets_open(v6, LISTEN_ALONE, 1, &fds[1], &error));
    listen_sockets_close(fds, 2);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = { "", "localhost:80", "1.2.3:80", "[::1:80", "127.0.0.1:99999" };
    struct error error;
    int fd;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(listen_sockets_open(bad[i], LISTEN_ALONE, 1, &fd, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_sockets_share_one_port),
        cmocka_unit_test(a_port_in_use_is_refused_even_when_it_could_be_shared),
        cmocka_unit_test(what_waits_in_the_queue_sends_at_once_too),
        cmocka_unit_test(both_families_may_have_the_same_port),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
