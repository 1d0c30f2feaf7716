/* flood: thousands of clients that misbehave, in one process and one thread, for the tests that look at what they do to
 * others. Loopback only.
 *
 *   flood --port P --mode MODE --connections N [--interval-ms 1000] [--bytes B] [--path /] [--sources S] [--per-second R]
 *         [--again]
 *
 *   idle             one request each, then nothing
 *   slow-heads       a head that never ends, one byte each interval
 *   stalled-bodies   a head that announces a body, a few bytes of it, then nothing
 *   slow-bodies      the same, but --bytes of the body each interval
 *   slow-readers     asks for PATH and reads --bytes of the answer each interval (with a small receive buffer)
 *   resets           goes as far as a phase chosen by chance and resets the connection (RST); then the next
 *
 * Connections come from --sources addresses (127.0.1.1 and up), at most --per-second (5000) new ones a second; with
 * --again one that the server closed is opened anew. Each 100 ms, and at the end, one line of JSON on standard output.
 * Ends with SIGTERM, or when its standard input ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 2 /* short, so that a rate is a flow and not a row of bursts */
#define REPORT_MS 100
#define HEAD_BYTES_MAX 1024
#define PENDING_MAX 256

enum mode { IDLE = 0, SLOW_HEADS, STALLED_BODIES, SLOW_BODIES, SLOW_READERS, RESETS, MODE_COUNT };
static const char *const mode_names[MODE_COUNT] = { "idle",        "slow-heads",   "stalled-bodies",
                                                    "slow-bodies", "slow-readers", "resets" };

/* Where a connection of `resets` ends. */
enum reset_phase {
    AFTER_CONNECT = 0,
    INSIDE_HEAD,
    BEHIND_HEAD,
    INSIDE_BODY,
    AT_FIRST_BYTE,
    INSIDE_ANSWER,
    BEHIND_ANSWER_ON_NEXT_HEAD,
    RESET_PHASE_COUNT
};

enum client_state { CLOSED = 0, CONNECTING, OPEN };

struct client {
    int fd;
    enum client_state state;
    enum reset_phase phase;
    int64_t due_ms; /* of the next slow step */
    uint32_t sent;  /* of the request */
    uint64_t received;
    bool is_answered, has_ended; /* ended: closed by the server */
};

static struct {
    enum mode mode;
    int port, connections, interval_ms, sources, per_second, bytes;
    bool again;
    const char *path;
} options = { .interval_ms = 1000, .sources = 1, .per_second = 5000, .bytes = 1024, .path = "/" };

static struct client *clients;
static int poll_fd;
static volatile sig_atomic_t is_over;
static char request[HEAD_BYTES_MAX + 1];
static size_t request_len;
static int open_count, pending_count, next_closed;
static uint64_t opened, answered, refused, closed_by_server, broken_by_server, resets, received_bytes;
static uint64_t statuses[6];
static uint64_t random_state = 1;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* xorshift64* */
static uint64_t random_next(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717ull;
}

static void report(void)
{
    printf(
        "{\"open\":%d,\"pending\":%d,\"opened\":%llu,\"answered\":%llu,\"refused\":%llu,\"closed_by_server\":%llu,"
        "\"broken_by_server\":%llu,\"resets\":%llu,\"received_bytes\":%llu,\"2xx\":%llu,\"4xx\":%llu,\"5xx\":%llu}\n",
        open_count, pending_count, (unsigned long long)opened, (unsigned long long)answered,
        (unsigned long long)refused, (unsigned long long)closed_by_server, (unsigned long long)broken_by_server,
        (unsigned long long)resets, (unsigned long long)received_bytes, (unsigned long long)statuses[2],
        (unsigned long long)statuses[4], (unsigned long long)statuses[5]);
    fflush(stdout);
}

/* ---- opening and closing */

static void client_close(struct client *c, bool with_reset)
{
    if (c->state == CLOSED)
        return;
    open_count -= c->state == OPEN;
    pending_count -= c->state == CONNECTING;
    if (with_reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
    close(c->fd);
    c->state = CLOSED;
}

static void client_ended(struct client *c, uint64_t *counter)
{
    (*counter)++;
    c->has_ended = true;
    client_close(c, false);
}

static void client_open(struct client *c)
{
    int one = 1, small = 4096, index = (int)(c - clients);
    struct sockaddr_in from = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(0x7f000101u + (uint32_t)(index % options.sources)) };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)options.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    *c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
    if (c->fd < 0) {
        perror("flood: socket");
        exit(1);
    }
    setsockopt(c->fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0)
        perror("flood: bind");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (options.mode == SLOW_READERS)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    c->state = CONNECTING;
    c->phase = (enum reset_phase)(random_next() % RESET_PHASE_COUNT);
    pending_count++;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = (uint32_t)index };
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        client_ended(c, &refused);
    else
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

