#include "base/local_address.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* rtnetlink(7): one request with one attribute, one answer. */
struct route_message {
    struct nlmsghdr head;
    struct rtmsg route;
    struct rtattr attribute;
    uint8_t ip[16];
};

static bool is_fixed(bool is_ipv6, const uint8_t *ip)
{
    static const uint8_t any[16], loopback[16] = { [15] = 1 };
    if (is_ipv6)
        return memcmp(ip, any, 16) == 0 || memcmp(ip, loopback, 16) == 0;
    return ip[0] == 127 || memcmp(ip, any, 4) == 0;
}

static struct route_message ask_for(bool is_ipv6, const uint8_t *ip)
{
    size_t len = is_ipv6 ? 16 : 4;
    struct route_message ask = {
        .head = { .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST },
        .route = { .rtm_family = is_ipv6 ? AF_INET6 : AF_INET, .rtm_dst_len = (unsigned char)(8 * len) },
        .attribute = { .rta_type = RTA_DST, .rta_len = (unsigned short)RTA_LENGTH(len) },
    };
    ask.head.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof ask.route) + RTA_LENGTH(len));
    memcpy(ask.ip, ip, len);
    return ask;
}

/* The kernel answers within the send. */
static bool has_local_route(int fd, const struct route_message *ask)
{
    union {
        struct route_message message;
        char bytes[1024];
    } answer;
    if (send(fd, ask, ask->head.nlmsg_len, MSG_DONTWAIT) != (ssize_t)ask->head.nlmsg_len)
        return false;
    ssize_t got = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);
    return got >= (ssize_t)NLMSG_LENGTH(sizeof answer.message.route) &&
           answer.message.head.nlmsg_type == RTM_NEWROUTE && answer.message.route.rtm_type == RTN_LOCAL;
}

bool local_address_is_ours(bool is_ipv6, const uint8_t *ip)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (is_ipv6 && memcmp(ip, mapped, sizeof mapped) == 0) {
        is_ipv6 = false;
        ip += sizeof mapped;
    }
    if (is_fixed(is_ipv6, ip))
        return true;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return false;
    struct route_message ask = ask_for(is_ipv6, ip);
    bool is_ours = has_local_route(fd, &ask);
    close(fd);
    return is_ours;
}
