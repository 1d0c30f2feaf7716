#include "tests/unit/proxy/io/sealed_transport.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KEY 0x5a

struct sealed {
    struct transport base;
    struct buf sealed_in;  /* as received; less than a record, or records that follow what is in `opened` */
    struct buf opened;     /* content that the owner has not taken */
    struct buf sealed_out; /* records that the socket has not taken */
    bool is_first;         /* the peer answers our HELLO, not we its */
    bool is_greeted;       /* the peer's HELLO has come */
    bool owes_answer;      /* which goes before anything else */
    bool has_end;          /* the peer's */
    int broken_by;
    int *open_count;
};

void sealed_put(struct buf *out, enum sealed_type type, const void *content, size_t len)
{
    const unsigned char head[SEALED_HEAD_BYTES] = { type, (unsigned char)(len >> 8), (unsigned char)len };
    check(buf_append(out, head, sizeof head));
    for (size_t i = 0; i < len; i++) {
        char byte = (char)(((const char *)content)[i] ^ KEY);
        check(buf_append(out, &byte, 1));
    }
}

enum sealed_type sealed_take(struct buf *in, struct buf *content)
{
    const unsigned char *head = (const unsigned char *)in->at;
    if (in->len < SEALED_HEAD_BYTES)
        return 0;
    enum sealed_type type = head[0];
    size_t len = (size_t)head[1] << 8 | head[2];
    if (in->len < SEALED_HEAD_BYTES + len)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char byte = (char)(in->at[SEALED_HEAD_BYTES + i] ^ KEY);
        check(buf_append(content, &byte, 1));
    }
    buf_consume(in, SEALED_HEAD_BYTES + len);
    return type;
}

static void fail(struct sealed *s, int cause)
{
    s->broken_by = s->broken_by ? s->broken_by : cause;
    buf_clear(&s->sealed_out);
}

static void flush(struct sealed *s, int fd)
{
    while (s->sealed_out.len > 0 && !s->broken_by) {
        ssize_t put = send(fd, s->sealed_out.at, s->sealed_out.len, MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            fail(s, errno);
        if (put <= 0)
            return;
        buf_consume(&s->sealed_out, (size_t)put);
    }
    if (s->sealed_out.len == 0)
        s->owes_answer = false;
}

static void open_record(struct sealed *s)
{
    enum sealed_type type = sealed_take(&s->sealed_in, &s->opened);
    if (!s->is_greeted && type != 0 && type != SEALED_HELLO) {
        buf_clear(&s->opened);
        fail(s, EPROTO);
    }
    s->is_greeted |= type == SEALED_HELLO;
    s->has_end |= type == SEALED_END;
    if (type != SEALED_KEYS && (type != SEALED_HELLO || s->is_first))
        return;
    s->owes_answer = true;
    sealed_put(&s->sealed_out, type, NULL, 0);
}

/* One read at most. */
static void fill(struct sealed *s, int fd)
{
    char bytes[4 * SEALED_RECORD_BYTES];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got > 0)
        check(buf_append(&s->sealed_in, bytes, (size_t)got));
    else if (got == 0)
        fail(s, ECONNRESET); /* cut off: an END would have come */
    else if (errno != EAGAIN && errno != EINTR)
        fail(s, errno);
}

/* Opens records until there is something to take, or to do. */
static void open_records(struct sealed *s, int fd)
{
    size_t before;
    do {
        before = s->sealed_in.len;
        open_record(s);
        if (s->owes_answer)
            flush(s, fd);
    } while (s->sealed_in.len < before && s->opened.len == 0 && !s->owes_answer && !s->has_end && !s->broken_by);
}

static ssize_t not_now(const struct sealed *s)
{
    errno = s->broken_by ? s->broken_by : EAGAIN;
    return -1;
}

