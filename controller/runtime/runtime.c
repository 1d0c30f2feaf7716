#include "controller/runtime/runtime.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RUNTIME_ENTRY(name) &runtime_ops_##name,
const struct runtime_ops *const runtime_list[] = { RUNTIME_LIST(RUNTIME_ENTRY) };
#undef RUNTIME_ENTRY
const size_t runtime_list_count = sizeof runtime_list / sizeof runtime_list[0];

static const char *const result_names[] = { "ok",     "image missing", "pull failed", "refused",
                                            "failed", "unknown",       "unreachable", "cancelled" };
static_assert(sizeof result_names / sizeof result_names[0] == RUNTIME_RESULT_COUNT, "one name each");

const char *runtime_result_to_str(enum runtime_result result)
{
    return (unsigned)result < RUNTIME_RESULT_COUNT ? result_names[result] : "unknown";
}

/* FNV-1a, 64 bit. Each value is followed by a byte that cannot be part of it, so that ("ab", "c") and ("a", "bc")
 * differ. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (size_t i = 0; text != NULL && text[i] != '\0'; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint64_t hash_number(uint64_t hash, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    return hash_text(hash, text);
}

void runtime_definition_of(const struct config_service *service, char out[TASK_REVISION_SIZE])
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), service->image);
    hash = hash_number(hash, (int64_t)service->command_count);
    for (size_t i = 0; i < service->command_count; i++)
        hash = hash_text(hash, service->command[i]);
    hash = hash_number(hash, (int64_t)service->environment_count);
    for (size_t i = 0; i < service->environment_count; i++)
        hash = hash_text(hash_text(hash, service->environment[i].name), service->environment[i].value);
    hash = hash_number(hash, service->port);
    hash = hash_number(hash, service->cpu);
    hash = hash_number(hash, service->memory_mib);
    snprintf(out, TASK_REVISION_SIZE, "%016" PRIx64, hash);
}
