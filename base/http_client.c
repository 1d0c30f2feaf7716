#include "base/http_client.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/http_end.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#define HTTP_CLIENT_IDLE_CONNECTIONS 32L

enum call_phase {
    CALL_QUEUED = 0, /* in the list `queued`, else in `calls` */
    CALL_RUNNING,
    CALL_FINISHING, /* inside on_done */
    CALL_DROPPED,   /* cancelled from inside curl; removed at the end of the turn */
};

struct http_call {
    TAILQ_ENTRY(http_call) link;
    struct http_client *client; /* (ref in loop's owner) */
    enum call_phase phase;
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    char error_text[CURL_ERROR_SIZE];
    const char *refusal; /* static; why it is never handed to curl */
    struct buf body;
    size_t head_bytes;
    int status;                /* of the final head; 0 before */
    enum http_outcome verdict; /* what a callback of ours decided; ANSWERED when nothing */
    int64_t started_at_us, last_byte_at_ms;
    int64_t connect_timeout_ms, total_timeout_ms, idle_timeout_ms;
    struct timer idle;
    http_done_cb on_done;
    http_head_cb on_head;
    http_piece_cb on_piece;
    void *owner;
};

TAILQ_HEAD(http_call_list, http_call);

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct http_call_list queued; /* curl does not know them yet */
    struct http_call_list calls;
    size_t count, calls_max;
    bool in_curl;     /* curl is on the stack: it must not be re-entered */
    bool has_dropped; /* a call was cancelled meanwhile */
    struct timer curl_timer;
    struct timer start_timer;
};

struct socket_watch {
    struct event event;
    struct http_client *client;
};

/* ---- the end of a call ---- */

static void call_free(struct http_call *call)
{
    struct http_client *client = call->client;
    TAILQ_REMOVE(call->phase == CALL_QUEUED ? &client->queued : &client->calls, call, link);
    client->count--;
    timer_stop(&call->idle);
    if (call->easy)
        curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    buf_fini(&call->body);
    free(call);
}

static struct http_end call_end(struct http_call *call, CURLcode code)
{
    struct http_end end = { .code = code,
                            .verdict = call->verdict,
                            .refusal = call->refusal,
                            .detail = call->error_text,
                            .status = call->status,
                            .connect_timeout_ms = call->connect_timeout_ms,
                            .total_timeout_ms = call->total_timeout_ms,
                            .idle_timeout_ms = call->idle_timeout_ms,
                            .response_bytes_max = call->body.limit_bytes };
    if (!call->easy)
        return end;
    curl_off_t connect_us = 0;
    curl_off_t tls_us = 0;
    curl_off_t ready_us = 0; /* also of a connection that was there already, which has no connect_us */
    const char *scheme = NULL;
    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &end.os_error);
    curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    curl_easy_getinfo(call->easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
    curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    curl_easy_getinfo(call->easy, CURLINFO_SCHEME, &scheme);
    bool is_tls = scheme && strcasecmp(scheme, "https") == 0;
    end.is_connected = ready_us > 0 || (connect_us > 0 && (!is_tls || tls_us > 0));
    return end;
}

static void call_finish(struct http_call *call, CURLcode code)
{
    char cause[CURL_ERROR_SIZE + 64];
    curl_off_t connect_us = 0;
    if (!call->refusal)
        curl_multi_remove_handle(call->client->multi, call->easy);
    call->phase = CALL_FINISHING;
    timer_stop(&call->idle);
    struct http_end end = call_end(call, code);
    http_end_describe(&end, cause, sizeof cause);
    if (call->easy)
        curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    struct http_response response = { .outcome = http_end_outcome(&end),
                                      .status = call->status,
                                      .body = { call->body.len ? call->body.at : "", call->body.len },
                                      .cause = cause,
                                      .connect_us = connect_us,
                                      .total_us = clock_now_us() - call->started_at_us,
                                      .call = call };
    call->on_done(call->owner, &response);
    call_free(call);
}

/* ---- curl's callbacks ---- */

static size_t on_curl_head(char *at, size_t size, size_t count, void *owner)
{
    struct http_call *call = owner;
    size_t len = size * count;
    if (call->phase != CALL_RUNNING)
        return 0;
    call->last_byte_at_ms = clock_now_ms();
    call->head_bytes += len;
    if (call->head_bytes > HTTP_CLIENT_HEAD_BYTES_MAX) {
        call->verdict = HTTP_OUTCOME_BAD_ANSWER;
        snprintf(call->error_text, sizeof call->error_text, "the head has more than %u bytes",
                 HTTP_CLIENT_HEAD_BYTES_MAX);
        return 0;
    }
    bool is_end = len > 0 && (at[0] == '\r' || at[0] == '\n');
    if (!is_end || call->status)
        return len;
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) {
        call->status = (int)status;
        if (call->on_head)
            call->on_head(call->owner, call->status);
    }
    return call->phase == CALL_RUNNING ? len : 0;
}

