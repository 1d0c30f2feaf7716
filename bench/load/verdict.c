#include "bench/load/verdict.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void add_reason(struct verdict *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->reasons[v->reason_count++], sizeof v->reasons[0], format, args);
    va_end(args);
}

int64_t verdict_lateness_limit_us(int64_t latency_p50_us)
{
    int64_t limit_us = VERDICT_LATENESS_BASE_US + (int64_t)(VERDICT_LATENESS_PART * (double)latency_p50_us);
    return limit_us < VERDICT_LATENESS_MAX_US ? limit_us : VERDICT_LATENESS_MAX_US;
}

void verdict_decide(struct verdict *v, const struct verdict_facts *facts)
{
    v->reason_count = 0;
    if (facts->was_interrupted)
        add_reason(v, "interrupted");
    if (facts->planned >= 0 && facts->scheduled != (uint64_t)facts->planned)
        add_reason(v, "%llu of %lld planned requests became due", (unsigned long long)facts->scheduled,
                   (long long)facts->planned);
    int64_t limit_us = verdict_lateness_limit_us(facts->latency_p50_us);
    if (!facts->is_closed && facts->lateness_p99_us > limit_us)
        add_reason(v, "this program was too slow: p99 of its own lateness is %.3f ms, the limit %.3f ms",
                   (double)facts->lateness_p99_us / 1e3, (double)limit_us / 1e3);
}
