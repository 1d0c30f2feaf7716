#include "discovery/file_copy.h"

#include "base/mem.h"
#include "base/whole_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first line names the file: a comment in YAML, and not part of the text. */
#define HEAD_FORMAT "# %s\n"

bool file_copy_save(const char *copy_path, const char *of_path, struct slice text, struct error *error)
{
    struct buf all;
    buf_init(&all, 0);
    buf_printf(&all, HEAD_FORMAT, of_path);
    buf_append(&all, text.at, text.len);
    bool ok = whole_file_replace(copy_path, (struct slice){ buf_text(&all), all.len }, WHOLE_FILE_SYNCED);
    if (!ok)
        error_set_errno(error, "%s: cannot be written", copy_path);
    buf_fini(&all);
    return ok;
}

bool file_copy_load(const char *copy_path, const char *of_path, struct buf *out)
{
    int fd = open(copy_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    char *head = mem_printf(HEAD_FORMAT, of_path);
    size_t head_len = strlen(head);
    bool ok = whole_file_read(fd, out) && out->len >= head_len && memcmp(out->at, head, head_len) == 0;
    close(fd);
    free(head);
    if (ok)
        buf_consume(out, head_len);
    return ok;
}
