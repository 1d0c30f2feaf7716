#include "config/task_definition/kind.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "config/problems.h"
#include "config/task_definition/container_definition.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define WORD(word) word,
#define QUOTED_WORD(word) "`" word "`, "
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static bool consists_of(const char *text, const char *allowed, size_t len_max)
{
    size_t len = strlen(text);
    return len >= 1 && len <= len_max && strspn(text, allowed) == len;
}

static bool has_control(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            return true;
    }
    return false;
}

static bool is_name(const char *text)
{
    return consists_of(text, LOWER UPPER DIGITS "_-", 255);
}

static bool is_port_name(const char *text)
{
    return consists_of(text, LOWER DIGITS "_-", 64) && text[0] != '-';
}

/* A digest does not count for the length of the reference. */
static bool is_image(const char *text)
{
    const char *digest = strstr(text, "@sha256:");
    size_t len = digest ? (size_t)(digest - text) : strlen(text);
    if (digest) {
        const char *hex = digest + strlen("@sha256:");
        if (strlen(hex) != 64 || strspn(hex, DIGITS "abcdefABCDEF") != 64)
            return false;
    }
    return len >= 1 && len <= 255 && strchr("._/:-", text[0]) == NULL &&
           strspn(text, LOWER UPPER DIGITS "-_.:/#") >= len;
}

static bool is_link(const char *text)
{
    const char *allowed = LOWER UPPER DIGITS "_-";
    size_t len = strspn(text, allowed);
    if (len < 1 || len > 255)
        return false;
    return text[len] == '\0' || (text[len] == ':' && consists_of(text + len + 1, allowed, 255));
}

static bool is_variable(const char *text)
{
    size_t len = strlen(text);
    return len >= 1 && len <= 255 && strchr(text, '=') == NULL && !has_control(text);
}

/* Ours say what is ours: nobody else writes them (discovery/docker/ownership.h). */
static bool is_label(const char *text)
{
    size_t len = strlen(text);
    return len >= 1 && len <= 255 && !has_control(text) && strncmp(text, "portico.", strlen("portico.")) != 0;
}

static bool is_tag_key(const char *text)
{
    size_t len = strlen(text);
    return len >= 1 && len <= 512 && !has_control(text);
}

static bool is_path(const char *text)
{
    return text[0] == '/' && strlen(text) <= 4095 && !has_control(text);
}

/* The Engine takes a mount as "source:path:options". */
static bool is_mount_path(const char *text)
{
    return is_path(text) && strchr(text, ':') == NULL;
}

static bool is_host_path(const char *text)
{
    return text[0] == '\0' || is_mount_path(text);
}

static bool is_dotted(const char *text, size_t len_max)
{
    return consists_of(text, LOWER UPPER DIGITS "_.-", len_max) && text[0] != '-' && text[0] != '.' &&
           strstr(text, "..") == NULL;
}

static bool is_hostname(const char *text)
{
    return is_dotted(text, 63); /* HOST_NAME_MAX, less one for engines that count the end */
}

static bool is_domain(const char *text)
{
    return strcmp(text, ".") == 0 || is_dotted(text, 253);
}

static bool is_address(const char *text)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool is_user(const char *text)
{
    const char *allowed = LOWER UPPER DIGITS "_.-";
    size_t len = strspn(text, allowed);
    if (len < 1 || len > 255 || text[0] == '-')
        return false;
    return text[len] == '\0' || (text[len] == ':' && text[len + 1] != '-' && consists_of(text + len + 1, allowed, 255));
}

static bool is_port_range(const char *text)
{
    uint16_t first, last;
    return port_range_read(text, &first, &last);
}

/* Those that the kernel has one of in each container. */
static bool is_sysctl(const char *text)
{
    static const char *const ipc[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                       "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced" };
    for (size_t i = 0; i < sizeof ipc / sizeof ipc[0]; i++) {
        if (strcmp(text, ipc[i]) == 0)
            return true;
    }
    return consists_of(text, LOWER UPPER DIGITS "_.-/", 255) &&
           (strncmp(text, "net.", 4) == 0 || strncmp(text, "fs.mqueue.", 10) == 0);
}

static bool is_one_of(const char *const *words, size_t count, const char *text, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == len && strncmp(words[i], text, len) == 0)
            return true;
    }
    return false;
}

/* Of those of tmpfs itself ECS lists the names, and an Engine takes them with a value only. That has no comma: another
 * option would begin behind it. */
