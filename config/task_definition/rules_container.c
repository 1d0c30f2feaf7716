#include "config/task_definition/rules.h"

#include <inttypes.h>
#include <string.h>

/* One container while it is checked. */
struct subject {
    const struct definition_reader *reader;
    const struct container_definition *container;
    const struct place *place;
    size_t index;
};

static bool is_same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Another container of the task. Names that could not be read may have been meant: nothing is said then. */
static bool check_names_other(const struct subject *s, const char *name, size_t len, const struct place *place,
                              const char *field, size_t *found)
{
    const struct task_definition *d = s->reader->definition;
    *found = d->container_count;
    if (!name)
        return false;
    for (size_t i = 0; i < d->container_count; i++) {
        if (!d->containers[i].name)
            return false;
    }
    *found = task_definition_find_container(d, name, len);
    if (*found == s->index)
        place_refuse(s->reader->problems, place, field, "names its own container, '%.*s'", (int)len, name);
    else if (*found == d->container_count && d->container_count > 0)
        place_refuse(s->reader->problems, place, field, "no container of the task is called '%.*s'", (int)len, name);
    return *found != s->index && *found != d->container_count;
}

static void check_dependency(const struct subject *s, size_t index)
{
    const struct container_definition *c = s->container, *other;
    const struct container_dependency *dependency = &c->depends_on[index];
    struct problems *problems = s->reader->problems;
    struct place place = place_at(s->place, "dependsOn", index);
    size_t found;
    for (size_t i = 0; i < index; i++) {
        if (is_same(c->depends_on[i].container_name, dependency->container_name)) {
            place_refuse(problems, &place, "containerName", "'%s' is named by dependsOn[%zu] too",
                         dependency->container_name, i);
            return;
        }
    }
    const char *name = dependency->container_name;
    if (!check_names_other(s, name, name ? strlen(name) : 0, &place, "containerName", &found))
        return;
    other = &s->reader->definition->containers[found];
    if (dependency->condition == CONDITION_HEALTHY && !other->health_check)
        place_refuse(problems, &place, "condition", "HEALTHY needs a healthCheck of container '%s'", name);
    if ((dependency->condition == CONDITION_COMPLETE || dependency->condition == CONDITION_SUCCESS) &&
        other->is_essential && s->reader->is_sound)
        place_refuse(problems, &place, "condition",
                     "a dependency with SUCCESS or COMPLETE cannot be an essential container, and '%s' is", name);
}

static void check_links(const struct subject *s)
{
    const struct container_definition *c = s->container;
    size_t found;
    if (c->link_count > 0 && s->reader->definition->network_mode != NETWORK_MODE_BRIDGE)
        place_refuse(s->reader->problems, s->place, "links", "links are only supported when networkMode is bridge");
    for (size_t i = 0; i < c->link_count; i++) {
        struct place place = place_at(s->place, "links", i);
        const char *link = c->links[i];
        check_names_other(s, link, link ? strcspn(link, ":") : 0, &place, NULL, &found);
    }
}

static void check_mount(const struct subject *s, size_t index)
{
    const struct task_definition *d = s->reader->definition;
    const struct mount_point *mounts = s->container->mount_points, *mount = &mounts[index];
    struct place place = place_at(s->place, "mountPoints", index);
    bool is_known = mount->source_volume == NULL;
    for (size_t i = 0; i < d->volume_count; i++)
        is_known |= d->volumes[i].name == NULL || is_same(d->volumes[i].name, mount->source_volume);
    if (!is_known)
        place_refuse(s->reader->problems, &place, "sourceVolume",
                     "unknown volume '%s', volumes of the task are in `volumes`", mount->source_volume);
    for (size_t i = 0; i < index; i++) {
        if (is_same(mounts[i].container_path, mount->container_path)) {
            place_refuse(s->reader->problems, &place, "containerPath", "'%s' is taken by mountPoints[%zu]",
                         mount->container_path, i);
            break;
        }
    }
}

