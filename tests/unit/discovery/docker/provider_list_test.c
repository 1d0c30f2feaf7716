#include "tests/unit/discovery/docker/provider_bench.h"

#include "tests/unit/base/captured_stderr.h"

static void a_container_that_starts_during_a_full_list_is_not_lost(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    b->fake.holds_lists = true;
    fake_engine_break_stream(&b->fake);
    scripted_run_while(b->loop, holds_nothing, b); /* the list was made, without container 2 */
    b->fake.holds_lists = false;
    fake_engine_add(&b->fake, 2, FOREIGN);
    fake_engine_emit(&b->fake, 2, "start", "");
    wait_for_state(b, 2, TASK_RUNNING);
    fake_engine_release(&b->fake);
    wait_for_sync(b, 2);
    assert_non_null(task(b, 1));
    assert_non_null(task(b, 2));
}

static void a_container_that_vanishes_during_a_full_list_does_not_hold_it_up(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, FOREIGN);
    start(b);
    b->fake.holds_inspects = true;
    fake_engine_break_stream(&b->fake);
    scripted_run_while(b->loop, holds_nothing, b);
    fake_engine_emit(&b->fake, 1, "destroy", "");
    fake_engine_emit(&b->fake, 2, "destroy", "");
    wait_for_sync(b, 2);
    assert_int_equal(task_registry_count(b->registry), 0);
}

static void a_look_that_fails_keeps_what_is_known_and_is_repeated(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    b->fake.inspect_status = 500;
    fake_engine_break_stream(&b->fake);
    wait_for_sync(b, 2);
    assert_non_null(task(b, 1));
    b->fake.inspect_status = 0;
    b->fake.containers[1].ip = "172.17.0.55";
    size_t looks = b->fake.inspect_count;
    wait_for_looks(b, looks + 1);
    assert_string_equal(task(b, 1)->spec.address, "172.17.0.55:80");
}

static bool has_the_old_address(void *owner)
{
    return strcmp(task(owner, 1)->spec.address, "172.17.0.55:80") != 0;
}

static void an_answer_that_makes_no_sense_keeps_what_is_known_and_is_asked_for_again(void **state)
{
    static const char *const answers[] = {
        "",
        "{}",
        "[1",
        "{\"Id\":\""
        "2222222222222222222222222222222222222222222222222222222222222222"
        "\"}",
        "{\"Id\":\""
        "1111111111111111111111111111111111111111111111111111111111111111"
        "\",\"State\":{\"Status\":\"melting\"},"
        "\"Config\":{\"Labels\":{" FOREIGN "}}}",
    };
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        b->fake.inspect_answer = answers[i];
        size_t looks = b->fake.inspect_count;
        fake_engine_emit(&b->fake, 1, "update", "");
        wait_for_looks(b, looks + 1);
        assert_non_null(task(b, 1));
        assert_int_equal(task(b, 1)->spec.state, TASK_RUNNING);
    }
    b->fake.inspect_answer = NULL;
    b->fake.containers[1].ip = "172.17.0.55";
    fake_engine_emit(&b->fake, 1, "update", "");
    scripted_run_while(b->loop, has_the_old_address, b);
}

static bool has_listed_none(void *owner)
{
    return ((struct bench *)owner)->fake.list_count == 0;
}

static void a_list_that_makes_no_sense_removes_nothing_and_is_repeated(void **state)
{
    static const char *const answers[] = { "{}", "[" };
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        b->fake.list_answer = answers[i];
        b->fake.list_count = 0;
        fake_engine_break_stream(&b->fake);
        scripted_run_while(b->loop, has_listed_none, b);
        scripted_run_turns(b->loop, 10);
        assert_non_null(task(b, 1));
        assert_int_equal(status_of(b).syncs_count, i + 1);
        b->fake.list_answer = NULL;
        wait_for_sync(b, i + 2);
    }
    b->fake.list_answer = "[{\"Id\":\"../../x\"},{\"Id\":5},7,{}]"; /* nothing in it is a container */
    fake_engine_break_stream(&b->fake);
    wait_for_sync(b, 4);
    assert_null(task(b, 1));
}

