#include "admin/server.h"

#include "admin/connections.h"
#include "admin/guard.h"
#include "admin/handlers.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/listen_address.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#define LISTEN_BACKLOG 128

static_assert(ADMIN_HEAD_BYTES_MAX + ADMIN_BODY_BYTES_MAX <= CONNECTIONS_INPUT_BYTES_MAX,
              "evhttp collects a whole body");

struct admin_server {
    struct admin_parts parts;
    struct evhttp *http;             /* owned; owns the listener */
    struct evconnlistener *listener; /* (owned by http) */
    struct connections connections;
    struct listen_address bound;
    char bound_host[LISTEN_ADDRESS_SIZE]; /* as in a Host field, without port */
    char *token;                          /* owned; null: none */
    char **allowed_hosts;                 /* owned */
    size_t allowed_host_count;
};

static const admin_handler_cb handlers[] = {
#define ADMIN_ROUTE(id, method, path, handler, access, schema, summary) handler,
#include "admin/admin_routes.def"
};

/* A request and its answer, until that is sent: at once, or when the store has answered. */
struct admin_exchange {
    struct admin_reply reply;            /* first */
    struct admin_server *server;         /* borrowed; null: the client is gone, and perhaps the server */
    struct evhttp_request *http_request; /* evhttp's */
    bool is_order;                       /* it was let in, and changes something: for the log */
};

/* ---- what arrives ---- */

static enum admin_method method_of(struct evhttp_request *http_request)
{
    switch (evhttp_request_get_command(http_request)) {
    case EVHTTP_REQ_GET:
    case EVHTTP_REQ_HEAD:
        return ADMIN_METHOD_GET;
    case EVHTTP_REQ_PATCH:
        return ADMIN_METHOD_PATCH;
    case EVHTTP_REQ_POST:
        return ADMIN_METHOD_POST;
    case EVHTTP_REQ_DELETE:
        return ADMIN_METHOD_DELETE;
    default:
        return ADMIN_METHOD_OTHER;
    }
}

static bool has_body_method(struct evhttp_request *http_request)
{
    enum evhttp_cmd_type command = evhttp_request_get_command(http_request);
    return command == EVHTTP_REQ_PATCH || command == EVHTTP_REQ_POST || command == EVHTTP_REQ_PUT;
}

static void reply_refusal(struct admin_reply *reply, const struct guard_verdict *verdict)
{
    admin_reply_error(reply, verdict->status, verdict->code, NULL, "%s", verdict->message);
    /* Unread or doubtful bytes may follow a message whose framing was refused. */
    reply->must_close = verdict->status == 400 || verdict->status == 411;
}

static void reply_unmatched(struct admin_reply *reply, const struct router_match *match)
{
    if (match->outcome == ROUTER_METHOD_NOT_ALLOWED) {
        admin_reply_error(reply, 405, "method_not_allowed", NULL, "allowed are %s", match->allow);
        memcpy(reply->allow, match->allow, sizeof reply->allow);
    } else if (match->outcome == ROUTER_HAS_QUERY) {
        admin_reply_error(reply, 400, "invalid_request", NULL, "this call takes no query");
    } else {
        admin_reply_error(reply, 404, "not_found", NULL, "no such path; GET / names those that exist");
    }
}

/* For histories: where the order came from. */
static void write_who(struct evhttp_request *http_request, char out[64])
{
    char *address = NULL;
    ev_uint16_t port = 0;
    evhttp_connection_get_peer(evhttp_request_get_connection(http_request), &address, &port);
    snprintf(out, 64, "admin API, %.45s", address != NULL ? address : "?");
}

static bool is_key(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] > '~')
            return false;
    return len >= 1 && len <= IDEMPOTENCY_KEY_BYTES_MAX;
}

