#include "proxy/process/proxy.h"

#include "base/check.h"
#include "base/child_channel.h"
#include "base/clock.h"
#include "base/frame_link.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/log/access_log.h"
#include "proxy/log/access_log_opener.h"
#include "proxy/process/fleet.h"
#include "proxy/process/jail.h"
#include "proxy/process/snapshot_file.h"
#include "proxy/stats.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEAT_MS 500
#define BEATS_PER_SIGN 2  /* to the supervisor */
#define END_GRACE_MS 2000 /* for the workers to close and log what is left */

enum proxy_phase { PROXY_SERVING = 0, PROXY_RETIRING, PROXY_DRAINING, PROXY_ENDING };

struct proxy {
    struct loop *loop;
    struct fleet *fleet;
    struct stats_region *stats;
    struct frame_link *link;             /* to control; null: none now */
    struct child_channel *supervisor;    /* null: alone */
    struct child_channel *log_opener;    /* null: under a supervisor, or no log in a file */
    const struct proxy_options *options; /* borrowed */
    struct timer beat, drain_limit;
    struct event on_term, on_int, on_hup, on_usr1;
    enum proxy_phase phase;
    uint32_t beat_count;
    bool has_served; /* every worker has taken a snapshot, at some time */
    int exit_code;
};

static void send_text(struct proxy *p, char *text)
{
    if (p->link)
        frame_link_send(p->link, slice_of(text));
    free(text);
}

static void send_hello(struct proxy *p)
{
    send_text(p, mem_printf("{\"type\":\"hello\",\"workers\":%u,\"serial\":%llu}", p->options->workers,
                            (unsigned long long)fleet_serial(p->fleet)));
}

static void send_rejected(struct proxy *p, uint64_t serial, const char *why)
{
    json_t *frame = json_pack("{s:s, s:I, s:s}", "type", "rejected", "serial", (json_int_t)serial, "error", why);
    char *text = frame ? json_dumps(frame, JSON_COMPACT) : NULL;
    json_decref(frame);
    if (text)
        send_text(p, text);
}

static void on_taken(void *owner, uint64_t serial)
{
    struct proxy *p = owner;
    send_text(p, mem_printf("{\"type\":\"ack\",\"serial\":%llu}", (unsigned long long)serial));
    if (!p->has_served && p->supervisor)
        child_channel_send(p->supervisor, CHILD_MESSAGE_SERVING, -1);
    p->has_served = true;
}

static void on_draining(void *owner)
{
    struct proxy *p = owner;
    stats_set_ending(p->stats);
}

static void on_stopped(void *owner)
{
    struct proxy *p = owner;
    loop_stop(p->loop);
}

static uint64_t serial_of(json_t *object)
{
    json_int_t serial = json_integer_value(json_object_get(object, "serial"));
    return serial > 0 ? (uint64_t)serial : 0;
}

static void publish_frame(struct proxy *p, json_t *frame)
{
    struct error error = { "" };
    const char *type = json_string_value(json_object_get(frame, "type"));
    json_t *document = json_object_get(frame, "document");
    bool ok = false;
    if (type && strcmp(type, "snapshot") == 0 && document)
        ok = fleet_publish(p->fleet, document, &error);
    else if (type && strcmp(type, "patch") == 0)
        ok = fleet_publish_patch(p->fleet, frame, &error);
    else
        error_set(&error, "frame of unknown type");
    if (ok)
        return;
    log_error("snapshot refused: %s", error.text);
    send_rejected(p, serial_of(document ? document : frame), error.text);
}

static void link_on_frame(void *owner, struct slice text)
{
    struct proxy *p = owner;
    struct error error;
    json_t *frame = json_parse_bounded(text, &snapshot_document_limits, &error);
    if (frame)
        publish_frame(p, frame);
    else
        log_error("frame from control: %s", error.text);
    json_decref(frame);
}

/* Control has gone: serve on with what we have, until the supervisor sends a link to the next one. */
static void link_on_close(void *owner, const char *reason)
{
    struct proxy *p = owner;
    log_warn("link to control closed (%s), serving on with snapshot %llu", reason,
             (unsigned long long)fleet_serial(p->fleet));
    frame_link_free(p->link);
    p->link = NULL;
}

static void open_link(struct proxy *p, int fd)
{
    static const struct frame_link_callbacks callbacks = { .on_frame = link_on_frame, .on_close = link_on_close };
    if (p->link)
        frame_link_free(p->link);
    p->link = frame_link_new(p->loop, fd, &callbacks, p);
    send_hello(p);
}

