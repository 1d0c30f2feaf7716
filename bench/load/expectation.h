/* expectation: what a good answer is, and the check of a body against it, piece by piece. Pure. An expectation is read
 * by all threads; a body_check belongs to one answer. */
#ifndef BENCH_LOAD_EXPECTATION_H
#define BENCH_LOAD_EXPECTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define EXPECTATION_STATUS_MAX 599

struct expectation {
    bool statuses[EXPECTATION_STATUS_MAX + 1];
    bool has_bytes, has_adler32, has_pattern;
    uint64_t bytes;
    uint32_t adler32;    /* zlib's */
    struct slice prefix; /* borrowed; empty: any */
};

struct body_check {
    uint64_t bytes; /* seen so far */
    uint32_t adler_a, adler_b;
    bool is_wrong; /* sticky */
};

/* "200,304,4xx": sets the statuses that are named, and only those. False: not such a list. */
bool expectation_set_statuses(struct expectation *e, const char *list);

void body_check_init(struct body_check *check);
void body_check_take(struct body_check *check, const struct expectation *e, const char *at, size_t len);

/* At the end of the body: null when it is the expected one, or what is wrong (static text). */
const char *body_check_finish(const struct body_check *check, const struct expectation *e);

#endif
