#include "discovery/docker/ownership.h"

#include "base/check.h"
#include "discovery/docker/engine_time.h"
#include "discovery/docker/labels.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define SUBJECT_SIZE 1024
#define DIGEST_BYTES ((OWNERSHIP_PROOF_SIZE - 1) / 2)

static const char *const verdict_names[] = { "unclaimed", "elsewhere", "unproven", "ours" };
static_assert(sizeof verdict_names / sizeof *verdict_names == OWNERSHIP_VERDICT_COUNT, "a name for each verdict");

const char *ownership_verdict_to_str(enum ownership_verdict verdict)
{
    return verdict < OWNERSHIP_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

/* Every part ends with a byte that no name, number or revision holds, so that no two claims are one text. */
static int write_subject(char out[SUBJECT_SIZE], const struct ownership_claim *c)
{
    return snprintf(out, SUBJECT_SIZE, "portico task 1\n%s\n%s\n%s\n%s\n%s\n", c->cluster, c->name, c->service,
                    c->revision, c->port);
}

/* False when the claim is longer than any that we make. */
static bool write_proof(const struct ownership *ownership, const struct ownership_claim *claim,
                        char out[OWNERSHIP_PROOF_SIZE])
{
    char subject[SUBJECT_SIZE];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    int len = write_subject(subject, claim);
    if (len < 0 || len >= SUBJECT_SIZE)
        return false;
    check(HMAC(EVP_sha256(), ownership->key, OWNERSHIP_KEY_BYTES, (const unsigned char *)subject, (size_t)len, digest,
               &digest_len) != NULL &&
          digest_len == DIGEST_BYTES);
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return true;
}

void ownership_prove(const struct ownership *ownership, const struct ownership_claim *claim,
                     char out[OWNERSHIP_PROOF_SIZE])
{
    check(write_proof(ownership, claim, out));
}

static const char *find_text(const json_t *object, const char *key)
{
    const char *text = json_find_string(object, key);
    return text ? text : "";
}

static bool is_proven(const json_t *inspected, const json_t *labels, const char *cluster,
                      const struct ownership *ownership)
{
    const char *name = find_text(inspected, "Name"), *proof = find_text(labels, DOCKER_LABEL_PROOF);
    const struct ownership_claim claim = { .cluster = cluster,
                                           .name = name + (*name == '/'),
                                           .service = find_text(labels, DOCKER_LABEL_SERVICE),
                                           .revision = find_text(labels, DOCKER_LABEL_REVISION),
                                           .port = find_text(labels, DOCKER_LABEL_PORT) };
    char expected[OWNERSHIP_PROOF_SIZE];
    return strlen(proof) == sizeof expected - 1 && write_proof(ownership, &claim, expected) &&
           CRYPTO_memcmp(proof, expected, sizeof expected - 1) == 0;
}

static bool needs_no_proof(const json_t *inspected, const struct ownership *ownership)
{
    int64_t created_us = docker_time_parse_us(json_find_string(inspected, "Created"));
    return created_us > 0 && created_us < ownership->claims_hold_before_wall_us;
}

enum ownership_verdict ownership_of(const json_t *inspected, const char *cluster, const struct ownership *ownership)
{
    const json_t *labels = json_find_object(json_find_object(inspected, "Config"), "Labels");
    if (strcmp(find_text(labels, DOCKER_LABEL_MANAGED_BY), DOCKER_LABEL_MANAGED_BY_US) != 0)
        return OWNERSHIP_UNCLAIMED;
    if (strcmp(find_text(labels, DOCKER_LABEL_CLUSTER), cluster) != 0)
        return OWNERSHIP_ELSEWHERE;
    if (!ownership || needs_no_proof(inspected, ownership) || is_proven(inspected, labels, cluster, ownership))
        return OWNERSHIP_OURS;
    return OWNERSHIP_UNPROVEN;
}
