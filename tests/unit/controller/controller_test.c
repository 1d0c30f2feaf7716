/* The controller on a real loop: its timers, and what it reports. Its behaviour over time is
 * tests/sim/controller_sim_test.c. */
#include "controller/controller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "controller/actuator.h"
#include "controller/record_book.h"
#include "controller/runtime/runtime.h"
#include "controller/store/store.h"

static struct loop *loop;
static struct task_registry *registry;
static struct controller *controller;
static struct store *store;
static uint8_t provider;
static size_t create_count, end_count;
static bool is_holding;
static size_t stop_after_count;
static int64_t created_at_ms; /* when it was stopped */

static void count_create(struct runtime *runtime, const struct task_order *order, runtime_start_cb done, void *owner)
{
    (void)runtime;
    (void)order;
    (void)done;
    (void)owner;
    if (++create_count == stop_after_count) {
        created_at_ms = clock_now_ms();
        loop_stop(loop);
    }
}

static void count_end(struct runtime *runtime, const char *task_id, int64_t timeout_ms, runtime_done_cb done,
                      void *owner)
{
    (void)runtime;
    (void)task_id;
    (void)timeout_ms;
    (void)done;
    (void)owner;
    end_count++;
}

static void resolve(struct runtime *r, const char *image, runtime_start_cb done, void *owner)
{
    (void)r;
    (void)image;
    done(owner, RUNTIME_OK, "sha256:0123456789012345678901234567890123456789012345678901234567890123", "");
}

static void abandon(struct runtime *runtime)
{
    (void)runtime;
}

static bool is_reachable(const struct runtime *r)
{
    (void)r;
    return true;
}

static const struct runtime_ops runtime_ops = {
    .name = "count",
    .create_and_start = count_create,
    .resolve = resolve,
    .stop = count_end,
    .is_reachable = is_reachable,
    .abandon = abandon,
};
static struct runtime runtime = { &runtime_ops };

static bool no_service(void *owner, const char *service, struct service_traffic *out)
{
    (void)owner;
    (void)service;
    (void)out;
    return false;
}

static bool no_endpoint(void *owner, const char *task_id, struct endpoint_traffic *out)
{
    (void)owner;
    (void)task_id;
    (void)out;
    return false;
}

static bool not_out(void *owner, const char *task_id)
{
    (void)owner;
    (void)task_id;
    return false;
}

static bool not_fresh(void *owner)
{
    (void)owner;
    return false;
}

static bool is_holding_now(void *owner)
{
    (void)owner;
    return is_holding;
}

static const struct data_plane_ops data_plane_ops = {
    no_service, no_endpoint, not_out, not_fresh, is_holding_now, NULL
};
static struct config_service service = {
    .name = (char *)"web", .host = (char *)"*", .path = (char *)"/", .image = (char *)"web:1", .desired_count = 2
};
static const struct config config = { .cluster = (char *)"test", .services = &service, .service_count = 1 };

static void start_control(void)
{
    struct controller_parts parts = {
        .loop = loop,
        .registry = registry,
        .runtime_provider = provider,
        .runtime = &runtime,
        .store = store,
        .data_plane = { .ops = &data_plane_ops },
    };
    controller = controller_new(&parts);
    controller_apply_config(controller, &config);
}

static void make_registry(void)
{
    registry = task_registry_new();
    provider = task_registry_add_provider(registry, "test");
}

static int set_up(void **state)
{
    (void)state;
    create_count = end_count = 0;
    stop_after_count = 2;
    is_holding = false;
    loop = loop_new();
    store = store_ops_memory.open("", NULL);
    make_registry();
    start_control();
    return 0;
}

static void kill_control(void)
{
    controller_free(controller);
    task_registry_free(registry);
}

static int tear_down(void **state)
{
    (void)state;
    kill_control();
    store->ops->close(store);
    loop_free(loop);
    return 0;
}

static void sync_now(void *owner)
{
    (void)owner;
    task_registry_begin_sync(registry, provider);
    task_registry_end_sync(registry, provider);
}

/* Of what must be quick, the quickest of some attempts counts: a busy machine only ever adds. */
#define ATTEMPTS_MAX 50

static void begin_anew(void **state)
{
    tear_down(state);
    set_up(state);
}

