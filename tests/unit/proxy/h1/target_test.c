#include "tests/unit/proxy/h1/describe_request.h"

#include "proxy/h1/target.h"

#define REQUEST(target) TEXT("GET " target " HTTP/1.1\r\nHost: h\r\n\r\n")
#define OPTIONS(target) TEXT("OPTIONS " target " HTTP/1.1\r\nHost: h\r\n\r\n")
#define END " @h h 1.1 keep none"

#define TARGET "request target is malformed"
#define FORM "form of the request target does not fit the method"
#define PERCENT "path has NUL, or a character in more bytes than it needs"
#define SLASH "path has an encoded slash or a backslash"
#define DOT_SLASH "path has a dot segment beside an encoded slash"
#define TOO_LONG "request target is too long"
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
        { REQUEST("/a#b"), TARGET },    { REQUEST("/#"), TARGET },
        { REQUEST("/?a#b"), TARGET },   { REQUEST("/[a]#b"), TARGET },
        { REQUEST("/?[a]#b"), TARGET }, { REQUEST("/?a\tb"), TARGET },
        { REQUEST("/a\tb"), TARGET },   { REQUEST("/a\x7f"), TARGET },
        { REQUEST("/a\0b"), TARGET },   { REQUEST("/a\x01"), TARGET },
        { REQUEST(""), TARGET },        { REQUEST("/long-enough-to-be-read-in-wide-steps\x7f"), TARGET },
    };
    check_all(cases, COUNT_OF(cases));
}

/* Written with the characters that URIs have in encoded form only, as browsers and programs send them. */
static void what_is_not_encoded_goes_on_encoded_in_a_path(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/report[1].txt"), "GET /report%5B1%5D.txt >/report%5B1%5D.txt" END },
        { REQUEST("/a|b"), "GET /a%7Cb >/a%7Cb" END },
        { REQUEST("/{a}"), "GET /%7Ba%7D >/%7Ba%7D" END },
        { REQUEST("/a^b`c"), "GET /a%5Eb%60c >/a%5Eb%60c" END },
        { REQUEST("/\"<a>"), "GET /%22%3Ca%3E >/%22%3Ca%3E" END },
        { REQUEST("/caf\xe9"), "GET /caf%E9 >/caf%E9" END },
        { REQUEST("/\xc3\xb6/b"), "GET /%C3%B6/b >/%C3%B6/b" END },
        { REQUEST("/long-enough-to-be-read-in-wide-steps\x80"),
          "GET /long-enough-to-be-read-in-wide-steps%80 >/long-enough-to-be-read-in-wide-steps%80" END },
        { REQUEST("/100%"), "GET /100%25 >/100%25" END },
        { REQUEST("/%4"), "GET /%254 >/%254" END },
        { REQUEST("/%4g"), "GET /%254g >/%254g" END },
        { REQUEST("/%g4"), "GET /%25g4 >/%25g4" END },
        { REQUEST("/%/41"), "GET /%25/41 >/%25/41" END },
        { REQUEST("/%4?1"), "GET /%254 ?1 >/%254?1" END },
        { REQUEST("/%%41"), "GET /%25A >/%25A" END },
        { REQUEST("/%%32f"), "GET /%252f >/%252f" END }, /* not "%2f" */
        { REQUEST("/%u002f"), "GET /%25u002f >/%25u002f" END },
        { REQUEST("/[/../a"), "GET /a >/a" END },
        { REQUEST("/a\\b"), "GET /a%5Cb >/a%5Cb" END },
        { REQUEST("http://a/b|c"), "GET /b%7Cc >/b%7Cc @a a 1.1 keep none authority" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void ascii_of_a_query_goes_on_as_it_came(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/?p=C:\\x"), "GET / ?p=C:\\x" END },
        { REQUEST("/?\"<a>\""), "GET / ?\"<a>\"" END },
        { REQUEST("/?[]{}|^`"), "GET / ?[]{}|^`" END },
        { REQUEST("/?\xc3\xb6|"), "GET / ?%C3%B6| >/?%C3%B6|" END },
        { REQUEST("/|?\xff"), "GET /%7C ?%FF >/%7C?%FF" END },
        { REQUEST("http://a?\xff#"), TARGET },
        { REQUEST("http://a?\xff"), "GET / ?%FF >/?%FF @a a 1.1 keep none authority" },
        { REQUEST("/?100%"), "GET / ?100%" END },
        { REQUEST("/?%2f%5c%00"), "GET / ?%2f%5c%00" END },
        { REQUEST("/a|b?c|d"), "GET /a%7Cb ?c|d >/a%7Cb?c|d" END },
    };
    check_all(cases, COUNT_OF(cases));
}

/* Each is odd, but can be read in one way only; or it is as RFC 3986 has it. */
static void what_is_not_encoded_is_acceptable(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        enum h1_desync_reason reason;
    } cases[] = {
        { "/a|b", H1_DESYNC_TARGET_UNENCODED },
        { "/?a|b", H1_DESYNC_TARGET_UNENCODED },
        { "/100%", H1_DESYNC_TARGET_UNENCODED },
        { "/\xc3\xb6", H1_DESYNC_TARGET_UNENCODED },
        { "/a\\b", H1_DESYNC_TARGET_UNENCODED },
        { "/?a=[]", H1_DESYNC_TARGET_UNENCODED },
        { "/%61", H1_DESYNC_PATH_NORMALISED },
        { "/%7c?%2f", H1_DESYNC_PATH_NORMALISED },
        { "/%7C", H1_DESYNC_NONE },
        { "/@a%2fb", H1_DESYNC_NONE },
        { "/a%5C%2F", H1_DESYNC_NONE },
        { "/?%", H1_DESYNC_NONE },
    };
    static struct h1_request request;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[100];
        enum h1_error error;
        size_t resume_at = 0, len = (size_t)sprintf(text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", cases[i].target);
        assert_int_equal(h1_parse_request(text, len, &test_limits, &resume_at, &request, &error), H1_DONE);
        assert_int_equal(request.desync_reason, cases[i].reason);
    }
}

