#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "daemon/publish/publisher.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A publisher, and the test in the place of the proxy at the other end of its link. The clock is the test's. */
struct bench {
    struct loop *loop;
    struct task_registry *registry;
    uint8_t provider;
    struct publisher *publisher;
    struct config_service service;
    struct config config;
    int proxy; /* -1: no link */
    struct buf received;
    int64_t now_ms;
    size_t asked_for_link;
    bool is_restart;
    bool remembers; /* what an earlier process knew */
    int recalls;
};

static void set_time(struct bench *b, int64_t now_ms)
{
    b->now_ms = now_ms;
    clock_set_fake(now_ms * 1000);
}

static void ask_for_link(void *owner)
{
    struct bench *b = owner;
    b->asked_for_link++;
}

static void recall(void *owner, const char *provider)
{
    struct bench *b = owner;
    struct task earlier = { .probe_health = TASK_HEALTH_UP,
                            .was_healthy = true,
                            .spec = { .id = "a",
                                      .name = "c",
                                      .service = "web",
                                      .address = "10.0.0.1:80",
                                      .weight = 1,
                                      .state = TASK_RUNNING } };
    assert_string_equal(provider, "test");
    b->recalls++;
    if (!b->remembers)
        return;
    task_registry_begin_recall(b->registry, b->provider);
    assert_true(task_registry_recall(b->registry, b->provider, &earlier));
}

