#include "controller/runtime/last_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

#define FRAME_HEAD_BYTES 8
#define EXIT_KILLED 137     /* SIGKILL */
#define EXIT_TERMINATED 143 /* SIGTERM */

void last_words_begin(const json_t *inspected, char out[LAST_WORDS_SIZE])
{
    const json_t *state = json_find_object(inspected, "State");
    const char *error = json_find_string(state, "Error");
    int64_t exit_code = 0;
    bool is_out_of_memory = false;
    out[0] = '\0';
    json_find_integer(state, "ExitCode", &exit_code);
    json_find_bool(state, "OOMKilled", &is_out_of_memory);
    bool is_ordered = exit_code == 0 || exit_code == EXIT_KILLED || exit_code == EXIT_TERMINATED;
    if (is_ordered && !is_out_of_memory)
        return;
    bool has_error = error != NULL && error[0] != '\0';
    snprintf(out, LAST_WORDS_SIZE, "exit code %" PRId64 "%s%s%.200s", exit_code,
             is_out_of_memory ? ", out of memory" : "", has_error ? ": " : "", has_error ? error : "");
}

/* Type 0 to 2, three zeros, the length in network order. */
static bool is_frame_head(const unsigned char *at, size_t len)
{
    return len >= FRAME_HEAD_BYTES && at[0] <= 2 && at[1] == 0 && at[2] == 0 && at[3] == 0;
}

static void take_frames(struct slice raw, struct buf *text)
{
    const unsigned char *at = (const unsigned char *)raw.at;
    size_t left = raw.len;
    while (is_frame_head(at, left)) {
        size_t len = (size_t)at[4] << 24 | (size_t)at[5] << 16 | (size_t)at[6] << 8 | at[7];
        at += FRAME_HEAD_BYTES;
        left -= FRAME_HEAD_BYTES;
        if (len > left)
            len = left; /* the answer was cut */
        buf_append(text, at, len);
        at += len;
        left -= len;
    }
    buf_append(text, at, left);
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r' || c == '\0';
}

/* Where the newest lines begin that fit into room. */
static const char *find_begin(const char *text, const char *end, size_t room)
{
    const char *begin = end;
    size_t used = 0;
    while (begin > text) {
        const char *line = begin;
        while (line > text && is_line_end(line[-1]))
            line--;
        while (line > text && !is_line_end(line[-1]))
            line--;
        used += (size_t)(begin - line) + sizeof " | ";
        if (used > room)
            break;
        begin = line;
    }
    return begin < end || end == text ? begin : end - (room < (size_t)(end - text) ? room : (size_t)(end - text));
}

void last_words_add_log(struct slice raw, char out[LAST_WORDS_SIZE])
{
    static const char lead[] = "; its last lines: ";
    struct buf text;
    size_t len = strlen(out);
    buf_init(&text, 0);
    take_frames(raw, &text);
    const char *whole = buf_text(&text), *end = whole + text.len;
    while (end > whole && is_line_end(end[-1]))
        end--;
    size_t room = LAST_WORDS_SIZE - 1 - len - (sizeof lead - 1);
    if (end > whole && len + sizeof lead < LAST_WORDS_SIZE) {
        len += (size_t)snprintf(out + len, LAST_WORDS_SIZE - len, "%s", lead);
        bool is_first = true;
        for (const char *c = find_begin(whole, end, room); c < end && len < LAST_WORDS_SIZE - 1;) {
            size_t line = 0;
            while (c + line < end && !is_line_end(c[line]))
                line++;
            if (line > 0)
                len +=
                    (size_t)snprintf(out + len, LAST_WORDS_SIZE - len, "%s%.*s", is_first ? "" : " | ", (int)line, c);
            if (len >= LAST_WORDS_SIZE)
                len = LAST_WORDS_SIZE - 1;
            is_first &= line == 0;
            c += line < (size_t)(end - c) ? line + 1 : line;
        }
    }
    buf_fini(&text);
}