static void what_strangers_write_into_a_list_is_not_looked_at(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    size_t label_bytes = 100000; /* several pieces; no more than the socket takes at once */
    char *label = mem_alloc(label_bytes + 1);
    memset(label, 'x', label_bytes);
    char *answer =
        mem_printf("[{\"Labels\":{\"Id\":\"f\",\"long\":\"%s\"},\"Id\":\"%s\"}]", label, b->fake.containers[1].id);
    b->fake.list_answer = answer;
    start(b);
    assert_non_null(task(b, 1));
    assert_true(status_of(b).inspects_count <= 2); /* for the two lists: no id of a label is looked at */
    b->fake.list_answer = NULL;
    free(answer);
    free(label);
}

static bool has_asked_fewer(void *owner)
{
    struct bench *b = owner;
    return b->fake.held_count < b->wanted_looks;
}

static void an_event_does_not_wait_for_the_looks_of_a_list(void **state)
{
    struct bench *b = *state;
    struct error error;
    for (int i = 1; i <= 10; i++) /* those of the list hang, also when they are made again after a second */
        fake_engine_add(&b->fake, i, OWN)->hangs = i <= CONTAINER_LOOKS_MAX;
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    b->wanted_looks = CONTAINER_LOOKS_MAX;
    scripted_run_while(b->loop, has_asked_fewer, b);
    fake_engine_add(&b->fake, 11, FOREIGN);
    fake_engine_emit(&b->fake, 11, "start", "");
    wait_for_state(b, 11, TASK_RUNNING);
    fake_engine_emit(&b->fake, 10, "start", ""); /* it waits behind the list's looks no more */
    wait_for_state(b, 10, TASK_RUNNING);
    assert_int_equal(status_of(b).syncs_count, 0);
    for (int i = 1; i <= CONTAINER_LOOKS_MAX; i++)
        b->fake.containers[i].hangs = false;
    fake_engine_release(&b->fake);
    wait_for_sync(b, 1);
    for (int i = 1; i <= 11; i++)
        assert_non_null(task(b, i));
}

static void a_container_over_which_the_engine_hangs_holds_up_neither_the_list_nor_another(void **state)
{
    struct bench *b = *state;
    for (int i = 1; i <= 9; i++)
        fake_engine_add(&b->fake, i, FOREIGN)->hangs = i <= CONTAINER_LOOKS_MAX;
    start(b); /* waits for the list */
    assert_non_null(task(b, 9));
    for (int i = 1; i <= CONTAINER_LOOKS_MAX; i++) { /* nor do events of theirs take an event's place */
        assert_null(task(b, i));
        fake_engine_emit(&b->fake, i, "start", "");
    }
    fake_engine_add(&b->fake, 10, FOREIGN);
    fake_engine_emit(&b->fake, 10, "start", "");
    wait_for_state(b, 10, TASK_RUNNING);
    for (int i = 1; i <= CONTAINER_LOOKS_MAX; i++) {
        b->fake.containers[i].hangs = false;
        fake_engine_emit(&b->fake, i, "start", "");
    }
    for (int i = 1; i <= CONTAINER_LOOKS_MAX; i++)
        wait_for_state(b, i, TASK_RUNNING);
}

static void what_is_known_of_a_container_over_which_the_engine_hangs_stays(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, OWN);
    start(b);
    b->fake.containers[1].hangs = b->fake.containers[2].hangs = true;
    b->fake.containers[1].ip = b->fake.containers[2].ip = "172.17.0.77";
    fake_engine_break_stream(&b->fake);
    wait_for_sync(b, 2);
    assert_string_equal(task(b, 1)->spec.address, "172.17.0.1:80");
    assert_string_equal(task(b, 2)->spec.address, "172.17.0.2:80");
    b->fake.containers[1].hangs = b->fake.containers[2].hangs = false;
    fake_engine_release(&b->fake); /* the looks that go on may be among it */
    b->wanted_address = "172.17.0.77:80";
    scripted_run_while(b->loop, has_another_address, b);
}