static bool is_mount_option(const char *text)
{
    static const char *const flags[] = { MOUNT_FLAG_WORDS(WORD) };
    static const char *const valued[] = { TMPFS_OPTION_WORDS(WORD) };
    size_t len = strcspn(text, "=");
    if (text[len] == '\0')
        return is_one_of(flags, COUNT_OF(flags), text, len);
    return is_one_of(valued, COUNT_OF(valued), text, len) && consists_of(text + len + 1, LOWER UPPER DIGITS "=:.-", 64);
}

static bool is_operating_system(const char *text)
{
    return strcmp(text, "LINUX") == 0;
}

#define MOUNT_OPTIONS MOUNT_FLAG_WORDS(QUOTED_WORD) "or with a value " TMPFS_OPTION_WORDS(QUOTED_WORD) "as `mode=1777`"

/* X(kind, predicate, what is allowed) */
#define FORMS(X)                                                                                                      \
    X(NAME, is_name, "1 to 255 letters, digits, `_` and `-`")                                                         \
    X(PORT_NAME, is_port_name, "1 to 64 lower case letters, digits, `_` and `-`, not `-` at the start")               \
    X(IMAGE, is_image, "image reference of up to 255 characters, as `name:tag` or `name@sha256:` and 64 hex digits")  \
    X(LINK, is_link, "`container` or `container:alias`, each 1 to 255 letters, digits, `_` and `-`")                  \
    X(VARIABLE, is_variable, "1 to 255 bytes without `=` and control characters")                                     \
    X(LABEL, is_label, "1 to 255 bytes without control characters that do not start with `portico.`")                 \
    X(TAG_KEY, is_tag_key, "1 to 512 bytes without control characters")                                               \
    X(PATH, is_path, "absolute path of up to 4095 bytes without control characters")                                  \
    X(MOUNT_PATH, is_mount_path, "absolute path of up to 4095 bytes without `:` and control characters")              \
    X(HOST_PATH, is_host_path, "absolute path of up to 4095 bytes without `:` and control characters, or empty")      \
    X(HOSTNAME, is_hostname, "host name of up to 63 letters, digits, `-`, `_` and `.`")                               \
    X(DOMAIN, is_domain, "domain name of up to 253 characters, or `.`")                                               \
    X(ADDRESS, is_address, "IPv4 or IPv6 address")                                                                    \
    X(USER, is_user, "`user`, `user:group`, or numbers instead of names")                                             \
    X(PORT_RANGE, is_port_range, "two ports from 1 to 65535, the first below the second, as `8000-8010`")             \
    X(SYSCTL, is_sysctl,                                                                                              \
      "`net.*`, `fs.mqueue.*`, `kernel.msg*`, `kernel.sem` or `kernel.shm*`: parameters that each container has its " \
      "own of")                                                                                                       \
    X(MOUNT_OPTION, is_mount_option, MOUNT_OPTIONS)                                                                   \
    X(OPERATING_SYSTEM, is_operating_system, "`LINUX`: containers of Windows cannot be run")

struct kind_ops {
    bool (*accepts)(const char *text); /* of the forms */
    const char *allowed;
    const char *const *words; /* of the words; the place of an enum's is its value, null where none is written */
    size_t word_count;
    bool is_enum;
};

#define ENUM_WORD(value, word) word,
#define X(kind, tag) static const char *const kind##_words[] = { kind##_WORDS(ENUM_WORD) };
ENUM_KIND_LIST(X)
#undef X
#define X(kind) static const char *const kind##_words[] = { kind##_WORDS(WORD) };
TEXT_WORD_KIND_LIST(X)
#undef X

static const struct kind_ops kinds[KIND_COUNT] = {
#define X(kind, tag) [KIND_##kind] = { .words = kind##_words, .word_count = COUNT_OF(kind##_words), .is_enum = true },
    ENUM_KIND_LIST(X)
#undef X
#define X(kind) [KIND_##kind] = { .words = kind##_words, .word_count = COUNT_OF(kind##_words) },
        TEXT_WORD_KIND_LIST(X)
#undef X
#define X(kind, predicate, what) [KIND_##kind] = { .accepts = (predicate), .allowed = (what) },
            FORMS(X)
#undef X
};

#define X(kind, tag) static_assert(sizeof(enum tag) == sizeof(unsigned), "written as one");
ENUM_KIND_LIST(X)
#undef X

