/* sim_message: what clients and tasks of the house say to each other. A request says what answer it wants; every byte of
 * every body follows from the number of its request and its place, so that whoever receives it knows whether it is the
 * right one. */
#ifndef TESTS_SIM_HOUSE_SIM_MESSAGE_H
#define TESTS_SIM_HOUSE_SIM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum wish_answer {
    WISH_LENGTH = 0,  /* a body with its length */
    WISH_CHUNKED,     /* one in chunks */
    WISH_NONE,        /* 204 */
    WISH_INTERIM,     /* 103 first */
    WISH_LAST,        /* Connection: close */
    WISH_UNTIL_CLOSE, /* a body that ends with its connection */
    WISH_SWITCH,      /* 101, and then bytes both ways, at once */
    WISH_HARMLESS_COUNT,
    WISH_BREAKS = WISH_HARMLESS_COUNT, /* the task ends in the middle of it */
    WISH_RESETS,                       /* before it */
    WISH_HANGS,                        /* there is none */
    WISH_COUNT
};

enum wish_upload { UPLOAD_NONE = 0, UPLOAD_LENGTH, UPLOAD_CHUNKED, UPLOAD_COUNT };

struct wish {
    uint32_t id;
    size_t service;
    enum wish_answer answer;
    enum wish_upload upload;
    bool is_post;                        /* must not be acted on twice */
    bool is_1_0, keeps_alive;            /* its client speaks HTTP/1.0, and would like to keep its connection */
    uint32_t upload_bytes, answer_bytes; /* of a switch: what goes through the tunnel, to the task and back */
};

void wish_write_request(const struct wish *wish, struct buf *out);
void wish_write_upload(const struct wish *wish, struct buf *out); /* into the tunnel */
void wish_write_answer(const struct wish *wish, struct buf *out);
/* Of a request's head (text) as a task gets it. False: it is none of ours. */
bool wish_read(const char *head, struct wish *wish);

/* ---- reading ---- */

enum body_kind { BODY_NONE = 0, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

struct body_reader {
    enum body_kind kind;
    uint32_t id;   /* whose bytes they must be; 0: anybody's */
    uint64_t left; /* of the length, or of this chunk */
    uint64_t at;   /* content bytes so far */
    int step;      /* of the chunked coding */
    char line[64];
    size_t line_len;
    bool is_done, is_wrong;
};

/* Length of the head that the bytes begin with, or 0: it is not whole yet. */
size_t head_length(const char *bytes, size_t len);
/* Value of a field in a head; null when it is not there. Ends at "\r\n". */
const char *head_field(const char *head, size_t len, const char *name);
/* By the fields of the head. */
void body_reader_init(struct body_reader *body, const char *head, size_t len, uint32_t id, enum body_kind otherwise);
void body_reader_init_tunnel(struct body_reader *body, uint32_t id);
size_t body_reader_take(struct body_reader *body, const char *bytes, size_t len); /* how many of them are of the body */

#endif
