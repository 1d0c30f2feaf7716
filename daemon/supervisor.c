#include "daemon/supervisor.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/load.h"
#include "daemon/child.h"
#include "daemon/config_file.h"
#include "daemon/listen_sockets.h"
#include "daemon/signals.h"
#include "proxy/access_log.h"
#include "proxy/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_REFUSED 2
#define DRAIN_GRACE_MS 1000
#define CONTROL_STOP_MS 3000

/*   RUNNING --SIGTERM--> DRAINING (proxy finishes) --its exit--> STOPPING (control) --its exit--> end */
enum supervisor_phase { SUPERVISOR_RUNNING = 0, SUPERVISOR_DRAINING, SUPERVISOR_STOPPING };

struct supervisor {
    struct loop *loop;
    const char *config_path; /* borrowed */
    struct config *config;   /* of the start; what needs a restart never changes */
    int64_t drain_ms;        /* follows reloads */
    uint32_t workers;
    int *listen_fds; /* listener l, worker w: [l * workers + w] */
    size_t listen_fd_count;
    int admin_fd, stats_fd;
    struct child control, proxy;
    struct signals signals;
    struct timer deadline; /* of the phase */
    enum supervisor_phase phase;
    int exit_code;
};

static void supervisor_on_control_message(void *owner, enum child_message message, int fd);
static void supervisor_on_proxy_message(void *owner, enum child_message message, int fd);
static void supervisor_on_control_channel_close(void *owner);
static void supervisor_on_proxy_channel_close(void *owner);

static const struct child_channel_callbacks control_callbacks = { .on_message = supervisor_on_control_message,
                                                                  .on_close = supervisor_on_control_channel_close };
static const struct child_channel_callbacks proxy_callbacks = { .on_message = supervisor_on_proxy_message,
                                                                .on_close = supervisor_on_proxy_channel_close };

