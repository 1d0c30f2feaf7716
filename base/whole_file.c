#include "base/whole_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool whole_file_read(int fd, struct buf *out)
{
    char piece[16384];
    for (;;) {
        ssize_t len = read(fd, piece, sizeof piece);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            return len == 0;
        if (!buf_append(out, piece, (size_t)len))
            return false;
    }
}

static bool write_all(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t put = write(fd, text.at, text.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        text.at += put;
        text.len -= (size_t)put;
    }
    return true;
}

static bool write_fresh(const char *path, struct slice text, enum whole_file_durability durability)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, text) && (durability == WHOLE_FILE_CACHED || fsync(fd) == 0);
    int cause = errno;
    bool is_closed = close(fd) == 0;
    if (!ok)
        errno = cause;
    return ok && is_closed;
}

bool whole_file_replace(const char *path, struct slice text, enum whole_file_durability durability)
{
    char *fresh = mem_printf("%s.new", path);
    bool ok = write_fresh(fresh, text, durability) && rename(fresh, path) == 0;
    int cause = errno;
    free(fresh);
    errno = cause;
    return ok;
}
