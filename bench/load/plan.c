#include "bench/load/plan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "bench/load/amount.h"

#define TRACE_BYTES_MAX (256u << 20)

static bool read_file(const char *path, struct buf *out, struct error *error)
{
    char block[65536];
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set_errno(error, "--trace %s", path);
    bool is_good = true;
    for (size_t n; is_good && (n = fread(block, 1, sizeof block, file)) > 0;)
        is_good =
            buf_append(out, block, n) || error_set(error, "--trace %s: larger than %u bytes", path, TRACE_BYTES_MAX);
    if (is_good && ferror(file))
        is_good = error_set_errno(error, "--trace %s", path);
    fclose(file);
    return is_good;
}

static bool make_trace(struct plan *plan, const struct options *o, struct error *error)
{
    struct buf text;
    struct error why;
    double cut_s = o->duration_us > 0 ? (double)o->duration_us / 1e6 : INFINITY;
    buf_init(&text, TRACE_BYTES_MAX);
    bool is_good = read_file(o->trace_path, &text, error);
    if (is_good && !amount_parse_trace((struct slice){ text.at, text.len }, o->speed_up, o->scale, cut_s,
                                       &plan->schedule.pieces, &plan->schedule.piece_count, &why))
        is_good = error_set(error, "--trace %s: %.300s", o->trace_path, why.text);
    buf_fini(&text);
    return is_good;
}

static void make_rate(struct plan *plan, const struct options *o)
{
    plan->schedule.pieces = mem_alloc(sizeof *plan->schedule.pieces);
    plan->schedule.piece_count = 1;
    plan->schedule.pieces[0] = (struct schedule_piece){
        .duration_s = o->duration_us > 0 ? (double)o->duration_us / 1e6 : INFINITY,
        .from_per_s = o->rate_per_s,
        .to_per_s = o->rate_per_s,
    };
}

static bool make_pieces(struct plan *plan, const struct options *o, struct error *error)
{
    switch (o->load) {
    case LOAD_CLOSED:
        break;
    case LOAD_RATE:
        make_rate(plan, o);
        break;
    case LOAD_TRACE:
        return make_trace(plan, o, error);
    case LOAD_RAMP:
        return amount_parse_ramp(o->ramp, &plan->schedule.pieces, &plan->schedule.piece_count) ||
               error_set(error, "--ramp: not FROM:TO:TIME such as 100:1000:30s: '%s'", o->ramp);
    case LOAD_STEPS:
        return amount_parse_steps(o->steps, &plan->schedule.pieces, &plan->schedule.piece_count) ||
               error_set(error, "--steps: not RATExTIME,... such as 100x10s,500x20s: '%s'", o->steps);
    }
    return true;
}

static void describe(struct plan *plan, const struct options *o)
{
    struct buf text;
    buf_init(&text, 0);
    switch (o->load) {
    case LOAD_CLOSED:
        buf_printf(&text, "closed loop");
        break;
    case LOAD_RATE:
        buf_printf(&text, "rate %g", o->rate_per_s);
        break;
    case LOAD_RAMP:
        buf_printf(&text, "ramp %s", o->ramp);
        break;
    case LOAD_STEPS:
        buf_printf(&text, "steps %s", o->steps);
        break;
    case LOAD_TRACE:
        buf_printf(&text, "trace %s, %g lines a second, rates x %g", o->trace_path, o->speed_up, o->scale);
        break;
    }
    if (isfinite(plan->duration_s))
        buf_printf(&text, " for %g s", plan->duration_s);
    if (o->requests_max > 0)
        buf_printf(&text, ", %lld requests", (long long)o->requests_max);
    if (o->load != LOAD_CLOSED)
        buf_printf(&text, ", %s", o->is_poisson ? "poisson" : "even");
    plan->text = mem_strdup(buf_text(&text));
    buf_fini(&text);
}

bool plan_make(struct plan *plan, const struct options *o, struct error *error)
{
    *plan = (struct plan){ .planned_count = -1 };
    plan->schedule.is_poisson = o->is_poisson;
    plan->schedule.seed = (uint64_t)o->seed;
    plan->schedule.requests_max = o->requests_max;
    if (!make_pieces(plan, o, error))
        return false;
    if (o->load == LOAD_CLOSED) {
        plan->duration_s = o->duration_us > 0 ? (double)o->duration_us / 1e6 : INFINITY;
        if (o->requests_max > 0 && o->duration_us == 0)
            plan->planned_count = o->requests_max;
    } else {
        plan->duration_s = schedule_plan_duration_s(&plan->schedule);
        plan->planned_count = schedule_plan_count(&plan->schedule);
        if (plan->planned_count == 0)
            return error_set(error, "no request would be due in that time");
    }
    describe(plan, o);
    return true;
}

void plan_fini(struct plan *plan)
{
    free(plan->schedule.pieces);
    free(plan->text);
    *plan = (struct plan){ 0 };
}
