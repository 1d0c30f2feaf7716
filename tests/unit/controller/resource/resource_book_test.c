#include "controller/resource/resource_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* {"size": 3}: its spec is the number. */
static void *parse_thing(const char *name, json_t *body, struct problems *problems)
{
    (void)name;
    json_t *size = json_object_get(body, "size");
    if (!json_is_integer(size)) {
        problems_add(problems, 0, 0, "size", "must be an integer");
        return NULL;
    }
    json_int_t *spec = mem_alloc(sizeof *spec);
    *spec = json_integer_value(size);
    return spec;
}

static const struct resource_kind thing = { "thing", "of this test", parse_thing, free };
static const struct resource_kind other = { "other", "of this test", parse_thing, free };
static const struct resource_limits limits = { .count_max = 3, .bytes_max = 60, .body_bytes_max = 40 };

static struct resource_book *book;
static struct resource_refusal refusal;

static int set_up(void **state)
{
    (void)state;
    book = resource_book_new(&limits);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resource_book_free(book);
    return 0;
}

static struct resource_row row_of(const struct resource_kind *kind, const char *name, int64_t expected, json_t *body)
{
    struct resource_row row = { .kind = kind, .expected_version = expected, .body = body };
    snprintf(row.name, sizeof row.name, "%s", name);
    return row;
}

static json_t *body_of(int size)
{
    return json_pack("{s:i}", "size", size);
}

/* Ordered, and durable at once. */
static bool change(const struct resource_kind *kind, const char *name, int64_t expected, json_t *body, int64_t version)
{
    struct resource_row row = row_of(kind, name, expected, body);
    bool is_good = resource_book_prepare(book, &row, &refusal);
    if (is_good) {
        resource_book_await(book, &row, version);
        resource_book_apply(book, &row, version, "test", 1);
    }
    resource_row_fini(&row);
    return is_good;
}

static json_int_t size_of(const struct resource_kind *kind, const char *name)
{
    const struct resource *r = resource_book_find(book, kind, name);
    return r != NULL ? *(json_int_t *)r->spec : -1;
}

static void what_is_durable_is_found_by_kind_and_name(void **state)
{
    (void)state;
    assert_true(change(&thing, "web", 0, body_of(3), 1));
    assert_true(change(&other, "web", 0, body_of(4), 2));
    assert_int_equal(size_of(&thing, "web"), 3);
    assert_int_equal(size_of(&other, "web"), 4);
    assert_int_equal(resource_book_find(book, &thing, "web")->version, 1);
    assert_int_equal(resource_book_count(book), 2);
    assert_true(change(&thing, "web", 1, NULL, 3));
    assert_null(resource_book_find(book, &thing, "web"));
    assert_int_equal(resource_book_count(book), 1);
}

static void an_order_is_refused_with_what_is_there(void **state)
{
    (void)state;
    assert_true(change(&thing, "web", 0, body_of(3), 1));
    assert_false(change(&thing, "web", 0, body_of(3), 2));
    assert_int_equal(refusal.verdict, RESOURCE_CONFLICT);
    assert_false(change(&thing, "web", 7, body_of(3), 2));
    assert_int_equal(refusal.verdict, RESOURCE_STALE);
    assert_string_equal(refusal.error.text, "thing web has version 1 now");
    assert_false(change(&thing, "api", 1, body_of(3), 2));
    assert_int_equal(refusal.verdict, RESOURCE_NOT_FOUND);
    assert_false(change(&thing, "api", RESOURCE_ANY_VERSION, NULL, 2));
    assert_int_equal(refusal.verdict, RESOURCE_NOT_FOUND);
    assert_int_equal(size_of(&thing, "web"), 3);
}

static void a_body_that_is_wrong_is_refused_with_its_field(void **state)
{
    (void)state;
    assert_false(change(&thing, "web", 0, json_pack("{s:s}", "size", "3"), 1));
    assert_int_equal(refusal.verdict, RESOURCE_INVALID);
    assert_string_equal(refusal.field, "size");
    assert_string_equal(refusal.error.text, "must be an integer");
    assert_int_equal(resource_book_count(book), 0);
}

static void what_waits_is_not_seen_but_gone_by(void **state)
{
    (void)state;
    struct resource_row first = row_of(&thing, "web", 0, body_of(3)), second = row_of(&thing, "web", 0, body_of(4));
    assert_true(resource_book_prepare(book, &first, &refusal));
    resource_book_await(book, &first, 5);
    assert_null(resource_book_find(book, &thing, "web"));
    assert_false(resource_book_prepare(book, &second, &refusal));
    assert_int_equal(refusal.verdict, RESOURCE_CONFLICT);
    second.expected_version = RESOURCE_ANY_VERSION;
    assert_true(resource_book_prepare(book, &second, &refusal));
    assert_int_equal(second.expected_version, 5); /* of the one that waits */
    assert_int_equal(json_integer_value(json_object_get(resource_book_find_next(book, &thing, "web"), "size")), 3);
    resource_book_forget_waiting(book, &first);
    assert_null(resource_book_find_next(book, &thing, "web"));
    resource_row_fini(&first);
    resource_row_fini(&second);
    assert_true(change(&thing, "web", 0, body_of(5), 6)); /* as if it had never been */
}

