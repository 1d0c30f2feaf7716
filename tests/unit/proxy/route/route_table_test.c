#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/route/route_table.h"

#include "tests/unit/base/random_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTHING UINT32_MAX

static struct slice copy_of(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1); /* of exactly its size: the sanitizer sees a byte read too many */
    assert_non_null(copy);
    memcpy(copy, text, len);
    return (struct slice){ copy, len };
}

static uint32_t match(const struct route_table *table, const char *host, const char *path)
{
    struct slice host_copy = copy_of(host, strlen(host)), path_copy = copy_of(path, strlen(path));
    uint32_t service = route_table_match(table, host_copy, path_copy);
    free((char *)host_copy.at);
    free((char *)path_copy.at);
    return service;
}

static void add(struct route_table *table, const char *host, const char *path, uint32_t service)
{
    struct error error = { "" };
    if (!route_table_add(table, host, path, service, &error))
        fail_msg("%s %s: %s", host, path, error.text);
}

static int set_up(void **state)
{
    *state = route_table_new();
    return 0;
}

static int tear_down(void **state)
{
    route_table_free(*state);
    return 0;
}

static void an_empty_table_matches_nothing(void **state)
{
    assert_int_equal(match(*state, "a", "/"), NOTHING);
    assert_int_equal(match(*state, "", ""), NOTHING);
    assert_int_equal(route_table_count(*state), 0);
}

static void an_exact_host_beats_a_suffix_beats_any(void **state)
{
    add(*state, "*", "/", 1);
    add(*state, "*.example.com", "/", 2);
    add(*state, "*.eu.example.com", "/", 3);
    add(*state, "a.eu.example.com", "/", 4);
    add(*state, "example.com", "/", 5);
    assert_int_equal(match(*state, "other.net", "/"), 1);
    assert_int_equal(match(*state, "x.example.com", "/"), 2);
    assert_int_equal(match(*state, "x.y.example.com", "/"), 2);
    assert_int_equal(match(*state, "b.eu.example.com", "/"), 3); /* the longest suffix */
    assert_int_equal(match(*state, "c.b.eu.example.com", "/"), 3);
    assert_int_equal(match(*state, "a.eu.example.com", "/"), 4);
    assert_int_equal(match(*state, "example.com", "/"), 5);
    assert_int_equal(match(*state, "badexample.com", "/"), 1); /* a suffix begins at a dot */
    assert_int_equal(match(*state, "", "/"), 1);               /* HTTP/1.0 without Host */
}

static void a_suffix_does_not_stand_for_the_name_behind_it(void **state)
{
    add(*state, "*.example.com", "/", 1);
    assert_int_equal(match(*state, "example.com", "/"), NOTHING);
    assert_int_equal(match(*state, "com", "/"), NOTHING);
}

static void a_host_without_a_fitting_path_falls_back_to_a_wider_host(void **state)
{
    add(*state, "a.example.com", "/api", 1);
    add(*state, "*.example.com", "/img", 2);
    add(*state, "*", "/", 3);
    assert_int_equal(match(*state, "a.example.com", "/api/x"), 1);
    assert_int_equal(match(*state, "a.example.com", "/img/x"), 2);
    assert_int_equal(match(*state, "a.example.com", "/x"), 3);
}

static void the_longest_prefix_wins_on_segment_boundaries(void **state)
{
    add(*state, "a", "/", 1);
    add(*state, "a", "/api", 2);
    add(*state, "a", "/api/v2", 3);
    add(*state, "a", "/api/v2/x/y", 4);
    assert_int_equal(match(*state, "a", "/"), 1);
    assert_int_equal(match(*state, "a", "/ap"), 1);
    assert_int_equal(match(*state, "a", "/apiary"), 1);
    assert_int_equal(match(*state, "a", "/API"), 1); /* paths have case */
    assert_int_equal(match(*state, "a", "/api"), 2);
    assert_int_equal(match(*state, "a", "/api/"), 2);
    assert_int_equal(match(*state, "a", "/api/v1"), 2);
    assert_int_equal(match(*state, "a", "/api/v22"), 2);
    assert_int_equal(match(*state, "a", "/api/v2"), 3);
    assert_int_equal(match(*state, "a", "/api/v2/x"), 3);
    assert_int_equal(match(*state, "a", "/api/v2/x/yy"), 3);
    assert_int_equal(match(*state, "a", "/api/v2/x/y/z"), 4);
}

static void without_a_route_for_the_root_other_paths_match_nothing(void **state)
{
    add(*state, "a", "/api", 1);
    assert_int_equal(match(*state, "a", "/"), NOTHING);
    assert_int_equal(match(*state, "a", "/ap"), NOTHING);
    assert_int_equal(match(*state, "b", "/api"), NOTHING);
    assert_int_equal(match(*state, "a", "*"), match(*state, "a", "/")); /* OPTIONS * */
}

