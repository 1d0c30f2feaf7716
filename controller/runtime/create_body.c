#include "controller/runtime/create_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define NANOSECONDS INT64_C(1000000000)
/* Of 0 the Engine makes the image's own start period, in which failures would not count; less than this it refuses. */
#define NO_START_PERIOD_NS INT64_C(1000000)
#define PORT_KEY_SIZE 16

static const struct container_definition *container_of(const struct create_order *order)
{
    return &order->definition->containers[order->container];
}

/* What is not written is left to the Engine. */
static void set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, key, json_string(text));
}

static void set_true(json_t *object, const char *key, bool value)
{
    if (value)
        json_object_set_new(object, key, json_true());
}

static void set_mib(json_t *object, const char *key, int64_t mib)
{
    if (mib != DEFINITION_UNSET)
        json_object_set_new(object, key, json_integer(mib << 20));
}

static void set_texts(json_t *object, const char *key, char *const *texts, size_t count)
{
    if (count == 0)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i]));
    json_object_set_new(object, key, list);
}

/* An empty list or object says nothing. */
static void set_unless_empty(json_t *object, const char *key, json_t *value)
{
    if (json_array_size(value) > 0 || json_object_size(value) > 0)
        json_object_set_new(object, key, value);
    else
        json_decref(value);
}

static json_t *pairs_of(const struct name_value *pairs, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, pairs[i].name, json_string(pairs[i].value));
    return object;
}

/* It lives in namespaces of the leader, which the network's names, addresses and ports belong to. */
static bool borrows_network(const struct create_order *order)
{
    return order->definition->network_mode == NETWORK_MODE_AWSVPC && order->leader != NULL;
}

/* The later of two with one name is what a program sees: `environment` comes behind files, secrets have names of their own. */
static json_t *environment_of(const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    json_t *list = json_array();
    for (size_t i = 0; i < order->environment_count; i++)
        json_array_append_new(list, json_sprintf("%s=%s", order->environment[i].name, order->environment[i].value));
    for (size_t i = 0; i < c->environment_count; i++)
        json_array_append_new(list, json_sprintf("%s=%s", c->environment[i].name, c->environment[i].value));
    return list;
}

static json_t *labels_of(const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    json_t *labels = pairs_of(c->docker_labels, c->docker_label_count);
    if (order->labels != NULL)
        json_object_update(labels, (json_t *)order->labels);
    return labels;
}

/* The Engine runs nothing that does not say how. */
static json_t *health_test_of(const struct container_health_check *check)
{
    json_t *test = json_array();
    if (check->command[0][0] == '/')
        json_array_append_new(test, json_string("CMD"));
    for (size_t i = 0; i < check->command_count; i++)
        json_array_append_new(test, json_string(check->command[i]));
    return test;
}

static void set_health(json_t *body, const struct create_order *order)
{
    const struct container_health_check *check = container_of(order)->health_check;
    json_t *health = json_object();
    if (check != NULL) {
        int64_t start_ns = check->start_period_s > 0 ? check->start_period_s * NANOSECONDS : NO_START_PERIOD_NS;
        json_object_set_new(health, "Test", health_test_of(check));
        json_object_set_new(health, "Interval", json_integer(check->interval_s * NANOSECONDS));
        json_object_set_new(health, "Timeout", json_integer(check->timeout_s * NANOSECONDS));
        json_object_set_new(health, "Retries", json_integer(check->retries));
        json_object_set_new(health, "StartPeriod", json_integer(start_ns));
    } else if (!order->keeps_image_health) {
        json_object_set_new(health, "Test", json_pack("[s]", "NONE"));
    }
    set_unless_empty(body, "Healthcheck", health);
}