static void it_acts_within_a_period_of_the_first_full_list(void **state)
{
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        struct timer timer;
        begin_anew(state);
        timer_init(&timer, loop, sync_now, NULL);
        timer_start(&timer, 20);
        controller_start(controller);
        int64_t begun_ms = clock_now_ms();
        loop_run(loop);
        timer_stop(&timer);
        assert_int_equal(create_count, 2);
        if (created_at_ms - begun_ms < 2000)
            return;
    }
    fail_msg("it is late each time");
}

/* The runtime never answers here: whatever was ordered hangs. */
static void creations_that_hang_do_not_keep_another_service_from_its_first(void **state)
{
    (void)state;
    static char names[6][16];
    static struct config_service many[6];
    struct config all = config;
    for (int i = 0; i < 6; i++) {
        many[i] = service;
        snprintf(names[i], sizeof names[i], "s%d", i);
        many[i].name = names[i];
        many[i].desired_count = 100;
    }
    all.services = many;
    all.service_count = 4;
    stop_after_count = 0;
    sync_now(NULL);
    controller_apply_config(controller, &all);
    for (int i = 0; i < 20; i++)
        controller_tick(controller, clock_now_ms());
    assert_int_equal(create_count, ACTUATOR_CREATIONS_MAX);
    all.service_count = 6;
    controller_apply_config(controller, &all);
    for (int i = 0; i < 20; i++)
        controller_tick(controller, clock_now_ms());
    assert_int_equal(create_count, ACTUATOR_CREATIONS_MAX + 2);
    controller_apply_config(controller, &config);
}

static void order_another(void *owner)
{
    (void)owner;
    struct service_patch patch = { .desired_count = 3, .min = -1, .max = -1 };
    assert_int_equal(controller_patch_service(controller, "web", &patch, NULL), CONTROLLER_OK);
}

/* The period begins with what creates the first two. */
static void an_order_is_acted_on_before_the_next_period(void **state)
{
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        begin_anew(state);
        sync_now(NULL);
        controller_start(controller);
        loop_run(loop);
        struct timer timer;
        timer_init(&timer, loop, order_another, NULL);
        timer_start(&timer, 1);
        stop_after_count = 3;
        int64_t begun_ms = created_at_ms;
        loop_run(loop);
        timer_stop(&timer);
        assert_int_equal(create_count, 3);
        if (created_at_ms - begun_ms < 240)
            return;
    }
    fail_msg("it waits for the next period each time");
}

struct listing {
    size_t count, managed_count;
};

static void list_service(void *owner, const struct service_status *status)
{
    struct listing *listing = owner;
    listing->count++;
    listing->managed_count += status->managed;
    assert_true(strlen(service_phase_to_str(status->phase)) > 0);
    assert_non_null(status->last_decision);
    if (!status->managed) {
        assert_string_equal(status->name, "theirs");
        assert_string_equal(status->host, "example.org");
        assert_null(status->image);
        assert_int_equal(status->running_count, 1);
    }
}

static void add_theirs(void)
{
    struct task_spec spec = { .id = "aaaabbbbccccdddd",
                              .service = "theirs",
                              .host = "example.org",
                              .path = "/",
                              .weight = 1,
                              .state = TASK_RUNNING,
                              .address = "10.0.0.1:80" };
    task_registry_apply(registry, provider, &spec);
    snprintf(spec.id, sizeof spec.id, "aaaabbbbccccffff");
    snprintf(spec.service, sizeof spec.service, "web");
    task_registry_apply(registry, provider, &spec);
}

static void a_service_of_a_project_has_a_short_name_while_that_is_unique(void **state)
{
    (void)state;
    struct service_status status;
    struct task_spec spec = { .id = "aaaabbbbccccdddd", .service = "staging/api", .weight = 1, .state = TASK_RUNNING };
    task_registry_apply(registry, provider, &spec);
    controller_tick(controller, clock_now_ms());
    assert_true(controller_find_service(controller, "api", &status));
    assert_string_equal(status.name, "staging/api");
    assert_true(controller_find_service(controller, "staging/api", &status));
    snprintf(spec.id, sizeof spec.id, "aaaabbbbccccffff");
    snprintf(spec.service, sizeof spec.service, "production/api");
    task_registry_apply(registry, provider, &spec);
    controller_tick(controller, clock_now_ms());
    assert_false(controller_find_service(controller, "api", &status));
    assert_true(controller_find_service(controller, "production/api", &status));
}

