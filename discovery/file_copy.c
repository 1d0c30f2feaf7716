#include "discovery/file_copy.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first line names the file: a comment in YAML, and not part of the text. */
#define HEAD_FORMAT "# %s\n"

static bool write_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        at += put;
        len -= (size_t)put;
    }
    return fsync(fd) == 0;
}

static bool write_new(const char *path, struct slice all)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool ok = write_all(fd, all.at, all.len);
    return close(fd) == 0 && ok;
}

static bool read_all(int fd, struct buf *out)
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

bool file_copy_save(const char *copy_path, const char *of_path, struct slice text, struct error *error)
{
    char *fresh = mem_printf("%s.new", copy_path);
    struct buf all;
    buf_init(&all, 0);
    buf_printf(&all, HEAD_FORMAT, of_path);
    buf_append(&all, text.at, text.len);
    bool ok = write_new(fresh, (struct slice){ buf_text(&all), all.len }) && rename(fresh, copy_path) == 0;
    if (!ok)
        error_set_errno(error, "%s: cannot be written", copy_path);
    buf_fini(&all);
    free(fresh);
    return ok;
}

bool file_copy_load(const char *copy_path, const char *of_path, struct buf *out)
{
    int fd = open(copy_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    char *head = mem_printf(HEAD_FORMAT, of_path);
    size_t head_len = strlen(head);
    bool ok = read_all(fd, out) && out->len >= head_len && memcmp(out->at, head, head_len) == 0;
    close(fd);
    free(head);
    if (ok)
        buf_consume(out, head_len);
    return ok;
}
