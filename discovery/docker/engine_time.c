#include "discovery/docker/engine_time.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "Z" or "+02:00" -> seconds east of Greenwich. */
static bool parse_zone(const char *text, int64_t *seconds)
{
    unsigned hours, minutes;
    char sign, end;
    *seconds = 0;
    if (strcmp(text, "Z") == 0)
        return true;
    if (sscanf(text, "%c%2u:%2u%c", &sign, &hours, &minutes, &end) != 3 || (sign != '+' && sign != '-'))
        return false;
    *seconds = (int64_t)(hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return hours < 24 && minutes < 60;
}

int64_t docker_time_parse_us(const char *text)
{
    struct tm at = { 0 };
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &at) : NULL;
    if (!rest || at.tm_year < 70)
        return 0;
    int64_t us = 0, east_s;
    if (*rest == '.') {
        int64_t unit = 100000;
        for (rest++; isdigit((unsigned char)*rest); rest++, unit /= 10)
            us += (*rest - '0') * unit;
    }
    return parse_zone(rest, &east_s) ? ((int64_t)timegm(&at) - east_s) * 1000000 + us : 0;
}