static void open_publisher(struct bench *b)
{
    b->publisher = publisher_new(&(struct publisher_parts){ .loop = b->loop,
                                                            .registry = b->registry,
                                                            .bound_listeners = "http",
                                                            .serial_base = 100,
                                                            .is_restart = b->is_restart,
                                                            .recall = recall,
                                                            .ask_for_link = ask_for_link,
                                                            .owner = b });
    publisher_add_provider(b->publisher, b->provider);
    publisher_apply_config(b->publisher, &b->config);
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    set_time(b, 1000000);
    b->loop = loop_new();
    b->registry = task_registry_new();
    b->provider = task_registry_add_provider(b->registry, "test");
    b->service = (struct config_service){ .name = (char *)"web", .host = (char *)"*", .path = (char *)"/" };
    b->service.proxy_protocol = (char *)"off";
    b->config = (struct config){ .services = &b->service,
                                 .service_count = 1,
                                 .proxy = { .balancer = (char *)"p2c",
                                            .desync = (char *)"defensive",
                                            .encoded_slashes = (char *)"pass",
                                            .responses = (char *)"lenient",
                                            .forwarded_for = (char *)"append",
                                            .access_log_format = (char *)"json" } };
    b->proxy = -1;
    open_publisher(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    publisher_free(b->publisher);
    task_registry_free(b->registry);
    loop_free(b->loop);
    if (b->proxy >= 0)
        close(b->proxy);
    buf_fini(&b->received);
    free(b);
    clock_set_fake(-1);
    return 0;
}

static void connect_proxy(struct bench *b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    if (b->proxy >= 0)
        close(b->proxy);
    b->proxy = fds[1];
    buf_clear(&b->received);
    publisher_set_link(b->publisher, fds[0]);
}

static void say(struct bench *b, const char *text)
{
    size_t len = strlen(text);
    unsigned char header[4] = { 0, 0, (unsigned char)(len >> 8), (unsigned char)len };
    assert_int_equal(write(b->proxy, header, 4), 4);
    assert_int_equal(write(b->proxy, text, len), (ssize_t)len);
}

static void say_number(struct bench *b, const char *type, uint64_t serial)
{
    char text[128];
    snprintf(text, sizeof text, "{\"type\":\"%s\",\"workers\":1,\"serial\":%llu}", type, (unsigned long long)serial);
    say(b, text);
}

/* One frame, or null when none has come and the publisher has nothing to do within its coalescing time. */
static json_t *take_frame(struct bench *b)
{
    char piece[4096];
    for (int turn = 0; turn < 3; turn++) {
        struct timeval limit = { .tv_usec = 8000 };
        event_base_loopexit(loop_base(b->loop), &limit);
        event_base_loop(loop_base(b->loop), EVLOOP_NO_EXIT_ON_EMPTY);
        ssize_t got;
        while ((got = recv(b->proxy, piece, sizeof piece, MSG_DONTWAIT)) > 0)
            buf_append(&b->received, piece, (size_t)got);
        const unsigned char *at = (const unsigned char *)b->received.at;
        size_t len = b->received.len < 4 ? 0 : (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        if (b->received.len < 4 || b->received.len < 4 + len)
            continue;
        json_t *frame = json_parse_bounded((struct slice){ b->received.at + 4, len }, &json_limits_default, NULL);
        assert_non_null(frame);
        buf_consume(&b->received, 4 + len);
        return frame;
    }
    return NULL;
}

/* The serial of the next frame, which must be of that type. */
static uint64_t expect_frame(struct bench *b, const char *type)
{
    json_t *frame = take_frame(b);
    int64_t serial = 0;
    assert_non_null(frame);
    assert_string_equal(json_find_string(frame, "type"), type);
    const json_t *holder = json_find_object(frame, "document") ? json_find_object(frame, "document") : frame;
    assert_true(json_find_integer(holder, "serial", &serial));
    json_decref(frame);
    return (uint64_t)serial;
}

static void expect_no_frame(struct bench *b)
{
    json_t *frame = take_frame(b);
    assert_null(frame);
}

static void sync_provider(struct bench *b)
{
    task_registry_begin_sync(b->registry, b->provider);
    task_registry_end_sync(b->registry, b->provider);
}

static void put_task_of(struct bench *b, const char *service, const char *id, enum task_health health)
{
    struct task_spec spec = { .weight = 1, .state = TASK_RUNNING, .name = "c" };
    snprintf(spec.id, sizeof spec.id, "%s", id);
    snprintf(spec.address, sizeof spec.address, "10.0.0.1:80");
    snprintf(spec.service, sizeof spec.service, "%s", service);
    if (strcmp(service, b->service.name) != 0)
        snprintf(spec.host, sizeof spec.host, "%s.test", service);
    assert_true(task_registry_apply(b->registry, b->provider, &spec));
    if (health != TASK_HEALTH_UNKNOWN)
        task_registry_set_probe(b->registry, id, health, "");
}

static void put_task(struct bench *b, const char *id, enum task_health health)
{
    put_task_of(b, "web", id, health);
}

static struct publisher_status status_of(const struct bench *b)
{
    struct publisher_status status;
    publisher_status(b->publisher, &status);
    return status;
}

/* Linked, first snapshot acknowledged, one task in it. */
static uint64_t start_serving(struct bench *b)
{
    sync_provider(b);
    put_task(b, "a", TASK_HEALTH_UP);
    connect_proxy(b);
    say_number(b, "hello", 0);
    uint64_t serial = expect_frame(b, "snapshot");
    say_number(b, "ack", serial);
    expect_no_frame(b);
    return serial;
}

static void a_fresh_proxy_gets_a_snapshot_as_soon_as_the_lists_are_complete(void **state)
{
    struct bench *b = *state;
    connect_proxy(b);
    say_number(b, "hello", 0);
    expect_no_frame(b);
    sync_provider(b);
    assert_true(expect_frame(b, "snapshot") > 0);
}

static void a_fresh_proxy_waits_no_more_than_a_second_for_the_lists(void **state)
{
    struct bench *b = *state;
    connect_proxy(b);
    say_number(b, "hello", 0);
    set_time(b, b->now_ms + 999);
    expect_no_frame(b);
    set_time(b, b->now_ms + 1);
    expect_frame(b, "snapshot");
}

static void nothing_is_sent_before_hello(void **state)
{
    struct bench *b = *state;
    sync_provider(b);
    connect_proxy(b);
    expect_no_frame(b);
}

static void a_proxy_that_serves_keeps_its_snapshot_until_every_task_was_probed(void **state)
{
    struct bench *b = *state;
    connect_proxy(b);
    say_number(b, "hello", 41);
    set_time(b, b->now_ms + 60000); /* without the lists: for ever */
    expect_no_frame(b);
    sync_provider(b);
    put_task(b, "a", TASK_HEALTH_UNKNOWN);
    expect_no_frame(b);
    assert_true(status_of(b).is_holding);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    assert_false(publisher_is_out_of_rotation(b->publisher, "unheard of"));
    task_registry_set_probe(b->registry, "a", TASK_HEALTH_UP, "");
    uint64_t serial = expect_frame(b, "snapshot");
    assert_true(serial > 41);
    assert_false(publisher_is_out_of_rotation(b->publisher, "unheard of"));
    say_number(b, "ack", serial);
    expect_no_frame(b);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    assert_true(publisher_is_out_of_rotation(b->publisher, "unheard of"));
}

static void a_list_that_does_not_come_holds_nobody_up_where_tasks_are_remembered(void **state)
{
    struct bench *b = *state;
    b->remembers = true;
    connect_proxy(b);
    say_number(b, "hello", 41);
    set_time(b, b->now_ms + PUBLISHER_LIST_WAIT_MS - 1);
    expect_no_frame(b);
    assert_int_equal(b->recalls, 0);
    set_time(b, b->now_ms + 1);
    uint64_t serial = expect_frame(b, "snapshot");
    assert_int_equal(b->recalls, 1);
    assert_false(status_of(b).is_holding);
    assert_string_equal(status_of(b).recalled, "test");
    say_number(b, "ack", serial);
    expect_no_frame(b);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    put_task_of(b, "another", "b", TASK_HEALTH_UP); /* what changes meanwhile goes out */
    expect_frame(b, "patch");
    sync_provider(b); /* the list does not name it */
    say_number(b, "ack", expect_frame(b, "patch"));
    assert_string_equal(status_of(b).recalled, "");
    expect_no_frame(b);
    assert_true(publisher_is_out_of_rotation(b->publisher, "a"));
}

static void what_is_remembered_waits_for_no_link(void **state)
{
    struct bench *b = *state;
    publisher_free(b->publisher);
    b->remembers = b->is_restart = true;
    open_publisher(b);
    set_time(b, b->now_ms + PUBLISHER_LIST_WAIT_MS);
    for (int i = 0; i < 1000 && b->recalls == 0; i++)
        event_base_loop(loop_base(b->loop), EVLOOP_ONCE);
    assert_int_equal(b->recalls, 1);
}

static void a_first_start_recalls_nothing(void **state)
{
    struct bench *b = *state;
    b->remembers = true;
    connect_proxy(b);
    say_number(b, "hello", 0);
    set_time(b, b->now_ms + 2000);
    expect_frame(b, "snapshot");
    assert_int_equal(b->recalls, 0);
}

static void probes_are_waited_for_three_seconds_at_most(void **state)
{
    struct bench *b = *state;
    connect_proxy(b);
    say_number(b, "hello", 41);
    sync_provider(b);
    put_task(b, "a", TASK_HEALTH_UNKNOWN);
    expect_no_frame(b);
    set_time(b, b->now_ms + 3000);
    expect_frame(b, "snapshot");
}

static void changes_close_together_make_one_patch(void **state)
{
    struct bench *b = *state;
    uint64_t serial = start_serving(b);
    put_task(b, "b", TASK_HEALTH_UP);
    put_task(b, "c", TASK_HEALTH_UP);
    assert_int_equal(expect_frame(b, "patch"), serial + 1);
    expect_no_frame(b);
}

static void a_task_is_out_of_rotation_when_its_leaving_was_acknowledged(void **state)
{
    struct bench *b = *state;
    start_serving(b);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    task_registry_set_admin(b->registry, "a", TASK_ADMIN_DRAINING);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    uint64_t serial = expect_frame(b, "patch");
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    say_number(b, "ack", serial - 1); /* late, of the frame before */
    expect_no_frame(b);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    say_number(b, "ack", serial);
    expect_no_frame(b);
    assert_true(publisher_is_out_of_rotation(b->publisher, "a"));
}

static void a_refused_patch_is_followed_by_a_snapshot_and_older_answers_do_not_count(void **state)
{
    struct bench *b = *state;
    start_serving(b);
    task_registry_set_admin(b->registry, "a", TASK_ADMIN_DRAINING);
    uint64_t refused = expect_frame(b, "patch");
    put_task(b, "b", TASK_HEALTH_UP);
    uint64_t behind = expect_frame(b, "patch");
    say_number(b, "rejected", refused);
    say_number(b, "ack", behind); /* on top of a content that still had the task */
    uint64_t snapshot = expect_frame(b, "snapshot");
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    say_number(b, "ack", snapshot);
    expect_no_frame(b);
    assert_true(publisher_is_out_of_rotation(b->publisher, "a"));
    assert_int_equal(status_of(b).rejection_count, 1);
}

static void a_snapshot_that_is_refused_again_and_again_is_sent_more_and_more_slowly(void **state)
{
    struct bench *b = *state;
    sync_provider(b);
    connect_proxy(b);
    say_number(b, "hello", 0);
    say_number(b, "rejected", expect_frame(b, "snapshot"));
    say_number(b, "rejected", expect_frame(b, "snapshot")); /* at once */
    expect_no_frame(b);
    set_time(b, b->now_ms + 99);
    expect_no_frame(b);
    put_task(b, "b", TASK_HEALTH_UP); /* a change is no reason to hurry */
    expect_no_frame(b);
    assert_false(status_of(b).is_serving);
}

static void changes_wait_while_too_many_frames_are_unanswered_and_then_come_as_one(void **state)
{
    struct bench *b = *state;
    uint64_t first = start_serving(b), last = 0;
    char id[16];
    for (int i = 0; i < PUBLISHER_UNACKED_MAX; i++) {
        snprintf(id, sizeof id, "t%d", i);
        put_task(b, id, TASK_HEALTH_UP);
        last = expect_frame(b, "patch");
    }
    assert_int_equal(last, first + PUBLISHER_UNACKED_MAX);
    put_task(b, "x", TASK_HEALTH_UP);
    put_task(b, "y", TASK_HEALTH_UP);
    expect_no_frame(b);
    assert_int_equal(status_of(b).oldest_unacked_at_ms, b->now_ms);
    say_number(b, "ack", last);
    assert_int_equal(expect_frame(b, "patch"), last + 1);
    expect_no_frame(b);
}

static void a_restarted_proxy_gets_everything_at_once(void **state)
{
    struct bench *b = *state;
    uint64_t before = start_serving(b);
    connect_proxy(b);
    say_number(b, "hello", 0);
    assert_true(expect_frame(b, "snapshot") > before);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
}

static void a_restarted_proxy_does_not_wait_for_the_back_off_of_the_one_before(void **state)
{
    struct bench *b = *state;
    sync_provider(b);
    connect_proxy(b);
    say_number(b, "hello", 0);
    say_number(b, "rejected", expect_frame(b, "snapshot"));
    say_number(b, "rejected", expect_frame(b, "snapshot"));
    expect_no_frame(b);
    connect_proxy(b);
    say_number(b, "hello", 0);
    expect_frame(b, "snapshot");
}

static void a_restarted_control_gives_a_fresh_proxy_nothing_before_its_tasks_were_probed(void **state)
{
    struct bench *b = *state;
    publisher_free(b->publisher);
    b->is_restart = true;
    open_publisher(b);
    connect_proxy(b);
    say_number(b, "hello", 0);
    expect_no_frame(b);
    sync_provider(b);
    put_task(b, "a", TASK_HEALTH_UNKNOWN);
    expect_no_frame(b);
    task_registry_set_probe(b->registry, "a", TASK_HEALTH_UP, "");
    expect_frame(b, "snapshot");
}

/* Hello of a proxy that serves nothing, to a control that was started again. */
static void restart_both(struct bench *b)
{
    publisher_free(b->publisher);
    b->is_restart = true;
    open_publisher(b);
    connect_proxy(b);
    say_number(b, "hello", 0);
    sync_provider(b);
}

static void while_nothing_serves_a_task_that_hangs_holds_up_nobody_beside_a_healthy_one(void **state)
{
    struct bench *b = *state;
    restart_both(b);
    put_task(b, "hangs", TASK_HEALTH_UNKNOWN);
    put_task(b, "good", TASK_HEALTH_UNKNOWN);
    expect_no_frame(b);
    task_registry_set_probe(b->registry, "good", TASK_HEALTH_UP, "");
    expect_frame(b, "snapshot");
}

static void while_nothing_serves_a_service_that_hangs_holds_up_the_others_for_800_ms(void **state)
{
    struct bench *b = *state;
    restart_both(b);
    put_task_of(b, "other", "hangs", TASK_HEALTH_UNKNOWN);
    put_task(b, "good", TASK_HEALTH_UP);
    expect_no_frame(b);
    set_time(b, b->now_ms + 799);
    expect_no_frame(b);
    set_time(b, b->now_ms + 1);
    expect_frame(b, "snapshot");
}

static void where_no_service_could_be_served_probes_are_waited_for_three_seconds(void **state)
{
    struct bench *b = *state;
    restart_both(b);
    put_task(b, "hangs", TASK_HEALTH_UNKNOWN);
    put_task_of(b, "other", "down", TASK_HEALTH_DOWN);
    set_time(b, b->now_ms + 2999);
    expect_no_frame(b);
    set_time(b, b->now_ms + 1);
    expect_frame(b, "snapshot");
}

static void a_new_link_to_the_same_proxy_keeps_what_is_known(void **state)
{
    struct bench *b = *state;
    uint64_t serial = start_serving(b);
    connect_proxy(b);
    assert_true(publisher_is_out_of_rotation(b->publisher, "unheard of"));
    say_number(b, "hello", serial);
    uint64_t next = expect_frame(b, "snapshot");
    assert_true(next > serial);
    assert_false(publisher_is_out_of_rotation(b->publisher, "a"));
    assert_true(publisher_is_out_of_rotation(b->publisher, "unheard of"));
}

static void an_answer_to_an_earlier_control_is_not_taken_for_ours(void **state)
{
    struct bench *b = *state;
    sync_provider(b);
    connect_proxy(b);
    say_number(b, "hello", 7);
    uint64_t serial = expect_frame(b, "snapshot");
    for (uint64_t late = 7; late < serial; late++)
        say_number(b, "ack", late);
    say_number(b, "ack", serial + 1);
    expect_no_frame(b);
    assert_int_equal(status_of(b).acked_serial, 0);
    assert_int_equal(status_of(b).oldest_unacked_at_ms, b->now_ms);
}

static void a_frame_against_the_protocol_ends_the_link(void **state)
{
    struct bench *b = *state;
    static const char *const bad[] = { "7",
                                       "{}",
                                       "{\"type\":\"ack\",\"serial\":1}",
                                       "{\"type\":\"hello\"}",
                                       "{\"type\":\"hello\",\"serial\":-1}",
                                       "{\"type\":\"hello\",\"serial\":101}",
                                       "{\"type\":\"hello\",\"serial\":9007199254740992}",
                                       "{\"type\":\"hello\",\"serial\":9223372036854775807}",
                                       "{\"type\":\"snapshot\",\"serial\":1}",
                                       "not JSON" };
    char byte;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        connect_proxy(b);
        say(b, bad[i]);
        expect_no_frame(b);
        assert_int_equal(recv(b->proxy, &byte, 1, MSG_DONTWAIT), 0);
        assert_false(status_of(b).is_linked);
    }
}

static void a_route_is_forgotten_a_minute_after_its_last_task(void **state)
{
    struct bench *b = *state;
    struct task_spec spec = { .weight = 1, .state = TASK_RUNNING, .service = "label", .name = "c", .id = "l" };
    start_serving(b);
    snprintf(spec.host, sizeof spec.host, "a.test");
    assert_true(task_registry_apply(b->registry, b->provider, &spec));
    say_number(b, "ack", expect_frame(b, "patch"));
    task_registry_remove(b->registry, "l");
    expect_no_frame(b);
    assert_int_equal(status_of(b).route_count, 2);
    set_time(b, b->now_ms + ROUTE_BOOK_IDLE_MS);
    put_task(b, "b", TASK_HEALTH_UNKNOWN); /* the timer is real: a change comes first here */
    expect_frame(b, "patch");
    assert_int_equal(status_of(b).route_count, 1);
}

/* One that was taken over has said the largest number there is, again and again; then an honest one is started. */
static void a_proxy_that_lied_about_its_serial_leaves_nothing_behind(void **state)
{
    struct bench *b = *state;
    sync_provider(b);
    for (int i = 0; i < 20; i++) {
        connect_proxy(b);
        say_number(b, "hello", (UINT64_C(1) << 53) - 1000000);
        expect_no_frame(b);
    }
    connect_proxy(b);
    say_number(b, "hello", 0);
    uint64_t serial = expect_frame(b, "snapshot");
    assert_in_range(serial, 101, 1000);
    say_number(b, "ack", serial);
    expect_no_frame(b);
    assert_int_equal(status_of(b).acked_serial, serial);
}

static void each_life_of_control_begins_above_all_serials_of_those_before(void **state)
{
    static const uint64_t lives[] = { 0, 1, 2, 1000, UINT64_C(1) << 20, PUBLISHER_LIVES_MAX - 2 };
    (void)state;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
        assert_int_equal(publisher_serial_base(lives[i] + 1) - publisher_serial_base(lives[i]), UINT64_C(1) << 32);
    /* and the last one is within what a document may say (proxy/snapshot/snapshot_document.md) */
    assert_true(publisher_serial_base(UINT64_MAX) + (UINT64_C(1) << 32) <= UINT64_C(1) << 62);
}

static void a_frame_longer_than_any_answer_ends_the_link(void **state)
{
    struct bench *b = *state;
    char byte;
    connect_proxy(b);
    assert_int_equal(write(b->proxy, "\0\1\0\1", 4), 4); /* 64 KiB and a byte are to come */
    expect_no_frame(b);
    assert_int_equal(recv(b->proxy, &byte, 1, MSG_DONTWAIT), 0);
    assert_false(status_of(b).is_linked);
}

static void a_broken_link_is_asked_for_again(void **state)
{
    struct bench *b = *state;
    start_serving(b);
    close(b->proxy);
    b->proxy = -1;
    while (b->asked_for_link == 0)
        event_base_loop(loop_base(b->loop), EVLOOP_ONCE);
    assert_false(status_of(b).is_linked);
    assert_true(status_of(b).is_serving);
    assert_int_equal(status_of(b).unlinked_at_ms, b->now_ms);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_proxy_gets_a_snapshot_as_soon_as_the_lists_are_complete),
        TEST(a_fresh_proxy_waits_no_more_than_a_second_for_the_lists),
        TEST(nothing_is_sent_before_hello),
        TEST(a_proxy_that_serves_keeps_its_snapshot_until_every_task_was_probed),
        TEST(a_list_that_does_not_come_holds_nobody_up_where_tasks_are_remembered),
        TEST(what_is_remembered_waits_for_no_link),
        TEST(a_first_start_recalls_nothing),
        TEST(probes_are_waited_for_three_seconds_at_most),
        TEST(changes_close_together_make_one_patch),
        TEST(a_task_is_out_of_rotation_when_its_leaving_was_acknowledged),
        TEST(a_refused_patch_is_followed_by_a_snapshot_and_older_answers_do_not_count),
        TEST(a_snapshot_that_is_refused_again_and_again_is_sent_more_and_more_slowly),
        TEST(changes_wait_while_too_many_frames_are_unanswered_and_then_come_as_one),
        TEST(a_restarted_proxy_gets_everything_at_once),
        TEST(a_restarted_control_gives_a_fresh_proxy_nothing_before_its_tasks_were_probed),
        TEST(while_nothing_serves_a_task_that_hangs_holds_up_nobody_beside_a_healthy_one),
        TEST(while_nothing_serves_a_service_that_hangs_holds_up_the_others_for_800_ms),
        TEST(where_no_service_could_be_served_probes_are_waited_for_three_seconds),
        TEST(a_restarted_proxy_does_not_wait_for_the_back_off_of_the_one_before),
        TEST(a_new_link_to_the_same_proxy_keeps_what_is_known),
        TEST(an_answer_to_an_earlier_control_is_not_taken_for_ours),
        TEST(a_frame_against_the_protocol_ends_the_link),
        TEST(a_route_is_forgotten_a_minute_after_its_last_task),
        TEST(a_proxy_that_lied_about_its_serial_leaves_nothing_behind),
        TEST(each_life_of_control_begins_above_all_serials_of_those_before),
        TEST(a_frame_longer_than_any_answer_ends_the_link),
        TEST(a_broken_link_is_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
