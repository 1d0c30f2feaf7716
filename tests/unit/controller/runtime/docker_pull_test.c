/* What becomes of a pull, of an engine that does what a real one cannot be made to do. */
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
#include "tests/unit/base/scripted_server.h"

#define PULLS_MAX 16
#define HEAD "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n"
#define LAYER(status, current)                                                                                        \
    "{\"status\":\"" status "\",\"progressDetail\":{\"current\":" #current ",\"total\":100},\"id\":\"aaaaaaaaaaaa\"}" \
    "\n"

static const struct ownership ownership = { .key = "a key" };

struct pull {
    struct bench *bench;
    enum runtime_result result;
    char text[1024];
    size_t progress_count;
    struct runtime_pull progress;
    bool is_done;
};

struct bench {
    struct loop *loop;
    struct http_client *http;
    struct scripted_server server;
    struct config_docker config;
    struct config_registry registry;
    struct docker_engine *engine;
    struct runtime *runtime;
    struct pull pulls[PULLS_MAX];
    size_t asked_count, done_count;
    struct scripted_conn *conns[PULLS_MAX]; /* with a pull that is not answered */
    size_t conn_count;
    char head[2048]; /* of the last one */
};

static void on_request(void *owner, struct scripted_conn *conn, const char *head, const char *body)
{
    struct bench *b = owner;
    (void)body;
    if (strstr(head, "/images/create?") == NULL) {
        scripted_answer(conn, 200, "OK");
        return;
    }
    snprintf(b->head, sizeof b->head, "%s", head);
    b->conns[b->conn_count++] = conn;
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    b->loop = loop_new();
    b->http = http_client_new(b->loop, 64);
    scripted_server_start_unix(&b->server, b->loop, on_request, b);
    b->registry =
        (struct config_registry){ .name = (char *)"r.example", .username = (char *)"ci", .password = (char *)"secret" };
    b->config = (struct config_docker){ .enabled = true,
                                        .endpoint = mem_printf("unix://%s", b->server.path),
                                        .registries = &b->registry,
                                        .registry_count = 1,
                                        .pull_timeout_ms = 3600 * 1000 };
    b->engine = docker_engine_new(b->loop, b->http, &b->config, NULL);
    b->runtime = docker_runtime_new(b->loop, b->engine, "prod", &ownership, &b->config);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    b->runtime->ops->close(b->runtime);
    docker_engine_free(b->engine);
    http_client_free(b->http);
    scripted_server_stop(&b->server);
    loop_free(b->loop);
    free(b->config.endpoint);
    free(b);
    return 0;
}

static void on_progress(void *owner, const struct runtime_pull *progress)
{
    struct pull *p = owner;
    assert_false(p->is_done);
    p->progress = *progress;
    p->progress_count++;
}

static void on_done(void *owner, enum runtime_result result, const char *id, const char *text)
{
    struct pull *p = owner;
    assert_false(p->is_done);
    assert_string_equal(id, "");
    p->result = result;
    p->is_done = true;
    snprintf(p->text, sizeof p->text, "%s", text);
    p->bench->done_count++;
}

static struct pull *ask(struct bench *b, const char *image)
{
    struct pull *p = &b->pulls[b->asked_count++];
    p->bench = b;
    b->runtime->ops->pull(b->runtime, image, on_progress, on_done, p);
    return p;
}

static bool has_no_conn(void *owner)
{
    return ((struct bench *)owner)->conn_count == 0;
}

/* Asked, and the engine has it. */
static struct pull *begin(struct bench *b, const char *image)
{
    struct pull *p = ask(b, image);
    b->conn_count = 0;
    scripted_run_while(b->loop, has_no_conn, b);
    return p;
}

static void send_chunk(struct bench *b, const char *text)
{
    char *chunk = mem_printf("%zx\r\n%s\r\n", strlen(text), text);
    scripted_send_text(b->conns[0], chunk);
    free(chunk);
}

static struct pull *pull_with(struct bench *b, const char *stream)
{
    struct pull *p = begin(b, "r.example/web:1");
    scripted_send_text(b->conns[0], HEAD);
    send_chunk(b, stream);
    scripted_send_text(b->conns[0], "0\r\n\r\n");
    scripted_run_until(b->loop, &p->is_done);
    return p;
}

