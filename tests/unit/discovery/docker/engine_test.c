#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/engine_call.h"
#include "tests/unit/discovery/docker/fake_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct loop *loop;
    struct http_client *http;
    struct fake_engine fake;
    struct docker_engine *engine;
    char endpoint[128];
    struct config_docker config;
    bool done;
    size_t done_count, wanted_held;
    enum docker_result result;
    int status;
    char text[512];
    char body[256];
    char id[DOCKER_ID_SIZE];
    struct docker_call *other;
};

static void on_answer(void *owner, const struct docker_answer *answer)
{
    struct bench *b = owner;
    b->done = true;
    b->done_count++;
    b->result = answer->result;
    b->status = answer->status;
    snprintf(b->text, sizeof b->text, "%s", answer->text);
    snprintf(b->body, sizeof b->body, "%.*s", SLICE_FMT(answer->body));
    if (!docker_answer_find_id(answer, b->id))
        b->id[0] = '\0';
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    b->loop = loop_new();
    b->http = http_client_new(b->loop, 256);
    fake_engine_start(&b->fake, b->loop);
    snprintf(b->endpoint, sizeof b->endpoint, "unix://%s", b->fake.server.path);
    b->config = (struct config_docker){ .enabled = true, .endpoint = b->endpoint };
    b->engine = docker_engine_new(b->loop, b->http, &b->config, NULL);
    assert_non_null(b->engine);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    docker_engine_free(b->engine);
    http_client_free(b->http);
    fake_engine_stop(&b->fake);
    loop_free(b->loop);
    free(b);
    return 0;
}

static void wait_for_answer(struct bench *b, struct docker_call *call)
{
    assert_non_null(call);
    assert_false(b->done); /* never from inside */
    scripted_run_until(b->loop, &b->done);
    b->done = false;
}

static enum docker_engine_state state_of(struct bench *b)
{
    struct docker_engine_status status;
    docker_engine_status(b->engine, &status);
    return status.state;
}

static bool is_unknown(void *owner)
{
    return state_of(owner) == DOCKER_ENGINE_UNKNOWN;
}

static bool is_unreachable(void *owner)
{
    return state_of(owner) == DOCKER_ENGINE_UNREACHABLE;
}

static void calls_wait_for_the_version_and_speak_it(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, "\"a\":\"b\"");
    assert_int_equal(state_of(b), DOCKER_ENGINE_UNKNOWN);
    wait_for_answer(
        b, docker_engine_inspect(b->engine, b->fake.containers[1].id, DOCKER_INSPECT_DEADLINE_MS, on_answer, b));
    assert_int_equal(b->result, DOCKER_OK);
    assert_int_equal(state_of(b), DOCKER_ENGINE_REACHABLE);
    assert_memory_equal(b->fake.last_target, "GET /v1.41/containers/1111", 26);
}