static size_t on_curl_body(char *at, size_t size, size_t count, void *owner)
{
    struct http_call *call = owner;
    size_t len = size * count;
    if (call->phase != CALL_RUNNING)
        return 0;
    call->last_byte_at_ms = clock_now_ms();
    if (call->on_piece && call->status >= 200 && call->status <= 299) {
        if (call->on_piece(call->owner, (struct slice){ at, len }))
            return call->phase == CALL_RUNNING ? len : 0;
        call->verdict = HTTP_OUTCOME_STOPPED;
        return 0;
    }
    if (call->body.limit_bytes && buf_append(&call->body, at, len))
        return len;
    call->verdict = HTTP_OUTCOME_TOO_LARGE;
    return 0;
}

/* What can only be done while curl is not on the stack: finish calls, and free those cancelled meanwhile. */
static void client_end_turn(struct http_client *client)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left))) {
        struct http_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        if (call->phase == CALL_RUNNING)
            call_finish(call, code);
    }
    if (!client->has_dropped)
        return;
    client->has_dropped = false;
    for (struct http_call *call = TAILQ_FIRST(&client->calls), *next; call; call = next) {
        next = TAILQ_NEXT(call, link);
        if (call->phase != CALL_DROPPED)
            continue;
        curl_multi_remove_handle(client->multi, call->easy);
        call_free(call);
    }
}

static void client_act(struct http_client *client, curl_socket_t fd, int what)
{
    int running;
    client->in_curl = true;
    curl_multi_socket_action(client->multi, fd, what, &running);
    client->in_curl = false;
    client_end_turn(client);
}

static void socket_on_ready(evutil_socket_t fd, short what, void *owner)
{
    struct socket_watch *watch = owner; /* may be freed by curl's answer */
    int actions = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    client_act(watch->client, fd, actions);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *socket_owner)
{
    (void)easy;
    struct http_client *client = owner;
    struct socket_watch *watch = socket_owner;
    if (watch)
        event_del(&watch->event);
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(client->multi, fd, NULL);
        free(watch);
        return 0;
    }
    if (!watch) {
        watch = mem_alloc(sizeof *watch);
        watch->client = client;
        curl_multi_assign(client->multi, fd, watch);
    }
    short wanted = EV_PERSIST;
    wanted |= what & CURL_POLL_IN ? EV_READ : 0;
    wanted |= what & CURL_POLL_OUT ? EV_WRITE : 0;
    check(event_assign(&watch->event, loop_base(client->loop), fd, wanted, socket_on_ready, watch) == 0);
    if (event_add(&watch->event, NULL) != 0)
        return -1; /* curl fails the call */
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *owner)
{
    (void)multi;
    struct http_client *client = owner;
    if (timeout_ms < 0)
        timer_stop(&client->curl_timer);
    else
        timer_start(&client->curl_timer, timeout_ms);
    return 0;
}

static void client_on_curl_timer(void *owner)
{
    client_act(owner, CURL_SOCKET_TIMEOUT, 0);
}

static void call_on_idle(void *owner)
{
    struct http_call *call = owner;
    int64_t left_ms = call->last_byte_at_ms + call->idle_timeout_ms - clock_now_ms();
    if (left_ms > 0) {
        timer_start(&call->idle, left_ms);
        return;
    }
    call->verdict = HTTP_OUTCOME_SILENT;
    call_finish(call, CURLE_OPERATION_TIMEDOUT);
}

static void call_start(struct http_call *call)
{
    struct http_client *client = call->client;
    TAILQ_REMOVE(&client->queued, call, link);
    TAILQ_INSERT_TAIL(&client->calls, call, link);
    call->phase = CALL_RUNNING;
    if (!call->refusal) {
        client->in_curl = true;
        CURLMcode added = curl_multi_add_handle(client->multi, call->easy);
        client->in_curl = false;
        if (added != CURLM_OK)
            call->refusal = curl_multi_strerror(added);
    }
    if (call->refusal)
        call_finish(call, CURLE_OK);
    else if (call->idle_timeout_ms > 0)
        timer_start(&call->idle, call->idle_timeout_ms);
}

static void client_on_start_timer(void *owner)
{
    struct http_client *client = owner;
    struct http_call *call;
    size_t turns = 0;
    /* Only what is queued now: a callback may queue more, without end. It may also cancel any. */
    TAILQ_FOREACH (call, &client->queued, link)
        turns++;
    for (; turns > 0 && (call = TAILQ_FIRST(&client->queued)); turns--)
        call_start(call); /* NOLINT(clang-analyzer-unix.Malloc): it does not follow sys/queue.h */
    if (!TAILQ_EMPTY(&client->queued))
        timer_start(&client->start_timer, 0);
}

/* ---- the begin of a call ---- */

