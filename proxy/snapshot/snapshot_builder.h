/* snapshot_builder: document (proxy/snapshot/snapshot_document.md) -> snapshot. Main thread. A document with any problem changes
 * nothing. The builder owns the endpoints and counts the references of everything that snapshots share. */
#ifndef PROXY_SNAPSHOT_SNAPSHOT_BUILDER_H
#define PROXY_SNAPSHOT_SNAPSHOT_BUILDER_H

#include <jansson.h>

#include "base/error.h"
#include "proxy/snapshot/kept_rows.h"
#include "proxy/snapshot/snapshot.h"

struct snapshot_builder;

/* stats is borrowed; worker_count is how many holds each snapshot gets. */
struct snapshot_builder *snapshot_builder_new(struct stats_region *stats, uint32_t worker_count);
void snapshot_builder_free(struct snapshot_builder *builder); /* every snapshot must have been freed */

/* The caller owns what they return, until snapshot_free. `newest` is the snapshot that the new one follows (null:
 * none); services that are equal in both are shared. Null with an error that starts with the field's path. */
struct snapshot *snapshot_build(struct snapshot_builder *builder, json_t *document, const struct snapshot *newest,
                                struct error *error);
struct snapshot *snapshot_build_patch(struct snapshot_builder *builder, json_t *patch, const struct snapshot *newest,
                                      struct error *error);
/* For a worker that uses a row which has left the newest snapshot, until it does not any more. The row must be of a snapshot
 * that has not been freed. */
void snapshot_keep_row(struct snapshot_builder *builder, struct snapshot_row row);
void snapshot_return_row(struct snapshot_builder *builder, struct snapshot_row row);
/* After each snapshot that was refused or freed. True: few rows are free, or one could not be had since this was asked last, and
 * workers are to end what runs on these, which no snapshot names. Never while `has_older`, one is on its way back: only then is it
 * known what is kept of it, and what will be free. */
bool snapshot_call_rows_in(struct snapshot_builder *builder, bool has_older, struct row_set *rows);

void snapshot_free(struct snapshot_builder *builder, struct snapshot *snapshot);

size_t snapshot_builder_endpoint_count(const struct snapshot_builder *builder);

#endif
