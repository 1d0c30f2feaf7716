/* fakes: the functions of controller/controller.h and discovery/task_registry.h that admin/ calls, over plain arrays
 * that a test fills. Included by exactly one file of a test program. */
#ifndef TESTS_UNIT_ADMIN_FAKES_H
#define TESTS_UNIT_ADMIN_FAKES_H

#include <stdio.h>
#include <string.h>

#include "admin/parts.h"
#include "controller/controller.h"
#include "controller/stopped_book.h"
#include "discovery/task_registry.h"

#define FAKE_MAX 8

static struct {
    struct service_status services[FAKE_MAX];
    size_t service_count;
    struct controller_event events[FAKE_MAX];
    size_t event_count;
    struct task tasks[FAKE_MAX];
    size_t task_count;

    enum controller_result patch_result, drain_result;
    char refusal[128];
    struct service_patch last_patch;
    char last_drained[TASK_ID_SIZE];
    int effect_count; /* patches and drains that reached the controller */

    bool plane_is_fresh, plane_knows;
    struct service_traffic traffic;
    struct endpoint_traffic endpoint_traffic;
    struct admin_readiness readiness;
    struct admin_metric metric;
    struct stopped_book *stopped; /* the real one; new with each fake_parts_init() */
} fake;

const struct stopped_book *controller_stopped_tasks(const struct controller *c)
{
    (void)c;
    return fake.stopped;
}

void controller_each_service(const struct controller *c, controller_service_cb each, void *owner)
{
    (void)c;
    for (size_t i = 0; i < fake.service_count; i++)
        each(owner, &fake.services[i]);
}

bool controller_find_service(const struct controller *c, const char *name, struct service_status *out)
{
    (void)c;
    for (size_t i = 0; i < fake.service_count; i++) {
        if (strcmp(fake.services[i].name, name) == 0) {
            *out = fake.services[i];
            return true;
        }
    }
    return false;
}

void controller_each_event(const struct controller *c, const char *service, controller_event_cb each, void *owner)
{
    (void)c;
    for (size_t i = 0; i < fake.event_count; i++) {
        if (!service || strcmp(fake.events[i].service, service) == 0)
            each(owner, &fake.events[i]);
    }
}

enum controller_result controller_patch_service(struct controller *c, const char *name,
                                                const struct service_patch *patch, struct error *error)
{
    struct service_status status;
    fake.effect_count++;
    fake.last_patch = *patch;
    if (!controller_find_service(c, name, &status))
        return CONTROLLER_NOT_FOUND;
    error_set(error, "%s", fake.refusal);
    return fake.patch_result;
}

enum controller_result controller_drain_task(struct controller *c, const char *task_id, struct error *error)
{
    (void)c;
    fake.effect_count++;
    snprintf(fake.last_drained, sizeof fake.last_drained, "%s", task_id);
    error_set(error, "%s", fake.refusal);
    return fake.drain_result;
}

const char *service_phase_to_str(enum service_phase phase)
{
    return phase == SERVICE_STEADY ? "steady" : "converging";
}

const struct task *task_registry_find(const struct task_registry *r, const char *id)
{
    (void)r;
    for (size_t i = 0; i < fake.task_count; i++) {
        if (strcmp(fake.tasks[i].spec.id, id) == 0)
            return &fake.tasks[i];
    }
    return NULL;
}

void task_registry_each(const struct task_registry *r, task_registry_each_cb each, void *owner)
{
    (void)r;
    for (size_t i = 0; i < fake.task_count; i++)
        each(owner, &fake.tasks[i]);
}

void task_registry_each_of(const struct task_registry *r, const char *service, task_registry_each_cb each, void *owner)
{
    (void)r;
    for (size_t i = 0; i < fake.task_count; i++) {
        if (strcmp(fake.tasks[i].spec.service, service) == 0)
            each(owner, &fake.tasks[i]);
    }
}