static void one_that_may_be_ours_is_not_left_out_of_a_list_unseen(void **state)
{
    struct bench *b = *state;
    struct error error;
    fake_engine_add(&b->fake, 1, OWN)->hangs = true;
    fake_engine_add(&b->fake, 2, OWN);
    fake_engine_add(&b->fake, 3, FOREIGN);
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    wait_for_state(b, 2, TASK_RUNNING);
    wait_for_state(b, 3, TASK_RUNNING);
    wait_for_looks(b, 4); /* the first is asked for again, apart */
    assert_false(task_registry_is_synced(b->registry, b->provider.index));
    fake_engine_release(&b->fake);
    wait_for_sync(b, 1);
    assert_non_null(task(b, 1));
}

static void our_own_are_asked_for_first_and_apart(void **state)
{
    struct bench *b = *state;
    struct error error;
    fake_engine_add(&b->fake, 1, OWN);
    fake_engine_add(&b->fake, 2, FOREIGN);
    b->fake.holds_lists = true;
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    b->wanted_looks = 1;
    scripted_run_while(b->loop, has_asked_fewer, b);
    assert_non_null(strstr(b->fake.last_target, "portico.cluster%3Dprod"));
    fake_engine_release(&b->fake);
    scripted_run_while(b->loop, has_asked_fewer, b);
    wait_for_state(b, 1, TASK_RUNNING); /* while the list of others is on its way */
    assert_null(task(b, 2));
    fake_engine_release(&b->fake);
    wait_for_sync(b, 1);
    assert_non_null(task(b, 2));
}

static bool has_listed_fewer(void *owner)
{
    struct bench *b = owner;
    return b->fake.list_count < b->wanted_looks;
}

static void a_list_that_fails_again_and_again_is_said_once(void **state)
{
    struct bench *b = *state;
    struct captured_stderr captured;
    struct error error;
    char text[4096];
    fake_engine_add(&b->fake, 1, FOREIGN);
    b->fake.list_answer = "{}";
    log_init("test", LOG_LEVEL_WARN);
    captured_stderr_start(&captured);
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    b->wanted_looks = 5;
    scripted_run_while(b->loop, has_listed_fewer, b);
    captured_stderr_stop(&captured, text, sizeof text);
    log_init("test", LOG_LEVEL_ERROR);
    const char *said = strstr(text, "docker: list: it is not an array of containers; the list is asked for again");
    assert_non_null(said);
    assert_null(strstr(said + 1, "docker: list"));
    assert_non_null(strstr(b->provider.ops->find_problem(&b->provider), "not complete: list: it is not an array"));
    b->fake.list_answer = NULL;
    wait_for_sync(b, 1);
    assert_null(b->provider.ops->find_problem(&b->provider));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_that_makes_no_sense_keeps_what_is_known_and_is_asked_for_again),
        TEST(a_container_that_starts_during_a_full_list_is_not_lost),
        TEST(a_container_that_vanishes_during_a_full_list_does_not_hold_it_up),
        TEST(a_look_that_fails_keeps_what_is_known_and_is_repeated),
        TEST(a_list_that_makes_no_sense_removes_nothing_and_is_repeated),
        TEST(what_strangers_write_into_a_list_is_not_looked_at),
        TEST(an_event_does_not_wait_for_the_looks_of_a_list),
        TEST(a_container_over_which_the_engine_hangs_holds_up_neither_the_list_nor_another),
        TEST(what_is_known_of_a_container_over_which_the_engine_hangs_stays),
        TEST(one_that_may_be_ours_is_not_left_out_of_a_list_unseen),
        TEST(our_own_are_asked_for_first_and_apart),
        TEST(a_list_that_fails_again_and_again_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
