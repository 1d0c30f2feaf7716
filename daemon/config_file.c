#include "daemon/config_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/print.h"

static bool write_all(int fd, const struct config *config)
{
    FILE *out = fdopen(fd, "w");
    if (!out) {
        close(fd);
        return false;
    }
    config_print(config, true, out);
    bool ok = fflush(out) == 0 && !ferror(out) && fsync(fd) == 0;
    return fclose(out) == 0 && ok;
}

/* A rename is durable when the folder is. */
static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool replace(const struct config *config, const char *folder, const char *from, const char *to)
{
    unlink(from);
    int fd = open(from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 && write_all(fd, config) && rename(from, to) == 0 && sync_folder(folder);
}

struct config *config_file_load_or_complain(const char *path)
{
    struct config_problems problems;
    struct config *config = config_load_file(path, &problems);
    for (size_t i = 0; i < problems.count; i++)
        fprintf(stderr, "%s\n", problems.lines[i]);
    config_problems_fini(&problems);
    if (config && config->is_token_exposed)
        fprintf(stderr, "%s: warning: admin.token: %s\n", path, CONFIG_SECRET_EXPOSED);
    if (config && config->is_password_exposed)
        fprintf(stderr, "%s: warning: docker.registries[].password: %s\n", path, CONFIG_SECRET_EXPOSED);
    return config;
}

void config_file_log_problems(const struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        log_error("%s", problems->lines[i]);
}

enum log_level config_file_log_level(const char *name)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return (enum log_level)i;
    }
    return LOG_LEVEL_INFO;
}

bool config_file_save_copy(const struct config *config, const char *state_dir, struct error *error)
{
    char *to = mem_printf("%s/" CONFIG_COPY_NAME, state_dir), *from = mem_printf("%s.new", to);
    mkdir(state_dir, 0700); /* if it cannot be made, the next step says so */
    bool ok = replace(config, state_dir, from, to);
    if (!ok)
        error_set_errno(error, "%s", to);
    free(from);
    free(to);
    return ok;
}

struct config *config_file_load_copy(const char *state_dir, struct config_problems *problems)
{
    char *path = mem_printf("%s/" CONFIG_COPY_NAME, state_dir);
    struct config *config = config_load_printed_file(path, problems);
    free(path);
    return config;
}
