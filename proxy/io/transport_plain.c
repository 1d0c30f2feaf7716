#include "proxy/io/transport.h"

#include <sys/socket.h>
#include <sys/uio.h>

static ssize_t plain_receive(struct transport *t, int fd, void *into, size_t room)
{
    (void)t;
    return recv(fd, into, room, 0);
}

__attribute__((noinline)) static ssize_t send_both(int fd, struct slice first, struct slice second)
{
    struct iovec pieces[] = { { (char *)first.at, first.len }, { (char *)second.at, second.len } };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static ssize_t plain_send(struct transport *t, int fd, struct slice first, struct slice second)
{
    (void)t;
    return second.len == 0 ? send(fd, first.at, first.len, MSG_NOSIGNAL) : send_both(fd, first, second);
}

static void plain_shutdown(struct transport *t, int fd)
{
    (void)t;
    shutdown(fd, SHUT_WR); /* fails only when the connection is gone */
}

struct transport *transport_plain(void)
{
    static const struct transport_ops ops = {
        .name = "plain", .receive = plain_receive, .send = plain_send, .shutdown = plain_shutdown
    };
    static struct transport plain = { .ops = &ops };
    return &plain;
}