static void the_version_is_the_smaller_of_both(void **state)
{
    static const struct {
        const char *engine, *spoken;
    } rows[] = {
        { "1.24", "1.24" }, { "1.41", "1.41" },  { "1.47", "1.47" }, { "1.48", "1.47" }, { "1.99", "1.47" },
        { "2.0", "1.47" },  { "1.23", NULL },    { "0.99", NULL },   { "", NULL },       { NULL, NULL },
        { "1", NULL },      { "1.", NULL },      { "1.4x", NULL },   { "-1.41", NULL },  { "1.41/../x", NULL },
        { "1.41.0", NULL }, { "99999.1", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[DOCKER_VERSION_SIZE] = "";
        struct error error = { "" };
        bool accepted = docker_version_negotiate(rows[i].engine, out, &error);
        assert_int_equal(accepted, rows[i].spoken != NULL);
        if (accepted)
            assert_string_equal(out, rows[i].spoken);
        else
            assert_true(error.text[0] != '\0');
    }
}

static void an_engine_too_old_is_refused_in_clear_words(void **state)
{
    struct bench *b = *state;
    b->fake.api_version = "1.12";
    wait_for_answer(b, docker_engine_list(b->engine, NULL, NULL, on_answer, b));
    assert_int_equal(b->result, DOCKER_UNREACHABLE);
    assert_non_null(strstr(b->text, "the engine speaks API version 1.12, 1.24 or newer is needed"));
    assert_int_equal(b->fake.list_count, 0);
}

static void calls_fail_at_once_while_it_is_away_and_work_when_it_is_back(void **state)
{
    struct bench *b = *state;
    scripted_server_refuse(&b->fake.server);
    wait_for_answer(b, docker_engine_list(b->engine, NULL, NULL, on_answer, b)); /* asked while unknown */
    assert_int_equal(b->result, DOCKER_UNREACHABLE);
    assert_int_equal(state_of(b), DOCKER_ENGINE_UNREACHABLE);
    assert_non_null(strstr(b->text, "list: the engine is unreachable: "));
    assert_non_null(strstr(b->text, b->fake.server.path));
    wait_for_answer(b, docker_engine_list(b->engine, NULL, NULL, on_answer, b)); /* asked while unreachable */
    assert_int_equal(b->result, DOCKER_UNREACHABLE);
    scripted_server_listen_again(&b->fake.server);
    scripted_run_while(b->loop, is_unreachable, b);
    wait_for_answer(b, docker_engine_list(b->engine, NULL, NULL, on_answer, b));
    assert_int_equal(b->result, DOCKER_OK);
}

static void a_refused_connection_of_a_call_is_noticed_before_the_next_ping(void **state)
{
    struct bench *b = *state;
    scripted_run_while(b->loop, is_unknown, b);
    scripted_server_refuse(&b->fake.server);
    wait_for_answer(b, docker_engine_list(b->engine, NULL, NULL, on_answer, b));
    assert_int_equal(b->result, DOCKER_UNREACHABLE);
    assert_int_equal(state_of(b), DOCKER_ENGINE_UNREACHABLE);
}

static bool is_doubted(void *owner)
{
    struct bench *b = owner;
    struct docker_engine_status status;
    docker_engine_status(b->engine, &status);
    return status.is_doubted;
}

static void a_failed_call_stops_starting_until_a_fresh_connection_answers(void **state)
{
    struct bench *b = *state;
    wait_for_answer(b, docker_engine_list(b->engine, NULL, NULL, on_answer, b));
    b->fake.next_status = 500;
    wait_for_answer(b, docker_engine_start(b->engine, NULL, "abc", on_answer, b));
    assert_int_equal(b->result, DOCKER_FAILED);
    assert_true(is_doubted(b));
    size_t pings = b->fake.ping_count;
    b->fake.next_status = 204;
    wait_for_answer(b, docker_engine_start(b->engine, NULL, "abc", on_answer, b)); /* it waited for the ping */
    assert_int_equal(b->result, DOCKER_OK);
    assert_int_equal(b->fake.ping_count, pings + 1);
    assert_false(is_doubted(b));
}

static void an_engine_that_only_answers_on_old_connections_starts_nothing(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, "\"a\":\"b\"");
    wait_for_answer(
        b, docker_engine_inspect(b->engine, b->fake.containers[1].id, DOCKER_INSPECT_DEADLINE_MS, on_answer, b));
    scripted_server_refuse_new(&b->fake.server);
    docker_engine_doubt(b->engine); /* a container of ours has ended */
    wait_for_answer(b, docker_engine_start(b->engine, NULL, "abc", on_answer, b));
    assert_int_equal(b->result, DOCKER_UNREACHABLE);
    assert_non_null(strstr(b->text, "the engine is unreachable"));
    assert_null(strstr(b->fake.last_target, "/start"));
}

static void the_engines_own_words_are_passed_on(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum docker_result result;
        const char *text;
    } rows[] = {
        { 404, "{\"message\":\"No such container: x\"}", DOCKER_NOT_FOUND, "start x: 404: No such container: x" },
        { 409, "{\"message\":\"name in use\"}", DOCKER_CONFLICT, "start x: 409: name in use" },
        { 400, "{\"message\":\"bad parameter\"}", DOCKER_REFUSED, "start x: 400: bad parameter" },
        { 500, "{\"message\":\"no space left\"}", DOCKER_FAILED, "start x: 500: no space left" },
        { 500, "<html>", DOCKER_FAILED, "start x: 500 without a message" },
        { 500, "{\"message\":5}", DOCKER_FAILED, "start x: 500 without a message" },
        { 304, "", DOCKER_ALREADY, "start x: 304" },
        { 204, "", DOCKER_OK, "start x: 204" },
        { 302, "", DOCKER_BAD_ANSWER, "start x: 302" },
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        b->fake.next_status = rows[i].status;
        b->fake.next_answer = rows[i].body;
        wait_for_answer(b, docker_engine_start(b->engine, NULL, "x", on_answer, b));
        assert_int_equal(b->result, rows[i].result);
        assert_int_equal(b->status, rows[i].status);
        assert_string_equal(b->text, rows[i].text);
    }
}

