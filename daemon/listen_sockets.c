#include "daemon/listen_sockets.h"

#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
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

/* SO_REUSEADDR lets us bind while old connections of the port are in TIME_WAIT; a listening socket still conflicts. */
static int bind_one(const struct address *address, bool shares_port, struct error *error)
{
    int family = address->storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && set_flag(fd, SOL_SOCKET, SO_REUSEADDR) && (!shares_port || set_flag(fd, SOL_SOCKET, SO_REUSEPORT)) &&
        (family != AF_INET6 || set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY)) &&
        bind(fd, (const struct sockaddr *)&address->storage, address->len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error_set(error, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Without SO_REUSEPORT it fails when anybody listens there, also with SO_REUSEPORT and our own user id. */
static bool probe(const struct address *address, struct error *error)
{
    int fd = bind_one(address, false, error);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

bool listen_sockets_open(const char *address, size_t count, int *fds, struct error *error)
{
    struct address parsed = { .len = 0 };
    if (!parse(address, &parsed, error))
        return false;
    if (count > 1 && !probe(&parsed, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        fds[i] = bind_one(&parsed, count > 1, error);
        if (fds[i] < 0) {
            listen_sockets_close(fds, i);
            return false;
        }
    }
    return true;
}

void listen_sockets_close(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}
