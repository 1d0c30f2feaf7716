#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/health/checker.h"
#include "tests/unit/base/scripted_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

struct bench {
    struct loop *loop;
    struct http_client *http;
    struct task_registry *registry;
    struct health_checker *checker;
    struct scripted_server server;
    uint8_t provider;
    const char *reply; /* null: silence */
    char head[512];
    enum task_health wanted;
    const char *wanted_id;
    uint64_t wanted_passes;
};

#define BLACK_HOLE_FILLERS 8

static void on_request(void *owner, struct scripted_conn *conn, const char *head, const char *body)
{
    struct bench *b = owner;
    (void)body;
    snprintf(b->head, sizeof b->head, "%s", head);
    if (b->reply)
        scripted_send_text(conn, b->reply);
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    b->loop = loop_new();
    b->http = http_client_new(b->loop, 256);
    b->registry = task_registry_new();
    b->provider = task_registry_add_provider(b->registry, "test");
    scripted_server_start_tcp(&b->server, b->loop, on_request, b);
    b->checker = health_checker_new(b->loop, b->http, b->registry);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    health_checker_free(b->checker);
    http_client_free(b->http);
    task_registry_free(b->registry);
    scripted_server_stop(&b->server);
    loop_free(b->loop);
    free(b);
    return 0;
}

static void apply(struct bench *b, const char *id, const char *service, enum task_state state)
{
    struct task_spec spec = { .weight = 1, .state = state };
    snprintf(spec.id, sizeof spec.id, "%s", id);
    snprintf(spec.name, sizeof spec.name, "%s", id);
    snprintf(spec.service, sizeof spec.service, "%s", service);
    if (state == TASK_RUNNING)
        snprintf(spec.address, sizeof spec.address, "127.0.0.1:%u", b->server.port);
    task_registry_apply(b->registry, b->provider, &spec);
}

static bool has_another_health(void *owner)
{
    struct bench *b = owner;
    return task_registry_find(b->registry, b->wanted_id)->probe_health != b->wanted;
}

static void wait_for(struct bench *b, const char *id, enum task_health health)
{
    b->wanted_id = id;
    b->wanted = health;
    scripted_run_while(b->loop, has_another_health, b);
}

static struct health_checker_status status_of(struct bench *b)
{
    struct health_checker_status status;
    health_checker_status(b->checker, &status);
    return status;
}

static bool has_fewer_passes(void *owner)
{
    struct bench *b = owner;
    return status_of(b).outcomes[CHECK_PASSED] < b->wanted_passes;
}

static void configure_with(struct bench *b, const char *path, int64_t interval_ms, int64_t unhealthy_threshold,
                           bool sends_proxy_header)
{
    char copy[64] = "";
    snprintf(copy, sizeof copy, "%s", path ? path : "");
    health_checker_configure(b->checker, "web",
                             &(struct config_health_check){ .path = path ? copy : NULL,
                                                            .interval_ms = interval_ms,
                                                            .timeout_ms = 1000,
                                                            .healthy_threshold = 1,
                                                            .unhealthy_threshold = unhealthy_threshold },
                             sends_proxy_header);
}

static void configure(struct bench *b, const char *path, int64_t interval_ms, int64_t unhealthy_threshold)
{
    configure_with(b, path, interval_ms, unhealthy_threshold, false);
}

static void a_task_that_accepts_is_up_at_once(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_PENDING);
    assert_int_equal(status_of(b).watched_count, 0);
    apply(b, "a", "web", TASK_RUNNING);
    assert_int_equal(status_of(b).watched_count, 1);
    wait_for(b, "a", TASK_HEALTH_UP);
    assert_true(task_is_routable(task_registry_find(b->registry, "a")));
    assert_non_null(strstr(task_registry_find(b->registry, "a")->probe_words, "connected in "));
    assert_int_equal(status_of(b).outcomes[CHECK_PASSED], 1);
    assert_int_equal(b->server.request_count, 0);
}