static void the_engine_is_asked_for_one_tag_with_the_login_of_its_registry(void **state)
{
    struct bench *b = *state;
    struct pull *p = pull_with(b, LAYER("Downloading", 40) LAYER("Pull complete", 0));
    assert_int_equal(p->result, RUNTIME_OK);
    assert_int_equal(p->progress.downloaded_bytes, 100);
    assert_int_equal(p->progress.done_count, 1);
    assert_non_null(strstr(b->head, "POST /v1.41/images/create?fromImage=r.example%2Fweb&tag=1 "));
    /* {"username":"ci","password":"secret","serveraddress":"r.example"} */
    assert_non_null(strstr(b->head,
                           "\r\nX-Registry-Auth: eyJ1c2VybmFtZSI6ImNpIiwicGFzc3dvcmQiOiJzZWNyZXQiLCJzZXJ2ZXJhZG"
                           "RyZXNzIjoici5leGFtcGxlIn0=\r\n"));
    begin(b, "other.example/web");
    assert_non_null(strstr(b->head, "fromImage=other.example%2Fweb&tag=latest "));
    assert_null(strstr(b->head, "X-Registry-Auth"));
}

static void an_error_in_the_stream_is_the_cause_in_the_engines_words(void **state)
{
    struct pull *p = pull_with(
        *state, LAYER("Downloading", 1) "{\"errorDetail\":{\"message\":\"no space left\"},\"error\":\"x\"}\n");
    assert_int_equal(p->result, RUNTIME_FAILED);
    assert_string_equal(p->text, "pull r.example/web:1: no space left");
}

static void a_refusal_is_told_with_its_status_and_without_the_password(void **state)
{
    static const struct {
        int status;
        enum runtime_result result;
    } cases[] = { { 404, RUNTIME_IMAGE_MISSING }, { 500, RUNTIME_FAILED }, { 403, RUNTIME_REFUSED } };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[96];
        struct pull *p = begin(b, "r.example/web:1");
        scripted_answer(b->conns[0], cases[i].status, "{\"message\":\"unauthorized\"}");
        scripted_run_until(b->loop, &p->is_done);
        snprintf(expected, sizeof expected, "pull r.example/web:1: %d: unauthorized", cases[i].status);
        assert_string_equal(p->text, expected);
        assert_int_equal(p->result, cases[i].result);
    }
}

static void an_answer_that_makes_no_sense_is_a_failure(void **state)
{
    struct bench *b = *state;
    static const char *const streams[] = { "no JSON\n", LAYER("Downloading", 1) "{\"status\":", "[1]\n" };
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct pull *p = pull_with(b, streams[i]);
        assert_int_equal(p->result, RUNTIME_FAILED);
        assert_non_null(
            strstr(p->text, "pull r.example/web:1: the engine's answer makes no sense: a line of it is not"));
    }
}

static void a_line_without_end_is_a_failure_and_takes_no_more_than_its_limit(void **state)
{
    struct bench *b = *state;
    struct pull *p = begin(b, "r.example/web:1");
    char *piece = mem_alloc(65536 + 1);
    memset(piece, 'x', 65536);
    scripted_send_text(b->conns[0], HEAD);
    for (int i = 0; i < 17 && !p->is_done; i++) {
        send_chunk(b, piece);
        scripted_run_turns(b->loop, 20);
    }
    scripted_run_until(b->loop, &p->is_done);
    assert_non_null(strstr(p->text, "a line of it has more than 1048576 bytes"));
    free(piece);
}

static void a_stream_that_breaks_off_went_with_the_engine(void **state)
{
    struct bench *b = *state;
    struct pull *p = begin(b, "r.example/web:1");
    scripted_send_text(b->conns[0], HEAD);
    send_chunk(b, LAYER("Downloading", 1));
    scripted_run_turns(b->loop, 20);
    scripted_close(b->conns[0]);
    scripted_run_until(b->loop, &p->is_done);
    assert_int_equal(p->result, RUNTIME_UNREACHABLE);
}

static void a_stream_that_falls_silent_is_given_up(void **state)
{
    struct bench *b = *state;
    b->config.pull_timeout_ms = 50;
    struct pull *p = ask(b, "r.example/web:1"); /* on a slow machine it may end before the server has read it */
    scripted_run_until(b->loop, &p->is_done);
    assert_int_equal(p->result, RUNTIME_UNKNOWN);
    assert_non_null(strstr(p->text, "50 ms"));
}

