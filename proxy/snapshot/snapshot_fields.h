/* snapshot_fields: strict reading of the snapshot document's small parts. Pure; main thread (jansson values). All
 * return false with an error that starts with the path of the field. */
#ifndef PROXY_SNAPSHOT_SNAPSHOT_FIELDS_H
#define PROXY_SNAPSHOT_SNAPSHOT_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "proxy/balance/balancer.h"
#include "proxy/snapshot/settings.h"

/* Null-terminated list of the allowed keys. */
bool snapshot_check_keys(json_t *object, const char *const *allowed, const char *path, struct error *error);
bool snapshot_read_integer(json_t *object, const char *key, const char *path, int64_t min, int64_t max, int64_t *out,
                           struct error *error); /* absent: *out stays */
const char *snapshot_read_text(json_t *object, const char *key, const char *path,
                               struct error *error); /* null: bad or absent */
/* absent: off */
bool snapshot_read_proxy_protocol(json_t *service, const char *path, enum proxy_protocol_version *version,
                                  struct error *error);
/* Zero but for what is there. `others`: the keys that are no settings; null-terminated. */
bool snapshot_read_service_settings(json_t *service, const char *const *others, const char *path,
                                    struct service_settings *out, struct error *error);
/* What is absent has its default; null settings: all has. */
bool snapshot_read_settings(json_t *settings, struct proxy_settings *out, struct error *error);

#endif
