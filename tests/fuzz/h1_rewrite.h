/* Writes a parsed head anew, the way a forwarder would: what was accepted has to be one plain head to the next parser. */
#ifndef TESTS_FUZZ_H1_REWRITE_H
#define TESTS_FUZZ_H1_REWRITE_H

#include <stdio.h>

#include "base/check.h"
#include "proxy/h1/head.h"

struct text {
    char at[16384];
    size_t len;
};

static inline void text_add(struct text *text, struct slice bytes)
{
    check(bytes.len <= sizeof(text->at) - text->len);
    memcpy(text->at + text->len, bytes.at, bytes.len);
    text->len += bytes.len;
}

/* A fold becomes one space. */
static inline void text_add_value(struct text *text, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        bool is_fold = value.at[i] == '\r' || value.at[i] == '\n';
        text_add(text, is_fold ? SLICE_LITERAL(" ") : (struct slice){ value.at + i, 1 });
        while (is_fold && i + 1 < value.len && memchr("\r\n\t ", value.at[i + 1], 4)) {
            i++;
        }
    }
}

static inline void text_add_fields(struct text *text, const struct http_field_line *fields, size_t count,
                                   bool without_host)
{
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].hop_by_hop && !(without_host && fields[i].id == HTTP_FIELD_HOST)) {
            text_add(text, fields[i].name);
            text_add(text, SLICE_LITERAL(": "));
            text_add_value(text, fields[i].value);
            text_add(text, SLICE_LITERAL("\r\n"));
        }
    }
}

static inline void text_add_length(struct text *text, uint64_t length)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "Content-Length: %llu\r\n", (unsigned long long)length);
    text_add(text, (struct slice){ line, (size_t)len });
}

static inline void rewrite_request(struct text *text, const struct h1_request *r)
{
    text->len = 0;
    text_add(text, r->head.method_text);
    text_add(text, SLICE_LITERAL(" "));
    text_add(text, r->head.forward_target);
    text_add(text, SLICE_LITERAL(" HTTP/1.1\r\n"));
    text_add_fields(text, r->head.fields, r->head.field_count, r->head.authority_from_target);
    bool has_host =
        http_find_field(r->head.fields, r->head.field_count, HTTP_FIELD_HOST) != NULL && !r->head.authority_from_target;
    if (!has_host) {
        text_add(text, SLICE_LITERAL("Host: "));
        text_add(text, r->head.authority.len > 0 ? r->head.authority : SLICE_LITERAL("none"));
        text_add(text, SLICE_LITERAL("\r\n"));
    }
    if (r->head.rewrites_content_length) {
        text_add_length(text, r->head.content_length);
    }
    if (r->head.body == HTTP_BODY_CHUNKED) {
        text_add(text, SLICE_LITERAL("Transfer-Encoding: chunked\r\n"));
    }
    text_add(text, SLICE_LITERAL("\r\n"));
}

static inline void rewrite_response(struct text *text, const struct h1_response *r)
{
    char line[32];
    int len = snprintf(line, sizeof(line), "HTTP/1.1 %d ", r->head.status);
    text->len = 0;
    text_add(text, (struct slice){ line, (size_t)len });
    text_add(text, r->reason);
    text_add(text, SLICE_LITERAL("\r\n"));
    text_add_fields(text, r->head.fields, r->head.field_count, false);
    if (r->head.rewrites_content_length) {
        text_add_length(text, r->head.content_length);
    }
    if (r->head.body == HTTP_BODY_CHUNKED) {
        text_add(text, SLICE_LITERAL("Transfer-Encoding: chunked\r\n"));
    }
    text_add(text, SLICE_LITERAL("\r\n"));
}

#endif
