#include "daemon/handover.h"

#include "base/json.h"
#include "base/mem.h"
#include "config/load.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT 1
#define BYTES_MAX (2 * CONFIG_PRINTED_BYTES_MAX) /* escapes of JSON */

static json_t *sockets_to_json(const struct socket_book *sockets)
{
    json_t *fds = json_array();
    for (size_t i = 0; i < socket_book_fd_count(sockets); i++)
        json_array_append_new(fds, json_integer(sockets->fds[i]));
    return json_pack("{s:I, s:I, s:i, s:o}", "listeners", (json_int_t)sockets->listener_count, "perListener",
                     (json_int_t)sockets->per_listener, "adminFd", sockets->admin_fd, "fds", fds);
}

static json_t *proxies_to_json(const struct handover *h)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < h->proxy_count; i++)
        json_array_append_new(rows, json_pack("{s:i, s:i, s:i}", "pid", (int)h->proxies[i].pid, "channelFd",
                                              h->proxies[i].channel_fd, "statsFd", h->proxies[i].stats_fd));
    return rows;
}

static json_t *to_json(const struct handover *h)
{
    return json_pack("{s:i, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:o}", "format", FORMAT,
                     "program", h->program, "config", h->config_text, "programFd", h->program_fd, "presenceFd",
                     h->presence_fd, "drainMs", (json_int_t)h->drain_ms, "workers", (json_int_t)h->workers, "upgrades",
                     (json_int_t)h->upgrade_count, "refusals", (json_int_t)h->refusal_count, "controlStarts",
                     (json_int_t)h->control_starts, "proxyStarts", (json_int_t)h->proxy_starts, "sockets",
                     sockets_to_json(&h->sockets), "isServed", h->is_served, "proxies", proxies_to_json(h));
}

static bool write_whole(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, at, len);
        if (put <= 0)
            return false;
        at += put;
        len -= (size_t)put;
    }
    return true;
}

int handover_write(const struct handover *h, struct error *error)
{
    json_t *document = to_json(h);
    char *text = document ? json_to_text(document) : NULL;
    json_decref(document);
    int fd = text ? memfd_create("portico-handover", 0) : -1;
    if (fd < 0 || !write_whole(fd, text, strlen(text))) {
        error_set_errno(error, "handover: memfd");
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    free(text);
    return fd;
}

/* ---- reading ---- */

static char *read_whole(int fd, size_t *len)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || status.st_size <= 0 || status.st_size > BYTES_MAX)
        return NULL;
    char *text = mem_alloc((size_t)status.st_size);
    *len = (size_t)status.st_size;
    if (pread(fd, text, *len, 0) == status.st_size)
        return text;
    free(text);
    return NULL;
}

static bool find_number(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *out)
{
    return json_find_integer(object, key, out) && *out >= least && *out <= most;
}

/* An open one, or -1 where that is allowed. */
static bool find_fd(const json_t *object, const char *key, bool is_optional, int *out)
{
    int64_t number;
    if (!find_number(object, key, -1, INT_MAX, &number))
        return false;
    *out = (int)number;
    return number < 0 ? is_optional : fcntl(*out, F_GETFD) >= 0;
}

static bool read_sockets(const json_t *object, struct socket_book *out)
{
    int64_t listeners, per_listener;
    const json_t *fds = json_find_array(object, "fds");
    if (!find_number(object, "listeners", 1, CONFIG_LISTENERS_MAX, &listeners) ||
        !find_number(object, "perListener", 1, INT_MAX, &per_listener) ||
        !find_fd(object, "adminFd", false, &out->admin_fd) ||
        json_array_size(fds) != (size_t)listeners * (size_t)per_listener)
        return false;
    out->listener_count = (size_t)listeners;
    out->per_listener = (size_t)per_listener;
    out->fds = mem_alloc_array(json_array_size(fds), sizeof *out->fds);
    for (size_t i = 0; i < json_array_size(fds); i++) {
        json_int_t fd = json_integer_value(json_array_get(fds, i));
        if (fd < 0 || fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0)
            return false;
        out->fds[i] = (int)fd;
    }
    return true;
}

