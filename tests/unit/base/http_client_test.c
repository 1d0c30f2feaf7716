#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/http_client.h"
#include "base/mem.h"
#include "tests/unit/base/scripted_server.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct bench {
    struct loop *loop;
    struct http_client *client;
    struct scripted_server server;
    const char *reply; /* sent as it is; null: nothing */
    bool closes;       /* after the reply */
    char head[4096];   /* of the last request */
    char body[256];
    char url[64];
    /* of the last answer */
    bool done;
    size_t done_count;
    enum http_outcome outcome;
    int status;
    char answer[1024];
    char cause[256];
    char field[64]; /* X-Test */
    /* of the stream */
    size_t piece_bytes;
    int head_status;
    bool stops, cancels;
    struct http_call *call;
};

static void on_request(void *owner, struct scripted_conn *conn, const char *head, const char *body)
{
    struct bench *b = owner;
    snprintf(b->head, sizeof b->head, "%s", head);
    snprintf(b->body, sizeof b->body, "%s", body);
    if (b->reply)
        scripted_send_text(conn, b->reply);
    if (b->closes)
        scripted_close(conn);
}

static void on_done(void *owner, const struct http_response *response)
{
    struct bench *b = owner;
    const char *field = http_response_find_header(response, "X-Test");
    b->done = true;
    b->done_count++;
    b->outcome = response->outcome;
    b->status = response->status;
    snprintf(b->answer, sizeof b->answer, "%.*s", SLICE_FMT(response->body));
    snprintf(b->cause, sizeof b->cause, "%s", response->cause);
    snprintf(b->field, sizeof b->field, "%s", field ? field : "");
}

static void on_head(void *owner, int status)
{
    ((struct bench *)owner)->head_status = status;
}

static bool on_piece(void *owner, struct slice piece)
{
    struct bench *b = owner;
    b->piece_bytes += piece.len;
    if (b->cancels)
        http_client_cancel(b->client, b->call);
    return !b->stops;
}

static int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    b->loop = loop_new();
    b->client = http_client_new(b->loop, 8);
    scripted_server_start_tcp(&b->server, b->loop, on_request, b);
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u/path?x=1", b->server.port);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    http_client_free(b->client);
    scripted_server_stop(&b->server);
    loop_free(b->loop);
    free(b);
    return 0;
}

static struct http_request request_to(struct bench *b)
{
    return (struct http_request){ .url = b->url,
                                  .connect_timeout_ms = 600000, /* not by chance */
                                  .total_timeout_ms = 600000,
                                  .response_bytes_max = 512,
                                  .on_done = on_done,
                                  .owner = b };
}

static void send_and_wait(struct bench *b, const struct http_request *request)
{
    b->done = false;
    b->call = http_client_send(b->client, request);
    assert_non_null(b->call);
    assert_false(b->done); /* never from inside */
    scripted_run_until(b->loop, &b->done);
}

static void answers_a_get_with_status_body_and_fields(void **state)
{
    struct bench *b = *state;
    b->reply = "HTTP/1.1 418 X\r\nX-Test: a b\r\nContent-Length: 5\r\n\r\nhello";
    struct http_request request = request_to(b);
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_ANSWERED);
    assert_int_equal(b->status, 418);
    assert_string_equal(b->answer, "hello");
    assert_string_equal(b->field, "a b");
    assert_non_null(strstr(b->head, "GET /path?x=1 HTTP/1.1\r\n"));
    assert_int_equal(http_client_count(b->client), 0);
}