static ssize_t sealed_receive(struct transport *t, int fd, void *into, size_t room)
{
    struct sealed *s = (struct sealed *)t;
    if (s->opened.len == 0 && !s->owes_answer && !s->has_end)
        open_records(s, fd);
    if (s->opened.len == 0 && !s->owes_answer && !s->has_end && !s->broken_by) {
        fill(s, fd);
        open_records(s, fd);
    }
    size_t len = s->opened.len < room ? s->opened.len : room;
    if (len > 0) {
        memcpy(into, s->opened.at, len);
        buf_consume(&s->opened, len);
        return (ssize_t)len;
    }
    return s->has_end && !s->owes_answer ? 0 : not_now(s);
}

/* One record of what both hold. */
static ssize_t sealed_send(struct transport *t, int fd, struct slice first, struct slice second)
{
    struct sealed *s = (struct sealed *)t;
    char content[SEALED_RECORD_BYTES];
    size_t len = 0;
    flush(s, fd);
    if (!s->is_greeted || s->sealed_out.len > 0 || s->broken_by)
        return not_now(s);
    const struct slice pieces[] = { first, second };
    for (int i = 0; i < 2; i++) {
        size_t room = sizeof content - len, part = pieces[i].len < room ? pieces[i].len : room;
        if (part > 0)
            memcpy(content + len, pieces[i].at, part);
        len += part;
    }
    sealed_put(&s->sealed_out, SEALED_BYTES, content, len);
    flush(s, fd);
    return s->broken_by ? not_now(s) : (ssize_t)len;
}

static void sealed_shutdown(struct transport *t, int fd)
{
    struct sealed *s = (struct sealed *)t;
    sealed_put(&s->sealed_out, SEALED_END, NULL, 0);
    flush(s, fd);
}

static int sealed_go_on(struct transport *t, int fd)
{
    struct sealed *s = (struct sealed *)t;
    flush(s, fd);
    if (!s->is_greeted && !s->broken_by) {
        fill(s, fd);
        open_record(s);
        flush(s, fd);
    }
    return s->broken_by;
}

static enum transport_need sealed_need(const struct transport *t)
{
    const struct sealed *s = (const struct sealed *)t;
    if (s->broken_by)
        return TRANSPORT_NEEDS_NOTHING;
    if (s->owes_answer || (!s->is_greeted && s->sealed_out.len > 0))
        return TRANSPORT_NEEDS_WRITE;
    if (!s->is_greeted)
        return TRANSPORT_NEEDS_READ;
    return s->sealed_out.len > 0 ? TRANSPORT_HOLDS_OUTPUT : TRANSPORT_NEEDS_NOTHING;
}

static bool sealed_holds_input(const struct transport *t)
{
    const struct sealed *s = (const struct sealed *)t;
    const unsigned char *head = (const unsigned char *)s->sealed_in.at;
    bool has_record = s->sealed_in.len >= SEALED_HEAD_BYTES &&
                      s->sealed_in.len >= SEALED_HEAD_BYTES + ((size_t)head[1] << 8 | head[2]);
    return !s->broken_by && !s->owes_answer && (s->opened.len > 0 || has_record);
}

static void sealed_close(struct transport *t, struct buffer_pool *pool)
{
    struct sealed *s = (struct sealed *)t;
    (void)pool;
    buf_fini(&s->sealed_in);
    buf_fini(&s->opened);
    buf_fini(&s->sealed_out);
    --*s->open_count;
    free(s);
}

struct transport *sealed_transport_new(bool is_first, int *open_count)
{
    static const struct transport_ops ops = { .name = "sealed",
                                              .receive = sealed_receive,
                                              .send = sealed_send,
                                              .shutdown = sealed_shutdown,
                                              .go_on = sealed_go_on,
                                              .need = sealed_need,
                                              .holds_input = sealed_holds_input,
                                              .close = sealed_close };
    struct sealed *s = calloc(1, sizeof *s);
    check(s != NULL);
    s->base.ops = &ops;
    buf_init(&s->sealed_in, 0);
    buf_init(&s->opened, 0);
    buf_init(&s->sealed_out, 0);
    s->open_count = open_count;
    ++*open_count;
    s->is_first = is_first;
    if (is_first)
        sealed_put(&s->sealed_out, SEALED_HELLO, NULL, 0);
    return &s->base;
}
