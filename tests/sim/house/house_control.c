#include "tests/sim/house/house_control.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/loop.h"
#include "config/load.h"
#include "controller/controller.h"
#include "controller/store/store.h"
#include "daemon/proxy_view.h"
#include "daemon/publish/publisher.h"
#include "proxy/balance/balancer.h"
#include "proxy/stats.h"
#include "tests/sim/house/house.h"
#include "tests/sim/house/house_proxy.h"
#include "tests/sim/house/house_rules.h"
#include "tests/sim/house/sim_engine.h"
#include "tests/sim/house/sim_loop.h"
#include "tests/sim/house/sim_net.h"

static struct {
    struct store *store;
    struct config *config; /* in force, or to start with */
    uint64_t start_count, rejection_count;
    /* of the process; null while there is none */
    struct loop *loop;
    struct stats_region *stats;
    struct task_registry *registry;
    struct publisher *publisher;
    struct proxy_view view;
    struct controller *controller;
} control;

static void ask_for_link(void *owner)
{
    (void)owner;
    house_supervisor_relink();
}

void house_control_reset(void)
{
    size_t count;
    const char *const *balancers = balancer_names(&count);
    config_set_balancer_names(balancers, count);
    memset(&control, 0, sizeof control);
    control.store = store_ops_memory.open("", NULL);
}

bool house_control_is_alive(void)
{
    return control.loop != NULL;
}

void house_control_start(int stats_fd)
{
    enum net_owner before = net_become(NET_CONTROL);
    check(!control.loop && control.config);
    control.loop = loop_new();
    control.stats = stats_map_reader(stats_fd, NULL);
    check(control.stats != NULL);
    control.registry = task_registry_new();
    uint8_t provider = task_registry_add_provider(control.registry, "sim");
    control.publisher =
        publisher_new(&(struct publisher_parts){ .loop = control.loop,
                                                 .registry = control.registry,
                                                 .bound_listeners = "http",
                                                 .serial_base = publisher_serial_base(control.start_count),
                                                 .is_restart = control.start_count > 0,
                                                 .ask_for_link = ask_for_link });
    control.start_count++;
    publisher_add_provider(control.publisher, provider);
    control.view = (struct proxy_view){ .stats = control.stats, .publisher = control.publisher };
    publisher_apply_config(control.publisher, control.config);
    control.controller =
        controller_new(&(struct controller_parts){ .loop = control.loop,
                                                   .registry = control.registry,
                                                   .runtime_provider = provider,
                                                   .runtime = engine_runtime(),
                                                   .store = control.store,
                                                   .data_plane = proxy_view_data_plane(&control.view) });
    controller_apply_config(control.controller, control.config);
    controller_start(control.controller);
    engine_attach(control.registry, provider);
    net_become(before);
}

void house_control_kill(void)
{
    struct publisher_status status;
    enum net_owner before = net_become(NET_CONTROL);
    net_kill(NET_CONTROL);
    publisher_status(control.publisher, &status);
    control.rejection_count += status.rejection_count;
    engine_attach(NULL, 0);
    controller_free(control.controller);
    engine_runtime()->ops->close(engine_runtime());
    publisher_free(control.publisher);
    task_registry_free(control.registry);
    stats_unmap(control.stats);
    loop_free(control.loop);
    control.controller = NULL;
    control.publisher = NULL;
    control.registry = NULL;
    control.loop = NULL;
    net_become(before);
}

void house_control_close(void)
{
    if (control.loop)
        house_control_kill();
    config_free(control.config);
    control.store->ops->close(control.store);
    control.store = NULL;
    control.config = NULL;
}

void house_control_set_link(int fd)
{
    publisher_set_link(control.publisher, fd);
}

void house_control_turn(void)
{
    enum net_owner before = net_become(NET_CONTROL);
    rules_before_control();
    sim_loop_turn(loop_base(control.loop));
    engine_note_drains();
    rules_after_control();
    net_become(before);
}

bool house_control_configure(const char *text)
{
    struct config_problems problems;
    struct config *wanted = config_load_text("scenario", text, strlen(text), &problems);
    for (size_t i = 0; i < problems.count; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    config_problems_fini(&problems);
    if (!wanted)
        return false;
    if (control.loop) {
        controller_apply_config(control.controller, wanted);
        publisher_apply_config(control.publisher, wanted);
    }
    config_free(control.config);
    control.config = wanted;
    return true;
}

static const char *name_of(size_t service)
{
    static const char *const names[] = { "s0", "s1", "s2" };
    _Static_assert(sizeof names / sizeof *names == HOUSE_SERVICES, "a name for each");
    return names[service];
}

bool house_control_scale(size_t service, int64_t desired)
{
    struct service_patch patch = { .desired_count = desired, .min = -1, .max = -1 };
    return controller_patch_service(control.controller, name_of(service), &patch, NULL) == CONTROLLER_OK;
}

bool house_control_drain(const char *task_id)
{
    return controller_drain_task(control.controller, task_id, NULL) == CONTROLLER_OK;
}

int64_t house_control_desired(size_t service)
{
    struct service_status status;
    if (!control.controller || !controller_find_service(control.controller, name_of(service), &status))
        return 0;
    return status.desired_count;
}

static void note_unsteady(void *owner, const struct service_status *status)
{
    *(bool *)owner &= status->phase == SERVICE_STEADY;
}

bool house_control_is_steady(void)
{
    bool is_steady = true;
    if (control.controller)
        controller_each_service(control.controller, note_unsteady, &is_steady);
    return control.controller && is_steady;
}

struct publisher *house_control_publisher(void)
{
    return control.publisher;
}

struct task_registry *house_control_registry(void)
{
    return control.registry;
}

uint64_t house_control_rejections(void)
{
    struct publisher_status status = { .rejection_count = 0 };
    if (control.publisher)
        publisher_status(control.publisher, &status);
    return control.rejection_count + status.rejection_count;
}
