#include "tests/unit/discovery/docker/provider_bench.h"

static void the_first_list_fills_the_registry(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, OWN)->status = "exited";
    b->fake.containers[2].exit_code = 3;
    fake_engine_add(&b->fake, 3, FOREIGN)->status = "exited";
    fake_engine_add(&b->fake, 4, "\"other\":\"label\"");
    fake_engine_add(&b->fake, 5, "\"portico.enable\":\"true\",\"portico.service\":\"BAD\",\"portico.port\":\"80\"");
    fake_engine_add(&b->fake, 6, FOREIGN ",\"portico.managed-by\":\"portico\",\"portico.cluster\":\"staging\"");
    start(b);
    assert_true(task_registry_is_synced(b->registry, b->provider.index));
    assert_int_equal(task_registry_count(b->registry), 2);
    assert_int_equal(task(b, 1)->spec.state, TASK_RUNNING);
    assert_string_equal(task(b, 1)->spec.address, "172.17.0.1:80");
    assert_int_equal(task(b, 2)->spec.state, TASK_STOPPED); /* the controller removes it */
    assert_int_equal(task(b, 2)->spec.exit_code, 3);
    assert_int_equal(status_of(b).ignored_count, 1);
    assert_null(b->provider.ops->find_problem(&b->provider));
}

static void an_event_looks_at_one_container_only(void **state)
{
    struct bench *b = *state;
    for (int i = 1; i < 9; i++)
        fake_engine_add(&b->fake, i, FOREIGN);
    start(b);
    size_t looks = b->fake.inspect_count, lists = b->fake.list_count;
    fake_engine_add(&b->fake, 9, FOREIGN);
    fake_engine_emit(&b->fake, 9, "start", "");
    wait_for_state(b, 9, TASK_RUNNING);
    assert_int_equal(b->fake.inspect_count, looks + 1);
    assert_int_equal(b->fake.list_count, lists);
    fake_engine_add(&b->fake, 10, "\"not\":\"ours\"");
    fake_engine_emit(&b->fake, 10, "start", "");
    fake_engine_emit(&b->fake, 9, "kill", "\"signal\":\"15\"");
    wait_for_state(b, 9, TASK_STOPPING);
    assert_int_equal(b->fake.inspect_count, looks + 1); /* none of our labels, and a kill says all */
}

static void a_stop_is_seen_at_the_kill_and_nothing_is_asked(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, OWN);
    start(b);
    size_t looks = b->fake.inspect_count;
    for (int i = 1; i <= 2; i++) {
        fake_engine_emit(&b->fake, i, "kill", "\"signal\":\"15\"");
        wait_for_state(b, i, TASK_STOPPING);
        b->fake.containers[i].status = "exited";
        fake_engine_emit(&b->fake, i, "die", "\"exitCode\":\"143\"");
        fake_engine_emit(&b->fake, i, "stop", "");
    }
    wait_until_gone(b, 1); /* a foreign container that stopped is no task */
    wait_for_state(b, 2, TASK_STOPPED);
    assert_int_equal(task(b, 2)->spec.exit_code, 143);
    assert_string_equal(task(b, 2)->spec.address, "");
    fake_engine_emit(&b->fake, 2, "destroy", "");
    wait_until_gone(b, 2);
    assert_int_equal(b->fake.inspect_count, looks);
}

static void a_foreign_container_that_will_start_again_stays_known_while_it_is_stopped(void **state)
{
    struct bench *b = *state;
    for (int i = 1; i <= 2; i++)
        fake_engine_add(&b->fake, i, FOREIGN)->restart_policy = "unless-stopped";
    b->fake.containers[2].status = "exited";
    start(b);
    assert_int_equal(task(b, 2)->spec.state, TASK_STOPPED);
    b->fake.containers[1].status = "exited";
    fake_engine_emit(&b->fake, 1, "die", "\"exitCode\":\"1\"");
    wait_for_state(b, 1, TASK_STOPPED);
    b->fake.containers[1].status = "running";
    fake_engine_emit(&b->fake, 1, "start", "");
    wait_for_state(b, 1, TASK_RUNNING);
    fake_engine_emit(&b->fake, 2, "destroy", "");
    wait_until_gone(b, 2);
}