static void a_path_is_asked_for_and_the_status_counts(void **state)
{
    struct bench *b = *state;
    configure(b, "/health?x=1", 50, 2);
    b->reply = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";
    apply(b, "a", "web", TASK_RUNNING);
    wait_for(b, "a", TASK_HEALTH_DOWN);
    assert_non_null(strstr(b->head, "GET /health?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(b->head, "Connection: close\r\n"));
    assert_non_null(strstr(task_registry_find(b->registry, "a")->probe_words, "status 503 in "));
    assert_true(status_of(b).outcomes[CHECK_BAD_STATUS] >= 2);
    b->reply = "HTTP/1.1 302 X\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n";
    wait_for(b, "a", TASK_HEALTH_UP);
    b->reply = "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n";
    wait_for(b, "a", TASK_HEALTH_DOWN);
}

static void the_request_and_what_passes_are_as_configured(void **state)
{
    struct bench *b = *state;
    struct config_env headers[] = { { (char *)"X-Probe", (char *)"a b" }, { (char *)"User-Agent", (char *)"mine" } };
    struct config_health_check check = { .path = (char *)"/h",
                                         .host = (char *)"probe.example",
                                         .matcher = (char *)"204,401",
                                         .headers = headers,
                                         .header_count = 2,
                                         .interval_ms = 50,
                                         .timeout_ms = 1000,
                                         .healthy_threshold = 1,
                                         .unhealthy_threshold = 2 };
    health_checker_configure(b->checker, "web", &check, false);
    b->reply = "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n";
    apply(b, "a", "web", TASK_RUNNING);
    wait_for(b, "a", TASK_HEALTH_UP);
    assert_non_null(strstr(b->head, "\r\nHost: probe.example\r\n"));
    assert_non_null(strstr(b->head, "\r\nX-Probe: a b\r\n"));
    assert_non_null(strstr(b->head, "\r\nUser-Agent: mine\r\n"));
    assert_null(strstr(b->head, "portico"));
    assert_null(strstr(b->head, "Host: 127"));
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    wait_for(b, "a", TASK_HEALTH_DOWN);
}

static void a_task_of_no_configured_service_says_itself_how_it_is_checked(void **state)
{
    struct bench *b = *state;
    struct task_spec spec = { .id = "a", .name = "a", .service = "web", .weight = 1, .state = TASK_RUNNING };
    snprintf(spec.address, sizeof spec.address, "127.0.0.1:%u", b->server.port);
    spec.check = (struct task_check){ .path = "/own", .interval_ms = 50 };
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    task_registry_apply(b->registry, b->provider, &spec);
    wait_for(b, "a", TASK_HEALTH_UP);
    assert_non_null(strstr(b->head, "GET /own HTTP/1.1\r\n"));
    configure(b, "/configured", 50, 2);
    b->reply = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n";
    wait_for(b, "a", TASK_HEALTH_DOWN);
    assert_non_null(strstr(b->head, "GET /configured HTTP/1.1\r\n"));
}

static void a_task_that_wants_a_proxy_header_gets_one_in_front_of_the_request(void **state)
{
    struct bench *b = *state;
    configure_with(b, "/health", 50, 2, true);
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    apply(b, "a", "web", TASK_RUNNING);
    wait_for(b, "a", TASK_HEALTH_UP);
    assert_memory_equal(b->head, "PROXY TCP4 127.0.0.1 127.0.0.1 ", 31);
    assert_non_null(strstr(b->head, "\r\nGET /health HTTP/1.1\r\n"));
    b->head[0] = '\0';
    configure_with(b, NULL, 50, 2, true);
    task_registry_set_probe(b->registry, "a", TASK_HEALTH_UNKNOWN, "");
    wait_for(b, "a", TASK_HEALTH_UP);
    assert_string_equal(b->head, "");
}

static void a_huge_answer_is_judged_by_its_status(void **state)
{
    struct bench *b = *state;
    char reply[100000];
    memset(reply, 'x', sizeof reply);
    memcpy(reply, "HTTP/1.1 200 X\r\nContent-Length: 9999999\r\n\r\n", 43);
    reply[sizeof reply - 1] = '\0';
    b->reply = reply;
    configure(b, "/", 50, 2);
    apply(b, "a", "web", TASK_RUNNING);
    wait_for(b, "a", TASK_HEALTH_UP);
}

static void a_refused_task_goes_down_and_comes_back(void **state)
{
    struct bench *b = *state;
    struct scripted_server other;
    scripted_server_start_tcp(&other, b->loop, on_request, b);
    configure(b, NULL, 30, 2);
    struct task_spec spec = { .id = "a", .name = "a", .service = "web", .weight = 1, .state = TASK_RUNNING };
    snprintf(spec.address, sizeof spec.address, "127.0.0.1:%u", other.port);
    task_registry_apply(b->registry, b->provider, &spec);
    wait_for(b, "a", TASK_HEALTH_UP);
    scripted_server_stop(&other);
    wait_for(b, "a", TASK_HEALTH_DOWN);
    assert_string_equal(task_registry_find(b->registry, "a")->probe_words, "cannot connect: Connection refused");
    snprintf(spec.address, sizeof spec.address, "127.0.0.1:%u", b->server.port); /* another address is another peer */
    task_registry_apply(b->registry, b->provider, &spec);
    assert_int_equal(task_registry_find(b->registry, "a")->probe_health, TASK_HEALTH_UNKNOWN);
    wait_for(b, "a", TASK_HEALTH_UP);
}

static void a_task_that_stops_is_asked_no_more_and_begins_anew(void **state)
{
    struct bench *b = *state;
    apply(b, "a", "web", TASK_RUNNING);
    wait_for(b, "a", TASK_HEALTH_UP);
    apply(b, "a", "web", TASK_STOPPING);
    assert_int_equal(status_of(b).watched_count, 0);
    assert_int_equal(http_client_count(b->http), 0);
    apply(b, "a", "web", TASK_RUNNING);
    wait_for(b, "a", TASK_HEALTH_UP);
    task_registry_remove(b->registry, "a");
    assert_int_equal(status_of(b).watched_count, 0);
}

static void a_task_removed_while_it_is_asked_is_dropped(void **state)
{
    struct bench *b = *state;
    configure(b, "/", 1000, 3);
    apply(b, "a", "web", TASK_RUNNING);
    scripted_run_turns(b->loop, 20);
    assert_int_equal(status_of(b).in_flight_count, 1);
    task_registry_remove(b->registry, "a");
    assert_int_equal(status_of(b).in_flight_count, 0);
    assert_int_equal(http_client_count(b->http), 0);
}

static bool has_fewer_requests(void *owner)
{
    struct bench *b = owner;
    return b->server.request_count < b->wanted_passes;
}

static void a_reload_that_changes_nothing_puts_no_probe_off(void **state)
{
    struct bench *b = *state;
    configure(b, "/", 1000, 3);
    apply(b, "a", "web", TASK_RUNNING);
    b->wanted_passes = 1; /* requests; nobody answers */
    scripted_run_while(b->loop, has_fewer_requests, b);
    configure(b, "/", 1000, 3);
    scripted_run_turns(b->loop, 20);
    assert_int_equal(b->server.request_count, 1); /* the same one is waited for */
    configure(b, "/other", 1000, 3);
    b->wanted_passes = 2;
    scripted_run_while(b->loop, has_fewer_requests, b);
}

static bool has_unanswered(void *owner)
{
    struct bench *b = owner;
    return b->server.request_count < HEALTH_CHECKS_OF_SERVICE_MAX;
}

/* Tasks of one service that take the request and do not answer. Those that are asked have it before the others come, and no
 * limit of time is near: a slow machine changes nothing. */
static void apply_hanging(struct bench *b, int count)
{
    struct config_health_check check = { .path = (char *)"/hangs", .interval_ms = 60000, .timeout_ms = 600000 };
    char id[16];
    health_checker_configure(b->checker, "web", &check, false);
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "t%d", i);
        apply(b, id, "web", TASK_RUNNING);
        if (i + 1 == HEALTH_CHECKS_OF_SERVICE_MAX)
            scripted_run_while(b->loop, has_unanswered, b);
    }
}

