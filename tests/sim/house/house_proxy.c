#include "tests/sim/house/house_proxy.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/child_channel.h"
#include "base/mem.h"
#include "proxy/process/fleet.h"
#include "proxy/process/jail.h"
#include "proxy/process/proxy.h"
#include "proxy/process/worker_thread.h"
#include "proxy/snapshot/snapshot_builder.h"
#include "proxy/stats.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_control.h"
#include "tests/sim/house/sim_loop.h"
#include "tests/sim/house/sim_net.h"

static struct {
    int stats_fd;
    size_t snapshots;
    void (*life)(void);
    /* of the process; null while there is none */
    struct event_base *main_loop;
    struct fleet *fleet;
    const struct child_channel_callbacks *callbacks; /* what the supervisor says goes there */
    void *callbacks_owner;
    struct worker_thread *threads[HOUSE_WORKERS];
    size_t thread_count;
} proxy;

bool __wrap_jail_enter(const char *user, struct error *error);
struct child_channel *__wrap_child_channel_new(struct loop *loop, int fd,
                                               const struct child_channel_callbacks *callbacks, void *owner);
void __wrap_child_channel_free(struct child_channel *channel);
bool __wrap_child_channel_send(struct child_channel *channel, enum child_message message, int fd);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
struct fleet *__real_fleet_new(const struct fleet_options *options, const struct fleet_callbacks *callbacks,
                               void *owner);
struct fleet *__wrap_fleet_new(const struct fleet_options *options, const struct fleet_callbacks *callbacks,
                               void *owner);
struct snapshot *__real_snapshot_build(struct snapshot_builder *builder, json_t *document,
                                       const struct snapshot *previous, struct error *error);
struct snapshot *__wrap_snapshot_build(struct snapshot_builder *builder, json_t *document,
                                       const struct snapshot *previous, struct error *error);
struct snapshot *__real_snapshot_build_patch(struct snapshot_builder *builder, json_t *patch,
                                             const struct snapshot *previous, struct error *error);
struct snapshot *__wrap_snapshot_build_patch(struct snapshot_builder *builder, json_t *patch,
                                             const struct snapshot *previous, struct error *error);
void __real_snapshot_free(struct snapshot_builder *builder, struct snapshot *snapshot);
void __wrap_snapshot_free(struct snapshot_builder *builder, struct snapshot *snapshot);
void (*__wrap_signal(int number, void (*handler)(int)))(int);

/* ---- what a process is made of, in this one ---- */

bool __wrap_jail_enter(const char *user, struct error *error)
{
    (void)user;
    (void)error;
    return true;
}

/* How it takes SIGINT is not how the test should take it. */
void (*__wrap_signal(int number, void (*handler)(int)))(int)
{
    (void)number;
    (void)handler;
    return SIG_DFL;
}

struct child_channel *__wrap_child_channel_new(struct loop *loop, int fd,
                                               const struct child_channel_callbacks *callbacks, void *owner)
{
    static char channel;
    (void)loop;
    (void)fd;
    proxy.callbacks = callbacks;
    proxy.callbacks_owner = owner;
    return (struct child_channel *)&channel;
}

void __wrap_child_channel_free(struct child_channel *channel)
{
    (void)channel;
}

bool __wrap_child_channel_send(struct child_channel *channel, enum child_message message, int fd)
{
    (void)channel;
    (void)message;
    (void)fd;
    return true;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg)
{
    (void)attr;
    (void)body;
    *thread = pthread_self();
    check(proxy.thread_count < HOUSE_WORKERS);
    proxy.threads[proxy.thread_count++] = arg;
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    (void)thread;
    (void)result;
    return 0;
}

struct fleet *__wrap_fleet_new(const struct fleet_options *options, const struct fleet_callbacks *callbacks,
                               void *owner)
{
    proxy.fleet = __real_fleet_new(options, callbacks, owner);
    return proxy.fleet;
}

/* ---- snapshots are counted ---- */

struct snapshot *__wrap_snapshot_build(struct snapshot_builder *builder, json_t *document,
                                       const struct snapshot *previous, struct error *error)
{
    struct snapshot *built = __real_snapshot_build(builder, document, previous, error);
    proxy.snapshots += built != NULL;
    return built;
}

struct snapshot *__wrap_snapshot_build_patch(struct snapshot_builder *builder, json_t *patch,
                                             const struct snapshot *previous, struct error *error)
{
    struct snapshot *built = __real_snapshot_build_patch(builder, patch, previous, error);
    proxy.snapshots += built != NULL;
    return built;
}

void __wrap_snapshot_free(struct snapshot_builder *builder, struct snapshot *snapshot)
{
    proxy.snapshots--;
    __real_snapshot_free(builder, snapshot);
}

