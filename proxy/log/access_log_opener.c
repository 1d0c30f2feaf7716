#include "proxy/log/access_log_opener.h"

#include "base/child_channel.h"
#include "base/log.h"
#include "proxy/log/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define CHANNEL_FD 3

struct opener {
    struct loop *loop;
    struct child_channel *channel;
    const char *path; /* borrowed: the parent's copy */
};

static void opener_on_message(void *owner, enum child_message message, int fd)
{
    struct opener *o = owner;
    int log_fd = -1;
    if (fd >= 0)
        close(fd);
    if (message != CHILD_MESSAGE_REOPEN_LOG)
        return;
    if (!access_log_open_fd(o->path, &log_fd)) {
        log_error("access log: %s: %s; going on with the old one", o->path, strerror(errno));
        return;
    }
    child_channel_send(o->channel, CHILD_MESSAGE_LOG, log_fd);
    close(log_fd);
}

static void opener_on_close(void *owner)
{
    struct opener *o = owner;
    loop_stop(o->loop);
}

/* Listening sockets above all must go: they would go on taking connections. */
static void keep_only(int fd)
{
    if (fd != CHANNEL_FD && dup3(fd, CHANNEL_FD, O_CLOEXEC) < 0)
        _exit(1);
    if (close_range(CHANNEL_FD + 1, UINT_MAX, 0) < 0)
        _exit(1);
}

/* The proxy drains on these; until it has ended it may be asked to open its log anew. */
static void ignore_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_IGN);
}

__attribute__((noreturn)) static void serve(const char *path, int fd)
{
    static const struct child_channel_callbacks callbacks = { opener_on_message, opener_on_close };
    struct opener o = { .path = path };
    ignore_signals();
    keep_only(fd);
    o.loop = loop_new();
    o.channel = child_channel_new(o.loop, CHANNEL_FD, &callbacks, &o);
    loop_run(o.loop);
    _exit(0);
}

int access_log_opener_start(const char *path)
{
    int fds[2];
    if (!child_channel_open_pair(fds))
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        serve(path, fds[1]);
    close(fds[1]);
    if (pid > 0)
        return fds[0];
    close(fds[0]);
    return -1;
}
