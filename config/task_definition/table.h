/* table: the rows of config/task_definition/table.def as code can walk them, and what is done to whole structs by walking
 * them. Immutable; any thread. */
#ifndef CONFIG_TASK_DEFINITION_TABLE_H
#define CONFIG_TASK_DEFINITION_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/task_definition/kind.h"

/* X(name, struct that holds its fields, path in the document) */
#define DEFINITION_SECTION_LIST(X)                                                                     \
    X(TASK, struct task_definition, "")                                                                \
    X(CONTAINER, struct container_definition, "containerDefinitions[]")                                \
    X(PORT, struct port_mapping, "containerDefinitions[].portMappings[]")                              \
    X(ENVIRONMENT, struct name_value, "containerDefinitions[].environment[]")                          \
    X(ENVIRONMENT_FILE, struct environment_file, "containerDefinitions[].environmentFiles[]")          \
    X(SECRET, struct secret_source, "containerDefinitions[].secrets[]")                                \
    X(DEPENDENCY, struct container_dependency, "containerDefinitions[].dependsOn[]")                   \
    X(HEALTH, struct container_health_check, "containerDefinitions[].healthCheck")                     \
    X(MOUNT, struct mount_point, "containerDefinitions[].mountPoints[]")                               \
    X(VOLUME_FROM, struct volume_from, "containerDefinitions[].volumesFrom[]")                         \
    X(ULIMIT, struct ulimit_setting, "containerDefinitions[].ulimits[]")                               \
    X(LOG, struct log_configuration, "containerDefinitions[].logConfiguration")                        \
    X(LINUX, struct linux_parameters, "containerDefinitions[].linuxParameters")                        \
    X(CAPABILITIES, struct kernel_capabilities, "containerDefinitions[].linuxParameters.capabilities") \
    X(DEVICE, struct device_mapping, "containerDefinitions[].linuxParameters.devices[]")               \
    X(TMPFS, struct tmpfs_mount, "containerDefinitions[].linuxParameters.tmpfs[]")                     \
    X(RESTART, struct restart_policy, "containerDefinitions[].restartPolicy")                          \
    X(HOST_ENTRY, struct host_entry, "containerDefinitions[].extraHosts[]")                            \
    X(SYSTEM_CONTROL, struct system_control, "containerDefinitions[].systemControls[]")                \
    X(VOLUME, struct volume_definition, "volumes[]")                                                   \
    X(HOST_VOLUME, struct host_volume, "volumes[].host")                                               \
    X(DOCKER_VOLUME, struct docker_volume, "volumes[].dockerVolumeConfiguration")                      \
    X(PLATFORM, struct runtime_platform, "runtimePlatform")                                            \
    X(TAG, struct name_value, "tags[]")

#define X(name, ...) DEFINITION_SECTION_##name,
enum definition_section { DEFINITION_SECTION_LIST(X) DEFINITION_SECTION_COUNT };
#undef X

enum definition_shape {
    DEFINITION_VALUE = 0,
    DEFINITION_LIST,
    DEFINITION_MAP,
    DEFINITION_NEST,
    DEFINITION_NEST_LIST,
    DEFINITION_IGNORED,
    DEFINITION_ANSWERED,
    DEFINITION_SHAPE_COUNT
};

/* What an ignored field is of. */
enum definition_json { DEFINITION_STRING = 0, DEFINITION_BOOLEAN, DEFINITION_LIST_OF, DEFINITION_OBJECT };

struct definition_row {
    enum definition_section section;
    enum definition_shape shape;
    bool is_required;
    enum kind kind;                /* of a value, or of a list's values */
    enum definition_section child; /* of the nested shapes */
    enum definition_json json;     /* of what is ignored */
    const char *key;
    size_t offset, count_offset; /* in the section's struct; the second of lists and maps */
    const char *fallback;        /* as it would be written; null: unset or required */
    struct kind_range range;     /* of a value, or of a list's values */
    size_t least, most;          /* of lists and maps: how many */
    const char *help;            /* of what is ignored: why */
};

/* Walks the rows of a section in the table's order: null gives the first, null comes after the last. */
const struct definition_row *definition_next(enum definition_section section, const struct definition_row *row);
const struct definition_row *definition_find(enum definition_section section,
                                             const char *key); /* null: no such field */

#define DEFINITION_KEYS_MAX 64
size_t definition_keys(enum definition_section section, const char *keys[DEFINITION_KEYS_MAX]);

size_t definition_section_size(enum definition_section section); /* of its struct */
const char *definition_section_path(enum definition_section section);

/* Where a row's field and count are in a section's struct. */
void *definition_at(const struct definition_row *row, const void *fields);
size_t *definition_count_at(const struct definition_row *row, const void *fields);
size_t definition_element_size(const struct definition_row *row);

/* `fields` must be zero for the first. Both go into nested sections. */
void definition_set_defaults(enum definition_section section, void *fields);
void definition_free_fields(enum definition_section section, void *fields);

#endif