static void add_port(const struct create_order *order, const struct port_mapping *mapping, unsigned port,
                     json_t *exposed, json_t *bindings)
{
    char key[PORT_KEY_SIZE], host_port[PORT_KEY_SIZE] = "";
    snprintf(key, sizeof key, "%u/%s", port, mapping->protocol == TRANSPORT_UDP ? "udp" : "tcp");
    json_object_set_new(exposed, key, json_object());
    if (order->ports != CREATE_PORTS_MAPPED || order->definition->network_mode != NETWORK_MODE_BRIDGE)
        return;
    if (mapping->host_port > 0)
        snprintf(host_port, sizeof host_port, "%u", (unsigned)(uint16_t)mapping->host_port);
    json_object_set_new(bindings, key, json_pack("[{s:s}]", "HostPort", host_port));
}

static void set_ports(json_t *body, json_t *host, const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    json_t *exposed = json_object(), *bindings = json_object();
    for (size_t i = 0; i < c->port_mapping_count && !borrows_network(order); i++) {
        const struct port_mapping *mapping = &c->port_mappings[i];
        uint16_t first = (uint16_t)mapping->container_port, last = first;
        if (mapping->container_port_range != NULL)
            port_range_read(mapping->container_port_range, &first, &last);
        for (unsigned port = first; port <= last; port++)
            add_port(order, mapping, port, exposed, bindings);
    }
    set_unless_empty(body, "ExposedPorts", exposed);
    set_unless_empty(host, "PortBindings", bindings);
    set_true(host, "PublishAllPorts", order->ports == CREATE_PORTS_PUBLISHED);
}

static void set_resources(json_t *host, const struct container_definition *c)
{
    const struct linux_parameters *linux_parameters = c->linux_parameters;
    if (c->cpu != DEFINITION_UNSET)
        json_object_set_new(host, "CpuShares", json_integer(c->cpu < 2 ? 2 : c->cpu));
    set_mib(host, "Memory", c->memory_mib);
    set_mib(host, "MemoryReservation", c->memory_reservation_mib);
    json_t *ulimits = json_array();
    for (size_t i = 0; i < c->ulimit_count; i++)
        json_array_append_new(ulimits, json_pack("{s:s, s:I, s:I}", "Name", c->ulimits[i].name, "Soft",
                                                 (json_int_t)c->ulimits[i].soft_limit, "Hard",
                                                 (json_int_t)c->ulimits[i].hard_limit));
    set_unless_empty(host, "Ulimits", ulimits);
    if (linux_parameters == NULL || linux_parameters->max_swap_mib == DEFINITION_UNSET)
        return;
    set_mib(host, "MemorySwap", c->memory_mib + linux_parameters->max_swap_mib);
    if (linux_parameters->swappiness != DEFINITION_UNSET)
        json_object_set_new(host, "MemorySwappiness", json_integer(linux_parameters->swappiness));
}

static json_t *device_of(const struct device_mapping *device)
{
    char permissions[4] = "rwm";
    size_t len = 0;
    for (size_t i = 0; i < device->permission_count && len < sizeof permissions - 1; i++)
        permissions[len++] = device->permissions[i][0];
    if (len > 0)
        permissions[len] = '\0';
    return json_pack("{s:s, s:s, s:s}", "PathOnHost", device->host_path, "PathInContainer",
                     device->container_path != NULL ? device->container_path : device->host_path, "CgroupPermissions",
                     permissions);
}

static json_t *tmpfs_of(const struct linux_parameters *linux_parameters)
{
    json_t *all = json_object();
    for (size_t i = 0; i < linux_parameters->tmpfs_count; i++) {
        const struct tmpfs_mount *mount = &linux_parameters->tmpfs[i];
        struct buf options;
        buf_init(&options, 0);
        buf_printf(&options, "size=%" PRId64, mount->size_mib << 20);
        for (size_t k = 0; k < mount->mount_option_count; k++)
            buf_printf(&options, ",%s", mount->mount_options[k]);
        json_object_set_new(all, mount->container_path, json_string(buf_text(&options)));
        buf_fini(&options);
    }
    return all;
}

