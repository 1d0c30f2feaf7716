#include "daemon/presence.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "supervisor"
#define TEXT_BYTES_MAX 640

static int open_file(const char *state_dir, int flags)
{
    char *path = mem_printf("%s/" NAME, state_dir);
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    return fd;
}

int presence_open(const char *state_dir, bool *is_taken, struct error *error)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    *is_taken = false;
    mkdir(state_dir, 0700); /* if it cannot be made, the next step says so */
    int fd = open_file(state_dir, O_RDWR | O_CREAT);
    if (fd < 0) {
        error_set_errno(error, "%s/" NAME, state_dir);
        return -1;
    }
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return fd;
    *is_taken = errno == EAGAIN || errno == EACCES;
    if (*is_taken)
        error_set(error, "stateDir: another supervisor runs with %s", state_dir);
    else
        error_set_errno(error, "%s/" NAME, state_dir);
    close(fd);
    return -1;
}

/* One write in place: a reader sees the old text, the new one, or one that does not parse, and then reads again. */
bool presence_write(int fd, const struct presence *presence)
{
    char text[TEXT_BYTES_MAX];
    int len = snprintf(text, sizeof text, "%d %u %u\n%s\n", (int)presence->pid, presence->upgrade_count,
                       presence->refusal_count, presence->last_refusal);
    return len > 0 && pwrite(fd, text, (size_t)len, 0) == len && ftruncate(fd, len) == 0;
}

static bool parse(char *text, struct presence *out)
{
    char *line = strchr(text, '\n');
    int pid = 0;
    if (!line || sscanf(text, "%d %u %u", &pid, &out->upgrade_count, &out->refusal_count) != 3 || pid <= 0)
        return false;
    out->pid = (pid_t)pid;
    line[1 + strcspn(line + 1, "\n")] = '\0';
    snprintf(out->last_refusal, sizeof out->last_refusal, "%s", line + 1);
    return true;
}

bool presence_find(const char *state_dir, struct presence *out, struct error *error)
{
    char text[TEXT_BYTES_MAX + 1] = "";
    int fd = open_file(state_dir, O_RDONLY);
    if (fd < 0)
        return errno == ENOENT ? error_set(error, "no supervisor has run with %s", state_dir)
                               : error_set_errno(error, "%s/" NAME, state_dir);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET }; /* would it fit? */
    bool is_held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    ssize_t len = pread(fd, text, TEXT_BYTES_MAX, 0);
    close(fd);
    if (!is_held)
        return error_set(error, "no supervisor runs with %s", state_dir);
    return (len > 0 && parse(text, out)) || error_set(error, "%s/" NAME ": not readable now", state_dir);
}
