/* Parses a head in every way it can arrive, and describes the outcome in one line, so that a test compares text.
 * Each piece is copied to memory of exactly its size: the sanitizers then see a byte read too many. */
#ifndef TESTS_UNIT_PROXY_H1_EVERY_SPLIT_H
#define TESTS_UNIT_PROXY_H1_EVERY_SPLIT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "proxy/h1/head.h"

struct head_case {
    const char *text;
    size_t len;
    const char *expected; /* what describe_*() prints, or the text of an error */
};

#define TEXT(literal) (literal), sizeof(literal) - 1
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Parses buf and writes into *outcome: "more", an error's text, or a description. True when that is final. */
typedef bool (*parse_cb)(const char *buf, size_t len, size_t *resume_at, struct buf *outcome);

static inline void describe_fields(struct buf *out, const char *buf, const struct http_field_line *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, " [%.*s=%.*s @%zu %s%s%s]", SLICE_FMT(fields[i].name), SLICE_FMT(fields[i].value),
                   (size_t)(fields[i].name.at - buf), http_field_to_str(fields[i].id),
                   fields[i].hop_by_hop ? " hop" : "", fields[i].has_underscore ? " underscore" : "");
    }
}

static inline bool parse_copy(parse_cb parse, const char *text, size_t len, size_t *resume_at, struct buf *outcome)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    buf_clear(outcome);
    bool is_final = parse(copy, len, resume_at, outcome);
    free(copy);
    return is_final;
}

static inline void assert_same(const struct head_case *c, const char *way, size_t at, struct buf *got,
                               struct buf *wanted)
{
    if (strcmp(buf_text(got), buf_text(wanted)) != 0) {
        fail_msg("%s at byte %zu of \"%.*s\":\n  got  %s\n  want %s", way, at, (int)c->len, c->text, buf_text(got),
                 buf_text(wanted));
    }
}

/* A prefix has no answer yet, or the answer of the whole; and going on behind it gives the answer of the whole. */
static inline void check_cut(parse_cb parse, const struct head_case *c, size_t cut, struct buf *whole)
{
    struct buf got;
    buf_init(&got, 0);
    size_t resume_at = 0;
    if (parse_copy(parse, c->text, cut, &resume_at, &got)) {
        assert_same(c, "prefix", cut, &got, whole);
    } else {
        parse_copy(parse, c->text, c->len, &resume_at, &got);
        assert_same(c, "cut", cut, &got, whole);
    }
    buf_fini(&got);
}

static inline void check_trickle(parse_cb parse, const struct head_case *c, struct buf *whole)
{
    struct buf got;
    buf_init(&got, 0);
    size_t resume_at = 0, at = 0;
    while (at < c->len && !parse_copy(parse, c->text, ++at, &resume_at, &got)) {
    }
    assert_same(c, "byte by byte", at, &got, whole);
    buf_fini(&got);
}

static inline void check_every_split(parse_cb parse, const struct head_case *c)
{
    struct buf whole;
    buf_init(&whole, 0);
    size_t resume_at = 0;
    parse_copy(parse, c->text, c->len, &resume_at, &whole);
    if (strcmp(buf_text(&whole), c->expected) != 0) {
        fail_msg("\"%.*s\":\n  got  %s\n  want %s", (int)c->len, c->text, buf_text(&whole), c->expected);
    }
    for (size_t cut = 0; cut < c->len; cut++) {
        check_cut(parse, c, cut, &whole);
    }
    check_trickle(parse, c, &whole);
    buf_fini(&whole);
}

#endif
