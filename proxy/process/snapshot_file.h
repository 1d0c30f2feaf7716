/* snapshot_file: a snapshot document from a file, for the proxy that runs alone. Main thread. Declared in proxy/process/proxy.h
 * and implemented here: proxy_options_from_file. */
#ifndef PROXY_PROCESS_SNAPSHOT_FILE_H
#define PROXY_PROCESS_SNAPSHOT_FILE_H

#include <jansson.h>

#include "base/error.h"
#include "base/json.h"
#include "proxy/process/proxy.h"

/* The limits of proxy/snapshot/snapshot_document.md. */
extern const struct json_limits snapshot_document_limits;

json_t *snapshot_file_load(const char *path, struct error *error); /* the caller's to decref; null: see the error */

#endif
