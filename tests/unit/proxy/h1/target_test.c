#include "tests/unit/proxy/h1/describe_request.h"

#include "proxy/h1/target.h"

#define REQUEST(target) TEXT("GET " target " HTTP/1.1\r\nHost: h\r\n\r\n")
#define OPTIONS(target) TEXT("OPTIONS " target " HTTP/1.1\r\nHost: h\r\n\r\n")
#define END " @h h 1.1 keep none"

#define TARGET "request target is malformed"
#define FORM "form of the request target does not fit the method"
#define PERCENT "path has an invalid or a forbidden percent-encoding"
#define ROOT "path climbs above the root"
#define AUTHORITY "authority in the request target is invalid"

static void check_all(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_every_split(parse_and_describe_request, &cases[i]);
    }
}

static void bytes_that_no_uri_has_are_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/a#b"), TARGET },
        { REQUEST("/#"), TARGET },
        { REQUEST("/?a#b"), TARGET },
        { REQUEST("/a\\b"), TARGET },
        { REQUEST("/?a\\b"), TARGET },
        { REQUEST("/a\"b"), TARGET },
        { REQUEST("/?a\"b"), TARGET },
        { REQUEST("/<script>"), TARGET },
        { REQUEST("/?<script>"), TARGET },
        { REQUEST("/caf\xe9"), TARGET },
        { REQUEST("/?caf\xe9"), TARGET },
        { REQUEST("/a\tb"), TARGET },
        { REQUEST("/a\x7f"), TARGET },
        { REQUEST("/a\0b"), TARGET },
        { REQUEST("/a\x01"), TARGET },
        { REQUEST("/{a}"), TARGET },
        { REQUEST("/a|b"), TARGET },
        { REQUEST("/[a]"), TARGET },
        { REQUEST("/a^b"), TARGET },
        { REQUEST("/`a`"), TARGET },
        { REQUEST("/%41/[a]"), TARGET },
        { REQUEST(""), TARGET },
        { REQUEST("/long-enough-to-be-read-in-wide-steps\x80"), TARGET },
    };
    check_all(cases, COUNT_OF(cases));
}

static void the_form_has_to_fit(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("*"), FORM },        { REQUEST("**"), FORM },           { REQUEST("a"), FORM },
        { REQUEST("a:80"), FORM },     { REQUEST("?a"), FORM },           { REQUEST("%2f"), FORM },
        { REQUEST("ftp://a/"), FORM }, { REQUEST("http:/a/"), FORM },     { REQUEST("http"), FORM },
        { REQUEST("ws://a/"), FORM },  { OPTIONS("*"), "OPTIONS *" END }, { OPTIONS("/"), "OPTIONS /" END },
        { OPTIONS("*/"), FORM },
    };
    check_all(cases, COUNT_OF(cases));
}

static void a_normal_path_is_used_as_received(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/"), "GET /" END },
        { REQUEST("/a/b.c/d"), "GET /a/b.c/d" END },
        { REQUEST("/a..b/c."), "GET /a..b/c." END },
        { REQUEST("//"), "GET //" END },
        { REQUEST("//a//b/"), "GET //a//b/" END },
        { REQUEST("/.well-known/x"), "GET /.well-known/x" END },
        { REQUEST("/..a/...//.b"), "GET /..a/...//.b" END },
        { REQUEST("/-._~!$&'()*+,;=:@"), "GET /-._~!$&'()*+,;=:@" END },
        { REQUEST("/%20%E9%C3%A9"), "GET /%20%E9%C3%A9" END },
        { REQUEST("/?"), "GET /" END },
        { REQUEST("/a?b=/../c&%zz"), "GET /a ?b=/../c&%zz" END },
        { REQUEST("/a?b[]={c}|^`?/"), "GET /a ?b[]={c}|^`?/" END },
        { REQUEST("/a?.."), "GET /a ?.." END },
        { REQUEST("/%25?%41"), "GET /%25 ?%41" END },
    };
    check_all(cases, COUNT_OF(cases));
}

static void another_path_is_made_normal_once(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/a/../b"), "GET /b >/b" END },
        { REQUEST("/a/%2e%2e/b"), "GET /b >/b" END },
        { REQUEST("/a/.%2E/b"), "GET /b >/b" END },
        { REQUEST("/./"), "GET / >/" END },
        { REQUEST("/."), "GET / >/" END },
        { REQUEST("/a/."), "GET /a/ >/a/" END },
        { REQUEST("/a/.."), "GET / >/" END },
        { REQUEST("/a/b/../../c/./d/"), "GET /c/d/ >/c/d/" END },
        { REQUEST("/a//../b"), "GET /a/b >/a/b" END },
        { REQUEST("/a/..//b"), "GET //b >//b" END },
        { REQUEST("/a/../b?c=../d"), "GET /b ?c=../d >/b?c=../d" END },
        { REQUEST("/%61%2D%7e"), "GET /a-~ >/a-~" END },
        { REQUEST("/%e9"), "GET /%E9 >/%E9" END },
        { REQUEST("/%3f%23?x"), "GET /%3F%23 ?x >/%3F%23?x" END },
        { REQUEST("/%252e%252e/"), "GET /%252e%252e/" END },
        { REQUEST("/%2541/%41"), "GET /%2541/A >/%2541/A" END },
        { REQUEST("/%2ea"), "GET /.a >/.a" END },
        { REQUEST("/a/%2e%2e%2e"), "GET /a/... >/a/..." END },
    };
    check_all(cases, COUNT_OF(cases));
}