static uint32_t count_workers(const struct config *config)
{
    cpu_set_t allowed;
    long count = config->proxy.workers;
    if (count == 0)
        count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return count > STATS_WORKERS_MAX ? STATS_WORKERS_MAX : (uint32_t)count;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- what children inherit ---- */

static bool bind_listeners(struct supervisor *s)
{
    const struct config *config = s->config;
    s->listen_fds = mem_alloc_array(config->listener_count * s->workers, sizeof *s->listen_fds);
    for (size_t i = 0; i < config->listener_count; i++) {
        struct error error;
        if (!listen_sockets_open(config->listeners[i].address, s->workers, s->listen_fds + s->listen_fd_count,
                                 &error)) {
            fprintf(stderr, "portico: listeners[%zu].address %s: %s\n", i, config->listeners[i].address, error.text);
            return false;
        }
        s->listen_fd_count += s->workers;
    }
    return true;
}

static bool open_everything(struct supervisor *s)
{
    struct error error;
    if (!bind_listeners(s))
        return false;
    if (!listen_sockets_open(s->config->admin.address, 1, &s->admin_fd, &error)) {
        fprintf(stderr, "portico: admin.address %s: %s\n", s->config->admin.address, error.text);
        return false;
    }
    s->stats_fd = stats_create_fd(s->workers, &error);
    if (s->stats_fd < 0) {
        fprintf(stderr, "portico: %s\n", error.text);
        return false;
    }
    fcntl(s->stats_fd, F_SETFD, FD_CLOEXEC);
    return true;
}

static void close_everything(struct supervisor *s)
{
    listen_sockets_close(s->listen_fds, s->listen_fd_count);
    free(s->listen_fds);
    if (s->admin_fd >= 0)
        close(s->admin_fd);
    if (s->stats_fd >= 0)
        close(s->stats_fd);
}

/* ---- starting children ---- */

/* One end of a new link is returned, for `child`, the other goes to its peer, if that one lives. -1: nobody to link
 * with. */
static int make_link_with(struct child *peer)
{
    int fds[2];
    if (!peer->channel || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    bool sent = child_channel_send(peer->channel, CHILD_MESSAGE_LINK, fds[1]);
    close(fds[1]);
    if (sent)
        return fds[0];
    close(fds[0]);
    return -1;
}

/* Of the start: a reload of the file changes neither the sockets nor what comes in on them. */
static void add_listeners(const struct supervisor *s, struct child_command *command)
{
    struct buf list;
    buf_init(&list, 0);
    for (size_t i = 0; i < s->config->listener_count; i++) {
        const struct config_listener *listener = &s->config->listeners[i];
        buf_printf(&list, "%s%s%s", i ? "," : "", listener->name, listener->proxy_protocol ? "+proxy" : "");
    }
    child_command_add(command, "--listeners");
    child_command_add(command, "%s", buf_text(&list));
    buf_fini(&list);
}

static bool start_control(struct supervisor *s)
{
    int link_fd = make_link_with(&s->proxy);
    const int fds[] = { link_fd, s->admin_fd, s->stats_fd };
    struct child_command command = { .fds = fds, .fd_count = sizeof fds / sizeof *fds };
    child_command_add(&command, "portico");
    child_command_add(&command, "control");
    child_command_add(&command, "--config");
    child_command_add(&command, "%s", s->config_path);
    child_command_add(&command, "--state-dir");
    child_command_add(&command, "%s", s->config->state_dir);
    add_listeners(s, &command);
    child_command_add(&command, "--link-fd");
    child_command_add(&command, "%d", link_fd);
    child_command_add(&command, "--admin-fd");
    child_command_add(&command, "%d", s->admin_fd);
    child_command_add(&command, "--stats-fd");
    child_command_add(&command, "%d", s->stats_fd);
    child_command_add(&command, "--control-restarts");
    child_command_add(&command, "%u", s->control.start_count);
    child_command_add(&command, "--proxy-starts");
    child_command_add(&command, "%u", s->proxy.start_count);
    bool started = child_start(&s->control, s->loop, &command, &control_callbacks, s);
    child_command_fini(&command);
    if (link_fd >= 0)
        close(link_fd);
    return started;
}

static void add_listen_fds(const struct supervisor *s, struct child_command *command)
{
    struct buf list;
    buf_init(&list, 0);
    for (size_t i = 0; i < s->listen_fd_count; i++)
        buf_printf(&list, "%s%d", i ? "," : "", s->listen_fds[i]);
    child_command_add(command, "--listen-fds");
    child_command_add(command, "%s", buf_text(&list));
    buf_fini(&list);
}

/* A link whose other end is closed already: the proxy takes it for a dead control and waits for the next one. */
static int make_dead_link(void)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    close(fds[1]);
    return fds[0];
}

static bool start_proxy(struct supervisor *s)
{
    if (s->control.channel)
        child_channel_send(s->control.channel, CHILD_MESSAGE_STARTED, -1);
    int link_fd = make_link_with(&s->control);
    if (link_fd < 0)
        link_fd = make_dead_link();
    int *fds = mem_alloc_array(s->listen_fd_count + 2, sizeof *fds);
    memcpy(fds, s->listen_fds, s->listen_fd_count * sizeof *fds);
    fds[s->listen_fd_count] = link_fd;
    fds[s->listen_fd_count + 1] = s->stats_fd;
    struct child_command command = { .fds = fds, .fd_count = s->listen_fd_count + 2 };
    child_command_add(&command, "portico");
    child_command_add(&command, "proxy");
    child_command_add(&command, "--link-fd");
    child_command_add(&command, "%d", link_fd);
    child_command_add(&command, "--stats-fd");
    child_command_add(&command, "%d", s->stats_fd);
    child_command_add(&command, "--workers");
    child_command_add(&command, "%u", s->workers);
    add_listen_fds(s, &command);
    child_command_add(&command, "--access-log");
    child_command_add(&command, "%s", s->config->proxy.access_log);
    child_command_add(&command, "--user");
    child_command_add(&command, "%s", s->config->proxy.user);
    child_command_add(&command, "--log-level");
    child_command_add(&command, "%s", s->config->log_level);
    bool started = child_start(&s->proxy, s->loop, &command, &proxy_callbacks, s);
    child_command_fini(&command);
    free(fds);
    if (link_fd >= 0)
        close(link_fd);
    return started;
}

static void schedule_restart(struct supervisor *s, struct child *child)
{
    int64_t delay_ms = child_restart_delay_ms(child, clock_now_ms());
    if (delay_ms > 0)
        log_warn("%s: next start in %lld ms", child->name, (long long)delay_ms);
    (void)s;
    timer_start(&child->restart, delay_ms);
}

static void supervisor_on_control_restart(void *owner)
{
    struct supervisor *s = owner;
    if (!start_control(s)) {
        log_error("control: cannot be started: %s", strerror(errno));
        schedule_restart(s, &s->control);
    }
}

static void supervisor_on_proxy_restart(void *owner)
{
    struct supervisor *s = owner;
    if (!start_proxy(s)) {
        log_error("proxy: cannot be started: %s", strerror(errno));
        schedule_restart(s, &s->proxy);
    }
}

/* ---- stopping ---- */

static void kill_child(const struct child *child, int signal_number)
{
    if (child->pid > 0)
        kill(child->pid, signal_number);
}

static void stop_control(struct supervisor *s)
{
    s->phase = SUPERVISOR_STOPPING;
    if (s->control.pid == 0) {
        loop_stop(s->loop);
        return;
    }
    kill_child(&s->control, SIGTERM);
    timer_start(&s->deadline, CONTROL_STOP_MS);
}

static void begin_drain(struct supervisor *s)
{
    log_info("stopping: requests in progress have %lld ms to end", (long long)s->drain_ms);
    s->phase = SUPERVISOR_DRAINING;
    timer_stop(&s->control.restart);
    timer_stop(&s->proxy.restart);
    listen_sockets_close(s->listen_fds,
                         s->listen_fd_count); /* or new connections would wait in a queue nobody empties */
    if (s->proxy.pid == 0) {
        stop_control(s);
        return;
    }
    if (!s->proxy.channel || !child_channel_send(s->proxy.channel, CHILD_MESSAGE_DRAIN, -1))
        kill_child(&s->proxy, SIGTERM);
    timer_start(&s->deadline, s->drain_ms + DRAIN_GRACE_MS);
}

static void stop_at_once(struct supervisor *s)
{
    log_warn("stopping at once");
    timer_stop(&s->control.restart);
    timer_stop(&s->proxy.restart);
    kill_child(&s->proxy, SIGKILL);
    kill_child(&s->control, SIGKILL);
    s->phase = SUPERVISOR_STOPPING;
    if (s->proxy.pid == 0 && s->control.pid == 0)
        loop_stop(s->loop);
}

static void supervisor_on_deadline(void *owner)
{
    struct supervisor *s = owner;
    if (s->phase == SUPERVISOR_DRAINING)
        log_warn("proxy: has not ended in time, killed");
    kill_child(&s->proxy, SIGKILL);
    if (s->phase == SUPERVISOR_STOPPING)
        kill_child(&s->control, SIGKILL);
}

/* ---- events ---- */

static void begin_reload(struct supervisor *s)
{
    struct config_problems problems = { 0 };
    struct config *wanted = config_load_file(s->config_path, &problems);
    if (wanted)
        s->drain_ms = wanted->proxy.timeouts.drain_ms;
    config_free(wanted);
    config_problems_fini(&problems); /* control reports them */
    if (s->control.channel)
        child_channel_send(s->control.channel, CHILD_MESSAGE_RELOAD, -1);
}

/* The proxy has no right to, in its jail. */
static void reopen_access_log(struct supervisor *s)
{
    const char *where = s->config->proxy.access_log;
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
    if (s->proxy.channel && !child_channel_send(s->proxy.channel, CHILD_MESSAGE_LOG, fd))
        log_error("access log: the proxy could not be told; it goes on with the old one");
    close(fd);
}

/* A first start that fails of its own accord (an unknown account, say) would fail for ever. */
static bool is_refusal(const struct child *child, int wait_status)
{
    return !child->was_ready && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0;
}

static void child_has_ended(struct supervisor *s, struct child *child, int wait_status)
{
    char how[64];
    child_describe_end(wait_status, how, sizeof how);
    pid_t pid = child->pid;
    bool refused = is_refusal(child, wait_status);
    child_forget(child);
    if (s->phase == SUPERVISOR_RUNNING) {
        log_error("%s[%d] ended: %s", child->name, (int)pid, how);
        if (!refused) {
            schedule_restart(s, child);
            return;
        }
        s->exit_code = EXIT_REFUSED;
        stop_at_once(s);
        return;
    }
    log_info("%s[%d] ended: %s", child->name, (int)pid, how);
    if (s->proxy.pid == 0 && s->phase == SUPERVISOR_DRAINING)
        stop_control(s);
    else if (s->proxy.pid == 0 && s->control.pid == 0)
        loop_stop(s->loop);
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->control.pid)
            child_has_ended(s, &s->control, status);
        else if (pid == s->proxy.pid)
            child_has_ended(s, &s->proxy, status);
        /* any other is an orphan that we inherited as PID 1 */
    }
}