/* Looks for closed ones in turn; those that the server closed stay closed without --again. */
static void open_some(int budget)
{
    for (int looked = 0; looked < options.connections && budget > 0 && pending_count < PENDING_MAX; looked++) {
        struct client *c = &clients[next_closed];
        next_closed = (next_closed + 1) % options.connections;
        if (c->state != CLOSED || (c->has_ended && !options.again))
            continue;
        client_open(c);
        budget--;
    }
}

/* ---- what comes back */

static void note_status(struct client *c, const char *bytes, ssize_t len)
{
    if (c->is_answered)
        return;
    c->is_answered = true;
    answered++;
    if (len > 9 && bytes[9] >= '1' && bytes[9] <= '5')
        statuses[bytes[9] - '0']++;
}

/* False when there is nothing more, or the connection is no more. */
static bool client_receive(struct client *c, size_t most)
{
    static char bytes[65536];
    ssize_t got = recv(c->fd, bytes, most < sizeof bytes ? most : sizeof bytes, 0);
    if (got > 0) {
        note_status(c, bytes, got);
        c->received += (uint64_t)got;
        received_bytes += (uint64_t)got;
        return true;
    }
    if (got == 0)
        client_ended(c, &closed_by_server);
    else if (errno != EAGAIN)
        client_ended(c, &broken_by_server);
    return false;
}

/* ---- sending */

/* A connection that takes no more may still hold its answer: that is read first, as by anybody who waits for one. */
static void client_broken(struct client *c)
{
    while (c->state == OPEN && client_receive(c, SIZE_MAX))
        ;
    if (c->state == OPEN)
        client_ended(c, &broken_by_server);
}

static bool client_send(struct client *c, size_t until)
{
    until = until < request_len ? until : request_len;
    if (c->sent >= until)
        return true;
    ssize_t put = send(c->fd, request + c->sent, until - c->sent, MSG_NOSIGNAL);
    if (put > 0)
        c->sent += (uint32_t)put;
    if (put < 0 && errno != EAGAIN)
        client_broken(c);
    return put > 0;
}

static void send_body_piece(struct client *c)
{
    static const char piece[4096];
    size_t len = (size_t)options.bytes < sizeof piece ? (size_t)options.bytes : sizeof piece;
    if (send(c->fd, piece, len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        client_broken(c);
}

static void reset(struct client *c)
{
    resets++;
    client_close(c, true);
}

static void start_reset_phase(struct client *c)
{
    size_t head_len = (size_t)(strstr(request, "\r\n\r\n") + 4 - request);
    switch (c->phase) {
    case AFTER_CONNECT:
        reset(c);
        break;
    case INSIDE_HEAD:
        client_send(c, head_len / 2);
        break;
    case BEHIND_HEAD:
        client_send(c, head_len);
        break;
    case INSIDE_BODY:
        client_send(c, head_len + (request_len - head_len) / 2);
        break;
    default:
        client_send(c, request_len);
        return; /* reset when the answer comes */
    }
    if (c->state == OPEN && c->phase != AFTER_CONNECT)
        c->due_ms = now_ms() + (int64_t)(random_next() % 20);
}

static void client_on_connected(struct client *c)
{
    int cause = 0;
    socklen_t len = sizeof cause;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &cause, &len);
    if (cause != 0) {
        client_ended(c, &refused);
        return;
    }
    pending_count--;
    open_count++;
    opened++;
    c->state = OPEN;
    c->due_ms = options.mode == RESETS || options.mode == IDLE || options.mode == STALLED_BODIES
                    ? INT64_MAX
                    : now_ms() + (int64_t)(random_next() % (uint64_t)options.interval_ms);
    if (options.mode == RESETS)
        start_reset_phase(c);
    else
        client_send(c, options.mode == SLOW_HEADS ? 1 : request_len);
}

/* ---- events */

static void reset_when_far_enough(struct client *c)
{
    if (c->phase == AT_FIRST_BYTE || (c->phase == INSIDE_ANSWER && c->received > 8192))
        reset(c);
    else if (c->phase == BEHIND_ANSWER_ON_NEXT_HEAD && c->received > 40000) {
        c->sent = 0;
        client_send(c, 20);
        c->due_ms = now_ms();
    }
}

static void client_on_event(struct client *c, uint32_t events)
{
    if (c->state == CONNECTING)
        client_on_connected(c);
    if (c->state != OPEN)
        return;
    if (options.mode == SLOW_READERS && !(events & (EPOLLERR | EPOLLHUP)))
        return; /* reads by the clock */
    while (c->state == OPEN && client_receive(c, SIZE_MAX)) {
        if (options.mode == RESETS)
            reset_when_far_enough(c);
    }
}

/* ---- the clock */

static void client_step(struct client *c, int64_t now)
{
    c->due_ms += options.interval_ms;
    switch (options.mode) {
    case SLOW_HEADS:
        client_send(c, c->sent + 1);
        break;
    case SLOW_BODIES:
        send_body_piece(c);
        break;
    case SLOW_READERS:
        client_receive(c, (size_t)options.bytes);
        break;
    case RESETS:
        reset(c);
        break;
    default:
        c->due_ms = INT64_MAX;
        break;
    }
    if (c->due_ms < now)
        c->due_ms = now;
}

static void step_all(int64_t now)
{
    for (int i = 0; i < options.connections; i++) {
        if (clients[i].state == OPEN && clients[i].due_ms <= now)
            client_step(&clients[i], now);
    }
}

static void run(void)
{
    struct epoll_event events[512], input = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
    int64_t next_tick = 0, next_report = 0;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, 0, &input);
    while (!is_over) {
        int count = epoll_wait(poll_fd, events, 512, TICK_MS);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u32 != UINT32_MAX)
                client_on_event(&clients[events[i].data.u32], events[i].events);
            else if (read(0, request + HEAD_BYTES_MAX, 1) <= 0)
                is_over = 1;
        }
        int64_t now = now_ms();
        if (now >= next_tick) {
            next_tick = now + TICK_MS;
            open_some(options.per_second * TICK_MS / 1000);
            step_all(now);
        }
        if (now >= next_report) {
            next_report = now + REPORT_MS;
            report();
        }
    }
    report();
}

