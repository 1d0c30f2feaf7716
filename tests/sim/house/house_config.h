/* house_config: what the user of the house has written in the configuration, and how he changes it. */
#ifndef TESTS_SIM_HOUSE_HOUSE_CONFIG_H
#define TESTS_SIM_HOUSE_HOUSE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/house/house.h"

#define HOUSE_DESIRED_MAX 4
#define HOUSE_SCALED 2 /* this service is scaled by its traffic, between: */
#define HOUSE_SCALED_MIN 1

struct house_config {
    struct {
        bool is_there;
        int64_t desired, image;
    } services[HOUSE_SERVICES];
    size_t balancer;
    int64_t retries, response_ms, body_ms, idle_ms, upstream_idle_ms, upstream_idle_per_endpoint;
    bool fails_open;
};

struct house_config house_config_first(void);
void house_config_change(struct house_config *config); /* at random, one or two things */
int64_t house_config_some_desired(void);
void house_config_apply(const struct house_config *config); /* control's from now on; the rules hear of it */

#endif
