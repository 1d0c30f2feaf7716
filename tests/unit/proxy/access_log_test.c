#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/access_log.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_BYTES (4u << 20)

struct bench {
    int read_fd, write_fd;
    struct worker_stats stats;
    struct access_log log;
    char *text; /* what was read so far */
    size_t len;
};

static void make_pipe(struct bench *b)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    b->read_fd = fds[0];
    b->write_fd = fds[1];
}

static struct bench *bench_new(void)
{
    struct bench *b = aligned_alloc(64, (sizeof(struct bench) + 63) & ~(size_t)63);
    assert_non_null(b);
    memset(b, 0, sizeof *b);
    b->text = mem_alloc(TEXT_BYTES);
    return b;
}

static int set_up(void **state)
{
    struct bench *b = bench_new();
    make_pipe(b);
    access_log_init(&b->log, b->write_fd, &b->stats);
    *state = b;
    return 0;
}

static int set_up_socket(void **state)
{
    struct bench *b = bench_new();
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0); /* blocking, as a standard output is */
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    b->read_fd = fds[0];
    b->write_fd = fds[1];
    access_log_init(&b->log, b->write_fd, &b->stats);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    access_log_fini(&b->log);
    close(b->read_fd);
    close(b->write_fd);
    free(b->text);
    free(b);
    return 0;
}

static struct access_record record_of(struct slice method, struct slice target)
{
    return (struct access_record){ .client = "192.0.2.7",
                                   .service = "web",
                                   .endpoint = "172.17.0.2:8080",
                                   .end = "complete",
                                   .method = method,
                                   .target = target,
                                   .status = 200,
                                   .try_count = 1,
                                   .request_bytes = 10,
                                   .response_bytes = 1234567890123,
                                   .duration_us = 1500,
                                   .response_us = 900 };
}

static void add(struct bench *b, const char *target)
{
    struct access_record record = record_of(SLICE_LITERAL("GET"), slice_of(target));
    access_log_add(&b->log, &record);
}

static void take_in(struct bench *b)
{
    ssize_t got;
    while ((got = read(b->read_fd, b->text + b->len, TEXT_BYTES - 1 - b->len)) > 0)
        b->len += (size_t)got;
    b->text[b->len] = '\0';
}

/* Every line parses; returns how many there are. */
static size_t check_lines(struct bench *b)
{
    size_t count = 0;
    for (char *line = b->text, *end; (end = strchr(line, '\n')); line = end + 1, count++) {
        json_error_t error;
        json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, &error);
        if (!object)
            fail_msg("line %zu: %s: %.*s", count + 1, error.text, (int)(end - line), line);
        assert_int_equal(json_object_size(object), 13);
        json_decref(object);
    }
    assert_true(b->len == 0 || b->text[b->len - 1] == '\n');
    return count;
}

static json_t *only_line(struct bench *b)
{
    access_log_flush(&b->log);
    take_in(b);
    assert_int_equal(check_lines(b), 1);
    json_t *object = json_loadb(b->text, b->len, 0, NULL);
    b->len = 0;
    return object;
}

static void check_text(json_t *object, const char *key, const char *wanted)
{
    const char *got = json_string_value(json_object_get(object, key));
    assert_non_null(got);
    assert_string_equal(got, wanted);
}

static void a_line_says_all_about_a_request(void **state)
{
    struct bench *b = *state;
    add(b, "/a?b=c");
    json_t *object = only_line(b);
    check_text(object, "client", "192.0.2.7");
    check_text(object, "method", "GET");
    check_text(object, "target", "/a?b=c");
    check_text(object, "end", "complete");
    check_text(object, "service", "web");
    check_text(object, "endpoint", "172.17.0.2:8080");
    assert_int_equal(json_integer_value(json_object_get(object, "status")), 200);
    assert_int_equal(json_integer_value(json_object_get(object, "tries")), 1);
    assert_int_equal(json_integer_value(json_object_get(object, "requestBytes")), 10);
    assert_int_equal(json_integer_value(json_object_get(object, "responseBytes")), 1234567890123);
    assert_int_equal(json_integer_value(json_object_get(object, "durationUs")), 1500);
    assert_int_equal(json_integer_value(json_object_get(object, "responseUs")), 900);
    const char *time = json_string_value(json_object_get(object, "time"));
    assert_int_equal(strlen(time), 24);
    json_decref(object);
}

