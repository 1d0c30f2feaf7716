#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/succession.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/load.h"
#include "tests/unit/daemon/free_port.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A program that was handed over to, in a folder of its own. No process is started. */
struct bench {
    char folder[64], config_path[96];
    char *text; /* owned; the configuration of both programs */
    struct loop *loop;
    struct succession succession;
    struct crew crew;
};

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    strcpy(b->folder, "/tmp/portico-succession-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->config_path, sizeof b->config_path, "%s/portico.yaml", b->folder);
    b->text = mem_printf("stateDir: %s/state\nlisteners: [{ name: http, address: \"127.0.0.1:%u\" }]\n"
                         "admin: { address: \"127.0.0.1:%u\" }\nproxy: { workers: 1 }\ndocker: { enabled: false }\n",
                         b->folder, find_free_port(), find_free_port());
    FILE *file = fopen(b->config_path, "w");
    assert_non_null(file);
    fputs(b->text, file);
    fclose(file);
    b->loop = loop_new();
    b->crew = (struct crew){ .loop = b->loop,
                             .config_path = b->config_path,
                             .sockets = SOCKET_BOOK_EMPTY,
                             .stats_fd = -1,
                             .predecessors = { .loop = b->loop } };
    succession_init(&b->succession, b->loop, "/nowhere/portico", b->config_path);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    predecessors_fini(&b->crew.predecessors);
    succession_fini(&b->succession);
    socket_book_close(&b->crew.sockets, NULL);
    if (b->crew.stats_fd >= 0)
        close(b->crew.stats_fd);
    config_free(b->crew.config);
    loop_free(b->loop);
    char *command = mem_printf("rm -rf %s", b->folder);
    assert_int_equal(system(command), 0);
    free(command);
    free(b->text);
    free(b);
    return 0;
}

/* What the program before hands over: its proxy serves, or is down. */
static int hand_over(struct bench *b, bool is_served)
{
    struct error error = { "" };
    struct config_problems problems;
    struct config *config = config_load_text("handover", b->text, strlen(b->text), &problems);
    assert_non_null(config);
    struct handover h = { .program = mem_strdup("/nowhere/portico"),
                          .config_text = mem_strdup(b->text),
                          .program_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                          .presence_fd = -1,
                          .drain_ms = 1000,
                          .workers = 1,
                          .sockets = SOCKET_BOOK_EMPTY,
                          .is_served = is_served,
                          .proxies = { { 0, -1, open("/dev/null", O_RDONLY | O_CLOEXEC) } },
                          .proxy_count = 1 };
    if (!socket_book_open(&h.sockets, config, 1, NULL, &error))
        fail_msg("%s", error.text);
    int fd = handover_write(&h, &error);
    if (fd < 0)
        fail_msg("%s", error.text);
    handover_fini(&h);
    config_problems_fini(&problems);
    config_free(config);
    return fd;
}

static void begin(struct bench *b, bool is_served)
{
    struct error error = { "" };
    int64_t drain_ms;
    if (!succession_begin(&b->succession, &b->crew, hand_over(b, is_served), NULL, &drain_ms, &error))
        fail_msg("%s", error.text);
}

static void there_is_a_way_back_until_the_commit_also_where_no_proxy_serves(void **state)
{
    struct bench *b = *state;
    begin(b, false);
    assert_true(b->crew.is_provisional);
    assert_false(b->crew.succeeds); /* nobody is waited for */
    succession_commit(&b->succession, &b->crew);
    assert_false(b->crew.is_provisional);
}

static void who_succeeds_a_proxy_that_serves_is_provisional_too(void **state)
{
    struct bench *b = *state;
    begin(b, true);
    assert_true(b->crew.is_provisional);
    assert_true(b->crew.succeeds);
    succession_commit(&b->succession, &b->crew);
    assert_false(b->crew.is_provisional);
    assert_false(b->crew.succeeds);
}

static void the_first_program_has_nothing_to_go_back_to(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    int64_t drain_ms;
    assert_true(succession_begin(&b->succession, &b->crew, -1, NULL, &drain_ms, &error));
    assert_false(b->crew.is_provisional);
    assert_false(b->crew.succeeds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_is_a_way_back_until_the_commit_also_where_no_proxy_serves),
        TEST(who_succeeds_a_proxy_that_serves_is_provisional_too),
        TEST(the_first_program_has_nothing_to_go_back_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