/* Against the clock of a fake: a stream that says the same again and again keeps the connection busy. */
static void a_stream_that_says_nothing_new_is_given_up_and_one_that_does_is_not(void **state)
{
    struct bench *b = *state;
    struct pull *p = begin(b, "r.example/web:1");
    int64_t now_us = clock_now_us();
    scripted_send_text(b->conns[0], HEAD);
    clock_set_fake(now_us);
    for (int i = 1; i <= 5; i++) {
        char line[160];
        snprintf(
            line, sizeof line,
            "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":%d,\"total\":9},\"id\":\"aaaaaaaaaaaa\"}\n",
            i);
        clock_set_fake(now_us += INT64_C(3000) * 1000000);
        send_chunk(b, line);
        scripted_run_turns(b->loop, 20);
        assert_false(p->is_done);
    }
    clock_set_fake(now_us += INT64_C(3599) * 1000000);
    send_chunk(b, LAYER("Downloading", 5));
    scripted_run_turns(b->loop, 20);
    assert_false(p->is_done);
    clock_set_fake(now_us + INT64_C(2) * 1000000);
    send_chunk(b, LAYER("Downloading", 5));
    scripted_run_turns(b->loop, 40);
    clock_set_fake(-1);
    scripted_run_until(b->loop, &p->is_done);
    assert_int_equal(p->result, RUNTIME_UNKNOWN);
    assert_string_equal(p->text, "pull r.example/web:1: no progress for 3600 s");
}

static void one_that_is_cancelled_is_ended_at_the_engine_and_answers_no_more(void **state)
{
    struct bench *b = *state;
    struct pull *p = begin(b, "r.example/web:1"), *other = ask(b, "r.example/web:2");
    scripted_send_text(b->conns[0], HEAD);
    send_chunk(b, LAYER("Downloading", 1));
    scripted_run_turns(b->loop, 20);
    assert_true(p->progress_count > 0);
    b->runtime->ops->cancel_pull(b->runtime, p);
    b->runtime->ops->cancel_pull(b->runtime, p);
    scripted_run_until(b->loop, &b->conns[0]->is_closed);
    scripted_run_turns(b->loop, 20);
    assert_false(p->is_done);
    assert_false(other->is_done);
}

static bool has_less_than_its_share(void *owner)
{
    return ((struct bench *)owner)->conn_count < DOCKER_PULLS_MAX / 2;
}

static void one_registry_that_hangs_leaves_room_for_another(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 6; i++)
        ask(b, "hangs.example/web");
    scripted_run_while(b->loop, has_less_than_its_share, b);
    scripted_run_turns(b->loop, 40);
    assert_int_equal(b->conn_count, DOCKER_PULLS_MAX / 2);
    struct pull *p = begin(b, "r.example/web:1");
    scripted_answer(b->conns[0], 200, "");
    scripted_run_until(b->loop, &p->is_done);
    assert_int_equal(p->result, RUNTIME_OK);
}

static void what_cannot_be_asked_for_is_refused_at_once(void **state)
{
    struct bench *b = *state;
    struct pull *p = ask(b, "sha256:0123456789012345678901234567890123456789012345678901234567890123");
    assert_true(p->is_done);
    assert_int_equal(p->result, RUNTIME_REFUSED);
    b->registry.password_file = (char *)"/nowhere/at/all";
    p = ask(b, "r.example/web");
    assert_true(p->is_done);
    assert_string_equal(p->text, "docker.registries[0]: /nowhere/at/all: No such file or directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_engine_is_asked_for_one_tag_with_the_login_of_its_registry),
        TEST(an_error_in_the_stream_is_the_cause_in_the_engines_words),
        TEST(a_refusal_is_told_with_its_status_and_without_the_password),
        TEST(an_answer_that_makes_no_sense_is_a_failure),
        TEST(a_line_without_end_is_a_failure_and_takes_no_more_than_its_limit),
        TEST(a_stream_that_breaks_off_went_with_the_engine),
        TEST(a_stream_that_falls_silent_is_given_up),
        TEST(a_stream_that_says_nothing_new_is_given_up_and_one_that_does_is_not),
        TEST(one_that_is_cancelled_is_ended_at_the_engine_and_answers_no_more),
        TEST(one_registry_that_hangs_leaves_room_for_another),
        TEST(what_cannot_be_asked_for_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
