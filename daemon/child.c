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
#define RESTART_SLOWEST_MS 250

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
    child->is_ready = child->was_stuck = false;
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

/* What a fault of the program itself raises, signal(7); anything else, SIGKILL above all, somebody has sent. */
static bool is_crash(int signal_number)
{
    switch (signal_number) {
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGSEGV:
    case SIGSYS:
    case SIGTRAP:
        return true;
    default:
        return false;
    }
}

enum child_end child_end_of(const struct child *child, int wait_status)
{
    if (child->is_ready)
        return CHILD_SERVED;
    if (child->was_stuck)
        return CHILD_FAILED;
    bool is_fault = WIFSIGNALED(wait_status) ? is_crash(WTERMSIG(wait_status)) : WEXITSTATUS(wait_status) != 0;
    return is_fault ? CHILD_FAILED : CHILD_KILLED;
}

const char *child_end_to_str(enum child_end end)
{
    switch (end) {
    case CHILD_SERVED:
        return "it served";
    case CHILD_KILLED:
        return "it was ended while it started";
    case CHILD_FAILED:
        return "its start failed";
    }
    return "?";
}

static int64_t growing_delay_ms(uint32_t earlier_count, int64_t slowest_ms)
{
    int64_t delay_ms = earlier_count > 0 ? RESTART_FIRST_MS : 0;
    for (uint32_t i = 1; i < earlier_count && delay_ms < slowest_ms; i++)
        delay_ms *= 2;
    return delay_ms < slowest_ms ? delay_ms : slowest_ms;
}

int64_t child_restart_delay_ms(struct child *child, enum child_end end, int64_t now_ms)
{
    if (now_ms - child->started_at_ms >= CHILD_STABLE_MS)
        child->quick_deaths = 0;
    if (end == CHILD_FAILED)
        return growing_delay_ms(child->failed_starts++, CHILD_RESTART_SLOWEST_MS);
    if (end == CHILD_SERVED)
        child->failed_starts = 0;
    return growing_delay_ms(child->quick_deaths++, RESTART_SLOWEST_MS);
}

void child_describe_end(int wait_status, char *out, size_t size)
{
    if (WIFSIGNALED(wait_status))
        snprintf(out, size, "signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else
        snprintf(out, size, "exit code %d", WEXITSTATUS(wait_status));
}
