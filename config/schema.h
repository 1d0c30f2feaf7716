/* schema: the table behind the configuration (config/schema.def) as rows that code can walk. Immutable; any thread. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, struct that holds its fields, path in the document, offset of a bool that says "was written", or SIZE_MAX) */
#define SCHEMA_SECTION_LIST(X)                                                                        \
    X(ROOT, struct config, "", SIZE_MAX)                                                              \
    X(LISTENER, struct config_listener, "listeners[]", SIZE_MAX)                                      \
    X(PROXY, struct config_proxy, "proxy", SIZE_MAX)                                                  \
    X(TIMEOUTS, struct config_timeouts, "proxy.timeouts", SIZE_MAX)                                   \
    X(LIMITS, struct config_limits, "proxy.limits", SIZE_MAX)                                         \
    X(CLIENTS, struct config_clients, "proxy.clients", SIZE_MAX)                                      \
    X(ADMIN, struct config_admin, "admin", SIZE_MAX)                                                  \
    X(DOCKER, struct config_docker, "docker", SIZE_MAX)                                               \
    X(DOCKER_TLS, struct config_docker, "docker.tls", SIZE_MAX)                                       \
    X(REGISTRY, struct config_registry, "docker.registries[]", SIZE_MAX)                              \
    X(DISCOVERY, struct config_discovery, "discovery", SIZE_MAX)                                      \
    X(SERVICE, struct config_service, "services[]", SIZE_MAX)                                         \
    X(HEALTH_CHECK, struct config_health_check, "services[].healthCheck", SIZE_MAX)                   \
    X(SCALING, struct config_scaling, "services[].scaling", offsetof(struct config_scaling, enabled)) \
    X(SCALING_TARGET, struct config_scaling, "services[].scaling.target", SIZE_MAX)

/* X(name, C type of the field). What each accepts is in config/value.c. */
#define SCHEMA_TYPE_LIST(X)    \
    X(TEXT, char *)            \
    X(SECRET, char *)          \
    X(PASSWORD, char *)        \
    X(REGISTRY_NAME, char *)   \
    X(PULL_POLICY, char *)     \
    X(NAME, char *)            \
    X(CLUSTER, char *)         \
    X(ACCOUNT, char *)         \
    X(IMAGE, char *)           \
    X(FILE, char *)            \
    X(ACCESS_LOG, char *)      \
    X(LISTEN_ADDRESS, char *)  \
    X(DOCKER_ENDPOINT, char *) \
    X(HOST_NAME, char *)       \
    X(HOSTS, char *)           \
    X(PATH_PREFIX, char *)     \
    X(PROBE_PATH, char *)      \
    X(STATUS_RANGES, char *)   \
    X(FIELD_VALUE, char *)     \
    X(LOG_LEVEL, char *)       \
    X(BALANCER, char *)        \
    X(LOG_FORMAT, char *)      \
    X(DESYNC_MODE, char *)     \
    X(ENCODED_SLASHES, char *) \
    X(RESPONSES, char *)       \
    X(FORWARDED_FOR, char *)   \
    X(PROXY_PROTOCOL, char *)  \
    X(NETWORK, char *)         \
    X(MOMENT, char *)          \
    X(BOOLEAN, bool)           \
    X(INTEGER, int64_t)        \
    X(DURATION, int64_t)       \
    X(SIZE, int64_t)           \
    X(MEMORY, int64_t)         \
    X(REAL, double)

#define X(name, ...) SCHEMA_SECTION_##name,
enum schema_section { SCHEMA_SECTION_LIST(X) SCHEMA_SECTION_COUNT };
#undef X

#define X(name, type) type name##_field;
/* Never instantiated: gives each type's field a name that a macro can build. */
union schema_fields {
    SCHEMA_TYPE_LIST(X)
};
#undef X
#define SCHEMA_FIELD_TYPE(type) __typeof__(((union schema_fields *)0)->type##_field)

#define X(name, ...) SCHEMA_TYPE_##name,
enum schema_type { SCHEMA_TYPE_LIST(X) SCHEMA_TYPE_COUNT };
#undef X

enum schema_shape { SCHEMA_ONE = 0, SCHEMA_LIST, SCHEMA_MAP, SCHEMA_NEST, SCHEMA_NEST_LIST, SCHEMA_SHAPE_COUNT };
enum schema_when { SCHEMA_RELOAD = 0, SCHEMA_RESTART, SCHEMA_WHEN_COUNT };

struct schema_row {
    bool required;
    enum schema_section section;
    enum schema_shape shape;
    enum schema_type type; /* of the value, or of a list's values */
    enum schema_when when;
    enum schema_section child; /* of the nested shapes */
    const char *key;
    size_t offset;         /* of the field in the section's struct */
    size_t count_offset;   /* of the lists and the map: their size_t count */
    const char *sent_as;   /* name in the snapshot document; null: the data plane does not get it */
    const char *fallback;  /* default as written in a document; null: unset or required */
    const char *min, *max; /* of a number, as written; of lists and the map: how many */
    const char *help;
};

/* Walks the rows of a section in the table's order: null gives the first, null comes after the last. */
const struct schema_row *schema_next(enum schema_section section, const struct schema_row *row);
const struct schema_row *schema_find(enum schema_section section, const char *key); /* null: no such key */

/* The keys of a section, in order; at most SCHEMA_KEYS_MAX. */
#define SCHEMA_KEYS_MAX 32
size_t schema_keys(enum schema_section section, const char *keys[SCHEMA_KEYS_MAX]);

size_t schema_section_size(enum schema_section section);      /* of its struct */
const char *schema_section_path(enum schema_section section); /* "services[].scaling"; empty for the top level */
/* Where the section notes that it was written in the document; null when it does not. */
bool *schema_section_presence(enum schema_section section, void *section_struct);

const char *schema_when_to_str(enum schema_when when); /* "reload", "restart" */
const char *schema_shape_to_str(enum schema_shape shape);

#endif
