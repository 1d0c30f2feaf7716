#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/task_memory.h"
#include "tests/unit/base/scripted_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    char folder[40], path[80];
    struct loop *loop;
    struct task_registry *registry;
    uint8_t docker, file;
    struct task_memory *memory;
};

static void begin(struct bench *b)
{
    b->registry = task_registry_new();
    b->file = task_registry_add_provider(b->registry, "file");
    b->docker = task_registry_add_provider(b->registry, "docker");
    b->memory = task_memory_new(b->loop, b->registry, b->docker, b->folder);
}

static void end(struct bench *b)
{
    task_memory_free(b->memory);
    task_registry_free(b->registry);
}

/* Another process begins. */
static void restart(struct bench *b)
{
    end(b);
    begin(b);
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    strcpy(b->folder, "/tmp/task-memory-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->path, sizeof b->path, "%s/" TASK_MEMORY_NAME, b->folder);
    b->loop = loop_new();
    begin(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    end(b);
    loop_free(b->loop);
    unlink(b->path);
    rmdir(b->folder);
    free(b);
    return 0;
}

static void sync_docker(struct bench *b)
{
    task_registry_begin_sync(b->registry, b->docker);
    task_registry_end_sync(b->registry, b->docker);
}

static bool is_not_written(void *owner)
{
    struct bench *b = owner;
    return access(b->path, F_OK) != 0;
}

static void wait_until_written(struct bench *b)
{
    unlink(b->path);
    scripted_run_while(b->loop, is_not_written, b);
}

static struct task_spec full_spec(const char *id)
{
    struct task_spec spec = { .name = "web-1",
                              .service = "web",
                              .address = "172.17.0.2:80",
                              .host = "a.test,b.test",
                              .path = "/api",
                              .revision = "r7",
                              .image_id = "sha256:3f2a",
                              .proxy_protocol = "v2",
                              .managed = true,
                              .problem = "",
                              .weight = 7,
                              .state = TASK_RUNNING,
                              .has_engine_health = true,
                              .engine_health = TASK_HEALTH_UP,
                              .engine_words = "fine \"indeed\"",
                              .start_period_ms = 1000,
                              .check = { .path = "/health", .interval_ms = 2000, .timeout_ms = 500 },
                              .started_at_wall_us = 1795384200500000,
                              .exit_code = -3,
                              .is_signalled = true };
    snprintf(spec.id, sizeof spec.id, "%s", id);
    return spec;
}

static void on_change(void *owner, const char *service)
{
    (void)service;
    *(bool *)owner = true;
}

static void an_earlier_process_is_remembered_whole(void **state)
{
    struct bench *b = *state;
    struct task_spec spec = full_spec("a"), other = full_spec("file/web/1");
    size_t count;
    sync_docker(b);
    task_registry_apply(b->registry, b->docker, &spec);
    task_registry_apply(b->registry, b->file, &other);
    task_registry_set_probe(b->registry, "a", TASK_HEALTH_UP, "status 200 in 1 ms");
    task_registry_set_admin(b->registry, "a", TASK_ADMIN_DRAINING);
    wait_until_written(b);
    struct task before = *task_registry_find(b->registry, "a");
    struct stat file;
    assert_int_equal(stat(b->path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);

    restart(b);
    assert_false(task_registry_is_known(b->registry, b->docker));
    assert_true(task_memory_recall(b->memory, &count));
    assert_int_equal(count, 1); /* the other provider's are not this one's to remember */
    assert_true(task_registry_is_known(b->registry, b->docker));
    assert_false(task_registry_is_synced(b->registry, b->docker));
    const struct task *after = task_registry_find(b->registry, "a");
    assert_non_null(after);
    assert_string_equal(after->spec.engine_words, "fine \"indeed\"");
    bool is_told = false;
    task_registry_set_listener(b->registry, on_change, &is_told);
    assert_true(task_registry_apply(b->registry, b->docker, &before.spec));
    assert_false(is_told); /* every other field is what it was */
    assert_int_equal(after->probe_health, TASK_HEALTH_UP);
    assert_string_equal(after->probe_words, "status 200 in 1 ms");
    assert_int_equal(after->admin, TASK_ADMIN_DRAINING);
    assert_true(after->was_healthy);
    assert_int_equal(task_registry_managed_room(b->registry), TASK_REGISTRY_MANAGED_MAX - 1);
}

static void the_first_list_takes_away_what_it_does_not_name(void **state)
{
    struct bench *b = *state;
    struct task_spec gone = full_spec("gone"), stays = full_spec("stays");
    size_t count;
    sync_docker(b);
    task_registry_apply(b->registry, b->docker, &gone);
    task_registry_apply(b->registry, b->docker, &stays);
    task_registry_set_probe(b->registry, "stays", TASK_HEALTH_UP, "");
    wait_until_written(b);

    restart(b);
    assert_true(task_memory_recall(b->memory, &count));
    assert_int_equal(count, 2);
    task_registry_begin_sync(b->registry, b->docker);
    task_registry_apply(b->registry, b->docker, &stays);
    task_registry_end_sync(b->registry, b->docker);
    assert_null(task_registry_find(b->registry, "gone"));
    assert_int_equal(task_registry_find(b->registry, "stays")->probe_health, TASK_HEALTH_UP);
    assert_true(task_memory_recall(b->memory, &count)); /* too late: the list knows better */
    assert_int_equal(count, 0);
    assert_null(task_registry_find(b->registry, "gone"));
}

/* An engine that is slow, and had been asked before we gave up waiting for it. */
static void a_list_that_had_begun_takes_away_what_it_does_not_name(void **state)
{
    struct bench *b = *state;
    struct task_spec gone = full_spec("gone"), stays = full_spec("stays"), known = full_spec("known");
    size_t count;
    sync_docker(b);
    task_registry_apply(b->registry, b->docker, &gone);
    task_registry_apply(b->registry, b->docker, &stays);
    task_registry_apply(b->registry, b->docker, &known);
    wait_until_written(b);

    restart(b);
    task_registry_begin_sync(b->registry, b->docker);
    task_registry_apply(b->registry, b->docker, &known);
    assert_true(task_memory_recall(b->memory, &count));
    assert_int_equal(count, 2);
    task_registry_apply(b->registry, b->docker, &stays);
    task_registry_end_sync(b->registry, b->docker);
    assert_null(task_registry_find(b->registry, "gone"));
    assert_non_null(task_registry_find(b->registry, "stays"));
    assert_non_null(task_registry_find(b->registry, "known"));
}

static void that_there_was_nothing_is_known_too(void **state)
{
    struct bench *b = *state;
    struct task_spec spec = full_spec("a");
    size_t count;
    sync_docker(b);
    task_registry_apply(b->registry, b->docker, &spec);
    task_registry_remove(b->registry, "a");
    wait_until_written(b);
    restart(b);
    assert_true(task_memory_recall(b->memory, &count));
    assert_int_equal(count, 0);
    assert_true(task_registry_is_known(b->registry, b->docker));
}

static void what_came_with_the_first_list_is_written(void **state)
{
    struct bench *b = *state;
    struct task_spec spec = full_spec("a");
    size_t count;
    task_registry_begin_sync(b->registry, b->docker);
    task_registry_apply(b->registry, b->docker, &spec);
    task_registry_end_sync(b->registry, b->docker);
    wait_until_written(b);
    restart(b);
    assert_true(task_memory_recall(b->memory, &count));
    assert_int_equal(count, 1);
}

static void nothing_is_written_before_the_list_is_complete(void **state)
{
    struct bench *b = *state;
    struct task_spec spec = full_spec("a"), late = full_spec("late");
    size_t count;
    sync_docker(b);
    task_registry_apply(b->registry, b->docker, &spec);
    wait_until_written(b);
    restart(b);
    task_registry_apply(b->registry, b->docker, &late); /* half a list */
    restart(b);
    assert_true(task_memory_recall(b->memory, &count));
    assert_int_equal(count, 1);
    assert_non_null(task_registry_find(b->registry, "a"));
}

static void what_was_not_written_by_us_is_not_believed(void **state)
{
    static const char good[] = "{\"id\":\"good\",\"service\":\"web\",\"weight\":1}";
    static const struct {
        const char *entry;
        bool is_file, is_task;
    } rows[] = {
        { "{\"id\":\"x\",\"service\":\"web\",\"weight\":1,\"state\":3}", true, true },
        { "{\"id\":\"x\",\"service\":\"web\",\"weight\":1,\"state\":4}", true, false },
        { "{\"id\":\"x\",\"service\":\"web\",\"weight\":1,\"state\":-1}", true, false },
        { "{\"id\":\"x\",\"service\":\"web\",\"weight\":1,\"exitCode\":2147483648}", true, false },
        { "{\"id\":\"x\",\"service\":\"web\",\"weight\":0}", true, false },
        { "{\"id\":\"\",\"service\":\"web\",\"weight\":1}", true, false },
        { "{\"id\":7,\"service\":\"web\",\"weight\":1}", true, false },
        { "{\"id\":\"x\",\"service\":\"web\",\"weight\":1,\"revision\":\"012345678901234567890123456789012345\"}", true,
          false },
        { "[]", true, false },
        { "{\"id\":", false, false },
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t count;
        restart(b);
        FILE *file = fopen(b->path, "w");
        assert_non_null(file);
        fprintf(file, "{\"tasks\":[%s,%s]}", rows[i].entry, good);
        fclose(file);
        if (task_memory_recall(b->memory, &count) != rows[i].is_file ||
            (task_registry_find(b->registry, "x") != NULL) != rows[i].is_task ||
            (task_registry_find(b->registry, "good") != NULL) != rows[i].is_file)
            fail_msg("row %zu: %zu", i, count);
    }
    restart(b);
    unlink(b->path);
    size_t count;
    assert_false(task_memory_recall(b->memory, &count));
    assert_false(task_registry_is_known(b->registry, b->docker));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_earlier_process_is_remembered_whole),
        TEST(the_first_list_takes_away_what_it_does_not_name),
        TEST(a_list_that_had_begun_takes_away_what_it_does_not_name),
        TEST(that_there_was_nothing_is_known_too),
        TEST(what_came_with_the_first_list_is_written),
        TEST(nothing_is_written_before_the_list_is_complete),
        TEST(what_was_not_written_by_us_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
