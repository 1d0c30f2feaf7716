#include "bench/load/run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bench/load/generator.h"

#define START_DELAY_US 20000 /* until all threads wait for the same moment */
#define FILES_BESIDE 64      /* descriptors that are no connections */

struct load_thread {
    pthread_t thread;
    struct generator *generator;
    pthread_barrier_t *connected, *start_known;
    const int64_t *start_us;
};

static void *thread_main(void *arg)
{
    struct load_thread *t = arg;
    generator_connect(t->generator);
    pthread_barrier_wait(t->connected);
    pthread_barrier_wait(t->start_known);
    generator_run(t->generator, *t->start_us);
    return NULL;
}

static bool raise_file_limit(int64_t connections, struct error *error)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set_errno(error, "limit of descriptors");
    if (limit.rlim_cur < wanted && wanted <= limit.rlim_max) {
        limit.rlim_cur = wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return wanted <= limit.rlim_max ||
           error_set(error, "%lld connections need %llu descriptors, and %llu is the limit", (long long)connections,
                     (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
}

static struct generator_setup setup_of(const struct run *run, const struct options *o, const struct plan *plan,
                                       struct series *series, unsigned index)
{
    return (struct generator_setup){ .options = o,
                                     .plan = plan,
                                     .address = &run->address,
                                     .request = { run->request.at, run->request.len },
                                     .series = series,
                                     .stop_flag = &run->stop_flag,
                                     .index = index };
}

/* One request before the first: a target that is not there, or speaks another language, is no measurement. What status
 * it answers with does not matter here. */
static bool probe(struct run *run, struct error *error)
{
    struct options o = *run->options;
    struct plan plan = { .planned_count = 1 };
    o.load = LOAD_CLOSED;
    o.requests_max = o.connections = o.threads = 1;
    o.duration_us = 0;
    struct series *series = series_new(1);
    struct generator_setup setup = setup_of(run, &o, &plan, series, 0);
    struct generator *g = generator_new(&setup);
    generator_run(g, clock_now_us());
    const struct tally *t = generator_tally(g);
    bool is_usable = t->ok > 0;
    for (int f = FAILURE_STATUS_1XX; f <= FAILURE_STATUS_5XX; f++)
        is_usable |= t->failures[f] > 0;
    is_usable |= t->failures[FAILURE_WRONG_BODY] > 0;
    if (!is_usable)
        error_set(error, "%s does not answer: %s", run->address.text, t->first_failure);
    generator_free(g);
    series_free(series);
    return is_usable;
}

static void print_live_line(const struct run *run, size_t second, const struct series_row *row)
{
    (void)run;
    fprintf(stderr, "%4zu s  offered %llu  sent %llu  ok %llu/s  p50 %.3f ms  p99 %.3f ms  errors %llu\n", second + 1,
            (unsigned long long)row->offered, (unsigned long long)row->sent, (unsigned long long)row->ok,
            (double)row->p50_us / 1e3, (double)row->p99_us / 1e3, (unsigned long long)row->failed);
}

static void follow(struct run *run)
{
    const struct series_row *row;
    for (size_t second = 0; (row = series_wait_row(run->series)); second++)
        if (!run->options->is_quiet)
            print_live_line(run, second, row);
}

static void run_threads(struct run *run, struct load_thread *threads, unsigned count)
{
    pthread_barrier_t connected, start_known;
    int64_t start_us;
    pthread_barrier_init(&connected, NULL, count + 1);
    pthread_barrier_init(&start_known, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        struct load_thread *t = &threads[i];
        struct generator_setup setup = setup_of(run, run->options, &run->plan, run->series, i);
        t->generator = generator_new(&setup);
        t->connected = &connected;
        t->start_known = &start_known;
        t->start_us = &start_us;
        check(pthread_create(&t->thread, NULL, thread_main, t) == 0);
    }
    pthread_barrier_wait(&connected);
    start_us = clock_now_us() + START_DELAY_US;
    run->started_wall_us = clock_wall_us() + START_DELAY_US;
    pthread_barrier_wait(&start_known);
    follow(run);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i].thread, NULL);
    pthread_barrier_destroy(&connected);
    pthread_barrier_destroy(&start_known);
}

static void judge(struct run *run)
{
    const struct verdict_facts facts = {
        .is_closed = run->options->load == LOAD_CLOSED,
        .was_interrupted = __atomic_load_n(&run->stop_flag, __ATOMIC_RELAXED) != 0,
        .planned = run->plan.planned_count,
        .scheduled = run->tally->scheduled,
        .lateness_p99_us = hdr_quantile_us(&run->tally->lateness, 0.99),
        .latency_p50_us = hdr_quantile_us(&run->tally->from_sent, 0.5),
    };
    verdict_decide(&run->verdict, &facts);
}

bool run_prepare(struct run *run, const struct options *o, struct error *error)
{
    const struct target_request request = { .method = o->method,
                                            .fields = o->fields,
                                            .field_count = o->field_count,
                                            .body_bytes = (size_t)o->body_bytes,
                                            .closes = o->one_per_connection };
    *run = (struct run){ .options = o };
    buf_init(&run->request, 0);
    run->tally = mem_alloc(sizeof *run->tally);
    run->series = series_new((unsigned)o->threads);
    return target_write_request(&o->url, &request, &run->request, error) && plan_make(&run->plan, o, error);
}

bool run_measure(struct run *run, struct error *error)
{
    struct load_thread threads[OPTIONS_THREADS_MAX] = { 0 };
    unsigned count = (unsigned)run->options->threads;
    if (!target_resolve(&run->options->url, &run->address, error) ||
        !raise_file_limit(run->options->connections, error) || (!run->options->skips_probe && !probe(run, error)))
        return false;
    run_threads(run, threads, count);
    for (unsigned i = 0; i < count; i++) {
        tally_merge(run->tally, generator_tally(threads[i].generator));
        generator_free(threads[i].generator);
    }
    run->elapsed_s = (double)run->tally->last_answer_us / 1e6;
    judge(run);
    return run->tally->ok > 0 || error_set(error, "none of %llu requests was answered as expected; the first: %s",
                                           (unsigned long long)run->tally->scheduled,
                                           run->tally->first_failure[0] ? run->tally->first_failure : "interrupted");
}

void run_fini(struct run *run)
{
    plan_fini(&run->plan);
    buf_fini(&run->request);
    free(run->tally);
    series_free(run->series);
}