static void case_port_and_one_trailing_dot_of_a_host_are_ignored(void **state)
{
    add(*state, "www.example.com", "/", 1);
    add(*state, "*.example.org", "/", 2);
    static const char *const same[] = { "www.example.com",     "WWW.Example.COM",      "www.example.com:80",
                                        "www.example.com:",    "www.example.com.",     "www.example.com.:8080",
                                        "WWW.EXAMPLE.COM.:80", "www.example.com:99999" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_int_equal(match(*state, same[i], "/"), 1);
    assert_int_equal(match(*state, "www.example.com..", "/"), NOTHING);
    assert_int_equal(match(*state, "A.Example.ORG.:1", "/"), 2);
}

static void an_ipv6_literal_is_a_host_with_or_without_port(void **state)
{
    add(*state, "[2001:db8::1]", "/", 1);
    add(*state, "[::1]", "/", 2);
    assert_int_equal(match(*state, "[2001:db8::1]", "/"), 1);
    assert_int_equal(match(*state, "[2001:DB8::1]:8080", "/"), 1);
    assert_int_equal(match(*state, "[::1]:80", "/"), 2);
    assert_int_equal(match(*state, "[::2]", "/"), NOTHING);
    assert_int_equal(match(*state, "[::1", "/"), NOTHING);
}

static void two_equal_pairs_are_a_conflict(void **state)
{
    struct error error = { "" };
    add(*state, "a", "/x", 1);
    add(*state, "b", "/x", 1);
    add(*state, "a", "/", 2);
    assert_false(route_table_add(*state, "a", "/x", 3, &error));
    assert_non_null(strstr(error.text, "'a'"));
    assert_non_null(strstr(error.text, "'/x'"));
    assert_false(route_table_add(*state, "a", "/x/", 3, &error)); /* the same prefix in another spelling */
    assert_false(route_table_add(*state, "a", "//", 3, &error));
    assert_int_equal(route_table_count(*state), 3);
    assert_int_equal(match(*state, "a", "/x"), 1);
}

static void a_slash_at_the_end_of_a_route_changes_nothing(void **state)
{
    add(*state, "a", "/x/", 1);
    assert_int_equal(match(*state, "a", "/x"), 1);
    assert_int_equal(match(*state, "a", "/x/"), 1);
    assert_int_equal(match(*state, "a", "/x/y"), 1);
    assert_int_equal(match(*state, "a", "/xy"), NOTHING);
}

static void hosts_that_no_request_could_have_are_refused(void **state)
{
    static const char *const bad[] = { "",   "A",  "a b", "a/b",   "*.",   "**",       "*.*",    "a.*",  "a.*.b",
                                       "*a", "a.", ".",   "a:80",  "a:",   "[::1]:80", "[::1",   "::1",  "*.[::1]",
                                       "[]", "[a", "a]",  "[::g]", "a\"b", "a\x01",    "a\x80z", "*.a.", "a,b" };
    char long_name[ROUTE_HOST_MAX + 2];
    struct error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error.text[0] = '\0';
        if (route_table_add(*state, bad[i], "/", 1, &error))
            fail_msg("host '%s' was accepted", bad[i]);
        assert_non_null(strstr(error.text, "is not a host"));
    }
    memset(long_name, 'a', sizeof long_name);
    long_name[ROUTE_HOST_MAX + 1] = '\0';
    assert_false(route_table_add(*state, long_name, "/", 1, &error));
    assert_int_equal(route_table_count(*state), 0);
    long_name[ROUTE_HOST_MAX] = '\0';
    add(*state, long_name, "/", 7);
    assert_int_equal(match(*state, long_name, "/"), 7);
}

static void paths_that_no_request_could_have_are_refused(void **state)
{
    static const char *const bad[] = { "", "a", "a/b", "/a b", "/a?b", "/a#b", "/a\tb", "/a\x7f", "/a\x01", "*" };
    char long_path[ROUTE_PATH_MAX + 2], deep[2 * ROUTE_SEGMENTS_MAX + 3];
    struct error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error.text[0] = '\0';
        if (route_table_add(*state, "a", bad[i], 1, &error))
            fail_msg("path '%s' was accepted", bad[i]);
        assert_non_null(strstr(error.text, "is not a path"));
    }
    memset(long_path, 'a', sizeof long_path);
    long_path[0] = '/';
    long_path[ROUTE_PATH_MAX + 1] = '\0';
    assert_false(route_table_add(*state, "a", long_path, 1, &error));
    for (size_t i = 0; i <= ROUTE_SEGMENTS_MAX; i++)
        memcpy(deep + 2 * i, "/a", 3);
    assert_false(route_table_add(*state, "a", deep, 1, &error));
    assert_int_equal(route_table_count(*state), 0);
}