static void no_more_than_its_share_are_asked_at_once_and_the_rest_wait(void **state)
{
    struct bench *b = *state;
    apply_hanging(b, 100);
    scripted_run_turns(b->loop, 20);
    assert_int_equal(status_of(b).in_flight_count, HEALTH_CHECKS_OF_SERVICE_MAX);
    assert_int_equal(status_of(b).waiting_count, 100 - HEALTH_CHECKS_OF_SERVICE_MAX);
    assert_int_equal(b->server.request_count, HEALTH_CHECKS_OF_SERVICE_MAX);
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    for (struct scripted_conn *conn = b->server.conns; conn; conn = conn->next)
        scripted_send_text(conn, b->reply);
    wait_for(b, "t48", TASK_HEALTH_UP); /* the newest goes first, so this one is the last */
    assert_int_equal(status_of(b).waiting_count, 0);
}

static void tasks_that_hang_delay_neither_other_services_nor_those_in_rotation(void **state)
{
    struct bench *b = *state;
    struct config_health_check often = { .interval_ms = 10, .timeout_ms = 1000, .unhealthy_threshold = 2 };
    health_checker_configure(b->checker, "api", &often, false);
    apply(b, "old", "api", TASK_RUNNING);
    wait_for(b, "old", TASK_HEALTH_UP);
    apply_hanging(b, 1000);
    size_t waiting = 1000 - HEALTH_CHECKS_OF_SERVICE_MAX;
    assert_true(status_of(b).waiting_count >= waiting);
    apply(b, "new", "api", TASK_RUNNING);
    wait_for(b, "new", TASK_HEALTH_UP);
    uint64_t passed = status_of(b).outcomes[CHECK_PASSED];
    b->wanted_passes = passed + 4; /* in rotation, they are asked on */
    scripted_run_while(b->loop, has_fewer_passes, b);
    assert_true(status_of(b).waiting_count >= waiting);
}

