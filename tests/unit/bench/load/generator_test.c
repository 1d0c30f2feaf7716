/* The generator on a clock that stands still while anything computes, against a server whose delays are known to the
 * microsecond: what it reports is compared with what happened, without the noise of a machine. The loop, the sockets and
 * what lanes read and write are real; connecting, sending and waiting are the test's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/generator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "bench/backend/alarms.h"
#include "bench/backend/delay.h"
#include "bench/load/run.h"

#define SECOND_US 1000000
#define START_US (3 * SECOND_US)
#define DESCRIPTORS 2048

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct connection {
    struct alarm answered; /* set while a request is served */
    int64_t received_us;
    int server_fd; /* 0: none */
};

static struct world {
    bool moves; /* the clock; not while connections are made */
    int64_t now_us, timer_us;
    struct delay delay;
    struct delay_source draws;
    int64_t stall_us, stall_end_us;   /* of the server: what is due in between is answered at its end */
    int64_t freeze_us, freeze_end_us; /* of the generator: it is not woken in between */
    struct alarms answers;
    struct connection connections[DESCRIPTORS]; /* by the generator's descriptor */
    struct hdr held;                            /* how long each answer was waited for, as the server knows */
} world;

/* ---- what the generator calls instead of the system */

int __real_event_base_loop(struct event_base *base, int flags);
int __wrap_event_base_loop(struct event_base *base, int flags);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
ssize_t __wrap_send(int fd, const void *at, size_t len, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old);

int __wrap_socket(int domain, int type, int protocol)
{
    int pair[2];
    (void)domain;
    (void)protocol;
    assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
    assert_true(pair[0] < DESCRIPTORS);
    world.connections[pair[0]].server_fd = pair[1];
    return pair[0];
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)fd;
    (void)address;
    (void)len;
    return 0;
}

ssize_t __wrap_send(int fd, const void *at, size_t len, int flags)
{
    struct connection *c = &world.connections[fd];
    int64_t due_us = world.now_us + delay_draw_us(&world.delay, &world.draws);
    (void)at;
    (void)flags;
    assert_int_equal(c->answered.place, 0);
    c->received_us = world.now_us;
    alarms_set(&world.answers, &c->answered,
               due_us >= world.stall_us && due_us < world.stall_end_us ? world.stall_end_us : due_us);
    return (ssize_t)len;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    (void)fd;
    (void)flags;
    (void)old;
    world.timer_us = when->it_value.tv_sec * SECOND_US + when->it_value.tv_nsec / 1000;
    return 0;
}

static void move_clock(void)
{
    const struct alarm *next = alarms_first(&world.answers);
    int64_t wake_us = next && next->due_us < world.timer_us ? next->due_us : world.timer_us;
    if (wake_us >= world.freeze_us && wake_us < world.freeze_end_us)
        wake_us = world.freeze_end_us;
    if (wake_us > world.now_us)
        world.now_us = wake_us;
    clock_set_fake(world.now_us);
}

static void answer_due(void)
{
    struct alarm *next;
    while ((next = alarms_first(&world.answers)) && next->due_us <= world.now_us) {
        struct connection *c = (struct connection *)next; /* its first field */
        alarms_unset(&world.answers, next);
        hdr_add(&world.held, world.now_us - c->received_us);
        assert_int_equal(write(c->server_fd, ANSWER, sizeof ANSWER - 1), sizeof ANSWER - 1);
    }
}

int __wrap_event_base_loop(struct event_base *base, int flags)
{
    if (world.moves && !(flags & EVLOOP_NONBLOCK))
        move_clock();
    answer_due();
    return __real_event_base_loop(base, EVLOOP_NONBLOCK);
}

/* ---- one run */

struct measured {
    struct options options;
    struct run run;
    struct generator *generator;
    const struct tally *tally;
};

