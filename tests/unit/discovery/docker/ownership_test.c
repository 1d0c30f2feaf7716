#include "discovery/docker/ownership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "discovery/docker/engine_time.h"

static const struct ownership ours = { .key = "the key of this one" };
static const struct ownership_claim claim = {
    .cluster = "prod", .name = "portico-prod-web-1", .service = "web", .revision = "r1", .port = "80"
};

/* An inspect document with the claim's labels and this proof; each test changes one thing of it. */
static json_t *document(const char *proof)
{
    json_t *made = json_pack("{s:s, s:s, s:s, s:{s:{s:s, s:s, s:s, s:s, s:s, s:s}}}", "Id", "abc", "Name",
                             "/portico-prod-web-1", "Created", "2026-11-22T21:50:00.5Z", "Config", "Labels",
                             "portico.managed-by", "portico", "portico.cluster", "prod", "portico.service", "web",
                             "portico.revision", "r1", "portico.port", "80", "portico.proof", proof);
    assert_non_null(made);
    return made;
}

static json_t *labels_of(json_t *inspected)
{
    return json_object_get(json_object_get(inspected, "Config"), "Labels");
}

static enum ownership_verdict judge(json_t *inspected, const struct ownership *ownership)
{
    enum ownership_verdict verdict = ownership_of(inspected, "prod", ownership);
    json_decref(inspected);
    return verdict;
}

static json_t *proven(void)
{
    char proof[OWNERSHIP_PROOF_SIZE];
    ownership_prove(&ours, &claim, proof);
    return document(proof);
}

/* RFC 4231 has no case of this text; the value was computed by Python's hmac. */
static void a_proof_is_an_hmac_of_the_claim(void **state)
{
    (void)state;
    char proof[OWNERSHIP_PROOF_SIZE];
    ownership_prove(&ours, &claim, proof);
    assert_string_equal(proof, "a69616cb6761ed67e860a0ca29512145095812ebec3e30d0a939a3b3954b7f72");
}

static void what_we_created_is_ours(void **state)
{
    (void)state;
    assert_int_equal(judge(proven(), &ours), OWNERSHIP_OURS);
}

static void a_copy_of_all_labels_on_another_container_proves_nothing(void **state)
{
    (void)state;
    json_t *copy = proven();
    json_object_set_new(copy, "Name", json_string("/portico-prod-web-2"));
    assert_int_equal(judge(copy, &ours), OWNERSHIP_UNPROVEN);
}

static void a_proof_holds_for_nothing_but_what_it_was_made_for(void **state)
{
    static const char *const changed[] = { "portico.service", "portico.revision", "portico.port", "portico.proof" };
    (void)state;
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        json_t *forged = proven(), *gone = proven();
        json_object_set_new(labels_of(forged), changed[i], json_string("81"));
        assert_int_equal(judge(forged, &ours), OWNERSHIP_UNPROVEN);
        json_object_del(labels_of(gone), changed[i]);
        assert_int_equal(judge(gone, &ours), OWNERSHIP_UNPROVEN);
    }
    char long_name[3000];
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    json_t *longest = proven();
    json_object_set_new(longest, "Name", json_string(long_name));
    assert_int_equal(judge(longest, &ours), OWNERSHIP_UNPROVEN);
}

static void another_installation_cannot_prove_it(void **state)
{
    static const struct ownership theirs = { .key = "the key of another" };
    (void)state;
    assert_int_equal(judge(proven(), &theirs), OWNERSHIP_UNPROVEN);
}

static void who_does_not_claim_is_not_asked(void **state)
{
    (void)state;
    json_t *foreign = proven(), *elsewhere = proven();
    json_object_del(labels_of(foreign), "portico.managed-by");
    assert_int_equal(judge(foreign, &ours), OWNERSHIP_UNCLAIMED);
    json_object_set_new(labels_of(elsewhere), "portico.cluster", json_string("staging"));
    assert_int_equal(judge(elsewhere, &ours), OWNERSHIP_ELSEWHERE);
    assert_int_equal(ownership_of(NULL, "prod", &ours), OWNERSHIP_UNCLAIMED);
    assert_int_equal(judge(json_object(), &ours), OWNERSHIP_UNCLAIMED);
}

static void claims_of_containers_older_than_a_moment_hold(void **state)
{
    struct ownership upgraded = ours;
    (void)state;
    upgraded.claims_hold_before_wall_us = docker_time_parse_us("2026-11-22T21:50:00.6Z");
    assert_int_equal(judge(document(""), &upgraded), OWNERSHIP_OURS);
    assert_int_equal(judge(document("of a key that is lost"), &upgraded), OWNERSHIP_OURS);
    upgraded.claims_hold_before_wall_us -= 100000;
    assert_int_equal(judge(document(""), &upgraded), OWNERSHIP_UNPROVEN);
    assert_int_equal(judge(proven(), &upgraded), OWNERSHIP_OURS);
    json_t *timeless = document("");
    json_object_set_new(timeless, "Created", json_string("long ago"));
    assert_int_equal(judge(timeless, &upgraded), OWNERSHIP_UNPROVEN);
}

static void without_the_key_claims_are_believed(void **state)
{
    (void)state;
    assert_int_equal(judge(document(""), NULL), OWNERSHIP_OURS);
}

static void times_of_the_engine_have_fractions_and_zones(void **state)
{
    (void)state;
    assert_true(docker_time_parse_us("2026-11-22T21:50:00.5Z") == 1795384200500000);
    assert_true(docker_time_parse_us("2026-11-22T23:50:00.500000000+02:00") == 1795384200500000);
    assert_true(docker_time_parse_us("2026-11-22T16:20:00-05:30") == 1795384200000000);
    static const char *const bad[] = { "",  "0001-01-01T00:00:00Z", "2026-11-22T21:50:00", "2026-11-22T21:50:00+25:00",
                                       "x", "2026-11-22T21:50:00.5" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(docker_time_parse_us(bad[i]) == 0);
    assert_true(docker_time_parse_us(NULL) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proof_is_an_hmac_of_the_claim),
        cmocka_unit_test(what_we_created_is_ours),
        cmocka_unit_test(a_copy_of_all_labels_on_another_container_proves_nothing),
        cmocka_unit_test(a_proof_holds_for_nothing_but_what_it_was_made_for),
        cmocka_unit_test(another_installation_cannot_prove_it),
        cmocka_unit_test(who_does_not_claim_is_not_asked),
        cmocka_unit_test(claims_of_containers_older_than_a_moment_hold),
        cmocka_unit_test(without_the_key_claims_are_believed),
        cmocka_unit_test(times_of_the_engine_have_fractions_and_zones),
    };
    return cmocka_run_group_tests_name("ownership", tests, NULL, NULL);
}
