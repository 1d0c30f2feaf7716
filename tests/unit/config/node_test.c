#include "config/node.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct node *read_good(const char *text)
{
    struct problems problems;
    struct config_problems lines;
    problems_init(&problems, "t");
    struct node *root = node_read(text, strlen(text), &problems);
    problems_hand_over(&problems, &lines);
    assert_int_equal(lines.count, 0);
    config_problems_fini(&lines);
    assert_non_null(root);
    return root;
}

/* Refused as a whole, with this as the only line. */
static void assert_refused_bytes(const char *text, size_t len, const char *line)
{
    struct problems problems;
    struct config_problems lines;
    problems_init(&problems, "t");
    assert_null(node_read(text, len, &problems));
    problems_hand_over(&problems, &lines);
    assert_int_equal(lines.count, 1);
    assert_string_equal(lines.lines[0], line);
    config_problems_fini(&lines);
}

static void assert_refused(const char *text, const char *line)
{
    assert_refused_bytes(text, strlen(text), line);
}

static void everything_knows_its_line_and_column(void **state)
{
    (void)state;
    struct node *root = read_good("a: 1\nb:\n  - x\n  -   {c: \"\xc3\xa4\", d: 2}\n");
    bool whole;
    struct node *d = node_locate(root, "b[1].d", &whole);
    assert_true(whole);
    assert_string_equal(d->text, "2");
    assert_int_equal(d->line, 4);
    assert_int_equal(d->column, 19); /* characters, not bytes */
    assert_int_equal(d->key_column, 16);
    struct node *list = node_find(root, "b");
    assert_int_equal(list->key_line, 2);
    assert_int_equal(list->line, 3);
    assert_int_equal(list->column, 3);
    node_free(root);
}

static void a_path_leads_as_far_as_there_are_nodes(void **state)
{
    (void)state;
    struct node *root = read_good("a: {b: [1, {c: 2}]}");
    bool whole;
    assert_ptr_equal(node_locate(root, "", &whole), root);
    assert_true(whole);
    assert_string_equal(node_locate(root, "a.b[1].c", &whole)->text, "2");
    assert_true(whole);
    assert_int_equal(node_locate(root, "a.b[2].c", &whole)->kind, NODE_LIST);
    assert_false(whole);
    assert_ptr_equal(node_locate(root, "x", &whole), root);
    assert_false(whole);
    node_free(root);
}

static void a_path_is_written_as_it_is_read(void **state)
{
    (void)state;
    struct node *root = read_good("a: {b: [1, {c: 2}]}");
    struct buf path;
    bool whole;
    buf_init(&path, 0);
    node_write_path(node_locate(root, "a.b[1].c", &whole), &path);
    assert_string_equal(buf_text(&path), "a.b[1].c");
    buf_fini(&path);
    node_free(root);
}

static void quotes_tell_a_text_from_nothing(void **state)
{
    (void)state;
    struct node *root = read_good("a: ~\nb: '~'\nc:\nd: \"\"\ne: |\n  null\n");
    assert_true(node_find(root, "a")->is_null);
    assert_false(node_find(root, "b")->is_null);
    assert_true(node_find(root, "c")->is_null);
    assert_false(node_find(root, "d")->is_null);
    assert_false(node_find(root, "e")->is_null);
    assert_string_equal(node_find(root, "e")->text, "null\n");
    node_free(root);
}

static void a_repeated_key_is_a_problem_and_the_first_one_counts(void **state)
{
    (void)state;
    static const char text[] = "a: 1\nx: {b: 1, c: 2, b: [3]}\na: 2\n";
    struct problems problems;
    struct config_problems lines;
    problems_init(&problems, "t");
    struct node *root = node_read(text, strlen(text), &problems);
    problems_hand_over(&problems, &lines);
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.lines[0], "t:2:17: x.b: is written twice, once is allowed; the first is on line 2");
    assert_string_equal(lines.lines[1], "t:3:1: a: is written twice, once is allowed; the first is on line 1");
    assert_string_equal(node_find(root, "a")->text, "1");
    config_problems_fini(&lines);
    node_free(root);
}