/* The proxy may still serve by a snapshot of an earlier control process, which has the task. */
static void nothing_is_stopped_while_the_data_plane_does_not_hear_of_it(void **state)
{
    (void)state;
    int64_t now_ms = clock_now_ms();
    struct task_spec spec = { .id = "aaaabbbbccccdddd",
                              .service = "left",
                              .managed = true,
                              .weight = 1,
                              .state = TASK_RUNNING,
                              .address = "10.0.0.1:80" };
    is_holding = true;
    sync_now(NULL);
    task_registry_apply(registry, provider, &spec);
    for (int64_t minute = 0; minute < 10; minute++)
        controller_tick(controller, now_ms + minute * 60000);
    assert_int_equal(task_registry_find(registry, spec.id)->admin, TASK_ADMIN_DRAINING);
    assert_int_equal(end_count, 0);
    is_holding = false;
    controller_tick(controller, now_ms + 601000);
    assert_int_equal(end_count, 1);
}

static void a_controller_that_is_held_starts_nothing(void **state)
{
    (void)state;
    stop_after_count = 0;
    controller_hold(controller, true);
    sync_now(NULL);
    controller_tick(controller, clock_now_ms());
    assert_int_equal(create_count, 0);
    controller_hold(controller, false);
    for (int turn = 0; turn < 100 && create_count == 0; turn++)
        controller_tick(controller, clock_now_ms());
    assert_true(create_count > 0);
}

static void read_config_desired(void *owner, const struct store_record *record)
{
    *(int64_t *)owner = record->config_desired;
}

static int64_t stored_config_desired(void)
{
    int64_t count = -1;
    assert_true(store->ops->load(store, read_config_desired, &count, NULL));
    return count;
}

static void a_controller_that_was_held_stores_what_the_configuration_says_meanwhile(void **state)
{
    (void)state;
    static struct config_service changed;
    static struct config wanted;
    struct service_patch patch = { .desired_count = 3, .min = -1, .max = -1 };
    changed = service;
    changed.desired_count = 5;
    wanted = config;
    wanted.services = &changed;
    assert_int_equal(controller_patch_service(controller, "web", &patch, NULL), CONTROLLER_OK);
    controller_hold(controller, true);
    controller_apply_config(controller, &wanted);
    assert_int_equal(stored_config_desired(), 2);
    controller_hold(controller, false);
    assert_int_equal(stored_config_desired(), 5);
}

#define OTHER_IMAGE "sha256:abababababababababababababababababababababababababababababababab"

static struct {
    runtime_start_cb done;
    void *owner;
} questions[4];
static size_t question_count;

static void resolve_later(struct runtime *r, const char *image, runtime_start_cb done, void *owner)
{
    (void)r;
    (void)image;
    questions[question_count].done = done;
    questions[question_count++].owner = owner;
}

static void an_answer_for_a_service_that_is_gone_is_none_for_another_of_its_name(void **state)
{
    (void)state;
    static struct config_service again;
    static struct config none, wanted;
    struct runtime_ops late = runtime_ops;
    struct service_status status;
    late.resolve = resolve_later;
    runtime.ops = &late;
    question_count = stop_after_count = 0;
    none = wanted = config;
    none.service_count = 0;
    again = service;
    again.image = (char *)"web:2";
    wanted.services = &again;
    sync_now(NULL);
    controller_tick(controller, clock_now_ms());
    controller_apply_config(controller, &none);
    controller_tick(controller, clock_now_ms());
    assert_false(controller_find_service(controller, "web", &status));
    controller_apply_config(controller, &wanted);
    controller_tick(controller, clock_now_ms());
    assert_int_equal(question_count, 2);
    questions[0].done(questions[0].owner, RUNTIME_OK,
                      "sha256:0123456789012345678901234567890123456789012345678901234567890123", "");
    assert_true(controller_find_service(controller, "web", &status));
    assert_null(status.image_id);
    questions[1].done(questions[1].owner, RUNTIME_OK, OTHER_IMAGE, "");
    assert_true(controller_find_service(controller, "web", &status));
    assert_string_equal(status.image_id, OTHER_IMAGE);
    runtime.ops = &runtime_ops;
}

