#include "daemon/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "daemon/config_file.h"
#include "daemon/crew.h"
#include "daemon/signals.h"
#include "daemon/succession.h"
#include "daemon/watchdog.h"
#include "proxy/log/access_log.h"
#include "proxy/process/proxy.h"
#include "proxy/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_REFUSED 2
#define DRAIN_GRACE_MS 5000 /* the proxy's own end of a drain takes 2 s at most */
#define CONTROL_STOP_MS 3000
#define TAKE_OVER_MS 60000

/*                                 SIGUSR2
 * (TAKING_OVER --proxy serves-->) RUNNING --> TRYING --good--> HANDING_OVER --control's end--> the new program
 *       | it does not               ^           | bad
 *       v                           +-----------+
 *  the old program: RUNNING
 *
 * all --SIGTERM--> DRAINING (proxies finish) --their end--> STOPPING (control) --its end--> end */
enum supervisor_phase {
    SUPERVISOR_RUNNING = 0,
    SUPERVISOR_TRYING,
    SUPERVISOR_HANDING_OVER,
    SUPERVISOR_TAKING_OVER,
    SUPERVISOR_DRAINING,
    SUPERVISOR_STOPPING
};

struct supervisor {
    struct loop *loop;
    const struct supervisor_options *options;
    int64_t drain_ms; /* follows reloads */
    struct crew crew;
    struct signals signals;
    struct watchdog control_watchdog, proxy_watchdog;
    struct timer deadline; /* of the phase */
    enum supervisor_phase phase;
    struct succession succession;
    int exit_code;
};

static const int signal_numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
#define SIGNAL_COUNT (sizeof signal_numbers / sizeof *signal_numbers)

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void hold_signals_back(bool on)
{
    signals_hold_back(signal_numbers, SIGNAL_COUNT, on);
}

/* ---- starting children ---- */

static void schedule_restart(struct child *child, enum child_end end)
{
    int64_t delay_ms = child_restart_delay_ms(child, end, clock_now_ms());
    if (delay_ms > 0)
        log_warn("%s: next start in %lld ms: %s", child->name, (long long)delay_ms, child_end_to_str(end));
    timer_start(&child->restart, delay_ms);
}

/* Said once, and again when the reason is another: it is tried for as long as it takes. */
static void note_try(struct child *child, bool is_started)
{
    int error = is_started ? 0 : errno != 0 ? errno : EAGAIN;
    if (error != 0 && error != child->start_error)
        log_error("%s: cannot be started: %s; tried again and again, at last every %d s", child->name, strerror(error),
                  CHILD_RESTART_SLOWEST_MS / 1000);
    else if (error == 0 && child->start_error != 0)
        log_info("%s: can be started again", child->name);
    child->start_error = error;
    if (error != 0)
        timer_start(&child->restart, child_restart_delay_ms(child, CHILD_FAILED, clock_now_ms()));
}

static void supervisor_on_control_restart(void *owner)
{
    struct supervisor *s = owner;
    note_try(&s->crew.control, crew_start_control(&s->crew));
}

static void supervisor_on_proxy_restart(void *owner)
{
    struct supervisor *s = owner;
    note_try(&s->crew.proxy, crew_start_proxy(&s->crew));
}

/* ---- stopping ---- */

/* From here on nobody is started again. */
static void stop_watching(struct supervisor *s)
{
    watchdog_stop(&s->control_watchdog);
    watchdog_stop(&s->proxy_watchdog);
    timer_stop(&s->crew.control.restart);
    timer_stop(&s->crew.proxy.restart);
}

static void kill_all(const struct supervisor *s)
{
    crew_kill(&s->crew, SIGKILL);
    predecessors_kill(&s->crew.predecessors, SIGKILL);
}

static void stop_control(struct supervisor *s)
{
    s->phase = SUPERVISOR_STOPPING;
    if (s->crew.control.pid == 0) {
        loop_stop(s->loop);
        return;
    }
    kill(s->crew.control.pid, SIGTERM);
    timer_start(&s->deadline, CONTROL_STOP_MS);
}

