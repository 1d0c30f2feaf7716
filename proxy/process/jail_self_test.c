#include "proxy/process/jail.h"

#include "proxy/process/jail_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Each tries one thing and returns what the system said: >= 0 is a way out. */
static long try_unix_stream(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long try_unix_datagram(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long try_socketpair(void)
{
    int fds[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static long try_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long try_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
}

static long try_other_protocol(void)
{
    return socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
}

static long try_another_other_protocol(void)
{
    return socket(AF_INET6, SOCK_STREAM, IPPROTO_SCTP);
}

static long try_listen(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&any, sizeof any) < 0 ? -1 : listen(fd, 1);
}

static long try_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid;
}

static long try_exec(void)
{
    char path[] = "/bin/true", *arguments[] = { path, NULL }, *environment[] = { NULL };
    return execve(path, arguments, environment); /* were it possible, the test would end silently and so fail */
}

static long try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_read_of_parent_memory(void)
{
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static long try_mount(void)
{
    return syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL);
}

static long try_user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_setns(void)
{
    return setns(0, 0);
}

static long try_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long try_keyctl(void)
{
    return syscall(SYS_keyctl, 0, 0);
}

static long try_perf_event_open(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long try_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 0);
}

static long try_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}

static long try_open_by_handle(void)
{
    return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0);
}

static long try_init_module(void)
{
    return syscall(SYS_init_module, NULL, 0, "");
}

static long try_kexec(void)
{
    return syscall(SYS_kexec_load, 0, 0, NULL, 0);
}

static long try_file_write(void)
{
    return open("/tmp/portico-jail-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long try_unlink(void)
{
    return unlink("/tmp/portico-jail-test");
}

static long try_signal_to_parent(void)
{
    return kill(getppid(), 0);
}

/* A descriptor that tells its readiness by a signal, to whom its owner likes. */
static long try_signal_owner(void)
{
    return fcntl(STDOUT_FILENO, F_SETOWN, getppid());
}

static long try_signal_owner_of_any_kind(void)
{
    struct f_owner_ex owner = { F_OWNER_PGRP, getppid() };
    return fcntl(STDOUT_FILENO, F_SETOWN_EX, &owner);
}

static long try_signal_number(void)
{
    return fcntl(STDOUT_FILENO, F_SETSIG, SIGKILL);
}

static long try_signal_when_ready(void)
{
    return fcntl(STDOUT_FILENO, F_SETFL, O_ASYNC);
}

static long try_notify(void)
{
    return fcntl(STDOUT_FILENO, F_NOTIFY, DN_ACCESS);
}

static long try_lease(void)
{
    return fcntl(STDOUT_FILENO, F_SETLEASE, F_RDLCK);
}

static long try_root_again(void)
{
    return setuid(0);
}

static long try_executable_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                                  : 0;
}

struct attempt {
    const char *what;
    long (*try_it)(void);
    bool needed_by_sanitizers;
};

static const struct attempt attempts[] = {
    { "socket(AF_UNIX, SOCK_STREAM)", try_unix_stream, false },
    { "socket(AF_UNIX, SOCK_DGRAM)", try_unix_datagram, false },
    { "socketpair(AF_UNIX)", try_socketpair, false },
    { "socket(AF_NETLINK)", try_netlink, false },
    { "socket(AF_INET, SOCK_RAW)", try_raw_socket, false },
    { "socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP)", try_other_protocol, false },
    { "socket(AF_INET6, SOCK_STREAM, IPPROTO_SCTP)", try_another_other_protocol, false },
    { "bind and listen", try_listen, false },
    { "fork", try_fork, true },
    { "execve", try_exec, false },
    { "ptrace", try_ptrace, true },
    { "process_vm_readv", try_read_of_parent_memory, true },
    { "mount", try_mount, false },
    { "unshare(CLONE_NEWUSER)", try_user_namespace, false },
    { "setns", try_setns, false },
    { "bpf", try_bpf, false },
    { "keyctl", try_keyctl, false },
    { "perf_event_open", try_perf_event_open, false },
    { "userfaultfd", try_userfaultfd, false },
    { "io_uring_setup", try_io_uring, false },
    { "open_by_handle_at", try_open_by_handle, false },
    { "init_module", try_init_module, false },
    { "kexec_load", try_kexec, false },
    { "open for writing", try_file_write, false },
    { "unlink", try_unlink, false },
    { "kill(parent)", try_signal_to_parent, true },
    { "fcntl(F_SETOWN)", try_signal_owner, false },
    { "fcntl(F_SETOWN_EX)", try_signal_owner_of_any_kind, false },
    { "fcntl(F_SETSIG)", try_signal_number, false },
    { "fcntl(F_SETFL, O_ASYNC)", try_signal_when_ready, false },
    { "fcntl(F_NOTIFY)", try_notify, false },
    { "fcntl(F_SETLEASE)", try_lease, false },
    { "setuid(0)", try_root_again, false },
    { "mmap(PROT_EXEC)", try_executable_memory, true },
};

/* Another error means that the call itself was reached and only its arguments were wrong. */
static bool is_refusal(int error_number)
{
    return error_number == ENOSYS || error_number == EPERM || error_number == EACCES;
}

int jail_self_test(FILE *out)
{
    int possible = 0;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        if (attempts[i].needed_by_sanitizers && jail_filter_is_relaxed()) {
            fprintf(out, "%s: not tried (sanitizer)\n", attempts[i].what);
            continue;
        }
        errno = 0;
        long result = attempts[i].try_it();
        bool refused = result < 0 && is_refusal(errno);
        possible += !refused;
        fprintf(out, "%s: %s (%s)\n", attempts[i].what, refused ? "refused" : "POSSIBLE", strerror(errno));
        fflush(out);
    }
    return possible;
}
