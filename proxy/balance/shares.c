#include "proxy/balance/shares.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

/* A column of the alias table (Walker 1977, Vose 1991): all are equally likely, each is one endpoint's up to the
 * threshold and its alias's beyond. */
struct share {
    uint32_t threshold; /* of 2^32 */
    uint32_t alias;
    uint32_t turns_end; /* its turns of a round end before this one; they begin where those of the one before end */
};

struct shares {
    uint32_t count;
    uint32_t round;  /* turns */
    uint32_t stride; /* between two turns, so that those of one endpoint are spread */
    struct share rows[];
};

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Has no divisor in common with the round, so that all turns are taken; near the golden section, so that any few in a row
 * lie far apart. */
static uint32_t choose_stride(uint32_t round)
{
    uint32_t stride = (uint32_t)(round * 0.6180339887498949);
    while (stride > 1 && gcd(stride, round) != 1)
        stride--;
    return stride > 1 ? stride : 1;
}

static void lay_out_turns(struct shares *shares, const struct endpoint_view *views)
{
    uint32_t divisor = 0;
    for (uint32_t i = 0; i < shares->count; i++)
        divisor = gcd(views[i].weight, divisor);
    for (uint32_t i = 0; i < shares->count; i++) {
        shares->round += views[i].weight / divisor;
        shares->rows[i].turns_end = shares->round;
    }
    shares->stride = choose_stride(shares->round);
}

/* Each endpoint has `count` times its weight to give away, each column room for the sum of all weights. Vose's two stacks
 * are the two ends of one array. */
static void fill_columns(struct shares *shares, const struct endpoint_view *views)
{
    uint32_t count = shares->count, small_count = 0, large_at = count;
    uint64_t room = 0, *left = mem_alloc_array(count, sizeof *left);
    uint32_t *stacks = mem_alloc_array(count, sizeof *stacks);
    for (uint32_t i = 0; i < count; i++)
        room += views[i].weight;
    for (uint32_t i = 0; i < count; i++) {
        left[i] = (uint64_t)views[i].weight * count;
        shares->rows[i].alias = i; /* stays so in a column that it fills alone */
        if (left[i] < room)
            stacks[small_count++] = i;
        else
            stacks[--large_at] = i;
    }
    while (small_count > 0 && large_at < count) {
        uint32_t small = stacks[--small_count], large = stacks[large_at];
        shares->rows[small].threshold = (uint32_t)((left[small] << 32) / room);
        shares->rows[small].alias = large;
        left[large] -= room - left[small];
        if (left[large] < room) {
            large_at++;
            stacks[small_count++] = large;
        }
    }
    free(left);
    free(stacks);
}

static bool all_are_equal(const struct endpoint_view *views, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (views[i].weight != views[0].weight)
            return false;
    }
    return true;
}

struct shares *shares_new(const struct endpoint_view *views, size_t count)
{
    if (all_are_equal(views, count))
        return NULL;
    struct shares *shares = mem_alloc(sizeof *shares + count * sizeof shares->rows[0]);
    shares->count = (uint32_t)count;
    lay_out_turns(shares, views);
    fill_columns(shares, views);
    return shares;
}

void shares_free(struct shares *shares)
{
    free(shares);
}

size_t shares_draw(const struct shares *shares, uint64_t random)
{
    uint32_t column = (uint32_t)((uint64_t)(uint32_t)random * shares->count >> 32);
    const struct share *row = &shares->rows[column];
    return (uint32_t)(random >> 32) < row->threshold ? column : row->alias;
}

size_t shares_turn(const struct shares *shares, uint64_t turn)
{
    uint32_t at = (uint32_t)(turn % shares->round * shares->stride % shares->round);
    uint32_t first = 0, last = shares->count - 1;
    while (first < last) {
        uint32_t middle = first + (last - first) / 2;
        if (at < shares->rows[middle].turns_end)
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}
