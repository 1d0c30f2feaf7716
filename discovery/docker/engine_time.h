/* engine_time: the times of the engine's JSON (RFC 3339). Pure; any thread. */
#ifndef DISCOVERY_DOCKER_ENGINE_TIME_H
#define DISCOVERY_DOCKER_ENGINE_TIME_H

#include <stdint.h>

/* "2026-11-22T21:50:00.5Z", "...+02:00" -> microseconds since 1970; 0 for what is no time, null, and the year 1 that
 * stands for "never". */
int64_t docker_time_parse_us(const char *text);

#endif
