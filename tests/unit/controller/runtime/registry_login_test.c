#include "controller/runtime/registry_login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "discovery/docker/image_reference.h"

#include <openssl/evp.h>

/* What the engine will read; the caller's, to free(). */
static char *plain(const char *auth)
{
    size_t len = strlen(auth);
    char *text = mem_strdup(auth), *out = mem_alloc(len + 1);
    for (char *c = text; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    assert_true(EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len) >= 0);
    free(text);
    return out;
}

static void assert_login(const char *document, const char *registry, const char *expected)
{
    struct registry_login login;
    struct error error = { "" };
    if (!registry_login_read(slice_of(document), registry, &login, &error))
        fail_msg("%s: %s", document, error.text);
    char *text = plain(login.auth);
    assert_string_equal(text, expected);
    free(text);
    registry_login_fini(&login);
}

static void assert_refused(const char *document, const char *expected)
{
    struct registry_login login;
    struct error error;
    assert_false(registry_login_read(slice_of(document), "r.example", &login, &error));
    registry_login_fini(&login);
    if (strstr(error.text, expected) == NULL)
        fail_msg("'%s' is not in '%s'", expected, error.text);
    assert_null(strstr(error.text, "c2VjcmV0"));
    assert_null(strstr(error.text, "secret"));
}

static void an_entry_of_dockers_file_is_found_by_its_host(void **state)
{
    static const char ours[] = "{\"username\":\"ci\",\"password\":\"a:b?\",\"serveraddress\":\"r.example\"}";
    (void)state;
    assert_login("{\"auths\":{\"r.example\":{\"auth\":\"Y2k6YTpiPw==\"}}}", "r.example", ours);
    assert_login("{\"auths\":{\"x\":{},\"https://r.example/v1/\":{\"auth\":\"Y2k6YTpiPw==\"}}}", "r.example", ours);
    assert_login("{\"auths\":{\"R.EXAMPLE\":{\"username\":\"ci\",\"password\":\"a:b?\"}}}", "r.example", ours);
    assert_login("{\"auths\":{\"https://index." IMAGE_REGISTRY_HUB "/v1/\":{\"auth\":\"Y2k6cHc=\"}}}", "docker.io",
                 "{\"username\":\"ci\",\"password\":\"pw\",\"serveraddress\":\"https://index." IMAGE_REGISTRY_HUB
                 "/v1/\"}");
    assert_login("{\"auths\":{\"r.example\":{\"auth\":\"eDp5\",\"identitytoken\":\"t\"}}}", "r.example",
                 "{\"identitytoken\":\"t\",\"serveraddress\":\"r.example\"}");
}

static void without_an_entry_there_is_nothing_to_log_in_with(void **state)
{
    (void)state;
    assert_login("{}", "r.example", "");
    assert_login("{\"auths\":{\"r.example:5000\":{\"auth\":\"Y2k6cHc=\"}}}", "r.example", "");
    assert_login("{\"auths\":{\"r.example\":{}}}", "r.example", "");
    assert_login("{\"auths\":[],\"credHelpers\":7}", "r.example", "");
}

static void a_credential_helper_is_not_run_and_that_is_said(void **state)
{
    static const char *const documents[] = { "{\"credsStore\":\"pass\"}", "{\"credHelpers\":{\"r.example\":\"ecr\"}}" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct registry_login login;
        assert_true(registry_login_read(slice_of(documents[i]), "r.example", &login, NULL));
        assert_string_equal(login.auth, "");
        assert_non_null(strstr(login.note, "credential helper"));
        registry_login_fini(&login);
    }
}

static void what_is_wrong_with_the_file_is_said_without_its_secrets(void **state)
{
    (void)state;
    assert_refused("", "not valid JSON");
    assert_refused("[]", "an object is expected");
    assert_refused("{\"auths\":{\"r.example\":{\"auth\":\"c2VjcmV0\"}}}", "is not base64 of user:password");
    assert_refused("{\"auths\":{\"r.example\":{\"auth\":\"secret!\"}}}", "is not base64");
    assert_refused("{\"auths\":{\"r.example\":{\"auth\":\"eDoA\"}}}", "is not base64"); /* x: and NUL */
    assert_refused("{\"auths\":{\"r.example\":{\"auth\":\"eDr/\"}}}", "not UTF-8");
}