static void set_linux(json_t *host, const struct container_definition *c)
{
    const struct linux_parameters *l = c->linux_parameters;
    if (l == NULL)
        return;
    if (l->capabilities != NULL) {
        set_texts(host, "CapAdd", l->capabilities->add, l->capabilities->add_count);
        set_texts(host, "CapDrop", l->capabilities->drop, l->capabilities->drop_count);
    }
    json_t *devices = json_array();
    for (size_t i = 0; i < l->device_count; i++)
        json_array_append_new(devices, device_of(&l->devices[i]));
    set_unless_empty(host, "Devices", devices);
    set_unless_empty(host, "Tmpfs", tmpfs_of(l));
    set_true(host, "Init", l->init_process_enabled);
    if (l->shared_memory_size_mib > 0)
        set_mib(host, "ShmSize", l->shared_memory_size_mib);
}

static const char *source_of(const struct create_order *order, const char *volume)
{
    const struct task_definition *d = order->definition;
    for (size_t i = 0; i < d->volume_count; i++) {
        const struct host_volume *host = d->volumes[i].host;
        if (strcmp(d->volumes[i].name, volume) != 0)
            continue;
        return host != NULL && host->source_path != NULL && host->source_path[0] != '\0' ? host->source_path
                                                                                         : order->volume_names[i];
    }
    return volume; /* not of a definition that was read */
}

static void set_mounts(json_t *host, const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    json_t *binds = json_array(), *lenders = json_array();
    for (size_t i = 0; i < c->mount_point_count; i++)
        json_array_append_new(binds, json_sprintf("%s:%s%s", source_of(order, c->mount_points[i].source_volume),
                                                  c->mount_points[i].container_path,
                                                  c->mount_points[i].is_read_only ? ":ro" : ""));
    for (size_t i = 0; i < c->volume_from_count; i++) {
        const char *name = c->volumes_from[i].source_container;
        size_t lender = task_definition_find_container(order->definition, name, strlen(name));
        json_array_append_new(lenders, json_sprintf("%s%s", order->container_names[lender],
                                                    c->volumes_from[i].is_read_only ? ":ro" : ""));
    }
    set_unless_empty(host, "Binds", binds);
    set_unless_empty(host, "VolumesFrom", lenders);
}

static json_t *links_of(const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    json_t *links = json_array();
    for (size_t i = 0; i < c->link_count; i++) {
        size_t len = strcspn(c->links[i], ":");
        size_t other = task_definition_find_container(order->definition, c->links[i], len);
        const char *alias = c->links[i][len] == ':' ? c->links[i] + len + 1 : c->links[i];
        json_array_append_new(links, json_sprintf("%s:%s", order->container_names[other], alias));
    }
    return links;
}

/* The Engine has links in two places, that of its own network and that of networks which people have made. */
static void set_links(json_t *body, json_t *host, const struct create_order *order)
{
    json_t *links = links_of(order);
    if (json_array_size(links) == 0 || order->network == NULL || strcmp(order->network, "bridge") == 0)
        set_unless_empty(host, "Links", links);
    else
        json_object_set_new(body, "NetworkingConfig",
                            json_pack("{s:{s:{s:o}}}", "EndpointsConfig", order->network, "Links", links));
}

/* Of what belongs to a network nothing may be said by who borrows one: the Engine refuses it. */
static void set_network(json_t *body, json_t *host, const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    if (borrows_network(order)) {
        json_object_set_new(host, "NetworkMode", json_sprintf("container:%s", order->leader));
        return;
    }
    enum network_mode mode = order->definition->network_mode;
    set_text(host, "NetworkMode",
             mode == NETWORK_MODE_HOST   ? "host"
             : mode == NETWORK_MODE_NONE ? "none"
                                         : order->network);
    set_links(body, host, order);
    set_texts(host, "Dns", c->dns_servers, c->dns_server_count);
    set_texts(host, "DnsSearch", c->dns_search_domains, c->dns_search_domain_count);
    json_t *hosts = json_array();
    for (size_t i = 0; i < c->extra_host_count; i++)
        json_array_append_new(hosts, json_sprintf("%s:%s", c->extra_hosts[i].hostname, c->extra_hosts[i].ip_address));
    set_unless_empty(host, "ExtraHosts", hosts);
}

