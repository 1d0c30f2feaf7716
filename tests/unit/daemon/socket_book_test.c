#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/socket_book.h"

#include "tests/unit/daemon/free_port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct wanted {
    struct config config;
    struct config_listener listeners[2];
    char addresses[2][32], admin[32];
};

/* ports[i] 0: no such listener */
static void want(struct wanted *w, unsigned first, unsigned second, unsigned admin)
{
    const unsigned ports[2] = { first, second };
    memset(w, 0, sizeof *w);
    w->config.listeners = w->listeners;
    for (int i = 0; i < 2; i++) {
        if (!ports[i])
            continue;
        snprintf(w->addresses[w->config.listener_count], sizeof w->addresses[i], "127.0.0.1:%u", ports[i]);
        w->listeners[w->config.listener_count].address = w->addresses[w->config.listener_count];
        w->config.listener_count++;
    }
    snprintf(w->admin, sizeof w->admin, "127.0.0.1:%u", admin);
    w->config.admin.address = w->admin;
}

static int connect_to(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void sockets_of_addresses_that_stay_are_shared(void **state)
{
    unsigned a = find_free_port(), b = find_free_port(), c = find_free_port(), admin = find_free_port();
    struct wanted before, after;
    struct socket_book old, new;
    struct error error = { "" };
    (void)state;
    want(&before, a, b, admin);
    want(&after, c, a, admin);
    assert_true(socket_book_open(&old, &before.config, 2, NULL, &error));
    int waiting = connect_to(a);
    assert_true(socket_book_open(&new, &after.config, 2, &old, &error));
    assert_int_equal(new.per_listener, 2);
    assert_int_equal(new.fds[2], old.fds[0]); /* found by its address, not by its place */
    assert_int_equal(new.fds[3], old.fds[1]);
    assert_int_equal(new.admin_fd, old.admin_fd);
    int gone = old.fds[2];
    socket_book_close(&old, &new);
    assert_false(is_open(gone));
    assert_true(is_open(new.fds[2]) && is_open(new.admin_fd));
    assert_int_equal(connect_to(b), -1);
    int fds[3] = { waiting, connect_to(a), connect_to(c) };
    for (int i = 0; i < 3; i++) {
        assert_true(fds[i] >= 0);
        close(fds[i]);
    }
    socket_book_close(&new, NULL);
}

static void more_workers_get_more_sockets_and_fewer_keep_them(void **state)
{
    unsigned a = find_free_port(), admin = find_free_port();
    struct wanted w;
    struct socket_book one, three, still_three;
    struct error error = { "" };
    (void)state;
    want(&w, a, 0, admin);
    assert_true(socket_book_open(&one, &w.config, 1, NULL, &error));
    assert_true(socket_book_open(&three, &w.config, 3, &one, &error));
    assert_int_equal(three.per_listener, 3);
    assert_int_equal(three.fds[0], one.fds[0]);
    assert_true(socket_book_open(&still_three, &w.config, 1, &three, &error));
    assert_int_equal(still_three.per_listener, 3);
    assert_memory_equal(still_three.fds, three.fds, 3 * sizeof(int));
    socket_book_close(&one, &three);
    socket_book_close(&three, &still_three);
    socket_book_close(&still_three, NULL);
}

static void an_address_in_use_is_refused_and_what_was_there_is_untouched(void **state)
{
    unsigned a = find_free_port(), b = find_free_port(), admin = find_free_port(), other = find_free_port();
    struct wanted before, after, rival;
    struct socket_book old, new, taken;
    struct error error = { "" };
    char expected[128];
    (void)state;
    want(&before, a, 0, admin);
    want(&rival, b, 0, other);
    want(&after, a, b, admin);
    assert_true(socket_book_open(&old, &before.config, 2, NULL, &error));
    assert_true(socket_book_open(&taken, &rival.config, 2, NULL, &error));
    snprintf(expected, sizeof expected, "listeners[1].address 127.0.0.1:%u: Address already in use", b);
    assert_false(socket_book_try(&after.config, 2, &old, &error));
    assert_string_equal(error.text, expected);
    error.text[0] = '\0';
    assert_false(socket_book_open(&new, &after.config, 2, &old, &error));
    assert_string_equal(error.text, expected);
    assert_int_equal(new.listener_count, 0);
    assert_true(is_open(old.fds[0]) && is_open(old.fds[1]) && is_open(old.admin_fd));
    socket_book_close(&taken, NULL);
    assert_true(socket_book_try(&after.config, 2, &old, &error));
    socket_book_close(&old, NULL);
}

/* One that listened would be given connections, and reset them when it is closed. */
static void a_trial_never_listens(void **state)
{
    unsigned a = find_free_port(), b = find_free_port(), admin = find_free_port();
    struct wanted before, after;
    struct socket_book old;
    struct error error = { "" };
    (void)state;
    want(&before, a, 0, admin);
    want(&after, a, b, admin);
    assert_true(socket_book_open(&old, &before.config, 1, NULL, &error));
    for (int i = 0; i < 20; i++) {
        int client = connect_to(a);
        assert_true(socket_book_try(&after.config, 4, &old, &error));
        assert_int_equal(connect_to(b), -1);
        struct pollfd waits = { .fd = client, .events = POLLIN };
        assert_int_equal(poll(&waits, 1, 0), 0); /* neither reset nor closed */
        close(client);
    }
    socket_book_close(&old, NULL);
}

static void a_wider_address_of_a_port_that_we_hold_can_follow(void **state)
{
    unsigned a = find_free_port(), admin = find_free_port();
    struct wanted before, after;
    struct socket_book old, new;
    struct error error = { "" };
    (void)state;
    want(&before, a, 0, admin);
    want(&after, a, 0, admin);
    snprintf(after.addresses[0], sizeof after.addresses[0], "0.0.0.0:%u", a);
    assert_true(socket_book_open(&old, &before.config, 2, NULL, &error));
    assert_true(socket_book_try(&after.config, 2, &old, &error));
    assert_true(socket_book_open(&new, &after.config, 2, &old, &error));
    socket_book_close(&old, &new);
    int client = connect_to(a);
    assert_true(client >= 0);
    close(client);
    socket_book_close(&new, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_of_addresses_that_stay_are_shared),
        cmocka_unit_test(more_workers_get_more_sockets_and_fewer_keep_them),
        cmocka_unit_test(an_address_in_use_is_refused_and_what_was_there_is_untouched),
        cmocka_unit_test(a_trial_never_listens),
        cmocka_unit_test(a_wider_address_of_a_port_that_we_hold_can_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
