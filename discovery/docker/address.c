#include "discovery/docker/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_is_set(const char *text)
{
    return text && text[0];
}

static bool network_address(const json_t *network, uint16_t port, char out[TASK_ADDRESS_SIZE])
{
    const char *v4 = json_find_string(network, "IPAddress");
    const char *v6 = json_find_string(network, "GlobalIPv6Address");
    return (text_is_set(v4) && docker_address_format(v4, port, out)) ||
           (text_is_set(v6) && docker_address_format(v6, port, out));
}

static bool network_has_gateway(const json_t *network)
{
    return text_is_set(json_find_string(network, "Gateway")) || text_is_set(json_find_string(network, "IPv6Gateway"));
}

/* An overlay or macvlan address cannot be reached from the host; of what inspect tells, only the gateway separates them
 * from a bridge. */
static bool first_network_address(const json_t *networks, bool gateway_needed, uint16_t port,
                                  char out[TASK_ADDRESS_SIZE])
{
    const char *name;
    json_t *network;
    json_object_foreach ((json_t *)networks, name, network)
        if ((!gateway_needed || network_has_gateway(network)) && network_address(network, port, out))
            return true;
    return false;
}

static bool parse_port(const char *text, uint16_t *port)
{
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return false;
    long value = strtol(text, NULL, 10);
    *port = (uint16_t)value;
    return value >= 1 && value <= 65535;
}

static bool binding_address(const json_t *binding, const char *remote_host, char out[TASK_ADDRESS_SIZE])
{
    const char *ip = json_find_string(binding, "HostIp");
    uint16_t port;
    if (!parse_port(json_find_string(binding, "HostPort"), &port))
        return false;
    bool is_any_v6 = ip && strcmp(ip, "::") == 0;
    if (!text_is_set(ip) || is_any_v6 || strcmp(ip, "0.0.0.0") == 0)
        ip = remote_host ? remote_host : is_any_v6 ? "::1" : "127.0.0.1";
    return docker_address_format(ip, port, out);
}

static bool published_address(const json_t *settings, const char *remote_host, uint16_t port,
                              char out[TASK_ADDRESS_SIZE])
{
    char key[16];
    size_t i;
    json_t *binding;
    snprintf(key, sizeof key, "%u/tcp", port);
    const json_t *bindings = json_find_array(json_find_object(settings, "Ports"), key);
    json_array_foreach ((json_t *)bindings, i, binding)
        if (binding_address(binding, remote_host, out))
            return true;
    return false;
}

static bool remote_address(const json_t *settings, bool is_host_mode, const char *host, uint16_t port,
                           char out[TASK_ADDRESS_SIZE], struct error *error)
{
    char unused[TASK_ADDRESS_SIZE];
    if (!docker_address_format(host, port, unused))
        return error_set(
            error, "docker.endpoint has the host \"%.100s\": containers elsewhere need an IP address there", host);
    if (is_host_mode)
        return docker_address_format(host, port, out);
    return published_address(settings, host, port, out) ||
           error_set(error, "the engine is elsewhere and port %u is not published", port);
}

bool docker_address_format(const char *ip, uint16_t port, char out[TASK_ADDRESS_SIZE])
{
    unsigned char parsed[16];
    char bare[INET6_ADDRSTRLEN];
    size_t len = strlen(ip);
    bool is_bracketed = len > 2 && ip[0] == '[' && ip[len - 1] == ']';
    if (len - (is_bracketed ? 2 : 0) >= sizeof bare)
        return false;
    snprintf(bare, sizeof bare, "%.*s", (int)(is_bracketed ? len - 2 : len), ip + (is_bracketed ? 1 : 0));
    if (!is_bracketed && inet_pton(AF_INET, bare, parsed) == 1)
        snprintf(out, TASK_ADDRESS_SIZE, "%s:%u", bare, port);
    else if (inet_pton(AF_INET6, bare, parsed) == 1)
        snprintf(out, TASK_ADDRESS_SIZE, "[%s]:%u", bare, port);
    else
        return false;
    return true;
}

bool docker_address_is_of_host(const json_t *inspected)
{
    const char *mode = json_find_string(json_find_object(inspected, "HostConfig"), "NetworkMode");
    return mode && strcmp(mode, "host") == 0;
}

bool docker_address_find(const json_t *inspected, const struct docker_label_scope *scope, uint16_t port,
                         char out[TASK_ADDRESS_SIZE], struct error *error)
{
    const json_t *settings = json_find_object(inspected, "NetworkSettings");
    const json_t *networks = json_find_object(settings, "Networks");
    bool is_host_mode = docker_address_is_of_host(inspected);
    if (scope->remote_host)
        return remote_address(settings, is_host_mode, scope->remote_host, port, out, error);
    if (is_host_mode)
        return docker_address_format("127.0.0.1", port, out);
    if (scope->network)
        return network_address(json_find_object(networks, scope->network), port, out) ||
               error_set(error, "it has no address on the network %s (docker.network)", scope->network);
    return first_network_address(networks, true, port, out) || published_address(settings, NULL, port, out) ||
           first_network_address(networks, false, port, out) ||
           error_set(error, "it has no address on any network and does not publish port %u", port);
}
