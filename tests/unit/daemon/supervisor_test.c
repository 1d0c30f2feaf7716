#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* The whole supervisor, on a kernel that has no process for it. */
#include "daemon/supervisor.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/base/captured_stderr.h"
#include "tests/unit/daemon/free_port.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 5 /* of each child, until the supervisor is stopped */

static size_t fork_count;

pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
    if (++fork_count == 2 * TRIES)
        kill(getpid(), SIGTERM);
    errno = EAGAIN;
    return -1;
}

static int run_in(const char *folder)
{
    char path[96];
    snprintf(path, sizeof path, "%s/portico.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "stateDir: %s/state\nlisteners: [{ name: http, address: \"127.0.0.1:%u\" }]\n"
            "admin: { address: \"127.0.0.1:%u\" }\nproxy: { workers: 1 }\ndocker: { enabled: false }\n",
            folder, find_free_port(), find_free_port());
    fclose(file);
    return supervisor_run(
        &(struct supervisor_options){ .program = "/nowhere/portico", .config_path = path, .handover_fd = -1 });
}

/* What the log says of the starts of a child, a line each. */
static void starts_of(const char *log, const char *name, struct buf *out)
{
    char said[32];
    snprintf(said, sizeof said, "] %s: ", name);
    buf_init(out, 0);
    for (const char *at = log; (at = strstr(at, said)) != NULL;) {
        at += strlen(said);
        assert_true(buf_append(out, at, strcspn(at, "\n") + 1));
    }
}

/* One line, however often it is tried. */
static void check_starts(const char *log, const char *name)
{
    static const char wanted[] =
        "cannot be started: Resource temporarily unavailable; tried again and again, at last every "
        "5 s\n";
    struct buf starts;
    starts_of(log, name, &starts);
    if (strcmp(buf_text(&starts), wanted) != 0)
        fail_msg("of %s it says:\n%s", name, buf_text(&starts));
    buf_fini(&starts);
}

/* Twice at once, and then after 100, 200 and 400 ms. */
#define TRIES_MS 700
#define TICK_MS 10 /* so much libevent's clock, CLOCK_MONOTONIC_COARSE, may be behind */

static void without_a_process_it_tries_again_more_and_more_slowly_and_can_be_stopped(void **state)
{
    char folder[] = "/tmp/portico-supervisor-XXXXXX", log[16384];
    struct captured_stderr captured;
    (void)state;
    assert_non_null(mkdtemp(folder));
    captured_stderr_start(&captured);
    int64_t started_at_ms = clock_now_ms();
    int exit_code = run_in(folder);
    int64_t took_ms = clock_now_ms() - started_at_ms;
    captured_stderr_stop(&captured, log, sizeof log);
    char *command = mem_printf("rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    free(command);
    assert_int_equal(exit_code, 0);
    assert_true(took_ms >= TRIES_MS - TICK_MS - 1);
    assert_null(strstr(log, "is ready"));
    check_starts(log, "control");
    check_starts(log, "proxy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_process_it_tries_again_more_and_more_slowly_and_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
