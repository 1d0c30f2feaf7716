/* settings: the data plane's tunables, as the snapshot document carries them. Plain data, immutable once in a snapshot.
 * What each means is said in config/schema.def. */
#ifndef PROXY_SNAPSHOT_SETTINGS_H
#define PROXY_SNAPSHOT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network.h"

#define SETTINGS_TRUSTED_PROXIES_MAX 64
#define SETTINGS_LISTENERS_MAX 16

/* X(constant, word of the documents) */
#define DESYNC_MODE_LIST(X) X(DEFENSIVE, "defensive") X(MONITOR, "monitor") X(STRICTEST, "strictest")
#define ENCODED_SLASHES_LIST(X) X(PASS, "pass") X(REFUSE, "refuse")
#define FORWARDED_FOR_LIST(X) X(APPEND, "append") X(REPLACE, "replace") X(PRESERVE, "preserve")
#define RESPONSES_LIST(X) X(LENIENT, "lenient") X(STRICT, "strict")
#define LOG_FORMAT_LIST(X) X(JSON, "json") X(COMBINED, "combined")
#define PROXY_PROTOCOL_LIST(X) X(OFF, "off") X(V1, "v1") X(V2, "v2")

#define X(name, word) DESYNC_MODE_##name,
enum desync_mode { DESYNC_MODE_LIST(X) DESYNC_MODE_COUNT };
#undef X
#define X(name, word) ENCODED_SLASHES_##name,
enum encoded_slashes { ENCODED_SLASHES_LIST(X) ENCODED_SLASHES_COUNT };
#undef X
#define X(name, word) FORWARDED_FOR_##name,
enum forwarded_for { FORWARDED_FOR_LIST(X) FORWARDED_FOR_COUNT };
#undef X
#define X(name, word) RESPONSES_##name,
enum responses { RESPONSES_UNSET = 0, RESPONSES_LIST(X) RESPONSES_COUNT };
#undef X
#define X(name, word) LOG_FORMAT_##name,
enum log_format { LOG_FORMAT_LIST(X) LOG_FORMAT_COUNT };
#undef X
#define X(name, word) PROXY_PROTOCOL_##name,
enum proxy_protocol_version { PROXY_PROTOCOL_LIST(X) PROXY_PROTOCOL_COUNT };
#undef X

/* By the listener's place in the list. */
struct listener_settings {
    bool proxy_protocol; /* connections start with a PROXY protocol header */
    /* of each worker by itself; 0: no limit of its own */
    int64_t connections_per_worker, requests_per_second_per_worker, body_bytes_per_second_per_worker;
};

struct proxy_settings {
    int64_t retries;              /* further endpoints to try when a request was not processed */
    int64_t retry_budget_percent; /* of the requests under way */
    /* time-outs; what each one spans is said in config/config.h */
    int64_t head_ms, body_ms, stream_ms, idle_ms, connect_ms, response_ms, request_ms, tunnel_ms, upstream_idle_ms,
        drain_ms;
    int64_t retired_tunnel_ms; /* since the proxy was told to retire */
    int64_t head_bytes, field_count, connections_per_worker, buffer_bytes_per_worker, upstream_idle_per_endpoint;
    int64_t replay_bytes, splice_bytes_min, body_bytes_per_second_min;
    int64_t client_share_percent; /* of connections_per_worker, for one client address */
    /* of one client address; 0: no limit */
    int64_t client_connections, client_requests_per_second, client_body_bytes_per_second;
    enum desync_mode desync;
    bool accepts_bare_lf;
    bool answers_half_closed;             /* the end of a client's sending is not taken for its going */
    enum responses responses;             /* how they are read, of services that say nothing; never UNSET */
    enum encoded_slashes encoded_slashes; /* in request paths */
    enum forwarded_for forwarded_for;     /* for trusted clients */
    bool sends_forwarded;
    enum log_format log_format;
    int64_t log_every;
    size_t trusted_proxy_count;
    struct network trusted_proxies[SETTINGS_TRUSTED_PROXIES_MAX];
    struct listener_settings listeners[SETTINGS_LISTENERS_MAX];
};

#define PROXY_SETTINGS_DEFAULT                                                                             \
    {                                                                                                      \
        .retries = 2, .retry_budget_percent = 20, .head_ms = 10000, .body_ms = 60000, .stream_ms = 300000, \
        .idle_ms = 75000, .connect_ms = 2000, .response_ms = 60000, .request_ms = 0, .tunnel_ms = 600000,  \
        .upstream_idle_ms = 60000, .drain_ms = 30000, .retired_tunnel_ms = 3600000, .head_bytes = 32768,   \
        .field_count = 100, .connections_per_worker = 8192, .buffer_bytes_per_worker = 256 << 20,          \
        .upstream_idle_per_endpoint = 128, .replay_bytes = 16384, .body_bytes_per_second_min = 100,        \
        .client_share_percent = 50, .log_every = 1, .responses = RESPONSES_LENIENT                         \
    }

#endif