static void build_world(const char *delay_name, const char *delay)
{
    clock_set_fake(0);
    world = (struct world){ .stall_us = INT64_MAX, .freeze_us = INT64_MAX };
    delay_source_init(&world.draws, 7);
    for (size_t i = 0; i < DELAY_NAME_COUNT; i++)
        if (strcmp(delay_names[i].query, delay_name) == 0)
            assert_true(delay_parse(&world.delay, &delay_names[i], delay, strlen(delay)));
}

#define measure(m, ...) \
    measure_arguments((m), (const char *[]){ "portico-bench", __VA_ARGS__, "http://127.0.0.1:80/", NULL })

static void measure_arguments(struct measured *m, const char **arguments)
{
    struct error error;
    int count = 0;
    while (arguments[count])
        count++;
    *m = (struct measured){ 0 };
    assert_true(options_parse(&m->options, count, (char **)arguments, &error));
    assert_true(run_prepare(&m->run, &m->options, &error));
    const struct generator_setup setup = { .options = &m->options,
                                           .plan = &m->run.plan,
                                           .address = &m->run.address,
                                           .request = { m->run.request.at, m->run.request.len },
                                           .series = m->run.series,
                                           .stop_flag = &m->run.stop_flag };
    m->generator = generator_new(&setup);
    generator_connect(m->generator);
    world.moves = true;
    generator_run(m->generator, START_US);
    m->tally = generator_tally(m->generator);
}

static void forget(struct measured *m)
{
    generator_free(m->generator);
    run_fini(&m->run);
    for (size_t i = 0; i < DESCRIPTORS; i++)
        if (world.connections[i].server_fd > 0)
            close(world.connections[i].server_fd);
    free(world.answers.at);
    clock_set_fake(-1);
}

/* How many took longer than from_us and at most to_us. */
static uint64_t count_between(const struct hdr *h, int64_t from_us, int64_t to_us)
{
    uint64_t count = 0;
    for (uint32_t i = h->bucket_first; i < h->bucket_end; i++)
        if (hdr_bucket_upper_us(i) > from_us && hdr_bucket_upper_us(i) <= to_us)
            count += h->buckets[i];
    return count;
}

static void assert_near(int64_t found_us, double truth_us)
{
    if (fabs((double)found_us - truth_us) > truth_us * 0.02 + 50)
        fail_msg("%lld us, not %.0f", (long long)found_us, truth_us);
}

/* ---- */

static void latencies_are_those_that_the_server_has(void **state)
{
    (void)state;
    static const struct {
        const char *name, *delay;
        double p50_us, p99_us;
    } delays[] = { { "delay_ms", "20", 20000, 20000 },
                   { "delay_us", "7500", 7500, 7500 },
                   { "delay_exp_ms", "20", 20000 * M_LN2, 20000 * 2 * M_LN10 },
                   { "delay_bimodal", "5,100,0.1", 5000, 100000 } };
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        struct measured m;
        build_world(delays[i].name, delays[i].delay);
        measure(&m, "--rate", "1000", "--connections", "256", "--duration", "6s");
        assert_int_equal(m.tally->ok, 6000);
        const struct hdr *both[] = { &m.tally->from_sent, &m.tally->from_intended };
        for (size_t k = 0; k < 2; k++) {
            assert_near(hdr_quantile_us(both[k], 0.5), delays[i].p50_us);
            assert_near(hdr_quantile_us(both[k], 0.99), delays[i].p99_us);
            assert_memory_equal(both[k], &world.held, sizeof world.held); /* each one, to the microsecond */
        }
        assert_int_equal(m.tally->lateness.max_us, 0);
        forget(&m);
    }
}

static void it_is_awake_in_the_microsecond_in_which_a_request_is_due(void **state)
{
    (void)state;
    struct measured m;
    build_world("delay_us", "7500");
    measure(&m, "--rate", "1300", "--duration", "1s"); /* of which hardly one is due in a whole millisecond */
    assert_int_equal(m.tally->ok, 1300);
    assert_int_equal(m.tally->lateness.count, 1300);
    assert_int_equal(m.tally->lateness.max_us, 0);
    assert_int_equal(m.tally->from_intended.max_us, 7500);
    forget(&m);
}