/* ---- the command line */

static void write_request(void)
{
    static const char fill[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    int len = 0;
    switch (options.mode) {
    case SLOW_HEADS:
        len = snprintf(request, HEAD_BYTES_MAX, "GET %s HTTP/1.1\r\nHost: flood\r\nX-Slow: %s%s%s%s%s", options.path,
                       fill, fill, fill, fill, fill);
        break;
    case STALLED_BODIES:
    case SLOW_BODIES:
        len = snprintf(request, HEAD_BYTES_MAX,
                       "POST %s HTTP/1.1\r\nHost: flood\r\nContent-Length: 100000000\r\n\r\nstart", options.path);
        break;
    case RESETS:
        len = snprintf(request, HEAD_BYTES_MAX, "POST %s HTTP/1.1\r\nHost: flood\r\nContent-Length: 64\r\n\r\n%s",
                       options.path, fill);
        break;
    default:
        len = snprintf(request, HEAD_BYTES_MAX, "GET %s HTTP/1.1\r\nHost: flood\r\n\r\n", options.path);
    }
    request_len = (size_t)len < HEAD_BYTES_MAX ? (size_t)len : HEAD_BYTES_MAX - 1;
}

static bool read_option(int option)
{
    switch (option) {
    case 'p':
        options.port = atoi(optarg);
        return true;
    case 'm':
        for (options.mode = IDLE; options.mode < MODE_COUNT && strcmp(mode_names[options.mode], optarg) != 0;)
            options.mode++;
        return options.mode < MODE_COUNT;
    case 'c':
        options.connections = atoi(optarg);
        return options.connections > 0;
    case 'i':
        options.interval_ms = atoi(optarg);
        return options.interval_ms > 0;
    case 'b':
        options.bytes = atoi(optarg);
        return options.bytes > 0;
    case 'u':
        options.path = optarg;
        return true;
    case 's':
        options.sources = atoi(optarg);
        return options.sources > 0 && options.sources < 60000;
    case 'r':
        options.per_second = atoi(optarg);
        return options.per_second >= 1000 / TICK_MS;
    case 'a':
        options.again = true;
        return true;
    default:
        return false;
    }
}

static void on_end(int number)
{
    (void)number;
    is_over = 1;
}

int main(int argc, char **argv)
{
    static const struct option words[] = {
        { "port", 1, NULL, 'p' },        { "mode", 1, NULL, 'm' },
        { "connections", 1, NULL, 'c' }, { "interval-ms", 1, NULL, 'i' },
        { "bytes", 1, NULL, 'b' },       { "path", 1, NULL, 'u' },
        { "sources", 1, NULL, 's' },     { "per-second", 1, NULL, 'r' },
        { "again", 0, NULL, 'a' },       { NULL, 0, NULL, 0 },
    };
    struct rlimit files;
    for (int option; (option = getopt_long(argc, argv, "", words, NULL)) != -1;) {
        if (!read_option(option))
            return 2;
    }
    if (options.port == 0 || options.connections == 0)
        return 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGTERM, on_end);
    signal(SIGPIPE, SIG_IGN);
    clients = calloc((size_t)options.connections, sizeof *clients);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || poll_fd < 0)
        return 1;
    write_request();
    run();
    return 0;
}
