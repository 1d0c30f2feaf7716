#include "proxy/io/transport.h"

#include <sys/socket.h>

static ssize_t plain_receive(struct transport *t, int fd, void *into, size_t room)
{
    (void)t;
    return recv(fd, into, room, 0);
}

static ssize_t plain_send(struct transport *t, int fd, const struct iovec *pieces, int count)
{
    (void)t;
    if (count == 1)
        return send(fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL);
    struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count };
    return sendmsg(fd, &message, MSG_NOSIGNAL);
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