static void on_drain_limit(void *owner)
{
    struct proxy *p = owner;
    if (p->phase == PROXY_ENDING) {
        log_error("workers do not end, leaving without them; their last access log lines are lost");
        _exit(PROXY_EXIT_CUT_OFF);
    }
    log_warn("drain time is over, closing what is left");
    p->phase = PROXY_ENDING;
    timer_start(&p->drain_limit, END_GRACE_MS);
    fleet_end(p->fleet);
}

static void drain(struct proxy *p)
{
    if (p->phase >= PROXY_DRAINING)
        return;
    log_info("draining, for at most %lld ms", (long long)fleet_drain_ms(p->fleet));
    p->phase = PROXY_DRAINING;
    timer_start(&p->drain_limit, fleet_drain_ms(p->fleet));
    fleet_drain(p->fleet);
}

/* Without a limit: what has no time-out of its own is a tunnel, and the workers end those. */
static void retire(struct proxy *p)
{
    if (p->phase >= PROXY_RETIRING)
        return;
    log_info("a new proxy serves: finishing what is under way");
    p->phase = PROXY_RETIRING;
    fleet_retire(p->fleet);
}

static void supervisor_on_message(void *owner, enum child_message message, int fd)
{
    struct proxy *p = owner;
    if (message == CHILD_MESSAGE_LINK && fd >= 0) {
        open_link(p, fd);
        return;
    }
    if (message == CHILD_MESSAGE_LOG && fd >= 0) {
        fleet_switch_access_log(p->fleet, fd);
        return;
    }
    if (message == CHILD_MESSAGE_DRAIN)
        drain(p);
    else if (message == CHILD_MESSAGE_RETIRE)
        retire(p);
    if (fd >= 0)
        close(fd);
}

static void supervisor_on_close(void *owner)
{
    struct proxy *p = owner;
    log_error("supervisor is gone");
    child_channel_free(p->supervisor);
    p->supervisor = NULL;
    drain(p);
}

static void opener_on_message(void *owner, enum child_message message, int fd)
{
    struct proxy *p = owner;
    if (message == CHILD_MESSAGE_LOG && fd >= 0)
        fleet_switch_access_log(p->fleet, fd);
    else if (fd >= 0)
        close(fd);
}

static void opener_on_close(void *owner)
{
    struct proxy *p = owner;
    log_error("access log: its opener is gone, it cannot be opened anew any more");
    child_channel_free(p->log_opener);
    p->log_opener = NULL;
}

static void reopen_access_log(struct proxy *p)
{
    if (!access_log_is_file(p->options->access_log))
        log_info("access log: it is no file, there is nothing to open anew");
    else if (!p->log_opener || !child_channel_send(p->log_opener, CHILD_MESSAGE_REOPEN_LOG, -1))
        log_error("access log: its opener does not answer; going on with the old one");
}

static bool load_file(struct proxy *p)
{
    struct error error;
    json_t *document = snapshot_file_load(p->options->snapshot_path, &error);
    bool ok = document && fleet_publish(p->fleet, document, &error);
    json_decref(document);
    if (!ok)
        log_error("%s: %s", p->options->snapshot_path, error.text);
    return ok;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct proxy *p = arg;
    if (number == SIGUSR1)
        reopen_access_log(p);
    else if (number != SIGHUP)
        drain(p);
    else if (p->options->snapshot_path)
        load_file(p); /* a bad one is reported and changes nothing */
}

static void on_beat(void *owner)
{
    struct proxy *p = owner;
    if (!fleet_ping(p->fleet))
        return;
    stats_beat(p->stats, clock_now_ms());
    if (p->supervisor && p->beat_count++ % BEATS_PER_SIGN == 0)
        child_channel_send(p->supervisor, CHILD_MESSAGE_BEAT, -1);
}

static void watch_signal(struct proxy *p, struct event *event, int number)
{
    check(event_assign(event, loop_base(p->loop), number, EV_SIGNAL | EV_PERSIST, on_signal, p) == 0);
    check(event_add(event, NULL) == 0);
}

/* The supervisor speaks for a supervised proxy: a terminal's Ctrl-C must not reach both. */
static void watch_signals(struct proxy *p)
{
    if (p->options->supervisor_fd >= 0) {
        signal(SIGINT, SIG_IGN);
        signal(SIGHUP, SIG_IGN); /* SIGUSR1 is ignored already */
        watch_signal(p, &p->on_term, SIGTERM);
        return;
    }
    watch_signal(p, &p->on_term, SIGTERM);
    watch_signal(p, &p->on_int, SIGINT);
    watch_signal(p, &p->on_hup, SIGHUP);
    watch_signal(p, &p->on_usr1, SIGUSR1);
}