/* All of 127.0.0.0/8 at the port of a listener whose backlog is full: it answers no SYN. */
static int open_black_hole(uint16_t *port, int fillers[BLACK_HOLE_FILLERS])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < BLACK_HOLE_FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void black_holed_tasks_do_not_delay_a_new_one_of_their_own_service(void **state)
{
    struct bench *b = *state;
    uint16_t port;
    int fillers[BLACK_HOLE_FILLERS];
    int hole = open_black_hole(&port, fillers);
    struct config_health_check slow = { .interval_ms = 60000, .timeout_ms = 60000 };
    health_checker_configure(b->checker, "web", &slow, false);
    struct task_spec spec = { .service = "web", .weight = 1, .state = TASK_RUNNING };
    for (int i = 0; i < 1000; i++) {
        snprintf(spec.id, sizeof spec.id, "t%d", i);
        snprintf(spec.address, sizeof spec.address, "127.1.%d.%d:%u", i / 250, i % 250 + 1, port);
        task_registry_apply(b->registry, b->provider, &spec);
    }
    assert_int_equal(status_of(b).in_flight_count, HEALTH_CHECKS_OF_SERVICE_MAX); /* before any has had its time */
    scripted_run_turns(b->loop, 20);
    apply(b, "new", "web", TASK_RUNNING);
    wait_for(b, "new", TASK_HEALTH_UP);
    assert_true(status_of(b).waiting_count > 0); /* the older ones still wait */
    for (int i = 0; i < BLACK_HOLE_FILLERS; i++)
        close(fillers[i]);
    close(hole);
}

static void services_are_checked_by_their_own_settings(void **state)
{
    struct bench *b = *state;
    configure(b, "/only-web", 1000, 3);
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    apply(b, "a", "other", TASK_RUNNING);
    wait_for(b, "a", TASK_HEALTH_UP);
    assert_int_equal(b->server.request_count, 0);
    apply(b, "a", "web", TASK_RUNNING); /* it moves to the other service, and its results with it are gone */
    apply(b, "b", "web", TASK_RUNNING);
    wait_for(b, "b", TASK_HEALTH_UP);
    assert_true(b->server.request_count >= 1);
    health_checker_configure(b->checker, "web", NULL, false);
    assert_int_equal(status_of(b).watched_count, 2);
}

static void tasks_known_before_the_checker_are_checked(void **state)
{
    struct bench *b = *state;
    health_checker_free(b->checker);
    apply(b, "a", "web", TASK_RUNNING);
    b->checker = health_checker_new(b->loop, b->http, b->registry);
    wait_for(b, "a", TASK_HEALTH_UP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_that_accepts_is_up_at_once),
        TEST(a_path_is_asked_for_and_the_status_counts),
        TEST(a_task_that_wants_a_proxy_header_gets_one_in_front_of_the_request),
        TEST(the_request_and_what_passes_are_as_configured),
        TEST(a_task_of_no_configured_service_says_itself_how_it_is_checked),
        TEST(a_huge_answer_is_judged_by_its_status),
        TEST(a_refused_task_goes_down_and_comes_back),
        TEST(a_task_that_stops_is_asked_no_more_and_begins_anew),
        TEST(a_task_removed_while_it_is_asked_is_dropped),
        TEST(a_reload_that_changes_nothing_puts_no_probe_off),
        TEST(no_more_than_its_share_are_asked_at_once_and_the_rest_wait),
        TEST(tasks_that_hang_delay_neither_other_services_nor_those_in_rotation),
        TEST(black_holed_tasks_do_not_delay_a_new_one_of_their_own_service),
        TEST(services_are_checked_by_their_own_settings),
        TEST(tasks_known_before_the_checker_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
