#include "controller/runtime/log_tail.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

void log_tail_init(struct log_tail *tail)
{
    *tail = (struct log_tail){ 0 };
    buf_init(&tail->kept, 0);
}

void log_tail_fini(struct log_tail *tail)
{
    buf_fini(&tail->kept);
}

/* Bytes move to the front once for each LOG_TAIL_BYTES_MAX that came. */
static void keep(struct log_tail *tail, const char *at, size_t len)
{
    if (len > LOG_TAIL_BYTES_MAX) {
        at += len - LOG_TAIL_BYTES_MAX;
        len = LOG_TAIL_BYTES_MAX;
        tail->is_cut = true;
    }
    if (tail->kept.len + len > 2 * LOG_TAIL_BYTES_MAX) {
        buf_consume(&tail->kept, tail->kept.len - LOG_TAIL_BYTES_MAX);
        tail->is_cut = true;
    }
    buf_append(&tail->kept, at, len);
}

/* Type 0 to 2, three zeros, the length in network order. */
static bool may_be_head(const unsigned char *head, size_t len)
{
    return head[0] <= 2 && (len < 2 || head[1] == 0) && (len < 3 || head[2] == 0) && (len < 4 || head[3] == 0);
}

static void take_head_byte(struct log_tail *tail, char byte)
{
    const unsigned char *h = tail->head;
    tail->head[tail->head_len++] = (unsigned char)byte;
    if (!may_be_head(h, tail->head_len)) {
        tail->state = LOG_TAIL_PLAIN;
        keep(tail, (const char *)h, tail->head_len);
    } else if (tail->head_len == LOG_TAIL_HEAD_BYTES) {
        tail->frame_left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
        tail->head_len = 0;
        tail->state = tail->frame_left > 0 ? LOG_TAIL_IN_FRAME : LOG_TAIL_IN_HEAD;
    }
}

void log_tail_add(struct log_tail *tail, struct slice piece)
{
    while (piece.len > 0) {
        size_t len = 1;
        switch (tail->state) {
        case LOG_TAIL_IN_HEAD:
            take_head_byte(tail, piece.at[0]);
            break;
        case LOG_TAIL_IN_FRAME:
            len = piece.len < tail->frame_left ? piece.len : tail->frame_left;
            keep(tail, piece.at, len);
            tail->frame_left -= (uint32_t)len;
            if (tail->frame_left == 0)
                tail->state = LOG_TAIL_IN_HEAD;
            break;
        default:
            len = piece.len;
            keep(tail, piece.at, len);
        }
        piece.at += len;
        piece.len -= len;
    }
}

/* Bytes of the character at `at` that may be shown as it is, 0 when it may not: no control, of C0 or C1, but a tab. */
static size_t measure_printable(const char *at, size_t left)
{
    uint32_t value;
    size_t len = utf8_sequence(at, left, &value);
    bool is_control = value < 0x20 || (value >= 0x7f && value < 0xa0);
    return is_control && value != '\t' ? 0 : len;
}

/* A carriage return ends a line: what a terminal would write over may be what was seen last. */
static void print(const struct buf *kept, struct buf *out)
{
    const char *at = kept->at;
    for (size_t i = 0, len; i < kept->len; i += len) {
        len = 1;
        if (at[i] == '\r' && i + 1 < kept->len && at[i + 1] == '\n')
            continue;
        if (at[i] == '\n' || at[i] == '\r') {
            buf_append(out, "\n", 1);
            continue;
        }
        size_t printable_len = measure_printable(at + i, kept->len - i);
        len = printable_len > 0 ? printable_len : 1;
        buf_append(out, printable_len > 0 ? at + i : "?", len);
    }
}

/* Where the newest lines begin that fit; inside a line only where not even one fits. */
static const char *find_begin(const char *text, const char *end)
{
    const char *begin = end;
    for (size_t lines = 0; lines < LOG_TAIL_LINES_MAX && begin > text; lines++) {
        const char *line = begin == end ? end : begin - 1; /* behind the one before */
        while (line > text && line[-1] != '\n')
            line--;
        if ((size_t)(end - line) > LOG_TAIL_BYTES_MAX)
            break;
        begin = line;
    }
    if (begin < end || end == text)
        return begin;
    begin = end - LOG_TAIL_BYTES_MAX;
    while (begin < end && ((unsigned char)*begin & 0xc0) == 0x80)
        begin++;
    return begin;
}

char *log_tail_text(const struct log_tail *tail)
{
    struct buf out;
    buf_init(&out, 0);
    print(&tail->kept, &out);
    const char *text = buf_text(&out), *end = text + out.len;
    while (end > text && end[-1] == '\n')
        end--;
    const char *first_end = tail->is_cut && end > text ? memchr(text, '\n', (size_t)(end - text)) : NULL;
    if (first_end != NULL) /* the line before it has lost its beginning */
        text = first_end + 1;
    const char *begin = find_begin(text, end);
    char *lines = mem_strndup(begin, (size_t)(end - begin));
    buf_fini(&out);
    return lines;
}
