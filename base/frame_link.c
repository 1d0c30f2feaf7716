#include "base/frame_link.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES 4u
#define READ_BYTES (64u << 10)
#define READS_PER_TURN 16 /* then the loop gets to its other work */
#define REASON_BYTES 128

struct frame_link {
    struct loop *loop; /* borrowed */
    int fd;
    struct event readable, writable;
    struct timer closing; /* on_close comes from the loop, never from inside a call of the owner */
    struct buf in;        /* unparsed bytes, from the start of a frame */
    struct buf out;       /* unsent bytes, behind the first `sent` */
    size_t sent;
    bool closed;
    bool *freed; /* set while a callback of the owner runs; tells that it freed us */
    char reason[REASON_BYTES];
    struct frame_link_callbacks callbacks;
    void *owner; /* borrowed */
};

static void link_close(struct frame_link *link, const char *reason)
{
    if (link->closed)
        return;
    link->closed = true;
    snprintf(link->reason, sizeof link->reason, "%s", reason);
    event_del(&link->readable);
    event_del(&link->writable);
    timer_start(&link->closing, 0);
}

static void frame_link_on_closing(void *arg)
{
    struct frame_link *link = arg;
    link->callbacks.on_close(link->owner, link->reason);
}

static uint32_t frame_length(const struct buf *in)
{
    const unsigned char *b = (const unsigned char *)in->at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* False when the owner freed the link in its callback. */
static bool hand_over(struct frame_link *link, struct slice frame)
{
    bool freed = false;
    link->freed = &freed;
    link->callbacks.on_frame(link->owner, frame);
    if (freed)
        return false;
    link->freed = NULL;
    return true;
}

/* Delivers every whole frame of the buffer. False when the link is freed or closed. */
static bool deliver_frames(struct frame_link *link)
{
    size_t done = 0;
    while (link->in.len - done >= HEADER_BYTES) {
        const struct buf rest = { .at = link->in.at + done };
        uint32_t length = frame_length(&rest);
        if (length > link->callbacks.frame_bytes_max) {
            link_close(link, "frame above the limit");
            return false;
        }
        if (link->in.len - done - HEADER_BYTES < length)
            break;
        if (!hand_over(link, (struct slice){ link->in.at + done + HEADER_BYTES, length }))
            return false;
        if (link->closed)
            return false;
        done += HEADER_BYTES + length;
    }
    buf_consume(&link->in, done);
    if (link->in.len == 0 && link->in.size > READ_BYTES * 2)
        buf_fini(&link->in); /* one big frame must not keep its memory for ever */
    return true;
}

static void frame_link_on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    char piece[READ_BYTES];
    struct frame_link *link = arg;
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            link_close(link, got == 0 ? "the other side closed" : strerror(errno));
            return;
        }
        buf_append(&link->in, piece, (size_t)got);
        if (!deliver_frames(link))
            return;
        if ((size_t)got < sizeof piece)
            return;
    }
}

static void forget_sent(struct frame_link *link)
{
    if (link->sent == link->out.len) {
        buf_fini(&link->out);
        link->sent = 0;
    } else if (link->sent > link->out.len / 2) {
        buf_consume(&link->out, link->sent); /* moves at most what was sent: linear over the whole queue */
        link->sent = 0;
    }
}

static void flush_out(struct frame_link *link)
{
    while (link->sent < link->out.len) {
        ssize_t put = send(link->fd, link->out.at + link->sent, link->out.len - link->sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            break;
        if (put < 0) {
            link_close(link, strerror(errno));
            return;
        }
        link->sent += (size_t)put;
    }
    forget_sent(link);
    if (link->out.len > 0)
        event_add(&link->writable, NULL);
}

static void frame_link_on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    flush_out(arg);
}

struct frame_link *frame_link_new(struct loop *loop, int fd, const struct frame_link_callbacks *callbacks, void *owner)
{
    struct frame_link *link = mem_alloc(sizeof *link);
    link->loop = loop;
    link->fd = fd;
    link->callbacks = *callbacks;
    if (!link->callbacks.frame_bytes_max)
        link->callbacks.frame_bytes_max = FRAME_BYTES_MAX;
    link->owner = owner;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    timer_init(&link->closing, loop, frame_link_on_closing, link);
    check(event_assign(&link->readable, loop_base(loop), fd, EV_READ | EV_PERSIST, frame_link_on_readable, link) == 0);
    check(event_assign(&link->writable, loop_base(loop), fd, EV_WRITE, frame_link_on_writable, link) == 0);
    check(event_add(&link->readable, NULL) == 0);
    return link;
}

void frame_link_free(struct frame_link *link)
{
    if (!link)
        return;
    if (link->freed)
        *link->freed = true;
    event_del(&link->readable);
    event_del(&link->writable);
    timer_stop(&link->closing);
    close(link->fd);
    buf_fini(&link->in);
    buf_fini(&link->out);
    free(link);
}

bool frame_link_send(struct frame_link *link, struct slice frame)
{
    if (link->closed)
        return false;
    if (frame.len > FRAME_BYTES_MAX) {
        link_close(link, "frame to send above the limit");
        return false;
    }
    if (link->out.len - link->sent + HEADER_BYTES + frame.len > FRAME_QUEUE_BYTES_MAX) {
        link_close(link, "the other side does not read: queue full");
        return false;
    }
    const unsigned char header[HEADER_BYTES] = { (unsigned char)(frame.len >> 24), (unsigned char)(frame.len >> 16),
                                                 (unsigned char)(frame.len >> 8), (unsigned char)frame.len };
    bool was_idle = link->out.len == 0;
    buf_append(&link->out, header, sizeof header);
    buf_append_slice(&link->out, frame);
    if (was_idle)
        flush_out(link);
    return !link->closed;
}