static void begin_drain(struct supervisor *s)
{
    log_info("stopping: requests in progress have %lld ms to end", (long long)s->drain_ms);
    s->phase = SUPERVISOR_DRAINING;
    stop_watching(s);
    upgrade_fini(&s->succession.upgrade);
    /* Or new connections would wait in a queue nobody empties. */
    socket_book_close(&s->succession.inherited.sockets, &s->crew.sockets);
    socket_book_close(&s->crew.sockets, NULL);
    if (!crew_has_proxies(&s->crew)) {
        stop_control(s);
        return;
    }
    if (s->crew.proxy.channel && !child_channel_send(s->crew.proxy.channel, CHILD_MESSAGE_DRAIN, -1))
        kill(s->crew.proxy.pid, SIGTERM);
    predecessors_send(&s->crew.predecessors, CHILD_MESSAGE_DRAIN, -1);
    timer_start(&s->deadline, s->drain_ms + DRAIN_GRACE_MS);
}

static void stop_at_once(struct supervisor *s)
{
    log_warn("stopping at once");
    stop_watching(s);
    upgrade_fini(&s->succession.upgrade);
    kill_all(s);
    s->phase = SUPERVISOR_STOPPING;
    if (!crew_has_proxies(&s->crew) && s->crew.control.pid == 0)
        loop_stop(s->loop);
}

/* ---- upgrade ---- */

static void begin_upgrade(struct supervisor *s)
{
    if (succession_try(&s->succession, &s->crew, s->drain_ms))
        s->phase = SUPERVISOR_TRYING;
}

/* Returns only when the old program must go on after all. */
static void hand_over(struct supervisor *s)
{
    timer_stop(&s->deadline);
    hold_signals_back(true); /* one that only this loop has caught would be lost with it */
    succession_hand_over(&s->succession, &s->crew, s->drain_ms);
    hold_signals_back(false);
    s->phase = SUPERVISOR_RUNNING;
    schedule_restart(&s->crew.control, CHILD_KILLED); /* by us */
}

/* Two controls must never act at one time: the new one starts when the old one has ended. The proxy serves meanwhile. */
static void trial_has_ended(struct supervisor *s, int wait_status)
{
    bool is_good = succession_end_trial(&s->succession, wait_status);
    if (s->phase != SUPERVISOR_TRYING)
        return;
    s->phase = is_good ? SUPERVISOR_HANDING_OVER : SUPERVISOR_RUNNING;
    if (!is_good)
        return;
    timer_stop(&s->crew.control.restart);
    timer_start(&s->deadline, s->crew.control.pid > 0 ? CONTROL_STOP_MS : 0);
    if (s->crew.control.pid > 0)
        kill(s->crew.control.pid, SIGTERM);
}

static void commit(struct supervisor *s)
{
    timer_stop(&s->deadline);
    s->phase = SUPERVISOR_RUNNING;
    succession_commit(&s->succession, &s->crew);
}

/* ---- events ---- */

static void supervisor_on_deadline(void *owner)
{
    struct supervisor *s = owner;
    switch (s->phase) {
    case SUPERVISOR_RUNNING:
    case SUPERVISOR_TRYING:
        break;
    case SUPERVISOR_HANDING_OVER:
        if (s->crew.control.pid == 0)
            hand_over(s);
        else
            kill(s->crew.control.pid, SIGKILL);
        break;
    case SUPERVISOR_TAKING_OVER:
        succession_go_back(&s->succession, &s->crew, "the new proxy has not come to serve in time");
    case SUPERVISOR_DRAINING:
        log_warn("proxy: has not ended in time, killed");
        s->exit_code = PROXY_EXIT_CUT_OFF;
        if (s->crew.proxy.pid > 0)
            kill(s->crew.proxy.pid, SIGKILL);
        predecessors_kill(&s->crew.predecessors, SIGKILL);
        break;
    case SUPERVISOR_STOPPING:
        kill_all(s);
        break;
    }
}

