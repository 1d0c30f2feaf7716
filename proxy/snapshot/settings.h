/* settings: the data plane's tunables, as the snapshot document carries them. Plain data, immutable once in a snapshot. The
 * fields come from config/schema.def, `int64_t head_ms;` from the row of `proxy.timeouts.head`; what each means is said
 * there. */
#ifndef PROXY_SNAPSHOT_SETTINGS_H
#define PROXY_SNAPSHOT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"
#include "config/words.h"

#define SETTINGS_TRUSTED_PROXIES_MAX 64
#define SETTINGS_LISTENERS_MAX 16

struct balancer_ops; /* proxy/balance/balancer.h */

/* Never instantiated: the C type of a setting, by its type in the schema. */
union setting_fields {
    int64_t INTEGER_field, DURATION_field, SIZE_field;
    bool BOOLEAN_field;
    const struct balancer_ops *BALANCER_field;
#define X(set, tag, noun) enum tag set##_field;
    WORD_SETS(X)
#undef X
};
#define SETTING_TYPE(type) __typeof__(((union setting_fields *)0)->type##_field)

/* By the listener's place in the list. */
struct listener_settings {
    bool proxy_protocol; /* connections start with a PROXY protocol header */
#define SETTING_OF_LISTENER(key, field, type, ...) SETTING_TYPE(type) field;
#include "config/schema.def"
};

/* Of one client address. */
struct client_settings {
#define SETTING_OF_CLIENTS(key, field, type, ...) SETTING_TYPE(type) field;
#include "config/schema.def"
};

/* What a service has of its own; where it has not, the settings hold. */
struct service_settings {
#define SETTING_OF_SERVICE(key, field, type, ...) \
    SETTING_TYPE(type) field;                     \
    bool has_##field;
#include "config/schema.def"
};

struct proxy_settings {
#define SETTING_OF_PROXY(key, field, type, ...) SETTING_TYPE(type) field;
#define SETTING_OF_TIMEOUTS(key, field, type, ...) SETTING_TYPE(type) field;
#define SETTING_OF_LIMITS(key, field, type, ...) SETTING_TYPE(type) field;
#include "config/schema.def"
    struct client_settings clients;
    size_t trusted_proxy_count;
    struct network trusted_proxies[SETTINGS_TRUSTED_PROXIES_MAX];
    struct listener_settings listeners[SETTINGS_LISTENERS_MAX];
};

/* What holds for a service: settings_responses() and so on, of each setting that a service may have its own value of. */
#define SETTING_OF_SERVICE(key, field, type, ...)                                                  \
    static inline SETTING_TYPE(type)                                                               \
        settings_##field(const struct proxy_settings *all, const struct service_settings *service) \
    {                                                                                              \
        return service->has_##field ? service->field : all->field;                                 \
    }
#include "config/schema.def"

#endif
