#include "discovery/provider.h"

#include <string.h>

static const struct provider_ops *const kinds[] = {
#define X(name) &provider_##name##_ops,
    PROVIDER_LIST(X)
#undef X
};

size_t provider_kinds_count(void)
{
    return sizeof kinds / sizeof *kinds;
}

const struct provider_ops *provider_kind(size_t i)
{
    return kinds[i];
}

const struct provider_ops *provider_find_kind(const char *name)
{
    for (size_t i = 0; i < provider_kinds_count(); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

void provider_init(struct provider *provider, const struct provider_ops *ops, const struct provider_parts *parts)
{
    *provider = (struct provider){ .ops = ops, .parts = *parts };
    provider->index = task_registry_add_provider(parts->registry, ops->name);
}