static const size_t sizes[KIND_COUNT] = {
#define X(kind, ...) [KIND_##kind] = sizeof(KIND_FIELD_TYPE(kind)),
    KIND_LIST(X) ENUM_KIND_LIST(X) TEXT_WORD_KIND_LIST(X) FORM_KIND_LIST(X)
#undef X
};

static bool is_number(enum kind kind)
{
    return kind == KIND_INTEGER || kind == KIND_TASK_CPU || kind == KIND_TASK_MEMORY;
}

static void write_words(enum kind kind, struct buf *out, const char *quote)
{
    const char *between = "";
    for (size_t i = 0; i < kinds[kind].word_count; i++) {
        if (kinds[kind].words[i] == NULL)
            continue;
        buf_printf(out, "%s%s%s%s", between, quote, kinds[kind].words[i], quote);
        between = ", ";
    }
}

static bool wrong_type(const json_t *value, const char *valid, struct buf *wrong)
{
    buf_printf(wrong, "invalid type: %s, valid type: %s", kind_json_type(value), valid);
    return false;
}

static bool read_boolean(const json_t *value, void *field, struct buf *wrong)
{
    if (!json_is_boolean(value))
        return wrong_type(value, "boolean", wrong);
    *(bool *)field = json_is_true(value);
    return true;
}

static bool check_range(int64_t number, struct kind_range range, struct buf *wrong)
{
    if (number >= range.min && number <= range.max)
        return true;
    buf_printf(wrong, "invalid value: %" PRId64 ", valid range: %" PRId64 "-%" PRId64, number, range.min, range.max);
    return false;
}

static bool read_integer(struct kind_range range, const json_t *value, void *field, struct buf *wrong)
{
    if (!json_is_integer(value))
        return wrong_type(value, "integer", wrong);
    if (!check_range(json_integer_value(value), range, wrong))
        return false;
    *(int64_t *)field = json_integer_value(value);
    return true;
}

/* "1024", "0.5 vCPU", ".25 vcpu", "2GB": thousandths of what stands there, and the unit behind it; false when it is no number. */
static bool split_size(const char *text, int64_t *thousandths, const char **unit)
{
    int64_t number = 0;
    size_t digits = strspn(text, DIGITS), decimals = 0;
    if (digits > 9)
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (text[i] - '0');
    number *= 1000;
    text += digits;
    if (*text == '.') {
        text++;
        decimals = strspn(text, DIGITS);
        if (decimals < 1 || decimals > 3)
            return false;
        for (size_t i = 0, weight = 100; i < decimals; i++, weight /= 10)
            number += (int64_t)weight * (text[i] - '0');
        text += decimals;
    }
    *thousandths = number;
    *unit = text + strspn(text, " ");
    return digits + decimals > 0;
}

/* What ECS takes for the whole task: a number of units, written as a number or as text, or larger units as text. */
static bool read_task_size(const char *larger, const char *example, struct kind_range range, const json_t *value,
                           void *field, struct buf *wrong)
{
    int64_t thousandths;
    const char *unit;
    if (json_is_integer(value))
        return read_integer(range, value, field, wrong);
    if (!json_is_string(value))
        return wrong_type(value, "string or integer", wrong);
    bool is_size = split_size(json_string_value(value), &thousandths, &unit);
    if (is_size && strcasecmp(unit, larger) == 0)
        thousandths *= 1024;
    else
        is_size = is_size && *unit == '\0';
    if (!is_size || thousandths % 1000 != 0) {
        char excerpt[PROBLEM_EXCERPT_SIZE];
        buf_printf(wrong, "invalid value: '%s', valid range: %" PRId64 "-%" PRId64 ", or as '%s'",
                   problem_excerpt(excerpt, json_string_value(value)), range.min, range.max, example);
        return false;
    }
    if (!check_range(thousandths / 1000, range, wrong))
        return false;
    *(int64_t *)field = thousandths / 1000;
    return true;
}