static void a_signal_that_does_not_end_it_changes_nothing(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, FOREIGN);
    start(b);
    static const int signals[] = { 1, 2, 3, 10, 12 };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char attribute[32];
        snprintf(attribute, sizeof attribute, "\"signal\":\"%d\"", signals[i]);
        fake_engine_emit(&b->fake, 1, "kill", attribute);
    }
    fake_engine_emit(&b->fake, 2, "kill", "\"signal\":\"9\"");
    wait_for_state(b, 2, TASK_STOPPING);
    assert_int_equal(task(b, 1)->spec.state, TASK_RUNNING);
}

static void the_stop_signal_of_the_container_ends_it_and_no_other(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN)->config = "\"StopSignal\":\"SIGQUIT\",";
    fake_engine_add(&b->fake, 2, FOREIGN)->config = "\"StopSignal\":\"SIGQUIT\",";
    start(b);
    fake_engine_emit(&b->fake, 1, "kill", "\"signal\":\"15\"");
    fake_engine_emit(&b->fake, 2, "kill", "\"signal\":\"3\"");
    wait_for_state(b, 2, TASK_STOPPING);
    assert_int_equal(task(b, 1)->spec.state, TASK_RUNNING);
}

static void a_container_that_outlives_its_stop_signal_is_used_again(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN)->config = "\"StopTimeout\":0,";
    start(b);
    fake_engine_emit(&b->fake, 1, "kill", "\"signal\":\"15\"");
    wait_for_state(b, 1, TASK_STOPPING);
    wait_for_state(b, 1, TASK_RUNNING);
}

static void a_killed_container_stays_out_although_the_engine_calls_it_running(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    fake_engine_emit(&b->fake, 1, "kill", "\"signal\":\"15\"");
    size_t looks = b->fake.inspect_count;
    fake_engine_emit(&b->fake, 1, "rename", "");
    wait_for_looks(b, looks + 1);
    assert_int_equal(task(b, 1)->spec.state, TASK_STOPPING);
    fake_engine_break_stream(&b->fake); /* nor does a full list bring it back */
    wait_for_sync(b, 2);
    assert_int_equal(task(b, 1)->spec.state, TASK_STOPPING);
    b->fake.containers[1].started_at = "2026-11-22T22:00:00Z"; /* but another life does, even if no event told of it */
    fake_engine_break_stream(&b->fake);
    wait_for_sync(b, 3);
    assert_int_equal(task(b, 1)->spec.state, TASK_RUNNING);
}

static void a_restart_ends_up_running(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 2, OWN);
    start(b);
    fake_engine_emit(&b->fake, 2, "kill", "\"signal\":\"15\"");
    fake_engine_emit(&b->fake, 2, "die", "\"exitCode\":\"0\"");
    fake_engine_emit(&b->fake, 2, "stop", "");
    wait_for_state(b, 2, TASK_STOPPED);
    b->fake.containers[2].started_at = "2026-11-22T22:00:00Z";
    b->fake.containers[2].ip = "172.17.0.77";
    fake_engine_emit(&b->fake, 2, "start", "");
    wait_for_state(b, 2, TASK_RUNNING);
    assert_string_equal(task(b, 2)->spec.address, "172.17.0.77:80");
}

static void an_answer_from_before_an_event_is_not_used(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, OWN);
    start(b);
    b->fake.holds_inspects = true;
    fake_engine_emit(&b->fake, 1, "update", ""); /* asked while it runs ... */
    scripted_run_while(b->loop, holds_nothing, b);
    b->fake.holds_inspects = false;
    b->fake.containers[1].status = "exited";
    fake_engine_emit(&b->fake, 1, "die", "\"exitCode\":\"1\""); /* ... it dies ... */
    wait_until_gone(b, 1);
    fake_engine_release(&b->fake); /* ... and the answer "running" arrives */
    scripted_run_turns(b->loop, 30);
    assert_null(task(b, 1));
}

