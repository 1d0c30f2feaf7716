#include "base/local_address.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static bool is_fixed(bool is_ipv6, const uint8_t *ip)
{
    static const uint8_t any[16], loopback[16] = { [15] = 1 };
    if (is_ipv6)
        return memcmp(ip, any, 16) == 0 || memcmp(ip, loopback, 16) == 0;
    return ip[0] == 127 || memcmp(ip, any, 4) == 0;
}

static bool is_of(const struct sockaddr *address, bool is_ipv6, const uint8_t *ip)
{
    if (!address || address->sa_family != (is_ipv6 ? AF_INET6 : AF_INET))
        return false;
    if (is_ipv6)
        return memcmp(&((const struct sockaddr_in6 *)address)->sin6_addr, ip, 16) == 0;
    return memcmp(&((const struct sockaddr_in *)address)->sin_addr, ip, 4) == 0;
}

bool local_address_is_ours(bool is_ipv6, const uint8_t *ip)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (is_ipv6 && memcmp(ip, mapped, sizeof mapped) == 0) {
        is_ipv6 = false;
        ip += sizeof mapped;
    }
    struct ifaddrs *all = NULL;
    bool is_ours = is_fixed(is_ipv6, ip);
    if (is_ours || getifaddrs(&all) != 0)
        return is_ours;
    for (const struct ifaddrs *one = all; one && !is_ours; one = one->ifa_next)
        is_ours = is_of(one->ifa_addr, is_ipv6, ip);
    freeifaddrs(all);
    return is_ours;
}
