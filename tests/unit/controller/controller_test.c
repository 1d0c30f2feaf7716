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
#include "controller/runtime/runtime.h"

static struct loop *loop;
static struct task_registry *registry;
static struct controller *controller;
static uint8_t provider;
static size_t create_count;
static size_t stop_after_count;

static void count_create(struct runtime *runtime, const struct task_order *order, runtime_start_cb done, void *owner)
{
    (void)runtime;
    (void)order;
    (void)done;
    (void)owner;
    if (++create_count == stop_after_count)
        loop_stop(loop);
}

static void abandon(struct runtime *runtime)
{
    (void)runtime;
}

static const struct runtime_ops runtime_ops = { .name = "count", .create_and_start = count_create, .abandon = abandon };
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

static const struct data_plane_ops data_plane_ops = { no_service, no_endpoint, not_out, not_fresh };
static struct config_service service = {
    .name = (char *)"web", .host = (char *)"*", .path = (char *)"/", .image = (char *)"web:1", .desired_count = 2
};
static const struct config config = { .cluster = (char *)"test", .services = &service, .service_count = 1 };

static int set_up(void **state)
{
    (void)state;
    create_count = 0;
    stop_after_count = 2;
    loop = loop_new();
    registry = task_registry_new();
    provider = task_registry_add_provider(registry, "test");
    struct controller_parts parts = {
        .loop = loop,
        .registry = registry,
        .runtime_provider = provider,
        .runtime = &runtime,
        .data_plane = { .ops = &data_plane_ops },
    };
    controller = controller_new(&parts);
    controller_apply_config(controller, &config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    controller_free(controller);
    task_registry_free(registry);
    loop_free(loop);
    return 0;
}

static void sync_now(void *owner)
{
    (void)owner;
    task_registry_begin_sync(registry, provider);
    task_registry_end_sync(registry, provider);
}

static void it_acts_within_a_period_of_the_first_full_list(void **state)
{
    (void)state;
    struct timer timer;
    timer_init(&timer, loop, sync_now, NULL);
    timer_start(&timer, 20);
    controller_start(controller);
    int64_t begun_ms = clock_now_ms();
    loop_run(loop);
    assert_int_equal(create_count, 2);
    assert_true(clock_now_ms() - begun_ms < 2000);
    timer_stop(&timer);
}

static void order_another(void *owner)
{
    (void)owner;
    struct service_patch patch = { .desired_count = 3, .min = -1, .max = -1 };
    assert_int_equal(controller_patch_service(controller, "web", &patch, NULL), CONTROLLER_OK);
}

static void an_order_is_acted_on_before_the_next_period(void **state)
{
    (void)state;
    sync_now(NULL);
    controller_start(controller);
    loop_run(loop);
    struct timer timer;
    timer_init(&timer, loop, order_another, NULL);
    timer_start(&timer, 1);
    stop_after_count = 3;
    int64_t begun_ms = clock_now_ms();
    loop_run(loop);
    assert_int_equal(create_count, 3);
    assert_true(clock_now_ms() - begun_ms < 240);
    timer_stop(&timer);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_acts_within_a_period_of_the_first_full_list),
        TEST(an_order_is_acted_on_before_the_next_period),
        TEST(discovered_services_are_listed_as_not_managed),
        TEST(a_task_is_named_by_a_unique_prefix),
    };
    log_init("test", LOG_LEVEL_ERROR);
    return cmocka_run_group_tests_name("controller", tests, NULL, NULL);
}
