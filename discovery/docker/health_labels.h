/* health_labels: how a container wants to be checked: the labels portico.health-path, -interval and -timeout, with the
 * rules of services[].healthCheck, and the start period and the last words of the image's own
 * HEALTHCHECK. Pure; any thread. */
#ifndef DISCOVERY_DOCKER_HEALTH_LABELS_H
#define DISCOVERY_DOCKER_HEALTH_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "discovery/task_registry.h"

#define DOCKER_LABEL_HEALTH_PATH "portico.health-path"
#define DOCKER_LABEL_HEALTH_INTERVAL "portico.health-interval"
#define DOCKER_LABEL_HEALTH_TIMEOUT "portico.health-timeout"

/* labels: of the inspect document; may be null. False with what is wrong with which label. */
bool docker_health_labels_read(const json_t *labels, struct task_check *out, struct error *reason);

/* What the engine's own check said last: "exit code 1: <output>", one line; empty when it has not run. state: of the
 * inspect document. */
void docker_health_words(const json_t *state, char out[TASK_WORDS_SIZE]);

/* From the start until the engine's own check has had its say; 0 without start period. config: of the inspect document. */
int64_t docker_health_start_period_ms(const json_t *config);

#endif
