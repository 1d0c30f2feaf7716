#include "tests/unit/proxy/exchange/conversation_wire.h"

#include "base/check.h"
#include "tests/unit/proxy/exchange/conversation_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* glibc's struct tcp_info is older */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 1024

int __real_socket(int domain, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *address, socklen_t len);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __real_getsockname(int fd, struct sockaddr *address, socklen_t *len);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t len, int flags);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_shutdown(int fd, int how);
int __real_close(int fd);

int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_shutdown(int fd, int how);
int __wrap_close(int fd);

static struct rig *used;                     /* null: none, nothing is special */
static struct rig_peer *peer_by_fd[FDS_MAX]; /* by the worker's end */

static struct rig_peer *peer_of(int fd)
{
    return fd >= 0 && fd < FDS_MAX ? peer_by_fd[fd] : NULL;
}

void wire_use(struct rig *rig)
{
    used = rig;
}

void wire_open(struct rig *rig, struct rig_peer *peer)
{
    int fds[2], smallest = 1;
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0 && fds[0] < FDS_MAX);
    *peer = (struct rig_peer){ .fd = fds[1], .worker_fd = fds[0], .is_open = true };
    if (rig->has_small_sockets)
        check(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest) == 0);
    peer_by_fd[fds[0]] = peer;
}

int __wrap_socket(int domain, int type, int protocol)
{
    if (!used)
        return __real_socket(domain, type, protocol);
    if (used->connect == RIG_CONNECT_NO_DESCRIPTOR || used->upstream_count == RIG_UPSTREAMS_MAX) {
        errno = EMFILE;
        return -1;
    }
    struct rig_peer *peer = &used->upstreams[used->upstream_count++];
    wire_open(used, peer);
    return peer->worker_fd;
}

/* A full socket is not writable, like one that is still connecting. */
static void hang(struct rig_peer *peer)
{
    static const char nothing[1024];
    int smallest = 1;
    peer->is_hanging = true;
    check(setsockopt(peer->worker_fd, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest) == 0);
    while (__real_send(peer->worker_fd, nothing, sizeof nothing, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        ;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    struct rig_peer *peer = peer_of(fd);
    if (!peer)
        return __real_connect(fd, address, len);
    errno = EINPROGRESS;
    if (used->connect == RIG_CONNECT_REFUSED) {
        errno = ECONNREFUSED;
    } else if (used->connect == RIG_CONNECT_HANGS) {
        hang(peer);
        errno = EINPROGRESS;
    } else if (used->connect == RIG_CONNECT_FAILS_LATER) {
        peer->connect_error = ECONNREFUSED;
        __real_close(peer->fd);
        peer->fd = -1;
        errno = EINPROGRESS;
    }
    return -1;
}

/* What the peer has read is what its machine has taken: a pair of sockets has nothing in between. */
static int tell_acked(const struct rig_peer *peer, struct tcp_info *out)
{
    *out = (struct tcp_info){ .tcpi_bytes_acked = peer->received.len };
    return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct rig_peer *peer = peer_of(fd);
    if (peer && level == IPPROTO_TCP && name == TCP_INFO && *len == sizeof(struct tcp_info))
        return tell_acked(peer, value);
    if (!peer || level != SOL_SOCKET || name != SO_ERROR || peer->connect_error == 0)
        return __real_getsockopt(fd, level, name, value, len);
    *(int *)value = peer->connect_error;
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(80) };
    if (!peer_of(fd))
        return __real_getsockname(fd, address, len);
    check(*len >= sizeof here);
    here.sin_addr.s_addr = htonl(0xc6336401u); /* 198.51.100.1 */
    memcpy(address, &here, sizeof here);
    *len = sizeof here;
    return 0;
}

static size_t at_most(size_t len, size_t max)
{
    if (max == 0 || len <= max || used->limited_calls == 0)
        return len;
    used->limited_calls--;
    return max;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    struct rig_peer *peer = peer_of(fd);
    if (!peer)
        return __real_send(fd, bytes, len, flags);
    peer->has_news = true;
    return __real_send(fd, bytes, at_most(len, used->send_bytes_max), flags);
}

/* A limited one gives of its first piece only. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct rig_peer *peer = peer_of(fd);
    size_t piece = 0;
    if (peer)
        peer->has_news = true;
    if (!peer || used->send_bytes_max == 0 || used->limited_calls == 0)
        return __real_sendmsg(fd, message, flags);
    while (piece + 1 < message->msg_iovlen && message->msg_iov[piece].iov_len == 0)
        piece++;
    return __wrap_send(fd, message->msg_iov[piece].iov_base, message->msg_iov[piece].iov_len, flags);
}

ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags)
{
    struct rig_peer *peer = peer_of(fd);
    if (!peer)
        return __real_recv(fd, bytes, len, flags);
    ssize_t got = __real_recv(fd, bytes, at_most(len, used->receive_bytes_max), flags);
    if (got != 0 || !peer->is_reset)
        return got;
    errno = ECONNRESET;
    return -1;
}

/* Of one descriptor: its owner is the only one that asks. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int ready = __real_poll(fds, count, timeout_ms);
    struct rig_peer *peer = count == 1 ? peer_of(fds->fd) : NULL;
    if (ready > 0 && peer && peer->is_reset)
        fds->revents |= POLLERR;
    return ready;
}

int __wrap_shutdown(int fd, int how)
{
    struct rig_peer *peer = peer_of(fd);
    if (peer)
        peer->has_end = true;
    return __real_shutdown(fd, how);
}

int __wrap_close(int fd)
{
    struct rig_peer *peer = peer_of(fd);
    if (peer) {
        peer->has_end = peer->has_news = true;
        peer->worker_fd = -1;
        peer_by_fd[fd] = NULL;
    }
    return __real_close(fd);
}
