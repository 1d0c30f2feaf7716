#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/target.h"

#include <stdlib.h>

static bool write_request(const char *url_text, const struct target_request *request, struct buf *out,
                          struct error *error)
{
    struct target_url url;
    assert_true(target_parse_url(url_text, &url, error));
    buf_init(out, 0);
    return target_write_request(&url, request, out, error);
}

static void check_url(const char *text, const char *host, uint16_t port, const char *origin_form)
{
    struct target_url url;
    struct error error;
    assert_true(target_parse_url(text, &url, &error));
    assert_true(slice_equals(url.host, slice_of(host)));
    assert_int_equal(url.port, port);
    assert_true(slice_equals(url.origin_form, slice_of(origin_form)));
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    check_url("http://example", "example", 80, "");
    check_url("http://127.0.0.1:8080/", "127.0.0.1", 8080, "/");
    check_url("http://[::1]:8080/a/b?c=d", "::1", 8080, "/a/b?c=d");
    check_url("http://[::1]", "::1", 80, "");
    check_url("http://example?x=1", "example", 80, "?x=1");
}

static void other_urls_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "example",
                                       "https://example/",
                                       "http://",
                                       "http:///x",
                                       "http://:80/",
                                       "http://a:0/",
                                       "http://a:65536/",
                                       "http://a:x/",
                                       "http://a:/",
                                       "http://[::1/",
                                       "http://[]/",
                                       "http://[::1]x/",
                                       "http://u@a/",
                                       "http://a/b c",
                                       "http://a/#x",
                                       "http://a/\x01",
                                       "ftp://a/" };
    struct target_url url;
    struct error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (target_parse_url(bad[i], &url, &error))
            fail_msg("accepted: '%s'", bad[i]);
}

static void literals_need_no_name_server(void **state)
{
    (void)state;
    struct target_url url;
    struct target_address address;
    struct error error;
    assert_true(target_parse_url("http://127.0.0.1:81/", &url, &error));
    assert_true(target_resolve(&url, &address, &error));
    assert_string_equal(address.text, "127.0.0.1:81");
    assert_true(target_parse_url("http://[::1]:82/", &url, &error));
    assert_true(target_resolve(&url, &address, &error));
    assert_string_equal(address.text, "[::1]:82");
    assert_int_equal(address.address.ss_family, AF_INET6);
}

static void a_request_is_written_as_it_is_sent(void **state)
{
    (void)state;
    const char *const fields[] = { "X-One: 1", "x-two:2 ", "Empty:" };
    const struct target_request request = { .method = "POST", .fields = fields, .field_count = 3, .body_bytes = 30 };
    struct error error;
    struct buf out;
    assert_true(write_request("http://example:81/a?b", &request, &out, &error));
    assert_string_equal(buf_text(&out), "POST /a?b HTTP/1.1\r\nHost: example:81\r\nX-One: 1\r\nx-two: 2 \r\nEmpty: \r\n"
                                        "Content-Length: 30\r\n\r\nabcdefghijklmnopqrstuvwxyzabcd");
    buf_fini(&out);
}

static void a_host_of_the_user_replaces_that_of_the_url(void **state)
{
    (void)state;
    const char *const fields[] = { "host: other" };
    const struct target_request request = { .method = "GET", .fields = fields, .field_count = 1, .closes = true };
    struct error error;
    struct buf out;
    assert_true(write_request("http://example?q", &request, &out, &error));
    assert_string_equal(buf_text(&out), "GET /?q HTTP/1.1\r\nhost: other\r\nConnection: close\r\n\r\n");
    buf_fini(&out);
}

static void large_bodies_keep_the_pattern(void **state)
{
    (void)state;
    const struct target_request request = { .method = "PUT", .body_bytes = 100001 };
    struct error error;
    struct buf out;
    assert_true(write_request("http://example/", &request, &out, &error));
    const char *body = strstr(buf_text(&out), "\r\n\r\n") + 4;
    assert_int_equal(out.len - (size_t)(body - out.at), 100001);
    for (size_t i = 0; i < 100001; i++)
        assert_int_equal(body[i], 'a' + i % 26);
    buf_fini(&out);
}

static void what_would_break_the_request_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "NoColon", ": x", "A b: x", "A: x\r\nB: y", "A: \x01", "Content-Length: 5", "transfer-encoding: chunked"
    };
    struct error error;
    struct buf out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct target_request request = { .method = "GET", .fields = &bad[i], .field_count = 1 };
        assert_false(write_request("http://example/", &request, &out, &error));
        buf_fini(&out);
    }
    static const char *const methods[] = { "", "GE T", "CONNECT", "GET\r\n" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct target_request request = { .method = methods[i] };
        assert_false(write_request("http://example/", &request, &out, &error));
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(other_urls_are_refused),
        cmocka_unit_test(literals_need_no_name_server),
        cmocka_unit_test(a_request_is_written_as_it_is_sent),
        cmocka_unit_test(a_host_of_the_user_replaces_that_of_the_url),
        cmocka_unit_test(large_bodies_keep_the_pattern),
        cmocka_unit_test(what_would_break_the_request_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
