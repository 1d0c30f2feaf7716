#include "config/substitute.h"

#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE_NAME_MAX 128

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static bool is_utf8(const char *text)
{
    uint32_t value;
    size_t len;
    for (const char *at = text; *at; at += len) {
        len = utf8_sequence(at, SIZE_MAX, &value);
        if (len == 0)
            return false;
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
