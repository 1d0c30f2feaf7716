#include "discovery/docker/label_policy.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

void label_policy_set(struct label_policy *policy, const struct config *config)
{
    label_policy_fini(policy);
    policy->closed = mem_alloc_array(config->service_count, sizeof *policy->closed);
    for (size_t i = 0; i < config->service_count; i++) {
        if (!config->services[i].allow_labels)
            snprintf(policy->closed[policy->closed_count++], TASK_NAME_SIZE, "%s", config->services[i].name);
    }
    if (policy->closed_count > 0)
        qsort(policy->closed, policy->closed_count, sizeof *policy->closed, compare);
}

void label_policy_fini(struct label_policy *policy)
{
    free(policy->closed);
    *policy = (struct label_policy){ .closed = NULL };
}

bool label_policy_may_join(const struct label_policy *policy, const char *service)
{
    return !policy || policy->closed_count == 0 ||
           !bsearch(service, policy->closed, policy->closed_count, sizeof *policy->closed, compare);
}
