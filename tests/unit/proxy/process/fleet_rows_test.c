#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Requests that outlive the snapshots by which they were routed: two workers, whose rows the main thread keeps and calls in. */
#include "base/clock.h"
#include "proxy/stats.h"
#include "tests/unit/proxy/process/fleet_bench.h"

#include <errno.h>

#define GENERATIONS 18          /* more than the table of endpoints has room for, if each were kept whole */
#define TUNNELS_EACH 8          /* on each generation's endpoint; both workers get some */
#define OTHER_ENDPOINTS 1000    /* of each, all different */
#define FEW_OTHERS 100          /* of generations that are to find few free rows */
#define KEPT_ROWS 3             /* that these leave to endpoints of the past */
#define GENERATION_BYTES 100000 /* of text */

/* One endpoint of "ws" on that port, and many others, all new. False: refused, *error says why. */
static bool serve_generation(struct bench *b, int port, int generation, int others, struct error *error)
{
    char *services = mem_alloc(GENERATION_BYTES);
    size_t len = (size_t)snprintf(services, GENERATION_BYTES,
                                  "[{\"name\":\"ws\",\"endpoints\":[{\"id\":\"%d\",\"address\":\"127.0.0.1:%d\"}]},"
                                  "{\"name\":\"web\",\"endpoints\":[",
                                  generation, port);
    for (int i = 0; i < others; i++)
        len += (size_t)snprintf(services + len, GENERATION_BYTES - len,
                                "%s{\"id\":\"%d-%d\",\"address\":\"127.0.0.1:1\"}", i ? "," : "", generation, i);
    snprintf(services + len, GENERATION_BYTES - len, "]}]");
    bool ok = publish(b, services, "[{\"host\":\"*\",\"path\":\"/\",\"service\":\"ws\"}]", error);
    free(services);
    if (ok)
        wait_until_taken(b);
    return ok;
}

static int accept_patiently(int listen_fd)
{
    struct timeval patience = { .tv_sec = ANSWER_SECONDS_MAX };
    struct pollfd listener = { .fd = listen_fd, .events = POLLIN };
    assert_int_equal(poll(&listener, 1, ANSWER_SECONDS_MAX * 1000), 1);
    int fd = accept(listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return fd;
}

static void read_head(int fd)
{
    char head[4096];
    size_t len = 0;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        assert_true(len < sizeof head);
        assert_int_equal(recv(fd, head + len, 1, 0), 1);
        len++;
    }
}

