#include "admin/server.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/admin/fakes.h"
#include "tests/unit/base/captured_stderr.h"

#define WHOLE_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HOST "Host: 127.0.0.1\r\n"
#define JSON "Content-Type: application/json\r\n"
#define CLOSE "Connection: close\r\n"

static struct {
    struct loop *loop;
    struct admin_server *server;
    struct buf answer;
} fixture;

static int open_listener(uint32_t ip)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

static void start_server(char *token)
{
    struct admin_parts parts = fake_parts_init();
    struct config_admin config = { .address = (char *)"127.0.0.1:9900", .token = token };
    struct error error;
    fixture.loop = loop_new();
    parts.loop = fixture.loop;
    parts.config = &config;
    parts.listen_fd = open_listener(INADDR_LOOPBACK);
    fixture.server = admin_server_new(&parts, &error);
    assert_non_null(fixture.server);
    buf_init(&fixture.answer, 4 << 20);
}

static int set_up(void **state)
{
    (void)state;
    start_server(NULL);
    return 0;
}

static int set_up_with_token(void **state)
{
    (void)state;
    start_server((char *)"s3cret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admin_server_free(fixture.server);
    loop_free(fixture.loop);
    buf_fini(&fixture.answer);
    return 0;
}

static int connect_client(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(admin_server_port(fixture.server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Sends as the socket takes it, reads until the server closes; a minute at most. The answer with its head. */
static const char *exchange_bytes(const char *bytes, size_t len)
{
    char piece[65536];
    int fd = connect_client();
    int64_t end_ms = clock_now_ms() + 60000;
    buf_clear(&fixture.answer);
    for (;;) {
        if (clock_now_ms() > end_ms)
            fail_msg("no end of: %s", buf_text(&fixture.answer));
        ssize_t sent = len ? send(fd, bytes, len, MSG_NOSIGNAL) : 0;
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        }
        event_base_loop(loop_base(fixture.loop), EVLOOP_NONBLOCK);
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        if (poll(&wait, 1, len ? 0 : 1) != 1)
            continue;
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        if (got > 0)
            buf_append(&fixture.answer, piece, (size_t)got);
    }
    close(fd);
    return buf_text(&fixture.answer);
}

static const char *exchange(const char *request)
{
    return exchange_bytes(request, strlen(request));
}

static int status_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.", 7) == 0 ? atoi(answer + 9) : -1;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static void an_answer_carries_the_safe_fields_and_the_document(void **state)
{
    (void)state;
    const char *answer = exchange("GET /v1/services HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(answer, "Cache-Control: no-store\r\n"));
    assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff\r\n"));
    assert_int_equal(count_of(answer, "Content-Length: "), 1);
    assert_non_null(strstr(answer, "\"name\":\"web\""));
}

static void head_has_the_length_of_get_and_no_body(void **state)
{
    (void)state;
    const char *answer = exchange("HEAD /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_int_equal(status_of(answer), 200);
    assert_non_null(strstr(answer, "Content-Length: 16\r\n"));
    assert_memory_equal(answer + strlen(answer) - 4, "\r\n\r\n", 4);
}

static void two_requests_share_a_connection(void **state)
{
    (void)state;
    const char *answer = exchange("GET /healthz HTTP/1.1\r\n" HOST "\r\nGET /metrics HTTP/1.1\r\n" HOST CLOSE "\r\n");
    assert_int_equal(count_of(answer, "HTTP/1.1 200 OK"), 2);
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "portico_desired_tasks{service=\"web\"} 2\n"));
}

static void a_patch_and_a_drain_take_effect(void **state)
{
    (void)state;
    const char *answer = exchange("PATCH /v1/services/web HTTP/1.1\r\n" HOST JSON CLOSE "Content-Length: 18\r\n\r\n"
                                  "{\"desiredCount\":3}");
    assert_int_equal(status_of(answer), 200);
    assert_int_equal(fake.last_patch.desired_count, 3);
    answer = exchange("POST /v1/tasks/" WHOLE_ID "/drain HTTP/1.1\r\n" HOST JSON CLOSE "Content-Length: 0\r\n\r\n");
    assert_int_equal(status_of(answer), 202);
    answer = exchange("POST /v1/tasks/0123456789ab/drain HTTP/1.1\r\n" HOST JSON CLOSE "\r\n");
    assert_int_equal(status_of(answer), 202);
    assert_string_equal(fake.last_drained, WHOLE_ID);
    assert_int_equal(fake.effect_count, 3);
}

static void an_attack_is_refused_before_any_effect(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } rows[] = {
#define DRAIN "POST /v1/tasks/" WHOLE_ID "/drain HTTP/1.1\r\n"
#define PATCH "PATCH /v1/services/web HTTP/1.1\r\n"
#define BODY "Content-Length: 9\r\n\r\n{\"min\":1}"
        { DRAIN HOST JSON CLOSE "Origin: https://evil.example.com\r\n\r\n", 403 },
        { DRAIN HOST JSON CLOSE "Sec-Fetch-Site: cross-site\r\n\r\n", 403 },
        { DRAIN "Host: rebound.example.com\r\n" JSON CLOSE "\r\n", 403 },
        { DRAIN JSON CLOSE "\r\n", 400 },
        { DRAIN HOST HOST JSON CLOSE "\r\n", 400 },
        { DRAIN HOST CLOSE "\r\n", 415 },
        { DRAIN HOST CLOSE "Content-Type: text/plain\r\n\r\n", 415 },
        { DRAIN HOST CLOSE "Content-Type: text/plain\r\n" JSON "\r\n", 400 },
        { DRAIN HOST JSON CLOSE "Content-Length: 14\r\n\r\n{\"force\":true}", 400 },
        { DRAIN HOST JSON CLOSE "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411 },
        { DRAIN HOST JSON CLOSE "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400 },
        { "GET /v1/tasks/" WHOLE_ID "/drain HTTP/1.1\r\n" HOST CLOSE "\r\n", 405 },
        { "POST /v1/tasks/%30123456789ab/drain HTTP/1.1\r\n" HOST JSON CLOSE "\r\n", 404 },
        { "POST /v1/x/../tasks/0123456789ab/drain HTTP/1.1\r\n" HOST JSON CLOSE "\r\n", 404 },
        { "POST /v1/tasks/0123456789ab/drain/ HTTP/1.1\r\n" HOST JSON CLOSE "\r\n", 404 },
        { "POST //v1/tasks/0123456789ab/drain HTTP/1.1\r\n" HOST JSON CLOSE "\r\n", 404 },
        { "POST /v1/tasks/0123456789ab/drain?x HTTP/1.1\r\n" HOST JSON CLOSE "\r\n", 400 },
        { "POST http://127.0.0.1/v1/tasks/0123456789ab/drain HTTP/1.1\r\n" HOST JSON CLOSE "\r\n", 404 },
        { "PUT /v1/services/web HTTP/1.1\r\n" HOST JSON CLOSE BODY, 405 },
        { "DELETE /v1/services/web HTTP/1.1\r\n" HOST CLOSE "\r\n", 405 },
        { "OPTIONS /v1/services/web HTTP/1.1\r\n" HOST CLOSE "\r\n", 405 },
        { "BREW /v1/services/web HTTP/1.1\r\n" HOST CLOSE "\r\n", 501 },
        { PATCH HOST CLOSE "Content-Type: application/x-www-form-urlencoded\r\n" BODY, 415 },
        { PATCH HOST JSON CLOSE "Origin: null\r\n" BODY, 403 },
        { PATCH HOST JSON CLOSE "Content-Length: 18\r\n\r\n{\"min\":1,\"min\":2} ", 400 },
        { PATCH HOST JSON CLOSE "\r\n", 400 },
        { "PATCH /v1/services/%77eb HTTP/1.1\r\n" HOST JSON CLOSE BODY, 404 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *answer = exchange(rows[i].request);
        if (status_of(answer) != rows[i].status)
            fail_msg("%s\n->\n%s", rows[i].request, answer);
        if (rows[i].status != 501)
            assert_non_null(strstr(answer, "{\"error\":{\"code\":\""));
        if (rows[i].status == 405)
            assert_non_null(strstr(answer, "\r\nAllow: "));
    }
    assert_int_equal(fake.effect_count, 0);
}

static void bytes_behind_a_refused_message_are_not_a_request(void **state)
{
    (void)state;
    const char *answer =
        exchange("HEAD /healthz HTTP/1.1\r\n" HOST "Content-Length: 120\r\n\r\n" DRAIN HOST JSON "\r\n");
    assert_int_equal(status_of(answer), 400);
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 1);
    answer = exchange(DRAIN HOST JSON "Transfer-Encoding: gzip\r\n\r\n" DRAIN HOST JSON "\r\n");
    assert_int_equal(status_of(answer), 411);
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 1);
    assert_int_equal(fake.effect_count, 0);
}

static void the_token_guards_everything_but_healthz(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "GET / HTTP/1.1\r\n" HOST CLOSE "\r\n",
        "GET /readyz HTTP/1.1\r\n" HOST CLOSE "\r\n",
        "GET /metrics HTTP/1.1\r\n" HOST CLOSE "\r\n",
        "GET /nowhere HTTP/1.1\r\n" HOST CLOSE "\r\n",
        "GET /v1/services HTTP/1.1\r\n" HOST CLOSE "Authorization: Bearer wrong!\r\n\r\n",
        DRAIN HOST JSON CLOSE "\r\n",
        "POST /healthz HTTP/1.1\r\n" HOST JSON CLOSE "\r\n",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *answer = exchange(refused[i]);
        if (status_of(answer) != 401)
            fail_msg("%s\n->\n%s", refused[i], answer);
        assert_non_null(strstr(answer, "WWW-Authenticate: Bearer"));
    }
    assert_int_equal(status_of(exchange("GET /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n")), 200);
    assert_int_equal(fake.effect_count, 0);
    assert_int_equal(status_of(exchange(DRAIN HOST JSON CLOSE "Authorization: Bearer s3cret\r\n\r\n")), 202);
    assert_int_equal(fake.effect_count, 1);
}

static void a_reload_changes_token_and_hosts(void **state)
{
    (void)state;
    char name[] = "admin.example.com";
    char *hosts[] = { name };
    struct error error;
    assert_true(admin_server_reconfigure(fixture.server, "other", hosts, 1, &error));
    assert_int_equal(status_of(exchange("GET / HTTP/1.1\r\n" HOST CLOSE "Authorization: Bearer s3cret\r\n\r\n")), 401);
    assert_int_equal(status_of(exchange("GET / HTTP/1.1\r\nHost: admin.example.com\r\n" CLOSE
                                        "Authorization: Bearer other\r\n\r\n")),
                     200);
    assert_true(admin_server_reconfigure(fixture.server, NULL, NULL, 0, &error));
    assert_int_equal(status_of(exchange("GET / HTTP/1.1\r\n" HOST CLOSE "\r\n")), 200);
    assert_int_equal(status_of(exchange("GET / HTTP/1.1\r\nHost: admin.example.com\r\n" CLOSE "\r\n")), 403);
}

static void a_body_past_the_limit_is_413(void **state)
{
    (void)state;
    size_t len = ADMIN_BODY_BYTES_MAX + 1;
    struct buf request;
    buf_init(&request, 0);
    buf_printf(&request, PATCH HOST JSON CLOSE "Content-Length: %zu\r\n\r\n", len);
    for (size_t i = 0; i < len; i++)
        buf_append(&request, " ", 1);
    assert_int_equal(status_of(exchange_bytes(request.at, request.len)), 413);
    buf_fini(&request);
    assert_int_equal(fake.effect_count, 0);
}

static void an_endless_head_is_refused(void **state)
{
    (void)state;
    struct buf request;
    buf_init(&request, 0);
    buf_append_text(&request, "GET /healthz HTTP/1.1\r\n" HOST CLOSE "X: ");
    while (request.len < 3 * ADMIN_HEAD_BYTES_MAX)
        buf_append(&request, "a", 1);
    int status = status_of(exchange_bytes(request.at, request.len));
    assert_true(status == 400 || status == 413 || status == 431 || status == -1); /* -1: reset before it was read */
    buf_fini(&request);
}

static void garbage_does_not_stop_the_server(void **state)
{
    (void)state;
    static const char *const garbage[] = { "\x16\x03\x01\x02",       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                           "\r\n\r\n\r\n\r\n",       "GET\r\n\r\n",
                                           "GET / HTTP/9.9\r\n\r\n", "GET /v1/tasks HTTP/1.1\r\n:\r\n\r\n" };
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        int fd = connect_client();
        assert_true(send(fd, garbage[i], strlen(garbage[i]), MSG_NOSIGNAL) > 0);
        for (int turn = 0; turn < 5; turn++)
            event_base_loop(loop_base(fixture.loop), EVLOOP_NONBLOCK);
        close(fd);
    }
    assert_int_equal(status_of(exchange("GET /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n")), 200);
}

/* ---- no descriptor is free ---- */

static void set_descriptor_limit(rlim_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int added_events(void)
{
    return event_base_get_num_events(loop_base(fixture.loop), EVENT_BASE_COUNT_ADDED);
}

/* Until the listener, one of them, rests or is back. */
static void turn_until_added(int count)
{
    int turns = 0;
    while (added_events() != count && turns++ < 10000)
        event_base_loop(loop_base(fixture.loop), EVLOOP_ONCE);
    assert_int_equal(added_events(), count);
}

static void without_a_descriptor_clients_wait_for_the_next_second_and_it_is_said_once(void **state)
{
    const char *request = "GET /healthz HTTP/1.1\r\n" HOST CLOSE "\r\n";
    int client = connect_client(), all = added_events();
    struct captured_stderr captured;
    struct rlimit before;
    char text[4096] = "";
    (void)state;
    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    captured_stderr_start(&captured);
    set_descriptor_limit(0);
    for (int i = 0; i < 2; i++) {
        turn_until_added(all - 1);
        turn_until_added(all);
    }
    set_descriptor_limit(before.rlim_cur);
    captured_stderr_stop(&captured, text, sizeof text);
    assert_int_equal(count_of(text, "\n"), 1);
    assert_int_equal(count_of(text, "admin: no connection can be accepted: Too many open files"), 1);
    for (ssize_t got = -1; got <= 0; got = recv(client, text, sizeof text, 0))
        event_base_loop(loop_base(fixture.loop), EVLOOP_ONCE);
    assert_int_equal(status_of(text), 200);
    close(client);
}

static void an_address_in_use_is_named(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    char address[64], expected[128];
    snprintf(address, sizeof address, "127.0.0.1:%u", admin_server_port(fixture.server));
    snprintf(expected, sizeof expected, "admin.address %s: Address already in use", address);
    struct config_admin config = { .address = address };
    struct error error;
    parts.loop = fixture.loop;
    parts.config = &config;
    assert_null(admin_server_new(&parts, &error));
    assert_string_equal(error.text, expected);
    config.address = (char *)"localhost:http";
    assert_null(admin_server_new(&parts, &error));
    assert_non_null(strstr(error.text, "must be IP:port"));
}

static void a_port_that_is_not_loopback_needs_a_token(void **state)
{
    (void)state;
    struct admin_parts parts = fake_parts_init();
    struct config_admin config = { .address = (char *)"*:9900" };
    struct error error;
    parts.loop = fixture.loop;
    parts.config = &config;
    parts.listen_fd = open_listener(INADDR_ANY);
    assert_null(admin_server_new(&parts, &error));
    assert_non_null(strstr(error.text, "admin.token: required"));
    config.token = (char *)"";
    assert_null(admin_server_new(&parts, &error));
    config.token = (char *)"s3cret";
    struct admin_server *server = admin_server_new(&parts, &error); /* the refused ones left the socket open */
    assert_non_null(server);
    assert_false(admin_server_reconfigure(server, NULL, NULL, 0, &error));
    assert_true(admin_server_reconfigure(server, "other", NULL, 0, &error));
    admin_server_free(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_WITH_TOKEN(name) cmocka_unit_test_setup_teardown(name, set_up_with_token, tear_down)

int main(void)
{
    log_init("test", LOG_LEVEL_WARN);
    const struct CMUnitTest tests[] = {
        TEST(an_answer_carries_the_safe_fields_and_the_document),
        TEST(without_a_descriptor_clients_wait_for_the_next_second_and_it_is_said_once),
        TEST(head_has_the_length_of_get_and_no_body),
        TEST(two_requests_share_a_connection),
        TEST(a_patch_and_a_drain_take_effect),
        TEST(an_attack_is_refused_before_any_effect),
        TEST(bytes_behind_a_refused_message_are_not_a_request),
        TEST_WITH_TOKEN(the_token_guards_everything_but_healthz),
        TEST_WITH_TOKEN(a_reload_changes_token_and_hosts),
        TEST(a_body_past_the_limit_is_413),
        TEST(an_endless_head_is_refused),
        TEST(garbage_does_not_stop_the_server),
        TEST(an_address_in_use_is_named),
        TEST(a_port_that_is_not_loopback_needs_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