static void begin_reload(struct supervisor *s)
{
    struct config_problems problems = { 0 };
    struct config *wanted = config_load_file(s->options->config_path, &problems);
    if (wanted)
        s->drain_ms = wanted->proxy.timeouts.drain_ms;
    config_free(wanted);
    config_problems_fini(&problems); /* control reports them */
    if (s->crew.control.channel)
        child_channel_send(s->crew.control.channel, CHILD_MESSAGE_RELOAD, -1);
}

/* The proxy has no right to, in its jail. */
static void reopen_access_log(struct supervisor *s)
{
    const char *where = s->crew.config->proxy.access_log;
    int fd = -1;
    if (!access_log_is_file(where)) {
        log_info("access log: it is no file, there is nothing to open anew");
        return;
    }
    if (!access_log_open_fd(where, &fd)) {
        log_error("access log: %s: %s; going on with the old one", where, strerror(errno));
        return;
    }
    /* One that is not there, or not any more, opens the file by itself when it starts. */
    if (s->crew.proxy.channel && !child_channel_send(s->crew.proxy.channel, CHILD_MESSAGE_LOG, fd))
        log_error("access log: the proxy could not be told; it goes on with the old one");
    predecessors_send(&s->crew.predecessors, CHILD_MESSAGE_LOG, fd);
    close(fd);
}

/* A first start that fails of its own accord (an unknown account, say) would fail for ever. */
static bool is_refusal(const struct child *child, int wait_status)
{
    return !child->was_ready && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0;
}

static void child_must_live(struct supervisor *s, struct child *child, int wait_status)
{
    if (!is_refusal(child, wait_status)) {
        schedule_restart(child, child_end_of(child, wait_status));
        return;
    }
    s->exit_code = EXIT_REFUSED;
    stop_at_once(s);
}

static void note_cut_off(struct supervisor *s, int wait_status)
{
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == PROXY_EXIT_CUT_OFF)
        s->exit_code = PROXY_EXIT_CUT_OFF;
}

static void go_on_without(struct supervisor *s, struct child *child, int wait_status)
{
    switch (s->phase) {
    case SUPERVISOR_RUNNING:
    case SUPERVISOR_TRYING:
        child_must_live(s, child, wait_status);
        break;
    case SUPERVISOR_HANDING_OVER:
        if (child == &s->crew.control)
            hand_over(s);
        else
            child_must_live(s, child, wait_status);
        break;
    case SUPERVISOR_TAKING_OVER:
        succession_go_back(&s->succession, &s->crew,
                           child == &s->crew.proxy ? "the new proxy ended before it served"
                                                   : "the new control ended early");
    case SUPERVISOR_DRAINING:
        if (!crew_has_proxies(&s->crew))
            stop_control(s);
        break;
    case SUPERVISOR_STOPPING:
        if (!crew_has_proxies(&s->crew) && s->crew.control.pid == 0)
            loop_stop(s->loop);
        break;
    }
}

/* An end that nobody has ordered, or not in this way, has a reason that somebody must look for. */
static enum log_level level_of_end(bool is_expected, int wait_status)
{
    bool is_own_fault =
        WIFSIGNALED(wait_status) && WTERMSIG(wait_status) != SIGKILL && WTERMSIG(wait_status) != SIGTERM;
    return is_expected && !is_own_fault ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
}

static bool is_end_expected(const struct supervisor *s, const struct child *child)
{
    switch (s->phase) {
    case SUPERVISOR_RUNNING:
    case SUPERVISOR_TRYING:
    case SUPERVISOR_TAKING_OVER:
        return false;
    case SUPERVISOR_HANDING_OVER:
        return child == &s->crew.control;
    case SUPERVISOR_DRAINING:
    case SUPERVISOR_STOPPING:
        return true;
    }
    return false;
}

static void child_has_ended(struct supervisor *s, struct child *child, int wait_status)
{
    char how[64];
    child_describe_end(wait_status, how, sizeof how);
    log_write(level_of_end(is_end_expected(s, child), wait_status), "%s[%d] ended: %s", child->name, (int)child->pid,
              how);
    if (s->phase == SUPERVISOR_DRAINING && child == &s->crew.proxy)
        note_cut_off(s, wait_status);
    child_forget(child);
    go_on_without(s, child, wait_status);
}