static void check_carries(int from, int to, char byte)
{
    char got = 0;
    assert_int_equal(send(from, &byte, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(to, &got, 1, 0), 1);
    assert_int_equal(got, byte);
}

struct tunnel {
    int client, upstream;
};

static struct tunnel open_tunnel(struct bench *b, int listen_fd)
{
    struct tunnel tunnel = { .client = client_connect(b) };
    client_send(tunnel.client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    tunnel.upstream = accept_patiently(listen_fd);
    read_head(tunnel.upstream);
    client_send(tunnel.upstream, "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    read_head(tunnel.client);
    return tunnel;
}

static void tunnels_never_hold_up_new_endpoints(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    struct tunnel tunnels[GENERATIONS];
    int port = 0, listen_fd = loopback_listen(&port), count = 0;
    while (count < GENERATIONS && serve_generation(b, port, count, OTHER_ENDPOINTS, &error)) {
        tunnels[count] = open_tunnel(b, listen_fd);
        count++;
    }
    for (int i = 0; i < count; i++) {
        check_carries(tunnels[i].client, tunnels[i].upstream, 'a');
        check_carries(tunnels[i].upstream, tunnels[i].client, 'b');
        close(tunnels[i].client);
        assert_closed(tunnels[i].upstream);
    }
    close(listen_fd);
    assert_string_equal(error.text, "");
    assert_int_equal(count, GENERATIONS);
}

static uint64_t tunnels_on(struct bench *b, int generation)
{
    struct endpoint_stats sum;
    char id[8];
    snprintf(id, sizeof id, "%d", generation);
    assert_true(stats_read_endpoint(b->stats, id, &sum));
    assert_int_equal(sum.tunnels, sum.in_flight);
    return sum.tunnels;
}

/* However long ago it left, whichever worker has them: a container that drains is waited for by this number. Ended, the
 * workers give all back: else the builder of snapshots would not be empty, which it checks. */
static void tunnels_are_counted_where_they_were_opened_until_the_workers_are_ended(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    struct tunnel tunnels[GENERATIONS][TUNNELS_EACH];
    int port = 0, listen_fd = loopback_listen(&port);
    for (int g = 0; g < GENERATIONS; g++) {
        assert_true(serve_generation(b, port, g, OTHER_ENDPOINTS, &error));
        for (int i = 0; i < TUNNELS_EACH; i++)
            tunnels[g][i] = open_tunnel(b, listen_fd);
    }
    serve(b, b->a.port, 0); /* "ws" has gone too */
    for (int g = 0; g < GENERATIONS; g++) {
        assert_int_equal(tunnels_on(b, g), TUNNELS_EACH);
        close(tunnels[g][0].client);
        assert_closed(tunnels[g][0].upstream);
    }
    fleet_end(b->fleet);
    while (!b->has_stopped)
        loop_run(b->loop);
    for (int g = 0; g < GENERATIONS; g++) {
        assert_int_equal(tunnels_on(b, g), 0);
        for (int i = 1; i < TUNNELS_EACH; i++) {
            assert_closed(tunnels[g][i].client);
            close(tunnels[g][i].upstream);
        }
    }
    close(listen_fd);
}

/* Others have the rest; what the present generation has is not among these. */
static void leave_rows_for(struct bench *b, uint32_t kept)
{
    char id[16];
    for (int i = 0; stats_free_endpoints(b->stats) > LIMIT_ENDPOINT_ROWS_LEFT_FREE + kept; i++) {
        snprintf(id, sizeof id, "x%d", i);
        assert_int_not_equal(stats_claim_endpoint(b->stats, id, "-"), STATS_SLOT_NONE);
    }
}

static uint64_t broken_off(struct bench *b)
{
    struct worker_stats totals;
    stats_read_worker_totals(b->stats, &totals);
    return totals.requests_without_row;
}

static void check_ended(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    close(fd);
}

static void wait_until_broken_off(struct bench *b, uint64_t count)
{
    int64_t until_ms = clock_now_ms() + ANSWER_SECONDS_MAX * 1000;
    while (broken_off(b) < count) {
        assert_true(clock_now_ms() < until_ms);
        event_base_loop(loop_base(b->loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
        poll(NULL, 0, 1); /* the workers need the processor */
    }
}

/* Every change is taken at once, and each number is right whatever has to go: nothing counts where it does not belong. */
static void what_left_longest_ago_makes_room_when_few_rows_are_free(void **state)
{
    struct bench *b = *state;
    struct error error = { "" };
    struct tunnel tunnels[GENERATIONS][TUNNELS_EACH];
    int port = 0, listen_fd = loopback_listen(&port), last_gone = GENERATIONS - KEPT_ROWS - 1;
    for (int g = 0; g < GENERATIONS; g++) {
        if (!serve_generation(b, port, g, FEW_OTHERS, &error))
            fail_msg("%d: %s", g, error.text);
        for (int i = 0; i < TUNNELS_EACH; i++)
            tunnels[g][i] = open_tunnel(b, listen_fd);
        if (g == 0)
            leave_rows_for(b, KEPT_ROWS);
    }
    wait_until_broken_off(b, (uint64_t)last_gone * TUNNELS_EACH);
    for (int g = 0; g < GENERATIONS; g++) {
        for (int i = 0; i < TUNNELS_EACH; i++) {
            if (g >= last_gone) {
                check_carries(tunnels[g][i].client, tunnels[g][i].upstream, 'a');
                continue;
            }
            check_ended(tunnels[g][i].client);
            check_ended(tunnels[g][i].upstream); /* behind that it counts no more */
        }
        assert_int_equal(tunnels_on(b, g), g < last_gone ? 0 : TUNNELS_EACH);
    }
    assert_int_equal(broken_off(b), last_gone * TUNNELS_EACH);
    for (int g = last_gone; g < GENERATIONS; g++) {
        for (int i = 0; i < TUNNELS_EACH; i++) {
            close(tunnels[g][i].client);
            assert_closed(tunnels[g][i].upstream);
        }
    }
    close(listen_fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tunnels_never_hold_up_new_endpoints),
        TEST(tunnels_are_counted_where_they_were_opened_until_the_workers_are_ended),
        TEST(what_left_longest_ago_makes_room_when_few_rows_are_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
