/* captured_stderr: what a function, or a child process that runs it, writes to standard error. One thread. */
#ifndef TESTS_UNIT_BASE_CAPTURED_STDERR_H
#define TESTS_UNIT_BASE_CAPTURED_STDERR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct captured_stderr {
    int saved_fd, read_fd;
};

static inline void captured_stderr_start(struct captured_stderr *c)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    c->saved_fd = dup(STDERR_FILENO);
    c->read_fd = fds[0];
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    close(fds[1]);
}

/* The text, with a NUL; at most size - 1 bytes. What was written has to fit a pipe. */
static inline size_t captured_stderr_stop(struct captured_stderr *c, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;
    assert_true(dup2(c->saved_fd, STDERR_FILENO) >= 0); /* closes the pipe's end: what follows sees its end */
    close(c->saved_fd);
    while (len < size - 1 && (got = read(c->read_fd, text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    close(c->read_fd);
    return len;
}

/* True when a child process that runs it is ended by abort(), or by a sanitizer, and not by returning. */
static inline bool dies(void (*run)(void), char *text, size_t size)
{
    struct captured_stderr captured;
    int status = 0;
    fflush(NULL);
    captured_stderr_start(&captured);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        run();
        _exit(0);
    }
    captured_stderr_stop(&captured, text, size);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

#endif
