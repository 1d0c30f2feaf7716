#include "daemon/predecessors.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/stats.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void ignore_message(void *owner, enum child_message message, int fd)
{
    (void)owner;
    (void)message;
    if (fd >= 0)
        close(fd);
}

static void on_channel_close(void *owner)
{
    struct predecessor *row = owner;
    child_channel_free(row->child.channel);
    row->child.channel = NULL;
}

static const struct child_channel_callbacks callbacks = { .on_message = ignore_message, .on_close = on_channel_close };

static void remove_row(struct predecessors *p, size_t at)
{
    memmove(p->rows + at, p->rows + at + 1, (p->count - at - 1) * sizeof *p->rows);
    p->count--;
}

static void free_row(struct predecessor *row)
{
    child_forget(&row->child);
    if (row->stats_fd >= 0)
        close(row->stats_fd);
    free(row);
}

size_t predecessors_living_count(const struct predecessors *p)
{
    size_t living = 0;
    for (size_t i = 0; i < p->count; i++)
        living += p->rows[i]->child.pid != 0;
    return living;
}

bool predecessors_make_room(struct predecessors *p)
{
    size_t at = 0;
    if (p->count < PREDECESSORS_MAX)
        return true;
    while (at < p->count && p->rows[at]->child.pid != 0)
        at++;
    if (at == p->count)
        return false;
    log_warn("the counters of a proxy that ended after an upgrade are given up: there is no place for more");
    free_row(p->rows[at]);
    remove_row(p, at);
    return true;
}

void predecessors_add(struct predecessors *p, pid_t pid, int channel_fd, int stats_fd)
{
    check(p->count < PREDECESSORS_MAX);
    struct predecessor *row = mem_alloc(sizeof *row);
    row->child.name = "proxy";
    row->child.pid = pid;
    row->stats_fd = stats_fd;
    if (channel_fd >= 0)
        row->child.channel = child_channel_new(p->loop, channel_fd, &callbacks, row);
    p->rows[p->count++] = row;
}

const struct predecessor *predecessors_find(const struct predecessors *p, pid_t pid)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->rows[i]->child.pid == pid)
            return p->rows[i];
    }
    return NULL;
}

bool predecessors_has_region(const struct predecessors *p, int stats_fd)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->rows[i]->stats_fd == stats_fd)
            return true;
    }
    return false;
}

bool predecessors_end(struct predecessors *p, pid_t pid)
{
    struct error error;
    for (size_t i = 0; i < p->count; i++) {
        struct predecessor *row = p->rows[i];
        if (row->child.pid != pid)
            continue;
        child_forget(&row->child);
        if (stats_reset(row->stats_fd, &error))
            return true;
        free_row(row); /* of another version: nobody reads it, nobody will use it */
        remove_row(p, i);
        return true;
    }
    return false;
}

int predecessors_take_region(struct predecessors *p, uint32_t workers)
{
    for (size_t i = 0; i < p->count; i++) {
        struct predecessor *row = p->rows[i];
        if (row->child.pid != 0 || stats_workers_of(row->stats_fd) != workers)
            continue;
        int fd = row->stats_fd;
        row->stats_fd = -1;
        free_row(row);
        remove_row(p, i);
        return fd;
    }
    return -1;
}

size_t predecessors_unreadable_count(const struct predecessors *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        count += p->rows[i]->child.pid != 0 && stats_workers_of(p->rows[i]->stats_fd) == 0;
    return count;
}

void predecessors_send(struct predecessors *p, enum child_message message, int fd)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct child *child = &p->rows[i]->child;
        if (child->channel && !child_channel_send(child->channel, message, fd))
            log_error("proxy[%d]: could not be told", (int)child->pid);
    }
}

void predecessors_kill(const struct predecessors *p, int signal_number)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->rows[i]->child.pid != 0)
            kill(p->rows[i]->child.pid, signal_number);
    }
}

void predecessors_fini(struct predecessors *p)
{
    while (p->count > 0)
        free_row(p->rows[--p->count]);
}
