#include "config/value.h"

#include "base/check.h"
#include "base/mem.h"
#include "config/choices.h"
#include "config/form.h"
#include "config/quantity.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One of `accept` (char *), `parse` and `print` (int64_t), `choices` (char *), or none (REAL, BOOLEAN). */
struct value_type {
    const char *noun;
    const char *allowed; /* after "write" */
    char *(*accept)(const char *text);
    bool (*parse)(const char *text, int64_t *value);
    void (*print)(int64_t value, struct buf *out);
    bool has_choices;
    enum choices_set choices;
};

#define WORDS(noun_, allowed_, accept_)                             \
    {                                                               \
        .noun = (noun_), .allowed = (allowed_), .accept = (accept_) \
    }
#define CHOICES(noun_, set_)                                    \
    {                                                           \
        .noun = (noun_), .has_choices = true, .choices = (set_) \
    }
#define QUANTITY(noun_, allowed_, unit_)                                                                         \
    {                                                                                                            \
        .noun = (noun_), .allowed = (allowed_), .parse = quantity_parse_##unit_, .print = quantity_print_##unit_ \
    }

static const struct value_type types[] = {
    [SCHEMA_TYPE_TEXT] = WORDS("a text", "a text of up to 32 KiB", form_accept_text),
    [SCHEMA_TYPE_SECRET] = WORDS("a secret", "16 to 512 visible ASCII characters without spaces", form_accept_secret),
    [SCHEMA_TYPE_PASSWORD] = WORDS("a password", "1 to 4096 bytes without control characters", form_accept_password),
    [SCHEMA_TYPE_REGISTRY_NAME] = WORDS(
        "a registry", "a host such as registry.example.com or registry.example.com:5000", form_accept_registry_name),
    [SCHEMA_TYPE_NAME] = WORDS("a name", "1 to 63 of a-z, 0-9 and '-', with '-' not first or last", form_accept_name),
    [SCHEMA_TYPE_CLUSTER] = WORDS("a cluster name", "1 to 32 of a-z, 0-9 and '-'", form_accept_cluster),
    [SCHEMA_TYPE_ACCOUNT] =
        WORDS("a name", "1 to 64 of A-Z, a-z, 0-9, '_', '.' and '-', with '.' and '-' not first", form_accept_account),
    [SCHEMA_TYPE_IMAGE] =
        WORDS("an image", "a Docker image such as registry.example.com/shop/web:1.2", form_accept_image),
    [SCHEMA_TYPE_FILE] = WORDS("a file path", "1 to 1023 bytes without control characters", form_accept_file),
    [SCHEMA_TYPE_ACCESS_LOG] =
        WORDS("an access log", "off, stdout, or the absolute path of a file", form_accept_access_log),
    [SCHEMA_TYPE_LISTEN_ADDRESS] = WORDS(
        "an address", "IPv4:port, [IPv6]:port or *:port, with a port between 1 and 65535", form_accept_listen_address),
    [SCHEMA_TYPE_DOCKER_ENDPOINT] =
        WORDS("a Docker endpoint", "unix:///path/of/the/socket or tcp://host:port", form_accept_docker_endpoint),
    [SCHEMA_TYPE_HOST_NAME] =
        WORDS("a host name", "a name such as www.example.com, without port", form_accept_host_name),
    [SCHEMA_TYPE_HOSTS] =
        WORDS("a host", "a name such as www.example.com without port, *.example.com, *, or a list of them",
              form_accept_hosts),
    [SCHEMA_TYPE_PATH_PREFIX] =
        WORDS("a path prefix",
              "'/' and up to 255 visible ASCII characters in up to 64 segments, without empty or dot "
              "segments and '%', '?', '#', ';', '\\', '*'",
              form_accept_path_prefix),
    [SCHEMA_TYPE_PROBE_PATH] =
        WORDS("a request path", "'/' and up to 255 visible ASCII characters without '#'", form_accept_probe_path),
    [SCHEMA_TYPE_STATUS_RANGES] =
        WORDS("a set of statuses", "statuses from 100 to 599 and ranges of them, such as 200,204,300-399",
              form_accept_status_ranges),
    [SCHEMA_TYPE_FIELD_VALUE] =
        WORDS("a header field's value", "up to 1024 printable ASCII characters, without blanks at the ends",
              form_accept_field_value),
    [SCHEMA_TYPE_LOG_LEVEL] = CHOICES("a log level", CHOICES_LOG_LEVEL),
    [SCHEMA_TYPE_BALANCER] = CHOICES("a balancer", CHOICES_BALANCER),
#define X(set, tag, noun) [SCHEMA_TYPE_##set] = CHOICES(noun, CHOICES_##set),
    WORD_SETS(X)
#undef X
        [SCHEMA_TYPE_NETWORK] =
            WORDS("a network", "a network such as 10.0.0.0/8 or 2001:db8::/32, or an IP address", form_accept_network),
    [SCHEMA_TYPE_MOMENT] = WORDS("a moment", "a UTC date and time such as 2026-11-28T06:00:00Z", form_accept_moment),
    [SCHEMA_TYPE_BOOLEAN] = WORDS("a boolean", "true or false", NULL),
    [SCHEMA_TYPE_INTEGER] = QUANTITY("an integer", "a whole number", integer),
    [SCHEMA_TYPE_DURATION] = QUANTITY("a duration", "a number with ms, s, m or h", duration),
    [SCHEMA_TYPE_SIZE] = QUANTITY("a size", "a number of bytes, or one with KiB, MiB or GiB,", size),
    [SCHEMA_TYPE_MEMORY] = QUANTITY("a memory size", "a number of MiB, or one with MiB or GiB,", memory),
    [SCHEMA_TYPE_REAL] = WORDS("a number", "digits, with a decimal point if needed,", NULL),
};
static_assert(sizeof types / sizeof types[0] == SCHEMA_TYPE_COUNT, "a line for each");

