#include "proxy/h1/scan.h"

/* The combinations of classes that occur. */
enum {
    VALUE = H1_CHAR_VALUE,
    SEEN = VALUE | H1_CHAR_TARGET,
    TOKEN = SEEN | H1_CHAR_TOKEN,
    PATH = SEEN | H1_CHAR_PATH | H1_CHAR_QUERY,
    QUERY = SEEN | H1_CHAR_QUERY,
    TOKEN_PATH = TOKEN | PATH,
    TOKEN_QUERY = TOKEN | QUERY,
    DOT = TOKEN_QUERY | H1_CHAR_HOST, /* a path with a dot needs a closer look */
    WORD = TOKEN_PATH | H1_CHAR_HOST,
    UNDERSCORE = WORD | H1_CHAR_UNDERSCORE
};

const uint8_t h1_char_classes[256] = {
    ['\t'] = VALUE,       [' '] = VALUE,        ['"'] = SEEN,           ['#'] = TOKEN,      ['<'] = SEEN,
    ['>'] = SEEN,         ['\\'] = SEEN,        ['!'] = TOKEN_PATH,     ['$'] = TOKEN_PATH, ['&'] = TOKEN_PATH,
    ['\''] = TOKEN_PATH,  ['*'] = TOKEN_PATH,   ['+'] = TOKEN_PATH,     ['('] = PATH,       [')'] = PATH,
    [','] = PATH,         ['/'] = PATH,         [':'] = PATH,           [';'] = PATH,       ['='] = PATH,
    ['@'] = PATH,         ['%'] = TOKEN_QUERY,  ['?'] = QUERY,          ['['] = SEEN,       [']'] = SEEN,
    ['{'] = SEEN,         ['}'] = SEEN,         ['|'] = TOKEN,          ['^'] = TOKEN,      ['`'] = TOKEN,
    ['-'] = WORD,         ['~'] = WORD,         ['_'] = UNDERSCORE,     ['.'] = DOT,        ['0' ... '9'] = WORD,
    ['A' ... 'Z'] = WORD, ['a' ... 'z'] = WORD, [0x80 ... 0xff] = SEEN,
};

enum h1_result h1_step_rare_line_end(struct h1_cursor *c, enum h1_error otherwise)
{
    if (c->at == c->end) {
        return H1_MORE;
    }
    if (*c->at == '\n' && c->accepts_bare_lf) {
        c->has_bare_lf = true;
        c->at++;
        return H1_DONE;
    }
    if (*c->at != '\r') {
        return h1_refuse(c, *c->at == '\n' ? H1_ERR_BARE_LF : otherwise);
    }
    return c->at + 1 == c->end ? H1_MORE : h1_refuse(c, H1_ERR_BARE_CR);
}

enum h1_result h1_step_rare_version(struct h1_cursor *c, enum http_version *version)
{
    static const char shape[] = "HTTP/0.0"; /* 0: any digit */
    const size_t shape_len = sizeof(shape) - 1;
    for (size_t i = 0; i < shape_len; i++) {
        if (c->at + i == c->end) {
            return H1_MORE;
        }
        char byte = c->at[i];
        if (shape[i] == '0' ? byte < '0' || byte > '9' : byte != shape[i]) {
            return h1_refuse(c, H1_ERR_VERSION);
        }
    }
    if (c->at[5] != '1') {
        return h1_refuse(c, H1_ERR_VERSION_UNSUPPORTED);
    }
    c->has_higher_minor = c->at[7] > '1';
    *version = c->at[7] > '0' ? HTTP_1_1 : HTTP_1_0;
    c->at += shape_len;
    return H1_DONE;
}

bool h1_resume_is_due_again(const char *buf, size_t len, const struct h1_limits *limits, size_t *resume_at)
{
    if (*resume_at > len || len >= limits->head_bytes) {
        return true;
    }
    /* Only a control character can end a line or spoil one unseen until now; what else is wrong with a line is seen
     * when it ends. */
    const char *end = buf + len;
    const char *stop = h1_scan_value(buf + *resume_at, end);
    *resume_at = (size_t)(stop - buf);
    return stop < end && !(*stop == '\r' && stop + 1 == end);
}

enum h1_result h1_conclude_more(struct h1_cursor *c, const char *buf, size_t len, const struct h1_limits *limits,
                                size_t *resume_at)
{
    if (len >= limits->head_bytes) {
        return h1_refuse(c, H1_ERR_HEAD_TOO_LARGE);
    }
    *resume_at = len > 0 && buf[len - 1] == '\r' ? len - 1 : len;
    return H1_MORE;
}