static void set_namespaces(json_t *host, const struct create_order *order)
{
    const struct task_definition *d = order->definition;
    if (d->pid_mode == PID_MODE_HOST)
        set_text(host, "PidMode", "host");
    else if (d->pid_mode == PID_MODE_TASK && order->leader != NULL)
        json_object_set_new(host, "PidMode", json_sprintf("container:%s", order->leader));
    if (d->ipc_mode == IPC_MODE_HOST)
        set_text(host, "IpcMode", "host");
    else if (d->ipc_mode == IPC_MODE_NONE)
        set_text(host, "IpcMode", "none");
    else if (d->ipc_mode == IPC_MODE_TASK)
        json_object_set_new(host, "IpcMode",
                            order->leader != NULL ? json_sprintf("container:%s", order->leader)
                                                  : json_string("shareable"));
}

/* Drivers that write to AWS are ignored, as the definition's reader has said. */
static void set_logging(json_t *host, const struct log_configuration *log)
{
    if (log == NULL || strcmp(log->log_driver, "awslogs") == 0 || strcmp(log->log_driver, "awsfirelens") == 0)
        return;
    json_object_set_new(
        host, "LogConfig",
        json_pack("{s:s, s:o}", "Type", log->log_driver, "Config", pairs_of(log->options, log->option_count)));
}

static json_t *sysctls_of(const struct container_definition *c)
{
    json_t *all = json_object();
    for (size_t i = 0; i < c->system_control_count; i++)
        json_object_set_new(all, c->system_controls[i].namespace, json_string(c->system_controls[i].value));
    return all;
}

static json_t *host_config_of(const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    json_t *host = json_object();
    set_resources(host, c);
    set_linux(host, c);
    set_mounts(host, order);
    set_namespaces(host, order);
    set_logging(host, c->log_configuration);
    set_unless_empty(host, "Sysctls", sysctls_of(c));
    set_texts(host, "SecurityOpt", c->docker_security_options, c->docker_security_option_count);
    set_true(host, "Privileged", c->is_privileged);
    set_true(host, "ReadonlyRootfs", c->has_read_only_root);
    set_text(host, "CgroupParent", order->cgroup_parent);
    /* We are the ones who restart: the Engine doing it too would bring back what we count as gone. */
    json_object_set_new(host, "RestartPolicy", json_pack("{s:s}", "Name", "no"));
    return host;
}

json_t *create_body_write(const struct create_order *order)
{
    const struct container_definition *c = container_of(order);
    json_t *body = json_object(), *host = host_config_of(order);
    int64_t stop_timeout_s = c->stop_timeout_s != DEFINITION_UNSET ? c->stop_timeout_s : CREATE_BODY_STOP_TIMEOUT_S;
    set_text(body, "Image", order->image);
    set_texts(body, "Entrypoint", c->entry_point, c->entry_point_count);
    set_texts(body, "Cmd", c->command, c->command_count);
    json_object_set_new(body, "Env", environment_of(order));
    json_object_set_new(body, "Labels", labels_of(order));
    set_text(body, "WorkingDir", c->working_directory);
    set_text(body, "User", c->user);
    set_text(body, "Hostname", c->hostname);
    set_true(body, "NetworkDisabled", c->is_networking_disabled);
    set_true(body, "OpenStdin", c->is_interactive);
    set_true(body, "Tty", c->has_terminal);
    set_health(body, order);
    set_ports(body, host, order);
    set_network(body, host, order);
    json_object_set_new(body, "StopTimeout", json_integer(stop_timeout_s));
    json_object_set_new(body, "HostConfig", host);
    return body;
}
