/* clock: the only place that asks for the time. Monotonic time is for durations and deadlines, wall time for people.
 * Tests and the simulator may replace the monotonic clock; do it before threads start. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_us(void);  /* monotonic */
int64_t clock_now_ms(void);  /* monotonic */
int64_t clock_wall_us(void); /* since 1970, UTC */

/* "2026-11-22T21:36:29.825Z"; out has room for 32 bytes. */
void clock_format_wall(int64_t wall_us, char out[32]);

/* Freezes the monotonic clock at now_us until the next call; a negative value gives the real one back. */
void clock_set_fake(int64_t now_us);

#endif
