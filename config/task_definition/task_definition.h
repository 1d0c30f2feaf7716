/* task_definition: ECS's JSON as a struct: the body of RegisterTaskDefinition, or what DescribeTaskDefinition answers
 * ({"taskDefinition": {...}, "tags": [...]}, with the fields that AWS adds and nulls for what is not set). Read whole, checked
 * whole, then immutable. Pure. Any thread, one definition at a time.
 *
 * Every field is one row of config/task_definition/table.def. */
#ifndef CONFIG_TASK_DEFINITION_TASK_DEFINITION_H
#define CONFIG_TASK_DEFINITION_TASK_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "config/problems.h"
#include "config/task_definition/container_definition.h"

#define TASK_CONTAINERS_MAX 10 /* as in ECS */
#define TASK_VOLUMES_MAX 100
#define TASK_FIELDS_IGNORED_MAX 100 /* that are named; then `more_ignored` */

struct host_volume {
    char *source_path; /* null or empty: a folder of the task's own */
};

struct docker_volume {
    enum volume_scope scope;
    bool is_autoprovisioned;
    char *driver;
    struct name_value *driver_options, *labels;
    size_t driver_option_count, label_count;
};

/* At most one of the sections. With neither: a volume of the task's own. */
struct volume_definition {
    char *name;
    struct host_volume *host;
    struct docker_volume *docker;
};

struct runtime_platform {
    char *cpu_architecture, *operating_system_family;
};

struct ignored_field {
    char *path; /* "containerDefinitions[0].firelensConfiguration" */
    const char *why;
};

struct task_definition {
    char *family;
    enum network_mode network_mode;
    enum pid_mode pid_mode;
    enum ipc_mode ipc_mode;
    int64_t cpu, memory_mib; /* of the whole task; may be unset */
    char **requires_compatibilities;
    size_t requires_compatibility_count;
    struct runtime_platform *runtime_platform;
    struct container_definition *containers; /* one at least */
    size_t container_count;
    struct volume_definition *volumes;
    size_t volume_count;
    struct name_value *tags;
    size_t tag_count;
    struct ignored_field *ignored; /* what is written and has no effect outside of AWS */
    size_t ignored_count;
    bool more_ignored;
};

/* What json_parse_bounded() should be given for one definition: 256 KiB, 16 levels, 20,000 values. */
extern const struct json_limits task_definition_json_limits;

/* Null when anything is wrong: `problems` (initialized by the caller) then has one at least, each with the path of its field and
 * without a line, so that problems_hand_over() writes "containerDefinitions[0].image: ..." behind the document's name, or alone
 * when that is null. The caller owns what is returned, and `body` stays the caller's. */
struct task_definition *task_definition_read(const json_t *body, struct problems *problems);
/* The same from JSON text, within task_definition_json_limits. */
struct task_definition *task_definition_read_text(struct slice text, struct problems *problems);
void task_definition_free(struct task_definition *definition); /* null is fine */

bool task_definition_requires(const struct task_definition *definition, const char *compatibility); /* "FARGATE" */
/* Its index, or container_count when there is none of that name. */
size_t task_definition_find_container(const struct task_definition *definition, const char *name, size_t name_len);

#endif
