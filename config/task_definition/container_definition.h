/* container_definition: one container of a task definition. The names are ECS's (RegisterTaskDefinition), what each means
 * and allows is in config/task_definition/table.def and docs/task-definitions.md. Owned by its task definition, immutable. */
#ifndef CONFIG_TASK_DEFINITION_CONTAINER_DEFINITION_H
#define CONFIG_TASK_DEFINITION_CONTAINER_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/task_definition/vocabulary.h"

/* A number that is not written and has no default. */
#define DEFINITION_UNSET INT64_C(-1)

struct name_value {
    char *name, *value; /* never null */
};

struct port_mapping {
    int64_t container_port;     /* unset with a range */
    char *container_port_range; /* "8000-8010", or null: port_range_read() */
    int64_t host_port;          /* 0: the Engine chooses one */
    enum transport protocol;
    enum app_protocol app_protocol;
    char *name;
};

struct restart_policy {
    bool enabled;
    int64_t *ignored_exit_codes;
    size_t ignored_exit_code_count;
    int64_t restart_attempt_period_s;
};

struct environment_file {
    char *value, *type;
};

struct mount_point {
    char *source_volume, *container_path;
    bool is_read_only;
};

struct volume_from {
    char *source_container;
    bool is_read_only;
};

struct secret_source {
    char *name, *value_from;
};

struct container_dependency {
    char *container_name;
    enum condition condition;
};

struct host_entry {
    char *hostname, *ip_address;
};

struct ulimit_setting {
    char *name;
    int64_t soft_limit, hard_limit; /* -1: none */
};

struct system_control {
    char *namespace, *value;
};

struct log_configuration {
    char *log_driver;
    struct name_value *options;
    size_t option_count;
    struct secret_source *secret_options;
    size_t secret_option_count;
};

struct container_health_check {
    char **command; /* "CMD" or "CMD-SHELL" and what follows it, or a program's path and its arguments */
    size_t command_count;
    int64_t interval_s, timeout_s, retries, start_period_s;
};

struct kernel_capabilities {
    char **add, **drop;
    size_t add_count, drop_count;
};

struct device_mapping {
    char *host_path, *container_path; /* the second may be null: the same */
    char **permissions;
    size_t permission_count; /* 0: all */
};

struct tmpfs_mount {
    char *container_path;
    int64_t size_mib;
    char **mount_options;
    size_t mount_option_count;
};

struct linux_parameters {
    struct kernel_capabilities *capabilities;
    struct device_mapping *devices;
    size_t device_count;
    bool init_process_enabled;
    int64_t shared_memory_size_mib; /* may be unset, as the next two */
    int64_t max_swap_mib, swappiness;
    struct tmpfs_mount *tmpfs;
    size_t tmpfs_count;
};

/* Texts and sections (pointers to one struct) are null when they are not written. */
struct container_definition {
    char *name, *image;
    bool is_essential;
    int64_t cpu;                                /* units, 1024 a processor */
    int64_t memory_mib, memory_reservation_mib; /* may be unset */
    struct port_mapping *port_mappings;
    size_t port_mapping_count;
    char **entry_point, **command;
    size_t entry_point_count, command_count;
    struct name_value *environment;
    size_t environment_count;
    struct environment_file *environment_files;
    size_t environment_file_count;
    struct secret_source *secrets;
    size_t secret_count;
    char *working_directory, *user, *hostname;
    char **links; /* "container" or "container:alias" */
    size_t link_count;
    struct container_dependency *depends_on;
    size_t dependency_count;
    int64_t start_timeout_s, stop_timeout_s; /* may be unset */
    struct container_health_check *health_check;
    struct mount_point *mount_points;
    size_t mount_point_count;
    struct volume_from *volumes_from;
    size_t volume_from_count;
    struct ulimit_setting *ulimits;
    size_t ulimit_count;
    struct log_configuration *log_configuration;
    struct linux_parameters *linux_parameters;
    struct restart_policy *restart_policy;
    struct name_value *docker_labels;
    size_t docker_label_count;
    struct host_entry *extra_hosts;
    size_t extra_host_count;
    char **dns_servers, **dns_search_domains, **docker_security_options;
    size_t dns_server_count, dns_search_domain_count, docker_security_option_count;
    struct system_control *system_controls;
    size_t system_control_count;
    char *version_consistency;
    bool is_networking_disabled, is_privileged, has_read_only_root, is_interactive, has_terminal;
};

/* "8000-8010": false when it is not two ports, the first below the second. */
bool port_range_read(const char *text, uint16_t *first, uint16_t *last);

#endif