static bool refuse_image(struct store *s, const struct store_image *image, struct error *error)
{
    (void)s;
    (void)image;
    return error_set(error, "disk full");
}

static void count_image(void *owner, const struct store_image *image)
{
    (void)image;
    ++*(size_t *)owner;
}

/* Or the next process would roll back to the one that is stored. */
static void an_image_that_the_store_refused_is_stored_as_soon_as_it_can_be(void **state)
{
    (void)state;
    size_t count = 0;
    struct store_ops broken = store_ops_memory;
    broken.put_image = refuse_image;
    store->ops = &broken;
    stop_after_count = 0;
    sync_now(NULL);
    for (int turn = 0; turn < 100 && create_count == 0; turn++) /* one stores nothing more when it took too long */
        controller_tick(controller, clock_now_ms());
    assert_true(create_count > 0);
    store->ops = &store_ops_memory;
    for (int turn = 0; turn < 100 && count == 0; turn++) {
        controller_tick(controller, clock_now_ms());
        assert_true(store->ops->load_images(store, count_image, &count, NULL));
    }
    assert_int_equal(count, 1);
}

static bool refuse_image_slowly(struct store *s, const struct store_image *image, struct error *error)
{
    int64_t until_ms = clock_now_ms() + RECORD_BOOK_TURN_MS;
    while (clock_now_ms() < until_ms)
        ;
    return refuse_image(s, image, error);
}

static void a_store_that_is_slow_to_refuse_holds_up_no_service(void **state)
{
    (void)state;
    static struct config_service both[2];
    static struct config wanted;
    struct store_ops broken = store_ops_memory;
    broken.put_image = refuse_image_slowly;
    store->ops = &broken;
    stop_after_count = 0;
    both[0] = both[1] = service;
    both[1].name = (char *)"api";
    both[1].path = (char *)"/api";
    wanted = config;
    wanted.services = both;
    wanted.service_count = 2;
    sync_now(NULL);
    controller_apply_config(controller, &wanted);
    for (int turn = 0; turn < 100 && create_count < 4; turn++)
        controller_tick(controller, clock_now_ms());
    store->ops = &store_ops_memory;
    assert_int_equal(create_count, 4); /* two of each */
}

static void discovered_services_are_listed_as_not_managed(void **state)
{
    (void)state;
    add_theirs();
    controller_tick(controller, clock_now_ms());
    struct listing listing = { 0 };
    controller_each_service(controller, list_service, &listing);
    assert_int_equal(listing.count, 2);
    assert_int_equal(listing.managed_count, 1);
    assert_int_equal(create_count, 0); /* no full list yet */
}

static void a_task_is_named_by_a_unique_prefix(void **state)
{
    (void)state;
    struct error error;
    add_theirs();
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccc", &error), CONTROLLER_INVALID);
    assert_int_equal(controller_drain_task(controller, "aaaabbbbcccc", &error), CONTROLLER_INVALID);
    assert_non_null(strstr(error.text, "matches 2 tasks"));
    assert_int_equal(controller_drain_task(controller, "ffffffffffffffff", &error), CONTROLLER_NOT_FOUND);
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccd", &error), CONTROLLER_OK);
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccd", &error), CONTROLLER_OK);
    assert_int_equal(task_registry_find(registry, "aaaabbbbccccdddd")->admin, TASK_ADMIN_DRAINING);
    assert_int_equal(task_registry_find(registry, "aaaabbbbccccffff")->admin, TASK_ADMIN_READY);
}

static enum task_admin admin_of(const char *id)
{
    return task_registry_find(registry, id)->admin;
}

static void a_drain_is_ordered_again_after_a_restart(void **state)
{
    (void)state;
    add_theirs();
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccdddd", NULL), CONTROLLER_OK);
    kill_control();
    make_registry();
    start_control();
    add_theirs(); /* the controller is there first: its turn comes with the task */
    assert_int_equal(admin_of("aaaabbbbccccdddd"), TASK_ADMIN_DRAINING);
    assert_int_equal(admin_of("aaaabbbbccccffff"), TASK_ADMIN_READY);
    kill_control();
    make_registry();
    add_theirs(); /* the task is there first */
    start_control();
    assert_int_equal(admin_of("aaaabbbbccccdddd"), TASK_ADMIN_DRAINING);
    assert_int_equal(admin_of("aaaabbbbccccffff"), TASK_ADMIN_READY);
}

