/* amount: numbers, durations and arrivals as they are written on the command line and in a trace. Strict: the whole text
 * or nothing. Pure, any thread. */
#ifndef BENCH_LOAD_AMOUNT_H
#define BENCH_LOAD_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "bench/load/schedule.h"

#define AMOUNT_TIME_MAX_US (INT64_C(14) * 86400 * 1000000)

bool amount_parse_count(struct slice text, int64_t min, int64_t max, int64_t *value); /* digits only */
bool amount_parse_real(struct slice text, double min, double max, double *value);     /* digits, one point: "0.5" */
bool amount_parse_time(struct slice text, int64_t *value_us);                         /* "1.5s"; us ms s m h; > 0 */

/* Each sets *pieces and its count; the caller, who has set it to null before, frees it in any case. False: not that, or no
 * requests in it. */
bool amount_parse_ramp(const char *text, struct schedule_piece **pieces, size_t *count);  /* "100:1000:30s" */
bool amount_parse_steps(const char *text, struct schedule_piece **pieces, size_t *count); /* "100x10s,500x20s" */

/* A trace: lines that are the rate of one second each. Every piece lasts 1/speed_up seconds, at scale times its rate;
 * cut_s ends it earlier (INFINITY: not). error names the line. */
bool amount_parse_trace(struct slice text, double speed_up, double scale, double cut_s, struct schedule_piece **pieces,
                        size_t *count, struct error *error);

#endif
