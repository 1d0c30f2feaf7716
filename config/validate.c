#include "config/validate.h"

#include "config/form.h"
#include "config/listen_address.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_PATH_SIZE 128

struct validation {
    const struct config *config;
    struct node *root;
    struct problems *problems;
};

/* Nothing was wrong with the field, or with what is in it, when it was read. */
static bool is_sound(const struct validation *v, const char *path)
{
    bool whole;
    const struct node *node = node_locate(v->root, path, &whole);
    return !whole || !node->is_bad;
}

static bool is_written(const struct validation *v, const char *path)
{
    bool whole;
    const struct node *node = node_locate(v->root, path, &whole);
    return whole && !node->is_null;
}

static unsigned line_of(const struct validation *v, const char *path)
{
    bool whole;
    return node_locate(v->root, path, &whole)->line;
}

/* At the field, or at what it is missing from. */
__attribute__((format(printf, 3, 4))) static void refuse(const struct validation *v, const char *path,
                                                         const char *format, ...)
{
    bool whole;
    const struct node *node = node_locate(v->root, path, &whole);
    va_list args;
    va_start(args, format);
    problems_add_args(v->problems, node->line, node->column, path, format, args);
    va_end(args);
}

static const char *path_of(char out[FIELD_PATH_SIZE], const char *list, size_t index, const char *field)
{
    snprintf(out, FIELD_PATH_SIZE, "%s[%zu].%s", list, index, field);
    return out;
}

static void check_listener_names(const struct validation *v, size_t index)
{
    const struct config_listener *listeners = v->config->listeners;
    char path[FIELD_PATH_SIZE], other[FIELD_PATH_SIZE];
    if (!is_sound(v, path_of(path, "listeners", index, "name")))
        return;
    for (size_t i = 0; i < index; i++) {
        if (is_sound(v, path_of(other, "listeners", i, "name")) &&
            strcmp(listeners[i].name, listeners[index].name) == 0) {
            refuse(v, path, "'%s' is the name of listeners[%zu] too (line %u), write another name",
                   listeners[index].name, i, line_of(v, other));
            return;
        }
    }
}

static void check_listener_address(const struct validation *v, size_t index)
{
    struct listen_address mine, other;
    char path[FIELD_PATH_SIZE], other_path[FIELD_PATH_SIZE];
    const char *text = v->config->listeners[index].address;
    if (!is_sound(v, path_of(path, "listeners", index, "address")) || !listen_address_parse(text, &mine))
        return;
    for (size_t i = 0; i < index; i++) {
        if (!is_sound(v, path_of(other_path, "listeners", i, "address")))
            continue;
        if (listen_address_parse(v->config->listeners[i].address, &other) && listen_address_overlaps(&mine, &other)) {
            refuse(v, path, "'%s' is taken by listeners[%zu] (%s), write another address or port", text, i,
                   v->config->listeners[i].address);
            return;
        }
    }
    /* SO_REUSEPORT would let both listen, and half of the callers would reach the wrong one. */
    if (is_sound(v, "admin.address") && listen_address_parse(v->config->admin.address, &other) &&
        listen_address_overlaps(&mine, &other))
        refuse(v, path, "'%s' is taken by admin.address (%s), write another address or port", text,
               v->config->admin.address);
}

static void check_admin(const struct validation *v)
{
    struct listen_address address;
    if (v->config->admin.token || !is_sound(v, "admin") || !listen_address_parse(v->config->admin.address, &address))
        return;
    if (!listen_address_is_loopback(&address))
        refuse(v, "admin.token",
               "is missing, '%s' is not a loopback address: write a token of 16 to 512 characters, or an "
               "address such as 127.0.0.1:9900",
               v->config->admin.address);
}

static bool is_plain_allowed(const struct config_docker *docker)
{
    return docker->insecure || listen_address_names_loopback(docker->endpoint + strlen("tcp://"));
}

static void check_docker(const struct validation *v)
{
    const struct config_docker *docker = &v->config->docker;
    const struct {
        const char *path, *value;
    } files[] = { { "docker.tls.ca", docker->tls_ca },
                  { "docker.tls.cert", docker->tls_cert },
                  { "docker.tls.key", docker->tls_key } };
    if (docker->network && is_sound(v, "docker.network") && strcmp(docker->network, "none") == 0)
        refuse(v, "docker.network", "'none' gives a task no address, write the name of a network, or leave it out");
    bool is_tcp = strncmp(docker->endpoint, "tcp:", 4) == 0,
         has_any = docker->tls_ca || docker->tls_cert || docker->tls_key;
    if (!is_sound(v, "docker.endpoint") || (!has_any && (!is_tcp || is_plain_allowed(docker))))
        return;
    if (!has_any) {
        refuse(
            v, "docker.tls",
            "is missing, '%s' is not a loopback address, and whoever reaches an engine is root there: write ca, cert "
            "and key of docker.tls, or insecure: true for a socket proxy",
            docker->endpoint);
        return;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!files[i].value && is_sound(v, files[i].path))
            refuse(v, files[i].path, "is missing, %s: write ca, cert and key of docker.tls",
                   is_tcp ? "a tcp:// endpoint needs all three files" : "the files belong together");
    }
}