size_t house_proxy_snapshots(void)
{
    return proxy.snapshots;
}

/* ---- the supervisor ---- */

void house_supervisor_open(void)
{
    memset(&proxy, 0, sizeof proxy);
    proxy.stats_fd = stats_create_fd(HOUSE_WORKERS, NULL);
    check(proxy.stats_fd >= 0);
}

void house_supervisor_close(void)
{
    close(proxy.stats_fd);
}

int house_supervisor_stats_fd(void)
{
    return proxy.stats_fd;
}

void house_supervisor_relink(void)
{
    int fds[2];
    if (!house_proxy_is_alive() || !house_control_is_alive())
        return;
    net_open_link(fds, NET_CONTROL, NET_PROXY);
    house_control_set_link(fds[0]);
    enum net_owner before = net_become(NET_PROXY);
    proxy.callbacks->on_message(proxy.callbacks_owner, CHILD_MESSAGE_LINK, fds[1]);
    net_become(before);
}

/* ---- the life of a process ---- */

static void live(struct event_base *base)
{
    proxy.main_loop = base;
    enum net_owner before = net_become(NET_OUTSIDE);
    house_supervisor_relink();
    proxy.life();
    net_become(before);
}

void house_proxy_live(void (*life)(void))
{
    int listen_fds[HOUSE_WORKERS];
    enum net_owner before = net_become(NET_PROXY);
    proxy.life = life;
    for (size_t i = 0; i < HOUSE_WORKERS; i++)
        listen_fds[i] = net_listen(HOUSE_PORT);
    sim_loop_set_wait(live);
    proxy_run(&(struct proxy_options){ .listen_fds = listen_fds,
                                       .listen_fd_count = HOUSE_WORKERS,
                                       .sockets_per_listener = HOUSE_WORKERS,
                                       .workers = HOUSE_WORKERS,
                                       .link_fd = -1,
                                       .supervisor_fd = NET_FD_FIRST - 1,
                                       .stats_fd = dup(proxy.stats_fd),
                                       .access_log = "off" });
    proxy.main_loop = NULL;
    proxy.fleet = NULL;
    proxy.callbacks = NULL;
    proxy.thread_count = 0;
    check(stats_reset(proxy.stats_fd, NULL)); /* as the supervisor does */
    net_become(before);
    size_t left = net_exit(NET_PROXY);
    if (left > 0)
        house_violated("a proxy has ended with %zu descriptors open", left);
    if (proxy.snapshots > 0)
        house_violated("a proxy has ended with %zu snapshots", proxy.snapshots);
}

bool house_proxy_is_alive(void)
{
    return proxy.main_loop != NULL;
}

bool house_proxy_is_over(void)
{
    return sim_loop_is_stopped(proxy.main_loop);
}

void house_proxy_turn_main(void)
{
    enum net_owner before = net_become(NET_PROXY);
    sim_loop_turn(proxy.main_loop);
    net_become(before);
}

void house_proxy_turn_worker(size_t index)
{
    struct worker_thread *t = proxy.threads[index];
    if (!t)
        return;
    enum net_owner before = net_become(NET_PROXY);
    worker_thread_turn(t, false);
    if (t->worker.phase == WORKER_OVER) {
        worker_thread_run(t); /* only its end is left */
        proxy.threads[index] = NULL;
    }
    net_become(before);
}

/* Nobody hears any more what it does from here on: its objects are taken down by the way that a drain takes. */
void house_proxy_kill(void)
{
    net_kill(NET_PROXY);
    fleet_end(proxy.fleet);
    for (size_t i = 0; i < HOUSE_WORKERS; i++)
        house_proxy_turn_worker(i);
    house_proxy_turn_main();
    check(house_proxy_is_over());
}

struct worker *house_proxy_worker(size_t index)
{
    return house_proxy_is_alive() && proxy.threads[index] ? &proxy.threads[index]->worker : NULL;
}

static bool has_endpoint(const struct snapshot *snapshot, const char *id)
{
    size_t len = strlen(id);
    for (uint32_t slot = 0; slot < STATS_SERVICES_MAX; slot++) {
        const struct snapshot_service *service = snapshot->services[slot];
        for (size_t i = 0; service && i < service->endpoint_count; i++) {
            const char *key = service->endpoints[i].endpoint->key;
            if (strncmp(key, id, len) == 0 && key[len] == ' ')
                return true;
        }
    }
    return false;
}

bool house_proxy_serves_by(const char *task_id)
{
    for (size_t i = 0; i < HOUSE_WORKERS; i++) {
        const struct worker *w = house_proxy_worker(i);
        if (w && w->snapshot && has_endpoint(w->snapshot, task_id))
            return true;
    }
    return false;
}