static_assert(VALUE_SUGGESTION_SIZE > FORM_PATH_BYTES_MAX, "room for a path");

static bool is_text(const struct schema_row *row)
{
    return types[row->type].accept || types[row->type].has_choices;
}

static enum value_result take_text(char *copy, char **field)
{
    if (!copy)
        return VALUE_MALFORMED;
    free(*field);
    *field = copy;
    return VALUE_OK;
}

static int64_t parse_bound(const struct schema_row *row, const char *bound)
{
    int64_t value;
    check(bound && types[row->type].parse(bound, &value));
    return value;
}

static enum value_result parse_number(const struct schema_row *row, const char *text, int64_t *field)
{
    int64_t value;
    if (!types[row->type].parse(text, &value))
        return VALUE_MALFORMED;
    if (value < value_min(row) || value > value_max(row))
        return VALUE_OUT_OF_RANGE;
    *field = value;
    return VALUE_OK;
}

/* Digits, and perhaps a point and digits; not strtod's hexadecimal, infinity and blanks. */
static enum value_result parse_real(const struct schema_row *row, const char *text, double *field)
{
    static const char digits[] = "0123456789";
    size_t whole = strspn(text, digits);
    size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, digits) : 0;
    size_t len = whole + (fraction ? fraction + 1 : 0);
    if (whole == 0 || text[len] != '\0' || len > 40 || (text[0] == '0' && whole > 1))
        return VALUE_MALFORMED;
    double value = strtod(text, NULL);
    if (value < strtod(row->min, NULL) || value > strtod(row->max, NULL))
        return VALUE_OUT_OF_RANGE;
    *field = value;
    return VALUE_OK;
}

static enum value_result parse_boolean(const char *text, bool *field)
{
    bool is_true = strcmp(text, "true") == 0;
    if (!is_true && strcmp(text, "false") != 0)
        return VALUE_MALFORMED;
    *field = is_true;
    return VALUE_OK;
}

/* The shortest of the two spellings that reads back as the same number; the range keeps both free of exponents. */
static void print_real(double value, struct buf *out)
{
    char text[48];
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    buf_append_text(out, text);
}

/* Bytes of the UTF-8 sequence that starts with *at, 1 when it is not whole. */
static size_t sequence_length(const unsigned char *at)
{
    size_t len = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc0 ? 2 : 1;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 1;
    }
    return len;
}

/* What a reader could not see, or YAML 1.1 would fold like a line end (U+0085, U+2028, U+2029), goes out as an escape.
 */
static void print_sequence(const unsigned char *at, size_t len, struct buf *out)
{
    unsigned value = *at & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        value = (value << 6) | (at[i] & 0x3f);
    if (value < 0xa0 || (value >= 0x2000 && value < 0x2070) || (value >= 0xe000 && value < 0xf900) || value >= 0xfe00)
        buf_printf(out, "\\U%08X", value);
    else
        buf_append(out, at, len);
}

/* One character of a text in double quotes; returns its bytes. */
static size_t print_character(const unsigned char *at, struct buf *out)
{
    size_t len = sequence_length(at);
    if (len > 1)
        print_sequence(at, len, out);
    else if (*at == '"' || *at == '\\')
        buf_printf(out, "\\%c", *at);
    else if (*at == '$')
        buf_append_text(out, "$$");
    else if (*at == '\n')
        buf_append_text(out, "\\n");
    else if (*at < 0x20 || *at >= 0x7f)
        buf_printf(out, "\\x%02X", *at);
    else
        buf_append(out, at, 1);
    return len;
}

int64_t value_min(const struct schema_row *row)
{
    return parse_bound(row, row->min);
}

int64_t value_max(const struct schema_row *row)
{
    return parse_bound(row, row->max);
}

