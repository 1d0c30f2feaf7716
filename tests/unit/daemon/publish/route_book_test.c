#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/publish/route_book.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

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
    return route_book_end(book, service, true);
}

static bool lose_tasks(struct route_book *book, const char *service)
{
    route_book_begin(book, service);
    return route_book_end(book, service, false);
}

static struct route_book_refusals refusals_of(const struct route_book *book)
{
    struct route_book_refusals refusals;
    route_book_refusals(book, &refusals);
    return refusals;
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

static void a_route_that_no_task_asks_for_any_more_is_gone_at_once(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "old.test", "/", "kept.test", "/");
    CLAIM(book, "web", "kept.test", "/", "new.test", "/");
    assert_routes(book, "kept.test/=web new.test/=web ");
    CLAIM_NOTHING(book, "web");
    assert_routes(book, "");
}

static void a_route_outlives_its_last_task_for_a_minute(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    assert_int_equal(route_book_age(book, 1000), -1);
    lose_tasks(book, "web");
    assert_int_equal(route_book_age(book, 2000), ROUTE_BOOK_IDLE_MS);
    assert_int_equal(route_book_age(book, 2001), ROUTE_BOOK_IDLE_MS - 1);
    route_book_take_changed(book);
    assert_int_equal(route_book_age(book, 1999 + ROUTE_BOOK_IDLE_MS), 1);
    assert_routes(book, "a.test/=web ");
    assert_false(route_book_take_changed(book));
    assert_int_equal(route_book_age(book, 2000 + ROUTE_BOOK_IDLE_MS), -1);
    assert_routes(book, "");
    assert_true(route_book_take_changed(book));
}

static void a_task_that_comes_back_in_time_keeps_its_route(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    lose_tasks(book, "web");
    route_book_age(book, 1000);
    CLAIM(book, "web", "a.test", "/");
    assert_int_equal(route_book_age(book, 1000 + ROUTE_BOOK_IDLE_MS), -1);
    assert_routes(book, "a.test/=web ");
    lose_tasks(book, "web"); /* the minute begins anew */
    assert_int_equal(route_book_age(book, 1000 + ROUTE_BOOK_IDLE_MS), ROUTE_BOOK_IDLE_MS);
}

static void the_first_claim_wins_while_it_is_made(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    assert_false(CLAIM(book, "thief", "a.test", "/"));
    assert_routes(book, "a.test/=web ");
    assert_int_equal(refusals_of(book).total_count, 1);
}

static void note_refusal(void *owner, const char *service, const char *text)
{
    buf_printf(owner, "%s: %s\n", service, text);
}

static void a_refusal_is_told_once_while_the_claim_is_made(void **state)
{
    struct route_book *book = *state;
    struct buf told;
    buf_init(&told, 0);
    route_book_set_listener(book, note_refusal, &told);
    CLAIM(book, "web", "a.test", "/x");
    for (int i = 0; i < 3; i++)
        CLAIM(book, "thief", "a.test", "/x");
    assert_string_equal(buf_text(&told), "thief: route a.test/x, asked for by container 'container', is not given: "
                                         "for as long as its containers ask for it, service 'web' has it\n");
    assert_int_equal(refusals_of(book).total_count, 1);
    assert_int_equal(refusals_of(book).current_count, 1);
    assert_non_null(strstr(refusals_of(book).example, "a.test/x"));
    CLAIM(book, "web", "a.test", "/x"); /* the claims of others change nothing */
    assert_int_equal(refusals_of(book).current_count, 1);
    CLAIM_NOTHING(book, "thief");
    assert_int_equal(refusals_of(book).current_count, 0);
    assert_string_equal(refusals_of(book).example, "");
    CLAIM(book, "thief", "a.test", "/x");
    assert_int_equal(refusals_of(book).total_count, 2);
    buf_fini(&told);
}

static void refusals_beyond_their_limit_are_counted_only(void **state)
{
    struct route_book *book = *state;
    char host[32];
    CLAIM(book, "web", "a.test", "/");
    route_book_begin(book, "thief");
    for (int i = 0; i < ROUTE_BOOK_REFUSALS_MAX + 10; i++) {
        snprintf(host, sizeof host, "UPPER-%d", i);
        route_book_claim(book, "thief", host, "/", "container");
    }
    route_book_end(book, "thief", true);
    assert_int_equal(refusals_of(book).total_count, ROUTE_BOOK_REFUSALS_MAX + 10);
    assert_int_equal(refusals_of(book).current_count, ROUTE_BOOK_REFUSALS_MAX);
}

