#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Every balancer of BALANCER_LIST against one suite: what a worker relies on, whatever the strategy. */
#include "proxy/balance/shares.h"

#include "base/mem.h"
#include "tests/unit/base/random_source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 256
#define WORKERS 3

static const struct balancer_ops *const balancers[] = {
#define X(name) &balancer_##name,
    BALANCER_LIST(X)
#undef X
};
#define BALANCERS (sizeof balancers / sizeof *balancers)

/* A pool of endpoints and what all workers say about their loads. */
struct pool {
    struct endpoint_view views[SLOTS];
    struct endpoint_stats rows[WORKERS][SLOTS];
    struct load_table loads;
    struct shares *shares;
    uint64_t cursor, random;
};

static int set_up(void **state)
{
    struct pool *pool = aligned_alloc(64, (sizeof *pool + 63) & ~(size_t)63);
    assert_non_null(pool);
    memset(pool, 0, sizeof *pool);
    for (uint32_t i = 0; i < SLOTS; i++)
        pool->views[i] = (struct endpoint_view){ .slot = i, .weight = 1 };
    for (uint32_t w = 0; w < WORKERS; w++)
        pool->loads.by_worker[w] = pool->rows[w];
    pool->loads.worker_count = WORKERS;
    pool->random = 1;
    *state = pool;
    return 0;
}

static int tear_down(void **state)
{
    struct pool *pool = *state;
    shares_free(pool->shares);
    free(pool);
    return 0;
}

static void forget(struct pool *pool)
{
    memset(pool->rows, 0, sizeof pool->rows);
    pool->cursor = 0;
    pool->random = 1;
}

/* To be called when a weight or the count has changed. */
static void weigh(struct pool *pool, size_t count)
{
    shares_free(pool->shares);
    pool->shares = shares_new(pool->views, count);
}

static void set_weights(struct pool *pool, const uint32_t *weights, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pool->views[i].weight = weights[i];
    weigh(pool, count);
}

static size_t pick(const struct balancer_ops *balancer, struct pool *pool, size_t count)
{
    struct balancer_input input = { .views = pool->views,
                                    .count = count,
                                    .shares = pool->shares,
                                    .loads = &pool->loads,
                                    .random = random_next(&pool->random),
                                    .cursor = &pool->cursor };
    size_t index = balancer->pick(&input);
    if (index >= count)
        fail_msg("%s picked %zu of %zu", balancer->name, index, count);
    return index;
}

static bool is_load_aware(const struct balancer_ops *balancer)
{
    return balancer != &balancer_round_robin;
}

static void each_has_a_name_by_which_it_is_found(void **state)
{
    (void)state;
    size_t count = 0;
    const char *const *names = balancer_names(&count);
    assert_int_equal(count, BALANCERS);
    for (size_t i = 0; i < BALANCERS; i++) {
        assert_string_equal(balancers[i]->name, names[i]);
        assert_ptr_equal(balancer_find(names[i]), balancers[i]);
        assert_true(strlen(balancers[i]->summary) > 10);
    }
    assert_null(balancer_find("P2C"));
    assert_null(balancer_find(""));
}

static void the_index_is_in_range_for_any_pool_weights_and_loads(void **state)
{
    struct pool *pool = *state;
    for (size_t b = 0; b < BALANCERS; b++) {
        for (int round = 0; round < 20000; round++) {
            size_t count = 1 + random_below(&pool->random, SLOTS);
            struct endpoint_view *view = &pool->views[random_below(&pool->random, SLOTS)];
            view->weight = 1 + (uint32_t)random_below(&pool->random, 1000);
            pool->rows[round % WORKERS][view->slot].in_flight = random_next(&pool->random) >> 40;
            weigh(pool, count);
            pick(balancers[b], pool, count);
        }
    }
}

