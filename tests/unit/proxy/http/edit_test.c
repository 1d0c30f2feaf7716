#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/http/edit.h"

static struct http_field_line line_of(const char *name, const char *value)
{
    struct slice text = slice_of(name);
    enum http_field id = http_field_of_name(text);
    return (struct http_field_line){ .name = text,
                                     .value = slice_of(value),
                                     .id = (uint8_t)id,
                                     .hop_by_hop = http_field_traits_of(id) == HTTP_FIELD_HOP_BY_HOP,
                                     .has_underscore = strchr(name, '_') != NULL };
}

static void init(struct http_edit *edit)
{
    static struct http_head head;
    http_edit_init(edit, &head);
}

static bool drops(const struct http_edit *edit, const char *name)
{
    struct http_field_line line = line_of(name, "x");
    return http_edit_drops(edit, &line);
}

static void what_is_for_one_hop_alone_never_goes_on(void **state)
{
    (void)state;
    struct http_edit edit;
    init(&edit);
    assert_true(drops(&edit, "Connection"));
    assert_true(drops(&edit, "transfer-encoding"));
    assert_true(drops(&edit, "Upgrade"));
    assert_false(drops(&edit, "Host"));
    assert_false(drops(&edit, "Content-Length"));
    assert_false(drops(&edit, "X-Mine"));
}

static void a_length_that_the_head_rewrites_does_not_go_on_as_it_came(void **state)
{
    (void)state;
    static struct http_head head = { .rewrites_content_length = true };
    struct http_edit edit;
    http_edit_init(&edit, &head);
    assert_true(drops(&edit, "Content-Length"));
}

static void a_line_is_dropped_by_its_name_or_by_its_mark(void **state)
{
    (void)state;
    struct http_edit edit;
    init(&edit);
    edit.dropped |= HTTP_FIELD_BIT(COOKIE);
    assert_true(drops(&edit, "cookie"));
    assert_false(drops(&edit, "set-cookie"));
    struct http_field_line marked = line_of("X-Mine", "x");
    marked.hop_by_hop = true;
    assert_true(http_edit_drops(&edit, &marked));
}

static void aliases_are_dropped_when_it_is_said(void **state)
{
    (void)state;
    struct http_edit edit;
    init(&edit);
    assert_false(drops(&edit, "X_Real_IP"));
    edit.dropped |= HTTP_FIELD_BIT(OTHER);
    assert_true(drops(&edit, "X_Real_IP"));
    assert_false(drops(&edit, "user_agent"));
    assert_false(drops(&edit, "X-Mine"));
}

static void trailer_goes_on_when_trailers_follow(void **state)
{
    (void)state;
    struct http_edit edit;
    init(&edit);
    assert_true(drops(&edit, "Trailer"));
    edit.keeps_trailer = true;
    assert_false(drops(&edit, "Trailer"));
    assert_true(drops(&edit, "TE"));
}

static void one_look_tells_whether_any_line_is_dropped(void **state)
{
    (void)state;
    static struct http_head head = { .field_ids = HTTP_FIELD_BIT(HOST) | HTTP_FIELD_BIT(OTHER) };
    struct http_edit edit;
    http_edit_init(&edit, &head);
    assert_false(http_edit_drops_any(&edit, &head));
    edit.dropped |= HTTP_FIELD_BIT(HOST);
    assert_true(http_edit_drops_any(&edit, &head));
}

static void each_field_of_our_own_has_its_name_and_its_place(void **state)
{
    (void)state;
    struct http_edit edit;
    init(&edit);
    for (enum http_own own = 0; own < HTTP_OWN_COUNT; own++) {
        assert_int_equal(http_own_field(own), http_field_of_name(http_own_name(own)));
        assert_int_not_equal(http_own_field(own), HTTP_FIELD_OTHER);
        assert_int_equal(edit.set >> own, 0);
        http_edit_set(&edit, own, SLICE_LITERAL("four"));
        assert_int_equal(edit.own_bytes, 4 * (own + 1));
    }
    assert_int_equal(edit.set, (1u << HTTP_OWN_COUNT) - 1);
}