static bool is_stopping(const struct supervisor *s)
{
    return s->phase == SUPERVISOR_DRAINING || s->phase == SUPERVISOR_STOPPING;
}

/* False: it is none of them. */
static bool predecessor_has_ended(struct supervisor *s, pid_t pid, int wait_status)
{
    char how[64];
    size_t unreadable = predecessors_unreadable_count(&s->crew.predecessors);
    if (!predecessors_end(&s->crew.predecessors, pid))
        return false;
    child_describe_end(wait_status, how, sizeof how);
    log_write(level_of_end(WIFEXITED(wait_status) || is_stopping(s), wait_status),
              "proxy[%d] of before an upgrade ended: %s", (int)pid, how);
    if (s->phase == SUPERVISOR_DRAINING)
        note_cut_off(s, wait_status);
    if (s->crew.control.channel && predecessors_unreadable_count(&s->crew.predecessors) < unreadable)
        child_channel_send(s->crew.control.channel, CHILD_MESSAGE_ENDED, -1);
    if (is_stopping(s))
        go_on_without(s, NULL, wait_status);
    return true;
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->crew.control.pid)
            child_has_ended(s, &s->crew.control, status);
        else if (pid == s->crew.proxy.pid)
            child_has_ended(s, &s->crew.proxy, status);
        else if (pid == s->succession.upgrade.trial_pid)
            trial_has_ended(s, status);
        else
            predecessor_has_ended(s, pid, status); /* or it is an orphan that we inherited as PID 1 */
    }
}

static void supervisor_on_signal(void *owner, int number)
{
    struct supervisor *s = owner;
    if (number == SIGCHLD)
        reap(s);
    else if (number == SIGUSR1)
        reopen_access_log(s);
    else if (number == SIGQUIT)
        stop_at_once(s);
    else if (number == SIGHUP && !is_stopping(s))
        begin_reload(s);
    else if (number == SIGUSR2 && s->phase == SUPERVISOR_RUNNING)
        begin_upgrade(s);
    else if (number == SIGUSR2 && !is_stopping(s))
        log_warn("upgrade: one is under way already");
    else if ((number == SIGTERM || number == SIGINT) && is_stopping(s))
        stop_at_once(s);
    else if (number == SIGTERM || number == SIGINT)
        begin_drain(s);
}

static void child_has_sent(struct supervisor *s, struct child *child, enum child_message message, int fd)
{
    if (fd >= 0)
        close(fd); /* nothing that we want */
    child->beat_at_ms = clock_now_ms();
    if (message == CHILD_MESSAGE_READY && !child->is_ready) {
        child->is_ready = child->was_ready = true;
        log_info("%s[%d] is ready", child->name, (int)child->pid);
    } else if (message == CHILD_MESSAGE_RELINK && child == &s->crew.control && !is_stopping(s)) {
        crew_link(&s->crew); /* once a second at most; the proxy has nothing to ask for, and might flood us */
    } else if (message == CHILD_MESSAGE_SERVING && s->phase == SUPERVISOR_TAKING_OVER) {
        commit(s);
    }
}

static void supervisor_on_control_message(void *owner, enum child_message message, int fd)
{
    struct supervisor *s = owner;
    child_has_sent(s, &s->crew.control, message == CHILD_MESSAGE_SERVING ? CHILD_MESSAGE_STARTED : message, fd);
}

static void supervisor_on_proxy_message(void *owner, enum child_message message, int fd)
{
    struct supervisor *s = owner;
    child_has_sent(s, &s->crew.proxy, message, fd);
}

/* The process is about to be reaped; until then it must not be sent anything. */
static void supervisor_on_control_channel_close(void *owner)
{
    struct supervisor *s = owner;
    child_channel_free(s->crew.control.channel);
    s->crew.control.channel = NULL;
}

static void supervisor_on_proxy_channel_close(void *owner)
{
    struct supervisor *s = owner;
    child_channel_free(s->crew.proxy.channel);
    s->crew.proxy.channel = NULL;
}