static void extreme_random_numbers_and_cursors_stay_in_range(void **state)
{
    struct pool *pool = *state;
    static const uint64_t extremes[] = { 0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX, UINT64_MAX - UINT32_MAX };
    for (size_t count = 1; count <= SLOTS; count++) {
        struct shares *unequal = NULL;
        if (count > 1) {
            pool->views[0].weight = 1;
            pool->views[count - 1].weight = 1000;
            unequal = shares_new(pool->views, count);
        }
        for (size_t b = 0; b < BALANCERS; b++) {
            for (size_t e = 0; e < sizeof extremes / sizeof *extremes; e++) {
                uint64_t cursor = extremes[e];
                struct balancer_input input = { pool->views, count, NULL, &pool->loads, extremes[e], &cursor };
                assert_in_range(balancers[b]->pick(&input), 0, count - 1);
                input.shares = unequal;
                assert_in_range(balancers[b]->pick(&input), 0, count - 1);
            }
        }
        shares_free(unequal);
    }
}

static void a_pool_of_one_is_no_choice(void **state)
{
    for (size_t b = 0; b < BALANCERS; b++) {
        for (int i = 0; i < 100; i++)
            assert_int_equal(pick(balancers[b], *state, 1), 0);
    }
}

static void a_pool_that_shrinks_and_grows_is_survived(void **state)
{
    struct pool *pool = *state;
    for (size_t b = 0; b < BALANCERS; b++) {
        forget(pool);
        for (size_t count = SLOTS; count > 0; count--) {
            for (int i = 0; i < 7; i++)
                pick(balancers[b], pool, count);
        }
        for (size_t count = 1; count <= SLOTS; count++)
            pick(balancers[b], pool, count);
    }
}

static void everyone_gets_something(void **state)
{
    struct pool *pool = *state;
    for (size_t b = 0; b < BALANCERS; b++) {
        uint64_t picks[32] = { 0 };
        forget(pool);
        for (int i = 0; i < 3200; i++)
            picks[pick(balancers[b], pool, 32)]++;
        for (int i = 0; i < 32; i++)
            assert_in_range(picks[i], 50, 200);
    }
}

#define PICKS 100000

/* Each request stays in flight for the next `held` picks, as under a steady load. */
static void run_load(const struct balancer_ops *balancer, struct pool *pool, size_t count, size_t held, uint64_t *picks)
{
    size_t window[64];
    assert_true(held <= 64);
    forget(pool);
    for (size_t i = 0; i < PICKS; i++) {
        if (held > 0 && i >= held)
            pool->rows[window[i % held] % WORKERS][window[i % held]].in_flight--;
        size_t picked = pick(balancer, pool, count);
        picks[picked]++;
        if (held > 0) {
            window[i % held] = picked;
            pool->rows[picked % WORKERS][picked].in_flight++;
        }
    }
}

static void check_shares(const struct balancer_ops *balancer, struct pool *pool, size_t count, size_t held)
{
    uint64_t picks[SLOTS] = { 0 }, sum = 0;
    run_load(balancer, pool, count, held, picks);
    for (size_t i = 0; i < count; i++)
        sum += pool->views[i].weight;
    for (size_t i = 0; i < count; i++) {
        uint64_t wanted = PICKS * (uint64_t)pool->views[i].weight / sum, off = PICKS / 50; /* 2 % of all requests */
        if (picks[i] > wanted + off || picks[i] + off < wanted)
            fail_msg("%s, %zu of %zu, %zu in flight: %lu requests for %lu", balancer->name, i, count, held,
                     (unsigned long)picks[i], (unsigned long)wanted);
    }
}

