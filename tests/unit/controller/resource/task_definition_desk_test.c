/* Task definitions over a store that forgets: what the desk makes of one that this version cannot read. */
#include "controller/resource/task_definition_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static struct {
    struct loop *loop;
    struct store *store;
    struct resource_book *book;
    struct resource_desk *desk;
    size_t done_count;
} fixture;

static int set_up(void **state)
{
    (void)state;
    struct error error;
    fixture.loop = loop_new();
    fixture.store = store_ops_memory.open("", &error);
    fixture.book = resource_book_new(&resource_limits_default);
    fixture.desk = resource_desk_new(fixture.book, fixture.store, fixture.loop, &error);
    fixture.done_count = 0;
    return fixture.desk != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    fixture.store->ops->close(fixture.store);
    resource_desk_free(fixture.desk);
    resource_book_free(fixture.book);
    loop_free(fixture.loop);
    return 0;
}

static void on_done(void *owner, const struct resource_refusal *refusal)
{
    (void)owner;
    (void)refusal;
    fixture.done_count++;
}

static struct definition_order order_of(const char *request_key)
{
    return (struct definition_order){ .who = "test",
                                      .at_wall_us = 1,
                                      .request_key = request_key,
                                      .expected_version = RESOURCE_ANY_VERSION,
                                      .done = on_done };
}

/* web:1, ACTIVE, of another version: it has no containers. */
static json_t *add_unreadable(const char *request_key)
{
    json_t *document = json_pack("{s:s}", "family", "web"), *body = task_definition_body(document, "test", 1);
    char *text = json_to_text(body);
    resource_book_add_stored(fixture.book, &resource_kind_task_definition, "web:1", 1, body, text, request_key, "test",
                             1);
    free(text);
    json_decref(body);
    assert_null(resource_book_find(fixture.book, &resource_kind_task_definition, "web:1")->spec);
    return document;
}

static void the_key_of_a_definition_that_cannot_be_read_answers_why(void **state)
{
    (void)state;
    struct resource_refusal refusal = { .field = "" };
    struct definition_order order = order_of("deploy-7");
    char name[RESOURCE_NAME_SIZE];
    bool already = true;
    json_t *document = add_unreadable("deploy-7");
    assert_false(task_definition_desk_register(fixture.desk, document, &order, name, &already, &refusal));
    assert_false(already);
    assert_int_equal(refusal.verdict, RESOURCE_CONFLICT);
    assert_non_null(strstr(refusal.error.text, "web:1"));
    json_decref(document);
}

static void a_definition_that_cannot_be_read_can_be_deleted(void **state)
{
    (void)state;
    struct resource_refusal refusal = { .field = "" };
    struct definition_order order = order_of(NULL);
    json_decref(add_unreadable(NULL));
    assert_false(task_definition_desk_deregister(fixture.desk, "web:1", &order, &refusal));
    assert_int_equal(refusal.verdict, RESOURCE_INVALID);
    order.is_trial = true;
    assert_true(task_definition_desk_delete(fixture.desk, "web:1", &order, &refusal));
    assert_int_equal(fixture.done_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_key_of_a_definition_that_cannot_be_read_answers_why),
        TEST(a_definition_that_cannot_be_read_can_be_deleted),
    };
    return cmocka_run_group_tests_name("task definition desk", tests, NULL, NULL);
}