static void a_long_message_keeps_its_end(void **state)
{
    struct bench *b = *state;
    char message[700], answer[760];
    memset(message, 'x', sizeof message);
    snprintf(message + sizeof message - 15, 15, " no such file");
    snprintf(answer, sizeof answer, "{\"message\":\"%s\"}", message);
    b->fake.next_status = 400;
    b->fake.next_answer = answer;
    wait_for_answer(b, docker_engine_start(b->engine, NULL, "x", on_answer, b));
    assert_int_equal(strncmp(b->text, "start x: 400: xxxx", 18), 0);
    assert_non_null(strstr(b->text, "xx ... xx"));
    assert_string_equal(b->text + strlen(b->text) - 13, " no such file");
    assert_true(strlen(b->text) < 340);
}

static void each_call_asks_what_the_api_wants(void **state)
{
    struct bench *b = *state;
    wait_for_answer(b, docker_engine_list(b->engine, "portico.managed-by=portico", NULL, on_answer, b));
    assert_string_equal(b->fake.last_target, "GET /v1.41/containers/json?all=1&filters="
                                             "%7B%22label%22%3A%5B%22portico.managed-by%3Dportico%22%5D%7D");
    wait_for_answer(b, docker_engine_list(b->engine, NULL, NULL, on_answer, b));
    assert_string_equal(b->fake.last_target, "GET /v1.41/containers/json?all=1");
    b->fake.next_answer = "{\"Id\":\"abc123\",\"Warnings\":[]}";
    b->fake.next_status = 201;
    wait_for_answer(b,
                    docker_engine_create(b->engine, NULL, "web-1", SLICE_LITERAL("{\"Image\":\"x\"}"), on_answer, b));
    assert_string_equal(b->fake.last_target, "POST /v1.41/containers/create?name=web-1");
    assert_string_equal(b->fake.last_body, "{\"Image\":\"x\"}");
    assert_string_equal(b->id, "abc123");
    wait_for_answer(b, docker_engine_create(b->engine, NULL, NULL, SLICE_LITERAL("{}"), on_answer, b));
    assert_string_equal(b->fake.last_target, "POST /v1.41/containers/create");
    wait_for_answer(b, docker_engine_start(b->engine, NULL, "x", on_answer, b));
    assert_string_equal(b->fake.last_target, "POST /v1.41/containers/x/start");
    wait_for_answer(b, docker_engine_stop(b->engine, NULL, "x", 30, on_answer, b));
    assert_string_equal(b->fake.last_target, "POST /v1.41/containers/x/stop?t=30");
    wait_for_answer(b, docker_engine_stop(b->engine, NULL, "x", -1, on_answer, b));
    assert_string_equal(b->fake.last_target, "POST /v1.41/containers/x/stop?t=0");
    wait_for_answer(b, docker_engine_kill(b->engine, "x", "SIGRTMIN+3", on_answer, b));
    assert_string_equal(b->fake.last_target, "POST /v1.41/containers/x/kill?signal=SIGRTMIN%2B3");
    wait_for_answer(b, docker_engine_remove(b->engine, NULL, "x", true, on_answer, b));
    assert_string_equal(b->fake.last_target, "DELETE /v1.41/containers/x?v=1&force=1");
    wait_for_answer(b, docker_engine_remove(b->engine, NULL, "x", false, on_answer, b));
    assert_string_equal(b->fake.last_target, "DELETE /v1.41/containers/x?v=1");
    wait_for_answer(b, docker_engine_logs(b->engine, NULL, "x", 20, NULL, on_answer, b));
    assert_string_equal(b->fake.last_target, "GET /v1.41/containers/x/logs?stdout=1&stderr=1&tail=20");
    wait_for_answer(b, docker_engine_inspect_image(b->engine, "reg:5000/a/b:1@sha256:0f", on_answer, b));
    assert_string_equal(b->fake.last_target, "GET /v1.41/images/reg:5000/a/b:1@sha256:0f/json");
}

