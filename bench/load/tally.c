#include "bench/load/tally.h"

#include <stdio.h>
#include <string.h>

void tally_add_failure(struct tally *t, int64_t at_us, enum failure failure, int status, const char *why)
{
    t->failed++;
    t->failures[failure]++;
    t->last_answer_us = at_us;
    if (t->first_failure[0] != '\0')
        return;
    t->first_failure_us = at_us;
    if (why)
        snprintf(t->first_failure, sizeof t->first_failure, "%s: %s", failure_to_str(failure), why);
    else if (status > 0)
        snprintf(t->first_failure, sizeof t->first_failure, "%s: %d", failure_to_str(failure), status);
    else
        snprintf(t->first_failure, sizeof t->first_failure, "%s", failure_to_str(failure));
}

void tally_merge(struct tally *into, const struct tally *from)
{
    into->scheduled += from->scheduled;
    into->sent += from->sent;
    into->ok += from->ok;
    into->failed += from->failed;
    for (int i = 0; i < FAILURE_COUNT; i++)
        into->failures[i] += from->failures[i];
    for (int i = 0; i <= EXPECTATION_STATUS_MAX; i++)
        into->statuses[i] += from->statuses[i];
    into->connections_opened += from->connections_opened;
    into->sent_bytes += from->sent_bytes;
    into->received_bytes += from->received_bytes;
    if (from->last_answer_us > into->last_answer_us)
        into->last_answer_us = from->last_answer_us;
    if (from->first_failure[0] && (!into->first_failure[0] || from->first_failure_us < into->first_failure_us)) {
        memcpy(into->first_failure, from->first_failure, sizeof into->first_failure);
        into->first_failure_us = from->first_failure_us;
    }
    hdr_merge(&into->from_intended, &from->from_intended);
    hdr_merge(&into->from_sent, &from->from_sent);
    hdr_merge(&into->lateness, &from->lateness);
}