static void a_hostile_target_stays_inside_its_string(void **state)
{
    struct bench *b = *state;
    static const char *const targets[] = {
        "/\",\"status\":500,\"x\":\"", "/\\", "/\\\"", "/\n{\"forged\":1}", "/\r\t\b", "/\x01\x1b[2J\x7f", "/%s%n%d"
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        add(b, targets[i]);
        json_t *object = only_line(b);
        check_text(object, "target", targets[i]); /* and comes out as it was */
        json_decref(object);
    }
}

static void every_byte_is_escaped_to_valid_json(void **state)
{
    struct bench *b = *state;
    for (int byte = 1; byte < 256; byte++) {
        char target[4] = { '/', (char)byte, (char)byte, '\0' };
        add(b, target);
        take_in(b);
    }
    struct access_record record = record_of((struct slice){ "G\0\"\\\xff", 5 }, (struct slice){ "/\0\xff", 3 });
    access_log_add(&b->log, &record);
    access_log_flush(&b->log);
    take_in(b);
    for (size_t i = 0; i < b->len; i++)
        assert_true(b->text[i] == '\n' || (b->text[i] >= 0x20 && b->text[i] < 0x7f));
    assert_int_equal(b->stats.log_lines_dropped, 0);
    b->len = 0; /* U+0000 is more than jansson reads by default */
}

static void texts_that_are_too_long_are_cut_and_still_valid(void **state)
{
    struct bench *b = *state;
    static char target[9000], service[152];
    static const char fills[] = { 'x', '"', '\\', '\x01', '\xff' };
    for (size_t i = 0; i < sizeof fills; i++) {
        memset(target, fills[i], sizeof target);
        memset(service, fills[i], sizeof service - 1);
        struct access_record record =
            record_of((struct slice){ target, sizeof target }, (struct slice){ target, sizeof target });
        record.client = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255";
        record.endpoint = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535";
        record.end = "upstream-malformed";
        record.service = service;
        record.request_bytes = record.response_bytes = UINT64_MAX >> 1;
        record.duration_us = record.response_us = INT64_MAX;
        access_log_add(&b->log, &record);
        json_t *object = only_line(b);
        assert_in_range(json_string_length(json_object_get(object, "target")), 100, 1024);
        assert_in_range(json_string_length(json_object_get(object, "service")), 60, 128);
        json_decref(object);
    }
    assert_int_equal(b->stats.log_lines_dropped, 0);
}

static void a_service_name_is_escaped_too(void **state)
{
    struct bench *b = *state;
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    record.service = "we\"b\n";
    access_log_add(&b->log, &record);
    json_t *object = only_line(b);
    check_text(object, "service", "we\"b\n");
    json_decref(object);
}

static void lines_wait_in_memory_until_there_is_no_room_or_a_flush(void **state)
{
    struct bench *b = *state;
    add(b, "/");
    take_in(b);
    assert_int_equal(b->len, 0);
    for (int i = 0; i < 1000; i++)
        add(b, "/");
    take_in(b);
    assert_true(b->len > 0);
    access_log_flush(&b->log);
    take_in(b);
    assert_true(check_lines(b) + b->stats.log_lines_dropped == 1001);
}

/* Nobody reads: nothing blocks, whole lines are dropped, and all are either there or counted. */
static void a_reader_that_does_not_keep_up_loses_whole_lines_that_are_counted(void **state)
{
    struct bench *b = *state;
    size_t added = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 700; i++, added++) {
            char target[64];
            snprintf(target, sizeof target, "/%0*d", i % 50 + 1, i);
            add(b, target);
        }
        if (round % 3 == 2)
            take_in(b);
    }
    access_log_flush(&b->log);
    take_in(b);
    add(b, "/last");
    added++;
    access_log_flush(&b->log);
    take_in(b);
    assert_true(b->stats.log_lines_dropped > 0);
    assert_int_equal(check_lines(b) + b->stats.log_lines_dropped, added);
    assert_non_null(strstr(b->text, "/last"));
}

