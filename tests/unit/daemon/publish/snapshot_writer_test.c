#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/publish/snapshot_writer.h"

#include "config/fields.h"
#include "config/load.h"
#include "config/value.h"
#include "proxy/snapshot/snapshot_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Walks the settings of config/schema.def, each from the configuration through the text of a snapshot document into the
 * structs of the data plane. */

struct place {
    enum schema_section section;
    const char *key, *field;
    size_t offset, size; /* in the data plane's struct */
};

#define PLACE(section, key, settings, field)                                               \
    { SCHEMA_SECTION_##section, #key, #field, offsetof(struct settings##_settings, field), \
      sizeof(((struct settings##_settings *)0)->field) },
static const struct place places[] = {
#define SETTING_OF_PROXY(key, field, ...) PLACE(PROXY, key, proxy, field)
#define SETTING_OF_TIMEOUTS(key, field, ...) PLACE(TIMEOUTS, key, proxy, field)
#define SETTING_OF_LIMITS(key, field, ...) PLACE(LIMITS, key, proxy, field)
#define SETTING_OF_CLIENTS(key, field, ...) PLACE(CLIENTS, key, proxy, clients.field)
#define SETTING_OF_LISTENER(key, field, ...) PLACE(LISTENER, key, proxy, listeners[0].field)
#define SETTING_OF_SERVICE(key, field, ...) PLACE(SERVICE, key, service, field)
#include "config/schema.def"
};

/* A document's settings, or a service of it, and what the data plane read. */
union taken {
    struct proxy_settings settings;
    struct service_settings service;
};

typedef void (*place_cb)(const struct place *place, const struct schema_row *row);

static void each_place(place_cb each)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        each(&places[i], schema_find(places[i].section, places[i].key));
}

static struct config *configure(void)
{
    static const char text[] = "services: [{ name: web, image: a, port: 80 }]";
    struct config_problems problems;
    struct config *config = config_load_text("test", text, strlen(text), &problems);
    config_problems_fini(&problems);
    assert_non_null(config);
    return config;
}

static void *part_of(struct config *config, enum schema_section section)
{
    switch (section) {
    case SCHEMA_SECTION_PROXY:
        return &config->proxy;
    case SCHEMA_SECTION_TIMEOUTS:
        return &config->proxy.timeouts;
    case SCHEMA_SECTION_LIMITS:
        return &config->proxy.limits;
    case SCHEMA_SECTION_CLIENTS:
        return &config->proxy.clients;
    case SCHEMA_SECTION_LISTENER:
        return &config->listeners[0];
    default:
        return &config->services[0];
    }
}

/* Where it stands in the document, and how messages call that. */
static json_t *object_of(json_t *document, enum schema_section section, const char **path)
{
    switch (section) {
    case SCHEMA_SECTION_TIMEOUTS:
        *path = "settings.timeouts";
        return json_object_get(document, "timeouts");
    case SCHEMA_SECTION_LIMITS:
        *path = "settings.limits";
        return json_object_get(document, "limits");
    case SCHEMA_SECTION_CLIENTS:
        *path = "settings.clients";
        return json_object_get(document, "clients");
    case SCHEMA_SECTION_LISTENER:
        *path = "settings.listeners[]";
        return json_array_get(json_object_get(document, "listeners"), 0);
    case SCHEMA_SECTION_SERVICE:
        *path = "services[0]";
        return document;
    default:
        *path = "settings";
        return document;
    }
}

static json_t *write_document(const struct config *config, enum schema_section section)
{
    json_t *document = section == SCHEMA_SECTION_SERVICE ? snapshot_write_service_settings(&config->services[0])
                                                         : snapshot_write_settings(config, "http");
    char *text = json_dumps(document, 0);
    json_t *read = json_loads(text, 0, NULL);
    assert_non_null(read);
    free(text);
    json_decref(document);
    return read;
}

static bool take(json_t *document, enum schema_section section, union taken *taken, struct error *error)
{
    static const char *const no_others[] = { NULL };
    memset(taken, 0, sizeof *taken);
    return section == SCHEMA_SECTION_SERVICE
               ? snapshot_read_service_settings(document, no_others, "services[0]", &taken->service, error)
               : snapshot_read_settings(document, &taken->settings, error);
}

static void carry(const struct config *config, enum schema_section section, union taken *taken)
{
    struct error error = { "" };
    json_t *document = write_document(config, section);
    if (!take(document, section, taken, &error))
        fail_msg("%s", error.text);
    json_decref(document);
}

static int64_t place_of_word(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0)
            return (int64_t)i;
    }
    fail_msg("'%s' is no word of it", word);
    return -1;
}

/* As a number: that of a word is its place in the list. */
static int64_t number_of_text(const struct schema_row *row, const char *text)
{
    union {
        int64_t number;
        bool is_true;
    } value = { 0 };
    size_t count;
    const char *const *words = value_words(row, &count);
    if (words)
        return place_of_word(words, count, text);
    assert_int_equal(value_parse(row, text, &value), VALUE_OK);
    return row->type == SCHEMA_TYPE_BOOLEAN ? value.is_true : value.number;
}

static int64_t number_taken(const struct place *place, const struct schema_row *row, const union taken *taken)
{
    const void *field = (const char *)taken + place->offset;
    size_t count;
    const char *const *names = balancer_names(&count);
    if (row->type == SCHEMA_TYPE_BALANCER)
        return place_of_word(names, count, (*(const struct balancer_ops *const *)field)->name);
    if (row->type == SCHEMA_TYPE_BOOLEAN)
        return *(const bool *)field;
    return value_words(row, &count) ? (int64_t) * (const unsigned *)field : *(const int64_t *)field;
}

/* A number's ends, both booleans, or all words. */
static size_t values_of(const struct schema_row *row, const char *values[8])
{
    size_t count;
    const char *const *words = value_words(row, &count);
    if (!words) {
        values[0] = row->type == SCHEMA_TYPE_BOOLEAN ? "false" : row->min;
        values[1] = row->type == SCHEMA_TYPE_BOOLEAN ? "true" : row->max;
        return 2;
    }
    assert_in_range(count, 2, 8);
    memcpy(values, words, count * sizeof *words);
    return count;
}

static void check_that_it_is_sent(const struct place *place, const struct schema_row *row)
{
    assert_non_null(row);
    assert_non_null(row->sent_as);
    assert_int_equal(strncmp(row->sent_as, place->key, strlen(place->key)), 0);
    assert_int_equal(row->when, SCHEMA_RELOAD);
}

static void what_is_sent_has_a_place_and_the_other_way_round(void **state)
{
    (void)state;
    size_t count = 0;
    for (int section = 0; section < SCHEMA_SECTION_COUNT; section++) {
        const struct schema_row *row = schema_next((enum schema_section)section, NULL);
        for (; row; row = schema_next((enum schema_section)section, row))
            count += row->sent_as != NULL;
    }
    assert_int_equal(count, sizeof places / sizeof *places);
    each_place(check_that_it_is_sent);
}

static void check_default(const struct place *place, const struct schema_row *row)
{
    union taken by_reader, by_writer;
    struct config *config = configure();
    json_t *nothing = json_object();
    assert_true(take(nothing, place->section, &by_reader, NULL));
    json_decref(nothing);
    carry(config, place->section, &by_writer);
    assert_memory_equal(&by_reader, &by_writer, sizeof by_reader);
    if (row->fallback && number_taken(place, row, &by_reader) != number_of_text(row, row->fallback))
        fail_msg("%s is not %s by default", row->sent_as, row->fallback);
    config_free(config);
}

static void the_defaults_of_both_sides_are_the_same(void **state)
{
    (void)state;
    each_place(check_default);
}

static void check_values(const struct place *place, const struct schema_row *row)
{
    const char *values[8];
    size_t count = values_of(row, values);
    union taken before, after;
    struct config *config = configure();
    carry(config, place->section, &before);
    for (size_t i = 0; i < count; i++) {
        void *field = fields_at(row, part_of(config, place->section));
        assert_int_equal(value_parse(row, values[i], field), VALUE_OK);
        carry(config, place->section, &after);
        if (number_taken(place, row, &after) != number_of_text(row, values[i]))
            fail_msg("%s: %s does not arrive", row->sent_as, values[i]);
        if (place->section == SCHEMA_SECTION_SERVICE)
            continue; /* it also says that it is there */
        memcpy((char *)&after + place->offset, (char *)&before + place->offset, place->size);
        assert_memory_equal(&after, &before, sizeof after); /* nothing else has changed */
    }
    config_free(config);
}

static void every_value_arrives_in_its_field_and_no_other(void **state)
{
    (void)state;
    each_place(check_values);
}

/* `value` is taken over. */
static void expect_refusal(const struct place *place, const char *key, json_t *value, const char *reason)
{
    union taken taken;
    struct error error = { "" };
    struct config *config = configure();
    json_t *document = write_document(config, place->section);
    const char *path;
    char beginning[128];
    json_object_set_new(object_of(document, place->section, &path), key, value);
    snprintf(beginning, sizeof beginning, "%s.%s: %s", path, key, reason);
    assert_false(take(document, place->section, &taken, &error));
    if (strncmp(error.text, beginning, strlen(beginning)) != 0)
        fail_msg("'%s' does not start with '%s'", error.text, beginning);
    json_decref(document);
    config_free(config);
}

static void check_wrong_values(const struct place *place, const struct schema_row *row)
{
    size_t count;
    if (value_words(row, &count)) {
        expect_refusal(place, row->sent_as, json_string("no-such-word"), "'no-such-word' is not known");
        expect_refusal(place, row->sent_as, json_string(""), "not a non-empty string");
        expect_refusal(place, row->sent_as, json_integer(0), "not a non-empty string");
        expect_refusal(place, row->sent_as, json_null(), "not a non-empty string");
    } else if (row->type == SCHEMA_TYPE_BOOLEAN) {
        expect_refusal(place, row->sent_as, json_integer(1), "neither true nor false");
        expect_refusal(place, row->sent_as, json_string("true"), "neither true nor false");
    } else {
        char reason[80];
        snprintf(reason, sizeof reason, "not an integer from %lld to %lld", (long long)value_min(row),
                 (long long)value_max(row));
        expect_refusal(place, row->sent_as, json_integer(value_min(row) - 1), reason);
        expect_refusal(place, row->sent_as, json_integer(value_max(row) + 1), reason);
        expect_refusal(place, row->sent_as, json_string(row->max), reason);
        expect_refusal(place, row->sent_as, json_real((double)value_max(row)), reason);
        expect_refusal(place, row->sent_as, json_null(), reason);
    }
}

static void a_wrong_value_is_refused_with_its_name(void **state)
{
    (void)state;
    each_place(check_wrong_values);
}

static void check_wrong_name(const struct place *place, const struct schema_row *row)
{
    char misspelt[64];
    snprintf(misspelt, sizeof misspelt, "%sX", row->sent_as);
    expect_refusal(place, misspelt, json_true(), "unknown key");
}

static void an_unknown_name_is_refused_with_it(void **state)
{
    (void)state;
    each_place(check_wrong_name);
}

/* Of the section that has it for all services. */
static const struct schema_row *row_of_all(const char *field)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bool is_of_all = places[i].section == SCHEMA_SECTION_PROXY || places[i].section == SCHEMA_SECTION_TIMEOUTS;
        if (is_of_all && strcmp(places[i].field, field) == 0)
            return schema_find(places[i].section, places[i].key);
    }
    return NULL;
}

