#include "bench/load/report.h"

#include <inttypes.h>
#include <math.h>

static const double PERCENTILES[] = { 50, 75, 90, 95, 99, 99.9, 99.99, 100 };

static void print_latency_row(FILE *out, const char *name, int64_t from_due_us, int64_t from_sent_us,
                              int64_t lateness_us, bool is_closed)
{
    if (is_closed)
        fprintf(out, "  %-8s %16s %13.3f ms %16s\n", name, "-", (double)from_sent_us / 1e3, "-");
    else
        fprintf(out, "  %-8s %13.3f ms %13.3f ms %13.3f ms\n", name, (double)from_due_us / 1e3,
                (double)from_sent_us / 1e3, (double)lateness_us / 1e3);
}

static void print_latencies(const struct run *run, FILE *out)
{
    const struct tally *t = run->tally;
    bool is_closed = run->options->load == LOAD_CLOSED;
    char name[16];
    fprintf(out, "latency    %16s %16s %16s\n", "since due", "since sent", "own lateness");
    for (size_t i = 0; i < sizeof PERCENTILES / sizeof PERCENTILES[0]; i++) {
        double part = PERCENTILES[i] / 100;
        snprintf(name, sizeof name, "p%g", PERCENTILES[i]);
        print_latency_row(out, part == 1 ? "max" : name, hdr_quantile_us(&t->from_intended, part),
                          hdr_quantile_us(&t->from_sent, part), hdr_quantile_us(&t->lateness, part), is_closed);
    }
    print_latency_row(out, "mean", llround(hdr_mean_us(&t->from_intended)), llround(hdr_mean_us(&t->from_sent)),
                      llround(hdr_mean_us(&t->lateness)), is_closed);
}

static void print_errors(const struct tally *t, FILE *out)
{
    fprintf(out, "errors    ");
    for (int f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++)
        if (t->failures[f] > 0)
            fprintf(out, " %s %" PRIu64, failure_to_str(f), t->failures[f]);
    if (t->failed > 0)
        fprintf(out, "; the first: %s\n", t->first_failure);
    else
        fprintf(out, " none\n");
}

void report_print(const struct run *run, FILE *out)
{
    const struct options *o = run->options;
    const struct tally *t = run->tally;
    fprintf(out, "%s %s (%s): %s; %" PRId64 " connection%s%s, %" PRId64 " thread%s\n", o->method, o->url_text,
            run->address.text, run->plan.text, o->connections, o->connections == 1 ? "" : "s",
            o->one_per_connection ? " at most, one request each" : "", o->threads, o->threads == 1 ? "" : "s");
    fprintf(out,
            "requests   %" PRIu64 " due, %" PRIu64 " sent, %" PRIu64 " ok, %" PRIu64 " failed in %.2f s: %.1f ok/s\n",
            t->scheduled, t->sent, t->ok, t->failed, run->elapsed_s, (double)t->ok / run->elapsed_s);
    fprintf(out, "transfer   %.2f MB sent, %.2f MB received, %" PRIu64 " connections opened\n",
            (double)t->sent_bytes / 1e6, (double)t->received_bytes / 1e6, t->connections_opened);
    print_latencies(run, out);
    print_errors(t, out);
    for (int i = 0; i < run->verdict.reason_count; i++)
        fprintf(out, "INVALID    %s\n", run->verdict.reasons[i]);
    if (run->verdict.reason_count == 0)
        fprintf(out, "valid\n");
}
