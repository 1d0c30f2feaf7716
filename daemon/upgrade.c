#include "daemon/upgrade.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OUTPUT_BYTES_MAX 4096
#define WORDS_MAX 8

extern char **environ;

/* ---- the command line ---- */

struct command_line {
    char *words[WORDS_MAX + 1]; /* borrowed, but the number */
    char number[16];
};

static void fill(struct command_line *line, const char *config_path, const struct handover *h, int fd,
                 const char *option, const char *value)
{
    snprintf(line->number, sizeof line->number, "%d", fd);
    const char *words[WORDS_MAX + 1] = { h->program,      "run",        "--config", config_path,
                                         "--handover-fd", line->number, option,     value };
    memcpy(line->words, words, sizeof words);
}

char *upgrade_find_program(const char *first_word)
{
    char path[4096];
    if (first_word[0] == '/')
        return mem_strdup(first_word);
    if (strchr(first_word, '/') && getcwd(path, sizeof path))
        return mem_printf("%s/%s", path, first_word);
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    return mem_strdup(path);
}

/* ---- the trial ---- */

static void on_limit(void *owner)
{
    struct upgrade *u = owner;
    log_error("upgrade: the trial does not end, killed");
    kill(u->trial_pid, SIGKILL);
}

void upgrade_init(struct upgrade *u, struct loop *loop)
{
    *u = (struct upgrade){ .output_fd = -1 };
    timer_init(&u->limit, loop, on_limit, u);
}

static void forget_trial(struct upgrade *u)
{
    timer_stop(&u->limit);
    if (u->output_fd >= 0)
        close(u->output_fd);
    u->output_fd = -1;
    u->trial_pid = 0;
}

void upgrade_fini(struct upgrade *u)
{
    if (u->trial_pid > 0)
        kill(u->trial_pid, SIGKILL);
    forget_trial(u);
}

/* In the new process, up to the exec: async-signal-safe calls only. */
__attribute__((noreturn)) static void become_trial(const struct command_line *line, const struct handover *h,
                                                   int output_fd)
{
    setpgid(0, 0);
    handover_keep(h, true);
    dup2(output_fd, STDOUT_FILENO);
    dup2(output_fd, STDERR_FILENO);
    execve(line->words[0], line->words, environ);
    int cause = errno;
    const char *text = strerrordesc_np(cause);
    if (text && write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(126);
    _exit(127);
}

bool upgrade_start_trial(struct upgrade *u, const char *config_path, const struct handover *h, struct error *error)
{
    struct command_line line;
    int fd = handover_write(h, error);
    if (fd < 0)
        return false;
    u->output_fd = memfd_create("portico-trial", MFD_CLOEXEC);
    fill(&line, config_path, h, fd, "--trial", NULL);
    u->trial_pid = u->output_fd < 0 ? -1 : fork();
    if (u->trial_pid == 0)
        become_trial(&line, h, u->output_fd);
    if (u->trial_pid < 0) {
        error_set_errno(error, "no process for the trial");
        forget_trial(u);
    } else {
        timer_start(&u->limit, UPGRADE_TRIAL_MS);
    }
    close(fd);
    return u->trial_pid > 0;
}

/* Its lines into our log; the first one is the reason. */
static void tell_output(const struct upgrade *u, struct error *why)
{
    char text[OUTPUT_BYTES_MAX + 1];
    ssize_t len = pread(u->output_fd, text, OUTPUT_BYTES_MAX, 0);
    text[len > 0 ? len : 0] = '\0';
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        if (!*line)
            continue;
        log_error("upgrade: %s", line);
        if (!why->text[0])
            error_set(why, "%s", line);
    }
}

bool upgrade_end_trial(struct upgrade *u, int wait_status, struct error *why)
{
    char how[64];
    bool is_good = wait_status == 0;
    why->text[0] = '\0';
    if (!is_good)
        tell_output(u, why);
    child_describe_end(wait_status, how, sizeof how);
    if (!is_good && !why->text[0])
        error_set(why, "the trial of %s ended: %s", "the new program", how);
    forget_trial(u);
    return is_good;
}

/* ---- in place ---- */

/* Signals that come in between wait until the new program looks for them. */
static void execute(int program_fd, const struct command_line *line, const struct handover *h, int document_fd,
                    struct error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    handover_keep(h, true);
    if (program_fd >= 0)
        fexecve(program_fd, line->words, environ);
    else
        execve(line->words[0], line->words, environ);
    error_set_errno(error, "%s", line->words[0]);
    handover_keep(h, false);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(document_fd);
}

void upgrade_execute(const char *config_path, const struct handover *h, struct error *error)
{
    struct command_line line;
    int fd = handover_write(h, error);
    if (fd < 0)
        return;
    fill(&line, config_path, h, fd, NULL, NULL);
    execute(-1, &line, h, fd, error);
}

void upgrade_go_back(const char *config_path, const struct handover *h, const char *why, struct error *error)
{
    struct command_line line;
    int fd = handover_write(h, error);
    if (fd < 0)
        return;
    fill(&line, config_path, h, fd, "--refused", why);
    execute(h->program_fd, &line, h, fd, error);
}
