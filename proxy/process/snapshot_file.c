#include "proxy/process/snapshot_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/snapshot/endpoint.h"
#include "proxy/snapshot/snapshot_fields.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENERS_MAX 16
#define LISTEN_BACKLOG 4096

const struct json_limits snapshot_document_limits = { .bytes_max = 64u << 20, .depth_max = 16, .values_max = 4000000 };

/* False when it cannot be read or is too large; then errno says why. */
static bool read_whole(const char *path, struct buf *text)
{
    char piece[65536];
    FILE *file = fopen(path, "rbe");
    size_t got;
    if (!file)
        return false;
    errno = EFBIG;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0 && buf_append(text, piece, got))
        ;
    bool ok = !ferror(file) && !text->overflowed;
    fclose(file);
    return ok;
}

json_t *snapshot_file_load(const char *path, struct error *error)
{
    struct buf text;
    struct error cause;
    json_t *document = NULL;
    buf_init(&text, snapshot_document_limits.bytes_max);
    if (!read_whole(path, &text))
        error_set_errno(error, "%s", path);
    else if (!(document = json_parse_bounded((struct slice){ text.at, text.len }, &snapshot_document_limits, &cause)))
        error_set(error, "%s: %s", path, cause.text);
    buf_fini(&text);
    return document;
}

static int open_listening_socket(const char *address, struct error *error)
{
    union endpoint_address where;
    socklen_t len;
    int one = 1;
    if (!endpoint_parse_address(address, &where, &len)) {
        error_set(error, "listeners: '%s' is not an address, allowed is IPv4:port or [IPv6]:port", address);
        return -1;
    }
    int fd = socket(where.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 && bind(fd, &where.any, len) == 0 &&
        listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    error_set_errno(error, "listeners: %s", address);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool bind_listeners(json_t *listeners, struct proxy_options *options, struct error *error)
{
    static const char *const allowed[] = { "name", "address", NULL };
    size_t count = json_array_size(listeners);
    if (count == 0 || count > LISTENERS_MAX)
        return error_set(error, "listeners: missing, allowed are 1 to %d", LISTENERS_MAX);
    options->listen_fds = mem_alloc_array(count * options->workers, sizeof *options->listen_fds);
    for (size_t l = 0; l < count; l++) {
        json_t *listener = json_array_get(listeners, l);
        if (!snapshot_check_keys(listener, allowed, "listeners", error))
            return false;
        const char *address = snapshot_read_text(listener, "address", "listeners", error);
        for (uint32_t w = 0; address && w < options->workers; w++) {
            int fd = open_listening_socket(address, error);
            if (fd < 0)
                return false;
            options->listen_fds[options->listen_fd_count++] = fd;
        }
        if (!address)
            return false;
    }
    return true;
}

static bool fill_options(json_t *document, struct proxy_options *options, struct error *error)
{
    int64_t workers = 1;
    if (!json_is_object(document))
        return error_set(error, "document: not an object");
    if (!snapshot_read_integer(document, "workers", "document", 1, STATS_WORKERS_MAX, &workers, error))
        return false;
    options->workers = (uint32_t)workers;
    options->sockets_per_listener = options->workers;
    const char *where = "off";
    if (json_object_get(document, "accessLog"))
        where = snapshot_read_text(document, "accessLog", "document", error);
    if (!where)
        return false;
    options->access_log = mem_strdup(where);
    return bind_listeners(json_object_get(document, "listeners"), options, error);
}

bool proxy_options_from_file(const char *path, struct proxy_options *options)
{
    struct error error;
    json_t *document = snapshot_file_load(path, &error);
    bool ok = document && fill_options(document, options, &error);
    json_decref(document);
    if (!ok)
        fprintf(stderr, "portico: %s\n", error.text);
    return ok;
}

void proxy_options_fini(struct proxy_options *options)
{
    free(options->listen_fds);
    free((char *)options->access_log);
}
