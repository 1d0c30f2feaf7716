#include "proxy/process/jail_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) || \
    HAS_FEATURE(thread_sanitizer)
#define RELAXED 1
#else
#define RELAXED 0
#endif

#define CALL(name) SCMP_SYS(name)

/* Whatever the arguments. A name that this architecture does not have is a negative number, which libseccomp skips. */
static const int allowed_calls[] = {
    /* the request path */
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(recvfrom),
    CALL(recvmsg),
    CALL(sendto),
    CALL(sendmsg),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(epoll_pwait2),
    CALL(epoll_ctl),
    CALL(accept4),
    CALL(accept),
    CALL(connect),
    CALL(shutdown),
    CALL(close),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(futex),
    CALL(clock_gettime),
    CALL(gettimeofday),
    CALL(time),
    CALL(timerfd_settime),
    CALL(madvise),
    CALL(munmap),
    CALL(mremap),
    CALL(brk),
    /* loops, threads and their end */
    CALL(epoll_create1),
    CALL(eventfd2),
    CALL(timerfd_create),
    CALL(timerfd_gettime),
    CALL(pipe2),
    CALL(poll),
    CALL(ppoll),
    CALL(select),
    CALL(pselect6),
    CALL(dup),
    CALL(dup2),
    CALL(dup3),
    CALL(set_robust_list),
    CALL(get_robust_list),
    CALL(rseq),
    CALL(set_tid_address),
    CALL(membarrier),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(sched_setaffinity),
    CALL(sched_getparam),
    CALL(sched_getscheduler),
    CALL(gettid),
    CALL(getpid),
    CALL(getppid),
    CALL(getpgrp),
    CALL(exit),
    CALL(exit_group),
    CALL(restart_syscall),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigtimedwait),
    CALL(rt_sigpending),
    CALL(rt_sigsuspend),
    CALL(sigaltstack),
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(clock_getres),
    /* who and where we are */
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(getresuid),
    CALL(getresgid),
    CALL(getgroups),
    CALL(uname),
    CALL(sysinfo),
    CALL(getrusage),
    CALL(times),
    CALL(getrandom),
    CALL(getrlimit),
    /* files: reading only (open is below); Landlock and the file modes say which */
    CALL(fstat),
    CALL(stat),
    CALL(lstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(lseek),
    CALL(pread64),
    CALL(getdents64),
    CALL(readlink),
    CALL(readlinkat),
    CALL(access),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(getcwd),
    CALL(pwrite64),
    CALL(fsync),
    CALL(fdatasync),
};

/* LeakSanitizer stops the process from a child of its own; AddressSanitizer maps and names its shadow. */
static const int relaxed_calls[] = {
    CALL(getdents),  CALL(clone),     CALL(ptrace),      CALL(wait4),    CALL(kill),
    CALL(tgkill),    CALL(prctl),     CALL(mmap),        CALL(mprotect), CALL(process_vm_readv),
    CALL(setrlimit), CALL(prlimit64), CALL(personality), CALL(ioctl),
};

#define COMPARE(arg, op, ...) \
    {                         \
        arg, op, __VA_ARGS__  \
    }
#define SOCKET_TYPE_MASK 0xf /* without SOCK_NONBLOCK and SOCK_CLOEXEC */

#define TCP_SOCKET(family, protocol)                                                                           \
    {                                                                                                          \
        CALL(socket), 3,                                                                                       \
        {                                                                                                      \
            COMPARE(0, SCMP_CMP_EQ, family, 0), COMPARE(1, SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, SOCK_STREAM), \
                COMPARE(2, SCMP_CMP_EQ, protocol, 0)                                                           \
        }                                                                                                      \
    }

struct rule {
    int call;
    unsigned test_count;
    struct scmp_arg_cmp tests[3]; /* all must hold */
};

