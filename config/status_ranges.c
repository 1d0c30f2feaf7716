#include "config/status_ranges.h"

#include <ctype.h>
#include <string.h>

static bool take_status(const char **at, int *status)
{
    const char *c = *at;
    if (!isdigit((unsigned char)c[0]) || !isdigit((unsigned char)c[1]) || !isdigit((unsigned char)c[2]))
        return false;
    *status = (c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0');
    *at = c + 3;
    return *status >= 100 && *status <= 599;
}

/* One range and the comma after it. */
static bool take_range(const char **at, int *low, int *high)
{
    if (!take_status(at, low))
        return false;
    *high = *low;
    if (**at == '-') {
        (*at)++;
        if (!take_status(at, high) || *high < *low)
            return false;
    }
    if (**at == '\0')
        return true;
    return *(*at)++ == ',' && **at != '\0';
}

bool status_ranges_is_valid(const char *ranges)
{
    int low, high;
    if (ranges[0] == '\0' || strlen(ranges) > STATUS_RANGES_BYTES_MAX)
        return false;
    while (*ranges)
        if (!take_range(&ranges, &low, &high))
            return false;
    return true;
}

bool status_ranges_match(const char *ranges, int status)
{
    int low, high;
    if (!status_ranges_is_valid(ranges))
        return false;
    while (*ranges && take_range(&ranges, &low, &high))
        if (status >= low && status <= high)
            return true;
    return false;
}
