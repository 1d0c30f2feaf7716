#include "admin/json_field.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *never_null(json_t *value)
{
    check(value != NULL);
    return value;
}

json_t *json_field_text(const char *text)
{
    if (!text)
        text = "";
    json_t *value = json_string(text);
    if (value)
        return value;
    char *ascii = mem_strdup(text);
    for (char *at = ascii; *at; at++) {
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    }
    value = json_string(ascii);
    free(ascii);
    return never_null(value);
}

json_t *json_field_text_or_null(const char *text)
{
    return text ? json_field_text(text) : json_null();
}

json_t *json_field_count(int64_t count)
{
    return never_null(json_integer(count));
}

json_t *json_field_count_or_null(int64_t count)
{
    return count < 0 ? json_null() : json_field_count(count);
}

json_t *json_field_flag(bool flag)
{
    return json_boolean(flag);
}

json_t *json_field_real_or_null(double real)
{
    return isfinite(real) ? never_null(json_real(real)) : json_null();
}

json_t *json_field_lines_or_null(const char *text)
{
    if (!text)
        return json_null();
    json_t *lines = json_array();
    while (*text) {
        size_t len = strcspn(text, "\n");
        char *line = mem_strndup(text, len);
        json_array_append_new(lines, json_field_text(line));
        free(line);
        text += len + (text[len] == '\n');
    }
    return never_null(lines);
}

json_t *json_field_time_or_null(int64_t wall_us)
{
    char text[32];
    if (wall_us <= 0)
        return json_null();
    clock_format_wall(wall_us, text);
    return never_null(json_string(text));
}
