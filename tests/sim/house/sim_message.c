#include "tests/sim/house/sim_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/house/house.h"

#define PIECE_MAX 1500

enum chunk_step { CHUNK_SIZE = 0, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

static char letter(uint32_t id, uint64_t at)
{
    return (char)('a' + (id * 7 + at * 3 + at / 26) % 26);
}

/* ---- writing ---- */

static void put_text(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text));
}

static void put_letters(struct buf *out, uint32_t id, uint64_t from, uint64_t len)
{
    char piece[PIECE_MAX];
    for (uint64_t i = 0; i < len; i++)
        piece[i] = letter(id, from + i);
    buf_append(out, piece, len);
}

static void put_body(struct buf *out, uint32_t id, uint32_t bytes, bool is_chunked)
{
    char line[32];
    for (uint32_t at = 0; at < bytes;) {
        uint32_t len = is_chunked ? 1 + (uint32_t)house_random(PIECE_MAX) : PIECE_MAX;
        len = len < bytes - at ? len : bytes - at;
        snprintf(line, sizeof line, "%x\r\n", len);
        put_text(out, is_chunked ? line : "");
        put_letters(out, id, at, len);
        put_text(out, is_chunked ? "\r\n" : "");
        at += len;
    }
    put_text(out, is_chunked ? "0\r\n\r\n" : "");
}

static const char *method_of(const struct wish *wish)
{
    return wish->is_post ? "POST" : wish->upload == UPLOAD_NONE ? "GET" : "PUT";
}

void wish_write_request(const struct wish *wish, struct buf *out)
{
    char head[256];
    char length[80] = "";
    if (wish->answer == WISH_SWITCH)
        snprintf(length, sizeof length, "Connection: Upgrade\r\nUpgrade: sim\r\nX-Bytes: %u\r\n", wish->upload_bytes);
    else if (wish->upload == UPLOAD_LENGTH)
        snprintf(length, sizeof length, "Content-Length: %u\r\n", wish->upload_bytes);
    else if (wish->upload == UPLOAD_CHUNKED)
        snprintf(length, sizeof length, "Transfer-Encoding: chunked\r\n");
    snprintf(head, sizeof head, "%s /%u/%d/%u HTTP/1.%d\r\nHost: s%zu.sim\r\n%s%s\r\n", method_of(wish), wish->id,
             (int)wish->answer, wish->answer_bytes, wish->is_1_0 ? 0 : 1, wish->service, length,
             wish->is_1_0 && wish->keeps_alive ? "Connection: keep-alive\r\n" : "");
    put_text(out, head);
    if (wish->upload != UPLOAD_NONE)
        put_body(out, wish->id, wish->upload_bytes, wish->upload == UPLOAD_CHUNKED);
}

void wish_write_upload(const struct wish *wish, struct buf *out)
{
    put_body(out, wish->id, wish->upload_bytes, false);
}

static void write_switch(const struct wish *wish, struct buf *out)
{
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sim\r\nX-Id: %u\r\n\r\n", wish->id);
    put_text(out, head);
    put_body(out, wish->id, wish->answer_bytes, false);
}

void wish_write_answer(const struct wish *wish, struct buf *out)
{
    if (wish->answer == WISH_SWITCH) {
        write_switch(wish, out);
        return;
    }
    char head[256], length[48] = "";
    if (wish->answer == WISH_NONE) {
        snprintf(head, sizeof head, "HTTP/1.1 204 No Content\r\nX-Id: %u\r\n\r\n", wish->id);
        put_text(out, head);
        return;
    }
    bool is_chunked = wish->answer == WISH_CHUNKED, is_open = wish->answer == WISH_UNTIL_CLOSE;
    if (!is_chunked && !is_open)
        snprintf(length, sizeof length, "Content-Length: %u\r\n", wish->answer_bytes);
    snprintf(head, sizeof head, "%sHTTP/1.1 200 OK\r\nX-Id: %u\r\n%s%s%s\r\n",
             wish->answer == WISH_INTERIM ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "", wish->id, length,
             is_chunked ? "Transfer-Encoding: chunked\r\n" : "",
             is_open || wish->answer == WISH_LAST ? "Connection: close\r\n" : "");
    put_text(out, head);
    put_body(out, wish->id, wish->answer_bytes, is_chunked);
}

