#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/mem.h"
#include "discovery/docker/events.h"

#include <stdio.h>
#include <stdlib.h>

#define ID "d6610da750b62a68d953fd33c0164b8e1352bad9e11ae03f954d13e4087dabec"
#define CONTAINER(action, attributes)                                                                            \
    "{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" ID "\",\"Attributes\":{" attributes \
    "}},\"scope\":\"local\",\"time\":1700000000,\"timeNano\":1700000000123456789}"

static struct docker_event parse(const char *line)
{
    struct docker_event event;
    struct error error = { "" };
    if (!docker_event_parse(slice_of(line), &event, &error))
        fail_msg("%s: %s", line, error.text);
    return event;
}

static void container_events_are_understood(void **state)
{
    static const struct {
        const char *line;
        enum docker_event_action action;
    } rows[] = {
        { CONTAINER("create", ""), DOCKER_EVENT_CREATE },
        { CONTAINER("start", ""), DOCKER_EVENT_START },
        { CONTAINER("kill", "\"signal\":\"15\""), DOCKER_EVENT_KILL },
        { CONTAINER("die", "\"exitCode\":\"137\""), DOCKER_EVENT_DIE },
        { CONTAINER("stop", ""), DOCKER_EVENT_STOP },
        { CONTAINER("destroy", ""), DOCKER_EVENT_DESTROY },
        { CONTAINER("pause", ""), DOCKER_EVENT_PAUSE },
        { CONTAINER("unpause", ""), DOCKER_EVENT_UNPAUSE },
        { CONTAINER("rename", ""), DOCKER_EVENT_CHANGED },
        { CONTAINER("update", ""), DOCKER_EVENT_CHANGED },
        { CONTAINER("health_status: healthy", ""), DOCKER_EVENT_HEALTH },
        { CONTAINER("health_status: unhealthy", ""), DOCKER_EVENT_HEALTH },
        { CONTAINER("health_status: something new", ""), DOCKER_EVENT_CHANGED },
        { CONTAINER("exec_create: /bin/sh", ""), DOCKER_EVENT_OTHER },
        { CONTAINER("attach", ""), DOCKER_EVENT_OTHER },
        { CONTAINER("", ""), DOCKER_EVENT_OTHER },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct docker_event event = parse(rows[i].line);
        assert_int_equal(event.action, rows[i].action);
        assert_true(event.time_nano == 1700000000123456789);
        assert_string_equal(event.id, rows[i].action == DOCKER_EVENT_OTHER ? "" : ID);
    }
}

static void attributes_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse(CONTAINER("kill", "\"signal\":\"9\"")).signal, 9);
    assert_int_equal(parse(CONTAINER("kill", "\"signal\":\"SIGTERM\"")).signal, 0);
    assert_int_equal(parse(CONTAINER("kill", "\"signal\":15")).signal, 0);
    assert_int_equal(parse(CONTAINER("die", "\"exitCode\":\"-1\"")).exit_code, -1);
    assert_int_equal(parse(CONTAINER("die", "\"exitCode\":\"99999999999999\"")).exit_code, 0);
    assert_int_equal(parse(CONTAINER("die", "\"exitCode\":\"1x\"")).exit_code, 0);
    assert_int_equal(parse(CONTAINER("health_status: healthy", "")).health, TASK_HEALTH_UP);
    assert_int_equal(parse(CONTAINER("health_status: unhealthy", "")).health, TASK_HEALTH_DOWN);
    assert_false(parse(CONTAINER("start", "\"image\":\"x\"")).has_our_label);
    assert_true(parse(CONTAINER("start", "\"portico.enable\":\"true\"")).has_our_label);
    assert_true(parse(CONTAINER("start", "\"portico.managed-by\":\"portico\"")).has_our_label);
    assert_true(parse(CONTAINER("start", "\"portico.managed-by\":\"portico\"")).has_managed_label);
    assert_false(parse(CONTAINER("start", "\"portico.enable\":\"true\"")).has_managed_label);
}

static void a_network_event_names_its_container(void **state)
{
    (void)state;
    struct docker_event event = parse("{\"Type\":\"network\",\"Action\":\"disconnect\",\"Actor\":{\"ID\":\"net\","
                                      "\"Attributes\":{\"container\":\"" ID "\",\"name\":\"bridge\"}}}");
    assert_int_equal(event.action, DOCKER_EVENT_CHANGED);
    assert_string_equal(event.id, ID);
    assert_false(event.has_labels);
    assert_int_equal(parse("{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{}}").action, DOCKER_EVENT_OTHER);
}

static void other_types_and_unknown_fields_are_ignored(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"Type\":\"image\",\"Action\":\"pull\"}").action, DOCKER_EVENT_OTHER);
    assert_int_equal(parse("{\"Type\":\"moon\",\"Action\":\"start\",\"x\":[[{}]]}").action, DOCKER_EVENT_OTHER);
    assert_true(parse("{\"Type\":\"image\",\"Action\":\"pull\",\"timeNano\":-5}").time_nano == 0);
}

static void hostile_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"Type\":\"container\"}",
        "{\"Type\":1,\"Action\":2}",
        "{\"Type\":\"container\",\"Action\":\"start\"}",
        "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"\"}}",
        "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"../../x\"}}",
        "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" ID ID "\"}}",
        "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":[\"" ID "\"]}",
        "{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"Attributes\":{}}}",
        "{\"Type\":\"container\",\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" ID "\"}}",
        CONTAINER("start", "") "{",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct docker_event event, zero = { 0 };
        struct error error = { "" };
        assert_false(docker_event_parse(slice_of(lines[i]), &event, &error));
        assert_true(error.text[0] != '\0');
        assert_memory_equal(&event, &zero, sizeof event);
    }
}

