#include "daemon/socket_book.h"

#include "base/mem.h"
#include "daemon/listen_sockets.h"

#include <stdlib.h>
#include <unistd.h>

/* The sockets of `before` for that address: their number, and where they are. */
static size_t find_listener(const struct socket_book *before, const char *address, const int **fds)
{
    for (size_t l = 0; before && l < before->listener_count; l++) {
        *fds = before->fds + l * before->per_listener;
        if (listen_sockets_is_on((*fds)[0], address))
            return before->per_listener;
    }
    return 0;
}

/* "0.0.0.0:80" instead of "127.0.0.1:80": we hold the port, so that asking whether anybody does says nothing. */
static bool holds_port(const struct socket_book *before, const char *address)
{
    for (size_t l = 0; before && l < before->listener_count; l++) {
        if (listen_sockets_has_port(before->fds[l * before->per_listener], address))
            return true;
    }
    return false;
}

static enum listen_mode mode_for(const struct socket_book *before, const char *address)
{
    return holds_port(before, address) ? LISTEN_JOINING : LISTEN_SHARED;
}

static bool is_admin_kept(const struct socket_book *before, const char *address)
{
    return before && before->admin_fd >= 0 && listen_sockets_is_on(before->admin_fd, address);
}

static size_t count_per_listener(const struct socket_book *before, uint32_t workers)
{
    return before && before->per_listener > workers ? before->per_listener : workers;
}

static bool fail(struct error *error, size_t listener, const char *address, const struct error *why)
{
    return error_set(error, "listeners[%zu].address %s: %s", listener, address, why->text);
}

static bool fail_admin(struct error *error, const char *address, const struct error *why)
{
    return error_set(error, "admin.address %s: %s", address, why->text);
}

static bool open_listener(struct socket_book *book, size_t l, const char *address, const struct socket_book *before,
                          struct error *error)
{
    struct error why;
    const int *kept = NULL;
    int *fds = book->fds + l * book->per_listener;
    size_t count = find_listener(before, address, &kept);
    for (size_t i = 0; i < count; i++)
        fds[i] = kept[i];
    return listen_sockets_open(address, mode_for(before, address), book->per_listener - count, fds + count, &why) ||
           fail(error, l, address, &why);
}

static bool open_admin(struct socket_book *book, const char *address, const struct socket_book *before,
                       struct error *error)
{
    struct error why;
    if (is_admin_kept(before, address)) {
        book->admin_fd = before->admin_fd;
        return true;
    }
    return listen_sockets_open(address, LISTEN_ALONE, 1, &book->admin_fd, &why) || fail_admin(error, address, &why);
}

bool socket_book_open(struct socket_book *book, const struct config *config, uint32_t workers,
                      const struct socket_book *before, struct error *error)
{
    *book = (struct socket_book){ .per_listener = count_per_listener(before, workers), .admin_fd = -1 };
    book->fds = mem_alloc_array(config->listener_count * book->per_listener, sizeof *book->fds);
    bool ok = true;
    for (size_t l = 0; ok && l < config->listener_count; l++) {
        for (size_t i = 0; i < book->per_listener; i++)
            book->fds[l * book->per_listener + i] = -1;
        book->listener_count++;
        ok = open_listener(book, l, config->listeners[l].address, before, error);
    }
    ok = ok && open_admin(book, config->admin.address, before, error);
    if (!ok)
        socket_book_close(book, before);
    return ok;
}

bool socket_book_try(const struct config *config, uint32_t workers, const struct socket_book *before,
                     struct error *error)
{
    struct error why;
    for (size_t l = 0; l < config->listener_count; l++) {
        const char *address = config->listeners[l].address;
        const int *kept = NULL;
        if (find_listener(before, address, &kept) < count_per_listener(before, workers) &&
            !listen_sockets_try(address, mode_for(before, address), &why))
            return fail(error, l, address, &why);
    }
    return is_admin_kept(before, config->admin.address) ||
           listen_sockets_try(config->admin.address, LISTEN_ALONE, &why) ||
           fail_admin(error, config->admin.address, &why);
}

size_t socket_book_fd_count(const struct socket_book *book)
{
    return book->listener_count * book->per_listener;
}

static bool has(const struct socket_book *book, int fd)
{
    bool found = book && book->admin_fd == fd;
    for (size_t i = 0; book && !found && i < socket_book_fd_count(book); i++)
        found = book->fds[i] == fd;
    return found;
}

void socket_book_close(struct socket_book *book, const struct socket_book *kept)
{
    for (size_t i = 0; i < socket_book_fd_count(book); i++) {
        if (!has(kept, book->fds[i]))
            listen_sockets_close(&book->fds[i], 1);
    }
    if (!has(kept, book->admin_fd))
        listen_sockets_close(&book->admin_fd, 1);
    free(book->fds);
    *book = (struct socket_book)SOCKET_BOOK_EMPTY;
}
