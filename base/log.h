/* log: one line per event to stderr: time, level, process, text. Control characters in the text are escaped, so that
 * a hostile container name cannot forge a line. A line is one write(2), cut at 4 KiB. Any thread. Not for the request
 * path: the access log is proxy/log/access_log.h. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Call once at process start, before threads. role (borrowed, static) names the process in each line: "control". */
void log_init(const char *role, enum log_level level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