static void note_first_admin(void *owner, const char *name)
{
    bool *was_ready = owner;
    const struct task *task = task_registry_find(registry, "aaaabbbbccccdddd");
    *was_ready |= strcmp(name, "theirs") == 0 && task->admin == TASK_ADMIN_READY;
}

/* The third listener is called last: whoever acts later than in the callback sees what it sees. */
static void a_drained_task_is_never_seen_ready_behind_the_controller(void **state)
{
    (void)state;
    bool was_ready = false;
    add_theirs();
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccdddd", NULL), CONTROLLER_OK);
    kill_control();
    make_registry();
    start_control();
    task_registry_set_health_listener(registry, note_first_admin, &was_ready);
    add_theirs();
    assert_false(was_ready);
}

static bool refuse_drain(struct store *s, const struct store_drain *drain, struct error *error)
{
    (void)s;
    (void)drain;
    return error_set(error, "disk full");
}

static void a_drain_that_cannot_be_stored_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct error error;
    struct store_ops broken = store_ops_memory;
    broken.put_drain = refuse_drain;
    add_theirs();
    store->ops = &broken;
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccdddd", &error), CONTROLLER_NOT_DURABLE);
    assert_string_equal(error.text, "disk full");
    assert_int_equal(admin_of("aaaabbbbccccdddd"), TASK_ADMIN_READY);
    store->ops = &store_ops_memory;
    add_theirs();
    assert_int_equal(admin_of("aaaabbbbccccdddd"), TASK_ADMIN_READY);
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccdddd", &error), CONTROLLER_OK);
}

static void count_drain(void *owner, const struct store_drain *drain)
{
    (void)drain;
    ++*(size_t *)owner;
}

static size_t stored_count(void)
{
    size_t count = 0;
    assert_true(store->ops->load_drains(store, count_drain, &count, NULL));
    return count;
}

static void the_order_ends_with_the_task(void **state)
{
    (void)state;
    sync_now(NULL);
    add_theirs();
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccdddd", NULL), CONTROLLER_OK);
    controller_tick(controller, clock_now_ms());
    assert_int_equal(stored_count(), 1);
    task_registry_remove(registry, "aaaabbbbccccdddd");
    controller_tick(controller, clock_now_ms());
    assert_int_equal(stored_count(), 0);
    add_theirs();
    assert_int_equal(admin_of("aaaabbbbccccdddd"), TASK_ADMIN_READY);
}

static void a_task_that_we_drain_ourselves_can_be_ordered_to_as_well(void **state)
{
    (void)state;
    add_theirs();
    task_registry_set_admin(registry, "aaaabbbbccccdddd", TASK_ADMIN_DRAINING);
    assert_int_equal(stored_count(), 0);
    assert_int_equal(controller_drain_task(controller, "aaaabbbbccccdddd", NULL), CONTROLLER_OK);
    assert_int_equal(stored_count(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_acts_within_a_period_of_the_first_full_list),
        TEST(an_order_is_acted_on_before_the_next_period),
        TEST(creations_that_hang_do_not_keep_another_service_from_its_first),
        TEST(a_service_of_a_project_has_a_short_name_while_that_is_unique),
        TEST(nothing_is_stopped_while_the_data_plane_does_not_hear_of_it),
        TEST(a_controller_that_is_held_starts_nothing),
        TEST(a_controller_that_was_held_stores_what_the_configuration_says_meanwhile),
        TEST(an_answer_for_a_service_that_is_gone_is_none_for_another_of_its_name),
        TEST(an_image_that_the_store_refused_is_stored_as_soon_as_it_can_be),
        TEST(a_store_that_is_slow_to_refuse_holds_up_no_service),
        TEST(discovered_services_are_listed_as_not_managed),
        TEST(a_task_is_named_by_a_unique_prefix),
        TEST(a_drain_is_ordered_again_after_a_restart),
        TEST(a_drained_task_is_never_seen_ready_behind_the_controller),
        TEST(a_drain_that_cannot_be_stored_is_refused_and_changes_nothing),
        TEST(the_order_ends_with_the_task),
        TEST(a_task_that_we_drain_ourselves_can_be_ordered_to_as_well),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("controller", tests, NULL, NULL);
}