static void anchors_aliases_and_tags_are_refused(void **state)
{
    (void)state;
    static const char anchor[] = "has an anchor or alias (& or *), write the value itself, or put it in quotes";
    static const char tag[] = "has a tag (!), write the value without it, or put it in quotes";
    char line[200];
    snprintf(line, sizeof line, "t:1:4: a: %s", anchor);
    assert_refused("a: &x 1\nb: *x\n", line);
    snprintf(line, sizeof line, "t:2:5: a[0]: %s", anchor);
    assert_refused("a:\n  - *x\n", line);
    assert_refused("a: &x [*x]\n",
                   "t:1:4: a: has an anchor or alias (& or *), write the value itself, or put it in quotes");
    snprintf(line, sizeof line, "t:1:4: a: %s", tag);
    assert_refused("a: !!binary aGk=\n", line);
    assert_refused("a: !x {b: 1}\n", line);
    snprintf(line, sizeof line, "t:2:1: document: %s", anchor);
    assert_refused("a: 1\n&k b: 2\n", line);
}

/* The billion laughs: ten levels of ten aliases each. */
static void an_alias_bomb_costs_nothing(void **state)
{
    (void)state;
    assert_refused("a: &a [lol, lol]\nb: &b [*a, *a]\nc: [*b, *b]\n",
                   "t:1:4: a: has an anchor or alias (& or *), write the value itself, or put it in quotes");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[3 * NODE_DEPTH_MAX + 8] = "";
    for (int i = 0; i < NODE_DEPTH_MAX; i++)
        strcat(text, "[");
    for (int i = 0; i < NODE_DEPTH_MAX; i++)
        strcat(text, "]");
    node_free(read_good(text));

    char bomb[100001];
    memset(bomb, '[', sizeof bomb);
    struct problems problems;
    struct config_problems lines;
    problems_init(&problems, "t");
    assert_null(node_read(bomb, sizeof bomb, &problems));
    problems_hand_over(&problems, &lines);
    assert_int_equal(lines.count, 1);
    assert_memory_equal(lines.lines[0], "t:1:33: [0][0]", strlen("t:1:33: [0][0]"));
    assert_non_null(strstr(lines.lines[0], ": is nested too deeply, at most 32 levels are allowed"));
    config_problems_fini(&lines);
}

static void the_number_of_values_is_bounded(void **state)
{
    (void)state;
    size_t len = 2 * (NODE_COUNT_MAX + 10) + 1;
    char *text = mem_alloc(len);
    for (size_t i = 0; i + 1 < len; i += 2)
        memcpy(text + i, i ? ",1" : "[1", 2);
    assert_refused_bytes(text, len - 1,
                         "t:1:400000: [199999]: has too many values before it, at most 200000 are allowed");
    free(text);
}

static void the_number_and_length_of_keys_is_bounded(void **state)
{
    (void)state;
    static const char rest[] =
        "has too many keys, or one too long or with a NUL, at most 1024 of 256 bytes are allowed";
    char *text = mem_alloc(32768), *at = text, line[200];
    for (int i = 0; i < NODE_KEYS_MAX; i++)
        at += sprintf(at, "k%d: \n", i);
    node_free(read_good(text));
    strcpy(at, "more: \n");
    snprintf(line, sizeof line, "t:1025:1: document: %s", rest);
    assert_refused(text, line);
    memset(text, 'k', NODE_KEY_BYTES_MAX + 1);
    strcpy(text + NODE_KEY_BYTES_MAX + 1, ": 1\n");
    snprintf(line, sizeof line, "t:1:1: document: %s", rest);
    assert_refused(text, line);
    assert_refused("\"a\\0b\": 1", line);
    free(text);
}

static void the_size_of_a_text_is_bounded(void **state)
{
    (void)state;
    char *text = mem_alloc(NODE_TEXT_BYTES_MAX + 16);
    memset(text, 'x', NODE_TEXT_BYTES_MAX);
    node_free(read_good(text));
    text[NODE_TEXT_BYTES_MAX] = 'x';
    struct problems problems;
    struct config_problems lines;
    problems_init(&problems, "t");
    struct node *root = node_read(text, strlen(text), &problems);
    problems_hand_over(&problems, &lines);
    assert_true(root->is_bad);
    assert_string_equal(lines.lines[0], "t:1:1: document: is too long, at most 65536 bytes are allowed");
    config_problems_fini(&lines);
    node_free(root);
    free(text);
}