static void supervisor_on_signal(void *owner, int number)
{
    struct supervisor *s = owner;
    if (number == SIGCHLD)
        reap(s);
    else if (number == SIGUSR1)
        reopen_access_log(s);
    else if (number == SIGHUP && s->phase == SUPERVISOR_RUNNING)
        begin_reload(s);
    else if (number == SIGQUIT || (number != SIGHUP && s->phase != SUPERVISOR_RUNNING))
        stop_at_once(s);
    else if (number != SIGHUP)
        begin_drain(s);
}

static void give_both_a_link(struct supervisor *s)
{
    if (!s->control.channel)
        return;
    int fd = make_link_with(&s->proxy);
    if (fd < 0)
        return;
    child_channel_send(s->control.channel, CHILD_MESSAGE_LINK, fd);
    close(fd);
}

static void child_has_sent(struct supervisor *s, struct child *child, enum child_message message, int fd)
{
    if (fd >= 0)
        close(fd); /* nothing that we want */
    if (message == CHILD_MESSAGE_READY) {
        child->was_ready = true;
        log_info("%s[%d] is ready", child->name, (int)child->pid);
    } else if (message == CHILD_MESSAGE_RELINK && s->phase == SUPERVISOR_RUNNING) {
        give_both_a_link(s);
    }
}

