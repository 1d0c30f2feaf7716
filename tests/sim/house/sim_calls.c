/* The system calls of Portico that end in sim_net (ld --wrap). A real descriptor gets the real call. */
#include "tests/sim/house/sim_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* glibc's struct tcp_info is older */
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/check.h"
#include "tests/sim/house/house.h"

ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __real_write(int fd, const void *bytes, size_t len);
int __real_close(int fd);
int __real_fcntl(int fd, int command, ...);

int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags);
ssize_t __wrap_read(int fd, void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_shutdown(int fd, int how);
int __wrap_close(int fd);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_eventfd(unsigned initial, int flags);

int __wrap_socket(int domain, int type, int protocol)
{
    (void)domain;
    (void)type;
    (void)protocol;
    return net_fd_of(net_socket_new(SOCKET_STREAM));
}

static uint32_t address_of(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    check(address->sa_family == AF_INET);
    memcpy(&v4, address, sizeof v4);
    return ntohl(v4.sin_addr.s_addr);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    struct socket *s = net_socket_of(fd);
    enum net_owner who = net_become(NET_OUTSIDE);
    struct socket *other = net_socket_new(SOCKET_STREAM);
    s->address = address_of(address);
    net_join(s, other);
    enum net_answer answer = net_tell_dialled(s->address, net_fd_of(other));
    net_become(who);
    errno = EINPROGRESS;
    if (answer == NET_ACCEPTS)
        return -1;
    s->peer = other->peer = NULL;
    net_socket_close(other, false);
    s->is_unanswered = answer == NET_IS_SILENT;
    if (answer == NET_REFUSES && house_chance(50)) {
        errno = ECONNREFUSED;
        return -1;
    }
    s->connect_error = answer == NET_REFUSES ? ECONNREFUSED : 0;
    errno = EINPROGRESS;
    return -1;
}

static void give_address(uint32_t host, uint16_t port, struct sockaddr *address, socklen_t *len)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(host) } };
    check(*len >= sizeof v4);
    memcpy(address, &v4, sizeof v4);
    *len = sizeof v4;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    (void)flags;
    struct socket *listening = net_socket_of(fd);
    struct socket *s = listening->is_dead ? NULL : net_accept(listening->port);
    errno = EAGAIN;
    if (!s)
        return -1;
    give_address(s->address, 40000, address, len);
    return net_fd_of(s);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct socket *s = net_socket_of(fd);
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        struct tcp_info info = { .tcpi_bytes_acked = 0 };
        memcpy(value, &info, *len < sizeof info ? *len : sizeof info);
        return 0;
    }
    check(level == SOL_SOCKET && name == SO_ERROR && *len == sizeof(int));
    *(int *)value = s->connect_error != 0 ? s->connect_error : s->is_reset ? ECONNRESET : 0;
    return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    (void)value;
    (void)len;
    struct socket *s = net_socket_of(fd);
    if (level == SOL_SOCKET && name == SO_LINGER)
        s->resets_on_close = true;
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    (void)fd;
    give_address(UINT32_C(0xc6336401), 80, address, len); /* 198.51.100.1 */
    return 0;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    (void)flags;
    return net_put(net_socket_of(fd), bytes, len);
}

/* A piece that is not taken whole is the last one. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)flags;
    ssize_t sum = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        size_t len = message->msg_iov[i].iov_len;
        ssize_t put = len > 0 ? net_put(net_socket_of(fd), message->msg_iov[i].iov_base, len) : 0;
        if (put < 0)
            return sum > 0 ? sum : -1;
        sum += put;
        if ((size_t)put < len)
            break;
    }
    return sum;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags)
{
    (void)flags;
    return net_get(net_socket_of(fd), bytes, len);
}

ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    struct socket *s = net_socket_of(fd);
    if (!s)
        return __real_read(fd, bytes, len);
    if (s->kind == SOCKET_STREAM)
        return net_get(s, bytes, len);
    memcpy(bytes, &s->counter, sizeof s->counter);
    s->counter = 0;
    return sizeof s->counter;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    struct socket *s = net_socket_of(fd);
    if (!s)
        return __real_write(fd, bytes, len);
    check(s->kind == SOCKET_COUNTER && len == sizeof s->counter);
    s->counter++;
    return (ssize_t)len;
}

/* Of one descriptor, and only what is so already. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    check(count == 1 && timeout_ms == 0);
    struct socket *s = net_socket_of(fds->fd);
    fds->revents = 0;
    if (s->is_dead)
        return 0;
    if (s->kind == SOCKET_LISTENING)
        fds->revents = net_has_waiting(s->port) ? POLLIN : 0;
    else if (s->is_reset)
        fds->revents = POLLERR | POLLHUP | (fds->events & POLLRDHUP);
    else if (s->has_end)
        fds->revents = fds->events & POLLRDHUP;
    return fds->revents != 0;
}

int __wrap_shutdown(int fd, int how)
{
    check(how == SHUT_WR);
    net_shut(fd);
    return 0;
}

int __wrap_close(int fd)
{
    struct socket *s = net_socket_of(fd);
    if (!s)
        return __real_close(fd);
    net_socket_close(s, false);
    return 0;
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    long value = va_arg(args, long);
    va_end(args);
    return net_socket_of(fd) ? 0 : __real_fcntl(fd, command, value);
}

int __wrap_eventfd(unsigned initial, int flags)
{
    (void)flags;
    struct socket *s = net_socket_new(SOCKET_COUNTER);
    s->counter = initial;
    return net_fd_of(s);
}