const char *task_registry_provider_name(const struct task_registry *r, uint8_t provider)
{
    (void)r;
    return provider == 0 ? "docker" : "file";
}

bool task_is_routable(const struct task *task)
{
    return task->spec.state == TASK_RUNNING && task->admin == TASK_ADMIN_READY && task->probe_health == TASK_HEALTH_UP;
}

enum task_health task_health_of(const struct task *task)
{
    return task->probe_health;
}

void task_health_explain(const struct task *task, char out[TASK_REASON_SIZE])
{
    snprintf(out, TASK_REASON_SIZE, "%s", task->probe_words);
}

const char *task_state_to_str(enum task_state state)
{
    return state == TASK_RUNNING ? "running" : "other";
}

const char *task_health_to_str(enum task_health health)
{
    return health == TASK_HEALTH_UP ? "up" : "other";
}

const char *task_admin_to_str(enum task_admin admin)
{
    return admin == TASK_ADMIN_READY ? "ready" : "draining";
}

static bool fake_service_traffic(void *owner, const char *service, struct service_traffic *out)
{
    (void)owner;
    (void)service;
    *out = fake.traffic;
    return fake.plane_knows;
}

static bool fake_endpoint_traffic(void *owner, const char *task_id, struct endpoint_traffic *out)
{
    (void)owner;
    (void)task_id;
    *out = fake.endpoint_traffic;
    return fake.plane_knows;
}

static bool fake_is_out_of_rotation(void *owner, const char *task_id)
{
    (void)owner;
    (void)task_id;
    return false;
}

static bool fake_is_fresh(void *owner)
{
    (void)owner;
    return fake.plane_is_fresh;
}

static void fake_readiness(void *owner, struct admin_readiness *out)
{
    (void)owner;
    *out = fake.readiness;
}

static void fake_each_metric(void *owner, admin_metric_cb each, void *each_owner)
{
    (void)owner;
    if (fake.metric.name)
        each(each_owner, &fake.metric);
}

static void fake_each_route(void *owner, admin_route_row_cb each, void *each_owner)
{
    (void)owner;
    each(each_owner, &(struct admin_route_row){ "shop.example.com", "/api", "web" });
}

/* One service "web" with a running task; the parts point at the fakes. */
static struct admin_parts fake_parts_init(void)
{
    static const struct data_plane_ops plane_ops = {
        fake_service_traffic, fake_endpoint_traffic, fake_is_out_of_rotation, fake_is_fresh, NULL, NULL
    };
    static const struct admin_daemon_ops daemon_ops = { fake_readiness, fake_each_metric, fake_each_route };
    if (fake.stopped)
        stopped_book_free(fake.stopped);
    memset(&fake, 0, sizeof fake);
    fake.stopped = stopped_book_new("docker");
    fake.services[0] = (struct service_status){ .name = "web",
                                                .host = "shop.example.com",
                                                .path = "/",
                                                .image = "shop:1",
                                                .managed = true,
                                                .desired_count = 2,
                                                .min = 1,
                                                .max = 5,
                                                .last_decision = "",
                                                .scale_out_count = 3 };
    fake.service_count = 1;
    struct task *task = &fake.tasks[0];
    strcpy(task->spec.id, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    strcpy(task->spec.name, "web-1");
    strcpy(task->spec.service, "web");
    strcpy(task->spec.address, "172.17.0.2:8080");
    task->spec.managed = true;
    task->spec.weight = 100;
    task->spec.state = TASK_RUNNING;
    task->spec.started_at_wall_us = 1700000000000000;
    task->probe_health = TASK_HEALTH_UP;
    fake.task_count = 1;
    fake.readiness.ready = true;
    fake.plane_is_fresh = true;
    return (struct admin_parts){
        .data_plane = { &plane_ops, NULL }, .daemon = &daemon_ops, .version = "1.2.3", .listen_fd = -1
    };
}

#endif