static void a_container_that_dies_before_it_was_looked_at_is_known_as_stopped(void **state)
{
    struct bench *b = *state;
    start(b);
    b->fake.holds_inspects = true;
    fake_engine_add(&b->fake, 2, OWN);
    fake_engine_emit(&b->fake, 2, "start", "");
    scripted_run_while(b->loop, holds_nothing, b);
    b->fake.holds_inspects = false;
    b->fake.containers[2].status = "exited";
    b->fake.containers[2].exit_code = 127;
    fake_engine_emit(&b->fake, 2, "die", "\"exitCode\":\"127\"");
    wait_for_state(b, 2, TASK_STOPPED);
    assert_int_equal(task(b, 2)->spec.exit_code, 127);
}

static bool engine_check_is_not_down(void *owner)
{
    struct bench *b = owner;
    return task(b, 1)->spec.engine_health != TASK_HEALTH_DOWN;
}

static bool is_not_routable(void *owner)
{
    struct bench *b = owner;
    return !task_is_routable(task(b, 1));
}

static void pause_takes_out_and_unpause_brings_back(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    task_registry_set_probe(b->registry, b->fake.containers[1].id, TASK_HEALTH_UP, "");
    assert_true(task_is_routable(task(b, 1)));
    fake_engine_emit(&b->fake, 1, "pause", "");
    scripted_run_while(b->loop, engine_check_is_not_down, b);
    assert_int_equal(task(b, 1)->spec.state, TASK_RUNNING); /* it is not ending */
    assert_false(task_is_routable(task(b, 1)));
    fake_engine_emit(&b->fake, 1, "unpause", "");
    scripted_run_while(b->loop, is_not_routable, b);
}

static void the_health_event_is_enough(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    size_t looks = b->fake.inspect_count;
    fake_engine_emit(&b->fake, 1, "health_status: unhealthy", "");
    scripted_run_while(b->loop, engine_check_is_not_down, b);
    assert_true(task(b, 1)->spec.has_engine_health);
    assert_int_equal(b->fake.inspect_count, looks);
}

static bool stream_is_open(void *owner)
{
    return status_of(owner).stream_open;
}

static void what_is_known_stays_while_the_engine_is_away(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, OWN);
    start(b);
    fake_engine_emit(&b->fake, 1, "rename", "");
    scripted_run_turns(b->loop, 20);
    scripted_server_refuse(&b->fake.server);
    scripted_run_while(b->loop, stream_is_open, b);
    scripted_run_turns(b->loop, 50);
    assert_int_equal(task_registry_count(b->registry), 2);
    assert_int_equal(task(b, 1)->spec.state, TASK_RUNNING);
    assert_non_null(b->provider.ops->find_problem(&b->provider));
    b->fake.stream = NULL;
    b->fake.containers[1].labels = NULL; /* it vanished meanwhile, and another came */
    fake_engine_add(&b->fake, 3, FOREIGN);
    scripted_server_listen_again(&b->fake.server);
    wait_for_sync(b, 2);
    assert_null(task(b, 1));
    assert_non_null(task(b, 2));
    assert_non_null(task(b, 3));
    assert_non_null(strstr(b->fake.last_events_target, "&since=1700000000.")); /* of the last event */
    assert_null(b->provider.ops->find_problem(&b->provider));
}

static bool is_usable(void *owner)
{
    struct bench *b = owner;
    return !task_is_unusable(task(b, b->wanted));
}

