#include "proxy/message/http_date.h"

#include <stdio.h>
#include <time.h>

void http_date_set(struct http_date *date, int64_t wall_us)
{
    /* Not strftime(): the names are those of the RFC, whatever the locale. */
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    time_t second = (time_t)(wall_us / 1000000);
    struct tm utc;
    if (date->line[0] && date->second == second)
        return;
    gmtime_r(&second, &utc);
    char text[64];
    snprintf(text, sizeof text, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[utc.tm_wday], utc.tm_mday,
             months[utc.tm_mon], (utc.tm_year + 1900) % 10000, utc.tm_hour, utc.tm_min, utc.tm_sec);
    memcpy(date->line, text, sizeof date->line);
    date->second = second;
}