/* 64-bit comparisons: upper bits that the kernel would ignore make a call refused, not allowed. */
static const struct rule tested_rules[] = {
    TCP_SOCKET(AF_INET, 0),
    TCP_SOCKET(AF_INET, IPPROTO_TCP),
    TCP_SOCKET(AF_INET6, 0),
    TCP_SOCKET(AF_INET6, IPPROTO_TCP),
    /* not F_SETOWN and F_SETSIG, nor O_ASYNC, F_NOTIFY and leases: they send signals, also to other processes */
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_GETFD, 0) } },
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_SETFD, 0) } },
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_GETFL, 0) } },
    { CALL(fcntl), 2, { COMPARE(1, SCMP_CMP_EQ, F_SETFL, 0), COMPARE(2, SCMP_CMP_MASKED_EQ, O_ASYNC, 0) } },
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_DUPFD, 0) } },
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_DUPFD_CLOEXEC, 0) } },
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_GETPIPE_SZ, 0) } },
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_SETPIPE_SZ, 0) } },
    { CALL(fcntl), 1, { COMPARE(1, SCMP_CMP_EQ, F_GET_SEALS, 0) } },
    { CALL(clone), 1, { COMPARE(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) } },
    { CALL(open), 1, { COMPARE(1, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY) } },
    { CALL(openat), 1, { COMPARE(2, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY) } },
    { CALL(mmap), 1, { COMPARE(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
    { CALL(mprotect), 1, { COMPARE(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
    { CALL(ioctl), 1, { COMPARE(1, SCMP_CMP_EQ, FIONBIO, 0) } },
    { CALL(ioctl), 1, { COMPARE(1, SCMP_CMP_EQ, FIONREAD, 0) } },
    { CALL(ioctl), 1, { COMPARE(1, SCMP_CMP_EQ, TCGETS, 0) } },
    { CALL(ioctl), 1, { COMPARE(1, SCMP_CMP_EQ, SIOCOUTQ, 0) } },
    { CALL(prctl), 1, { COMPARE(0, SCMP_CMP_EQ, PR_SET_NAME, 0) } },
    { CALL(prctl), 1, { COMPARE(0, SCMP_CMP_EQ, PR_GET_NAME, 0) } },
    { CALL(prctl), 1, { COMPARE(0, SCMP_CMP_EQ, PR_SET_VMA, 0) } },
    { CALL(prlimit64), 2, { COMPARE(0, SCMP_CMP_EQ, 0, 0), COMPARE(2, SCMP_CMP_EQ, 0, 0) } },
};

static bool allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) < 0)
            return false;
    }
    return true;
}

static bool allow_tested(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < sizeof tested_rules / sizeof *tested_rules; i++) {
        const struct rule *rule = &tested_rules[i];
        if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, rule->test_count, rule->tests) < 0)
            return false;
    }
    return true;
}

/* A signal to ourselves only: abort() and raise(). */
static bool allow_own_signals(scmp_filter_ctx filter)
{
    scmp_datum_t self = (scmp_datum_t)getpid();
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(tgkill), 1, SCMP_CMP(0, SCMP_CMP_EQ, self, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(kill), 1, SCMP_CMP(0, SCMP_CMP_EQ, self, 0)) == 0;
}

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static bool fill(scmp_filter_ctx filter)
{
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list; older libraries lack it */
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);      /* a filter alone must not slow down every load */
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) < 0 ||
        !allow_all(filter, allowed_calls, COUNT_OF(allowed_calls)))
        return false;
    if (RELAXED && !allow_all(filter, relaxed_calls, COUNT_OF(relaxed_calls)))
        return false;
    return allow_tested(filter) && (RELAXED || allow_own_signals(filter));
}

bool jail_filter_load(struct error *error)
{
    if (RELAXED)
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return error_set(error, "seccomp: no filter could be made");
    int failure = fill(filter) ? seccomp_load(filter) : -EINVAL;
    seccomp_release(filter);
    if (failure == 0)
        return true;
    errno = -failure;
    return error_set_errno(error, "seccomp");
}

bool jail_filter_is_relaxed(void)
{
    return RELAXED;
}
