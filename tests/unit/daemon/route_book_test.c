#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/route_book.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdio.h>

static int set_up(void **state)
{
    log_init("test", LOG_LEVEL_ERROR);
    *state = route_book_new();
    return 0;
}

static int tear_down(void **state)
{
    route_book_free(*state);
    return 0;
}

static void print_route(void *owner, const char *host, const char *path, const char *service)
{
    buf_printf(owner, "%s%s=%s ", host, path, service);
}

static void assert_routes(const struct route_book *book, const char *expected)
{
    struct buf out;
    buf_init(&out, 0);
    route_book_each(book, print_route, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

/* The service's tasks ask for these routes, and for no others: host, path, host, path, ..., null. */
static bool claim(struct route_book *book, const char *service, const char *const *wanted)
{
    route_book_begin(book, service);
    for (; *wanted; wanted += 2)
        route_book_claim(book, service, wanted[0], wanted[1], "container");
    return route_book_end(book, service);
}

#define CLAIM(book, service, ...) claim(book, service, (const char *const[]){ __VA_ARGS__, NULL })
#define CLAIM_NOTHING(book, service) claim(book, service, (const char *const[]){ NULL })

static void configure(struct route_book *book, const char *host, const char *path, const char *name)
{
    struct config_service service = { .name = (char *)name, .host = (char *)host, .path = (char *)path };
    struct config config = { .services = &service, .service_count = name ? 1 : 0 };
    route_book_apply_config(book, &config);
}

static void a_claim_makes_a_route_and_says_that_something_changed(void **state)
{
    struct route_book *book = *state;
    assert_false(route_book_take_changed(book));
    CLAIM(book, "web", "a.test", "/");
    assert_true(route_book_take_changed(book));
    CLAIM(book, "web", "a.test", "/");
    assert_false(route_book_take_changed(book));
    assert_routes(book, "a.test/=web ");
}

static void a_route_stays_when_its_last_task_has_gone(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    CLAIM_NOTHING(book, "web");
    assert_routes(book, "a.test/=web ");
}

static void the_first_claim_wins_while_it_is_made(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    assert_false(CLAIM(book, "thief", "a.test", "/"));
    assert_routes(book, "a.test/=web ");
    assert_int_equal(route_book_refused_count(book), 1);
}

static void a_left_route_goes_to_whoever_asks_next(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    CLAIM_NOTHING(book, "web");
    CLAIM(book, "next", "a.test", "/");
    assert_routes(book, "a.test/=next ");
    CLAIM(book, "web", "a.test", "/");
    assert_routes(book, "a.test/=next ");
}

static void leaving_a_route_that_another_wanted_asks_for_new_claims(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    CLAIM(book, "second", "a.test", "/");
    assert_true(CLAIM_NOTHING(book, "web"));
    assert_false(CLAIM_NOTHING(book, "web")); /* once */
    CLAIM(book, "second", "a.test", "/");
    assert_routes(book, "a.test/=second ");
}

static void the_configuration_beats_claims_before_and_after_it(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "label", "a.test", "/x");
    configure(book, "a.test", "/x/", "configured");
    assert_routes(book, "a.test/x=configured ");
    CLAIM(book, "label", "a.test", "/x");
    assert_routes(book, "a.test/x=configured ");
    configure(book, NULL, NULL, NULL);
    assert_routes(book, "");
    CLAIM(book, "label", "a.test", "/x");
    assert_routes(book, "a.test/x=label ");
}

static void paths_with_and_without_a_final_slash_are_one(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "*", "/api/", "*", "");
    CLAIM(book, "other", "*", "/api", "*", "/");
    assert_routes(book, "*/api=web */=web ");
}

static void what_the_data_plane_would_refuse_does_not_get_in(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "UPPER.test", "/", "a.test", "no-slash", "a b", "/", "a.test", "/?x", "a.test", "/\xff", "", "/",
          "a.test.", "/");
    assert_routes(book, "");
    assert_int_equal(route_book_refused_count(book), 7);
}

static void a_full_book_forgets_the_route_that_was_left_first(void **state)
{
    struct route_book *book = *state;
    char path[32];
    CLAIM(book, "first", "a.test", "/");
    CLAIM(book, "second", "b.test", "/");
    CLAIM_NOTHING(book, "second");
    CLAIM_NOTHING(book, "first");
    route_book_begin(book, "many");
    for (int i = 0; i < ROUTE_BOOK_CLAIMED_MAX - 1; i++) {
        snprintf(path, sizeof path, "/%d", i);
        route_book_claim(book, "many", "c.test", path, "container");
    }
    route_book_end(book, "many");
    assert_int_equal(route_book_count(book), ROUTE_BOOK_CLAIMED_MAX);
    CLAIM(book, "second", "b.test", "/");
    assert_int_equal(route_book_count(book), ROUTE_BOOK_CLAIMED_MAX);
    assert_int_equal(route_book_refused_count(book), 0);
    CLAIM(book, "late", "d.test", "/"); /* every route has a task now */
    assert_int_equal(route_book_count(book), ROUTE_BOOK_CLAIMED_MAX);
    assert_int_equal(route_book_refused_count(book), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_claim_makes_a_route_and_says_that_something_changed),
        TEST(a_route_stays_when_its_last_task_has_gone),
        TEST(the_first_claim_wins_while_it_is_made),
        TEST(a_left_route_goes_to_whoever_asks_next),
        TEST(leaving_a_route_that_another_wanted_asks_for_new_claims),
        TEST(the_configuration_beats_claims_before_and_after_it),
        TEST(paths_with_and_without_a_final_slash_are_one),
        TEST(what_the_data_plane_would_refuse_does_not_get_in),
        TEST(a_full_book_forgets_the_route_that_was_left_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