static void malformed_names_are_never_sent(void **state)
{
    static const char *const names[] = { "", "../x", "a/b", "a?force=1", "a b", "a\r\nX: y", "-a", ".", "%2e", "\xff" };
    static const char *const images[] = { "", "../x", "a/../b", "a//b", "a b", "/a", "a?x", "a/./b", "a#b" };
    struct bench *b = *state;
    size_t requests = b->fake.server.request_count;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        wait_for_answer(b, docker_engine_inspect(b->engine, names[i], DOCKER_INSPECT_DEADLINE_MS, on_answer, b));
        assert_int_equal(b->result, DOCKER_REFUSED);
        wait_for_answer(b, docker_engine_create(b->engine, NULL, names[i], SLICE_LITERAL("{}"), on_answer, b));
        assert_int_equal(b->result, DOCKER_REFUSED);
    }
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        wait_for_answer(b, docker_engine_inspect_image(b->engine, images[i], on_answer, b));
        assert_int_equal(b->result, DOCKER_REFUSED);
    }
    wait_for_answer(b, docker_engine_kill(b->engine, "x", "TERM&x=1", on_answer, b));
    assert_int_equal(b->result, DOCKER_REFUSED);
    char longest[200];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    wait_for_answer(b, docker_engine_inspect(b->engine, longest, DOCKER_INSPECT_DEADLINE_MS, on_answer, b));
    assert_int_equal(b->result, DOCKER_REFUSED);
    assert_true(b->fake.server.request_count <= requests + 1); /* the ping */
}

static bool has_fewer_than_40_held(void *owner)
{
    return ((struct bench *)owner)->fake.held_count < 40;
}

static void stops_do_not_wait_behind_inspects_nor_the_other_way_round(void **state)
{
    struct bench *b = *state;
    b->fake.holds_inspects = true;
    for (int i = 0; i < 64; i++)
        docker_engine_inspect(b->engine, "x", DOCKER_INSPECT_DEADLINE_MS, on_answer, b);
    scripted_run_while(b->loop, has_fewer_than_40_held, b);
    scripted_run_turns(b->loop, 10);
    struct docker_engine_status status;
    docker_engine_status(b->engine, &status);
    assert_int_equal(status.in_flight_count, 40);
    assert_int_equal(status.waiting_count, 24);
    wait_for_answer(b, docker_engine_stop(b->engine, NULL, "x", 1, on_answer, b));
    assert_int_equal(b->result, DOCKER_OK);
    assert_int_equal(b->fake.held_count, 40);
}

static bool has_fewer_held(void *owner)
{
    struct bench *b = owner;
    return b->fake.held_count < b->wanted_held;
}

static void stops_that_hang_starve_neither_creations_nor_removals_nor_other_services(void **state)
{
    struct bench *b = *state;
    b->fake.holds_stops = true;
    for (int i = 0; i < 99; i++)
        docker_engine_stop(b->engine, "web", "x", 30, on_answer, b);
    b->wanted_held = 64; /* its share */
    scripted_run_while(b->loop, has_fewer_held, b);
    wait_for_answer(b, docker_engine_create(b->engine, "web", "y", SLICE_LITERAL("{}"), on_answer, b));
    wait_for_answer(b, docker_engine_start(b->engine, "web", "y", on_answer, b));
    wait_for_answer(b, docker_engine_remove(b->engine, "web", "z", false, on_answer, b));
    wait_for_answer(b, docker_engine_inspect(b->engine, "y", DOCKER_INSPECT_DEADLINE_MS, on_answer, b));
    assert_int_equal(b->fake.held_count, 64);
    docker_engine_stop(b->engine, "api", "x", 30, on_answer, b);
    b->wanted_held = 65;
    scripted_run_while(b->loop, has_fewer_held, b);
    struct docker_engine_status status;
    docker_engine_status(b->engine, &status);
    assert_int_equal(status.waiting_count, 35);
    assert_int_equal(status.in_flight_count, 65);
}