static void sends_method_fields_and_body_as_given(void **state)
{
    struct bench *b = *state;
    static const char *const fields[] = { "Content-Type: application/json", "X-One: 1" };
    b->reply = "HTTP/1.1 204 X\r\n\r\n";
    struct http_request request = request_to(b);
    request.method = "POST";
    request.headers = fields;
    request.header_count = 2;
    request.body = SLICE_LITERAL("{\"a\":1}");
    send_and_wait(b, &request);
    assert_int_equal(b->status, 204);
    assert_string_equal(b->body, "{\"a\":1}");
    assert_non_null(strstr(b->head, "POST "));
    assert_non_null(strstr(b->head, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(b->head, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(b->head, "Expect"));
    request.method = "DELETE";
    request.body = (struct slice){ 0 };
    send_and_wait(b, &request);
    assert_non_null(strstr(b->head, "DELETE "));
    request.method = "POST";
    send_and_wait(b, &request);
    assert_non_null(strstr(b->head, "Content-Length: 0\r\n"));
}

static void speaks_over_a_unix_socket(void **state)
{
    struct bench *b = *state;
    struct scripted_server engine;
    scripted_server_start_unix(&engine, b->loop, on_request, b);
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok";
    struct http_request request = request_to(b);
    request.url = "http://docker/_ping";
    request.unix_socket_path = engine.path;
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_ANSWERED);
    assert_string_equal(b->answer, "ok");
    scripted_server_stop(&engine);
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_CONNECT_FAILED);
    assert_non_null(strstr(b->cause, "cannot connect"));
}

static void a_refused_connection_says_so(void **state)
{
    struct bench *b = *state;
    struct http_request request = request_to(b);
    scripted_server_refuse(&b->server);
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_CONNECT_FAILED);
    assert_string_equal(b->cause, "cannot connect: Connection refused");
    assert_int_equal(b->status, 0);
}

static void an_answer_beyond_the_limit_is_cut_off(void **state)
{
    struct bench *b = *state;
    char reply[1200];
    memset(reply, 'x', sizeof reply);
    memcpy(reply, "HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n", 40);
    reply[sizeof reply - 1] = '\0';
    b->reply = reply;
    struct http_request request = request_to(b);
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_TOO_LARGE);
    assert_string_equal(b->cause, "the answer has more than 512 bytes");
}

static void a_head_without_end_is_cut_off(void **state)
{
    struct bench *b = *state;
    char *reply = mem_alloc(100000);
    size_t len = (size_t)sprintf(reply, "HTTP/1.1 200 X\r\n");
    while (len < 90000)
        len += (size_t)sprintf(reply + len, "X-Field: 0123456789012345678901234567890123456789\r\n");
    b->reply = reply;
    struct http_request request = request_to(b);
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_BAD_ANSWER);
    free(reply);
}

static void endless_interim_answers_are_cut_off(void **state)
{
    struct bench *b = *state;
    char *reply = mem_alloc(200000);
    size_t len = 0;
    while (len < 150000)
        len += (size_t)sprintf(reply + len,
                               "HTTP/1.1 103 Early\r\nLink: </0123456789012345678901234567890123456789>\r\n\r\n");
    b->reply = reply;
    struct http_request request = request_to(b);
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_BAD_ANSWER);
    assert_int_equal(b->status, 0);
    free(reply);
}

static void what_is_not_http_is_a_bad_answer(void **state)
{
    static const char *const replies[] = { "SSH-2.0-OpenSSH_9.2\r\n", "<html>old times</html>",
                                           "HTTP/9.9 abc\r\n\r\n" };
    struct bench *b = *state;
    struct http_request request = request_to(b);
    b->closes = true;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        b->reply = replies[i];
        send_and_wait(b, &request);
        assert_int_equal(b->outcome, HTTP_OUTCOME_BAD_ANSWER);
    }
}

static void a_peer_that_goes_away_is_seen(void **state)
{
    struct bench *b = *state;
    struct http_request request = request_to(b);
    b->closes = true;
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_CLOSED);
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf";
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_CLOSED);
    assert_int_equal(b->status, 200);
}

static void a_silent_server_meets_the_deadline(void **state)
{
    struct bench *b = *state;
    struct http_request request = request_to(b);
    request.total_timeout_ms = 30;
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_TIMEOUT);
    assert_string_equal(b->cause, "no whole answer within 30 ms");
}

