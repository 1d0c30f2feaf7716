#include "controller/store/state_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

static bool sync_directory(const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    if (!done)
        error_set_errno(error, "cannot make the entries of directory %s durable", path);
    if (fd >= 0)
        close(fd);
    return done;
}

/* The entry of a new directory is in its parent. */
static bool make_directory(const char *path, struct error *error)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST || error_set_errno(error, "cannot create state directory %s", path);
    char *parent = mem_printf("%s/..", path);
    bool done = sync_directory(parent, error);
    free(parent);
    return done;
}

static void read_holder(int fd, char out[32])
{
    ssize_t got = pread(fd, out, 31, 0);
    out[got > 0 ? got : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static void write_holder(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
    /* Only a hint for the refused one's message: the lock itself does not depend on it. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return;
}

static bool lock_directory(struct state_folder *folder, struct error *error)
{
    char *path = mem_printf("%s/%s", folder->path, STATE_FOLDER_LOCK_FILE);
    folder->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    if (folder->lock_fd < 0)
        return error_set_errno(error, "cannot open the lock file in state directory %s", folder->path);
    if (flock(folder->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        char holder[32];
        read_holder(folder->lock_fd, holder);
        return error_set(
            error, "state directory %s is in use by another portico (process %s): give this one its own state_dir",
            folder->path, holder[0] != '\0' ? holder : "unknown");
    }
    write_holder(folder->lock_fd);
    return true;
}

bool state_folder_open(struct state_folder *folder, const char *path, struct error *error)
{
    folder->path = mem_strdup(path);
    folder->lock_fd = -1;
    return make_directory(path, error) && lock_directory(folder, error) &&
           state_folder_watch(folder, STATE_FOLDER_LOCK_FILE, error);
}

void state_folder_close(struct state_folder *folder)
{
    if (folder->lock_fd >= 0)
        close(folder->lock_fd);
    for (size_t i = 0; i < folder->file_count; i++)
        free(folder->files[i].path);
    free(folder->path);
    *folder = (struct state_folder){ .lock_fd = -1 };
}

bool state_folder_watch(struct state_folder *folder, const char *name, struct error *error)
{
    struct stat status;
    check(folder->file_count < STATE_FOLDER_FILES_MAX);
    struct state_file *file = &folder->files[folder->file_count++];
    file->path = mem_printf("%s/%s", folder->path, name);
    if (stat(file->path, &status) != 0)
        return error_set_errno(error, "state file %s", file->path);
    file->device = status.st_dev;
    file->inode = status.st_ino;
    return true;
}

bool state_folder_check(const struct state_folder *folder, struct error *error)
{
    for (size_t i = 0; i < folder->file_count; i++) {
        const struct state_file *file = &folder->files[i];
        struct stat status;
        if (stat(file->path, &status) != 0 || status.st_dev != file->device || status.st_ino != file->inode)
            return error_set(error,
                             "state file %s was removed or replaced while portico had it open: put the state folder in "
                             "order and restart portico",
                             file->path);
    }
    return true;
}

bool state_folder_sync(const struct state_folder *folder, struct error *error)
{
    return sync_directory(folder->path, error);
}
