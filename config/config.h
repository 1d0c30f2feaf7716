/* config: the configuration document as a struct. Built whole by config_load() (config/load.h) from YAML or JSON,
 * checked whole, then immutable; a reload builds another one. Control thread only. Every field is described once, in
 * config/schema.def: key, type and unit, default, range, reload or restart, help. Strings are owned by the config;
 * optional ones are null when absent. Lists are arrays with a count.
 *
 * The fields of the data plane's settings come from the table itself, as `int64_t head_ms;` from the row of
 * `proxy.timeouts.head`. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/limits.h"
#include "config/schema.h"

#define CONFIG_LISTENERS_MAX 16
#define CONFIG_SERVICES_MAX LIMIT_SERVICES_CONFIGURED
#define CONFIG_TRUSTED_PROXIES_MAX 64

struct config_listener {
    char *name;
    char *address;       /* "0.0.0.0:8080", "[::]:8080", "127.0.0.1:80" */
    bool proxy_protocol; /* every connection starts with a PROXY protocol header */
#define SETTING_OF_LISTENER(key, field, type, ...) SCHEMA_FIELD_TYPE(type) field;
#include "config/schema.def"
};

struct config_timeouts {
    int64_t watchdog_ms; /* control or proxy without a sign of life */
#define SETTING_OF_TIMEOUTS(key, field, type, ...) SCHEMA_FIELD_TYPE(type) field;
#include "config/schema.def"
};

struct config_limits {
#define SETTING_OF_LIMITS(key, field, type, ...) SCHEMA_FIELD_TYPE(type) field;
#include "config/schema.def"
};

struct config_clients {
#define SETTING_OF_CLIENTS(key, field, type, ...) SCHEMA_FIELD_TYPE(type) field;
#include "config/schema.def"
};

struct config_proxy {
    int64_t workers;        /* 0: one per processor */
    char *user;             /* account of the proxy process when started as root */
    char *access_log;       /* "off", "stdout" or a file's path */
    bool fails_open;        /* without a healthy task, requests go to those that were */
    char **trusted_proxies; /* networks whose X-Forwarded-* and PROXY headers are believed */
    size_t trusted_proxy_count;
#define SETTING_OF_PROXY(key, field, type, ...) SCHEMA_FIELD_TYPE(type) field;
#include "config/schema.def"
    struct config_timeouts timeouts;
    struct config_limits limits;
    struct config_clients clients;
};

struct config_admin {
    char *address;        /* "127.0.0.1:9900" */
    char *token;          /* bearer token; required unless the address is loopback */
    char **allowed_hosts; /* further Host names accepted (DNS rebinding guard) */
    size_t allowed_host_count;
};

struct config_registry {
    char *name; /* "registry.example:5000"; "docker.io" */
    char *username;
    char *password, *password_file; /* one of the two, the other is null */
};

struct config_docker {
    bool enabled;
    char *endpoint;                    /* "unix:///var/run/docker.sock" or "tcp://host:2376" */
    bool insecure;                     /* tcp:// beyond loopback without the TLS files */
    char *tls_ca, *tls_cert, *tls_key; /* file paths */
    char *adopt_created_before;        /* "2026-11-28T06:00:00Z"; null: none */
    char *network; /* prefer the container's address on this Docker network; null: any that is reachable */
    struct config_registry *registries;
    size_t registry_count;
    char *registry_config;   /* file in the format of Docker's config.json; null: none */
    int64_t pull_timeout_ms; /* of a pull, without progress */
};

struct config_env {
    char *name, *value;
};

/* Exactly one of the three targets is set (> 0) when `enabled`. */
struct config_scaling {
    bool enabled;
    int64_t min, max;
    double requests_per_second_per_task;
    double in_flight_per_task;
    double latency_p99_ms;
    int64_t scale_in_cooldown_ms;
};

struct config_health_check {
    char *path;                 /* null: a TCP connect is enough */
    char *host;                 /* of the request's Host field; null: the task's address */
    char *matcher;              /* statuses that pass: config/status_ranges.h; null: 200-399 */
    struct config_env *headers; /* further fields of the request */
    size_t header_count;
    int64_t interval_ms, timeout_ms;
    int64_t healthy_threshold, unhealthy_threshold; /* consecutive results */
    int64_t start_period_ms;                        /* how long a new task may take to become healthy */
};

/* A service whose tasks Portico creates. */
struct config_service {
    char *name;
    char *host; /* exact host name, "*.example.com", or "*" for any; several with commas between (config/form.h) */
    char *path; /* path prefix on segment boundaries; "/" by default */
    char *image;
    char *pull; /* "missing", "always" or "never" */
    char **command;
    size_t command_count;
    struct config_env *environment;
    size_t environment_count;
    bool allow_labels;      /* containers may join it by label */
    bool allow_task_routes; /* tasks may ask for other paths of its host */
    int64_t port;           /* container port */
    int64_t cpu;            /* ECS cpu units, 1024 a processor; 0: no share set */
    int64_t memory_mib;     /* 0: no limit */
    int64_t desired_count;
    char *proxy_protocol;                   /* what tasks want in front of each connection: "off", "v1" or "v2" */
    int64_t stop_timeout_ms;                /* SIGTERM to SIGKILL */
    int64_t deregistration_delay_ms;        /* longest wait for in-flight = 0 before the stop */
    int64_t tunnel_deregistration_delay_ms; /* the same while a tunnel is open */
#define SETTING_OF_SERVICE(key, field, type, ...) SCHEMA_FIELD_TYPE(type) field;
#include "config/schema.def"
    struct config_scaling scaling;
    struct config_health_check health_check;
};

struct config_discovery {
    char *endpoints_file; /* the `file` provider's document; null: none */
};

struct config {
    char *state_dir; /* durable state; created when missing */
    char *cluster; /* name; part of the labels of our containers, so that two installations do not touch each other's */
    char *log_level; /* error warn info debug */
    bool strict;     /* refuse what is otherwise only warned of */
    /* Of the file, not in it: admin.token or the password of a registry is written there, and everybody may read it. */
    bool is_token_exposed, is_password_exposed;
    struct config_listener *listeners;
    size_t listener_count;
    struct config_proxy proxy;
    struct config_admin admin;
    struct config_docker docker;
    struct config_discovery discovery;
    struct config_service *services;
    size_t service_count;
};

#endif
