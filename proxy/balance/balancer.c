#include "proxy/balance/balancer.h"

#include <string.h>

#define X(name) &balancer_##name,
static const struct balancer_ops *const balancers[] = { BALANCER_LIST(X) };
#undef X
#define BALANCER_COUNT (sizeof balancers / sizeof *balancers)

const struct balancer_ops *balancer_find(const char *name)
{
    for (size_t i = 0; i < BALANCER_COUNT; i++) {
        if (strcmp(balancers[i]->name, name) == 0)
            return balancers[i];
    }
    return NULL;
}

const char *const *balancer_names(size_t *count)
{
#define X(name) #name,
    static const char *const names[] = { BALANCER_LIST(X) };
#undef X
    *count = BALANCER_COUNT;
    return names;
}