static void weights_are_shares_whatever_is_in_flight(void **state)
{
    static const uint32_t sets[][10] = { { 10, 9 },
                                         { 1, 1, 1, 1000 },
                                         { 1, 2, 2, 3 },
                                         { 1, 3 },
                                         { 1, 10 },
                                         { 5, 1, 1 },
                                         { 100, 100, 100, 1 },
                                         { 1000, 999, 1 },
                                         { 1, 1, 1, 1, 1, 1, 1, 1, 2 },
                                         { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 },
                                         { 7, 7, 7 } };
    static const size_t held[] = { 0, 1, 64 };
    for (size_t set = 0; set < sizeof sets / sizeof *sets; set++) {
        size_t count = 0;
        while (count < 10 && sets[set][count])
            count++;
        set_weights(*state, sets[set], count);
        for (size_t b = 0; b < BALANCERS; b++) {
            for (size_t h = 0; h < sizeof held / sizeof *held; h++)
                check_shares(balancers[b], *state, count, held[h]);
        }
    }
}

static void an_even_load_stays_even(void **state)
{
    struct pool *pool = *state;
    for (size_t b = 0; b < BALANCERS; b++) {
        uint64_t picks[10] = { 0 };
        run_load(balancers[b], pool, 10, 64, picks);
        for (int i = 0; i < 10; i++)
            assert_in_range(picks[i], PICKS / 10 * 9 / 10, PICKS / 10 * 11 / 10);
    }
}

static void load_aware_ones_prefer_the_less_loaded(void **state)
{
    struct pool *pool = *state;
    for (size_t b = 0; b < BALANCERS; b++) {
        uint64_t picks[8] = { 0 };
        forget(pool);
        for (uint32_t i = 0; i < 8; i++)
            pool->rows[i % WORKERS][i].in_flight = i == 5 ? 1 : 20; /* in another worker's row */
        for (int i = 0; i < 800; i++)
            picks[pick(balancers[b], pool, 8)]++;
        if (is_load_aware(balancers[b]))
            assert_in_range(picks[5], 180, 800);
        else
            assert_int_equal(picks[5], 100);
    }
}

static void load_aware_ones_avoid_the_overloaded(void **state)
{
    struct pool *pool = *state;
    for (size_t b = 0; b < BALANCERS; b++) {
        forget(pool);
        pool->rows[0][2].in_flight = 1000;
        for (int i = 0; i < 1000; i++) {
            size_t picked = pick(balancers[b], pool, 6);
            assert_false(is_load_aware(balancers[b]) && picked == 2);
        }
    }
}

static void the_load_of_all_workers_counts(void **state)
{
    struct pool *pool = *state;
    for (uint32_t w = 0; w < WORKERS; w++)
        pool->rows[w][0].in_flight = 10; /* 30 together */
    pool->rows[0][1].in_flight = 20;
    assert_int_equal(load_table_in_flight(&pool->loads, 0), 30);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pick(&balancer_p2c, pool, 2), 1);
        assert_int_equal(pick(&balancer_least_conn, pool, 2), 1);
    }
}

static void a_heavy_endpoint_may_carry_more(void **state)
{
    struct pool *pool = *state;
    static const uint32_t weights[2] = { 10, 1 };
    set_weights(pool, weights, 2);
    pool->rows[0][0].in_flight = 10; /* half of what its weight allows beside 2 */
    pool->rows[0][1].in_flight = 2;
    uint64_t picks[2] = { 0 };
    for (int i = 0; i < 1100; i++)
        picks[pick(&balancer_p2c, pool, 2)]++;
    for (int i = 0; i < 1100; i++)
        picks[pick(&balancer_least_conn, pool, 2)]++;
    assert_int_equal(picks[1], 0); /* its few are moved to the heavy one, which has room for them */
    pool->rows[0][1].in_flight = 0;
    pool->rows[0][0].in_flight = 1000; /* stuck: more than the light one would ever have */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pick(&balancer_p2c, pool, 2), 1);
        assert_int_equal(pick(&balancer_least_conn, pool, 2), 1);
    }
}

static void least_conn_finds_the_one_that_is_free(void **state)
{
    struct pool *pool = *state;
    for (uint32_t free_one = 0; free_one < SLOTS; free_one++) {
        for (uint32_t i = 0; i < SLOTS; i++)
            pool->rows[i % WORKERS][i].in_flight = i != free_one;
        assert_int_equal(pick(&balancer_least_conn, pool, SLOTS), free_one);
    }
}