static void check_tmpfs(const struct subject *s)
{
    const struct container_definition *c = s->container;
    const struct linux_parameters *linux_parameters = c->linux_parameters;
    struct place in = place_of(s->place, "linuxParameters");
    for (size_t i = 0; linux_parameters && i < linux_parameters->tmpfs_count; i++) {
        const char *path = linux_parameters->tmpfs[i].container_path;
        struct place place = place_at(&in, "tmpfs", i);
        bool is_taken = false;
        for (size_t k = 0; k < i; k++)
            is_taken |= is_same(linux_parameters->tmpfs[k].container_path, path);
        for (size_t k = 0; k < c->mount_point_count; k++)
            is_taken |= is_same(c->mount_points[k].container_path, path);
        if (is_taken)
            place_refuse(s->reader->problems, &place, "containerPath", "'%s' is taken by another mount", path);
    }
}

static void check_volumes_from(const struct subject *s)
{
    size_t found;
    for (size_t i = 0; i < s->container->volume_from_count; i++) {
        struct place place = place_at(s->place, "volumesFrom", i);
        const char *name = s->container->volumes_from[i].source_container;
        check_names_other(s, name, name ? strlen(name) : 0, &place, "sourceContainer", &found);
    }
}

static void check_secrets(const struct subject *s)
{
    const struct container_definition *c = s->container;
    for (size_t i = 0; i < c->secret_count; i++) {
        struct place place = place_at(s->place, "secrets", i);
        bool is_taken = false;
        for (size_t k = 0; k < i; k++)
            is_taken |= is_same(c->secrets[k].name, c->secrets[i].name);
        for (size_t k = 0; k < c->environment_count; k++)
            is_taken |= is_same(c->environment[k].name, c->secrets[i].name);
        if (is_taken)
            place_refuse(s->reader->problems, &place, "name",
                         "'%s' must be unique, and not the name of an environment variable", c->secrets[i].name);
    }
}

static void check_health_command(const struct subject *s)
{
    const struct container_health_check *check = s->container->health_check;
    struct place place = place_of(s->place, "healthCheck");
    if (!check || check->command_count == 0 || !check->command[0])
        return;
    if (check->command[0][0] == '/') /* as behind CMD; ECS takes it so, and AWS's own collector is checked so */
        return;
    bool is_shell = strcmp(check->command[0], "CMD-SHELL") == 0;
    if (!is_shell && strcmp(check->command[0], "CMD") != 0)
        place_refuse(s->reader->problems, &place, "command", "must start with CMD or CMD-SHELL");
    else if (check->command_count < 2 || (is_shell && check->command_count > 2))
        place_refuse(s->reader->problems, &place, "command", "%s",
                     is_shell ? "CMD-SHELL needs one line for the shell behind it" : "CMD needs a program behind it");
}

static void check_ulimits(const struct subject *s)
{
    const struct container_definition *c = s->container;
    for (size_t i = 0; i < c->ulimit_count; i++) {
        const struct ulimit_setting *u = &c->ulimits[i];
        struct place place = place_at(s->place, "ulimits", i);
        for (size_t k = 0; k < i; k++) {
            if (is_same(c->ulimits[k].name, u->name))
                place_refuse(s->reader->problems, &place, "name", "'%s' is set by ulimits[%zu] too", u->name, k);
        }
        bool is_none = u->soft_limit == -1 && s->reader->is_sound; /* or it could not be read */
        if (u->hard_limit != -1 && (u->soft_limit > u->hard_limit || is_none))
            place_refuse(s->reader->problems, &place, "softLimit", "%" PRId64 " is more than hardLimit, %" PRId64,
                         u->soft_limit, u->hard_limit);
    }
}

static void check_system_controls(const struct subject *s)
{
    const struct container_definition *c = s->container;
    const struct task_definition *d = s->reader->definition;
    for (size_t i = 0; i < c->system_control_count; i++) {
        const char *name = c->system_controls[i].namespace;
        struct place place = place_at(s->place, "systemControls", i);
        if (!name)
            continue;
        bool is_net = strncmp(name, "net.", 4) == 0;
        if (is_net && d->network_mode == NETWORK_MODE_HOST)
            place_refuse(s->reader->problems, &place, "namespace", "net.* is the host's when networkMode is host");
        if (!is_net && d->ipc_mode == IPC_MODE_HOST)
            place_refuse(s->reader->problems, &place, "namespace", "'%s' is the host's when ipcMode is host", name);
        for (size_t k = 0; k < i; k++) {
            if (is_same(c->system_controls[k].namespace, name))
                place_refuse(s->reader->problems, &place, "namespace", "'%s' is set by systemControls[%zu] too", name,
                             k);
        }
    }
}