static void values_are_joined_that_came_under_the_same_name(void **state)
{
    (void)state;
    struct http_edit edit;
    struct http_field_line sent = line_of("X-Forwarded-For", "192.0.2.1"), empty = line_of("X-Forwarded-For", ""),
                           other = line_of("X-Real-IP", "192.0.2.1");
    init(&edit);
    assert_false(http_edit_joins(&edit, HTTP_OWN_X_FORWARDED_FOR, &sent));
    edit.joined = HTTP_OWN_BIT(X_FORWARDED_FOR);
    assert_true(http_edit_joins(&edit, HTTP_OWN_X_FORWARDED_FOR, &sent));
    assert_false(http_edit_joins(&edit, HTTP_OWN_X_FORWARDED_FOR, &empty));
    assert_false(http_edit_joins(&edit, HTTP_OWN_X_FORWARDED_FOR, &other));
}

static void a_value_that_would_swallow_the_next_is_not_joined(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool joins;
    } cases[] = {
        { "for=192.0.2.1", true },    { "for=\"[2001:db8::1]\"", true },
        { "for=\"open", false },      { "for=\"a\\\"b\"", true },
        { "for=\"a\\\"", false },     { "for=\"a\\", false },
        { "for=a\\;by=\"b\"", true }, { "\"", false },
    };
    struct http_edit edit;
    init(&edit);
    edit.joined = HTTP_OWN_BIT(FORWARDED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_field_line line = line_of("Forwarded", cases[i].value);
        if (http_edit_joins(&edit, HTTP_OWN_FORWARDED, &line) != cases[i].joins)
            fail_msg("%s", cases[i].value);
    }
}

static void no_more_is_added_than_there_is_room_for(void **state)
{
    (void)state;
    struct http_edit edit;
    init(&edit);
    for (int i = 0; i < HTTP_ADDED_MAX; i++)
        assert_true(http_edit_add(&edit, SLICE_LITERAL("X-Mine"), SLICE_LITERAL("1")));
    assert_false(http_edit_add(&edit, SLICE_LITERAL("X-Mine"), SLICE_LITERAL("1")));
    assert_int_equal(edit.added_count, HTTP_ADDED_MAX);
}

static void values_that_are_put_together_stand_side_by_side(void **state)
{
    (void)state;
    struct http_edit edit;
    init(&edit);
    struct head_writer w = http_edit_begin_value(&edit);
    HEAD_PUT_LITERAL(&w, "one");
    struct slice one = http_edit_end_value(&edit, w);
    w = http_edit_begin_value(&edit);
    HEAD_PUT_LITERAL(&w, "two, ");
    head_put_slice(&w, one);
    struct slice two = http_edit_end_value(&edit, w);
    assert_true(slice_equals(one, SLICE_LITERAL("one")));
    assert_true(slice_equals(two, SLICE_LITERAL("two, one")));
}

/* Of every length that its steps part at, in memory of exactly that size. */
static void a_value_is_copied_whole_and_nothing_beside_it(void **state)
{
    (void)state;
    char from[80], to[82];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (char)('0' + i % 75);
    for (size_t len = 0; len <= sizeof from; len++) {
        memset(to, '#', sizeof to);
        assert_ptr_equal(head_copy_value(to + 1, (struct slice){ from, len }), to + 1 + len);
        assert_memory_equal(to + 1, from, len);
        assert_int_equal(to[0], '#');
        assert_int_equal(to[len + 1], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_for_one_hop_alone_never_goes_on),
        cmocka_unit_test(a_length_that_the_head_rewrites_does_not_go_on_as_it_came),
        cmocka_unit_test(a_line_is_dropped_by_its_name_or_by_its_mark),
        cmocka_unit_test(aliases_are_dropped_when_it_is_said),
        cmocka_unit_test(trailer_goes_on_when_trailers_follow),
        cmocka_unit_test(one_look_tells_whether_any_line_is_dropped),
        cmocka_unit_test(each_field_of_our_own_has_its_name_and_its_place),
        cmocka_unit_test(values_are_joined_that_came_under_the_same_name),
        cmocka_unit_test(a_value_that_would_swallow_the_next_is_not_joined),
        cmocka_unit_test(no_more_is_added_than_there_is_room_for),
        cmocka_unit_test(values_that_are_put_together_stand_side_by_side),
        cmocka_unit_test(a_value_is_copied_whole_and_nothing_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