static void our_own_container_without_address_is_listed_as_unusable(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN)->ip = "";
    fake_engine_add(&b->fake, 2, OWN)->ip = "";
    fake_engine_add(&b->fake, 3, OWN);
    start(b);
    assert_null(task(b, 1));
    assert_true(task_is_unusable(task(b, 2)));
    assert_int_equal(task(b, 2)->spec.state, TASK_RUNNING);
    assert_int_equal(status_of(b).ignored_count, 1);
    b->fake.containers[3].ip = ""; /* taken off its network while it runs */
    fake_engine_emit(&b->fake, 3, "update", "");
    b->wanted = 3;
    scripted_run_while(b->loop, is_usable, b);
    assert_non_null(strstr(task(b, 3)->spec.problem, "address"));
}

static void one_that_was_sent_its_stop_signal_says_so_until_its_next_life(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, OWN);
    start(b);
    fake_engine_emit(&b->fake, 1, "kill", "\"signal\":\"15\"");
    fake_engine_emit(&b->fake, 1, "die", "\"exitCode\":\"0\"");
    b->fake.containers[1].status = "exited";
    wait_for_state(b, 1, TASK_STOPPED);
    assert_true(task(b, 1)->spec.is_signalled);
    b->fake.containers[1].status = "running";
    b->fake.containers[1].started_at = "1970-01-01T00:01:00Z";
    fake_engine_emit(&b->fake, 1, "start", "");
    wait_for_state(b, 1, TASK_RUNNING);
    assert_false(task(b, 1)->spec.is_signalled);
    fake_engine_emit(&b->fake, 1, "die", "\"exitCode\":\"1\"");
    wait_for_state(b, 1, TASK_STOPPED);
    assert_false(task(b, 1)->spec.is_signalled);
}

static void a_container_on_the_network_of_another_follows_that_one(void **state)
{
    struct bench *b = *state;
    char mode[80];
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, "\"a\":\"stranger\"");
    snprintf(mode, sizeof mode, "container:%s", b->fake.containers[2].id);
    b->fake.containers[1].network_mode = mode;
    start(b);
    assert_string_equal(task(b, 1)->spec.address, "172.17.0.2:80"); /* known when the first list is complete */
    b->fake.containers[2].status = "exited";
    fake_engine_emit(&b->fake, 2, "die", "\"exitCode\":\"0\"");
    wait_until_gone(b, 1);
    assert_non_null(strstr(b->refusal, "it uses the network of container 222222222222: it has no address"));
    b->fake.containers[2].status = "running";
    b->fake.containers[2].ip = "172.17.0.77";
    fake_engine_emit(&b->fake, 2, "start", "");
    b->wanted_address = "172.17.0.77:80";
    scripted_run_while(b->loop, has_another_address, b);
    b->fake.containers[2].labels = NULL;
    fake_engine_emit(&b->fake, 2, "destroy", "");
    wait_until_gone(b, 1);
}

static void labels_that_turn_bad_take_the_task_away(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    b->fake.containers[1].labels =
        "\"portico.enable\":\"true\",\"portico.service\":\"\\u001b[2J\",\"portico.port\":\"80\"";
    fake_engine_emit(&b->fake, 1, "update", "");
    wait_until_gone(b, 1);
    assert_int_equal(status_of(b).ignored_count, 1);
}

static void fill_with_tasks_of_others(struct bench *b)
{
    uint8_t other = task_registry_add_provider(b->registry, "other");
    struct task_spec spec = { .service = "other", .weight = 1, .state = TASK_STOPPED };
    for (int i = 0; i < TASK_REGISTRY_MAX; i++) {
        snprintf(spec.id, sizeof spec.id, "other-%d", i);
        assert_true(task_registry_apply(b->registry, other, &spec));
    }
}

static void one_without_room_counts_as_refused_until_there_is_some_and_our_own_have_theirs(void **state)
{
    struct bench *b = *state;
    struct error error;
    fill_with_tasks_of_others(b);
    fake_engine_add(&b->fake, 1, FOREIGN);
    fake_engine_add(&b->fake, 2, OWN);
    start(b);
    assert_null(task(b, 1));
    assert_non_null(task(b, 2));
    assert_int_equal(b->provider.refused_count, 1);
    assert_int_equal(status_of(b).ignored_count, 1);
    task_registry_remove(b->registry, "other-7");
    assert_true(b->provider.ops->reload(&b->provider, &b->config, &error));
    wait_for_sync(b, 2);
    assert_non_null(task(b, 1));
    assert_int_equal(b->provider.refused_count, 0);
}

