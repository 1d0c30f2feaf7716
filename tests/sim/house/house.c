#include "tests/sim/house/house.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/log.h"

#define START_US INT64_C(1000000000000)
#define WALL_US INT64_C(1800000000000000) /* people's time at START_US */

static struct {
    uint64_t random;
    int64_t now_us;
    char violation[300];
    bool is_heard; /* what it logs */
} house;

int64_t __wrap_clock_wall_us(void);
void __wrap_log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);

void house_reset(uint64_t seed)
{
    house.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    house.now_us = START_US;
    house.violation[0] = '\0';
    house.is_heard = getenv("HOUSE_LOG") != NULL;
    clock_set_fake(house.now_us);
}

static uint64_t next_random(void)
{
    house.random ^= house.random << 13;
    house.random ^= house.random >> 7;
    house.random ^= house.random << 17;
    return house.random >> 11;
}

uint64_t house_random(uint64_t limit)
{
    return next_random() % limit;
}

bool house_chance(uint64_t percent)
{
    return house_random(100) < percent;
}

int64_t house_now_us(void)
{
    return house.now_us;
}

int64_t house_now_ms(void)
{
    return house.now_us / 1000;
}

void house_pass_time(int64_t us)
{
    house.now_us += us;
    clock_set_fake(house.now_us);
}

int64_t __wrap_clock_wall_us(void)
{
    return house.now_us - START_US + WALL_US;
}

ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)next_random();
    return (ssize_t)len;
}

/* A walk says thousands of lines. HOUSE_LOG shows them, with the time of the house. */
void __wrap_log_write(enum log_level level, const char *format, ...)
{
    char text[400];
    va_list args;
    if (!house.is_heard || level == LOG_LEVEL_DEBUG)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%lld.%03lld ms: %s\n", (long long)(house.now_us - START_US) / 1000, (long long)house.now_us % 1000,
            text);
}

void house_violated(const char *format, ...)
{
    char text[sizeof house.violation - 32];
    va_list args;
    if (house.violation[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(house.violation, sizeof house.violation, "at %lld ms: %s", (long long)(house.now_us - START_US) / 1000,
             text);
}

const char *house_violation(void)
{
    return house.violation[0] != '\0' ? house.violation : NULL;
}