static uint32_t match_decoded(const struct route_table *table, const char *host, const char *path)
{
    struct slice path_copy = copy_of(path, strlen(path));
    uint32_t service = route_table_match_decoded(table, slice_of(host), path_copy);
    free((char *)path_copy.at);
    return service;
}

static void a_path_is_compared_in_its_normal_form(void **state)
{
    add(*state, "*", "/a|b", 1);
    add(*state, "*", "/[c]/d", 2);
    add(*state, "*", "/%C3%B6", 3);
    assert_int_equal(match(*state, "a", "/a%7Cb/c"), 1);
    assert_int_equal(match(*state, "a", "/%5Bc%5D/d"), 2);
    assert_int_equal(match(*state, "a", "/%C3%B6"), 3);
    assert_int_equal(match(*state, "a", "/a|b"), NOTHING); /* never the path of a parsed request */
    char longest[ROUTE_PATH_MAX + 1], normal[3 * ROUTE_PATH_MAX + 1] = "/";
    memset(longest, '|', ROUTE_PATH_MAX);
    longest[0] = '/';
    longest[ROUTE_PATH_MAX] = '\0';
    for (int i = 1; i < ROUTE_PATH_MAX; i++)
        strcat(normal, "%7C");
    add(*state, "*", longest, 4);
    assert_int_equal(match(*state, "a", normal), 4);
    assert_int_equal(match_decoded(*state, "a", normal), 4);
    strcat(normal, "/");
    assert_int_equal(match_decoded(*state, "a", normal), 4);
    normal[strlen(normal) - 1] = 'x';
    assert_int_equal(match_decoded(*state, "a", normal), NOTHING);
}

static void encoded_slashes_can_be_read_as_slashes(void **state)
{
    add(*state, "*", "/", 1);
    add(*state, "*", "/admin", 2);
    add(*state, "*", "/a/b", 3);
    assert_int_equal(match(*state, "a", "/admin%2fx"), 1);
    assert_int_equal(match_decoded(*state, "a", "/admin%2fx"), 2);
    assert_int_equal(match_decoded(*state, "a", "/admin%5Cx"), 2);
    assert_int_equal(match_decoded(*state, "a", "/a%2Fb%5c"), 3);
    assert_int_equal(match_decoded(*state, "a", "/a%2fbx"), 1);
    assert_int_equal(match_decoded(*state, "a", "/a%252fb"), 1);
    assert_int_equal(match_decoded(*state, "a", "/a%2"), 1);
    assert_int_equal(match_decoded(*state, "a", "*"), 1);
}

static void a_host_of_a_request_may_be_anything(void **state)
{
    char long_name[1000];
    add(*state, "*", "/", 1);
    add(*state, "*.b", "/", 2);
    memset(long_name, 'a', sizeof long_name);
    assert_int_equal(route_table_match(*state, (struct slice){ long_name, sizeof long_name }, slice_of("/")), 1);
    memset(long_name, '.', sizeof long_name);
    for (size_t len = 0; len < sizeof long_name; len++)
        assert_int_equal(route_table_match(*state, (struct slice){ long_name, len }, slice_of("/")), 1);
    assert_int_equal(match(*state, ".b", "/"), 2);
    assert_int_equal(match(*state, "*", "/"), 1);
    assert_int_equal(match(*state, ":80", "/"), 1);
    assert_int_equal(match(*state, "]", "/"), 1);
}

static void a_path_deeper_than_any_route_may_be_still_matches_its_prefix(void **state)
{
    char path[8000];
    size_t len = 0;
    add(*state, "a", "/", 1);
    add(*state, "a", "/x/x/x", 2);
    for (; len + 2 <= sizeof path; len += 2)
        memcpy(path + len, "/x", 2);
    assert_int_equal(route_table_match(*state, slice_of("a"), (struct slice){ path, len }), 2);
    memset(path, '/', sizeof path);
    assert_int_equal(route_table_match(*state, slice_of("a"), (struct slice){ path, sizeof path }), 1);
}

static void the_deepest_route_allowed_is_found(void **state)
{
    char route[2 * ROUTE_SEGMENTS_MAX + 1], path[4 * ROUTE_SEGMENTS_MAX + 1];
    for (size_t i = 0; i < ROUTE_SEGMENTS_MAX; i++)
        memcpy(route + 2 * i, "/a", 3);
    for (size_t i = 0; i < 2 * ROUTE_SEGMENTS_MAX; i++)
        memcpy(path + 2 * i, "/a", 3);
    add(*state, "h", "/", 1);
    add(*state, "h", route, 2);
    assert_int_equal(match(*state, "h", route), 2);
    assert_int_equal(match(*state, "h", path), 2);
    route[2 * ROUTE_SEGMENTS_MAX - 2] = '\0';
    assert_int_equal(match(*state, "h", route), 1);
}

