#include "config/substitute.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE_NAME_MAX 128

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* Length of the UTF-8 sequence at `at` (RFC 3629 4: no overlong form, no surrogate), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *at)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (len <= 1)
        return len;
    uint32_t value = at[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) /* a NUL ends here too */
            return 0;
        value = (value << 6) | (at[i] & 0x3f);
    }
    return value < least[len] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff) ? 0 : len;
}

static bool is_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t len = utf8_sequence(at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

/* `at` is behind "${". Returns what is behind "}", or null. */
static const char *append_variable(const char *at, struct buf *out, struct error *error)
{
    char name[VARIABLE_NAME_MAX + 1];
    size_t len = 0;
    while (len < VARIABLE_NAME_MAX && is_name_char(at[len], len == 0))
        len++;
    memcpy(name, at, len);
    name[len] = '\0';
    if (len == 0 || at[len] != '}') {
        error_set(error,
                  "has a '${' without a name and '}' behind it, write ${NAME} with letters, digits and '_', or $$ for "
                  "a dollar sign");
        return NULL;
    }
    const char *value = getenv(name);
    if (!value)
        error_set(error, "the environment variable '%s' is not set, set it or write $$ for a dollar sign", name);
    else if (!is_utf8(value))
        error_set(error, "the environment variable '%s' is not UTF-8, set it to UTF-8 text", name);
    else if (!buf_append_text(out, value))
        error_set(error, "is too long with its variables replaced, at most %zu bytes are allowed", out->limit_bytes);
    else
        return at + len + 1;
    return NULL;
}

bool substitute_variables(const char *text, struct buf *out, struct error *error)
{
    while (*text) {
        size_t plain = strcspn(text, "$");
        const char *dollar = text + plain;
        plain += strncmp(dollar, "$$", 2) == 0; /* the first of the two stands for both */
        if (!buf_append(out, text, plain))
            return error_set(error, "is too long, at most %zu bytes are allowed", out->limit_bytes);
        if (*dollar == '\0')
            break;
        if (dollar[1] == '$')
            text = dollar + 2;
        else if (dollar[1] != '{')
            return error_set(error,
                             "has a '$' alone, write $$ for a dollar sign, or ${NAME} for an environment variable");
        else if (!(text = append_variable(dollar + 2, out, error)))
            return false;
    }
    return true;
}
