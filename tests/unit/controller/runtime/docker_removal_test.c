/* What a removal tells of the container, from an engine that is asked over its socket. */
#include "controller/runtime/docker_runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "discovery/docker/engine.h"
#include "tests/unit/discovery/docker/fake_engine.h"

#define REMOVALS_MAX 30 /* more than there are places for logs; their connections fit into the backlog of the fake */

static const struct ownership ownership = { .key = "a key" };

struct removal {
    struct bench *bench;
    enum runtime_result result;
    char text[256];
    struct last_words words; /* output is a copy of ours */
    bool has_words;
};

struct bench {
    struct loop *loop;
    struct http_client *http;
    struct fake_engine fake;
    struct docker_engine *engine;
    struct runtime *runtime;
    struct removal removals[REMOVALS_MAX];
    size_t asked_count, done_count;
    char labels[512];
};

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    char endpoint[128], proof[OWNERSHIP_PROOF_SIZE];
    log_init("test", LOG_LEVEL_ERROR);
    b->loop = loop_new();
    b->http = http_client_new(b->loop, 256);
    fake_engine_start(&b->fake, b->loop);
    snprintf(endpoint, sizeof endpoint, "unix://%s", b->fake.server.path);
    const struct config_docker config = { .enabled = true, .endpoint = endpoint };
    b->engine = docker_engine_new(b->loop, b->http, &config, NULL);
    b->runtime = docker_runtime_new(b->loop, b->engine, "prod", &ownership, &config);
    ownership_prove(&ownership,
                    &(struct ownership_claim){
                        .cluster = "prod", .name = "c1", .service = "web", .revision = "abc", .port = "8080" },
                    proof);
    snprintf(
        b->labels, sizeof b->labels,
        "\"portico.managed-by\":\"portico\",\"portico.cluster\":\"prod\",\"portico.service\":\"web\","
        "\"portico.port\":\"8080\",\"portico.revision\":\"abc\",\"portico.image\":\"web:1\",\"portico.proof\":\"%s\"",
        proof);
    struct fake_container *c = fake_engine_add(&b->fake, 1, b->labels);
    c->status = "exited";
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    b->runtime->ops->close(b->runtime);
    docker_engine_free(b->engine);
    http_client_free(b->http);
    fake_engine_stop(&b->fake);
    loop_free(b->loop);
    for (size_t i = 0; i < b->asked_count; i++)
        free(b->removals[i].words.output);
    free(b);
    return 0;
}

static void on_removed(void *owner, enum runtime_result result, const char *text, const struct last_words *words)
{
    struct removal *r = owner;
    r->result = result;
    r->has_words = words != NULL;
    snprintf(r->text, sizeof r->text, "%s", text);
    if (words != NULL) {
        r->words = *words;
        r->words.output = words->output != NULL ? mem_strdup(words->output) : NULL;
    }
    r->bench->done_count++;
}

static bool is_waiting(void *owner)
{
    const struct bench *b = owner;
    return b->done_count < b->asked_count;
}

static struct removal *ask(struct bench *b)
{
    struct removal *r = &b->removals[b->asked_count++];
    r->bench = b;
    b->runtime->ops->remove(b->runtime, b->fake.containers[1].id, on_removed, r);
    return r;
}

static struct removal *remove_one(struct bench *b)
{
    struct removal *r = ask(b);
    scripted_run_while(b->loop, is_waiting, b);
    return r;
}

static void every_end_is_told_with_its_last_lines(void **state)
{
    static const int codes[] = { 0, 1, 137, 143 };
    struct bench *b = *state;
    b->fake.next_answer = "one\ntwo\n";
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        b->fake.containers[1].exit_code = codes[i];
        struct removal *r = remove_one(b);
        assert_int_equal(r->result, RUNTIME_OK);
        assert_string_equal(r->text, "");
        assert_true(r->has_words);
        assert_int_equal(r->words.exit_code, codes[i]);
        assert_string_equal(r->words.output, "one\ntwo");
        assert_string_equal(r->words.output_problem, "");
        assert_string_equal(r->words.image, "web:1");
        assert_memory_equal(b->fake.last_target, "DELETE ", 7);
    }
}

static void a_logging_driver_that_gives_nothing_back_says_so_and_the_engine_is_not_doubted(void **state)
{
    struct bench *b = *state;
    struct docker_engine_status status;
    b->fake.next_status = 501;
    b->fake.next_answer = "{\"message\":\"configured logging driver does not support reading\"}";
    struct removal *r = remove_one(b);
    assert_true(r->has_words); /* whatever the removal answers, which is 501 here too */
    assert_null(r->words.output);
    assert_string_equal(r->words.output_problem,
                        "logs 111111111111: 501: configured logging driver does not support reading");
    docker_engine_status(b->engine, &status);
    assert_false(status.is_doubted);
}

static void one_that_never_ran_is_not_asked_for_its_output(void **state)
{
    struct bench *b = *state;
    b->fake.containers[1].started_at = "0001-01-01T00:00:00Z";
    b->fake.next_answer = "one\n";
    struct removal *r = remove_one(b);
    assert_int_equal(r->words.exit_code, -1);
    assert_string_equal(r->words.output, "");
}

static void logs_that_hang_hold_up_no_removal(void **state)
{
    struct bench *b = *state;
    b->fake.holds_logs = true;
    for (size_t i = 0; i < REMOVALS_MAX; i++)
        ask(b);
    scripted_run_while(b->loop, is_waiting, b); /* more than there are places: each has its own wait */
    for (size_t i = 0; i < REMOVALS_MAX; i++) {
        const struct removal *r = &b->removals[i];
        assert_int_equal(r->result, RUNTIME_OK);
        assert_null(r->words.output);
        assert_string_equal(r->words.output_problem, "the engine did not give all of it within 2 s");
    }
}

static void one_that_is_gone_has_nothing_to_tell(void **state)
{
    struct bench *b = *state;
    b->fake.inspect_status = 404;
    struct removal *r = remove_one(b);
    assert_int_equal(r->result, RUNTIME_OK);
    assert_false(r->has_words);
}

static void a_strangers_container_is_not_read(void **state)
{
    struct bench *b = *state;
    b->fake.containers[1].labels = "\"portico.managed-by\":\"portico\",\"portico.cluster\":\"prod\"";
    struct removal *r = remove_one(b);
    assert_int_equal(r->result, RUNTIME_REFUSED);
    assert_false(r->has_words);
}

static bool is_nothing_held(void *owner)
{
    return ((struct bench *)owner)->fake.held_count == 0;
}

static void what_is_abandoned_while_its_output_is_read_leaves_nothing(void **state)
{
    struct bench *b = *state;
    b->fake.holds_logs = true;
    ask(b);
    scripted_run_while(b->loop, is_nothing_held, b);
    b->runtime->ops->abandon(b->runtime);
    assert_int_equal(b->done_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_end_is_told_with_its_last_lines),
        TEST(a_logging_driver_that_gives_nothing_back_says_so_and_the_engine_is_not_doubted),
        TEST(one_that_never_ran_is_not_asked_for_its_output),
        TEST(logs_that_hang_hold_up_no_removal),
        TEST(one_that_is_gone_has_nothing_to_tell),
        TEST(a_strangers_container_is_not_read),
        TEST(what_is_abandoned_while_its_output_is_read_leaves_nothing),
    };
    return cmocka_run_group_tests_name("docker_removal", tests, NULL, NULL);
}
