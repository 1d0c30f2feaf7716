#include "config/task_definition/rules.h"

#include <inttypes.h>
#include <string.h>

#include "config/task_definition/start_order.h"

static bool is_same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void check_container_names(const struct definition_reader *r)
{
    const struct task_definition *d = r->definition;
    for (size_t i = 1; i < d->container_count; i++) {
        const char *name = d->containers[i].name;
        size_t first = name ? task_definition_find_container(d, name, strlen(name)) : i;
        struct place place = place_at(r->top, "containerDefinitions", i);
        if (first < i)
            place_refuse(r->problems, &place, "name",
                         "'%s' is the name of containerDefinitions[%zu] too, container names must be unique", name,
                         first);
    }
}

static void check_one_is_essential(const struct definition_reader *r)
{
    const struct task_definition *d = r->definition;
    size_t essential = 0;
    for (size_t i = 0; i < d->container_count; i++)
        essential += d->containers[i].is_essential;
    if (d->container_count > 0 && essential == 0)
        place_refuse(r->problems, r->top, "containerDefinitions",
                     "at least one container must be essential: leave out `essential` of one, or write true");
}

static void check_volume(const struct definition_reader *r, size_t index)
{
    const struct volume_definition *v = &r->definition->volumes[index];
    struct place place = place_at(r->top, "volumes", index);
    for (size_t i = 0; i < index; i++) {
        if (is_same(r->definition->volumes[i].name, v->name)) {
            place_refuse(r->problems, &place, "name",
                         "'%s' is the name of volumes[%zu] too, volume names must be unique", v->name, i);
            break;
        }
    }
    if (!v->docker)
        return;
    if (v->host && v->host->source_path)
        place_refuse(r->problems, &place, NULL, "only one of host and dockerVolumeConfiguration may be specified");
    if (v->docker->is_autoprovisioned && v->docker->scope == VOLUME_SCOPE_TASK && r->is_sound)
        place_refuse(r->problems, &place, "dockerVolumeConfiguration.autoprovision",
                     "is only for volumes with `scope: shared`, leave it out");
}

static void check_tags(const struct definition_reader *r)
{
    const struct task_definition *d = r->definition;
    for (size_t i = 1; i < d->tag_count; i++) {
        for (size_t k = 0; k < i; k++) {
            struct place place = place_at(r->tags_in, "tags", i);
            if (is_same(d->tags[k].name, d->tags[i].name)) {
                place_refuse(r->problems, &place, "key", "is the key of tags[%zu] too, tag keys must be unique", k);
                break;
            }
        }
    }
}

/* What is reserved of the task's memory, as ECS counts it. */
static int64_t reserved_mib(const struct container_definition *c)
{
    int64_t reserved = c->memory_reservation_mib != DEFINITION_UNSET ? c->memory_reservation_mib : c->memory_mib;
    return reserved != DEFINITION_UNSET ? reserved : 0;
}

static void check_sizes(const struct definition_reader *r)
{
    const struct task_definition *d = r->definition;
    int64_t cpu = 0, memory_mib = 0;
    for (size_t i = 0; i < d->container_count; i++) {
        const struct container_definition *c = &d->containers[i];
        struct place place = place_at(r->top, "containerDefinitions", i);
        cpu += c->cpu;
        memory_mib += reserved_mib(c);
        if (d->memory_mib != DEFINITION_UNSET && c->memory_mib > d->memory_mib)
            place_refuse(r->problems, &place, "memory", "%" PRId64 " is more than the task's memory, %" PRId64,
                         c->memory_mib, d->memory_mib);
    }
    if (d->cpu != DEFINITION_UNSET && cpu > d->cpu)
        place_refuse(r->problems, r->top, "cpu",
                     "the sum of all container 'cpu' values, %" PRId64 ", is greater than the task's, %" PRId64, cpu,
                     d->cpu);
    if (d->memory_mib != DEFINITION_UNSET && memory_mib > d->memory_mib)
        place_refuse(r->problems, r->top, "memory",
                     "the sum of what the containers reserve, %" PRId64 ", is greater than the task's, %" PRId64,
                     memory_mib, d->memory_mib);
}

static void check_circle(const struct definition_reader *r)
{
    const struct task_definition *d = r->definition;
    struct start_order order;
    if (start_order_find(d, &order) || order.count == 1) /* who names itself has been told */
        return;
    struct buf circle;
    buf_init(&circle, 0);
    for (size_t i = 0; i <= order.count; i++)
        buf_printf(&circle, "%s%s", i > 0 ? " -> " : "", d->containers[order.containers[i % order.count]].name);
    struct place place = place_at(r->top, "containerDefinitions", order.containers[0]);
    place_refuse(r->problems, &place, NULL, "containers wait for each other by dependsOn, links or volumesFrom: %s",
                 buf_text(&circle));
    buf_fini(&circle);
}

void rules_check(const struct definition_reader *reader)
{
    const struct task_definition *d = reader->definition;
    check_container_names(reader);
    check_one_is_essential(reader);
    for (size_t i = 0; i < d->volume_count; i++)
        check_volume(reader, i);
    check_tags(reader);
    check_sizes(reader);
    for (size_t i = 0; i < d->container_count; i++) {
        struct place place = place_at(reader->top, "containerDefinitions", i);
        rules_check_container(reader, i, &place);
    }
    rules_check_ports(reader);
    check_circle(reader);
    if (task_definition_requires(d, "FARGATE"))
        rules_check_fargate(reader);
}
