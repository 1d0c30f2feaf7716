#include "admin/metrics.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/admin/fakes.h"

static char *render(const struct admin_parts *parts)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(metrics_render(parts, &out));
    char *text = strdup(buf_text(&out));
    buf_fini(&out);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    }
    return false;
}

static void assert_line(const char *text, const char *line)
{
    if (!has_line(text, line))
        fail_msg("missing: %s in\n%s", line, text);
}

static void every_family_is_there_with_its_labels(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    fake.plane_knows = true;
    fake.traffic.requests = 10;
    fake.traffic.in_flight = 2;
    fake.traffic.retries = 1;
    fake.traffic.no_endpoint = 4;
    fake.traffic.statuses[0] = 1;
    fake.traffic.statuses[2] = 8;
    fake.traffic.statuses[5] = 1;
    fake.endpoint_traffic.in_flight = 2;
    fake.metric = (struct admin_metric){ "portico_docker_connected", ADMIN_METRIC_GAUGE, "1 while connected.", 1 };
    char *text = render(&parts);
    assert_line(text, "# TYPE portico_requests_total counter");
    assert_line(text, "portico_requests_total{service=\"web\"} 10");
    assert_line(text, "portico_in_flight{service=\"web\"} 2");
    assert_line(text, "portico_retries_total{service=\"web\"} 1");
    assert_line(text, "portico_no_endpoint_total{service=\"web\"} 4");
    assert_line(text, "portico_responses_total{service=\"web\",class=\"aborted\"} 1");
    assert_line(text, "portico_responses_total{service=\"web\",class=\"2xx\"} 8");
    assert_line(text, "portico_responses_total{service=\"web\",class=\"5xx\"} 1");
    assert_line(text, "portico_endpoints{service=\"web\",state=\"routable\"} 1");
    assert_line(text, "portico_endpoints{service=\"web\",state=\"draining\"} 0");
    assert_line(text, "portico_desired_tasks{service=\"web\"} 2");
    assert_line(text, "portico_scaling_decisions_total{service=\"web\",direction=\"out\"} 3");
    assert_line(text, "portico_scaling_decisions_total{service=\"web\",direction=\"in\"} 0");
    assert_line(text, "portico_start_failures_total{service=\"web\"} 0");
    assert_line(text, "portico_endpoint_in_flight{service=\"web\",task=\"0123456789abcdef0123456789abcdef"
                      "0123456789abcdef0123456789abcdef\"} 2");
    assert_line(text, "portico_data_plane_fresh 1");
    assert_line(text, "portico_build{version=\"1.2.3\"} 1");
    assert_line(text, "# TYPE portico_docker_connected gauge");
    assert_line(text, "portico_docker_connected 1");
    free(text);
}

static void the_histogram_is_cumulative_and_ends_in_inf(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    fake.plane_knows = true;
    static const uint64_t durations_us[] = { 1, 900, 2000, 40000, 400000, 9000000, 60000000 };
    for (size_t i = 0; i < sizeof durations_us / sizeof *durations_us; i++)
        histogram_add(&fake.traffic.duration, durations_us[i]);
    histogram_add(&fake.traffic.latency, 900);
    char *text = render(&parts);
    assert_line(text, "# TYPE portico_request_duration_seconds histogram");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"0.001\"} 2");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"0.0025\"} 3");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"0.025\"} 3");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"0.05\"} 4");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"0.5\"} 5");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"5\"} 5");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"10\"} 6");
    assert_line(text, "portico_request_duration_seconds_bucket{service=\"web\",le=\"+Inf\"} 7");
    assert_line(text, "portico_request_duration_seconds_count{service=\"web\"} 7");
    assert_line(text, "portico_request_duration_seconds_sum{service=\"web\"} 69.442901");
    assert_line(text, "# TYPE portico_response_latency_seconds histogram");
    assert_line(text, "portico_response_latency_seconds_bucket{service=\"web\",le=\"0.001\"} 1");
    assert_line(text, "portico_response_latency_seconds_count{service=\"web\"} 1");
    free(text);
}

