/* whole_file: small files read whole and replaced whole. Blocks for as long as the disk does. One thread at a time. */
#ifndef BASE_WHOLE_FILE_H
#define BASE_WHOLE_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* From where fd stands to the end, behind what out holds. False: the limit of out would be passed (out->overflowed), or it
 * cannot be read (errno). */
bool whole_file_read(int fd, struct buf *out);

enum whole_file_durability {
    WHOLE_FILE_CACHED = 0, /* it survives the end of this process; a power failure may leave it empty */
    WHOLE_FILE_SYNCED      /* a power failure leaves it old or new */
};

/* Writes `path`.new, for its owner alone, and renames it. Who reads sees the old or the new text, never a part. False: errno,
 * and the old one is as it was. */
bool whole_file_replace(const char *path, struct slice text, enum whole_file_durability durability);

#endif