static void a_stall_of_one_second_is_seen_by_all_who_would_have_come(void **state)
{
    (void)state;
    struct measured m;
    build_world("delay_us", "100");
    world.stall_us = START_US + 2500000;
    world.stall_end_us = world.stall_us + SECOND_US;
    measure(&m, "--rate", "1000", "--duration", "10s");
    const struct hdr *latency = &m.tally->from_intended;
    uint64_t slow = count_between(latency, 20000, INT64_MAX);
    assert_int_equal(m.tally->ok, 10000);
    assert_in_range(slow, 975, 985); /* all that were due until 20 ms before its end */
    for (int tenth = 0; tenth < 10; tenth++) {
        int64_t from_us = tenth == 0 ? 20000 : tenth * 100000;
        /* The last one: what waited longest also waited for the answers to others. */
        int64_t to_us = tenth < 9 ? (tenth + 1) * 100000 : 1100000;
        assert_in_range(count_between(latency, from_us, to_us), 0.075 * (double)slow, 0.125 * (double)slow);
    }
    /* Only those on their way were slow since they were sent. */
    assert_in_range(count_between(&m.tally->from_sent, 100000, INT64_MAX), 1, 64);
    forget(&m);
}

static void a_closed_loop_hides_the_stall(void **state)
{
    (void)state;
    struct measured m;
    build_world("delay_ms", "5");
    world.stall_us = START_US + 1500000;
    world.stall_end_us = world.stall_us + SECOND_US;
    measure(&m, "--closed", "--connections", "64", "--duration", "5s");
    assert_int_equal(count_between(&m.tally->from_sent, 500000, INT64_MAX), 64); /* of each connection one */
    assert_true(m.tally->ok > 50000);
    assert_int_equal(m.tally->from_intended.count, 0);
    assert_int_equal(m.tally->lateness.count, 0);
    forget(&m);
}

static void what_the_generator_itself_was_late_is_lateness_and_latency(void **state)
{
    (void)state;
    struct measured m;
    build_world("delay_us", "100");
    world.freeze_us = START_US + 1500000;
    world.freeze_end_us = world.freeze_us + 500000;
    measure(&m, "--rate", "250", "--duration", "4s");
    assert_int_equal(m.tally->scheduled, 1000); /* late, but none left out */
    assert_int_equal(m.tally->ok, 1000);
    assert_int_equal(m.tally->lateness.max_us, 500000);
    assert_int_equal(count_between(&m.tally->lateness, 0, INT64_MAX), 125);
    assert_int_equal(m.tally->from_intended.max_us, 500100);
    assert_int_equal(m.tally->from_sent.max_us, 100);
    forget(&m);
}

static void waiting_for_a_connection_is_part_of_the_latency_since_due_alone(void **state)
{
    (void)state;
    struct measured m;
    build_world("delay_ms", "30");
    measure(&m, "--rate", "100", "--requests", "50", "--connections", "1");
    assert_int_equal(m.tally->from_sent.min_us, 30000);
    assert_int_equal(m.tally->from_sent.max_us, 30000);
    assert_int_equal(m.tally->from_intended.max_us, 50 * 30000 - 49 * 10000);
    assert_int_equal(m.tally->lateness.max_us, 0); /* it looked at each in time */
    forget(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_are_those_that_the_server_has),
        cmocka_unit_test(it_is_awake_in_the_microsecond_in_which_a_request_is_due),
        cmocka_unit_test(a_stall_of_one_second_is_seen_by_all_who_would_have_come),
        cmocka_unit_test(a_closed_loop_hides_the_stall),
        cmocka_unit_test(what_the_generator_itself_was_late_is_lateness_and_latency),
        cmocka_unit_test(waiting_for_a_connection_is_part_of_the_latency_since_due_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
