#include "discovery/docker/image_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DIGEST "sha256:0123456789012345678901234567890123456789012345678901234567890123"

static void a_name_is_taken_apart_as_docker_does_it(void **state)
{
    static const struct {
        const char *text, *registry, *name, *tag;
    } cases[] = {
        { "web", "docker.io", "web", "latest" },
        { "web:1.2", "docker.io", "web", "1.2" },
        { "shop/web:1", "docker.io", "shop/web", "1" },
        { IMAGE_REGISTRY_HUB "/shop/web", "docker.io", IMAGE_REGISTRY_HUB "/shop/web", "latest" },
        { "index." IMAGE_REGISTRY_HUB "/shop/web", "docker.io", "index." IMAGE_REGISTRY_HUB "/shop/web", "latest" },
        { "registry.example/web", "registry.example", "registry.example/web", "latest" },
        { "Registry.Example:5000/a/b/web:2", "registry.example:5000", "Registry.Example:5000/a/b/web", "2" },
        { "localhost/web", "localhost", "localhost/web", "latest" },
        { "Intern/web", "intern", "Intern/web", "latest" }, /* nobody is called so on Docker Hub */
        { "127.0.0.1:5000/web", "127.0.0.1:5000", "127.0.0.1:5000/web", "latest" },
        { "web@" DIGEST, "docker.io", "web", DIGEST },
        { "h:1/web:3@" DIGEST, "h:1", "h:1/web", DIGEST },
        { "registry:5", "docker.io", "registry", "5" }, /* no slash: no registry */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct image_reference out;
        assert_true(image_reference_parse(cases[i].text, &out));
        assert_string_equal(out.registry, cases[i].registry);
        assert_string_equal(out.name, cases[i].name);
        assert_string_equal(out.tag, cases[i].tag);
    }
}

static void what_no_registry_can_be_asked_for_is_refused(void **state)
{
    (void)state;
    struct image_reference out;
    char longest[IMAGE_REFERENCE_SIZE + 1];
    memset(longest, 'a', sizeof longest);
    longest[IMAGE_REFERENCE_SIZE] = '\0';
    assert_false(image_reference_parse(longest, &out));
    longest[IMAGE_REFERENCE_SIZE - 1] = '\0';
    assert_true(image_reference_parse(longest, &out));
    assert_false(image_reference_parse(DIGEST, &out));
    assert_false(image_reference_parse(DIGEST + strlen("sha256:"), &out));
    assert_false(image_reference_parse("", &out));
    assert_false(image_reference_parse(":1", &out));
    assert_false(image_reference_parse("web:", &out));
    assert_false(image_reference_parse("@" DIGEST, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_taken_apart_as_docker_does_it),
        cmocka_unit_test(what_no_registry_can_be_asked_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