/* What of the request is not the handler's to refuse. */
static bool read_request(const struct router_match *match, const struct guard_claims *claims,
                         struct admin_request *request, struct admin_reply *reply)
{
    char field[64];
    struct error error = { .text = "" };
    request->if_match = claims->if_match;
    request->if_none_match = claims->if_none_match;
    request->idempotency_key = claims->idempotency_key;
    if (!query_read(match->route, match->query, &request->query, field, &error))
        admin_reply_error(reply, 400, "invalid_request", *field ? field : NULL, "%s", error.text);
    else if (claims->idempotency_key && !is_key(claims->idempotency_key))
        admin_reply_error(reply, 400, "invalid_request", "Idempotency-Key", "must be 1 to %d printable characters",
                          IDEMPOTENCY_KEY_BYTES_MAX);
    else
        return true;
    return false;
}

static void run_handler(struct admin_server *server, const struct router_match *match,
                        const struct guard_claims *claims, struct evhttp_request *http_request,
                        struct admin_reply *reply)
{
    char who[64];
    struct evbuffer *input = evhttp_request_get_input_buffer(http_request);
    size_t len = evbuffer_get_length(input);
    struct admin_request request = {
        .route = match->route,
        .parameter = match->parameter,
        .body = { len ? (const char *)evbuffer_pullup(input, -1) : "", len },
        .who = who,
    };
    check(request.body.at != NULL);
    write_who(http_request, who);
    ((struct admin_exchange *)reply)->is_order = router_route(match->route)->method != ADMIN_METHOD_GET;
    if (read_request(match, claims, &request, reply))
        handlers[match->route](&server->parts, &request, reply);
}

static void answer(struct admin_server *server, struct evhttp_request *http_request, struct admin_reply *reply)
{
    struct guard_policy policy = { server->token, server->bound_host, server->bound.port, server->allowed_hosts,
                                   server->allowed_host_count };
    struct guard_claims claims = { .host = NULL };
    struct evkeyval *field;
    for (field = evhttp_request_get_input_headers(http_request)->tqh_first; field; field = field->next.tqe_next)
        guard_claims_add(&claims, field->key, field->value);

    struct router_match match;
    router_find(method_of(http_request), slice_of(evhttp_request_get_uri(http_request)), &match);
    bool is_open = match.outcome == ROUTER_FOUND && router_route(match.route)->is_open;
    struct guard_verdict verdict = guard_check_sender(&policy, &claims, has_body_method(http_request), is_open);
    if (verdict.is_allowed && match.outcome != ROUTER_FOUND) {
        reply_unmatched(reply, &match);
        return;
    }
    if (verdict.is_allowed && router_route(match.route)->method != ADMIN_METHOD_GET)
        verdict = guard_check_media_type(&claims);
    if (verdict.is_allowed)
        run_handler(server, &match, &claims, http_request, reply);
    else
        reply_refusal(reply, &verdict);
}

/* ---- what leaves ---- */

static void add_fields(struct evkeyvalq *fields, const struct admin_reply *reply)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", reply->body.len);
    if (reply->status != 304) { /* whose fields would speak of what is not sent: RFC 9110 8.6, 15.4.5 */
        evhttp_add_header(fields, "Content-Type", reply->content_type);
        evhttp_add_header(fields, "Content-Length", length);
    }
    evhttp_add_header(fields, "Cache-Control", "no-store");
    evhttp_add_header(fields, "X-Content-Type-Options", "nosniff");
    if (reply->status == 401)
        evhttp_add_header(fields, "WWW-Authenticate", "Bearer realm=\"portico\"");
    if (reply->etag[0])
        evhttp_add_header(fields, "ETag", reply->etag);
    if (reply->allow[0])
        evhttp_add_header(fields, "Allow", reply->allow);
    if (reply->must_close)
        evhttp_add_header(fields, "Connection", "close");
}

static void send_reply(struct admin_server *server, struct evhttp_request *http_request,
                       const struct admin_reply *reply)
{
    struct evbuffer *body = evbuffer_new();
    check(body != NULL);
    add_fields(evhttp_request_get_output_headers(http_request), reply);
    if (evhttp_request_get_command(http_request) != EVHTTP_REQ_HEAD)
        check(evbuffer_add(body, reply->body.at, reply->body.len) == 0);
    connections_begin_answer(&server->connections, http_request, evbuffer_get_length(body), clock_now_ms());
    evhttp_send_reply(http_request, reply->status, NULL, body);
    evbuffer_free(body);
}