static const struct child_channel_callbacks control_callbacks = { .on_message = supervisor_on_control_message,
                                                                  .on_close = supervisor_on_control_channel_close };
static const struct child_channel_callbacks proxy_callbacks = { .on_message = supervisor_on_proxy_message,
                                                                .on_close = supervisor_on_proxy_channel_close };

/* ---- start ---- */

static void run(struct supervisor *s)
{
    signals_start(&s->signals, s->loop, signal_numbers, SIGNAL_COUNT, supervisor_on_signal, s);
    hold_signals_back(false);
    supervisor_on_control_restart(s);
    if (s->crew.proxy.pid == 0)
        supervisor_on_proxy_restart(s);
    if (s->phase == SUPERVISOR_TAKING_OVER)
        timer_start(&s->deadline, TAKE_OVER_MS);
    watchdog_start(&s->control_watchdog, s->loop, &s->crew.control, s->crew.config->proxy.timeouts.watchdog_ms);
    watchdog_start(&s->proxy_watchdog, s->loop, &s->crew.proxy, s->crew.config->proxy.timeouts.watchdog_ms);
    reap(s);
    loop_run(s->loop);
    stop_watching(s);
    timer_stop(&s->deadline);
    signals_stop(&s->signals);
}

static void fini(struct supervisor *s)
{
    child_forget(&s->crew.control);
    child_forget(&s->crew.proxy);
    predecessors_fini(&s->crew.predecessors);
    succession_fini(&s->succession);
    socket_book_close(&s->crew.sockets, NULL);
    if (s->crew.stats_fd >= 0)
        close(s->crew.stats_fd);
    config_free(s->crew.config);
    loop_free(s->loop);
}

static void init(struct supervisor *s, const struct supervisor_options *options)
{
    *s = (struct supervisor){ .options = options, .loop = loop_new() };
    s->crew = (struct crew){ .loop = s->loop,
                             .config_path = options->config_path,
                             .sockets = SOCKET_BOOK_EMPTY,
                             .stats_fd = -1,
                             .predecessors = { .loop = s->loop },
                             .control = { .name = "control" },
                             .proxy = { .name = "proxy" },
                             .control_callbacks = &control_callbacks,
                             .proxy_callbacks = &proxy_callbacks,
                             .owner = s };
    timer_init(&s->crew.control.restart, s->loop, supervisor_on_control_restart, s);
    timer_init(&s->crew.proxy.restart, s->loop, supervisor_on_proxy_restart, s);
    timer_init(&s->deadline, s->loop, supervisor_on_deadline, s);
    succession_init(&s->succession, s->loop, options->program, options->config_path);
}

int supervisor_run(const struct supervisor_options *options)
{
    struct supervisor s;
    struct error error = { "" };
    hold_signals_back(true);
    signal(SIGPIPE, SIG_IGN);
    log_init("supervisor", LOG_LEVEL_INFO);
    raise_descriptor_limit();
    init(&s, options);
    bool ok = succession_begin(&s.succession, &s.crew, options->handover_fd, options->refused, &s.drain_ms, &error);
    if (ok) {
        log_init("supervisor", config_file_log_level(s.crew.config->log_level));
        log_info("portico " PORTICO_VERSION ", %u workers, admin on %s", s.crew.workers, s.crew.config->admin.address);
        s.phase = s.succession.role == SUCCESSION_NEW ? SUPERVISOR_TAKING_OVER : SUPERVISOR_RUNNING;
        run(&s);
    } else if (error.text[0]) {
        fprintf(stderr, "portico: %s\n", error.text);
    }
    int exit_code = ok ? s.exit_code : EXIT_REFUSED;
    fini(&s);
    return exit_code;
}

int supervisor_try(const struct supervisor_options *options)
{
    struct error error = { "" };
    if (succession_is_possible(options->config_path, options->handover_fd, &error))
        return 0;
    if (error.text[0])
        fprintf(stderr, "%s\n", error.text);
    return EXIT_REFUSED;
}
