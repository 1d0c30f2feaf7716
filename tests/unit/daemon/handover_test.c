#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/handover.h"

#include "base/mem.h"
#include "config/load.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int open_any(void)
{
    return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
}

static struct handover make(void)
{
    struct handover h = { .program = mem_strdup("/usr/bin/portico"),
                          .config_text = mem_strdup("listeners:\n  - { name: \"a\" }\n"),
                          .program_fd = open_any(),
                          .presence_fd = -1,
                          .drain_ms = 30000,
                          .workers = 2,
                          .upgrade_count = 3,
                          .refusal_count = 4,
                          .control_starts = 5,
                          .proxy_starts = 6,
                          .sockets = { .listener_count = 1, .per_listener = 2, .admin_fd = open_any() },
                          .is_served = true,
                          .proxies = { { 77, open_any(), open_any() }, { 0, -1, open_any() } },
                          .proxy_count = 2 };
    h.sockets.fds = mem_alloc_array(2, sizeof *h.sockets.fds);
    h.sockets.fds[0] = open_any();
    h.sockets.fds[1] = open_any();
    return h;
}

static void close_all(const struct handover *h)
{
    close(h->program_fd);
    close(h->sockets.admin_fd);
    close(h->sockets.fds[0]);
    close(h->sockets.fds[1]);
    close(h->proxies[0].channel_fd);
    close(h->proxies[0].stats_fd);
    close(h->proxies[1].stats_fd);
}

static bool is_kept(int fd)
{
    return fcntl(fd, F_GETFD) == 0;
}

static void what_is_written_is_read(void **state)
{
    struct handover h = make(), got;
    struct error error = { "" };
    (void)state;
    int fd = handover_write(&h, &error);
    assert_true(fd >= 0 && is_kept(fd));
    assert_true(handover_read(fd, &got, &error));
    assert_string_equal(got.program, h.program);
    assert_string_equal(got.config_text, h.config_text);
    assert_int_equal(got.program_fd, h.program_fd);
    assert_int_equal(got.presence_fd, -1);
    assert_int_equal(got.drain_ms, 30000);
    assert_int_equal(got.workers, 2);
    assert_int_equal(got.upgrade_count, 3);
    assert_int_equal(got.refusal_count, 4);
    assert_int_equal(got.control_starts, 5);
    assert_int_equal(got.proxy_starts, 6);
    assert_int_equal(got.sockets.per_listener, 2);
    assert_int_equal(got.sockets.admin_fd, h.sockets.admin_fd);
    assert_memory_equal(got.sockets.fds, h.sockets.fds, 2 * sizeof(int));
    assert_true(got.is_served);
    assert_int_equal(got.proxy_count, 2);
    assert_memory_equal(got.proxies, h.proxies, 2 * sizeof *h.proxies);
    handover_fini(&got);
    close(fd);
    close_all(&h);
    handover_fini(&h);
}

static void a_configuration_as_long_as_one_may_be_printed_passes(void **state)
{
    struct handover h = make(), got;
    struct error error = { "" };
    (void)state;
    free(h.config_text);
    h.config_text = mem_alloc(CONFIG_PRINTED_BYTES_MAX + 1);
    memset(h.config_text, '"', CONFIG_PRINTED_BYTES_MAX); /* two bytes each, in JSON */
    int fd = handover_write(&h, &error);
    assert_true(fd >= 0);
    assert_false(handover_read(fd, &got, &error));
    close(fd);
    memset(h.config_text, 'x', CONFIG_PRINTED_BYTES_MAX);
    fd = handover_write(&h, &error);
    assert_true(fd >= 0 && handover_read(fd, &got, &error));
    assert_int_equal(strlen(got.config_text), CONFIG_PRINTED_BYTES_MAX);
    handover_fini(&got);
    close(fd);
    close_all(&h);
    handover_fini(&h);
}

static void descriptors_are_open_over_an_exec_only_while_they_are_kept(void **state)
{
    struct handover h = make(), got;
    struct error error = { "" };
    (void)state;
    assert_false(is_kept(h.sockets.fds[1]));
    handover_keep(&h, true);
    assert_true(is_kept(h.sockets.fds[1]) && is_kept(h.sockets.admin_fd) && is_kept(h.program_fd));
    assert_true(is_kept(h.proxies[0].channel_fd) && is_kept(h.proxies[1].stats_fd));
    int fd = handover_write(&h, &error);
    assert_true(handover_read(fd, &got, &error));
    assert_false(is_kept(h.sockets.fds[1]) || is_kept(h.proxies[0].channel_fd));
    handover_fini(&got);
    close(fd);
    close_all(&h);
    handover_fini(&h);
}

static void a_descriptor_that_is_not_open_is_refused(void **state)
{
    struct handover h = make(), got;
    struct error error = { "" };
    (void)state;
    int fd = handover_write(&h, &error);
    close(h.proxies[1].stats_fd);
    assert_false(handover_read(fd, &got, &error));
    assert_non_null(strstr(error.text, "not a document of format 1"));
    assert_int_equal(got.proxy_count, 0);
    close(fd);
    close_all(&h);
    handover_fini(&h);
}

static void anything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "", "{}", "{\"format\":1}", "{\"format\":2,\"program\":\"a\",\"config\":\"b\"}", "[1]", "\x01"
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct handover got;
        struct error error = { "" };
        int fd = memfd_create("test", MFD_CLOEXEC);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        assert_false(handover_read(fd, &got, &error));
        assert_true(error.text[0] != '\0');
        close(fd);
    }
}

static void what_a_newer_program_adds_is_ignored(void **state)
{
    struct handover h = make(), got;
    struct error error = { "" };
    char text[4096] = "{\"later\":[1,{}],";
    (void)state;
    int fd = handover_write(&h, &error);
    ssize_t len = pread(fd, text + strlen(text), sizeof text - strlen(text) - 1, 1);
    assert_true(len > 0);
    assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
    assert_true(handover_read(fd, &got, &error));
    assert_int_equal(got.workers, 2);
    handover_fini(&got);
    close(fd);
    close_all(&h);
    handover_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_configuration_as_long_as_one_may_be_printed_passes),
        cmocka_unit_test(descriptors_are_open_over_an_exec_only_while_they_are_kept),
        cmocka_unit_test(a_descriptor_that_is_not_open_is_refused),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(what_a_newer_program_adds_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
