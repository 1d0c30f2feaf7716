#include "bench/load/lane.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/check.h"

static void lane_on_readable(evutil_socket_t fd, short what, void *arg);
static void lane_on_writable(evutil_socket_t fd, short what, void *arg);

static struct lane_outcome errno_outcome(const struct lane *lane, int number)
{
    enum failure failure = !lane->is_connected                    ? FAILURE_CONNECT
                           : lane->answer.state == ANSWER_IN_BODY ? FAILURE_SHORT_BODY
                                                                  : FAILURE_RESET;
    return (struct lane_outcome){ failure, 0, strerror(number) };
}

/* The request has ended without a whole answer, or a lane without request has lost its connection. */
static void lane_fail(struct lane *lane, struct lane_outcome outcome)
{
    bool was_busy = lane->state == LANE_BUSY;
    lane_close(lane);
    lane->group->on_change(lane, was_busy ? &outcome : NULL);
}

static void lane_finish(struct lane *lane)
{
    struct answer *a = &lane->answer;
    struct lane_outcome outcome = { a->failure, a->status, a->why };
    bool is_whole = a->failure == FAILURE_NONE || a->failure == FAILURE_WRONG_BODY ||
                    (a->failure >= FAILURE_STATUS_1XX && a->failure <= FAILURE_STATUS_5XX);
    bool is_sent = lane->sent_bytes == lane->group->request.len;
    if (!is_whole)
        outcome.status = 0;
    if (a->keeps_alive && is_sent && !lane->group->one_per_connection)
        lane->state = LANE_IDLE;
    else if (is_whole && is_sent && a->body != HTTP_BODY_UNTIL_CLOSE)
        lane->state = LANE_CLOSING;
    else
        lane_close(lane);
    lane->group->on_change(lane, &outcome);
}

/* As much of the request as the kernel takes. The number of an error, or 0. */
static int lane_send(struct lane *lane)
{
    struct slice request = lane->group->request;
    while (lane->sent_bytes < request.len) {
        ssize_t n = send(lane->fd, request.at + lane->sent_bytes, request.len - lane->sent_bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return errno;
        if (n < 0) {
            check(event_add(&lane->writable, NULL) == 0);
            return 0;
        }
        lane->is_connected = true;
        lane->sent_bytes += (size_t)n;
        lane->group->sent_bytes += (uint64_t)n;
    }
    return 0;
}

/* Opens the socket and begins to connect. The number of an error, or 0. */
static int lane_open(struct lane *lane)
{
    const struct target_address *to = lane->group->address;
    int one = 1;
    lane->fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (lane->fd < 0)
        return errno;
    lane->is_connected = false;
    lane->group->opened_count++;
    setsockopt(lane->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(lane->fd, (const struct sockaddr *)&to->address, to->address_len) != 0 && errno != EINPROGRESS) {
        int number = errno;
        close(lane->fd);
        lane->fd = -1;
        return number;
    }
    event_assign(&lane->readable, lane->group->base, lane->fd, EV_READ | EV_PERSIST, lane_on_readable, lane);
    event_assign(&lane->writable, lane->group->base, lane->fd, EV_WRITE, lane_on_writable, lane);
    check(event_add(&lane->readable, NULL) == 0);
    return 0;
}

static void lane_on_end(struct lane *lane, int number)
{
    struct answer *a = &lane->answer;
    if (lane->state != LANE_BUSY || number != 0 || !lane->is_connected) {
        lane_fail(lane, errno_outcome(lane, number ? number : ECONNRESET));
        return;
    }
    answer_end(&lane->group->reader, a);
    lane_finish(lane);
}

static void lane_on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct lane *lane = arg;
    struct lane_group *group = lane->group;
    ssize_t n = recv(fd, group->buffer, LANE_BUFFER_BYTES, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            lane_on_end(lane, n == 0 ? 0 : errno);
        return;
    }
    group->received_bytes += (uint64_t)n;
    lane->is_connected = true;
    if (lane->state == LANE_BUSY) {
        if (answer_take(&group->reader, &lane->answer, group->buffer, (size_t)n) == ANSWER_DONE)
            lane_finish(lane);
    } else {
        lane_fail(lane, (struct lane_outcome){ 0 }); /* nobody has asked for anything */
    }
}

static void lane_on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct lane *lane = arg;
    int number = 0;
    socklen_t len = sizeof number;
    if (!lane->is_connected && getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) == 0 && number == 0)
        lane->is_connected = true;
    if (number == 0 && lane->state == LANE_BUSY)
        number = lane_send(lane);
    if (number != 0) {
        lane_fail(lane, errno_outcome(lane, number));
    } else if (lane->state == LANE_CONNECTING) {
        lane->state = LANE_IDLE;
        lane->group->on_change(lane, NULL);
    }
}

void lane_init(struct lane *lane, struct lane_group *group)
{
    *lane = (struct lane){ .group = group, .fd = -1 };
    answer_init(&lane->answer);
}

void lane_fini(struct lane *lane)
{
    lane_close(lane);
    answer_fini(&lane->answer);
}

bool lane_connect(struct lane *lane)
{
    check(lane->state == LANE_CLOSED);
    if (lane_open(lane) != 0)
        return false;
    check(event_add(&lane->writable, NULL) == 0);
    lane->state = LANE_CONNECTING;
    return true;
}

bool lane_start(struct lane *lane, struct lane_outcome *outcome)
{
    check(lane->state == LANE_CLOSED || lane->state == LANE_IDLE);
    bool was_open = lane->state == LANE_IDLE;
    lane->state = LANE_BUSY;
    lane->sent_bytes = 0;
    answer_begin(&lane->answer);
    lane->is_connected &= was_open;
    int number = was_open ? 0 : lane_open(lane);
    /* On one machine the connection mostly exists by now; if not, the kernel says EAGAIN. */
    if (number == 0)
        number = lane_send(lane);
    if (number == 0)
        return true;
    *outcome = errno_outcome(lane, number);
    lane_close(lane);
    return false;
}

void lane_close(struct lane *lane)
{
    if (lane->fd >= 0) {
        event_del(&lane->readable);
        event_del(&lane->writable);
        close(lane->fd);
        lane->fd = -1;
    }
    lane->state = LANE_CLOSED;
}
