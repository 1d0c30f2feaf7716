/* log_tail: the end of what a container wrote, out of the pieces of the engine's answer to a log call, however many there
 * are and however they are cut: frames of stdout and stderr (an 8-byte header each) or, of a terminal, plain bytes. Never
 * holds more than twice LOG_TAIL_BYTES_MAX. Pure; any thread, one at a time; embedded in its owner. */
#ifndef CONTROLLER_RUNTIME_LOG_TAIL_H
#define CONTROLLER_RUNTIME_LOG_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define LOG_TAIL_LINES_MAX 50
#define LOG_TAIL_BYTES_MAX 8192
#define LOG_TAIL_HEAD_BYTES 8

enum log_tail_state {
    LOG_TAIL_IN_HEAD = 0, /* of a frame */
    LOG_TAIL_IN_FRAME,
    LOG_TAIL_PLAIN, /* what came was no frame: all the rest is text */
};

struct log_tail {
    enum log_tail_state state;
    unsigned char head[LOG_TAIL_HEAD_BYTES];
    size_t head_len;
    uint32_t frame_left;
    struct buf kept;
    bool is_cut; /* something before it is gone */
};

void log_tail_init(struct log_tail *tail);
void log_tail_fini(struct log_tail *tail);

void log_tail_add(struct log_tail *tail, struct slice piece);

/* The last lines that fit, whole ones where there are any, with '\n' between and none at the end; UTF-8, with '?' for what
 * cannot be printed. "" when nothing was written. The caller's, to free(). */
char *log_tail_text(const struct log_tail *tail);

#endif
