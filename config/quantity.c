#include "config/quantity.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Smallest first; a unit divides the next one. */
static const struct unit duration_units[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 }
};
static const struct unit size_units[] = {
    { "", 1 }, { "KiB", INT64_C(1) << 10 }, { "MiB", INT64_C(1) << 20 }, { "GiB", INT64_C(1) << 30 }, { NULL, 0 }
};

#define BYTES_OF_MIB (INT64_C(1) << 20)

/* The digits at the start; null when there are none, they begin with a zero too much, or they are too many. */
static const char *parse_digits(const char *text, int64_t *value)
{
    const char *at = text;
    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *at - '0', value))
            return NULL;
    }
    return at == text || (text[0] == '0' && at - text > 1) ? NULL : at;
}

static bool parse_with_unit(const char *text, const struct unit *units, int64_t *value)
{
    int64_t number;
    const char *name = parse_digits(text, &number);
    if (!name)
        return false;
    for (; units->name; units++) {
        if (strcmp(units->name, name) == 0)
            return !__builtin_mul_overflow(number, units->factor, value);
    }
    return false;
}

static void print_with_unit(int64_t value, const struct unit *units, struct buf *out)
{
    if (value == 0 && units == duration_units)
        units++; /* "0s" */
    while (value != 0 && units[1].name && value % units[1].factor == 0)
        units++;
    buf_printf(out, "%" PRId64 "%s", value / units->factor, units->name);
}

bool quantity_parse_integer(const char *text, int64_t *value)
{
    const char *end = parse_digits(text, value);
    return end && *end == '\0';
}

bool quantity_parse_duration(const char *text, int64_t *value_ms)
{
    return parse_with_unit(text, duration_units, value_ms);
}

bool quantity_parse_size(const char *text, int64_t *value_bytes)
{
    return parse_with_unit(text, size_units, value_bytes);
}

bool quantity_parse_memory(const char *text, int64_t *value_mib)
{
    int64_t bytes;
    if (quantity_parse_integer(text, value_mib))
        return true;
    if (!parse_with_unit(text, size_units, &bytes) || bytes % BYTES_OF_MIB != 0)
        return false;
    *value_mib = bytes / BYTES_OF_MIB;
    return true;
}

void quantity_print_integer(int64_t value, struct buf *out)
{
    buf_printf(out, "%" PRId64, value);
}

void quantity_print_duration(int64_t value_ms, struct buf *out)
{
    print_with_unit(value_ms, duration_units, out);
}

void quantity_print_size(int64_t value_bytes, struct buf *out)
{
    print_with_unit(value_bytes, size_units, out);
}

void quantity_print_memory(int64_t value_mib, struct buf *out)
{
    quantity_print_integer(value_mib, out);
}
