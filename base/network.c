#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define V4_PREFIX_BITS 96

const uint8_t network_v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* A decimal number up to `max` without sign or leading zero; -1 if it is none. */
static int parse_bits(const char *text, int max)
{
    int bits = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 3 || (text[0] == '0' && len > 1))
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        bits = bits * 10 + (*text - '0');
    }
    return bits <= max ? bits : -1;
}

static bool parse_address(const char *text, struct network_address *address, int *first_bit)
{
    struct in_addr v4;
    *first_bit = 0;
    if (inet_pton(AF_INET6, text, address->bytes) == 1)
        return true;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    memcpy(address->bytes, network_v4_prefix, sizeof network_v4_prefix);
    memcpy(address->bytes + sizeof network_v4_prefix, &v4, sizeof v4);
    *first_bit = V4_PREFIX_BITS;
    return true;
}

static bool is_zero_behind(const struct network *network)
{
    for (unsigned bit = network->prefix_bits; bit < 128; bit++) {
        if (network->address.bytes[bit / 8] & (0x80 >> bit % 8))
            return false;
    }
    return true;
}

bool network_parse(const char *text, struct network *network)
{
    char copy[NETWORK_TEXT_SIZE];
    int first_bit, bits;
    if (strlen(text) >= sizeof copy)
        return false;
    memcpy(copy, text, strlen(text) + 1);
    char *slash = strchr(copy, '/');
    if (slash)
        *slash = '\0';
    if (!parse_address(copy, &network->address, &first_bit))
        return false;
    bits = slash ? parse_bits(slash + 1, 128 - first_bit) : 128 - first_bit;
    if (bits < 0)
        return false;
    network->prefix_bits = (uint8_t)(first_bit + bits);
    return is_zero_behind(network);
}

bool network_contains(const struct network *network, const struct network_address *address)
{
    size_t whole = network->prefix_bits / 8;
    unsigned rest = network->prefix_bits % 8;
    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

bool network_list_contains(const struct network *networks, size_t count, const struct network_address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (network_contains(&networks[i], address))
            return true;
    }
    return false;
}

bool network_address_of(const struct sockaddr *from, struct network_address *address)
{
    if (from->sa_family == AF_INET6) {
        memcpy(address->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof address->bytes);
        return true;
    }
    if (from->sa_family != AF_INET)
        return false;
    memcpy(address->bytes, network_v4_prefix, sizeof network_v4_prefix);
    memcpy(address->bytes + sizeof network_v4_prefix, &((const struct sockaddr_in *)from)->sin_addr, 4);
    return true;
}

static char *put_decimal(char *at, uint8_t number)
{
    if (number >= 100)
        *at++ = (char)('0' + number / 100);
    if (number >= 10)
        *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

size_t network_address_to_text(const struct network_address *address, char text[NETWORK_ADDRESS_TEXT_SIZE])
{
    const uint8_t *v4 = address->bytes + sizeof network_v4_prefix;
    char *at = text;
    if (memcmp(address->bytes, network_v4_prefix, sizeof network_v4_prefix) != 0)
        return strlen(inet_ntop(AF_INET6, address->bytes, text, NETWORK_ADDRESS_TEXT_SIZE));
    for (int i = 0; i < 4; i++) {
        at = put_decimal(at, v4[i]);
        *at++ = '.';
    }
    *--at = '\0';
    return (size_t)(at - text);
}
