/* h1/scan: character classes of RFC 9110, 9112 and 3986, and the few steps that the parsers of this folder share.
 * Only for this folder. Any thread; pure. Everything looks at the bytes from left to right and never behind the first
 * wrong one, so that a prefix of a message can only get the answer of the whole, or H1_MORE. */
#ifndef PROXY_H1_SCAN_H
#define PROXY_H1_SCAN_H

#include <stdint.h>

#include "proxy/h1/head.h"

/* SSE2 is part of x86-64. What it speeds up is also there without it, and a test compares the two. */
#if defined(__SSE2__) && !defined(H1_PORTABLE)
#define H1_HAS_SSE2 1
#include <emmintrin.h>
#else
#define H1_HAS_SSE2 0
#endif

enum h1_char_class {
    H1_CHAR_TOKEN = 1,  /* tchar */
    H1_CHAR_VALUE = 2,  /* field-vchar, obs-text, SP, HTAB */
    H1_CHAR_TARGET = 4, /* whatever is not a control or space */
    H1_CHAR_PATH = 8,   /* pchar and '/', without '%' and '.', which need a closer look */
    H1_CHAR_QUERY = 16, /* pchar, '/', '?', and '%' wherever it stands */
    H1_CHAR_HOST = 32,  /* of a name or an IPv4 address: unreserved */
    H1_CHAR_UNDERSCORE = 64
};

extern const uint8_t h1_char_classes[256];

/* error is set when a step says H1_BAD. */
struct h1_cursor {
    const char *at;
    const char *end;
    enum h1_error error;
    bool accepts_bare_lf;
    bool is_lenient;       /* of responses */
    bool is_irregular;     /* set where a lenient step was made */
    bool has_bare_lf;      /* set by h1_step_line_end() */
    bool has_higher_minor; /* set by h1_step_version() */
};

static inline enum h1_result h1_refuse(struct h1_cursor *c, enum h1_error error)
{
    c->error = error;
    return H1_BAD;
}

static inline bool h1_char_is(char byte, unsigned classes)
{
    return h1_char_classes[(unsigned char)byte] & classes;
}

/* All three: the first byte in [at, end) that is not of the class, or end. */
static inline const char *h1_scan_class(const char *at, const char *end, unsigned classes)
{
    while (at < end && h1_char_is(*at, classes)) {
        at++;
    }
    return at;
}

static inline const char *h1_scan_value(const char *at, const char *end)
{
#if H1_HAS_SSE2
    while (end - at >= 16) {
        /* Adding 1 makes 0x7f negative, and bytes above it stay so: one signed comparison finds them and all below
         * 0x20. HTAB and obs-text are then looked at again; they are rare. */
        __m128i bytes = _mm_add_epi8(_mm_loadu_si128((const __m128i *)at), _mm_set1_epi8(1));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x21)));
        if (mask == 0) {
            at += 16;
            continue;
        }
        at += __builtin_ctz(mask);
        if (!h1_char_is(*at, H1_CHAR_VALUE)) {
            return at;
        }
        at++;
    }
#endif
    return h1_scan_class(at, end, H1_CHAR_VALUE);
}

static inline const char *h1_scan_target(const char *at, const char *end)
{
#if H1_HAS_SSE2
    while (end - at >= 16) {
        /* As above; space belongs to what ends it. */
        __m128i bytes = _mm_add_epi8(_mm_loadu_si128((const __m128i *)at), _mm_set1_epi8(1));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x22)));
        if (mask == 0) {
            at += 16;
            continue;
        }
        at += __builtin_ctz(mask);
        if (!h1_char_is(*at, H1_CHAR_TARGET)) {
            return at;
        }
        at++;
    }
#endif
    return h1_scan_class(at, end, H1_CHAR_TARGET);
}

/* Those named _rare_ are what the steps below them come to when they are not at the plain and complete case. */
enum h1_result h1_step_rare_line_end(struct h1_cursor *c, enum h1_error otherwise);
enum h1_result h1_step_rare_version(struct h1_cursor *c, enum http_version *version);
bool h1_resume_is_due_again(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at);
enum h1_result h1_conclude_more(struct h1_cursor *c, const char *buf, size_t len, const struct h1_limits *limits,
                                size_t *resume_at);

/* Steps over CRLF, or LF where it is accepted. otherwise: the error for a byte that is neither CR nor LF. */
static inline enum h1_result h1_step_line_end(struct h1_cursor *c, enum h1_error otherwise)
{
    if (c->end - c->at >= 2 && memcmp(c->at, "\r\n", 2) == 0) {
        c->at += 2;
        return H1_DONE;
    }
    return h1_step_rare_line_end(c, otherwise);
}

/* Of the line end in front of `end`. */
static inline size_t h1_line_end_bytes(const char *end)
{
    return end[-2] == '\r' ? 2 : 1;
}

/* Steps over "HTTP/1.0" or "HTTP/1.1", or a higher minor version, which is processed as that (RFC 9110 2.5). */
static inline enum h1_result h1_step_version(struct h1_cursor *c, enum http_version *version)
{
    if (c->end - c->at >= 8 && memcmp(c->at, "HTTP/1.1", 8) == 0) {
        *version = HTTP_1_1;
        c->at += 8;
        return H1_DONE;
    }
    return h1_step_rare_version(c, version);
}

/* May the outcome differ from the last call's, which was H1_MORE at *resume_at? If not, moves *resume_at on. */
static inline bool h1_resume_is_due(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at)
{
    return *resume_at == 0 || h1_resume_is_due_again(buf, len, limits, resume_at);
}

/* What a parse of buf[0..len), cut at limits->head_bytes, comes to: keeps *resume_at, refuses a head that is full. */
static inline enum h1_result h1_conclude(struct h1_cursor *c, enum h1_result result, const char *buf, size_t len,
                                         const struct h1_limits *limits, size_t *resume_at)
{
    return result != H1_MORE ? result : h1_conclude_more(c, buf, len, limits, resume_at);
}

#endif