static void exchange_free(struct admin_exchange *exchange)
{
    admin_reply_fini(&exchange->reply);
    free(exchange);
}

static void exchange_send(struct admin_exchange *exchange)
{
    if (exchange->is_order)
        log_info("admin: %s %s: %d", admin_method_to_str(method_of(exchange->http_request)),
                 evhttp_request_get_uri(exchange->http_request), exchange->reply.status);
    send_reply(exchange->server, exchange->http_request, &exchange->reply);
}

/* The client does not wait any more: what it ordered is done all the same, and the answer goes nowhere. */
static void exchange_on_gone(void *owner)
{
    struct admin_exchange *exchange = owner;
    if (exchange->is_order)
        log_info("admin: %s %s: its client left before the answer",
                 admin_method_to_str(method_of(exchange->http_request)),
                 evhttp_request_get_uri(exchange->http_request));
    /* evhttp frees it with its connection; but after an error it has let go of it, for us to free. */
    if (!evhttp_request_get_connection(exchange->http_request))
        evhttp_request_free(exchange->http_request);
    exchange->server = NULL;
    exchange->http_request = NULL;
}

static void exchange_on_finish(struct admin_reply *reply)
{
    struct admin_exchange *exchange = (struct admin_exchange *)reply;
    if (exchange->server) {
        struct evhttp_connection *evcon = evhttp_request_get_connection(exchange->http_request);
        connections_watch(&exchange->server->connections, evcon, NULL, NULL);
        exchange_send(exchange);
    }
    exchange_free(exchange);
}

static void server_on_request(struct evhttp_request *http_request, void *arg)
{
    struct admin_server *server = arg;
    struct admin_exchange *exchange = mem_alloc(sizeof *exchange);
    exchange->server = server;
    exchange->http_request = http_request;
    admin_reply_init(&exchange->reply);
    exchange->reply.on_finish = exchange_on_finish;
    answer(server, http_request, &exchange->reply);
    if (exchange->reply.waits) {
        connections_watch(&server->connections, evhttp_request_get_connection(http_request), exchange_on_gone,
                          exchange);
        return;
    }
    exchange_send(exchange);
    exchange_free(exchange);
}

/* ---- listening ---- */

/* What the socket is really bound to decides, not the text in the configuration. */
static bool read_bound_address(int fd, struct listen_address *out, struct error *error)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;
    *out = (struct listen_address){ .port = 0 };
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return error_set_errno(error, "admin.address: getsockname");
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        memcpy(out->ip, &v4->sin_addr, sizeof v4->sin_addr);
        out->port = ntohs(v4->sin_port);
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        memcpy(out->ip, &v6->sin6_addr, sizeof v6->sin6_addr);
        out->is_ipv6 = true;
        out->port = ntohs(v6->sin6_port);
    } else {
        return error_set(error, "admin.address: the listening socket is neither IPv4 nor IPv6");
    }
    return true;
}

