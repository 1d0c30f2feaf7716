/* tally: what one thread has counted, and the sum of all. Owned by the thread until it has ended, then by main. Large:
 * allocate it. */
#ifndef BENCH_LOAD_TALLY_H
#define BENCH_LOAD_TALLY_H

#include <stdint.h>

#include "bench/load/expectation.h"
#include "bench/load/failure.h"
#include "bench/load/hdr.h"

#define TALLY_ERROR_BYTES 160

struct tally {
    uint64_t scheduled, sent, ok, failed;
    uint64_t failures[FAILURE_COUNT];
    uint64_t statuses[EXPECTATION_STATUS_MAX + 1]; /* of whole answers */
    uint64_t connections_opened, sent_bytes, received_bytes;
    int64_t last_answer_us; /* from the start; or of the last failure */
    int64_t first_failure_us;
    char first_failure[TALLY_ERROR_BYTES]; /* empty: none */
    struct hdr from_intended, from_sent;   /* of good answers */
    struct hdr lateness;
};

void tally_add_failure(struct tally *t, int64_t at_us, enum failure failure, int status, const char *why);
void tally_merge(struct tally *into, const struct tally *from);

#endif