static void round_robin_gives_each_its_turns_in_every_round(void **state)
{
    struct pool *pool = *state;
    static const uint32_t weights[3] = { 3, 1, 2 };
    set_weights(pool, weights, 3);
    for (int round = 0; round < 5; round++) {
        uint32_t picks[3] = { 0 };
        for (int i = 0; i < 6; i++)
            picks[pick(&balancer_round_robin, pool, 3)]++;
        assert_memory_equal(picks, weights, sizeof weights);
    }
}

/* Of any 100 turns, the heavy one has what its weight says, give or take a few: not all light ones come in a row. */
static void round_robin_spreads_the_turns_of_a_round(void **state)
{
    struct pool *pool = *state;
    static const uint32_t weights[6] = { 500, 100, 100, 100, 100, 100 };
    uint32_t in_a_row = 0, most_in_a_row = 0;
    set_weights(pool, weights, 6);
    for (int window = 0; window < 100; window++) {
        uint32_t heavy = 0;
        for (int i = 0; i < 100; i++) {
            bool is_heavy = pick(&balancer_round_robin, pool, 6) == 0;
            heavy += is_heavy;
            in_a_row = is_heavy ? in_a_row + 1 : 0;
            most_in_a_row = in_a_row > most_in_a_row ? in_a_row : most_in_a_row;
        }
        assert_in_range(heavy, 48, 52);
    }
    assert_in_range(most_in_a_row, 1, 2);
}

/* The heavy one fails to have its share if the turns begin anew with each snapshot. */
static void round_robin_goes_on_where_it_was_when_the_pool_changes(void **state)
{
    struct pool *pool = *state;
    static const uint32_t weights[3] = { 1, 2, 3 };
    uint64_t picks[4] = { 0 };
    for (int i = 0; i < 6000; i++) {
        set_weights(pool, weights, 3);
        picks[pick(&balancer_round_robin, pool, 3)]++;
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(picks[i], 1000 * weights[i]);
}

static void shares_are_drawn_exactly(void **state)
{
    struct pool *pool = *state;
    static const uint32_t weights[5] = { 1000, 1, 20, 300, 7 };
    uint64_t picks[5] = { 0 }, sum = 0;
    set_weights(pool, weights, 5);
    for (int i = 0; i < 5; i++)
        sum += weights[i];
    for (uint64_t column = 0; column < 5; column++) { /* every column from end to end */
        for (uint64_t coin = 0; coin < 100000; coin++)
            picks[shares_draw(pool->shares, (coin * 42949) << 32 | (column * 0xffffffffu / 5 + 10))]++;
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(picks[i], 500000.0 * weights[i] / (double)sum - 6, 500000.0 * weights[i] / (double)sum + 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_has_a_name_by_which_it_is_found),
        TEST(the_index_is_in_range_for_any_pool_weights_and_loads),
        TEST(extreme_random_numbers_and_cursors_stay_in_range),
        TEST(a_pool_of_one_is_no_choice),
        TEST(a_pool_that_shrinks_and_grows_is_survived),
        TEST(everyone_gets_something),
        TEST(weights_are_shares_whatever_is_in_flight),
        TEST(an_even_load_stays_even),
        TEST(load_aware_ones_prefer_the_less_loaded),
        TEST(load_aware_ones_avoid_the_overloaded),
        TEST(the_load_of_all_workers_counts),
        TEST(a_heavy_endpoint_may_carry_more),
        TEST(least_conn_finds_the_one_that_is_free),
        TEST(round_robin_gives_each_its_turns_in_every_round),
        TEST(round_robin_spreads_the_turns_of_a_round),
        TEST(round_robin_goes_on_where_it_was_when_the_pool_changes),
        TEST(shares_are_drawn_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