static socklen_t fill_sockaddr(const struct listen_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (address->is_ipv6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        memcpy(&v6->sin6_addr, address->ip, sizeof v6->sin6_addr);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    memcpy(&v4->sin_addr, address->ip, sizeof v4->sin_addr);
    return sizeof *v4;
}

static int open_socket(const char *text, struct error *error)
{
    struct listen_address address;
    struct sockaddr_storage bare;
    int on = 1;
    if (!listen_address_parse(text, &address)) {
        error_set(error, "admin.address %s: must be IP:port, such as 127.0.0.1:9900 or [::1]:9900", text);
        return -1;
    }
    socklen_t len = fill_sockaddr(&address, &bare);
    int fd = socket(bare.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error_set_errno(error, "admin.address %s", text);
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(fd, (struct sockaddr *)&bare, len) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0) {
        error_set_errno(error, "admin.address %s", text);
        close(fd);
        return -1;
    }
    return fd;
}

static bool check_token_is_there(const struct admin_server *server, const char *token, struct error *error)
{
    char text[LISTEN_ADDRESS_SIZE];
    if (listen_address_is_loopback(&server->bound) || (token && *token))
        return true;
    listen_address_print(&server->bound, text);
    return error_set(error, "admin.token: required, since admin.address %s is not loopback", text);
}

static void copy_policy(struct admin_server *server, const char *token, char *const *allowed_hosts, size_t count)
{
    server->token = token && *token ? mem_strdup(token) : NULL;
    server->allowed_hosts = mem_alloc_array(count, sizeof *server->allowed_hosts);
    server->allowed_host_count = count;
    for (size_t i = 0; i < count; i++)
        server->allowed_hosts[i] = mem_strdup(allowed_hosts[i]);
}

static void free_policy(char *token, char **allowed_hosts, size_t count)
{
    if (token)
        explicit_bzero(token, strlen(token));
    free(token);
    for (size_t i = 0; i < count; i++)
        free(allowed_hosts[i]);
    free(allowed_hosts);
}

static void start_http(struct admin_server *server, int fd)
{
    server->http = evhttp_new(loop_base(server->parts.loop));
    check(server->http != NULL);
    evhttp_set_max_headers_size(server->http, ADMIN_HEAD_BYTES_MAX);
    evhttp_set_max_body_size(server->http, ADMIN_BODY_BYTES_MAX);
    /* So that the client of a refused long body reads the answer instead of a reset. */
    evhttp_set_flags(server->http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_PATCH | EVHTTP_REQ_POST |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
    evhttp_set_gencb(server->http, server_on_request, server);
    server->listener = evconnlistener_new(loop_base(server->parts.loop), NULL, NULL,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    check(server->listener != NULL);
    check(evhttp_bind_listener(server->http, server->listener) != NULL);
    connections_init(&server->connections, server->parts.loop, server->http, server->listener);
}

struct admin_server *admin_server_new(const struct admin_parts *parts, struct error *error)
{
    const struct config_admin *config = parts->config;
    int fd = parts->listen_fd >= 0 ? parts->listen_fd : open_socket(config->address, error);
    if (fd < 0)
        return NULL;
    struct admin_server *server = mem_alloc(sizeof *server);
    server->parts = *parts;
    server->parts.config = NULL;
    if (!read_bound_address(fd, &server->bound, error) || !check_token_is_there(server, config->token, error) ||
        (evutil_make_socket_nonblocking(fd) != 0 && !error_set_errno(error, "admin.address %s", config->address))) {
        if (fd != parts->listen_fd)
            close(fd);
        free(server);
        return NULL;
    }
    listen_address_print(&server->bound, server->bound_host);
    *strrchr(server->bound_host, ':') = '\0';
    copy_policy(server, config->token, config->allowed_hosts, config->allowed_host_count);
    start_http(server, fd);
    log_info("admin: listening on %s:%u%s", server->bound_host, server->bound.port,
             server->token ? "" : " without token");
    return server;
}

void admin_server_free(struct admin_server *server)
{
    connections_fini(&server->connections);
    evhttp_free(server->http);
    free_policy(server->token, server->allowed_hosts, server->allowed_host_count);
    free(server);
}

bool admin_server_reconfigure(struct admin_server *server, const char *token, char *const *allowed_hosts,
                              size_t allowed_host_count, struct error *error)
{
    if (!check_token_is_there(server, token, error))
        return false;
    char *old_token = server->token, **old_hosts = server->allowed_hosts;
    size_t old_count = server->allowed_host_count;
    copy_policy(server, token, allowed_hosts, allowed_host_count);
    free_policy(old_token, old_hosts, old_count);
    return true;
}

uint16_t admin_server_port(const struct admin_server *server)
{
    return server->bound.port;
}
