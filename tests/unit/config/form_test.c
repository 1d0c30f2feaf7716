#include "config/form.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

typedef char *(*accept_cb)(const char *text);

/* canonical null: refused. */
static void assert_form(accept_cb accept, const char *text, const char *canonical)
{
    char *copy = accept(text);
    if (!canonical && copy)
        fail_msg("'%s' was accepted as '%s'", text, copy);
    if (canonical && !copy)
        fail_msg("'%s' was refused", text);
    if (canonical)
        assert_string_equal(copy, canonical);
    free(copy);
}

static void assert_repeated(accept_cb accept, char letter, size_t count, bool accepted)
{
    char *text = mem_alloc(count + 1);
    memset(text, letter, count);
    assert_form(accept, text, accepted ? text : NULL);
    free(text);
}

static void names_are_dns_labels(void **state)
{
    (void)state;
    assert_form(form_accept_name, "a", "a");
    assert_form(form_accept_name, "0-9", "0-9");
    assert_repeated(form_accept_name, 'a', 63, true);
    assert_repeated(form_accept_name, 'a', 64, false);
    static const char *const bad[] = { "", "-a", "a-", "A", "a_b", "a.b", "a b", "\xc3\xa9", "a\n" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_form(form_accept_name, bad[i], NULL);
    assert_repeated(form_accept_cluster, '-', 32, true);
    assert_repeated(form_accept_cluster, '-', 33, false);
    assert_form(form_accept_cluster, "", NULL);
}

static void hosts_are_lower_cased_and_may_have_one_star_in_front(void **state)
{
    (void)state;
    assert_form(form_accept_host_pattern, "*", "*");
    assert_form(form_accept_host_pattern, "WWW.Example.com", "www.example.com");
    assert_form(form_accept_host_pattern, "*.a_b.c", "*.a_b.c");
    assert_form(form_accept_host_name, "10.0.0.1", "10.0.0.1");
    static const char *const bad[] = { "",     "a:80", "*.", "**",  "*a",  "a.*",  "*.*.a",
                                       "a..b", ".a",   "a.", "a/b", "a b", "[::1]" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_form(form_accept_host_pattern, bad[i], NULL);
    assert_form(form_accept_host_name, "*", NULL);
    assert_form(form_accept_host_name, "*.a", NULL);
    assert_repeated(form_accept_host_name, 'a', 63, true);
    assert_repeated(form_accept_host_name, 'a', 64, false);
}

static void path_prefixes_mean_what_they_say(void **state)
{
    (void)state;
    assert_form(form_accept_path_prefix, "/", "/");
    assert_form(form_accept_path_prefix, "/api/", "/api");
    assert_form(form_accept_path_prefix, "/a/.b/..c/d..", "/a/.b/..c/d..");
    static const char *const bad[] = { "",      "a",     "//",    "/a//b",     "/a//", "/.",   "/..",
                                       "/./a",  "/a/..", "/a/./", "/a%2fb",    "/a?b", "/a#b", "/a b",
                                       "/a\\b", "/a;b",  "/\t",   "/\xc3\xa9", "/a/*", "/a*b" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_form(form_accept_path_prefix, bad[i], NULL);
    char deep[2 * FORM_PATH_SEGMENTS_MAX + 3] = "";
    for (int i = 0; i < FORM_PATH_SEGMENTS_MAX; i++)
        strcat(deep, "/a");
    assert_form(form_accept_path_prefix, deep, deep);
    strcat(deep, "/a");
    assert_form(form_accept_path_prefix, deep, NULL);
    assert_form(form_accept_probe_path, "/h?a=%20&b", "/h?a=%20&b");
    assert_form(form_accept_probe_path, "/h x", NULL);
    assert_form(form_accept_probe_path, "/h\r\nX: y", NULL);
    assert_form(form_accept_probe_path, "h", NULL);
}

static void a_star_behind_a_path_prefix_is_not_needed(void **state)
{
    static const struct {
        const char *written, *meant;
    } rows[] = { { "/api/*", "/api" }, { "/api*", "/api" }, { "/a/b/**", "/a/b" }, { "/*", "/" },
                 { "/a/*/b", NULL },   { "api/*", NULL },   { "/api", NULL },      { "*", NULL } };
    char meant[FORM_PATH_BYTES_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(form_suggest_path_prefix(rows[i].written, meant), rows[i].meant != NULL);
        if (rows[i].meant)
            assert_string_equal(meant, rows[i].meant);
    }
}

static void several_hosts_are_one_text_with_commas(void **state)
{
    char host[FORM_HOST_BYTES_MAX + 1];
    const char *at = "a.test,*.b,*";
    (void)state;
    assert_form(form_accept_hosts, "A.test", "a.test");
    assert_form(form_accept_hosts, " A.test ,  *.B,*", "a.test,*.b,*");
    static const char *const bad[] = { "", ",", "a,", ",a", "a,,b", "a b", "a;b", "a, b c", "a\n,b" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_form(form_accept_hosts, bad[i], NULL);
    char many[2 * FORM_HOSTS_BYTES_MAX];
    memset(many, 0, sizeof many);
    for (int i = 0; i < FORM_HOSTS_BYTES_MAX; i++)
        many[i] = i % 2 ? ',' : 'a';
    assert_form(form_accept_hosts, many, many);
    strcat(many, ",a");
    assert_form(form_accept_hosts, many, NULL);
    assert_true(form_next_host(&at, host));
    assert_string_equal(host, "a.test");
    assert_true(form_next_host(&at, host));
    assert_true(form_next_host(&at, host));
    assert_string_equal(host, "*");
    assert_false(form_next_host(&at, host));
}

static void addresses_get_one_spelling(void **state)
{
    (void)state;
    assert_form(form_accept_listen_address, "*:80", "0.0.0.0:80");
    assert_form(form_accept_listen_address, "127.0.0.1:65535", "127.0.0.1:65535");
    assert_form(form_accept_listen_address, "[0:0::1]:1", "[::1]:1");
    static const char *const bad[] = { "",
                                       "80",
                                       ":80",
                                       "127.0.0.1",
                                       "1.2.3.4:0",
                                       "1.2.3.4:65536",
                                       "1.2.3.4:080",
                                       "1.2.3:80",
                                       "::1:80",
                                       "[::1]",
                                       "[::1]80",
                                       "[]:80",
                                       "localhost:80",
                                       "1.2.3.4: 80",
                                       "01.2.3.4:80",
                                       "[::1%lo]:80",
                                       "[1.2.3.4]:80",
                                       "1.2.3.4:+80" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_form(form_accept_listen_address, bad[i], NULL);
}

static void moments_are_utc(void **state)
{
    (void)state;
    assert_form(form_accept_moment, "2026-11-28T06:00:00Z", "2026-11-28T06:00:00Z");
    static const char *const bad[] = { "",
                                       "2026-11-28",
                                       "2026-11-28T06:00:00",
                                       "2026-11-28T06:00:00+02:00",
                                       "2026-11-28 06:00:00Z",
                                       "2026-13-28T06:00:00Z",
                                       "1969-12-31T23:59:59Z",
                                       "2026-11-28T06:00:00Zx" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_form(form_accept_moment, bad[i], NULL);
}

static void docker_endpoints_are_sockets_or_hosts(void **state)
{
    (void)state;
    assert_form(form_accept_docker_endpoint, "unix:///run/x.sock", "unix:///run/x.sock");
    assert_form(form_accept_docker_endpoint, "tcp://h-1.example:2376", "tcp://h-1.example:2376");
    assert_form(form_accept_docker_endpoint, "tcp://[::1]:2376", "tcp://[::1]:2376");
    static const char *const bad[] = { "",           "unix://x",        "unix://",     "tcp://h",
                                       "tcp://:1",   "tcp://u@h:1",     "tcp://h:1/x", "tcp://[::1:1",
                                       "http://h:1", "npipe:////./pipe" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_form(form_accept_docker_endpoint, bad[i], NULL);
}

static void secrets_images_and_logs_have_their_forms(void **state)
{
    (void)state;
    assert_repeated(form_accept_secret, 'x', 15, false);
    assert_repeated(form_accept_secret, 'x', 16, true);
    assert_repeated(form_accept_secret, 'x', 512, true);
    assert_repeated(form_accept_secret, 'x', 513, false);
    assert_form(form_accept_secret, "0123456789 abcdef", NULL);
    assert_form(form_accept_password, "a b:\xc3\xa4", "a b:\xc3\xa4");
    assert_form(form_accept_password, "", NULL);
    assert_form(form_accept_password, "a\nb", NULL);
    assert_repeated(form_accept_password, 'x', 4096, true);
    assert_repeated(form_accept_password, 'x', 4097, false);
    assert_form(form_accept_registry_name, "Registry.Example:5000", "registry.example:5000");
    assert_form(form_accept_registry_name, "docker.io", "docker.io");
    assert_form(form_accept_registry_name, "[::1]:5000", "[::1]:5000");
    static const char *const no_registries[] = {
        "", "https://r.example", "r.example/", "r.example:", "r.example:0", ":1", "[::1]", "u@h"
    };
    for (size_t i = 0; i < sizeof no_registries / sizeof no_registries[0]; i++)
        assert_form(form_accept_registry_name, no_registries[i], NULL);
    assert_form(form_accept_image, "r.example.com:5000/a/b_c:1.2@sha256:0", "r.example.com:5000/a/b_c:1.2@sha256:0");
    assert_form(form_accept_image, "-x", NULL);
    assert_form(form_accept_image, "a?b", NULL);
    assert_form(form_accept_image, "a\nb", NULL);
    assert_form(form_accept_access_log, "off", "off");
    assert_form(form_accept_access_log, "stdout", "stdout");
    assert_form(form_accept_access_log, "/var/log/x", "/var/log/x");
    assert_form(form_accept_access_log, "stdot", NULL);
    assert_form(form_accept_account, "www-data", "www-data");
    assert_form(form_accept_account, "-x", NULL);
    assert_form(form_accept_file, "", NULL);
    assert_form(form_accept_file, "a\nb", NULL);
    assert_true(form_is_variable_name("_A9.b-c"));
    assert_false(form_is_variable_name("9A"));
    assert_false(form_is_variable_name("A=B"));
    assert_false(form_is_variable_name(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_dns_labels),
        cmocka_unit_test(hosts_are_lower_cased_and_may_have_one_star_in_front),
        cmocka_unit_test(path_prefixes_mean_what_they_say),
        cmocka_unit_test(a_star_behind_a_path_prefix_is_not_needed),
        cmocka_unit_test(several_hosts_are_one_text_with_commas),
        cmocka_unit_test(addresses_get_one_spelling),
        cmocka_unit_test(moments_are_utc),
        cmocka_unit_test(docker_endpoints_are_sockets_or_hosts),
        cmocka_unit_test(secrets_images_and_logs_have_their_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