static const char *find_refusal(const struct http_client *client, const struct http_request *request)
{
    if (client->count >= client->calls_max)
        return "too many calls in flight";
    if (!request->url || (strncmp(request->url, "http://", 7) != 0 && strncmp(request->url, "https://", 8) != 0))
        return "the URL is neither http:// nor https://";
    for (const char *c = request->url; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return "the URL has a character that is not allowed";
    for (size_t i = 0; i < request->header_count; i++)
        if (strpbrk(request->headers[i], "\r\n"))
            return "a header field has a line break";
    if (request->connect_timeout_ms <= 0)
        return "no connect timeout";
    return NULL;
}

static void call_add_header(struct http_call *call, const char *line)
{
    struct curl_slist *grown = curl_slist_append(call->headers, line);
    check(grown != NULL);
    call->headers = grown;
}

static void call_set_method(struct http_call *call, const struct http_request *request)
{
    const char *method = request->method ? request->method : "GET";
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request->body.len > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, request->body.len ? request->body.at : "");
    }
    curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void call_set_headers(struct http_call *call, const struct http_request *request)
{
    call_add_header(call, "Expect:"); /* curl would wait a second for 100 Continue */
    if (request->fresh_connection)
        call_add_header(call, "Connection: close");
    for (size_t i = 0; i < request->header_count; i++)
        call_add_header(call, request->headers[i]);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static void call_set_transport(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    /* It keeps addresses in seven lists and walks all of them for each call: 4,000 of them cost more than the calls. */
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket_path);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->fresh_connection ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, request->fresh_connection ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_HAPROXYPROTOCOL, request->sends_proxy_header ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->tls_ca)
        curl_easy_setopt(easy, CURLOPT_CAINFO, request->tls_ca);
    if (request->tls_cert)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, request->tls_cert);
    if (request->tls_key)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, request->tls_key);
}

static void call_prepare(struct http_call *call, const struct http_request *request)
{
    call->easy = curl_easy_init();
    check(call->easy != NULL);
    curl_easy_setopt(call->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(call->easy, CURLOPT_USERAGENT, "portico");
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->error_text);
    curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, on_curl_head);
    curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_curl_body);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    call_set_transport(call, request);
    call_set_method(call, request);
    call_set_headers(call, request);
}

/* ---- public ---- */

struct http_client *http_client_new(struct loop *loop, size_t calls_max)
{
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    struct http_client *client = mem_alloc(sizeof *client);
    client->loop = loop;
    client->calls_max = calls_max;
    TAILQ_INIT(&client->queued);
    TAILQ_INIT(&client->calls);
    timer_init(&client->curl_timer, loop, client_on_curl_timer, client);
    timer_init(&client->start_timer, loop, client_on_start_timer, client);
    client->multi = curl_multi_init();
    check(client->multi != NULL);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, HTTP_CLIENT_IDLE_CONNECTIONS);
    curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    check(!client->in_curl);
    struct http_call *call;
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): it does not follow sys/queue.h */
    while ((call = TAILQ_FIRST(&client->queued)))
        call_free(call);
    while ((call = TAILQ_FIRST(&client->calls))) {
        curl_multi_remove_handle(client->multi, call->easy);
        call_free(call);
    }
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
    curl_multi_cleanup(client->multi);
    timer_stop(&client->curl_timer);
    timer_stop(&client->start_timer);
    free(client);
    curl_global_cleanup();
}

struct http_call *http_client_send(struct http_client *client, const struct http_request *request)
{
    check(request->on_done != NULL);
    struct http_call *call = mem_alloc(sizeof *call);
    call->client = client;
    call->on_done = request->on_done;
    call->on_head = request->on_head;
    call->on_piece = request->on_piece;
    call->owner = request->owner;
    call->connect_timeout_ms = request->connect_timeout_ms;
    call->total_timeout_ms = request->total_timeout_ms;
    call->idle_timeout_ms = request->idle_timeout_ms;
    call->started_at_us = clock_now_us();
    call->last_byte_at_ms = clock_now_ms();
    buf_init(&call->body, request->response_bytes_max);
    timer_init(&call->idle, client->loop, call_on_idle, call);
    call->refusal = find_refusal(client, request);
    if (!call->refusal)
        call_prepare(call, request);
    if (TAILQ_EMPTY(&client->queued))
        timer_start(&client->start_timer, 0);
    TAILQ_INSERT_TAIL(&client->queued, call, link);
    client->count++;
    return call;
}

void http_client_cancel(struct http_client *client, struct http_call *call)
{
    if (call->phase == CALL_FINISHING || call->phase == CALL_DROPPED)
        return;
    if (call->phase == CALL_QUEUED) {
        call_free(call);
        return;
    }
    if (client->in_curl) {
        call->phase = CALL_DROPPED;
        client->has_dropped = true;
        timer_stop(&call->idle);
        return;
    }
    curl_multi_remove_handle(client->multi, call->easy);
    call_free(call);
}

size_t http_client_count(const struct http_client *client)
{
    return client->count;
}

const char *http_response_find_header(const struct http_response *response, const char *name)
{
    struct curl_header *field = NULL;
    if (!response->call || !response->call->easy)
        return NULL;
    if (curl_easy_header(response->call->easy, name, 0, CURLH_HEADER, -1, &field) != CURLHE_OK)
        return NULL;
    return field->value;
}