static void a_name_belongs_to_one_origin_and_the_refusal_says_which(void **state)
{
    (void)state;
    json_t *body = body_of(1);
    assert_true(resource_book_put_of_file(book, &thing, "web", body, "portico.yaml:12:3", &refusal));
    assert_false(change(&thing, "web", RESOURCE_ANY_VERSION, body_of(2), 1));
    assert_int_equal(refusal.verdict, RESOURCE_CONFLICT);
    assert_non_null(strstr(refusal.error.text, "portico.yaml:12:3"));
    assert_true(change(&thing, "api", 0, body_of(2), 1));
    assert_false(resource_book_put_of_file(book, &thing, "api", body, "portico.yaml:20:3", &refusal));
    assert_non_null(strstr(refusal.error.text, "portico.yaml:20:3: thing api was made by the admin API"));
    resource_book_remove_of_file(book, &thing, "api"); /* not its own */
    assert_int_equal(size_of(&thing, "api"), 2);
    resource_book_remove_of_file(book, &thing, "web");
    assert_true(change(&thing, "web", 0, body_of(2), 2));
    json_decref(body);
}

static void there_is_room_for_so_many_and_no_more(void **state)
{
    (void)state;
    static const char *const names[] = { "a", "b", "c" };
    for (int i = 0; i < 3; i++)
        assert_true(change(&thing, names[i], 0, body_of(i), i + 1));
    assert_false(change(&thing, "d", 0, body_of(3), 4));
    assert_int_equal(refusal.verdict, RESOURCE_NO_ROOM);
    assert_true(change(&thing, "c", 3, body_of(1000), 4)); /* it is there already */
    assert_true(change(&thing, "a", 1, NULL, 5));
    json_t *long_body = json_pack("{s:i,s:s}", "size", 1, "rest", "123456789012345678901234567890");
    assert_false(change(&thing, "d", 0, json_incref(long_body), 6));
    assert_int_equal(refusal.verdict, RESOURCE_INVALID); /* one alone is too long */
    json_object_set_new(long_body, "rest", json_string("1234567890"));
    assert_false(change(&thing, "d", 0, json_incref(long_body), 6) &&
                 change(&thing, "b", 2, json_incref(long_body), 7));
    assert_int_equal(refusal.verdict, RESOURCE_NO_ROOM); /* all together are */
    json_decref(long_body);
}

static json_t *body_with(const char *rest)
{
    return json_pack("{s:i,s:s}", "size", 1, "rest", rest);
}

/* A definition is made INACTIVE before it can be deleted: its body grows first. */
static void what_is_there_can_be_replaced_where_nothing_new_has_room(void **state)
{
    (void)state;
    assert_true(change(&thing, "a", 0, body_with("1234567890"), 1));
    assert_true(change(&thing, "b", 0, body_with("1234567890"), 2));
    assert_int_equal(resource_book_bytes(book), limits.bytes_max);
    assert_false(change(&thing, "c", 0, body_of(1), 3));
    assert_int_equal(refusal.verdict, RESOURCE_NO_ROOM);
    assert_true(change(&thing, "a", 1, body_with("12345678901234567"), 3));
    assert_false(change(&thing, "b", 2, body_with("1234567890123"), 4)); /* an eighth more, and no more than that */
    assert_int_equal(refusal.verdict, RESOURCE_NO_ROOM);
    assert_true(change(&thing, "a", 3, NULL, 4));
    assert_true(change(&thing, "b", 2, body_with("1234567890123"), 5));
}

static int heard[4];

static void hear(void *owner, const struct resource *before, const struct resource *after)
{
    int *sum = owner;
    heard[0] += before == NULL;
    heard[1] += before != NULL && after != NULL;
    heard[2] += after == NULL;
    *sum += 1;
}

static void subscribers_hear_of_their_kind(void **state)
{
    (void)state;
    int all = 0, some = 0;
    memset(heard, 0, sizeof heard);
    resource_book_subscribe(book, NULL, hear, &all);
    resource_book_subscribe(book, &other, hear, &some);
    assert_true(change(&thing, "web", 0, body_of(1), 1));
    assert_true(change(&thing, "web", 1, body_of(2), 2));
    assert_true(change(&thing, "web", 2, NULL, 3));
    assert_int_equal(all, 3);
    assert_int_equal(some, 0);
    assert_true(heard[0] == 1 && heard[1] == 1 && heard[2] == 1);
}

static void a_stored_body_that_cannot_be_read_is_kept_and_said(void **state)
{
    (void)state;
    json_t *body = json_object();
    resource_book_add_stored(book, &thing, "web", 4, body, "{}", NULL, "test", 1);
    json_decref(body);
    const struct resource *r = resource_book_find(book, &thing, "web");
    assert_non_null(r);
    assert_null(r->spec);
    assert_non_null(strstr(r->problem, "size: must be an integer"));
    assert_true(change(&thing, "web", 4, body_of(1), 5));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_durable_is_found_by_kind_and_name),
        TEST(an_order_is_refused_with_what_is_there),
        TEST(a_body_that_is_wrong_is_refused_with_its_field),
        TEST(what_waits_is_not_seen_but_gone_by),
        TEST(a_name_belongs_to_one_origin_and_the_refusal_says_which),
        TEST(there_is_room_for_so_many_and_no_more),
        TEST(what_is_there_can_be_replaced_where_nothing_new_has_room),
        TEST(subscribers_hear_of_their_kind),
        TEST(a_stored_body_that_cannot_be_read_is_kept_and_said),
    };
    return cmocka_run_group_tests_name("resource book", tests, NULL, NULL);
}
