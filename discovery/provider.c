#include "discovery/provider.h"

#include <stdio.h>
#include <string.h>

#define X(name) KIND_##name,
enum kind { PROVIDER_LIST(X) KINDS_COUNT };
#undef X

static const struct provider_ops *const kinds[KINDS_COUNT] = {
#define X(name) &provider_##name##_ops,
    PROVIDER_LIST(X)
#undef X
};

size_t provider_kinds_count(void)
{
    return KINDS_COUNT;
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

void provider_tell_refusal(struct provider *provider, const char *service, const char *text)
{
    snprintf(provider->refusal, sizeof provider->refusal, "%s", text);
    if (provider->parts.on_refusal)
        provider->parts.on_refusal(provider->parts.owner, service, text);
}

void provider_init(struct provider *provider, const struct provider_ops *ops, const struct provider_parts *parts)
{
    *provider = (struct provider){ .ops = ops, .parts = *parts };
    provider->index = task_registry_add_provider(parts->registry, ops->name);
}