static void check_memory(const struct subject *s)
{
    const struct container_definition *c = s->container;
    struct place linux_parameters = place_of(s->place, "linuxParameters");
    if (c->memory_mib != DEFINITION_UNSET && c->memory_reservation_mib > c->memory_mib)
        place_refuse(s->reader->problems, s->place, "memoryReservation", "%" PRId64 " is more than memory, %" PRId64,
                     c->memory_reservation_mib, c->memory_mib);
    if (s->reader->is_sound && c->linux_parameters && c->linux_parameters->max_swap_mib != DEFINITION_UNSET &&
        c->memory_mib == DEFINITION_UNSET)
        place_refuse(s->reader->problems, &linux_parameters, "maxSwap", "needs the container's memory");
}

static void check_namespace(const struct subject *s)
{
    const struct container_definition *c = s->container;
    if (s->reader->definition->network_mode != NETWORK_MODE_AWSVPC)
        return;
    if (c->hostname)
        place_refuse(s->reader->problems, s->place, "hostname", "is not supported when networkMode is awsvpc");
    if (c->extra_host_count > 0)
        place_refuse(s->reader->problems, s->place, "extraHosts", "is not supported when networkMode is awsvpc");
    if (c->dns_server_count > 0)
        place_refuse(s->reader->problems, s->place, "dnsServers", "is not supported when networkMode is awsvpc");
    if (c->dns_search_domain_count > 0)
        place_refuse(s->reader->problems, s->place, "dnsSearchDomains", "is not supported when networkMode is awsvpc");
    if (c->is_networking_disabled)
        place_refuse(s->reader->problems, s->place, "disableNetworking", "is not supported when networkMode is awsvpc");
}

static void note_secrets_of_aws(const struct subject *s, const struct secret_source *secrets, size_t count,
                                const struct place *in, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        struct place place = place_at(in, key, i);
        if (secrets[i].value_from && strncmp(secrets[i].value_from, "arn:", 4) == 0)
            definition_ignore(s->reader, &place, "it is kept by AWS, which is not asked");
    }
}

/* What only AWS can do although the field is one that others understand. */
static void note_values_of_aws(const struct subject *s)
{
    const struct container_definition *c = s->container;
    const struct log_configuration *log = c->log_configuration;
    struct place logging = place_of(s->place, "logConfiguration");
    if (log && (is_same(log->log_driver, "awslogs") || is_same(log->log_driver, "awsfirelens")))
        definition_ignore(s->reader, &logging, "its driver writes to AWS: the output goes where the Engine is set to");
    else if (log)
        note_secrets_of_aws(s, log->secret_options, log->secret_option_count, &logging, "secretOptions");
    for (size_t i = 0; i < c->environment_file_count; i++) {
        struct place place = place_at(s->place, "environmentFiles", i);
        definition_ignore(s->reader, &place, "there is no S3 outside of AWS");
    }
    note_secrets_of_aws(s, c->secrets, c->secret_count, s->place, "secrets");
}

void rules_check_container(const struct definition_reader *reader, size_t container, const struct place *place)
{
    struct subject s = { reader, &reader->definition->containers[container], place, container };
    for (size_t i = 0; i < s.container->dependency_count; i++)
        check_dependency(&s, i);
    check_links(&s);
    for (size_t i = 0; i < s.container->mount_point_count; i++)
        check_mount(&s, i);
    check_tmpfs(&s);
    check_volumes_from(&s);
    check_secrets(&s);
    check_health_command(&s);
    check_ulimits(&s);
    check_system_controls(&s);
    check_memory(&s);
    check_namespace(&s);
    note_values_of_aws(&s);
}
