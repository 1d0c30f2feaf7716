#include "daemon/crew.h"

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/stats.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint32_t crew_count_workers(const struct config *config)
{
    cpu_set_t allowed;
    long count = config->proxy.workers;
    if (count == 0)
        count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return count > STATS_WORKERS_MAX ? STATS_WORKERS_MAX : (uint32_t)count;
}

/* ---- links ---- */

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

/* A link whose other end is closed already: the proxy takes it for a dead control and waits for the next one. */
static int make_dead_link(void)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    close(fds[1]);
    return fds[0];
}

void crew_link(struct crew *crew)
{
    if (!crew->control.channel)
        return;
    int fd = make_link_with(&crew->proxy);
    if (fd < 0)
        return;
    child_channel_send(crew->control.channel, CHILD_MESSAGE_LINK, fd);
    close(fd);
}

/* ---- command lines ---- */

static void add_number(struct child_command *command, const char *name, long long number)
{
    child_command_add(command, "%s", name);
    child_command_add(command, "%lld", number);
}

static void add_text(struct child_command *command, const char *name, const char *text)
{
    child_command_add(command, "%s", name);
    child_command_add(command, "%s", text);
}

static void add_fds(struct child_command *command, const char *name, const int *fds, size_t count)
{
    struct buf list;
    buf_init(&list, 0);
    for (size_t i = 0; i < count; i++)
        buf_printf(&list, "%s%d", i ? "," : "", fds[i]);
    add_text(command, name, buf_text(&list));
    buf_fini(&list);
}

/* Of the start: a reload of the file changes neither the sockets nor what comes in on them. */
static void add_listeners(const struct crew *crew, struct child_command *command)
{
    struct buf list;
    buf_init(&list, 0);
    for (size_t i = 0; i < crew->config->listener_count; i++) {
        const struct config_listener *listener = &crew->config->listeners[i];
        buf_printf(&list, "%s%s%s", i ? "," : "", listener->name, listener->proxy_protocol ? "+proxy" : "");
    }
    add_text(command, "--listeners", buf_text(&list));
    buf_fini(&list);
}

/* ---- control ---- */

/* Our proxy's region first, then those of its predecessors. */
static size_t collect_regions(const struct crew *crew, int *fds)
{
    size_t count = 0;
    fds[count++] = crew->stats_fd;
    for (size_t i = 0; i < crew->predecessors.count; i++)
        fds[count++] = crew->predecessors.rows[i]->stats_fd;
    return count;
}

bool crew_start_control(struct crew *crew)
{
    int link_fd = make_link_with(&crew->proxy);
    int fds[1 + PREDECESSORS_MAX + 2];
    size_t regions = collect_regions(crew, fds);
    fds[regions] = link_fd;
    fds[regions + 1] = crew->sockets.admin_fd;
    struct child_command command = { .fds = fds, .fd_count = regions + 2 };
    child_command_add(&command, "portico");
    child_command_add(&command, "control");
    add_text(&command, "--config", crew->config_path);
    add_text(&command, "--state-dir", crew->config->state_dir);
    add_listeners(crew, &command);
    add_number(&command, "--link-fd", link_fd);
    add_number(&command, "--admin-fd", crew->sockets.admin_fd);
    add_fds(&command, "--stats-fds", fds, regions);
    add_number(&command, "--control-restarts", crew->control.start_count);
    add_number(&command, "--proxy-starts", crew->proxy.start_count);
    add_number(&command, "--upgrades", crew->upgrade_count);
    add_number(&command, "--unreadable-proxies", (long long)predecessors_unreadable_count(&crew->predecessors));
    if (crew->succeeds)
        child_command_add(&command, "--succeeds");
    if (crew->is_provisional)
        child_command_add(&command, "--provisional");
    bool started = child_start(&crew->control, crew->loop, &command, crew->control_callbacks, crew->owner);
    child_command_fini(&command);
    if (link_fd >= 0)
        close(link_fd);
    return started;
}

/* ---- proxy ---- */

bool crew_start_proxy(struct crew *crew)
{
    if (crew->control.channel)
        child_channel_send(crew->control.channel, CHILD_MESSAGE_STARTED, -1);
    int link_fd = make_link_with(&crew->control);
    if (link_fd < 0)
        link_fd = make_dead_link();
    size_t count = socket_book_fd_count(&crew->sockets);
    int *fds = mem_alloc_array(count + 2, sizeof *fds);
    memcpy(fds, crew->sockets.fds, count * sizeof *fds);
    fds[count] = link_fd;
    fds[count + 1] = crew->stats_fd;
    struct child_command command = { .fds = fds, .fd_count = count + 2 };
    child_command_add(&command, "portico");
    child_command_add(&command, "proxy");
    add_number(&command, "--link-fd", link_fd);
    add_number(&command, "--stats-fd", crew->stats_fd);
    add_number(&command, "--workers", crew->workers);
    add_number(&command, "--sockets-per-listener", (long long)crew->sockets.per_listener);
    add_fds(&command, "--listen-fds", fds, count);
    add_text(&command, "--access-log", crew->config->proxy.access_log);
    add_text(&command, "--user", crew->config->proxy.user);
    add_text(&command, "--log-level", crew->config->log_level);
    bool started = child_start(&crew->proxy, crew->loop, &command, crew->proxy_callbacks, crew->owner);
    child_command_fini(&command);
    free(fds);
    if (link_fd >= 0)
        close(link_fd);
    return started;
}

/* ---- all of them ---- */

void crew_kill(const struct crew *crew, int signal_number)
{
    if (crew->proxy.pid > 0)
        kill(crew->proxy.pid, signal_number);
    if (crew->control.pid > 0)
        kill(crew->control.pid, signal_number);
}

bool crew_has_proxies(const struct crew *crew)
{
    return crew->proxy.pid > 0 || predecessors_living_count(&crew->predecessors) > 0;
}