static bool find_word(enum kind kind, const char *text, size_t *index)
{
    const struct kind_ops *ops = &kinds[kind];
    for (size_t i = 0; i < ops->word_count; i++) {
        if (ops->words[i] != NULL && strcmp(ops->words[i], text) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool read_word(enum kind kind, const char *text, void *field, struct buf *wrong)
{
    size_t index;
    char excerpt[PROBLEM_EXCERPT_SIZE];
    if (!find_word(kind, text, &index)) {
        buf_printf(wrong, "invalid value: '%s', must be one of: ", problem_excerpt(excerpt, text));
        write_words(kind, wrong, "");
        return false;
    }
    if (kinds[kind].is_enum)
        *(unsigned *)field = (unsigned)index;
    else
        *(char **)field = mem_strdup(text);
    return true;
}

/* Free text may be a secret: it is not repeated. */
static bool read_text(enum kind kind, struct kind_range range, const char *text, void *field, struct buf *wrong)
{
    char excerpt[PROBLEM_EXCERPT_SIZE];
    if (kind == KIND_TEXT) {
        size_t len = strlen(text);
        if (len < (size_t)range.min || len > (size_t)range.max) {
            buf_printf(wrong, "invalid length: %zu bytes, valid range: %" PRId64 "-%" PRId64, len, range.min,
                       range.max);
            return false;
        }
    } else if (!kinds[kind].accepts(text)) {
        buf_printf(wrong, "invalid value: '%s', allowed: %s", problem_excerpt(excerpt, text), kinds[kind].allowed);
        return false;
    }
    *(char **)field = mem_strdup(text);
    return true;
}

size_t kind_size(enum kind kind)
{
    check(kind < KIND_COUNT);
    return sizes[kind];
}

bool kind_is_text(enum kind kind)
{
    return !is_number(kind) && kind != KIND_BOOLEAN && !kinds[kind].is_enum;
}

bool kind_read(enum kind kind, struct kind_range range, const json_t *value, void *field, struct buf *wrong)
{
    check(kind < KIND_COUNT);
    switch (kind) {
    case KIND_BOOLEAN:
        return read_boolean(value, field, wrong);
    case KIND_INTEGER:
        return read_integer(range, value, field, wrong);
    case KIND_TASK_CPU:
        return read_task_size("vcpu", "1 vCPU", range, value, field, wrong);
    case KIND_TASK_MEMORY:
        return read_task_size("gb", "2 GB", range, value, field, wrong);
    default:
        break;
    }
    if (!json_is_string(value))
        return wrong_type(value, "string", wrong);
    return kinds[kind].words != NULL ? read_word(kind, json_string_value(value), field, wrong)
                                     : read_text(kind, range, json_string_value(value), field, wrong);
}

void kind_set_default(enum kind kind, const char *text, void *field)
{
    size_t index = 0;
    if (is_number(kind))
        *(int64_t *)field = text ? strtoll(text, NULL, 10) : DEFINITION_UNSET;
    else if (kind == KIND_BOOLEAN)
        *(bool *)field = text && strcmp(text, "true") == 0;
    else if (kind_is_text(kind))
        *(char **)field = text ? mem_strdup(text) : NULL;
    else
        *(unsigned *)field = text && find_word(kind, text, &index) ? (unsigned)index : 0;
}

void kind_write_allowed(enum kind kind, struct kind_range range, struct buf *out)
{
    if (kind == KIND_BOOLEAN)
        buf_append_text(out, "boolean");
    else if (kind == KIND_TEXT)
        buf_printf(out, "string of %" PRId64 " to %" PRId64 " bytes", range.min, range.max);
    else if (kind == KIND_INTEGER)
        buf_printf(out, "integer from %" PRId64 " to %" PRId64, range.min, range.max);
    else if (kind == KIND_TASK_CPU)
        buf_printf(out, "units from %" PRId64 " to %" PRId64 ", 1024 a processor, or as `\"1 vCPU\"`", range.min,
                   range.max);
    else if (kind == KIND_TASK_MEMORY)
        buf_printf(out, "MiB from %" PRId64 " to %" PRId64 ", or as `\"2 GB\"`", range.min, range.max);
    else if (kinds[kind].words == NULL)
        buf_append_text(out, kinds[kind].allowed);
    else
        write_words(kind, out, "`");
}

const char *kind_json_type(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "list",   [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "real",     [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null"
    };
    return names[json_typeof(value)];
}

bool port_range_read(const char *text, uint16_t *first, uint16_t *last)
{
    unsigned long ports[2];
    for (size_t i = 0; i < 2; i++) {
        size_t len = strspn(text, DIGITS);
        if (len < 1 || len > 5 || text[len] != (i == 0 ? '-' : '\0'))
            return false;
        ports[i] = strtoul(text, NULL, 10);
        if (ports[i] < 1 || ports[i] > 65535)
            return false;
        text += len + 1;
    }
    *first = (uint16_t)ports[0];
    *last = (uint16_t)ports[1];
    return ports[0] < ports[1];
}