static void ten_thousand_routes_are_told_apart(void **state)
{
    char host[64], path[64], below[80];
    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(host, sizeof host, i % 3 ? "host%u.example.com" : "*.zone%u.example.com", i / 4);
        snprintf(path, sizeof path, "/service/%u", i);
        add(*state, host, path, i);
    }
    assert_int_equal(route_table_count(*state), 10000);
    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(host, sizeof host, i % 3 ? "host%u.example.com" : "x.zone%u.example.com:80", i / 4);
        snprintf(path, sizeof path, "/service/%u", i);
        snprintf(below, sizeof below, "%s/x", path);
        assert_int_equal(match(*state, host, path), i);
        assert_int_equal(match(*state, host, below), i);
        snprintf(path, sizeof path, "/service/%u", i + 4);
        assert_int_equal(match(*state, host, path), NOTHING);
    }
}

/* The same question asked of a list, one route after the other. */
struct listed_route {
    char host[16], path[16];
};

static int rank_host(const char *route, const char *host)
{
    size_t route_len = strlen(route), host_len = strlen(host);
    if (strcmp(route, host) == 0)
        return 1000;
    if (strcmp(route, "*") == 0)
        return 1;
    return route[0] == '*' && host_len >= route_len - 1 && strcmp(host + host_len - (route_len - 1), route + 1) == 0
               ? (int)route_len
               : 0;
}

static int rank_path(const char *route, const char *path)
{
    size_t len = strcmp(route, "/") == 0 ? 0 : strlen(route);
    return strncmp(route, path, len) == 0 && (path[len] == '/' || path[len] == '\0') ? 1 + (int)len : 0;
}

static uint32_t match_by_list(const struct listed_route *routes, uint32_t count, const char *host, const char *path)
{
    uint32_t best = NOTHING;
    int best_rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        int host_rank = rank_host(routes[i].host, host), path_rank = rank_path(routes[i].path, path);
        if (host_rank && path_rank && host_rank * 100 + path_rank > best_rank) {
            best_rank = host_rank * 100 + path_rank;
            best = i;
        }
    }
    return best;
}

static void it_agrees_with_a_plain_list_on_random_routes(void **state)
{
    (void)state;
    static const char *const hosts[] = { "*", "a", "b.a", "c.b.a", "*.a", "*.b.a" };
    static const char *const paths[] = { "/", "/x", "/x/y", "/x/y/z", "/xy" };
    static const char *const asked[] = { "a", "b.a", "c.b.a", "d.b.a", "d.a", "e" };
    uint64_t random = 7;
    for (int round = 0; round < 500; round++) {
        struct route_table *table = route_table_new();
        struct listed_route routes[8];
        uint32_t count = 0;
        for (int i = 0; i < 8; i++) {
            struct listed_route *r = &routes[count];
            snprintf(r->host, sizeof r->host, "%s", hosts[random_below(&random, 6)]);
            snprintf(r->path, sizeof r->path, "%s", paths[random_below(&random, 5)]);
            count += route_table_add(table, r->host, r->path, count, NULL);
        }
        for (int h = 0; h < 6; h++) {
            for (int p = 0; p < 5; p++)
                assert_int_equal(match(table, asked[h], paths[p]), match_by_list(routes, count, asked[h], paths[p]));
        }
        route_table_free(table);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_table_matches_nothing),
        TEST(an_exact_host_beats_a_suffix_beats_any),
        TEST(a_suffix_does_not_stand_for_the_name_behind_it),
        TEST(a_host_without_a_fitting_path_falls_back_to_a_wider_host),
        TEST(the_longest_prefix_wins_on_segment_boundaries),
        TEST(without_a_route_for_the_root_other_paths_match_nothing),
        TEST(case_port_and_one_trailing_dot_of_a_host_are_ignored),
        TEST(an_ipv6_literal_is_a_host_with_or_without_port),
        TEST(two_equal_pairs_are_a_conflict),
        TEST(a_slash_at_the_end_of_a_route_changes_nothing),
        TEST(hosts_that_no_request_could_have_are_refused),
        TEST(paths_that_no_request_could_have_are_refused),
        TEST(a_path_is_compared_in_its_normal_form),
        TEST(encoded_slashes_can_be_read_as_slashes),
        TEST(a_host_of_a_request_may_be_anything),
        TEST(a_path_deeper_than_any_route_may_be_still_matches_its_prefix),
        TEST(the_deepest_route_allowed_is_found),
        TEST(ten_thousand_routes_are_told_apart),
        TEST(it_agrees_with_a_plain_list_on_random_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