/* To connect costs nothing there, so that the time it took says nothing. */
static void a_silent_answer_on_a_kept_connection_is_no_matter_of_connecting(void **state)
{
    struct bench *b = *state;
    struct http_request request = request_to(b);
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok";
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_ANSWERED);
    size_t accepted = b->server.accepted_count;
    b->reply = NULL;
    request.total_timeout_ms = 30;
    send_and_wait(b, &request);
    assert_int_equal(b->server.accepted_count, accepted);
    assert_int_equal(b->outcome, HTTP_OUTCOME_TIMEOUT);
    assert_string_equal(b->cause, "no whole answer within 30 ms");
}

static void a_silent_stream_meets_the_idle_limit(void **state)
{
    struct bench *b = *state;
    b->reply = "HTTP/1.1 200 X\r\n\r\nfirst";
    struct http_request request = request_to(b);
    request.total_timeout_ms = 0;
    request.idle_timeout_ms = 30;
    request.on_head = on_head;
    request.on_piece = on_piece;
    for (int attempt = 0; attempt < 50 && b->piece_bytes == 0; attempt++) { /* a slow machine can be silent before */
        send_and_wait(b, &request);
        assert_int_equal(b->outcome, HTTP_OUTCOME_SILENT);
    }
    assert_int_equal(b->head_status, 200);
    assert_int_equal(b->piece_bytes, 5);
}

static void a_full_backlog_meets_the_connect_timeout(void **state)
{
    struct bench *b = *state;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int clients[8];
    /* Nobody accepts: once the backlog of 0 is full, the kernel drops further SYNs. */
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < 8; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(clients[i], (struct sockaddr *)&address, sizeof address);
    }
    snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    struct http_request request = request_to(b);
    request.connect_timeout_ms = 40;
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_CONNECT_TIMEOUT);
    assert_string_equal(b->cause, "not connected within 40 ms");
    for (size_t i = 0; i < 8; i++)
        close(clients[i]);
    close(listener);
}

static void neither_redirects_nor_proxies_are_followed(void **state)
{
    struct bench *b = *state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    b->reply = "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    struct http_request request = request_to(b);
    send_and_wait(b, &request);
    unsetenv("http_proxy");
    assert_int_equal(b->outcome, HTTP_OUTCOME_ANSWERED);
    assert_int_equal(b->status, 302);
    assert_int_equal(b->server.request_count, 1);
}

static void a_reader_can_stop_a_stream(void **state)
{
    struct bench *b = *state;
    b->reply = "HTTP/1.1 200 X\r\n\r\nfirst";
    b->stops = true;
    struct http_request request = request_to(b);
    request.on_piece = on_piece;
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_STOPPED);
}

static void the_body_of_a_refusal_is_not_streamed(void **state)
{
    struct bench *b = *state;
    b->reply = "HTTP/1.1 400 X\r\nContent-Length: 3\r\n\r\nwhy";
    struct http_request request = request_to(b);
    request.on_piece = on_piece;
    send_and_wait(b, &request);
    assert_int_equal(b->piece_bytes, 0);
    assert_string_equal(b->answer, "why");
}

static bool has_no_request(void *owner)
{
    return ((struct bench *)owner)->server.request_count == 0;
}

static bool has_no_piece(void *owner)
{
    return ((struct bench *)owner)->piece_bytes == 0;
}

static void a_cancelled_call_calls_nobody(void **state)
{
    struct bench *b = *state;
    struct http_request request = request_to(b);
    http_client_cancel(b->client, http_client_send(b->client, &request)); /* before it was begun */
    assert_int_equal(http_client_count(b->client), 0);
    struct http_call *call = http_client_send(b->client, &request);
    scripted_run_while(b->loop, has_no_request, b);
    assert_int_equal(b->server.request_count, 1);
    http_client_cancel(b->client, call); /* while it waits for the answer */
    assert_int_equal(http_client_count(b->client), 0);
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nfirst";
    b->cancels = true; /* from inside its own callback */
    request.on_piece = on_piece;
    b->call = http_client_send(b->client, &request);
    scripted_run_while(b->loop, has_no_piece, b);
    scripted_run_turns(b->loop, 5);
    assert_int_equal(http_client_count(b->client), 0);
    assert_int_equal(b->done_count, 0);
}

