#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 4096

static const char *log_role = "portico";
static enum log_level log_limit = LOG_LEVEL_INFO;
static const char *const level_names[] = { "ERROR", "WARN", "INFO", "DEBUG" };

void log_init(const char *role, enum log_level level)
{
    log_role = role;
    log_limit = level;
}

static size_t put_time(char *out, size_t size)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
    return used + (size_t)snprintf(out + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

/* Copies text with control characters as \xNN; stops short of size, leaving room for the newline. */
static size_t put_escaped(char *out, size_t size, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;
    for (; *text && used + 5 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f) {
            out[used++] = (char)c;
            continue;
        }
        out[used++] = '\\';
        out[used++] = 'x';
        out[used++] = hex[c >> 4];
        out[used++] = hex[c & 15];
    }
    return used;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level > log_limit)
        return;
    char text[LOG_LINE_BYTES], line[LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);

    size_t used = put_time(line, sizeof line);
    used +=
        (size_t)snprintf(line + used, sizeof line - used, " %-5s %s[%d] ", level_names[level], log_role, (int)getpid());
    used += put_escaped(line + used, sizeof line - used, text);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0)
        return; /* nowhere left to report it */
}
