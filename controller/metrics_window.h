/* metrics_window: the last seconds of one service's traffic: differences between readings of counters that only grow,
 * oldest first, as the scaling policies and the status want them. A counter that became smaller was restarted and
 * counts from zero; a reading that failed leaves a gap, and what lies before a gap is forgotten. Control thread only.
 * Heap: about 20 KiB, owned by the caller. Times are monotonic milliseconds. */
#ifndef CONTROLLER_METRICS_WINDOW_H
#define CONTROLLER_METRICS_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/policy/policy.h"
#include "controller/traffic.h"

#define METRICS_WINDOW_SAMPLES 16     /* four seconds at four readings a second */
#define METRICS_WINDOW_STATUS_MS 2000 /* what rate, in-flight and p99 look back on */
#define METRICS_WINDOW_GAP_MS 1000    /* readings further apart than this do not belong together */

struct metrics_window;

struct metrics_window *metrics_window_new(void);
void metrics_window_free(struct metrics_window *w);

/* One reading. The first one after a gap is only a starting point. */
void metrics_window_add(struct metrics_window *w, int64_t now_ms, const struct service_traffic *reading);
/* A reading that would be the last one again, with nothing in flight in either, for a hundredth of the work. False:
 * nothing was added, a whole reading is wanted. */
bool metrics_window_add_quiet(struct metrics_window *w, const struct service_load *load, int64_t now_ms);
void metrics_window_add_gap(struct metrics_window *w); /* the data plane had no answer, or no fresh one */

/* Oldest first; valid until the next add. */
const struct load_sample *metrics_window_samples(const struct metrics_window *w, size_t *count);

/* At least a second of unbroken samples, the newest at most a second old. Without it the three below mean nothing. */
bool metrics_window_is_warm(const struct metrics_window *w, int64_t now_ms);
double metrics_window_rate(const struct metrics_window *w);      /* finished requests per second */
double metrics_window_in_flight(const struct metrics_window *w); /* mean */
double metrics_window_p99_ms(const struct metrics_window *w);    /* 0 when no request ended */

#endif