/* ---- lines ---- */

struct seen {
    char text[256];
    size_t count;
    size_t longest;
};

static void on_line(void *owner, struct slice line)
{
    struct seen *seen = owner;
    size_t len = strlen(seen->text);
    seen->count++;
    if (line.len > seen->longest)
        seen->longest = line.len;
    if (line.len < 32)
        snprintf(seen->text + len, sizeof seen->text - len, "<%.*s>", SLICE_FMT(line));
}

static void any_split_gives_the_same_lines(void **state)
{
    static const char stream[] = "one\ntwo\r\n\n\r\nthree three\n{\"a\":1}\nrest";
    size_t len = sizeof stream - 1;
    (void)state;
    for (size_t first = 0; first <= len; first++)
        for (size_t second = first; second <= len; second++) {
            struct docker_lines lines;
            struct seen seen = { 0 };
            docker_lines_init(&lines);
            docker_lines_feed(&lines, (struct slice){ stream, first }, on_line, &seen);
            docker_lines_feed(&lines, (struct slice){ stream + first, second - first }, on_line, &seen);
            docker_lines_feed(&lines, (struct slice){ stream + second, len - second }, on_line, &seen);
            assert_string_equal(seen.text, "<one><two><three three><{\"a\":1}>");
            assert_int_equal(lines.partial.len, 4);
            docker_lines_fini(&lines);
        }
}

static void an_event_split_at_every_byte_is_the_same_event(void **state)
{
    static const char line[] = CONTAINER("die", "\"exitCode\":\"3\"") "\n";
    (void)state;
    for (size_t cut = 0; cut < sizeof line; cut++) {
        struct docker_lines lines;
        struct seen seen = { 0 };
        docker_lines_init(&lines);
        docker_lines_feed(&lines, (struct slice){ line, cut }, on_line, &seen);
        docker_lines_feed(&lines, (struct slice){ line + cut, sizeof line - 1 - cut }, on_line, &seen);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.longest, sizeof line - 2);
        docker_lines_fini(&lines);
    }
}

static void a_line_too_long_is_dropped_and_the_next_one_understood(void **state)
{
    static const size_t pieces[] = { 1u << 20, 4096, 65537 };
    size_t too_long = DOCKER_EVENT_LINE_BYTES_MAX + 1;
    (void)state;
    char *stream = mem_alloc(too_long + 100);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct docker_lines lines;
        struct seen seen = { 0 };
        memset(stream, 'x', too_long);
        memcpy(stream + too_long, "\nnext\n", 7);
        size_t len = too_long + 6;
        docker_lines_init(&lines);
        for (size_t at = 0; at < len; at += pieces[i])
            docker_lines_feed(&lines, (struct slice){ stream + at, len - at < pieces[i] ? len - at : pieces[i] },
                              on_line, &seen);
        assert_string_equal(seen.text, "<next>");
        assert_int_equal(lines.dropped_count, 1);
        assert_true(lines.partial.size <= 2 * DOCKER_EVENT_LINE_BYTES_MAX);
        docker_lines_fini(&lines);
    }
    free(stream);
}

static void the_longest_allowed_line_arrives(void **state)
{
    struct docker_lines lines;
    struct seen seen = { 0 };
    (void)state;
    char *stream = mem_alloc(DOCKER_EVENT_LINE_BYTES_MAX + 1);
    memset(stream, 'x', DOCKER_EVENT_LINE_BYTES_MAX);
    stream[DOCKER_EVENT_LINE_BYTES_MAX] = '\n';
    docker_lines_init(&lines);
    docker_lines_feed(&lines, (struct slice){ stream, 1000 }, on_line, &seen);
    docker_lines_feed(&lines, (struct slice){ stream + 1000, DOCKER_EVENT_LINE_BYTES_MAX + 1 - 1000 }, on_line, &seen);
    assert_int_equal(seen.longest, DOCKER_EVENT_LINE_BYTES_MAX);
    docker_lines_fini(&lines);
    free(stream);
}

static void a_new_stream_does_not_continue_the_old_line(void **state)
{
    struct docker_lines lines;
    struct seen seen = { 0 };
    (void)state;
    docker_lines_init(&lines);
    docker_lines_feed(&lines, SLICE_LITERAL("{\"half"), on_line, &seen);
    docker_lines_clear(&lines);
    docker_lines_feed(&lines, SLICE_LITERAL("whole\n"), on_line, &seen);
    assert_string_equal(seen.text, "<whole>");
    docker_lines_fini(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(container_events_are_understood),
        cmocka_unit_test(attributes_are_read),
        cmocka_unit_test(a_network_event_names_its_container),
        cmocka_unit_test(other_types_and_unknown_fields_are_ignored),
        cmocka_unit_test(hostile_lines_are_refused),
        cmocka_unit_test(any_split_gives_the_same_lines),
        cmocka_unit_test(an_event_split_at_every_byte_is_the_same_event),
        cmocka_unit_test(a_line_too_long_is_dropped_and_the_next_one_understood),
        cmocka_unit_test(the_longest_allowed_line_arrives),
        cmocka_unit_test(a_new_stream_does_not_continue_the_old_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