static void variables_cannot_blow_the_document_up(void **state)
{
    (void)state;
    enum { VALUE_BYTES = 60000, LINES = NODE_TEXT_BYTES_SUM / VALUE_BYTES + 1 };
    char *value = mem_alloc(VALUE_BYTES + 1), *text = mem_alloc(LINES * 32), *at = text, line[160];
    memset(value, 'x', VALUE_BYTES);
    setenv("PORTICO_TEST_LARGE", value, 1);
    for (int i = 0; i < LINES; i++)
        at += sprintf(at, "- ${PORTICO_TEST_LARGE}\n");
    snprintf(line, sizeof line,
             "t:%d:3: [%d]: is too much text with its variables replaced, at most 16777216 bytes are allowed", LINES,
             LINES);
    assert_refused(text, line);
    unsetenv("PORTICO_TEST_LARGE");
    free(value);
    free(text);
}

static void a_nul_in_a_text_is_a_problem(void **state)
{
    (void)state;
    static const char text[] = "a: \"x\\0y\"";
    struct problems problems;
    struct config_problems lines;
    problems_init(&problems, "t");
    struct node *root = node_read(text, strlen(text), &problems);
    problems_hand_over(&problems, &lines);
    assert_string_equal(lines.lines[0], "t:1:4: a: has a NUL character, write text without one");
    config_problems_fini(&lines);
    node_free(root);
}

static void only_one_document_of_utf8_is_read(void **state)
{
    (void)state;
    assert_refused("a: 1\n---\nb: 2\n", "t:2:1: document: has a second document (---), write one");
    assert_refused("a: 1\nb: \xc3\x28\n",
                   "t:2:5: document: is not UTF-8 text: invalid trailing UTF-8 octet, write YAML 1.1 or "
                   "JSON in UTF-8");
    assert_refused_bytes("a: x\0y\n", 7,
                         "t:1:5: document: is not UTF-8 text: control characters are not allowed, write YAML 1.1 "
                         "or JSON in UTF-8");
    node_free(read_good("\xef\xbb\xbf"
                        "a: 1\n"));
}

static void directives_are_refused(void **state)
{
    (void)state;
    static const char rest[] = "has a directive (a line that starts with %), write the document without it";
    char line[160];
    snprintf(line, sizeof line, "t:1:1: document: %s", rest);
    assert_refused("%YAML 1.1\n---\na: 1\n", line);
    snprintf(line, sizeof line, "t:2:1: document: %s", rest);
    assert_refused("# x\n%TAG ! x\n---\na: 1\n", line);
    node_free(read_good("a: 100%\nb: \"caf\xc3\xa9% %\"\n"));
}

static void a_key_is_a_word(void **state)
{
    (void)state;
    assert_refused("? [a]\n: 1\n", "t:1:3: document: has a list as a key, write a word");
    assert_refused("{{a: 1}: 2}", "t:1:2: document: has a map as a key, write a word");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_knows_its_line_and_column),
        cmocka_unit_test(a_path_leads_as_far_as_there_are_nodes),
        cmocka_unit_test(a_path_is_written_as_it_is_read),
        cmocka_unit_test(quotes_tell_a_text_from_nothing),
        cmocka_unit_test(a_repeated_key_is_a_problem_and_the_first_one_counts),
        cmocka_unit_test(anchors_aliases_and_tags_are_refused),
        cmocka_unit_test(an_alias_bomb_costs_nothing),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(the_number_of_values_is_bounded),
        cmocka_unit_test(the_number_and_length_of_keys_is_bounded),
        cmocka_unit_test(the_size_of_a_text_is_bounded),
        cmocka_unit_test(variables_cannot_blow_the_document_up),
        cmocka_unit_test(a_nul_in_a_text_is_a_problem),
        cmocka_unit_test(only_one_document_of_utf8_is_read),
        cmocka_unit_test(directives_are_refused),
        cmocka_unit_test(a_key_is_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
