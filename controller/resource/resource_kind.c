#include "controller/resource/resource_kind.h"

#define RESOURCE_KIND_ENTRY(name) &resource_kind_##name,
const struct resource_kind *const resource_kinds[] = { RESOURCE_KIND_LIST(RESOURCE_KIND_ENTRY) };
#undef RESOURCE_KIND_ENTRY
const size_t resource_kind_count = sizeof resource_kinds / sizeof resource_kinds[0];
