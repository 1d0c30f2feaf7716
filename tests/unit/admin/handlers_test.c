#include "admin/handlers.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "tests/unit/admin/fakes.h"

#define WHOLE_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* The answer as JSON (owned by the caller), and its status. */
static json_t *call(admin_handler_cb handler, const struct admin_parts *parts, const char *parameter, const char *body,
                    int *status)
{
    struct admin_request request = { .parameter = parameter, .body = slice_of(body) };
    struct admin_reply reply;
    admin_reply_init(&reply);
    handler(parts, &request, &reply);
    *status = reply.status;
    assert_string_equal(reply.content_type, "application/json");
    json_t *document = json_loadb(reply.body.at, reply.body.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    admin_reply_fini(&reply);
    return document;
}

static void assert_error(json_t *document, const char *code, const char *field)
{
    json_t *error = json_object_get(document, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    assert_true(json_string_length(json_object_get(error, "message")) > 0);
    if (field)
        assert_string_equal(json_string_value(json_object_get(error, "field")), field);
    else
        assert_null(json_object_get(error, "field"));
    json_decref(document);
}

static void a_service_is_shown_with_null_for_what_is_unknown(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    json_t *document = call(admin_get_services, &parts, "", "", &status);
    assert_int_equal(status, 200);
    json_t *service = json_array_get(json_object_get(document, "services"), 0);
    assert_string_equal(json_string_value(json_object_get(service, "name")), "web");
    assert_int_equal(json_integer_value(json_object_get(service, "desiredCount")), 2);
    assert_true(json_is_true(json_object_get(service, "managed")));
    assert_true(json_is_null(json_object_get(service, "policy")));
    assert_true(json_is_null(json_object_get(service, "requestsPerSecond")));
    assert_true(json_is_null(json_object_get(service, "lastDecisionAt")));
    assert_int_equal(json_object_size(service), 23);
    json_decref(document);

    fake.services[0].has_traffic = true;
    fake.services[0].requests_per_second = 12.5;
    fake.services[0].latency_p99_ms = __builtin_nan("");
    fake.services[0].last_decision_at_wall_us = 1700000000000000;
    document = call(admin_get_service, &parts, "web", "", &status);
    assert_int_equal(status, 200);
    assert_true(json_real_value(json_object_get(document, "requestsPerSecond")) == 12.5);
    assert_true(json_is_null(json_object_get(document, "latencyP99Ms")));
    assert_string_equal(json_string_value(json_object_get(document, "lastDecisionAt")), "2023-11-14T22:13:20.000Z");
    json_decref(document);
    assert_error(call(admin_get_service, &parts, "shop", "", &status), "not_found", NULL);
    assert_int_equal(status, 404);
}

static void a_patch_reaches_the_controller_and_shows_the_service(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    json_t *document = call(admin_patch_service, &parts, "web", "{\"desiredCount\":4,\"max\":9}", &status);
    assert_int_equal(status, 200);
    assert_string_equal(json_string_value(json_object_get(document, "name")), "web");
    assert_int_equal(fake.last_patch.desired_count, 4);
    assert_int_equal(fake.last_patch.min, -1);
    assert_int_equal(fake.last_patch.max, 9);
    json_decref(document);
}

static void a_patch_that_is_refused_says_why_with_the_right_status(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    assert_error(call(admin_patch_service, &parts, "web", "{\"desiredCount\":true}", &status), "invalid_request",
                 "desiredCount");
    assert_int_equal(status, 400);
    assert_int_equal(fake.effect_count, 0);
    static const struct {
        enum controller_result result;
        const char *text;
        int status;
        const char *code, *field;
    } rows[] = {
        { CONTROLLER_INVALID, "min: 9 is above max 5", 400, "invalid_request", "min" },
        { CONTROLLER_INVALID, "minimum is odd", 400, "invalid_request", NULL },
        { CONTROLLER_CONFLICT, "desiredCount: the service is not managed", 409, "conflict", "desiredCount" },
        { CONTROLLER_NOT_DURABLE, "disk full", 503, "not_durable", NULL },
        { CONTROLLER_NOT_FOUND, "", 404, "not_found", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake.patch_result = rows[i].result;
        snprintf(fake.refusal, sizeof fake.refusal, "%s", rows[i].text);
        assert_error(call(admin_patch_service, &parts, "web", "{\"min\":1}", &status), rows[i].code, rows[i].field);
        assert_int_equal(status, rows[i].status);
    }
}

static void events_are_listed_for_one_service_or_for_all(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    fake.events[0] = (struct controller_event){ 1700000000000000, "web", "scale out 1 -> 2" };
    fake.events[1] = (struct controller_event){ 1700000000000000, "shop", "<script>\x1b\"" };
    fake.event_count = 2;
    json_t *document = call(admin_get_events, &parts, "", "", &status);
    assert_int_equal(json_array_size(json_object_get(document, "events")), 2);
    json_decref(document);
    document = call(admin_get_service_events, &parts, "web", "", &status);
    assert_int_equal(json_array_size(json_object_get(document, "events")), 1);
    json_decref(document);
    assert_error(call(admin_get_service_events, &parts, "shop", "", &status), "not_found", NULL);
}

static void a_task_is_found_by_id_or_by_a_unique_prefix(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    strcpy(fake.tasks[0].probe_words, "status 200 in 2 ms");
    json_t *document = call(admin_get_task, &parts, WHOLE_ID, "", &status);
    assert_int_equal(status, 200);
    assert_true(json_is_true(json_object_get(document, "routable")));
    assert_string_equal(json_string_value(json_object_get(document, "provider")), "docker");
    assert_true(json_is_null(json_object_get(document, "inFlight")));
    assert_string_equal(json_string_value(json_object_get(document, "healthReason")), "status 200 in 2 ms");
    assert_int_equal(json_object_size(document), 18);
    json_decref(document);
    fake.plane_knows = true;
    fake.endpoint_traffic.in_flight = 3;
    document = call(admin_get_task, &parts, "0123456789ab", "", &status);
    assert_int_equal(json_integer_value(json_object_get(document, "inFlight")), 3);
    json_decref(document);
    fake.tasks[1] = fake.tasks[0];
    fake.tasks[1].spec.id[63] = '0';
    fake.task_count = 2;
    assert_error(call(admin_get_task, &parts, "0123456789ab", "", &status), "ambiguous", NULL);
    assert_int_equal(status, 409);
    assert_error(call(admin_get_task, &parts, "f123456789ab", "", &status), "not_found", NULL);
    document = call(admin_get_tasks, &parts, "", "", &status);
    assert_int_equal(json_array_size(json_object_get(document, "tasks")), 2);
    json_decref(document);
}

static void note_stopped(const char *id, const char *service, char *output)
{
    struct stop_cause cause;
    const struct last_words words = { .name = "web-1",
                                      .image = "shop:1",
                                      .exit_code = 137,
                                      .is_out_of_memory = true,
                                      .stopped_at_wall_us = 1700000000000000,
                                      .output = output,
                                      .output_problem = "because" };
    stop_cause_set(&cause, STOP_EXITED, "it ended by itself");
    stopped_book_note(fake.stopped, id, service, &cause, &words);
}

static void a_stopped_task_is_described_whole(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    note_stopped("f123456789abcdef", "web", (char *)"one \"line\"\n\n<b>\xe2\x82\xac");
    json_t *document = call(admin_get_stopped_task, &parts, "f123456789ab", "", &status);
    assert_int_equal(status, 200);
    assert_int_equal(json_object_size(document), 15);
    assert_string_equal(json_string_value(json_object_get(document, "id")), "f123456789abcdef");
    assert_string_equal(json_string_value(json_object_get(document, "stopCode")), "EssentialContainerExited");
    assert_string_equal(json_string_value(json_object_get(document, "stoppedReason")),
                        "it ended by itself with exit code 137, out of memory");
    assert_int_equal(json_integer_value(json_object_get(document, "exitCode")), 137);
    assert_true(json_is_true(json_object_get(document, "oomKilled")));
    assert_true(json_is_null(json_object_get(document, "startedAt")));
    json_t *lines = json_object_get(document, "lastLines");
    assert_int_equal(json_array_size(lines), 3);
    assert_string_equal(json_string_value(json_array_get(lines, 0)), "one \"line\"");
    assert_string_equal(json_string_value(json_array_get(lines, 1)), "");
    json_decref(document);

    stopped_book_note_failed_start(fake.stopped, "web", "", "", "r", "the image is missing");
    document = call(admin_get_stopped_task, &parts, "docker/web/next", "", &status);
    assert_true(json_is_null(json_object_get(document, "exitCode")));
    assert_int_equal(json_array_size(json_object_get(document, "lastLines")), 0);
    json_decref(document);

    note_stopped("e123456789abcdef", "web", NULL);
    document = call(admin_get_stopped_task, &parts, "e123456789ab", "", &status);
    assert_true(json_is_null(json_object_get(document, "lastLines")));
    assert_string_equal(json_string_value(json_object_get(document, "lastLinesProblem")), "because");
    json_decref(document);
}

static void stopped_tasks_are_listed_also_of_a_service_that_is_gone(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    json_t *document = call(admin_get_service_stopped_tasks, &parts, "web", "", &status);
    assert_int_equal(status, 200); /* none */
    assert_int_equal(json_array_size(json_object_get(document, "stoppedTasks")), 0);
    json_decref(document);
    note_stopped("f123456789abcdef", "web", (char *)"");
    note_stopped("f123456789abcdee", "gone", (char *)"");
    document = call(admin_get_service_stopped_tasks, &parts, "gone", "", &status);
    assert_int_equal(status, 200);
    assert_int_equal(json_array_size(json_object_get(document, "stoppedTasks")), 1);
    json_decref(document);
    document = call(admin_get_stopped_tasks, &parts, "", "", &status);
    assert_int_equal(json_array_size(json_object_get(document, "stoppedTasks")), 2);
    json_decref(document);
    assert_error(call(admin_get_service_stopped_tasks, &parts, "never", "", &status), "not_found", NULL);
    assert_error(call(admin_get_stopped_task, &parts, "f123456789ab", "", &status), "ambiguous", NULL);
    assert_error(call(admin_get_stopped_task, &parts, "a123456789ab", "", &status), "not_found", NULL);
    document = call(admin_get_task, &parts, "f123456789abcdef", "", &status);
    assert_int_equal(status, 404);
    assert_non_null(strstr(json_string_value(json_object_get(json_object_get(document, "error"), "message")),
                           "/v1/stopped-tasks/f123456789abcdef"));
    json_decref(document);
}

static void all_that_is_kept_fits_into_one_answer(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    char line[8193], service[16], id[32];
    memset(line, '"', sizeof line - 1); /* two bytes each in JSON */
    line[sizeof line - 1] = '\0';
    for (int i = 0; i < STOPPED_BOOK_MAX; i++) {
        snprintf(service, sizeof service, "s%d", i / STOPPED_BOOK_OF_SERVICE);
        snprintf(id, sizeof id, "%016d", i);
        note_stopped(id, service, line);
    }
    json_t *document = call(admin_get_stopped_tasks, &parts, "", "", &status);
    assert_int_equal(status, 200);
    assert_int_equal(json_array_size(json_object_get(document, "stoppedTasks")), STOPPED_BOOK_MAX);
    json_decref(document);
}

static void a_name_that_was_cut_in_a_character_is_still_shown(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    strcpy(fake.tasks[0].spec.name, "caf\xc3");
    json_t *document = call(admin_get_task, &parts, WHOLE_ID, "", &status);
    assert_string_equal(json_string_value(json_object_get(document, "name")), "caf?");
    json_decref(document);
}

static void a_drain_takes_the_whole_id_to_the_controller(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    json_t *document = call(admin_post_task_drain, &parts, "0123456789ab", "", &status);
    assert_int_equal(status, 202);
    assert_string_equal(fake.last_drained, WHOLE_ID);
    json_decref(document);
    assert_error(call(admin_post_task_drain, &parts, "f123456789ab", "", &status), "not_found", NULL);
    assert_error(call(admin_post_task_drain, &parts, WHOLE_ID, "{\"force\":1}", &status), "invalid_request", "force");
    assert_int_equal(fake.effect_count, 1);
    fake.drain_result = CONTROLLER_NOT_DURABLE;
    assert_error(call(admin_post_task_drain, &parts, WHOLE_ID, "{}", &status), "not_durable", NULL);
    assert_int_equal(status, 503);
}

static void readiness_is_a_status_and_a_reason(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    json_decref(call(admin_get_readyz, &parts, "", "", &status));
    assert_int_equal(status, 200);
    fake.readiness = (struct admin_readiness){ .ready = false, .reason = "no snapshot yet", .docker = "connected" };
    json_t *document = call(admin_get_readyz, &parts, "", "", &status);
    assert_int_equal(status, 503);
    assert_string_equal(json_string_value(json_object_get(document, "reason")), "no snapshot yet");
    assert_string_equal(json_string_value(json_object_get(document, "docker")), "connected");
    json_decref(document);
    json_decref(call(admin_get_healthz, &parts, "", "", &status));
    assert_int_equal(status, 200);
}

static void the_index_and_the_routes_are_lists(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    int status;
    json_t *document = call(admin_get_index, &parts, "", "", &status);
    assert_int_equal(json_array_size(json_object_get(document, "routes")), ADMIN_ROUTE_COUNT);
    json_decref(document);
    document = call(admin_get_routes, &parts, "", "", &status);
    json_t *row = json_array_get(json_object_get(document, "routes"), 0);
    assert_string_equal(json_string_value(json_object_get(row, "host")), "shop.example.com");
    assert_string_equal(json_string_value(json_object_get(row, "service")), "web");
    json_decref(document);
    parts.daemon = NULL;
    document = call(admin_get_routes, &parts, "", "", &status);
    assert_int_equal(json_array_size(json_object_get(document, "routes")), 0);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_shown_with_null_for_what_is_unknown),
        cmocka_unit_test(a_patch_reaches_the_controller_and_shows_the_service),
        cmocka_unit_test(a_patch_that_is_refused_says_why_with_the_right_status),
        cmocka_unit_test(events_are_listed_for_one_service_or_for_all),
        cmocka_unit_test(a_task_is_found_by_id_or_by_a_unique_prefix),
        cmocka_unit_test(a_stopped_task_is_described_whole),
        cmocka_unit_test(stopped_tasks_are_listed_also_of_a_service_that_is_gone),
        cmocka_unit_test(all_that_is_kept_fits_into_one_answer),
        cmocka_unit_test(a_name_that_was_cut_in_a_character_is_still_shown),
        cmocka_unit_test(a_drain_takes_the_whole_id_to_the_controller),
        cmocka_unit_test(readiness_is_a_status_and_a_reason),
        cmocka_unit_test(the_index_and_the_routes_are_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