static void what_is_asked_before_an_end_holds_up_no_look(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, "")->hangs = true;
    fake_engine_add(&b->fake, 2, "");
    for (int i = 0; i < 99; i++)
        docker_engine_inspect_ending(b->engine, b->fake.containers[1].id, on_answer, b);
    b->wanted_held = 64;
    scripted_run_while(b->loop, has_fewer_held, b);
    wait_for_answer(
        b, docker_engine_inspect(b->engine, b->fake.containers[2].id, DOCKER_INSPECT_DEADLINE_MS, on_answer, b));
    assert_int_equal(b->result, DOCKER_OK);
    assert_int_equal(b->fake.held_count, 64);
}

static void too_many_waiting_calls_are_refused(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < DOCKER_CALLS_MAX; i++)
        docker_engine_inspect(b->engine, "x", DOCKER_INSPECT_DEADLINE_MS, on_answer, b);
    docker_engine_inspect(b->engine, "x", DOCKER_INSPECT_DEADLINE_MS, on_answer, b);
    scripted_run_until(b->loop, &b->done);
    assert_int_equal(b->result, DOCKER_REFUSED);
    assert_non_null(strstr(b->text, "4096 calls are waiting"));
}

static void cancel_other(void *owner, const struct docker_answer *answer)
{
    struct bench *b = owner;
    on_answer(owner, answer);
    docker_engine_cancel(b->engine, b->other);
}

static void a_cancelled_call_calls_nobody(void **state)
{
    struct bench *b = *state;
    docker_engine_cancel(b->engine,
                         docker_engine_inspect(b->engine, "x", DOCKER_INSPECT_DEADLINE_MS, on_answer, b)); /* waiting */
    docker_engine_cancel(b->engine,
                         docker_engine_inspect(b->engine, "/", DOCKER_INSPECT_DEADLINE_MS, on_answer, b)); /* refused */
    scripted_run_while(b->loop, is_unknown, b);
    docker_engine_cancel(
        b->engine, docker_engine_inspect(b->engine, "x", DOCKER_INSPECT_DEADLINE_MS, on_answer, b)); /* in flight */
    docker_engine_inspect(b->engine, "/", DOCKER_INSPECT_DEADLINE_MS, cancel_other,
                          b); /* refused, cancels another refused one */
    b->other = docker_engine_inspect(b->engine, "/", DOCKER_INSPECT_DEADLINE_MS, on_answer, b);
    scripted_run_until(b->loop, &b->done);
    scripted_run_turns(b->loop, 10);
    assert_int_equal(b->done_count, 1);
    struct docker_engine_status status;
    docker_engine_status(b->engine, &status);
    assert_int_equal(status.in_flight_count + status.waiting_count, 0);
}

static void a_ping_that_is_late_while_other_calls_are_answered_says_nothing(void **state)
{
    (void)state;
    assert_true(docker_ping_says_nothing(HTTP_OUTCOME_TIMEOUT, 1000, 1001));
    assert_false(docker_ping_says_nothing(HTTP_OUTCOME_TIMEOUT, 1000, 999));
    assert_false(docker_ping_says_nothing(HTTP_OUTCOME_CONNECT_FAILED, 1000, 1001));
    assert_false(docker_ping_says_nothing(HTTP_OUTCOME_CONNECT_TIMEOUT, 1000, 1001));
}

static void every_outcome_has_its_result(void **state)
{
    (void)state;
    assert_int_equal(docker_result_of(HTTP_OUTCOME_TOO_LARGE, 200), DOCKER_BAD_ANSWER);
    assert_int_equal(docker_result_of(HTTP_OUTCOME_BAD_ANSWER, 0), DOCKER_BAD_ANSWER);
    assert_int_equal(docker_result_of(HTTP_OUTCOME_TIMEOUT, 200), DOCKER_TIMEOUT);
    assert_int_equal(docker_result_of(HTTP_OUTCOME_CLOSED, 200), DOCKER_UNREACHABLE);
    assert_int_equal(docker_result_of(HTTP_OUTCOME_CONNECT_FAILED, 0), DOCKER_UNREACHABLE);
    assert_int_equal(docker_result_of(HTTP_OUTCOME_NOT_SENT, 0), DOCKER_REFUSED);
}

