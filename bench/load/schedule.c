#include "bench/load/schedule.h"

#include <math.h>

/* In (0, 1]. The mixer is splitmix64 (Steele, Lea, Flood 2014), which is fine for any seed. */
static double random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)(((z ^ (z >> 31)) >> 11) + 1) * 0x1p-53;
}

static double piece_count_of(const struct schedule_piece *p)
{
    return p->from_per_s + p->to_per_s > 0 ? (p->from_per_s + p->to_per_s) / 2 * p->duration_s : 0;
}

/* Seconds from the start of the piece until the integral of its rate is count. */
static double piece_time_of(const struct schedule_piece *p, double count)
{
    double slope = p->to_per_s == p->from_per_s ? 0 : (p->to_per_s - p->from_per_s) / p->duration_s;
    double root = sqrt(fmax(p->from_per_s * p->from_per_s + 2 * slope * count, 0));
    return count > 0 ? 2 * count / (p->from_per_s + root) : 0; /* the form that does not cancel, whatever the slope */
}

static void step(struct schedule *s)
{
    s->wanted_count += s->plan->is_poisson ? -log(random_next(&s->random)) : 1;
    s->given_count++;
}

/* Puts the walk into the piece that holds the next arrival. */
static bool find_piece(struct schedule *s)
{
    for (; s->piece < s->plan->piece_count; s->piece++) {
        const struct schedule_piece *p = &s->plan->pieces[s->piece];
        double count = piece_count_of(p);
        /* What rounding adds to a sum of many pieces is not to be an arrival. */
        if (s->wanted_count < (s->piece_at_count + count) * (1 - 1e-12))
            return true;
        s->piece_at_s += p->duration_s;
        s->piece_at_count += count;
    }
    return false;
}

void schedule_init(struct schedule *s, const struct schedule_plan *plan, unsigned first, unsigned stride)
{
    *s = (struct schedule){ .plan = plan, .stride = stride, .random = plan->seed };
    if (plan->is_poisson)
        s->wanted_count = -log(random_next(&s->random));
    for (unsigned i = 0; i < first; i++)
        step(s);
}

bool schedule_next(struct schedule *s, int64_t *due_us)
{
    if ((s->plan->requests_max > 0 && s->given_count >= s->plan->requests_max) || !find_piece(s))
        return false;
    double at_s = s->piece_at_s + piece_time_of(&s->plan->pieces[s->piece], s->wanted_count - s->piece_at_count);
    *due_us = llround(at_s * 1e6);
    for (unsigned i = 0; i < s->stride; i++)
        step(s);
    return true;
}

int64_t schedule_plan_count(const struct schedule_plan *plan)
{
    struct schedule walk;
    int64_t due_us, count = 0;
    schedule_init(&walk, plan, 0, 1);
    while (schedule_next(&walk, &due_us))
        count++;
    return count;
}

double schedule_plan_duration_s(const struct schedule_plan *plan)
{
    double duration_s = 0;
    for (size_t i = 0; i < plan->piece_count; i++)
        duration_s += plan->pieces[i].duration_s;
    return duration_s;
}