static void a_reader_that_is_gone_costs_only_the_lines(void **state)
{
    struct bench *b = *state;
    int fds[2];
    close(b->read_fd);
    assert_int_equal(pipe(fds), 0);
    b->read_fd = fds[0]; /* for tear_down */
    close(fds[1]);
    add(b, "/");
    add(b, "/");
    access_log_flush(&b->log);
    assert_int_equal(b->stats.log_lines_dropped, 2);
    assert_int_equal(b->log.len, 0);
}

static void a_reader_that_keeps_up_loses_nothing(void **state)
{
    struct bench *b = *state;
    static char target[2048];
    for (int i = 0; i < 3000; i++) {
        memset(target, 'x', sizeof target);
        target[i % 900 + 1] = '\0'; /* short lines and such that only two fit one piece */
        add(b, target);
        if (b->log.len == 0 || i % 10 == 0)
            take_in(b);
    }
    access_log_flush(&b->log);
    take_in(b);
    assert_int_equal(b->stats.log_lines_dropped, 0);
    assert_int_equal(check_lines(b), 3000);
}

static void two_workers_do_not_mix_their_lines_in_one_pipe(void **state)
{
    struct bench *b = *state;
    struct access_log other;
    struct worker_stats stats = { 0 };
    access_log_init(&other, b->write_fd, &stats);
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/from/the/other/worker"));
    for (int i = 0; i < 2000; i++) {
        add(b, "/");
        access_log_add(&other, &record);
        if (i % 64 == 0)
            take_in(b);
    }
    access_log_flush(&b->log);
    access_log_fini(&other);
    take_in(b);
    assert_int_equal(check_lines(b) + b->stats.log_lines_dropped + stats.log_lines_dropped, 4000);
}

static void a_file_gets_everything(void **state)
{
    (void)state;
    char path[] = "/tmp/access-log-test-XXXXXX";
    struct worker_stats stats = { 0 };
    struct access_log log;
    int fd = -1;
    close(mkstemp(path));
    assert_true(access_log_open_fd(path, &fd));
    access_log_init(&log, fd, &stats);
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    for (int i = 0; i < 2000; i++)
        access_log_add(&log, &record);
    access_log_fini(&log);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size > 2000 * 200);
    assert_int_equal(size % 2000, 0); /* all alike */
    assert_int_equal(stats.log_lines_dropped, 0);
    close(fd);
    unlink(path);
}

static void it_can_be_off_or_somewhere_that_cannot_be_opened(void **state)
{
    (void)state;
    struct worker_stats stats = { 0 };
    struct access_log log;
    int fd = 7;
    assert_true(access_log_open_fd("off", &fd));
    assert_int_equal(fd, -1);
    access_log_init(&log, fd, &stats);
    assert_false(access_log_is_on(&log));
    access_log_flush(&log);
    access_log_fini(&log);
    assert_false(access_log_open_fd("/nonexistent/folder/access.log", &fd));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_SOCKET(name)                                       \
    {                                                           \
#name " (socket)", name, set_up_socket, tear_down, NULL \
    }
    const struct CMUnitTest tests[] = {
        TEST(a_line_says_all_about_a_request),
        TEST(a_hostile_target_stays_inside_its_string),
        TEST(every_byte_is_escaped_to_valid_json),
        TEST(texts_that_are_too_long_are_cut_and_still_valid),
        TEST(a_service_name_is_escaped_too),
        TEST(lines_wait_in_memory_until_there_is_no_room_or_a_flush),
        TEST(a_reader_that_does_not_keep_up_loses_whole_lines_that_are_counted),
        TEST_SOCKET(a_reader_that_does_not_keep_up_loses_whole_lines_that_are_counted),
        TEST(a_reader_that_is_gone_costs_only_the_lines),
        TEST_SOCKET(a_reader_that_is_gone_costs_only_the_lines),
        TEST(a_reader_that_keeps_up_loses_nothing),
        TEST(two_workers_do_not_mix_their_lines_in_one_pipe),
        cmocka_unit_test(a_file_gets_everything),
        cmocka_unit_test(it_can_be_off_or_somewhere_that_cannot_be_opened),
    };
    signal(SIGPIPE, SIG_IGN); /* as the proxy does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
