/* ownership: whose container is it? Labels are written by whoever starts a container, so a claim to be ours has to be
 * proven: by a label with an HMAC-SHA256 (RFC 2104) under a key that only this installation has, over everything that the
 * controller believes of the container. Its name is part of it, and the engine has one container of a name: a copy of
 * the labels on another container proves nothing.
 *
 * Pure; any thread. Nothing in here compares secrets in a time that depends on them. */
#ifndef DISCOVERY_DOCKER_OWNERSHIP_H
#define DISCOVERY_DOCKER_OWNERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define OWNERSHIP_KEY_BYTES 32
#define OWNERSHIP_PROOF_SIZE 65 /* hexadecimal, and a NUL */

/* Of the durable state (controller/store/store.h). */
struct ownership {
    unsigned char key[OWNERSHIP_KEY_BYTES];
    int64_t claims_hold_before_wall_us; /* containers that the engine made before it need no proof: they are from a
                                           version that gave none, or the operator adopts them; 0: none */
};

/* What a proof is about. Borrowed. */
struct ownership_claim {
    const char *cluster, *name, *service, *revision, *port;
};

enum ownership_verdict {
    OWNERSHIP_UNCLAIMED = 0, /* it does not say that a Portico created it */
    OWNERSHIP_ELSEWHERE,     /* another cluster's */
    OWNERSHIP_UNPROVEN,      /* it says that it is ours, and cannot prove it */
    OWNERSHIP_OURS,
    OWNERSHIP_VERDICT_COUNT
};
const char *ownership_verdict_to_str(enum ownership_verdict verdict);

void ownership_prove(const struct ownership *ownership, const struct ownership_claim *claim,
                     char out[OWNERSHIP_PROOF_SIZE]);

/* inspected: the engine's inspect document, or null. ownership: null while the durable state cannot be read: then
 * nothing is created or stopped, and a claim is believed so that tasks go on getting their requests. */
enum ownership_verdict ownership_of(const json_t *inspected, const char *cluster, const struct ownership *ownership);

#endif
