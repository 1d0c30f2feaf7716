#include "base/child_channel.h"

#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct child_channel {
    int fd;
    struct event event;
    const struct child_channel_callbacks *callbacks; /* borrowed, static */
    void *owner;                                     /* borrowed */
};

/* Takes the descriptor out of a received message; -1 when there is none. More than one cannot fit. */
static int take_descriptor(struct msghdr *message)
{
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    }
    return fd;
}

/* 1: a message; 0: nothing now; -1: the other side is gone. */
static int receive(int socket_fd, unsigned char *byte, int *fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec piece = { byte, 1 };
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
    };
    ssize_t got = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (got == 0)
        return -1;
    *fd = take_descriptor(&message);
    return 1;
}

static bool is_known(unsigned char byte)
{
    switch ((enum child_message)byte) {
    case CHILD_MESSAGE_LINK:
    case CHILD_MESSAGE_STARTED:
    case CHILD_MESSAGE_RELOAD:
    case CHILD_MESSAGE_DRAIN:
    case CHILD_MESSAGE_RETIRE:
    case CHILD_MESSAGE_COMMIT:
    case CHILD_MESSAGE_ENDED:
    case CHILD_MESSAGE_READY:
    case CHILD_MESSAGE_SERVING:
    case CHILD_MESSAGE_BEAT:
    case CHILD_MESSAGE_RELINK:
    case CHILD_MESSAGE_LOG:
    case CHILD_MESSAGE_REOPEN_LOG:
        return true;
    }
    return false;
}

static void child_channel_on_readable(evutil_socket_t socket_fd, short what, void *arg)
{
    (void)what;
    struct child_channel *channel = arg;
    unsigned char byte = 0;
    int fd = -1;
    int got = receive(socket_fd, &byte, &fd);
    if (got > 0 && is_known(byte)) {
        channel->callbacks->on_message(channel->owner, (enum child_message)byte, fd);
    } else if (got > 0 && fd >= 0) {
        close(fd);
    } else if (got < 0) {
        event_del(&channel->event);
        channel->callbacks->on_close(channel->owner);
    }
}

bool child_channel_open_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0;
}

struct child_channel *child_channel_new(struct loop *loop, int fd, const struct child_channel_callbacks *callbacks,
                                        void *owner)
{
    struct child_channel *channel = mem_alloc(sizeof *channel);
    channel->fd = fd;
    channel->callbacks = callbacks;
    channel->owner = owner;
    check(event_assign(&channel->event, loop_base(loop), fd, EV_READ | EV_PERSIST, child_channel_on_readable,
                       channel) == 0);
    check(event_add(&channel->event, NULL) == 0);
    return channel;
}

void child_channel_free(struct child_channel *channel)
{
    if (!channel)
        return;
    event_del(&channel->event);
    close(channel->fd);
    free(channel);
}

int child_channel_fd(const struct child_channel *channel)
{
    return channel->fd;
}

bool child_channel_send(struct child_channel *channel, enum child_message message, int fd)
{
    unsigned char byte = (unsigned char)message;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec piece = { &byte, 1 };
    struct msghdr out = { .msg_iov = &piece, .msg_iovlen = 1 };
    if (fd >= 0) {
        out.msg_control = control.bytes;
        out.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&out);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t sent;
    do
        sent = sendmsg(channel->fd, &out, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent == 1;
}
