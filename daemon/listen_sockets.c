#include "daemon/listen_sockets.h"

#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel caps it at net.core.somaxconn */

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
};

static bool parse(const char *text, struct address *out, struct error *error)
{
    char any[64];
    if (text[0] == '*' && text[1] == ':') {
        snprintf(any, sizeof any, "0.0.0.0%s", text + 1);
        text = any;
    }
    int len = sizeof out->storage;
    if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&out->storage, &len) < 0)
        return error_set(error, "not an IP address and port");
    out->len = (socklen_t)len;
    return true;
}

static bool set_flag(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* SO_REUSEADDR lets us bind while old connections of the port are in TIME_WAIT; a listening socket still conflicts. TCP_NODELAY is for
 * the connections, those too that are made before there is a proxy to accept them: each has what the socket had when it was made. */
static int bind_one(const struct address *address, bool shares_port, bool listens, struct error *error)
{
    int family = address->storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && set_flag(fd, SOL_SOCKET, SO_REUSEADDR) && (!shares_port || set_flag(fd, SOL_SOCKET, SO_REUSEPORT)) &&
        set_flag(fd, IPPROTO_TCP, TCP_NODELAY) && (family != AF_INET6 || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
        bind(fd, (const struct sockaddr *)&address->storage, address->len) == 0 &&
        (!listens || listen(fd, BACKLOG) == 0))
        return fd;
    error_set(error, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Without SO_REUSEPORT it fails when anybody listens there, also with SO_REUSEPORT and our own user id. */
static bool probe(const struct address *address, bool shares_port, bool listens, struct error *error)
{
    int fd = bind_one(address, shares_port, listens, error);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

bool listen_sockets_open(const char *address, enum listen_mode mode, size_t count, int *fds, struct error *error)
{
    struct address parsed = { .len = 0 };
    if (!parse(address, &parsed, error))
        return false;
    if (mode == LISTEN_SHARED && !probe(&parsed, false, true, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        fds[i] = bind_one(&parsed, mode != LISTEN_ALONE, true, error);
        if (fds[i] < 0) {
            listen_sockets_close(fds, i);
            return false;
        }
    }
    return true;
}

bool listen_sockets_try(const char *address, enum listen_mode mode, struct error *error)
{
    struct address parsed = { .len = 0 };
    return parse(address, &parsed, error) && probe(&parsed, mode == LISTEN_JOINING, false, error);
}

/* Family, port and, of IPv4 and IPv6 alike, the bytes of the address. */
static bool compare(int fd, const char *text, bool *is_same_port, bool *is_same_address)
{
    struct address wanted = { .len = 0 };
    struct sockaddr_storage bound = { 0 };
    socklen_t len = sizeof bound;
    struct error error;
    if (!parse(text, &wanted, &error) || getsockname(fd, (struct sockaddr *)&bound, &len) < 0 ||
        bound.ss_family != wanted.storage.ss_family)
        return false;
    if (bound.ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)&bound, *b = (void *)&wanted.storage;
        *is_same_port = a->sin6_port == b->sin6_port;
        *is_same_address = memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr) == 0;
    } else {
        const struct sockaddr_in *a = (const struct sockaddr_in *)&bound, *b = (void *)&wanted.storage;
        *is_same_port = a->sin_port == b->sin_port;
        *is_same_address = a->sin_addr.s_addr == b->sin_addr.s_addr;
    }
    return true;
}

bool listen_sockets_is_on(int fd, const char *address)
{
    bool is_same_port, is_same_address;
    return compare(fd, address, &is_same_port, &is_same_address) && is_same_port && is_same_address;
}

bool listen_sockets_has_port(int fd, const char *address)
{
    bool is_same_port, is_same_address;
    return compare(fd, address, &is_same_port, &is_same_address) && is_same_port;
}

void listen_sockets_close(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}
