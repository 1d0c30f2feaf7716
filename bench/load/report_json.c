#include "bench/load/report_json.h"

#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"

#define FORMAT_VERSION 1

/* Percentile 0, 1, ..., 99, then ever finer, then 100. */
static const double TAIL[] = {
    99.1, 99.2, 99.3, 99.4, 99.5, 99.6, 99.7, 99.8, 99.9, 99.95, 99.99, 99.995, 99.999, 100
};
static const struct {
    const char *name;
    double quantile;
} NAMED[] = { { "p50", 0.5 },  { "p75", 0.75 },    { "p90", 0.9 },      { "p95", 0.95 },
              { "p99", 0.99 }, { "p99_9", 0.999 }, { "p99_99", 0.9999 } };

/* To three digits behind the point: more would be noise. */
static json_t *real(double value)
{
    return json_real(round(value * 1000) / 1000);
}

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *percentiles_of(const struct hdr *h)
{
    json_t *list = json_array();
    if (h->count == 0)
        return list;
    for (int i = 0; i < 100; i++)
        json_array_append_new(list, json_pack("[i, I]", i, (json_int_t)hdr_quantile_us(h, i / 100.0)));
    for (size_t i = 0; i < sizeof TAIL / sizeof TAIL[0]; i++)
        json_array_append_new(list, json_pack("[f, I]", TAIL[i], (json_int_t)hdr_quantile_us(h, TAIL[i] / 100)));
    return list;
}

static json_t *buckets_of(const struct hdr *h)
{
    json_t *list = json_array();
    for (uint32_t i = h->bucket_first; i < h->bucket_end; i++)
        if (h->buckets[i] > 0)
            json_array_append_new(list,
                                  json_pack("[I, I]", (json_int_t)hdr_bucket_upper_us(i), (json_int_t)h->buckets[i]));
    return list;
}

static json_t *latency_of(const struct hdr *h)
{
    json_t *o = json_object();
    json_object_set_new(o, "count", integer(h->count));
    json_object_set_new(o, "min", json_integer(h->min_us));
    json_object_set_new(o, "mean", real(hdr_mean_us(h)));
    json_object_set_new(o, "max", json_integer(h->max_us));
    for (size_t i = 0; i < sizeof NAMED / sizeof NAMED[0]; i++)
        json_object_set_new(o, NAMED[i].name, json_integer(hdr_quantile_us(h, NAMED[i].quantile)));
    json_object_set_new(o, "percentiles", percentiles_of(h));
    json_object_set_new(o, "buckets", buckets_of(h));
    return o;
}

static void add_what(json_t *root, const struct run *run)
{
    const struct options *o = run->options;
    char started_at[32];
    clock_format_wall(run->started_wall_us, started_at);
    json_object_set_new(root, "version", json_integer(FORMAT_VERSION));
    json_object_set_new(root, "tool", json_string("portico-bench " PORTICO_VERSION));
    json_object_set_new(root, "url", json_string(o->url_text));
    json_object_set_new(root, "address", json_string(run->address.text));
    json_object_set_new(root, "method", json_string(o->method));
    json_object_set_new(root, "body_bytes", json_integer(o->body_bytes));
    json_object_set_new(root, "mode", json_string(o->load == LOAD_CLOSED ? "closed" : "open"));
    json_object_set_new(root, "load", json_string(run->plan.text));
    json_object_set_new(root, "threads", json_integer(o->threads));
    json_object_set_new(root, "connections", json_integer(o->connections));
    json_object_set_new(root, "one_per_connection", json_boolean(o->one_per_connection));
    json_object_set_new(root, "timeout_us", json_integer(o->timeout_us));
    json_object_set_new(root, "started_at", json_string(started_at));
    json_object_set_new(root, "elapsed_s", json_real(run->elapsed_s));
}

static void add_verdict(json_t *root, const struct verdict *v)
{
    json_t *reasons = json_array();
    for (int i = 0; i < v->reason_count; i++)
        json_array_append_new(reasons, json_string(v->reasons[i]));
    json_object_set_new(root, "valid", json_boolean(v->reason_count == 0));
    json_object_set_new(root, "invalid_reasons", reasons);
}

/* The schedule's own time; where it has no end of its own, that of the run. */
static double offered_s(const struct run *run)
{
    bool has_end = run->options->load != LOAD_CLOSED && isfinite(run->plan.duration_s);
    return has_end ? run->plan.duration_s : run->elapsed_s;
}

static void add_counts(json_t *root, const struct run *run)
{
    const struct tally *t = run->tally;
    json_t *requests = json_object();
    int64_t planned = run->plan.planned_count;
    json_object_set_new(requests, "planned", planned < 0 ? json_null() : json_integer(planned));
    json_object_set_new(requests, "scheduled", integer(t->scheduled));
    json_object_set_new(requests, "sent", integer(t->sent));
    json_object_set_new(requests, "ok", integer(t->ok));
    json_object_set_new(requests, "failed", integer(t->failed));
    json_object_set_new(root, "requests", requests);
    json_object_set_new(root, "offered_per_s", real((double)t->scheduled / offered_s(run)));
    json_object_set_new(root, "ok_per_s", real((double)t->ok / run->elapsed_s));
}

static void add_errors(json_t *root, const struct tally *t)
{
    json_t *errors = json_object(), *statuses = json_object();
    char status[16];
    for (int f = FAILURE_NONE + 1; f < FAILURE_COUNT; f++)
        json_object_set_new(errors, failure_to_str(f), integer(t->failures[f]));
    for (int s = 1; s <= EXPECTATION_STATUS_MAX; s++) {
        if (t->statuses[s] == 0)
            continue;
        snprintf(status, sizeof status, "%d", s);
        json_object_set_new(statuses, status, integer(t->statuses[s]));
    }
    json_object_set_new(root, "errors", errors);
    json_object_set_new(root, "first_error", t->first_failure[0] ? json_string(t->first_failure) : json_null());
    json_object_set_new(root, "statuses", statuses);
    json_object_set_new(root, "connections_opened", integer(t->connections_opened));
    json_object_set_new(root, "sent_bytes", integer(t->sent_bytes));
    json_object_set_new(root, "received_bytes", integer(t->received_bytes));
}

static json_t *seconds_of(const struct run *run)
{
    json_t *list = json_array();
    size_t count;
    const struct series_row *rows = series_rows(run->series, &count);
    for (size_t i = 0; i < count; i++) {
        const struct series_row *r = &rows[i];
        json_t *row = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "second", (json_int_t)i, "offered",
                                (json_int_t)r->offered, "sent", (json_int_t)r->sent, "ok", (json_int_t)r->ok, "failed",
                                (json_int_t)r->failed, "p50_us", (json_int_t)r->p50_us, "p99_us", (json_int_t)r->p99_us,
                                "max_us", (json_int_t)r->max_us);
        json_array_append_new(list, row);
    }
    return list;
}

json_t *report_json_new(const struct run *run)
{
    const struct tally *t = run->tally;
    bool is_closed = run->options->load == LOAD_CLOSED;
    json_t *root = json_object();
    check(root != NULL);
    add_what(root, run);
    add_verdict(root, &run->verdict);
    add_counts(root, run);
    add_errors(root, t);
    json_object_set_new(root, "latency_from_intended_us", is_closed ? json_null() : latency_of(&t->from_intended));
    json_object_set_new(root, "latency_from_sent_us", latency_of(&t->from_sent));
    json_object_set_new(root, "lateness_us", is_closed ? json_null() : latency_of(&t->lateness));
    json_object_set_new(root, "seconds", seconds_of(run));
    return root;
}