static void check_registry(const struct validation *v, size_t index)
{
    const struct config_registry *registries = v->config->docker.registries, *mine = &registries[index];
    char path[FIELD_PATH_SIZE], other[FIELD_PATH_SIZE];
    path_of(path, "docker.registries", index, "password");
    path_of(other, "docker.registries", index, "passwordFile");
    if (is_sound(v, path) && is_sound(v, other) && (mine->password == NULL) == (mine->password_file == NULL))
        refuse(v, path, "%s, write exactly one of password and passwordFile",
               mine->password ? "is not the only one" : "is missing");
    for (size_t i = 0; mine->name && i < index; i++) {
        if (!registries[i].name || strcmp(registries[i].name, mine->name) != 0)
            continue;
        refuse(v, path_of(path, "docker.registries", index, "name"),
               "'%s' is the name of docker.registries[%zu] too (line %u), write each once", mine->name, i,
               line_of(v, path_of(other, "docker.registries", i, "name")));
        return;
    }
}

static bool has_sound_route(const struct validation *v, size_t index)
{
    char host[FIELD_PATH_SIZE], path[FIELD_PATH_SIZE];
    return is_sound(v, path_of(host, "services", index, "host")) &&
           is_sound(v, path_of(path, "services", index, "path"));
}

static void check_service_name(const struct validation *v, size_t index)
{
    const struct config_service *services = v->config->services, *mine = &services[index];
    char path[FIELD_PATH_SIZE], other[FIELD_PATH_SIZE];
    for (size_t i = 0; mine->name && i < index; i++) {
        if (services[i].name && strcmp(services[i].name, mine->name) == 0) {
            refuse(v, path_of(path, "services", index, "name"),
                   "'%s' is the name of services[%zu] too (line %u), write another name", mine->name, i,
                   line_of(v, path_of(other, "services", i, "name")));
            return;
        }
    }
}

static bool has_host(const char *hosts, const char *wanted)
{
    char host[FORM_HOST_BYTES_MAX + 1];
    while (form_next_host(&hosts, host)) {
        if (strcmp(host, wanted) == 0)
            return true;
    }
    return false;
}

static bool find_shared_host(const char *hosts, const char *others, char out[FORM_HOST_BYTES_MAX + 1])
{
    while (form_next_host(&hosts, out)) {
        if (has_host(others, out))
            return true;
    }
    return false;
}

static void check_service_route(const struct validation *v, size_t index)
{
    const struct config_service *services = v->config->services, *mine = &services[index];
    char path[FIELD_PATH_SIZE], other[FIELD_PATH_SIZE], host[FORM_HOST_BYTES_MAX + 1];
    if (!has_sound_route(v, index))
        return;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(services[i].path, mine->path) == 0 && has_sound_route(v, i) &&
            find_shared_host(mine->host, services[i].host, host)) {
            refuse(v, path_of(path, "services", index, "path"),
                   "'%s' on host '%s' is the route of services[%zu] too (line %u), write another host or path",
                   mine->path, host, i, line_of(v, path_of(other, "services", i, "path")));
            return;
        }
    }
}

static void check_scaling_target(const struct validation *v, size_t index)
{
    const struct config_scaling *scaling = &v->config->services[index].scaling;
    char path[FIELD_PATH_SIZE];
    int count =
        (scaling->requests_per_second_per_task > 0) + (scaling->in_flight_per_task > 0) + (scaling->latency_p99_ms > 0);
    if (count != 1 && is_sound(v, path_of(path, "services", index, "scaling.target")))
        refuse(v, path, "has %d targets, write exactly one of requestsPerSecondPerTask, inFlightPerTask, latencyP99Ms",
               count);
}

static void check_scaling_range(const struct validation *v, size_t index)
{
    const struct config_service *service = &v->config->services[index];
    const struct config_scaling *scaling = &service->scaling;
    char path[FIELD_PATH_SIZE], max[FIELD_PATH_SIZE], desired[FIELD_PATH_SIZE];
    path_of(path, "services", index, "scaling.min");
    path_of(max, "services", index, "scaling.max");
    if (!is_sound(v, path) || !is_sound(v, max) || !is_written(v, max))
        return;
    if (scaling->min > scaling->max) {
        refuse(v, path, "%" PRId64 " is more than max, write at most %" PRId64, scaling->min, scaling->max);
        return;
    }
    if (is_sound(v, path_of(desired, "services", index, "desiredCount")) &&
        (service->desired_count < scaling->min || service->desired_count > scaling->max))
        refuse(v, desired, "%" PRId64 " is outside of scaling, write an integer between %" PRId64 " and %" PRId64,
               service->desired_count, scaling->min, scaling->max);
}

void validate_config(const struct config *config, struct node *root, struct problems *problems)
{
    struct validation v = { config, root, problems };
    for (size_t i = 0; i < config->listener_count; i++) {
        check_listener_names(&v, i);
        check_listener_address(&v, i);
    }
    check_admin(&v);
    check_docker(&v);
    for (size_t i = 0; i < config->docker.registry_count; i++)
        check_registry(&v, i);
    for (size_t i = 0; i < config->service_count; i++) {
        check_service_name(&v, i);
        check_service_route(&v, i);
        if (config->services[i].scaling.enabled) {
            check_scaling_target(&v, i);
            check_scaling_range(&v, i);
        }
    }
}