const char *const *value_words(const struct schema_row *row, size_t *count)
{
    *count = 0;
    return types[row->type].has_choices ? choices_of(types[row->type].choices, count) : NULL;
}

enum value_result value_parse(const struct schema_row *row, const char *text, void *field)
{
    const struct value_type *type = &types[row->type];
    if (type->accept)
        return take_text(type->accept(text), field);
    if (type->has_choices)
        return take_text(choices_include(type->choices, text) ? mem_strdup(text) : NULL, field);
    if (type->parse)
        return parse_number(row, text, field);
    return row->type == SCHEMA_TYPE_REAL ? parse_real(row, text, field) : parse_boolean(text, field);
}

const char *value_result_to_str(enum value_result result)
{
    static const char *const names[] = { "ok", "malformed", "out of range" };
    static_assert(sizeof names / sizeof names[0] == VALUE_RESULT_COUNT, "a name for each");
    return result < VALUE_RESULT_COUNT ? names[result] : "?";
}

const char *value_noun(const struct schema_row *row)
{
    return types[row->type].noun;
}

void value_write_allowed(const struct schema_row *row, struct buf *out)
{
    const struct value_type *type = &types[row->type];
    size_t count;
    const char *const *words = value_words(row, &count);
    if (words) {
        buf_append_text(out, count > 1 ? "one of " : "");
        for (size_t i = 0; i < count; i++)
            buf_printf(out, "%s%s", i ? ", " : "", words[i]);
        return;
    }
    buf_append_text(out, type->allowed);
    if (type->parse || row->type == SCHEMA_TYPE_REAL)
        buf_printf(out, " between %s and %s", row->min, row->max);
}

bool value_takes_list(const struct schema_row *row)
{
    return row->type == SCHEMA_TYPE_HOSTS;
}

const char *value_suggest(const struct schema_row *row, const char *text, char scratch[VALUE_SUGGESTION_SIZE])
{
    if (row->type == SCHEMA_TYPE_PATH_PREFIX)
        return form_suggest_path_prefix(text, scratch) ? scratch : NULL;
    size_t count;
    const char *const *words = value_words(row, &count);
    return words ? choices_nearest(words, count, text) : NULL;
}

bool value_is_bare(const struct schema_row *row)
{
    return row->type == SCHEMA_TYPE_INTEGER || row->type == SCHEMA_TYPE_REAL || row->type == SCHEMA_TYPE_BOOLEAN;
}

bool value_is_secret(const struct schema_row *row)
{
    return row->type == SCHEMA_TYPE_SECRET || row->type == SCHEMA_TYPE_PASSWORD || row->shape == SCHEMA_MAP;
}

bool value_is_unset(const struct schema_row *row, const void *field)
{
    if (row->fallback || row->required || row->type == SCHEMA_TYPE_BOOLEAN)
        return false;
    if (is_text(row))
        return *(char *const *)field == NULL;
    return row->type == SCHEMA_TYPE_REAL ? *(const double *)field == 0 : *(const int64_t *)field == 0;
}

bool value_equals(const struct schema_row *row, const void *a, const void *b)
{
    if (is_text(row)) {
        const char *x = *(char *const *)a, *y = *(char *const *)b;
        return x == y || (x && y && strcmp(x, y) == 0);
    }
    if (row->type == SCHEMA_TYPE_BOOLEAN)
        return *(const bool *)a == *(const bool *)b;
    return row->type == SCHEMA_TYPE_REAL ? *(const double *)a == *(const double *)b
                                         : *(const int64_t *)a == *(const int64_t *)b;
}

void value_free(const struct schema_row *row, void *field)
{
    if (is_text(row)) {
        free(*(char **)field);
        *(char **)field = NULL;
    }
}

size_t value_size(const struct schema_row *row)
{
    if (is_text(row))
        return sizeof(char *);
    return row->type == SCHEMA_TYPE_BOOLEAN ? sizeof(bool)
           : row->type == SCHEMA_TYPE_REAL  ? sizeof(double)
                                            : sizeof(int64_t);
}

void value_print(const struct schema_row *row, const void *field, struct buf *out)
{
    if (is_text(row)) {
        const char *text = *(char *const *)field;
        value_print_text(text ? text : "", out);
    } else if (types[row->type].print) {
        types[row->type].print(*(const int64_t *)field, out);
    } else if (row->type == SCHEMA_TYPE_REAL) {
        print_real(*(const double *)field, out);
    } else {
        buf_append_text(out, *(const bool *)field ? "true" : "false");
    }
}

void value_print_text(const char *text, struct buf *out)
{
    const unsigned char *at = (const unsigned char *)text;
    buf_append_text(out, "\"");
    while (*at)
        at += print_character(at, out);
    buf_append_text(out, "\"");
}
