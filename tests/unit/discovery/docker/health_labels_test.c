#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "discovery/docker/health_labels.h"

static bool read(const char *json, struct task_check *out, struct error *reason)
{
    json_t *labels = json_loads(json, 0, NULL);
    *out = (struct task_check){ 0 };
    bool ok = docker_health_labels_read(labels, out, reason);
    json_decref(labels);
    return ok;
}

static int64_t start_period_of(const char *json)
{
    json_t *config = json_loads(json, 0, NULL);
    int64_t ms = docker_health_start_period_ms(config);
    json_decref(config);
    return ms;
}

static void labels_say_path_interval_and_timeout(void **state)
{
    struct task_check check;
    struct error reason;
    (void)state;
    assert_true(read("{\"portico.health-path\": \"/h?x=1\", \"portico.health-interval\": \"10s\", "
                     "\"portico.health-timeout\": \"500ms\"}",
                     &check, &reason));
    assert_string_equal(check.path, "/h?x=1");
    assert_int_equal(check.interval_ms, 10000);
    assert_int_equal(check.timeout_ms, 500);
    assert_true(read("{}", &check, &reason));
    assert_string_equal(check.path, "");
    assert_int_equal(check.interval_ms, 0);
    assert_true(docker_health_labels_read(NULL, &check, &reason));
}

static void a_label_that_breaks_a_rule_is_named_with_what_is_allowed(void **state)
{
    struct task_check check;
    struct error reason;
    (void)state;
    assert_false(read("{\"portico.health-interval\": \"10\"}", &check, &reason));
    assert_string_equal(reason.text,
                        "label portico.health-interval=\"10\": a number with ms, s, m or h between 100ms and "
                        "5m is expected");
    assert_false(read("{\"portico.health-timeout\": \"3h\"}", &check, &reason));
    assert_false(read("{\"portico.health-path\": \"health\"}", &check, &reason));
    assert_false(read("{\"portico.health-path\": 1}", &check, &reason));
}

static void the_start_period_of_an_image_includes_its_first_check(void **state)
{
    (void)state;
    assert_int_equal(start_period_of("{\"Healthcheck\": {\"StartPeriod\": 600000000000, \"Interval\": 5000000000}}"),
                     605000);
    assert_int_equal(start_period_of("{\"Healthcheck\": {\"StartPeriod\": 600000000000}}"), 630000);
    assert_int_equal(start_period_of("{\"Healthcheck\": {\"Interval\": 5000000000}}"), 0);
    assert_int_equal(start_period_of("{\"Healthcheck\": {\"StartPeriod\": -1}}"), 0);
    assert_int_equal(start_period_of("{\"Healthcheck\": {\"StartPeriod\": 9223372036854775807}}"), 86400000);
    assert_int_equal(start_period_of("{}"), 0);
    assert_int_equal(docker_health_start_period_ms(NULL), 0);
}

static void the_last_words_of_the_engines_check_are_one_line(void **state)
{
    static const struct {
        const char *json, *words;
    } rows[] = {
        { "{\"Health\":{\"Log\":[{\"ExitCode\":0,\"Output\":\"old\"},{\"ExitCode\":1,\"Output\":\"no db\\nmore\"}]}}",
          "exit code 1: no db" },
        { "{\"Health\":{\"Log\":[{\"ExitCode\":-1}]}}", "exit code -1" },
        { "{\"Health\":{\"Log\":[{\"Output\":\"x\"}]}}", "" },
        { "{\"Health\":{\"Log\":[]}}", "" },
        { "{\"Health\":{\"Log\":null}}", "" },
        { "{}", "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char words[TASK_WORDS_SIZE];
        json_t *document = json_loads(rows[i].json, 0, NULL);
        docker_health_words(document, words);
        assert_string_equal(words, rows[i].words);
        json_decref(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_say_path_interval_and_timeout),
        cmocka_unit_test(a_label_that_breaks_a_rule_is_named_with_what_is_allowed),
        cmocka_unit_test(the_last_words_of_the_engines_check_are_one_line),
        cmocka_unit_test(the_start_period_of_an_image_includes_its_first_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