static bool read_proxies(const json_t *rows, struct handover *out)
{
    if (!rows || json_array_size(rows) > HANDOVER_PROXIES_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct handover_proxy *proxy = &out->proxies[out->proxy_count++];
        int64_t pid;
        if (!find_number(row, "pid", 0, INT_MAX, &pid) || !find_fd(row, "channelFd", true, &proxy->channel_fd) ||
            !find_fd(row, "statsFd", false, &proxy->stats_fd))
            return false;
        proxy->pid = (pid_t)pid;
    }
    return true;
}

static bool read_numbers(const json_t *document, struct handover *out)
{
    int64_t workers, upgrades, refusals, control_starts, proxy_starts;
    bool ok = find_number(document, "drainMs", 0, INT64_MAX, &out->drain_ms) &&
              find_number(document, "workers", 1, INT_MAX, &workers) &&
              find_number(document, "upgrades", 0, UINT32_MAX, &upgrades) &&
              find_number(document, "refusals", 0, UINT32_MAX, &refusals) &&
              find_number(document, "controlStarts", 0, UINT32_MAX, &control_starts) &&
              find_number(document, "proxyStarts", 0, UINT32_MAX, &proxy_starts);
    if (!ok)
        return false;
    out->workers = (uint32_t)workers;
    out->upgrade_count = (uint32_t)upgrades;
    out->refusal_count = (uint32_t)refusals;
    out->control_starts = (uint32_t)control_starts;
    out->proxy_starts = (uint32_t)proxy_starts;
    return true;
}

static bool from_json(const json_t *document, struct handover *out)
{
    int64_t format;
    const char *program = json_find_string(document, "program"), *config = json_find_string(document, "config");
    if (!json_find_integer(document, "format", &format) || format != FORMAT || !program || !config)
        return false;
    out->program = mem_strdup(program);
    out->config_text = mem_strdup(config);
    return find_fd(document, "programFd", false, &out->program_fd) &&
           find_fd(document, "presenceFd", true, &out->presence_fd) && read_numbers(document, out) &&
           read_sockets(json_find_object(document, "sockets"), &out->sockets) &&
           json_find_bool(document, "isServed", &out->is_served) &&
           read_proxies(json_find_array(document, "proxies"), out) && (!out->is_served || out->proxy_count > 0);
}

bool handover_read(int fd, struct handover *out, struct error *error)
{
    static const struct json_limits limits = { .bytes_max = BYTES_MAX, .depth_max = 8, .values_max = 10000 };
    size_t len = 0;
    char *text = read_whole(fd, &len);
    json_t *document = text ? json_parse_bounded((struct slice){ text, len }, &limits, error) : NULL;
    *out = (struct handover){ .program_fd = -1, .presence_fd = -1, .sockets = SOCKET_BOOK_EMPTY };
    bool ok = document && from_json(document, out);
    json_decref(document);
    free(text);
    if (ok) {
        handover_keep(out, false);
        return true;
    }
    handover_fini(out);
    return error_set(error, "handover: descriptor %d is not a document of format %d", fd, FORMAT);
}

static void keep(int fd, bool on)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}

void handover_keep(const struct handover *h, bool on)
{
    keep(h->program_fd, on);
    keep(h->presence_fd, on);
    keep(h->sockets.admin_fd, on);
    for (size_t i = 0; i < socket_book_fd_count(&h->sockets); i++)
        keep(h->sockets.fds[i], on);
    for (size_t i = 0; i < h->proxy_count; i++) {
        keep(h->proxies[i].channel_fd, on);
        keep(h->proxies[i].stats_fd, on);
    }
}

void handover_fini(struct handover *h)
{
    free(h->program);
    if (h->config_text)
        explicit_bzero(h->config_text, strlen(h->config_text));
    free(h->config_text);
    free(h->sockets.fds);
    *h = (struct handover){ .program_fd = -1, .presence_fd = -1, .sockets = SOCKET_BOOK_EMPTY };
}