static void supervisor_on_control_message(void *owner, enum child_message message, int fd)
{
    struct supervisor *s = owner;
    child_has_sent(s, &s->control, message, fd);
}

static void supervisor_on_proxy_message(void *owner, enum child_message message, int fd)
{
    struct supervisor *s = owner;
    child_has_sent(s, &s->proxy, message, fd);
}

/* The process is about to be reaped; until then it must not be sent anything. */
static void supervisor_on_control_channel_close(void *owner)
{
    struct supervisor *s = owner;
    child_channel_free(s->control.channel);
    s->control.channel = NULL;
}

static void supervisor_on_proxy_channel_close(void *owner)
{
    struct supervisor *s = owner;
    child_channel_free(s->proxy.channel);
    s->proxy.channel = NULL;
}

static void run(struct supervisor *s)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD };
    s->loop = loop_new();
    timer_init(&s->control.restart, s->loop, supervisor_on_control_restart, s);
    timer_init(&s->proxy.restart, s->loop, supervisor_on_proxy_restart, s);
    timer_init(&s->deadline, s->loop, supervisor_on_deadline, s);
    signals_start(&s->signals, s->loop, numbers, sizeof numbers / sizeof *numbers, supervisor_on_signal, s);
    supervisor_on_control_restart(s);
    supervisor_on_proxy_restart(s);
    loop_run(s->loop);
    timer_stop(&s->control.restart);
    timer_stop(&s->proxy.restart);
    timer_stop(&s->deadline);
    signals_stop(&s->signals);
    child_forget(&s->control);
    child_forget(&s->proxy);
    loop_free(s->loop);
}

int supervisor_run(const char *config_path)
{
    struct supervisor s = { .config_path = config_path,
                            .admin_fd = -1,
                            .stats_fd = -1,
                            .control = { .name = "control" },
                            .proxy = { .name = "proxy" } };
    s.config = config_file_load_or_complain(config_path);
    if (!s.config)
        return EXIT_REFUSED;
    log_init("supervisor", config_file_log_level(s.config->log_level));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* until there is a proxy that has opened something */
    raise_descriptor_limit();
    s.workers = count_workers(s.config);
    s.drain_ms = s.config->proxy.timeouts.drain_ms;
    if (open_everything(&s)) {
        log_info("portico " PORTICO_VERSION ", %u workers, admin on %s", s.workers, s.config->admin.address);
        run(&s);
    } else {
        s.exit_code = EXIT_REFUSED;
    }
    close_everything(&s);
    config_free(s.config);
    return s.exit_code;
}