static void endpoints_that_are_not_safe_are_refused(void **state)
{
    static const struct {
        const char *endpoint;
        bool with_tls, accepted, insecure;
    } rows[] = {
        { "tcp://127.0.0.1:2375", false, true, false },
        { "tcp://localhost:2375", false, true, false },
        { "tcp://socket-proxy:2375", false, false, false },
        { "tcp://socket-proxy:2375", false, true, true },
        { "tcp://192.0.2.1:2376", true, true, false },
        { "tcp://192.0.2.1:2375", false, false, false },
        { "tcp://[2001:db8::1]:2376", true, true, false },
        { "tcp://", true, false, false },
        { "tcp://a b:1", true, false, false },
        { "tcp://a:0", true, false, false },
        { "tcp://a:99999", true, false, false },
        { "tcp://a:1/x", true, false, false },
        { "tcp://user@a:1", true, false, false },
        { "http://192.0.2.1", true, false, false },
        { "unix://relative", false, false, false },
        { "fd://", false, false, false },
        { "", false, false, false },
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { "" };
        char endpoint[64], tls[] = "/nonexistent.pem";
        snprintf(endpoint, sizeof endpoint, "%s", rows[i].endpoint);
        struct config_docker config = { .enabled = true, .endpoint = endpoint, .insecure = rows[i].insecure };
        if (rows[i].with_tls)
            config.tls_ca = config.tls_cert = config.tls_key = tls;
        struct docker_engine *engine = docker_engine_new(b->loop, b->http, &config, &error);
        if ((engine != NULL) != rows[i].accepted)
            fail_msg("%s: %s", rows[i].endpoint, error.text);
        assert_int_equal(error.text[0] != '\0', engine == NULL);
        if (engine)
            assert_int_equal(docker_engine_remote_host(engine) != NULL, rows[i].with_tls);
        docker_engine_free(engine);
    }
}

static void the_back_off_grows_to_five_seconds_with_jitter(void **state)
{
    (void)state;
    for (unsigned attempt = 0; attempt < 40; attempt++)
        for (uint32_t random = 0; random < 5000; random += 7) {
            int64_t middle = attempt >= 6 ? 5000 : 100 << attempt;
            int64_t delay_ms = docker_backoff_ms(attempt, random);
            assert_in_range(delay_ms, middle * 8 / 10, middle * 12 / 10);
        }
    assert_int_not_equal(docker_backoff_ms(6, 1), docker_backoff_ms(6, 1000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_wait_for_the_version_and_speak_it),
        cmocka_unit_test(the_version_is_the_smaller_of_both),
        TEST(an_engine_too_old_is_refused_in_clear_words),
        TEST(calls_fail_at_once_while_it_is_away_and_work_when_it_is_back),
        TEST(a_refused_connection_of_a_call_is_noticed_before_the_next_ping),
        TEST(a_failed_call_stops_starting_until_a_fresh_connection_answers),
        TEST(an_engine_that_only_answers_on_old_connections_starts_nothing),
        TEST(the_engines_own_words_are_passed_on),
        TEST(a_long_message_keeps_its_end),
        TEST(each_call_asks_what_the_api_wants),
        TEST(malformed_names_are_never_sent),
        TEST(stops_do_not_wait_behind_inspects_nor_the_other_way_round),
        TEST(stops_that_hang_starve_neither_creations_nor_removals_nor_other_services),
        TEST(what_is_asked_before_an_end_holds_up_no_look),
        TEST(too_many_waiting_calls_are_refused),
        TEST(a_cancelled_call_calls_nobody),
        cmocka_unit_test(a_ping_that_is_late_while_other_calls_are_answered_says_nothing),
        cmocka_unit_test(every_outcome_has_its_result),
        TEST(endpoints_that_are_not_safe_are_refused),
        cmocka_unit_test(the_back_off_grows_to_five_seconds_with_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
