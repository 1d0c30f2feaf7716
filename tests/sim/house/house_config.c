#include "tests/sim/house/house_config.h"

#include <stdio.h>

#include "base/buf.h"
#include "tests/sim/house/house_control.h"
#include "tests/sim/house/house_rules.h"

#define IMAGES 3
#define LONG_MS 3000 /* the shortest of the time-outs; house_rules.c takes older requests for slow */

static const char *const balancers[] = { "p2c", "least_conn", "round_robin" };

struct house_config house_config_first(void)
{
    struct house_config config = { .retries = 2,
                                   .response_ms = LONG_MS,
                                   .body_ms = LONG_MS,
                                   .idle_ms = LONG_MS,
                                   .upstream_idle_ms = LONG_MS,
                                   .upstream_idle_per_endpoint = 16,
                                   .fails_open = true };
    for (size_t i = 0; i < HOUSE_SERVICES; i++) {
        config.services[i].is_there = true;
        config.services[i].desired = i == HOUSE_SCALED ? HOUSE_SCALED_MIN : 2;
        config.services[i].image = 1;
    }
    return config;
}

static int64_t some_ms(void)
{
    return LONG_MS + (int64_t)house_random(3000);
}

/* None at all, now and then. */
int64_t house_config_some_desired(void)
{
    return house_chance(8) ? 0 : 1 + (int64_t)house_random(HOUSE_DESIRED_MAX);
}

static void change_one(struct house_config *config)
{
    size_t service = house_random(HOUSE_SERVICES);
    switch (house_random(10)) {
    case 0:
    case 1:
        if (service != HOUSE_SCALED)
            config->services[service].desired = house_config_some_desired();
        break;
    case 2:
    case 3:
        config->services[service].image = 1 + (int64_t)house_random(IMAGES);
        break;
    case 4:
        config->services[service].is_there = !config->services[service].is_there || house_chance(50);
        break;
    case 5:
        config->balancer = house_random(sizeof balancers / sizeof *balancers);
        break;
    case 6:
        config->retries = (int64_t)house_random(4);
        break;
    case 7:
        config->response_ms = some_ms();
        config->body_ms = some_ms();
        break;
    case 8:
        config->idle_ms = some_ms();
        config->upstream_idle_ms = some_ms();
        break;
    default:
        config->upstream_idle_per_endpoint = (int64_t)house_random(5);
        config->fails_open = house_chance(50);
    }
}

void house_config_change(struct house_config *config)
{
    change_one(config);
    if (house_chance(30))
        change_one(config);
}

static void write_service(const struct house_config *config, size_t i, struct buf *out)
{
    buf_printf(out,
               "  - name: s%zu\n    host: s%zu.sim\n    image: web:%lld\n    port: 8080\n    desiredCount: %lld\n"
               "    deregistrationDelay: %dms\n    tunnelDeregistrationDelay: %dms\n    stopTimeout: 1s\n    "
               "healthCheck: { startPeriod: 60s }\n",
               i, i, (long long)config->services[i].image, (long long)config->services[i].desired,
               HOUSE_DEREGISTRATION_MS, HOUSE_TUNNEL_DEREGISTRATION_MS);
    if (i == HOUSE_SCALED)
        buf_printf(out,
                   "    scaling: { min: %d, max: %d, target: { requestsPerSecondPerTask: 1 }, scaleInCooldown: 1s }\n",
                   HOUSE_SCALED_MIN, HOUSE_DESIRED_MAX);
}

static void write_proxy(const struct house_config *config, struct buf *out)
{
    buf_printf(
        out,
        "cluster: sim\nlisteners:\n  - name: http\n    address: 127.0.0.1:8080\nproxy:\n  balancer: %s\n"
        "  retries: %lld\n  failOpen: %s\n  timeouts:\n    response: %lldms\n    body: %lldms\n    stream: %lldms\n"
        "    idle: %lldms\n    head: 3s\n    upstreamIdle: %lldms\n  limits:\n    upstreamIdlePerEndpoint: %lld\n",
        balancers[config->balancer], (long long)config->retries, config->fails_open ? "true" : "false",
        (long long)config->response_ms, (long long)config->body_ms, (long long)config->body_ms,
        (long long)config->idle_ms, (long long)config->upstream_idle_ms, (long long)config->upstream_idle_per_endpoint);
}

static size_t count_services(const struct house_config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < HOUSE_SERVICES; i++)
        count += config->services[i].is_there;
    return count;
}

void house_config_apply(const struct house_config *config)
{
    static struct house_config before;
    struct buf text = { .at = NULL };
    write_proxy(config, &text);
    buf_append_text(&text, count_services(config) > 0 ? "services:\n" : "services: []\n");
    for (size_t i = 0; i < HOUSE_SERVICES; i++) {
        bool is_there = config->services[i].is_there, was_there = rules_is_configured(i);
        if (is_there)
            write_service(config, i, &text);
        /* What is edited wins over what was asked for otherwise. */
        if (i == HOUSE_SCALED)
            rules_note_asked(i, HOUSE_SCALED_MIN);
        else if (is_there && (!was_there || config->services[i].desired != before.services[i].desired))
            rules_note_asked(i, config->services[i].desired);
        rules_note_configured(i, is_there);
    }
    before = *config;
    if (!house_control_configure(buf_text(&text)))
        house_violated("a configuration was refused");
    buf_fini(&text);
}