static bool has_no_bad_line(void *owner)
{
    return status_of(owner).bad_lines_count == 0;
}

static void what_the_configuration_forbids_is_told_once_and_counts_until_it_is_allowed(void **state)
{
    struct bench *b = *state;
    struct config_service web = { .name = (char *)"web" };
    struct error error;
    fake_engine_add(&b->fake, 1, FOREIGN);
    b->config.services = &web;
    b->config.service_count = 1;
    start(b);
    assert_null(task(b, 1));
    assert_int_equal(b->provider.refused_count, 1);
    assert_int_equal(b->refusals, 1);
    assert_non_null(strstr(b->refusal, "web: container"));
    assert_non_null(strstr(b->refusal, "allowLabels"));
    assert_true(b->provider.ops->reload(&b->provider, &b->config, &error));
    wait_for_sync(b, 2);
    assert_int_equal(b->refusals, 1);
    web.allow_labels = true;
    assert_true(b->provider.ops->reload(&b->provider, &b->config, &error));
    wait_for_sync(b, 3);
    assert_non_null(task(b, 1));
    assert_int_equal(b->provider.refused_count, 0);
    web.allow_labels = false; /* and back: it is a task no more */
    assert_true(b->provider.ops->reload(&b->provider, &b->config, &error));
    assert_null(task(b, 1)); /* at once: the engine may be away */
    wait_for_sync(b, 4);
    assert_null(task(b, 1));
}

static void a_line_that_is_no_event_costs_one_full_list(void **state)
{
    struct bench *b = *state;
    fake_engine_add(&b->fake, 1, FOREIGN);
    start(b);
    fake_engine_add(&b->fake, 2, FOREIGN); /* its event is the line that cannot be read */
    scripted_send_text(b->fake.stream, "a\r\nnot JSON\n\n\r\n");
    scripted_run_while(b->loop, has_no_bad_line, b);
    fake_engine_emit(&b->fake, 1, "kill", "\"signal\":\"15\"");
    wait_for_state(b, 1, TASK_STOPPING); /* the next line is understood */
    wait_for_sync(b, 2);
    assert_non_null(task(b, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_list_fills_the_registry),
        TEST(an_event_looks_at_one_container_only),
        TEST(a_stop_is_seen_at_the_kill_and_nothing_is_asked),
        TEST(a_foreign_container_that_will_start_again_stays_known_while_it_is_stopped),
        TEST(a_signal_that_does_not_end_it_changes_nothing),
        TEST(a_killed_container_stays_out_although_the_engine_calls_it_running),
        TEST(a_restart_ends_up_running),
        TEST(an_answer_from_before_an_event_is_not_used),
        TEST(the_stop_signal_of_the_container_ends_it_and_no_other),
        TEST(a_container_that_outlives_its_stop_signal_is_used_again),
        TEST(a_container_that_dies_before_it_was_looked_at_is_known_as_stopped),
        TEST(pause_takes_out_and_unpause_brings_back),
        TEST(the_health_event_is_enough),
        TEST(what_is_known_stays_while_the_engine_is_away),
        TEST(our_own_container_without_address_is_listed_as_unusable),
        TEST(one_that_was_sent_its_stop_signal_says_so_until_its_next_life),
        TEST(a_container_on_the_network_of_another_follows_that_one),
        TEST(labels_that_turn_bad_take_the_task_away),
        TEST(one_without_room_counts_as_refused_until_there_is_some_and_our_own_have_theirs),
        TEST(what_the_configuration_forbids_is_told_once_and_counts_until_it_is_allowed),
        TEST(a_line_that_is_no_event_costs_one_full_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
