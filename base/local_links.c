#include "base/local_links.h"

#include "base/mem.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Never the address of somebody else's service: it means something on one link only. */
static bool is_link_local(const struct network_address *address)
{
    const uint8_t *b = address->bytes;
    bool is_v4 = memcmp(b, network_v4_prefix, sizeof network_v4_prefix) == 0;
    return is_v4 ? b[12] == 169 && b[13] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

/* The netmask's bits are ones and then zeros; of the last byte that has any, so many are set. */
static uint8_t count_ones(const struct network_address *mask)
{
    uint8_t bits = 0;
    while (bits < 128 && mask->bytes[bits / 8] & (0x80 >> bits % 8))
        bits++;
    return bits;
}

static bool network_of(const struct ifaddrs *one, struct network *out)
{
    struct network_address mask;
    if (!(one->ifa_flags & IFF_UP) || (one->ifa_flags & IFF_LOOPBACK) || !one->ifa_addr || !one->ifa_netmask ||
        !network_address_of(one->ifa_addr, &out->address) || is_link_local(&out->address))
        return false;
    struct sockaddr_storage netmask;
    size_t size = one->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    memset(&netmask, 0, sizeof netmask);
    memcpy(&netmask, one->ifa_netmask, size);
    netmask.ss_family = one->ifa_addr->sa_family; /* some kernels leave it out */
    if (!network_address_of((const struct sockaddr *)&netmask, &mask))
        return false;
    memset(mask.bytes, 0xff, one->ifa_addr->sa_family == AF_INET ? sizeof network_v4_prefix : 0);
    out->prefix_bits = count_ones(&mask);
    for (size_t i = 0; i < sizeof out->address.bytes; i++)
        out->address.bytes[i] &= mask.bytes[i];
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct network *left = a, *right = b;
    int order = memcmp(left->address.bytes, right->address.bytes, sizeof left->address.bytes);
    return order ? order : (int)left->prefix_bits - right->prefix_bits;
}

bool local_links_read(struct local_links *out)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return false;
    struct local_links read = { .networks = mem_alloc_array(LOCAL_LINKS_MAX, sizeof *read.networks) };
    for (const struct ifaddrs *one = all; one && read.count < LOCAL_LINKS_MAX; one = one->ifa_next)
        read.count += network_of(one, &read.networks[read.count]);
    freeifaddrs(all);
    qsort(read.networks, read.count, sizeof *read.networks, compare);
    size_t kept = 0;
    for (size_t i = 0; i < read.count; i++)
        if (kept == 0 || compare(&read.networks[kept - 1], &read.networks[i]) != 0)
            read.networks[kept++] = read.networks[i];
    read.count = kept;
    local_links_fini(out);
    *out = read;
    return true;
}

void local_links_fini(struct local_links *links)
{
    free(links->networks);
    *links = (struct local_links){ 0 };
}

bool local_links_equal(const struct local_links *a, const struct local_links *b)
{
    size_t i = 0;
    while (i < a->count && i < b->count && compare(&a->networks[i], &b->networks[i]) == 0)
        i++;
    return i == a->count && i == b->count;
}

bool local_links_reach(const struct local_links *links, const char *ip)
{
    struct network alone;
    return links && !strchr(ip, '/') && network_parse(ip, &alone) &&
           network_list_contains(links->networks, links->count, &alone.address);
}