/* ---- reading ---- */

size_t head_length(const char *bytes, size_t len)
{
    const char *end = len > 0 ? memmem(bytes, len, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - bytes) + 4 : 0;
}

const char *head_field(const char *head, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    const char *end = head + len;
    for (const char *line = memchr(head, '\n', len); line && line + 1 < end;
         line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if ((size_t)(end - line) <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        for (line += name_len + 1; *line == ' '; line++)
            ;
        return line;
    }
    return NULL;
}

/* "/NUMBER" at *at, which goes behind it. */
static bool read_number(const char **at, uint32_t *out)
{
    char *end;
    if (**at != '/' || (*at)[1] < '0' || (*at)[1] > '9')
        return false;
    *out = (uint32_t)strtoul(*at + 1, &end, 10);
    *at = end;
    return true;
}

bool wish_read(const char *head, struct wish *wish)
{
    uint32_t answer = 0;
    const char *at = head + strcspn(head, "/\r\n");
    *wish = (struct wish){ .is_post = strncmp(head, "POST", 4) == 0 };
    if (!read_number(&at, &wish->id) || !read_number(&at, &answer) || !read_number(&at, &wish->answer_bytes))
        return false;
    wish->answer = (enum wish_answer)answer;
    const char *bytes = head_field(head, strlen(head), "X-Bytes");
    wish->upload_bytes = bytes ? (uint32_t)strtoul(bytes, NULL, 10) : 0;
    return wish->id != 0 && answer < WISH_COUNT && strncmp(at, " HTTP/1.1\r\n", 11) == 0;
}

void body_reader_init(struct body_reader *body, const char *head, size_t len, uint32_t id, enum body_kind otherwise)
{
    const char *length = head_field(head, len, "Content-Length");
    *body = (struct body_reader){ .kind = otherwise, .id = id };
    if (head_field(head, len, "Transfer-Encoding")) {
        body->kind = BODY_CHUNKED;
    } else if (length) {
        body->kind = BODY_LENGTH;
        body->left = strtoull(length, NULL, 10);
    }
    body->is_done = body->kind == BODY_NONE || (body->kind == BODY_LENGTH && body->left == 0);
}

void body_reader_init_tunnel(struct body_reader *body, uint32_t id)
{
    *body = (struct body_reader){ .kind = BODY_UNTIL_CLOSE, .id = id };
}

static size_t take_content(struct body_reader *body, const char *bytes, size_t len)
{
    if (body->kind != BODY_UNTIL_CLOSE && len > body->left)
        len = (size_t)body->left;
    for (size_t i = 0; i < len && body->id != 0; i++)
        body->is_wrong |= bytes[i] != letter(body->id, body->at + i);
    body->at += len;
    body->left -= body->kind == BODY_UNTIL_CLOSE ? 0 : len;
    return len;
}

/* True: a line is whole. */
static bool take_line(struct body_reader *body, char byte)
{
    if (body->line_len < sizeof body->line - 1)
        body->line[body->line_len++] = byte;
    body->line[body->line_len] = '\0';
    return byte == '\n';
}

static void take_chunk_line(struct body_reader *body)
{
    bool is_empty = body->line_len == 2;
    body->line_len = 0;
    switch (body->step) {
    case CHUNK_SIZE:
        body->left = strtoull(body->line, NULL, 16);
        body->step = body->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        break;
    case CHUNK_DATA_END:
        body->is_wrong |= !is_empty;
        body->step = CHUNK_SIZE;
        break;
    default:
        body->is_done = is_empty;
    }
}

size_t body_reader_take(struct body_reader *body, const char *bytes, size_t len)
{
    size_t used = 0;
    while (used < len && !body->is_done) {
        if (body->kind != BODY_CHUNKED) {
            used += take_content(body, bytes + used, len - used);
            body->is_done = body->kind == BODY_LENGTH && body->left == 0;
        } else if (body->step == CHUNK_DATA) {
            used += take_content(body, bytes + used, len - used);
            body->step = body->left > 0 ? CHUNK_DATA : CHUNK_DATA_END;
        } else if (take_line(body, bytes[used++])) {
            take_chunk_line(body);
        }
    }
    return used;
}