static void a_left_route_goes_to_whoever_asks_next(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "web", "a.test", "/");
    lose_tasks(book, "web");
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
    assert_true(lose_tasks(book, "web"));
    assert_false(lose_tasks(book, "web")); /* once */
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
    assert_int_equal(refusals_of(book).total_count, 7);
}

static void the_routes_of_the_configuration_come_first(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "label", "b.test", "/");
    configure(book, "a.test", "/", "configured");
    assert_routes(book, "a.test/=configured b.test/=label ");
}

static void a_full_book_has_no_place_for_routes_without_a_task(void **state)
{
    struct route_book *book = *state;
    char path[32];
    CLAIM(book, "first", "a.test", "/");
    CLAIM(book, "second", "b.test", "/");
    lose_tasks(book, "second");
    lose_tasks(book, "first");
    route_book_begin(book, "many");
    for (int i = 0; i < ROUTE_BOOK_CLAIMED_MAX - 1; i++) {
        snprintf(path, sizeof path, "/%d", i);
        route_book_claim(book, "many", "c.test", path, "container");
    }
    route_book_end(book, "many", true);
    assert_int_equal(route_book_count(book), ROUTE_BOOK_CLAIMED_MAX - 1);
    CLAIM(book, "second", "b.test", "/");
    assert_int_equal(route_book_count(book), ROUTE_BOOK_CLAIMED_MAX);
    assert_int_equal(refusals_of(book).total_count, 0);
    CLAIM(book, "late", "d.test", "/"); /* every route has a task now */
    assert_int_equal(route_book_count(book), ROUTE_BOOK_CLAIMED_MAX);
    assert_int_equal(refusals_of(book).total_count, 1);
}

/* Else a label could take /admin of somebody's site. */
static void a_host_of_the_configuration_has_all_its_paths(void **state)
{
    struct route_book *book = *state;
    CLAIM(book, "evil", "www.test", "/admin");
    assert_routes(book, "www.test/admin=evil ");
    configure(book, "www.test", "/", "web"); /* what was given before is taken back */
    assert_routes(book, "www.test/=web ");
    CLAIM(book, "evil", "www.test", "/admin", "api.test", "/");
    assert_routes(book, "www.test/=web api.test/=evil ");
    assert_int_equal(refusals_of(book).current_count, 1);
    assert_non_null(strstr(refusals_of(book).example, "www.test/admin"));
    assert_non_null(strstr(refusals_of(book).example, "allowTaskRoutes"));
    CLAIM(book, "web", "www.test", "/more"); /* its own tasks may */
    assert_routes(book, "www.test/=web api.test/=evil www.test/more=web ");
}

static void a_service_may_allow_others_the_paths_of_its_host(void **state)
{
    struct route_book *book = *state;
    struct config_service service = {
        .name = (char *)"web", .host = (char *)"*", .path = (char *)"/", .allow_task_routes = true
    };
    struct config config = { .services = &service, .service_count = 1 };
    route_book_apply_config(book, &config);
    CLAIM(book, "api", "*", "/api");
    assert_routes(book, "*/=web */api=api ");
    assert_int_equal(refusals_of(book).current_count, 0);
    CLAIM(book, "evil", "*", "/"); /* the route itself is the service's own all the same */
    assert_routes(book, "*/=web */api=api ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_claim_makes_a_route_and_says_that_something_changed),
        TEST(a_route_that_no_task_asks_for_any_more_is_gone_at_once),
        TEST(a_host_of_the_configuration_has_all_its_paths),
        TEST(a_service_may_allow_others_the_paths_of_its_host),
        TEST(a_route_outlives_its_last_task_for_a_minute),
        TEST(a_task_that_comes_back_in_time_keeps_its_route),
        TEST(the_first_claim_wins_while_it_is_made),
        TEST(a_refusal_is_told_once_while_the_claim_is_made),
        TEST(refusals_beyond_their_limit_are_counted_only),
        TEST(a_left_route_goes_to_whoever_asks_next),
        TEST(leaving_a_route_that_another_wanted_asks_for_new_claims),
        TEST(the_configuration_beats_claims_before_and_after_it),
        TEST(paths_with_and_without_a_final_slash_are_one),
        TEST(what_the_data_plane_would_refuse_does_not_get_in),
        TEST(the_routes_of_the_configuration_come_first),
        TEST(a_full_book_has_no_place_for_routes_without_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
