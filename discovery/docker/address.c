#include "discovery/docker/address.h"

#include "base/local_links.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK_NAME_SIZE 256
#define LISTED_NAMES_SIZE 200

static bool text_is_set(const char *text)
{
    return text && text[0];
}

/* How good an address is; a better one is taken. */
enum rank { RANK_NONE = 0, RANK_SOME, RANK_PUBLISHED, RANK_BRIDGE, RANK_LINKED, RANK_PREFERRED };

struct candidate {
    enum rank rank;
    const char *network; /* borrowed; null: none */
    const char *ip;      /* borrowed */
};

static bool is_ip(const char *text)
{
    char unused[TASK_ADDRESS_SIZE];
    return text_is_set(text) && docker_address_format(text, 1, unused);
}

/* IPv4 rather than IPv6, unless only the latter is on a link of ours. */
static const char *find_ip(const json_t *network, const struct local_links *links)
{
    const char *v4 = json_find_string(network, "IPAddress");
    const char *v6 = json_find_string(network, "GlobalIPv6Address");
    if (!is_ip(v6))
        return is_ip(v4) ? v4 : NULL;
    bool is_v6_better = !is_ip(v4) || (!local_links_reach(links, v4) && local_links_reach(links, v6));
    return is_v6_better ? v6 : v4;
}

/* An overlay or macvlan address cannot be reached from the host; of what inspect tells, only the gateway separates them
 * from a bridge. */
static bool has_gateway(const json_t *network)
{
    return text_is_set(json_find_string(network, "Gateway")) || text_is_set(json_find_string(network, "IPv6Gateway"));
}

static enum rank rank_of(const char *name, const json_t *network, const char *ip,
                         const struct docker_label_scope *scope)
{
    if (!ip)
        return RANK_NONE;
    if (scope->network && strcmp(name, scope->network) == 0)
        return RANK_PREFERRED;
    if (local_links_reach(scope->links, ip))
        return RANK_LINKED;
    return has_gateway(network) ? RANK_BRIDGE : RANK_SOME;
}

static struct candidate best_network(const json_t *networks, const struct docker_label_scope *scope)
{
    struct candidate best = { 0 };
    const char *name;
    json_t *network;
    json_object_foreach ((json_t *)networks, name, network) {
        const char *ip = find_ip(network, scope->links);
        struct candidate one = { rank_of(name, network, ip, scope), name, ip };
        if (one.rank > best.rank || (one.rank == best.rank && one.rank && strcmp(name, best.network) < 0))
            best = one;
    }
    return best;
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

const char *docker_address_find_lender(const json_t *inspected)
{
    static const char prefix[] = "container:";
    const char *mode = json_find_string(json_find_object(inspected, "HostConfig"), "NetworkMode");
    return mode && strncmp(mode, prefix, sizeof prefix - 1) == 0 ? mode + sizeof prefix - 1 : NULL;
}

/* "front", or as compose calls it: "shop_front". */
static const json_t *find_named(const json_t *networks, const struct docker_address_query *query)
{
    char composed[NETWORK_NAME_SIZE];
    const json_t *found = json_find_object(networks, query->network);
    if (found || !query->compose_project)
        return found;
    int len = snprintf(composed, sizeof composed, "%s_%s", query->compose_project, query->network);
    return len > 0 && (size_t)len < sizeof composed ? json_find_object(networks, composed) : NULL;
}

static bool refuse_named(const json_t *networks, const char *wanted, struct error *error)
{
    char names[LISTED_NAMES_SIZE] = "";
    const char *name;
    json_t *unused;
    size_t used = 0;
    json_object_foreach ((json_t *)networks, name, unused) {
        int len = snprintf(names + used, sizeof names - used, "%s%.64s", used ? ", " : "", name);
        if (len < 0 || (size_t)len >= sizeof names - used)
            break;
        used += (size_t)len;
    }
    return error_set(error, "label " DOCKER_LABEL_NETWORK "=\"%.60s\": it is not on that network, but on: %s", wanted,
                     names[0] ? names : "none");
}

static bool named_address(const json_t *networks, const struct docker_address_query *query,
                          const struct docker_label_scope *scope, char out[TASK_ADDRESS_SIZE], struct error *error)
{
    const json_t *network = find_named(networks, query);
    const char *ip = network ? find_ip(network, scope->links) : NULL;
    if (!network)
        return refuse_named(networks, query->network, error);
    if (!ip)
        return error_set(error, "it has no address on the network %.60s (label " DOCKER_LABEL_NETWORK ")",
                         query->network);
    return docker_address_format(ip, query->port, out);
}

bool docker_address_find(const struct docker_address_query *query, const struct docker_label_scope *scope,
                         char out[TASK_ADDRESS_SIZE], struct error *error)
{
    const json_t *settings = json_find_object(query->inspected, "NetworkSettings");
    const json_t *networks = json_find_object(settings, "Networks");
    bool is_host_mode = docker_address_is_of_host(query->inspected);
    error->text[0] = '\0';
    if (scope->remote_host)
        return remote_address(settings, is_host_mode, scope->remote_host, query->port, out, error);
    if (is_host_mode)
        return docker_address_format("127.0.0.1", query->port, out);
    if (query->network)
        return named_address(networks, query, scope, out, error);
    struct candidate best = best_network(networks, scope);
    if (best.rank < RANK_PUBLISHED && published_address(settings, NULL, query->port, out))
        return true;
    if (!best.ip && scope->network)
        return error_set(error, "it has no address on the network %s (docker.network) or any other", scope->network);
    if (!best.ip)
        return error_set(error, "it has no address on any network and does not publish port %u", query->port);
    if (best.rank < RANK_LINKED && scope->links && scope->links->count > 0)
        error_set(error, "Portico is on none of its networks: %s on %.64s may be out of reach", best.ip, best.network);
    return docker_address_format(best.ip, query->port, out);
}
