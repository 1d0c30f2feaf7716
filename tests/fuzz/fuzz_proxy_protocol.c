/* Any bytes as the start of a connection that begins with a PROXY protocol header: the whole, every prefix, and what is
 * read written and read again. */
#include "base/check.h"
#include "proxy/message/proxy_protocol.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* From memory of exactly that size: a look at a byte too many is seen. */
static enum proxy_protocol_result parse(const void *bytes, size_t len, struct proxy_protocol_header *out,
                                        size_t *consumed)
{
    char *copy = malloc(len ? len : 1);
    check(copy != NULL);
    memcpy(copy, bytes, len);
    enum proxy_protocol_result result = proxy_protocol_parse(copy, len, out, consumed);
    check((result == PROXY_PROTOCOL_DONE) == (*consumed > 0) && *consumed <= len);
    check(result != PROXY_PROTOCOL_MORE || len < PROXY_PROTOCOL_HEADER_MAX);
    check(result == PROXY_PROTOCOL_DONE || !out->has_addresses);
    free(copy);
    return result;
}

static void check_same(const struct proxy_protocol_header *a, const struct proxy_protocol_header *b)
{
    check(a->has_addresses == b->has_addresses && memcmp(&a->source, &b->source, sizeof a->source) == 0 &&
          memcmp(&a->destination, &b->destination, sizeof a->destination) == 0);
}

static void check_written(const struct proxy_protocol_header *header, enum proxy_protocol_version version)
{
    struct proxy_protocol_header again;
    char out[PROXY_PROTOCOL_WRITE_MAX];
    size_t consumed, len = proxy_protocol_write(version, &header->source.any, &header->destination.any, out);
    check(len > 0 && len <= sizeof out);
    check(parse(out, len, &again, &consumed) == PROXY_PROTOCOL_DONE && consumed == len);
    check_same(header, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct proxy_protocol_header whole, part;
    size_t whole_consumed, consumed;
    enum proxy_protocol_result result = parse(bytes, len, &whole, &whole_consumed);
    for (size_t part_len = 0; part_len < len && part_len <= PROXY_PROTOCOL_HEADER_MAX; part_len++) {
        enum proxy_protocol_result part_result = parse(bytes, part_len, &part, &consumed);
        if (part_result == PROXY_PROTOCOL_MORE)
            check(result != PROXY_PROTOCOL_DONE || part_len < whole_consumed);
        else
            check(part_result == result && consumed == whole_consumed);
        if (part_result == PROXY_PROTOCOL_DONE)
            check_same(&part, &whole);
    }
    if (whole.has_addresses) {
        check_written(&whole, PROXY_PROTOCOL_V1);
        check_written(&whole, PROXY_PROTOCOL_V2);
    }
    return 0;
}
