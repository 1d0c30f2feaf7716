/* fleet_bench: the data plane without its process: a fleet of real workers on loopback, two endpoints, and a client, which is the
 * test itself. The workers have threads of their own; the main thread's loop is turned only to wait for acknowledgements. */
#ifndef TESTS_UNIT_PROXY_PROCESS_FLEET_BENCH_H
#define TESTS_UNIT_PROXY_PROCESS_FLEET_BENCH_H

#include "proxy/process/fleet.h"

#include "base/mem.h"
#include "tests/unit/proxy/process/tiny_upstream.h"

#include <sys/time.h>

#define WORKERS 2
#define ANSWER_SECONDS_MAX 20

struct bench {
    struct loop *loop;
    struct stats_region *stats;
    struct fleet *fleet;
    struct tiny_upstream a, b;
    int listen_fds[WORKERS], port;
    uint64_t serial, taken_serial;
    int draining_count;
    bool has_stopped;
};

static inline void on_taken(void *owner, uint64_t serial)
{
    struct bench *b = owner;
    b->taken_serial = serial;
    loop_stop(b->loop);
}

static inline void on_stopped(void *owner)
{
    struct bench *b = owner;
    b->has_stopped = true;
    loop_stop(b->loop);
}

static inline void on_draining(void *owner)
{
    struct bench *b = owner;
    b->draining_count++;
}

static const struct fleet_callbacks callbacks = { on_taken, on_draining, on_stopped };

static inline int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    int stats_fd = stats_create_fd(WORKERS, NULL);
    b->loop = loop_new();
    b->stats = stats_map_writer(stats_fd, WORKERS, NULL);
    assert_non_null(b->stats);
    close(stats_fd);
    for (int w = 0; w < WORKERS; w++)
        b->listen_fds[w] = loopback_listen(&b->port);
    tiny_upstream_start(&b->a, 'a');
    tiny_upstream_start(&b->b, 'b');
    b->fleet = fleet_new(&(struct fleet_options){ .loop = b->loop,
                                                  .stats = b->stats,
                                                  .listen_fds = b->listen_fds,
                                                  .listener_count = 1,
                                                  .sockets_per_listener = WORKERS,
                                                  .workers = WORKERS,
                                                  .access_log_fd = -1 },
                         &callbacks, b);
    *state = b;
    return 0;
}

static inline void drain(struct bench *b)
{
    fleet_drain(b->fleet);
    while (!b->has_stopped)
        loop_run(b->loop);
}

static inline int tear_down(void **state)
{
    struct bench *b = *state;
    drain(b);
    fleet_free(b->fleet);
    tiny_upstream_stop(&b->a);
    tiny_upstream_stop(&b->b);
    stats_unmap(b->stats);
    loop_free(b->loop);
    free(b);
    return 0;
}

static inline bool publish(struct bench *b, const char *services, const char *routes, struct error *error)
{
    char *text = mem_printf("{\"version\":1,\"serial\":%llu,\"services\":%s,\"routes\":%s}",
                            (unsigned long long)++b->serial, services, routes);
    json_t *document = json_loads(text, 0, NULL);
    assert_non_null(document);
    bool ok = fleet_publish(b->fleet, document, error);
    json_decref(document);
    free(text);
    return ok;
}

static inline void wait_until_taken(struct bench *b)
{
    while (b->taken_serial != b->serial)
        loop_run(b->loop);
}

/* All routes lead to "web" with endpoints on these ports; 0: none. */
static inline void serve(struct bench *b, int first_port, int second_port)
{
    struct error error = { "" };
    char *first = first_port ? mem_printf("{\"id\":\"1\",\"address\":\"127.0.0.1:%d\"}", first_port) : mem_strdup("");
    char *second =
        second_port ? mem_printf(",{\"id\":\"2\",\"address\":\"127.0.0.1:%d\"}", second_port) : mem_strdup("");
    char *services = mem_printf("[{\"name\":\"web\",\"endpoints\":[%s%s]},{\"name\":\"empty\"}]", first, second);
    if (!publish(b, services,
                 "[{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"},"
                 "{\"host\":\"*\",\"path\":\"/empty\",\"service\":\"empty\"}]",
                 &error))
        fail_msg("%s", error.text);
    free(first);
    free(second);
    free(services);
    wait_until_taken(b);
}

static inline int client_connect(struct bench *b)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)b->port) };
    struct timeval patience = { .tv_sec = ANSWER_SECONDS_MAX };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void client_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One answer with Content-Length; returns its status, and its body in `body`. */
static inline int client_read(int fd, char *body, size_t size)
{
    char head[2048];
    size_t len = 0, body_len;
    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        assert_in_range(len, 0, sizeof head - 2);
        if (recv(fd, head + len, 1, 0) != 1)
            fail_msg("no whole answer: %.*s", (int)len, head);
        len++;
    }
    head[len] = '\0';
    char *length = strstr(head, "Content-Length: ");
    assert_non_null(length);
    body_len = strtoul(length + 16, NULL, 10);
    assert_in_range(body_len, 0, size - 1);
    assert_int_equal(recv(fd, body, body_len, MSG_WAITALL), body_len);
    body[body_len] = '\0';
    return (int)strtol(head + 9, NULL, 10);
}

static inline void check_answer(int fd, int status, const char *body)
{
    char got[1024];
    assert_int_equal(client_read(fd, got, sizeof got), status);
    if (body)
        assert_string_equal(got, body);
}

static inline void ask(int fd, const char *target)
{
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    client_send(fd, request);
}

static inline void assert_closed(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

#endif
