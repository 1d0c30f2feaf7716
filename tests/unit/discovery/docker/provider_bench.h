/* provider_bench: a provider of Docker's containers on a scripted engine, and what its tests wait for. One loop, turned by hand. */
#ifndef TESTS_UNIT_DISCOVERY_DOCKER_PROVIDER_BENCH_H
#define TESTS_UNIT_DISCOVERY_DOCKER_PROVIDER_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/docker/container_set.h"
#include "discovery/docker/engine.h"
#include "discovery/docker/provider.h"
#include "discovery/provider.h"
#include "tests/unit/discovery/docker/fake_engine.h"

#define FOREIGN "\"portico.enable\":\"true\",\"portico.service\":\"web\",\"portico.port\":\"80\""
#define OWN                                                                                                         \
    "\"portico.managed-by\":\"portico\",\"portico.cluster\":\"prod\",\"portico.service\":\"own\",\"portico.port\":" \
    "\"80\""

struct bench {
    struct loop *loop;
    struct http_client *http;
    struct fake_engine fake;
    struct docker_engine *engine;
    struct task_registry *registry;
    struct provider provider;
    struct config config;
    char endpoint[128], cluster[8];
    size_t refusals;
    char refusal[512];
    /* what is waited for */
    int wanted;
    enum task_state wanted_state;
    uint64_t wanted_syncs, wanted_looks;
    const char *wanted_address;
};

static inline void on_refusal(void *owner, const char *service, const char *text)
{
    struct bench *b = owner;
    b->refusals++;
    snprintf(b->refusal, sizeof b->refusal, "%s: %s", service, text);
}

static inline int set_up(void **state)
{
    struct bench *b = mem_alloc(sizeof *b);
    log_init("test", LOG_LEVEL_ERROR);
    b->loop = loop_new();
    b->http = http_client_new(b->loop, 256);
    fake_engine_start(&b->fake, b->loop);
    snprintf(b->endpoint, sizeof b->endpoint, "unix://%s", b->fake.server.path);
    strcpy(b->cluster, "prod");
    b->config.cluster = b->cluster;
    b->config.docker = (struct config_docker){ .enabled = true, .endpoint = b->endpoint };
    b->engine = docker_engine_new(b->loop, b->http, &b->config.docker, NULL);
    b->registry = task_registry_new();
    provider_init(
        &b->provider, provider_find_kind("docker"),
        &(struct provider_parts){
            .loop = b->loop, .registry = b->registry, .engine = b->engine, .on_refusal = on_refusal, .owner = b });
    *state = b;
    return 0;
}

static inline int tear_down(void **state)
{
    struct bench *b = *state;
    b->provider.ops->stop(&b->provider);
    b->provider.ops->stop(&b->provider); /* idempotent */
    task_registry_free(b->registry);
    docker_engine_free(b->engine);
    http_client_free(b->http);
    fake_engine_stop(&b->fake);
    loop_free(b->loop);
    free(b);
    return 0;
}

static inline struct docker_provider_status status_of(struct bench *b)
{
    struct docker_provider_status status;
    docker_provider_status(&b->provider, &status);
    return status;
}

static inline bool has_too_few_syncs(void *owner)
{
    struct bench *b = owner;
    return status_of(b).syncs_count < b->wanted_syncs;
}

static inline void wait_for_sync(struct bench *b, uint64_t count)
{
    b->wanted_syncs = count;
    scripted_run_while(b->loop, has_too_few_syncs, b);
}

static inline void start(struct bench *b)
{
    struct error error;
    assert_true(b->provider.ops->is_configured(&b->config));
    assert_true(b->provider.ops->start(&b->provider, &b->config, &error));
    assert_false(task_registry_is_synced(b->registry, b->provider.index));
    wait_for_sync(b, 1);
}

static inline const struct task *task(struct bench *b, int i)
{
    return task_registry_find(b->registry, b->fake.containers[i].id);
}

static inline bool is_in_another_state(void *owner)
{
    struct bench *b = owner;
    const struct task *found = task(b, b->wanted);
    return !found || found->spec.state != b->wanted_state;
}

static inline void wait_for_state(struct bench *b, int i, enum task_state state)
{
    b->wanted = i;
    b->wanted_state = state;
    scripted_run_while(b->loop, is_in_another_state, b);
}

static inline bool is_there(void *owner)
{
    struct bench *b = owner;
    return task(b, b->wanted) != NULL;
}

static inline void wait_until_gone(struct bench *b, int i)
{
    b->wanted = i;
    scripted_run_while(b->loop, is_there, b);
}

static inline bool has_too_few_looks(void *owner)
{
    struct bench *b = owner;
    return b->fake.inspect_count < b->wanted_looks;
}

static inline void wait_for_looks(struct bench *b, uint64_t count)
{
    b->wanted_looks = count;
    scripted_run_while(b->loop, has_too_few_looks, b);
    scripted_run_turns(b->loop, 20);
}

static inline bool holds_nothing(void *owner)
{
    return ((struct bench *)owner)->fake.held_count == 0;
}

static inline bool has_another_address(void *owner)
{
    struct bench *b = owner;
    const struct task *found = task(b, 1);
    return !found || strcmp(found->spec.address, b->wanted_address) != 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