static void a_malformed_request_is_not_sent(void **state)
{
    static const char *const urls[] = {
        "ftp://127.0.0.1/", "file:///etc/passwd", "http://a b/", "http://a\r\nX: y/", "", "/x"
    };
    static const char *const fields[] = { "X: y\r\nInjected: z" };
    struct bench *b = *state;
    struct http_request request = request_to(b);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        request.url = urls[i];
        send_and_wait(b, &request);
        assert_int_equal(b->outcome, HTTP_OUTCOME_NOT_SENT);
    }
    request = request_to(b);
    request.headers = fields;
    request.header_count = 1;
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_NOT_SENT);
    assert_int_equal(b->server.accepted_count, 0);
}

static void calls_beyond_the_limit_are_not_sent(void **state)
{
    struct bench *b = *state;
    struct http_request request = request_to(b);
    for (size_t i = 0; i < 8; i++)
        http_client_send(b->client, &request);
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_NOT_SENT);
    assert_string_equal(b->cause, "not sent: too many calls in flight");
    assert_int_equal(b->done_count, 1);
    assert_int_equal(http_client_count(b->client), 8); /* tear_down drops them */
}

static void connections_are_reused_unless_told_otherwise(void **state)
{
    struct bench *b = *state;
    b->reply = "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n";
    struct http_request request = request_to(b);
    send_and_wait(b, &request);
    send_and_wait(b, &request);
    assert_int_equal(b->server.accepted_count, 1);
    request.fresh_connection = true;
    send_and_wait(b, &request);
    send_and_wait(b, &request);
    assert_int_equal(b->server.accepted_count, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_silent_reused_connection_is_no_failed_connect(void **state)
{
    struct bench *b = *state;
    struct http_request request = request_to(b);
    b->reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    send_and_wait(b, &request);
    assert_int_equal(b->outcome, HTTP_OUTCOME_ANSWERED);
    b->reply = NULL;
    request.total_timeout_ms = 30;
    send_and_wait(b, &request);
    assert_int_equal(b->server.accepted_count, 1);
    assert_int_equal(b->outcome, HTTP_OUTCOME_TIMEOUT);
    assert_string_equal(b->cause, "no whole answer within 30 ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_a_get_with_status_body_and_fields),
        TEST(sends_method_fields_and_body_as_given),
        TEST(speaks_over_a_unix_socket),
        TEST(a_refused_connection_says_so),
        TEST(an_answer_beyond_the_limit_is_cut_off),
        TEST(a_head_without_end_is_cut_off),
        TEST(endless_interim_answers_are_cut_off),
        TEST(what_is_not_http_is_a_bad_answer),
        TEST(a_peer_that_goes_away_is_seen),
        TEST(a_silent_server_meets_the_deadline),
        TEST(a_silent_answer_on_a_kept_connection_is_no_matter_of_connecting),
        TEST(a_silent_stream_meets_the_idle_limit),
        TEST(a_full_backlog_meets_the_connect_timeout),
        TEST(neither_redirects_nor_proxies_are_followed),
        TEST(a_reader_can_stop_a_stream),
        TEST(the_body_of_a_refusal_is_not_streamed),
        TEST(a_cancelled_call_calls_nobody),
        TEST(a_malformed_request_is_not_sent),
        TEST(calls_beyond_the_limit_are_not_sent),
        TEST(a_silent_reused_connection_is_no_failed_connect),
        TEST(connections_are_reused_unless_told_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
