#include "daemon/child.h"

#include "base/check.h"
#include "base/clock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTART_FIRST_MS 100
#define RESTART_SLOWEST_MS 5000
#define RESTART_READY_SLOWEST_MS 500 /* of one that works until it is killed: it is missed more than a start costs */

void child_command_add(struct child_command *command, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    check(command->argument_count < CHILD_ARGUMENTS_MAX);
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    check(len >= 0);
    command->arguments[command->argument_count++] = text;
}

void child_command_fini(struct child_command *command)
{
    for (size_t i = 0; i < command->argument_count; i++)
        free(command->arguments[i]);
    *command = (struct child_command){ .fd_count = 0 };
}

static void inherit(int fd)
{
    fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) & ~FD_CLOEXEC);
}

/* In the new process, up to the exec: async-signal-safe calls only. Its own process group, so that a terminal's Ctrl-C
 * reaches the supervisor alone, which then stops the others in order. */
__attribute__((noreturn)) static void become(const struct child_command *command, int channel_fd)
{
    setpgid(0, 0);
    signal(SIGHUP, SIG_IGN); /* meant for the supervisor, also when somebody sends it to all */
    signal(SIGUSR2, SIG_IGN);
    for (size_t i = 0; i < command->fd_count; i++) {
        if (command->fds[i] >= 0)
            inherit(command->fds[i]);
    }
    inherit(channel_fd);
    execv("/proc/self/exe", command->arguments);
    _exit(127);
}

bool child_start(struct child *child, struct loop *loop, struct child_command *command,
                 const struct child_channel_callbacks *callbacks, void *owner)
{
    int fds[2];
    child->started_at_ms = clock_now_ms(); /* also when it fails: an attempt that is followed by a longer wait */
    if (!child_channel_open_pair(fds))
        return false;
    child_command_add(command, "--supervisor-fd");
    child_command_add(command, "%d", fds[1]);
    pid_t pid = fork();
    if (pid == 0)
        become(command, fds[1]);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return false;
    }
    child->pid = pid;
    child->beat_at_ms = 0;
    child->is_ready = false;
    child->start_count++;
    child->channel = child_channel_new(loop, fds[0], callbacks, owner);
    return true;
}

void child_adopt(struct child *child, struct loop *loop, pid_t pid, int channel_fd,
                 const struct child_channel_callbacks *callbacks, void *owner)
{
    child->pid = pid;
    child->started_at_ms = clock_now_ms();
    child->beat_at_ms = 0;
    child->is_ready = child->was_ready = true;
    child->channel = channel_fd >= 0 ? child_channel_new(loop, channel_fd, callbacks, owner) : NULL;
}

void child_forget(struct child *child)
{
    child_channel_free(child->channel);
    child->channel = NULL;
    child->pid = 0;
}

int64_t child_restart_delay_ms(struct child *child, int64_t now_ms)
{
    if (now_ms - child->started_at_ms >= CHILD_STABLE_MS)
        child->quick_deaths = 0;
    int64_t delay_ms = 0, slowest_ms = child->is_ready ? RESTART_READY_SLOWEST_MS : RESTART_SLOWEST_MS;
    for (uint32_t i = 0; i < child->quick_deaths && delay_ms < slowest_ms; i++)
        delay_ms = delay_ms ? delay_ms * 2 : RESTART_FIRST_MS;
    child->quick_deaths++;
    return delay_ms < slowest_ms ? delay_ms : slowest_ms;
}

void child_describe_end(int wait_status, char *out, size_t size)
{
    if (WIFSIGNALED(wait_status))
        snprintf(out, size, "signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else
        snprintf(out, size, "exit code %d", WEXITSTATUS(wait_status));
}