static void a_path_that_two_servers_may_read_differently_is_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/a%2fb"), PERCENT },
        { REQUEST("/a%2Fb"), PERCENT },
        { REQUEST("/a%5cb"), PERCENT },
        { REQUEST("/a%5Cb"), PERCENT },
        { REQUEST("/a%00"), PERCENT },
        { REQUEST("/%"), PERCENT },
        { REQUEST("/%4"), PERCENT },
        { REQUEST("/%4g"), PERCENT },
        { REQUEST("/%g4"), PERCENT },
        { REQUEST("/%/41"), PERCENT },
        { REQUEST("/%4?1"), PERCENT },
        { REQUEST("/%%41"), PERCENT },
        { REQUEST("/%c0%af"), PERCENT },
        { REQUEST("/%C1%9c"), PERCENT },
        { REQUEST("/%e0%80%af"), PERCENT },
        { REQUEST("/%e0%9f%bf"), PERCENT },
        { REQUEST("/%f0%80%80%af"), PERCENT },
        { REQUEST("/%e0%a0%80"), "GET /%E0%A0%80 >/%E0%A0%80" END },
        { REQUEST("/%e0%41%ff"), "GET /%E0A%FF >/%E0A%FF" END },
        { REQUEST("/%e0%c3"), "GET /%E0%C3 >/%E0%C3" END },
        { REQUEST("/%f0%41"), "GET /%F0A >/%F0A" END },
        { REQUEST("/%f0%90%80%80"), "GET /%F0%90%80%80 >/%F0%90%80%80" END },
        { REQUEST("/%e0a%80"), "GET /%E0a%80 >/%E0a%80" END },
        { REQUEST("/.."), ROOT },
        { REQUEST("/../a"), ROOT },
        { REQUEST("/%2e%2e"), ROOT },
        { REQUEST("/a/../../b"), ROOT },
        { REQUEST("/./.."), ROOT },
    };
    check_all(cases, COUNT_OF(cases));
}

static void an_authority_is_bounded(void **state)
{
    (void)state;
    char text[H1_AUTHORITY_MAX + 1];
    struct slice host;
    memset(text, 'a', sizeof text);
    assert_true(h1_authority_read((struct slice){ text, H1_AUTHORITY_MAX }, &host));
    assert_int_equal(host.len, H1_AUTHORITY_MAX);
    assert_false(h1_authority_read((struct slice){ text, H1_AUTHORITY_MAX + 1 }, &host));
}

static void the_authority_of_an_absolute_target_wins_over_host(void **state)
{
    (void)state;
#define FROM_A " @a a 1.1 keep none authority"
    static const struct head_case cases[] = {
        { REQUEST("http://a/b"), "GET /b >/b" FROM_A },
        { REQUEST("HTTPS://a/b"), "GET /b >/b" FROM_A },
        { REQUEST("http://a"), "GET / >/" FROM_A },
        { REQUEST("http://a?b=c"), "GET / ?b=c >/?b=c" FROM_A },
        { REQUEST("http://a/b/../c?d"), "GET /c ?d >/c?d" FROM_A },
        { REQUEST("http://a/b%2fc"), PERCENT },
        { REQUEST("http://a/.."), ROOT },
        { REQUEST("http://a?b\\c"), TARGET },
        { REQUEST("http://a:8080/b"), "GET /b >/b @a:8080 a 1.1 keep none authority" },
        { REQUEST("http://[::1]:80/b"), "GET /b >/b @[::1]:80 [::1] 1.1 keep none authority" },
        { OPTIONS("http://a"), "OPTIONS * >*" FROM_A },
        { OPTIONS("http://a/"), "OPTIONS / >/" FROM_A },
        { OPTIONS("http://a?b"), "OPTIONS / ?b >/?b" FROM_A },
        { REQUEST("http://"), AUTHORITY },
        { REQUEST("http:///b"), AUTHORITY },
        { REQUEST("http://u@a/"), AUTHORITY },
        { REQUEST("http://u:p@a/"), AUTHORITY },
        { REQUEST("http://a:b/"), AUTHORITY },
        { REQUEST("http://a\\b/"), AUTHORITY },
        { REQUEST("http://a,b/"), AUTHORITY },
        { TEXT("GET http://a/ HTTP/1.1\r\n\r\n"), "Host is missing" },
        { TEXT("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n"), "Host is invalid" },
        { TEXT("GET http://a/ HTTP/1.0\r\n\r\n"), "GET / >/ @a a 1.0 close none authority" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void the_longest_targets_fit_the_scratch(void **state)
{
    (void)state;
    static struct h1_request request;
    static char target[H1_TARGET_MAX];
    memset(target, 'a', sizeof(target));
    memcpy(target, "/%41", 4);
    request.method = H1_METHOD_GET;
    request.target = (struct slice){ target, sizeof(target) };
    assert_int_equal(h1_target_read(&request), H1_OK);
    assert_int_equal(request.path.len, sizeof(target) - 2);
    memcpy(target, "http://a?", 9);
    assert_int_equal(h1_target_read(&request), H1_OK);
    assert_int_equal(request.forward_target.len, sizeof(target) - strlen("http://a?") + strlen("/?"));
    assert_ptr_equal(request.forward_target.at, request.rewritten);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_no_uri_has_are_refused),
        cmocka_unit_test(the_form_has_to_fit),
        cmocka_unit_test(a_normal_path_is_used_as_received),
        cmocka_unit_test(another_path_is_made_normal_once),
        cmocka_unit_test(a_path_that_two_servers_may_read_differently_is_refused),
        cmocka_unit_test(an_authority_is_bounded),
        cmocka_unit_test(the_authority_of_an_absolute_target_wins_over_host),
        cmocka_unit_test(the_longest_targets_fit_the_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