static void check_that_the_settings_have_it_too(const struct place *place, const struct schema_row *row)
{
    if (place->section != SCHEMA_SECTION_SERVICE)
        return;
    const struct schema_row *of_all = row_of_all(place->field);
    assert_non_null(of_all);
    assert_non_null(of_all->sent_as);
    assert_int_equal(of_all->type, row->type);
    assert_null(row->fallback); /* it is what the settings say */
    size_t count;
    bool is_text = value_words(row, &count) != NULL;
    assert_true(is_text || (row->min && value_min(row) > 0)); /* else what is not written looks like a value */
    assert_true(of_all->min == row->min || strcmp(of_all->min, row->min) == 0);
    assert_true(of_all->max == row->max || strcmp(of_all->max, row->max) == 0);
}

static void a_setting_of_a_service_is_one_of_the_proxy(void **state)
{
    (void)state;
    each_place(check_that_the_settings_have_it_too);
}

static void a_listener_that_the_configuration_lost_has_the_defaults(void **state)
{
    (void)state;
    struct config *config = configure();
    json_t *document = snapshot_write_settings(config, "gone,http+proxy");
    struct proxy_settings settings, defaults;
    assert_true(snapshot_read_settings(NULL, &defaults, NULL));
    defaults.listeners[1].proxy_protocol = true;
    assert_true(snapshot_read_settings(document, &settings, NULL));
    assert_memory_equal(&settings, &defaults, sizeof settings);
    json_decref(document);
    config_free(config);
}

static int set_up(void **state)
{
    (void)state;
    size_t count;
    const char *const *names = balancer_names(&count);
    config_set_balancer_names(names, count);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_has_a_place_and_the_other_way_round),
        cmocka_unit_test(the_defaults_of_both_sides_are_the_same),
        cmocka_unit_test(every_value_arrives_in_its_field_and_no_other),
        cmocka_unit_test(a_wrong_value_is_refused_with_its_name),
        cmocka_unit_test(an_unknown_name_is_refused_with_it),
        cmocka_unit_test(a_setting_of_a_service_is_one_of_the_proxy),
        cmocka_unit_test(a_listener_that_the_configuration_lost_has_the_defaults),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
