#include "config/task_definition/rules.h"

#include <inttypes.h>
#include <string.h>

/* Task sizes that Fargate has (AWS: Amazon ECS task size). */
struct fargate_size {
    int64_t cpu, memory_min_mib, memory_max_mib, memory_step_mib;
};

static const struct fargate_size sizes[] = {
    { 256, 512, 2048, 512 },        { 512, 1024, 4096, 1024 },   { 1024, 2048, 8192, 1024 },
    { 2048, 4096, 16384, 1024 },    { 4096, 8192, 30720, 1024 }, { 8192, 16384, 61440, 4096 },
    { 16384, 32768, 122880, 8192 },
};
#define SIZE_COUNT (sizeof sizes / sizeof sizes[0])

/* 256 CPU units go with 512, 1024 and 2048 MiB. */
static bool is_memory_of(const struct fargate_size *size, int64_t memory_mib)
{
    if (size->cpu == 256 && memory_mib == 1536)
        return false;
    return memory_mib >= size->memory_min_mib && memory_mib <= size->memory_max_mib &&
           memory_mib % size->memory_step_mib == 0;
}

static void check_size(const struct definition_reader *r)
{
    const struct task_definition *d = r->definition;
    if (d->cpu == DEFINITION_UNSET && r->is_sound)
        place_refuse(r->problems, r->top, "cpu", "Fargate requires that 'cpu' be defined at the task level");
    if (d->memory_mib == DEFINITION_UNSET && r->is_sound)
        place_refuse(r->problems, r->top, "memory", "Fargate requires that 'memory' be defined at the task level");
    if (d->cpu == DEFINITION_UNSET || d->memory_mib == DEFINITION_UNSET)
        return;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        if (sizes[i].cpu != d->cpu)
            continue;
        if (!is_memory_of(&sizes[i], d->memory_mib))
            place_refuse(r->problems, r->top, "memory",
                         "Fargate has no task with %" PRId64 " CPU units and %" PRId64 " MiB: from %" PRId64
                         " to %" PRId64 " in steps of %" PRId64 "%s",
                         d->cpu, d->memory_mib, sizes[i].memory_min_mib, sizes[i].memory_max_mib,
                         sizes[i].memory_step_mib, d->cpu == 256 ? ", without 1536" : "");
        return;
    }
    place_refuse(r->problems, r->top, "cpu",
                 "Fargate has no task with %" PRId64 " CPU units: 256, 512, 1024, 2048, 4096, 8192 or 16384", d->cpu);
}

static void refuse(const struct definition_reader *r, const struct place *place, const char *field)
{
    place_refuse(r->problems, place, field, "is not supported for FARGATE");
}

static void check_task(const struct definition_reader *r)
{
    const struct task_definition *d = r->definition;
    if (d->network_mode != NETWORK_MODE_AWSVPC && r->is_sound)
        place_refuse(r->problems, r->top, "networkMode", "Fargate only supports network mode 'awsvpc'");
    if (d->pid_mode == PID_MODE_HOST)
        place_refuse(r->problems, r->top, "pidMode", "Fargate only supports 'task'");
    if (d->ipc_mode != IPC_MODE_DEFAULT)
        refuse(r, r->top, "ipcMode");
    for (size_t i = 0; i < d->volume_count; i++) {
        struct place place = place_at(r->top, "volumes", i);
        const struct host_volume *host = d->volumes[i].host;
        if (d->volumes[i].docker)
            refuse(r, &place, "dockerVolumeConfiguration");
        if (host && host->source_path && host->source_path[0] != '\0')
            refuse(r, &place, "host.sourcePath");
    }
}

static void check_linux(const struct definition_reader *r, const struct linux_parameters *parameters,
                        const struct place *container)
{
    if (!parameters)
        return;
    struct place place = place_of(container, "linuxParameters"), capabilities = place_of(&place, "capabilities");
    if (parameters->device_count > 0)
        refuse(r, &place, "devices");
    if (parameters->shared_memory_size_mib != DEFINITION_UNSET)
        refuse(r, &place, "sharedMemorySize");
    if (parameters->max_swap_mib != DEFINITION_UNSET)
        refuse(r, &place, "maxSwap");
    if (parameters->swappiness != DEFINITION_UNSET)
        refuse(r, &place, "swappiness");
    for (size_t i = 0; parameters->capabilities && i < parameters->capabilities->add_count; i++) {
        const char *name = parameters->capabilities->add[i];
        struct place added = place_at(&capabilities, "add", i);
        if (name && strcmp(name, "SYS_PTRACE") != 0)
            place_refuse(r->problems, &added, NULL, "'%s' cannot be added, Fargate only supports SYS_PTRACE", name);
    }
}

static void check_log_driver(const struct definition_reader *r, const struct log_configuration *log,
                             const struct place *container)
{
    struct place place = place_of(container, "logConfiguration");
    const char *driver = log ? log->log_driver : NULL;
    if (driver && strcmp(driver, "awslogs") != 0 && strcmp(driver, "splunk") != 0 && strcmp(driver, "awsfirelens") != 0)
        place_refuse(r->problems, &place, "logDriver",
                     "'%s' is not supported for FARGATE, must be one of: awslogs, splunk, awsfirelens", driver);
}

static void check_container(const struct definition_reader *r, size_t index)
{
    const struct container_definition *c = &r->definition->containers[index];
    struct place place = place_at(r->top, "containerDefinitions", index);
    if (c->is_privileged)
        refuse(r, &place, "privileged");
    if (c->docker_security_option_count > 0)
        refuse(r, &place, "dockerSecurityOptions");
    if (c->stop_timeout_s > 120)
        place_refuse(r->problems, &place, "stopTimeout", "%" PRId64 " is more than Fargate's 120 seconds",
                     c->stop_timeout_s);
    if (c->start_timeout_s != DEFINITION_UNSET && (c->start_timeout_s < 2 || c->start_timeout_s > 120))
        place_refuse(r->problems, &place, "startTimeout", "%" PRId64 " is not from 2 to 120 seconds, as Fargate's are",
                     c->start_timeout_s);
    check_linux(r, c->linux_parameters, &place);
    check_log_driver(r, c->log_configuration, &place);
}

void rules_check_fargate(const struct definition_reader *reader)
{
    check_size(reader);
    check_task(reader);
    for (size_t i = 0; i < reader->definition->container_count; i++)
        check_container(reader, i);
}
