#include "controller/metrics_window.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LATENCY_SLOTS 8 /* two seconds of histogram differences */

struct latency_slot {
    bool has_counts;
    uint32_t buckets[HISTOGRAM_BUCKET_COUNT];
};

struct metrics_window {
    bool has_last; /* `last` is a reading to take differences from */
    int64_t last_at_ms;
    struct service_traffic last;
    /* Oldest first, from `sample_first` on: moved to the front once in a window, and not for each that leaves. */
    struct load_sample samples[2 * METRICS_WINDOW_SAMPLES];
    size_t sample_first, sample_count;
    struct latency_slot latency[LATENCY_SLOTS]; /* ring */
    size_t latency_next, latency_filled;
    struct histogram latency_sum; /* of all slots */
};

struct metrics_window *metrics_window_new(void)
{
    return mem_alloc(sizeof(struct metrics_window));
}

void metrics_window_free(struct metrics_window *w)
{
    free(w);
}

static void forget_samples(struct metrics_window *w)
{
    if (w->sample_count == 0)
        return;
    w->sample_first = w->sample_count = w->latency_filled = 0;
    memset(w->latency, 0, sizeof w->latency);
    memset(&w->latency_sum, 0, sizeof w->latency_sum);
}

void metrics_window_add_gap(struct metrics_window *w)
{
    w->has_last = false;
    forget_samples(w);
}

/* The sum is kept by adding the newest difference and taking away the one that leaves. */
static void add_latency(struct metrics_window *w, const struct histogram *now, const struct histogram *before)
{
    struct latency_slot *slot = &w->latency[w->latency_next];
    w->latency_filled -= slot->has_counts;
    slot->has_counts = false;
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        uint64_t grown = now->buckets[i] > before->buckets[i] ? now->buckets[i] - before->buckets[i] : 0;
        uint32_t count = grown > UINT32_MAX ? UINT32_MAX : (uint32_t)grown;
        w->latency_sum.buckets[i] += count;
        w->latency_sum.buckets[i] -= slot->buckets[i];
        slot->buckets[i] = count;
        slot->has_counts |= count > 0;
    }
    w->latency_filled += slot->has_counts;
    w->latency_next = (w->latency_next + 1) % LATENCY_SLOTS;
}

static void add_no_latency(struct metrics_window *w)
{
    if (w->latency[w->latency_next].has_counts)
        add_latency(w, &w->last.latency, &w->last.latency);
    else
        w->latency_next = (w->latency_next + 1) % LATENCY_SLOTS;
}

static void push_sample(struct metrics_window *w, const struct load_sample *sample)
{
    if (w->sample_count == METRICS_WINDOW_SAMPLES) {
        w->sample_first++;
        w->sample_count--;
    }
    if (w->sample_first + w->sample_count == 2 * METRICS_WINDOW_SAMPLES) {
        memcpy(&w->samples[0], &w->samples[w->sample_first], w->sample_count * sizeof w->samples[0]);
        w->sample_first = 0;
    }
    w->samples[w->sample_first + w->sample_count++] = *sample;
}

/* After its latencies were added. */
static void add_sample(struct metrics_window *w, int64_t now_ms, double finished, double in_flight_before,
                       double in_flight)
{
    struct load_sample sample = {
        .at_ms = now_ms,
        .span_ms = now_ms - w->last_at_ms,
        .finished = finished,
        .arrived = finished + in_flight - in_flight_before,
        .in_flight = in_flight,
    };
    if (w->latency_filled > 0) {
        sample.latency_count = (double)histogram_count(&w->latency_sum);
        sample.latency_p99_ms = (double)histogram_quantile_us(&w->latency_sum, 0.99) / 1000;
    }
    push_sample(w, &sample);
}

static bool is_gap(const struct metrics_window *w, int64_t now_ms)
{
    return now_ms <= w->last_at_ms || now_ms - w->last_at_ms > METRICS_WINDOW_GAP_MS;
}

void metrics_window_add(struct metrics_window *w, int64_t now_ms, const struct service_traffic *reading)
{
    static const struct service_traffic zero;
    if (w->has_last && is_gap(w, now_ms))
        metrics_window_add_gap(w);
    if (w->has_last) {
        const struct service_traffic *before = reading->requests < w->last.requests ? &zero : &w->last;
        add_latency(w, &reading->latency, &before->latency);
        add_sample(w, now_ms, (double)(reading->requests - before->requests), (double)before->in_flight,
                   (double)reading->in_flight);
    }
    w->last = *reading;
    w->last_at_ms = now_ms;
    w->has_last = true;
}

bool metrics_window_add_quiet(struct metrics_window *w, const struct service_load *load, int64_t now_ms)
{
    const struct service_traffic *last = &w->last;
    if (!w->has_last || is_gap(w, now_ms) || last->in_flight != 0 || load->in_flight != 0 ||
        load->requests != last->requests || load->no_endpoint != last->no_endpoint)
        return false;
    add_no_latency(w);
    add_sample(w, now_ms, 0, 0, 0);
    w->last_at_ms = now_ms;
    return true;
}

const struct load_sample *metrics_window_samples(const struct metrics_window *w, size_t *count)
{
    *count = w->sample_count;
    return &w->samples[w->sample_first];
}

static const struct load_sample *sample_at(const struct metrics_window *w, size_t place)
{
    return &w->samples[w->sample_first + place];
}

/* Samples follow each other without a hole by construction. */
static int64_t span_of(const struct metrics_window *w, size_t *first)
{
    int64_t span_ms = 0;
    size_t i = w->sample_count;
    while (i > 0 && span_ms < METRICS_WINDOW_STATUS_MS)
        span_ms += sample_at(w, --i)->span_ms;
    *first = i;
    return span_ms;
}

bool metrics_window_is_warm(const struct metrics_window *w, int64_t now_ms)
{
    size_t first;
    return w->sample_count > 0 && span_of(w, &first) >= POLICY_OUT_WINDOW_MS * 3 / 4 &&
           now_ms - sample_at(w, w->sample_count - 1)->at_ms <= POLICY_STALE_MS;
}

double metrics_window_rate(const struct metrics_window *w)
{
    size_t first;
    int64_t span_ms = span_of(w, &first);
    double finished = 0;
    for (size_t i = first; i < w->sample_count; i++)
        finished += sample_at(w, i)->finished;
    return span_ms > 0 ? finished * 1000 / (double)span_ms : 0;
}

double metrics_window_in_flight(const struct metrics_window *w)
{
    size_t first;
    int64_t span_ms = span_of(w, &first);
    double in_flight_ms = 0;
    for (size_t i = first; i < w->sample_count; i++)
        in_flight_ms += sample_at(w, i)->in_flight * (double)sample_at(w, i)->span_ms;
    return span_ms > 0 ? in_flight_ms / (double)span_ms : 0;
}

double metrics_window_p99_ms(const struct metrics_window *w)
{
    return w->sample_count > 0 ? sample_at(w, w->sample_count - 1)->latency_p99_ms : 0;
}