/* How the encoding came says nothing, so that it may stay as it is. */
static void encoded_slashes_are_part_of_their_segment(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/@scope%2fname"), "GET /@scope%2fname" END },
        { REQUEST("/api/queues/%2F/q"), "GET /api/queues/%2F/q" END },
        { REQUEST("/a%5cb%5C"), "GET /a%5cb%5C" END },
        { REQUEST("/%2f%2F/.."), "GET / >/" END },
        { REQUEST("/a%2fb/../c"), "GET /c >/c" END },
        { REQUEST("/%61%2f%7e"), "GET /a%2f~ >/a%2f~" END },
        { REQUEST("/a%252fb"), "GET /a%252fb" END },
        { REQUEST("http://a/b%2fc"), "GET /b%2fc >/b%2fc @a a 1.1 keep none authority" },
        { REQUEST("/a%2f.b/..c%2f..."), "GET /a%2f.b/..c%2f..." END },
    };
    check_all(cases, COUNT_OF(cases));
}

static void no_dot_segment_stands_beside_an_encoded_slash(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/a/..%2fadmin"), DOT_SLASH },   { REQUEST("/a/..%5cadmin"), DOT_SLASH },
        { REQUEST("/a/..\\admin"), DOT_SLASH },    { REQUEST("/a/%2e%2e%2fadmin"), DOT_SLASH },
        { REQUEST("/a/.%2E%5Cadmin"), DOT_SLASH }, { REQUEST("/a/%2f.."), DOT_SLASH },
        { REQUEST("/a/%5c.."), DOT_SLASH },        { REQUEST("/a/b%2f..%2f..%2fadmin"), DOT_SLASH },
        { REQUEST("/a/b%2f.%2fc"), DOT_SLASH },    { REQUEST("/a/.%2f"), DOT_SLASH },
        { REQUEST("/a%2f../b"), DOT_SLASH },       { REQUEST("/a%2f../.."), DOT_SLASH },
        { REQUEST("/a%2fb/..%2f"), DOT_SLASH },    { REQUEST("http://a/..%2fb"), DOT_SLASH },
    };
    check_all(cases, COUNT_OF(cases));
}

static bool parse_without_slashes(const char *buf, size_t len, size_t *resume_at, struct buf *outcome)
{
    static struct h1_request request;
    struct h1_limits limits = test_limits;
    enum h1_error error;
    limits.refuses_encoded_slashes = true;
    enum h1_result result = h1_parse_request(buf, len, &limits, resume_at, &request, &error);
    buf_append_text(outcome, result == H1_MORE ? "more" : h1_error_to_str(error));
    return result != H1_MORE;
}

