/* 100,000 random changes to good definitions: each is a definition again, or has problems with paths. Leaks and wild reads are
 * found by the sanitizers that this runs under. */
#include "config/task_definition/task_definition.h"

#include "tests/unit/base/random_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/load.h"

#define FOLDER "tests/fuzz/seeds/fuzz_task_definition"
#define MUTATIONS 100000
#define SEEDS_MAX 64
#define NODES_MAX 512

static json_t *seeds[SEEDS_MAX];
static size_t seed_count;

/* In the order of their names: the run is the same wherever the files lie. */
static int set_up(void **state)
{
    (void)state;
    struct dirent **entries;
    int count = scandir(FOLDER, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, FOLDER "/%s", entries[i]->d_name);
        json_t *seed = strstr(entries[i]->d_name, ".json") ? json_load_file(path, 0, NULL) : NULL;
        if (seed && seed_count < SEEDS_MAX)
            seeds[seed_count++] = seed;
        free(entries[i]);
    }
    free(entries);
    return seed_count > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    while (seed_count > 0)
        json_decref(seeds[--seed_count]);
    return 0;
}

static void collect(json_t *value, json_t **containers, size_t *count)
{
    if ((json_is_object(value) || json_is_array(value)) && *count < NODES_MAX)
        containers[(*count)++] = value;
    for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at))
        collect(json_object_iter_value(at), containers, count);
    for (size_t i = 0; i < json_array_size(value); i++)
        collect(json_array_get(value, i), containers, count);
}

static json_t *random_value(uint64_t *random)
{
    static const char *const words[] = { "",     "a",   "START", "HEALTHY", "FARGATE", "awsvpc", "host", "80-79",
                                         "/etc", "::1", "arn:x", "a:b",     "\x7f",    "CMD",    "web",  "256" };
    static const json_int_t numbers[] = { 0, 1, -1, 6, 80, 255, 256, 65535, 65536, INT64_MAX, INT64_MIN };
    switch (random_below(random, 7)) {
    case 0:
        return json_integer(numbers[random_below(random, sizeof numbers / sizeof numbers[0])]);
    case 1:
        return json_boolean(random_below(random, 2));
    case 2:
        return json_null();
    case 3:
        return json_array();
    case 4:
        return json_object();
    case 5:
        return json_real(1.5);
    default:
        return json_string(words[random_below(random, sizeof words / sizeof words[0])]);
    }
}

/* Another value, none, a second time, or under the key of another. */
static void mutate_object(json_t *object, json_t *other, uint64_t *random)
{
    size_t skip = random_below(random, json_object_size(object) + 1);
    void *at = json_object_iter(object);
    while (at && skip-- > 0)
        at = json_object_iter_next(object, at);
    const char *key = at ? json_object_iter_key(at) : "memory";
    switch (random_below(random, 4)) {
    case 0:
        json_object_del(object, key);
        break;
    case 1:
        json_object_set_new(object, random_below(random, 2) ? "image" : "x\n", random_value(random));
        break;
    case 2:
        json_object_set_new(object, key, json_deep_copy(other));
        break;
    default:
        json_object_set_new(object, key, random_value(random));
        break;
    }
}

static void mutate_list(json_t *list, json_t *other, uint64_t *random)
{
    size_t count = json_array_size(list), at = count ? random_below(random, count) : 0;
    switch (random_below(random, 4)) {
    case 0:
        json_array_remove(list, at);
        break;
    case 1:
        json_array_append_new(list, count ? json_deep_copy(json_array_get(list, at)) : random_value(random));
        break;
    case 2:
        json_array_append_new(list, json_deep_copy(other));
        break;
    default:
        json_array_insert_new(list, at, random_value(random));
        break;
    }
}

static void mutate(json_t *body, uint64_t *random)
{
    json_t *containers[NODES_MAX];
    size_t count = 0;
    collect(body, containers, &count);
    json_t *chosen = containers[random_below(random, count)], *other = containers[random_below(random, count)];
    if (json_is_object(chosen))
        mutate_object(chosen, other, random);
    else
        mutate_list(chosen, other, random);
}

static void check_lines(struct problems *problems)
{
    struct config_problems lines;
    problems_hand_over(problems, &lines);
    assert_true(lines.count > 0);
    for (size_t i = 0; i < lines.count; i++) {
        const char *end = strstr(lines.lines[i], ": ");
        if ((!end || end == lines.lines[i]) && strcmp(lines.lines[i], "... and more") != 0)
            fail_msg("without a path: %s", lines.lines[i]);
    }
    config_problems_fini(&lines);
}

static void whatever_is_changed_is_a_definition_or_has_problems_with_paths(void **state)
{
    (void)state;
    uint64_t random = 2026;
    size_t good = 0;
    json_t *body = NULL;
    for (int i = 0; i < MUTATIONS; i++) {
        struct problems problems;
        if (i % 4 == 0) {
            json_decref(body);
            body = json_deep_copy(seeds[random_below(&random, seed_count)]);
        }
        mutate(body, &random);
        problems_init(&problems, NULL);
        struct task_definition *definition = task_definition_read(body, &problems);
        if (definition)
            assert_int_equal(problems.count, 0);
        else
            check_lines(&problems);
        good += definition != NULL;
        task_definition_free(definition);
        problems_fini(&problems);
    }
    json_decref(body);
    assert_true(good > MUTATIONS / 100 && good < MUTATIONS / 2); /* it does explore both */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_changed_is_a_definition_or_has_problems_with_paths),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