static void a_duration_is_never_counted_below_its_bound(void **state)
{
    (void)state;
    struct histogram h = { 0 };
    for (uint64_t us = 1001; us < 3000; us++)
        histogram_add(&h, us);
    assert_int_equal(metrics_count_up_to(&h, 1000), 0);
    uint64_t up_to = metrics_count_up_to(&h, 2500);
    assert_in_range(up_to, 1500 - 2500 / 16, 1500);
    assert_int_equal(metrics_count_up_to(&h, UINT64_MAX), 1999);
}

static void missing_traffic_is_no_sample_rather_than_zero(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    fake.plane_is_fresh = false;
    char *text = render(&parts);
    assert_null(strstr(text, "portico_requests_total{"));
    assert_null(strstr(text, "portico_request_duration_seconds_bucket{"));
    assert_null(strstr(text, "portico_endpoint_in_flight{"));
    assert_line(text, "portico_desired_tasks{service=\"web\"} 2");
    assert_line(text, "portico_data_plane_fresh 0");
    free(text);
}

static void draining_and_unroutable_tasks_are_told_apart(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    for (size_t i = 1; i < 5; i++) {
        fake.tasks[i] = fake.tasks[0];
        fake.tasks[i].spec.id[0] = (char)('a' + i);
    }
    fake.task_count = 5;
    fake.tasks[1].admin = TASK_ADMIN_DRAINING;
    fake.tasks[2].probe_health = TASK_HEALTH_DOWN;
    fake.tasks[3].spec.state = TASK_PENDING;
    fake.tasks[4].spec.state = TASK_STOPPED;
    char *text = render(&parts);
    assert_line(text, "portico_endpoints{service=\"web\",state=\"routable\"} 1");
    assert_line(text, "portico_endpoints{service=\"web\",state=\"unroutable\"} 2");
    assert_line(text, "portico_endpoints{service=\"web\",state=\"draining\"} 1");
    free(text);
}

static void a_hostile_label_cannot_forge_a_line(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    fake.services[0].name = "a\"} 1\nportico_forged 1\n\\\xff\x01";
    char *text = render(&parts);
    assert_null(strstr(text, "\nportico_forged"));
    assert_line(text, "portico_desired_tasks{service=\"a\\\"} 1\\nportico_forged 1\\n\\\\\\\\xff\\\\x01\"} 2");
    for (const char *at = text; *at; at++)
        assert_true(*at == '\n' || isprint((unsigned char)*at));
    free(text);
}

static void an_extra_with_a_bad_name_or_value_is_left_out(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    static const struct admin_metric bad[] = {
        { "portico x", ADMIN_METRIC_GAUGE, "h", 1 },
        { "", ADMIN_METRIC_GAUGE, "h", 1 },
        { "1a", ADMIN_METRIC_GAUGE, "h", 1 },
        { "portico_nan_value", ADMIN_METRIC_GAUGE, "h", __builtin_nan("") },
        { "a{b", ADMIN_METRIC_GAUGE, "h", 1 },
    };
    char *without = render(&parts);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fake.metric = bad[i];
        char *text = render(&parts);
        assert_string_equal(text, without);
        free(text);
    }
    fake.metric = (struct admin_metric){ "portico_x", ADMIN_METRIC_COUNTER, "a\nb\\c", 1234567.5 };
    char *text = render(&parts);
    assert_line(text, "# HELP portico_x a\\nb\\\\c");
    assert_line(text, "portico_x 1234567.5");
    free(text);
    free(without);
}

static void a_page_past_the_limit_is_reported(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    struct buf out;
    buf_init(&out, 500);
    assert_false(metrics_render(&parts, &out));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_is_there_with_its_labels),
        cmocka_unit_test(the_histogram_is_cumulative_and_ends_in_inf),
        cmocka_unit_test(a_duration_is_never_counted_below_its_bound),
        cmocka_unit_test(missing_traffic_is_no_sample_rather_than_zero),
        cmocka_unit_test(draining_and_unroutable_tasks_are_told_apart),
        cmocka_unit_test(a_hostile_label_cannot_forge_a_line),
        cmocka_unit_test(an_extra_with_a_bad_name_or_value_is_left_out),
        cmocka_unit_test(a_page_past_the_limit_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
