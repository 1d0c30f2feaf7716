/* settings: the data plane's tunables, as the snapshot document carries them. Plain data, immutable once in a snapshot.
 */
#ifndef PROXY_SETTINGS_H
#define PROXY_SETTINGS_H

#include <stdint.h>

struct proxy_settings {
    int64_t retries; /* further endpoints to try when a request was not processed */
    /* time-outs; what each one spans is said in config/config.h */
    int64_t head_ms, body_ms, idle_ms, connect_ms, response_ms, upstream_idle_ms, drain_ms;
    int64_t head_bytes, field_count, connections_per_worker, buffer_bytes_per_worker, upstream_idle_per_endpoint;
};

#define PROXY_SETTINGS_DEFAULT                                                                                        \
    {                                                                                                                 \
        .retries = 2, .head_ms = 10000, .body_ms = 30000, .idle_ms = 75000, .connect_ms = 2000, .response_ms = 60000, \
        .upstream_idle_ms = 60000, .drain_ms = 30000, .head_bytes = 32768, .field_count = 100,                        \
        .connections_per_worker = 8192, .buffer_bytes_per_worker = 256 << 20, .upstream_idle_per_endpoint = 128       \
    }

#endif
