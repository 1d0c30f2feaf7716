#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/log/access_log.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_BYTES (4u << 20)

struct bench {
    int read_fd, write_fd;
    struct worker_stats stats;
    struct access_log log;
    char *text; /* what was read so far */
    size_t len;
    int64_t begun_us;
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
    b->begun_us = clock_now_us();
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
                                   .protocol = "1.1",
                                   .end = "complete",
                                   .termination = "--",
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
        assert_int_equal(json_object_size(object), 20);
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

/* The two clocks are not read in one moment, neither here nor in the log, which reads them when it begins and at each write:
 * what lies between is at most what passes between the beginning of the log and the end of the line. */
static void a_line_has_the_wall_time_of_the_start(void **state)
{
    struct bench *b = *state;
    char before[32], after[32];
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    record.started_at_us = clock_now_us() - 5000000;
    access_log_add(&b->log, &record);
    int64_t wall_us = clock_wall_us() - 5000000, off_us = clock_now_us() - b->begun_us + 1000;
    clock_format_wall(wall_us - 2 * off_us, before);
    clock_format_wall(wall_us + off_us, after);
    json_t *object = only_line(b);
    const char *time = json_string_value(json_object_get(object, "time"));
    assert_true(strcmp(before, time) <= 0);
    assert_true(strcmp(time, after) <= 0);
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

static void the_format_can_change_between_lines(void **state)
{
    struct bench *b = *state;
    add(b, "/json");
    access_log_set_format(&b->log, LOG_FORMAT_COMBINED, 1);
    add(b, "/combined");
    access_log_flush(&b->log);
    take_in(b);
    assert_int_equal(b->text[0], '{');
    const char *second = strchr(b->text, '\n') + 1;
    assert_memory_equal(second, "192.0.2.7 - - [", 15);
    assert_non_null(strstr(second, "\"GET /combined HTTP/1.1\" 200 "));
}

static void one_in_so_many_is_written_and_every_failure(void **state)
{
    struct bench *b = *state;
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    access_log_set_format(&b->log, LOG_FORMAT_JSON, 10);
    for (int i = 0; i < 100; i++)
        access_log_add(&b->log, &record);
    access_log_flush(&b->log);
    take_in(b);
    assert_int_equal(check_lines(b), 10);
    b->len = 0;
    record.status = 502;
    access_log_add(&b->log, &record);
    record.status = 200;
    record.termination = "CD";
    access_log_add(&b->log, &record);
    record.termination = "--";
    record.is_forced = true;
    access_log_add(&b->log, &record);
    record.is_forced = false;
    record.status = 404;
    record.termination = "PR";
    access_log_add(&b->log, &record); /* an answer like another */
    access_log_flush(&b->log);
    take_in(b);
    assert_int_equal(check_lines(b), 3);
    assert_int_equal(b->stats.log_lines_dropped, 0);
}

static void a_switch_leaves_each_line_whole_in_one_of_the_two(void **state)
{
    struct bench *b = *state;
    char path[] = "/tmp/access-log-test-XXXXXX";
    int fd = mkstemp(path);
    char file_text[4096];
    add(b, "/old/1");
    add(b, "/old/2");
    access_log_switch(&b->log, fd);
    add(b, "/new");
    access_log_flush(&b->log);
    take_in(b);
    assert_int_equal(check_lines(b), 2);
    assert_null(strstr(b->text, "/new"));
    ssize_t got = pread(fd, file_text, sizeof file_text - 1, 0);
    assert_true(got > 0);
    file_text[got] = '\0';
    assert_non_null(strstr(file_text, "\"/new\""));
    assert_null(strstr(file_text, "/old"));
    assert_int_equal(b->log.piece_bytes, ACCESS_LOG_BYTES); /* a file takes larger pieces than a pipe */
    close(fd);
    unlink(path);
}

/* A file may take only a part of a piece (its size is limited here, as a full disk would do). */
static void a_line_that_was_cut_off_does_not_spoil_the_next(void **state)
{
    (void)state;
    char path[] = "/tmp/access-log-test-XXXXXX";
    struct worker_stats stats = { 0 };
    struct access_log log;
    int fd = mkstemp(path);
    struct rlimit before, low = { 1000, RLIM_INFINITY };
    access_log_init(&log, fd, &stats);
    struct access_record record = record_of(SLICE_LITERAL("GET"), SLICE_LITERAL("/"));
    for (int i = 0; i < 10; i++)
        access_log_add(&log, &record);
    size_t line = log.len / 10;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low.rlim_max = before.rlim_max;
    low.rlim_cur = 2 * line + 5;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    access_log_flush(&log);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(stats.log_lines_dropped, 8);
    access_log_add(&log, &record);
    access_log_fini(&log);
    char text[8192];
    ssize_t got = pread(fd, text, sizeof text, 0);
    assert_int_equal(got, 3 * line + 5 + 1); /* two whole, five bytes, a newline, one whole */
    assert_int_equal(text[2 * line + 5], '\n');
    assert_int_equal(text[2 * line + 6], '{');
    close(fd);
    unlink(path);
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
        TEST(a_line_has_the_wall_time_of_the_start),
        TEST(a_hostile_target_stays_inside_its_string),
        TEST(the_format_can_change_between_lines),
        TEST(one_in_so_many_is_written_and_every_failure),
        TEST(a_switch_leaves_each_line_whole_in_one_of_the_two),
        cmocka_unit_test(a_line_that_was_cut_off_does_not_spoil_the_next),
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