static void assert_found(const struct config_docker *config, const char *registry, const char *expected)
{
    struct registry_login login;
    struct error error = { "" };
    if (!registry_login_find(config, registry, &login, &error))
        fail_msg("%s", error.text);
    char *text = plain(login.auth);
    assert_string_equal(text, expected);
    free(text);
    registry_login_fini(&login);
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void the_configuration_comes_before_the_file_and_files_are_read_each_time(void **state)
{
    (void)state;
    char secret[] = "/tmp/portico-login-XXXXXX", file[] = "/tmp/portico-login-XXXXXX";
    close(mkstemp(secret));
    close(mkstemp(file));
    struct config_registry registries[] = { { .name = (char *)"a", .username = (char *)"u", .password = (char *)"p" },
                                            { .name = (char *)"b", .username = (char *)"u", .password_file = secret } };
    struct config_docker config = { .registries = registries, .registry_count = 2, .registry_config = file };
    write_file(secret, "one\n");
    write_file(file, "{\"auths\":{\"a\":{\"auth\":\"eDp5\"},\"c\":{\"auth\":\"eDp5\"}}}");
    assert_found(&config, "a", "{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"a\"}");
    assert_found(&config, "b", "{\"username\":\"u\",\"password\":\"one\",\"serveraddress\":\"b\"}");
    assert_found(&config, "c", "{\"username\":\"x\",\"password\":\"y\",\"serveraddress\":\"c\"}");
    assert_found(&config, "d", "");
    write_file(secret, "two");
    write_file(file, "{}");
    assert_found(&config, "b", "{\"username\":\"u\",\"password\":\"two\",\"serveraddress\":\"b\"}");
    assert_found(&config, "c", "");
    unlink(secret);
    unlink(file);
}

static void docker_hub_goes_by_its_old_name_too(void **state)
{
    (void)state;
    struct config_registry registry = { .name = (char *)"index." IMAGE_REGISTRY_HUB,
                                        .username = (char *)"u",
                                        .password = (char *)"p" };
    struct config_docker config = { .registries = &registry, .registry_count = 1 };
    assert_found(&config, "docker.io",
                 "{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"https://index." IMAGE_REGISTRY_HUB
                 "/v1/\"}");
    assert_found(&config, "docker.example", "");
    assert_found(&config, "index.docker.io:5000", "");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct config_registry registry = { .name = (char *)"a",
                                        .username = (char *)"u",
                                        .password_file = (char *)"/nowhere/at/all" };
    struct config_docker config = { .registries = &registry,
                                    .registry_count = 1,
                                    .registry_config = (char *)"/nowhere/else" };
    struct registry_login login;
    struct error error;
    assert_false(registry_login_find(&config, "a", &login, &error));
    assert_string_equal(error.text, "docker.registries[0]: /nowhere/at/all: No such file or directory");
    assert_false(registry_login_find(&config, "c", &login, &error));
    assert_string_equal(error.text, "docker.registryConfig: /nowhere/else: No such file or directory");
    config.registry_config = (char *)"/dev/zero";
    assert_false(registry_login_find(&config, "c", &login, &error));
    assert_string_equal(error.text,
                        "docker.registryConfig: /dev/zero: is too large, at most 1048576 bytes are allowed");
    char secret[] = "/tmp/portico-login-XXXXXX";
    close(mkstemp(secret));
    registry.password_file = secret;
    static const char *const bad[] = { "", "\n", "one\ntwo\n", "tab\there" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(secret, bad[i]);
        assert_false(registry_login_find(&config, "a", &login, &error));
        assert_non_null(strstr(error.text, "one line of 1 to 4096 bytes"));
        assert_null(strstr(error.text, "two"));
    }
    unlink(secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_of_dockers_file_is_found_by_its_host),
        cmocka_unit_test(without_an_entry_there_is_nothing_to_log_in_with),
        cmocka_unit_test(a_credential_helper_is_not_run_and_that_is_said),
        cmocka_unit_test(what_is_wrong_with_the_file_is_said_without_its_secrets),
        cmocka_unit_test(the_configuration_comes_before_the_file_and_files_are_read_each_time),
        cmocka_unit_test(docker_hub_goes_by_its_old_name_too),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
