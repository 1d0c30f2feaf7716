/* file_copy: the last good text of a file that somebody else writes, kept in the state folder under a name of its own,
 * so that a restart beside a bad or half-written file begins with what was known. Blocks for as long as the disk does;
 * control thread. A copy belongs to one path: that of another file is as good as none. */
#ifndef DISCOVERY_FILE_COPY_H
#define DISCOVERY_FILE_COPY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* Replaces the copy whole; it survives the end of this process, and a power failure leaves it old or new. */
bool file_copy_save(const char *copy_path, const char *of_path, struct slice text, struct error *error);
/* Into out, which must be empty; false when there is no copy of that path. */
bool file_copy_load(const char *copy_path, const char *of_path, struct buf *out);

#endif
