#include "daemon/arguments.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 16

static bool is_option(const char *text)
{
    return strncmp(text, "--", 2) == 0;
}

static bool complain(const char *command, const char *what, const char *which)
{
    fprintf(stderr, "portico %s: %s '%s'; see 'portico help'\n", command, what, which);
    return false;
}

/* The row of "--name" or "--name=value". */
static size_t find_option(const struct argument *table, size_t count, const char *text)
{
    size_t len = strcspn(text, "=");
    size_t i = 0;
    while (i < count && !(strncmp(table[i].name, text, len) == 0 && table[i].name[len] == '\0'))
        i++;
    return i;
}

static size_t find_operand(const struct argument *table, size_t count, const bool *seen)
{
    size_t i = 0;
    while (i < count && (is_option(table[i].name) || seen[i]))
        i++;
    return i;
}

static bool parse_number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno != 0 || value < -1)
        return false;
    *out = value;
    return true;
}

static bool store(const char *command, const struct argument *argument, const char *value)
{
    if (argument->text) {
        *argument->text = value;
        return true;
    }
    return parse_number(value, argument->number) || complain(command, "not a number:", value);
}

/* One option, with its value from argv[*at + 1] when it is not behind '='. */
static bool take_option(const char *command, const struct argument *argument, int argc, char **argv, int *at)
{
    const char *value = strchr(argv[*at], '=');
    if (argument->flag) {
        *argument->flag = true;
        return value ? complain(command, "no value is allowed for", argument->name) : true;
    }
    if (value)
        return store(command, argument, value + 1);
    if (*at + 1 >= argc)
        return complain(command, "no value for", argument->name);
    return store(command, argument, argv[++*at]);
}

bool arguments_parse(const char *command, const struct argument *table, size_t count, int argc, char **argv)
{
    bool seen[ARGUMENTS_MAX] = { false };
    for (int at = 0; at < argc; at++) {
        const char *given = argv[at];
        size_t i = is_option(given) ? find_option(table, count, given) : find_operand(table, count, seen);
        if (i == count)
            return complain(command, is_option(given) ? "unknown option" : "one argument too many:", given);
        if (seen[i])
            return complain(command, "given twice:", table[i].name);
        seen[i] = true;
        bool ok =
            is_option(given) ? take_option(command, &table[i], argc, argv, &at) : store(command, &table[i], given);
        if (!ok)
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!seen[i] && (table[i].is_required || !is_option(table[i].name)))
            return complain(command, "missing:", table[i].name);
    }
    return true;
}

int *arguments_parse_fds(const char *list, size_t *count)
{
    int *fds = NULL;
    *count = 0;
    for (const char *at = list; *at;) {
        char *end;
        errno = 0;
        long fd = strtol(at, &end, 10);
        if (end == at || fd < 0 || fd > INT_MAX || errno != 0 || (*end && *end != ',') || (*end == ',' && !end[1])) {
            free(fds);
            *count = 0;
            return NULL;
        }
        fds = mem_grow_array(fds, *count + 1, sizeof *fds);
        fds[(*count)++] = (int)fd;
        at = *end ? end + 1 : end;
    }
    return fds;
}
