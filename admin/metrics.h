/* metrics: what the data plane, the controller and the daemon count, as Prometheus text format 0.0.4. Control thread
 * only. Names end in their unit or in _total; label values are escaped. A service that the data plane does not know has
 * no traffic samples: missing data is not zero. */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include <stdbool.h>

#include "admin/parts.h"
#include "base/buf.h"
#include "base/histogram.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends to `out`; false when its limit was reached. */
bool metrics_render(const struct admin_parts *parts, struct buf *out);

/* Durations of at most bound_us, to within the histogram's own buckets (6.25 %): one that straddles the bound counts
 * above. */
uint64_t metrics_count_up_to(const struct histogram *h, uint64_t bound_us);

/* Quotes, backslashes and newlines as the format asks; other control bytes and non-ASCII as \xNN, so that any name
 * gives a readable line of valid UTF-8 and two names stay two. */
void metrics_append_label_value(struct buf *out, const char *value);

#endif