static void encoded_slashes_can_be_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { REQUEST("/a%2fb"), SLASH },  { REQUEST("/a%2Fb"), SLASH }, { REQUEST("/a%5cb"), SLASH },
        { REQUEST("/a%5Cb"), SLASH },  { REQUEST("/a\\b"), SLASH },  { REQUEST("http://a/b%2fc"), SLASH },
        { REQUEST("/..%2fa"), SLASH }, { REQUEST("/a|b"), "ok" },    { REQUEST("/?%2f\\"), "ok" },
        { REQUEST("/a%252fb"), "ok" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_every_split(parse_without_slashes, &cases[i]);
    }
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
        { REQUEST("/a%00"), PERCENT },
        { REQUEST("/a%2f%00"), PERCENT },
        { REQUEST("/\xc0\xaf"), PERCENT },
        { REQUEST("/\xe0%80\xaf"), PERCENT },
        { REQUEST("/\xf0\x80\x80\xaf"), PERCENT },
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
    char text[HTTP_AUTHORITY_MAX + 1];
    struct slice host;
    memset(text, 'a', sizeof text);
    assert_true(h1_authority_read((struct slice){ text, HTTP_AUTHORITY_MAX }, &host));
    assert_int_equal(host.len, HTTP_AUTHORITY_MAX);
    assert_false(h1_authority_read((struct slice){ text, HTTP_AUTHORITY_MAX + 1 }, &host));
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
        { REQUEST("http://a/.."), ROOT },
        { REQUEST("http://a?b\\c"), "GET / ?b\\c >/?b\\c" FROM_A },
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
    static char target[HTTP_TARGET_MAX];
    memset(target, 'a', sizeof(target));
    memcpy(target, "/%41", 4);
    request.head.method = HTTP_METHOD_GET;
    request.head.target = (struct slice){ target, sizeof(target) };
    assert_int_equal(h1_target_read(&request, false), H1_OK);
    assert_int_equal(request.head.path.len, sizeof(target) - 2);
    memcpy(target, "http://a?", 9);
    assert_int_equal(h1_target_read(&request, false), H1_OK);
    assert_int_equal(request.head.forward_target.len, sizeof(target) - strlen("http://a?") + strlen("/?"));
    assert_ptr_equal(request.head.forward_target.at, request.rewritten);
}

/* What goes on is longer than what came: up to the scratch, and not a byte further. */
static void a_path_that_grows_too_long_is_refused(void **state)
{
    (void)state;
    static struct h1_request request;
    static char target[HTTP_TARGET_MAX];
    request.head.method = HTTP_METHOD_GET;
    for (size_t wanted = HTTP_TARGET_MAX - 4; wanted <= HTTP_TARGET_MAX + 6; wanted++) {
        for (size_t query = 0; query < 6; query++) {
            size_t raw = 10, len = wanted - 2 * raw; /* of what came */
            memset(target, 'a', sizeof(target));
            memset(target + 100, '|', raw);
            target[0] = '/';
            target[len - 1 - query] = query > 0 ? '?' : 'a';
            request.head.target = (struct slice){ target, len };
            enum h1_error error = h1_target_read(&request, false);
            if (wanted <= HTTP_TARGET_MAX) {
                assert_int_equal(error, H1_OK);
            } else if (wanted > sizeof(request.rewritten)) {
                assert_int_equal(error, H1_ERR_TARGET_TOO_LONG);
            }
        }
    }
    memset(target, '|', sizeof(target));
    target[0] = '/';
    request.head.target = (struct slice){ target, sizeof(target) };
    assert_int_equal(h1_target_read(&request, false), H1_ERR_TARGET_TOO_LONG);
    memset(target, '/', sizeof(target));
    memset(target + 1, '|', HTTP_TARGET_MAX / 3); /* no room for the slash behind them */
    assert_int_equal(h1_target_read(&request, false), H1_ERR_TARGET_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_no_uri_has_are_refused),
        cmocka_unit_test(what_is_not_encoded_goes_on_encoded_in_a_path),
        cmocka_unit_test(ascii_of_a_query_goes_on_as_it_came),
        cmocka_unit_test(what_is_not_encoded_is_acceptable),
        cmocka_unit_test(encoded_slashes_are_part_of_their_segment),
        cmocka_unit_test(no_dot_segment_stands_beside_an_encoded_slash),
        cmocka_unit_test(encoded_slashes_can_be_refused),
        cmocka_unit_test(a_path_that_grows_too_long_is_refused),
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