static void unwatch_signals(struct proxy *p)
{
    event_del(&p->on_term);
    if (p->options->supervisor_fd >= 0)
        return;
    event_del(&p->on_int);
    event_del(&p->on_hup);
    event_del(&p->on_usr1);
}

static bool open_stats(struct proxy *p, struct error *error)
{
    int fd = p->options->stats_fd;
    if (fd < 0)
        fd = stats_create_fd(p->options->workers, error);
    if (fd < 0)
        return false;
    p->stats = stats_map_writer(fd, p->options->workers, error);
    close(fd);
    return p->stats != NULL;
}

static void start_links(struct proxy *p, int opener_fd)
{
    static const struct child_channel_callbacks opener_callbacks = { opener_on_message, opener_on_close };
    static const struct child_channel_callbacks callbacks = { supervisor_on_message, supervisor_on_close };
    if (p->options->link_fd >= 0)
        open_link(p, p->options->link_fd);
    if (opener_fd >= 0)
        p->log_opener = child_channel_new(p->loop, opener_fd, &opener_callbacks, p);
    if (p->options->supervisor_fd < 0)
        return;
    p->supervisor = child_channel_new(p->loop, p->options->supervisor_fd, &callbacks, p);
    child_channel_send(p->supervisor, CHILD_MESSAGE_READY, -1);
}

static void start_timers(struct proxy *p)
{
    timer_init(&p->beat, p->loop, on_beat, p);
    timer_init(&p->drain_limit, p->loop, on_drain_limit, p);
    timer_start_every(&p->beat, BEAT_MS);
    on_beat(p);
}

static void stop(struct proxy *p)
{
    timer_stop(&p->beat);
    timer_stop(&p->drain_limit);
    unwatch_signals(p);
    if (p->link)
        frame_link_free(p->link);
    child_channel_free(p->supervisor);
    child_channel_free(p->log_opener);
    if (p->exit_code == 0 && fleet_cut_off_count(p->fleet) > 0)
        p->exit_code = PROXY_EXIT_CUT_OFF;
    fleet_free(p->fleet);
    stats_unmap(p->stats);
    loop_free(p->loop);
}

/* Alone, a process is kept that can open the file again; a supervisor can do so itself. */
static bool open_access_log(const struct proxy_options *options, int *fd, int *opener_fd, struct error *error)
{
    if (!access_log_open_fd(options->access_log, fd))
        return error_set_errno(error, "proxy.accessLog: '%s' cannot be opened", options->access_log);
    if (options->supervisor_fd >= 0 || !access_log_is_file(options->access_log))
        return true;
    *opener_fd = access_log_opener_start(options->access_log);
    return *opener_fd >= 0 || error_set_errno(error, "proxy.accessLog: no process to open it anew");
}

/* One that comes between the opening of the log and its first being watched for waits until then, instead of being lost. */
static void hold_back_usr1(bool on)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (on)
        signal(SIGUSR1, SIG_IGN);
    check(pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL) == 0);
}

int proxy_run(const struct proxy_options *options)
{
    static const struct fleet_callbacks callbacks = { on_taken, on_draining, on_stopped };
    struct proxy p = { .options = options };
    struct error error;
    int log_fd = -1, opener_fd = -1;
    signal(SIGPIPE, SIG_IGN);
    hold_back_usr1(true);
    if (!open_stats(&p, &error) || !open_access_log(options, &log_fd, &opener_fd, &error) ||
        !jail_enter(options->user, &error)) {
        log_error("%s", error.text);
        stats_unmap(p.stats);
        return 1;
    }
    p.loop = loop_new();
    p.fleet =
        fleet_new(&(struct fleet_options){ .loop = p.loop,
                                           .stats = p.stats,
                                           .listen_fds = options->listen_fds,
                                           .listener_count = options->listen_fd_count / options->sockets_per_listener,
                                           .sockets_per_listener = options->sockets_per_listener,
                                           .workers = options->workers,
                                           .access_log_fd = log_fd },
                  &callbacks, &p);
    start_timers(&p);
    watch_signals(&p);
    hold_back_usr1(false);
    start_links(&p, opener_fd);
    if (options->snapshot_path && !load_file(&p)) {
        p.exit_code = 2;
        drain(&p);
    }
    loop_run(p.loop);
    stop(&p);
    return p.exit_code;
}
