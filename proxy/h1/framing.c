#include "proxy/h1/framing.h"

#include "proxy/h1/scan.h"

static enum h1_error take_content_length(struct h1_framing *framing, struct slice value)
{
    if (framing->has_content_length) {
        return H1_ERR_CONTENT_LENGTH_DUPLICATE;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned digit = (unsigned)(unsigned char)value.at[i] - '0';
        if (digit > 9 || number > ((uint64_t)INT64_MAX - digit) / 10) {
            return H1_ERR_CONTENT_LENGTH_INVALID;
        }
        number = number * 10 + digit;
    }
    if (value.len == 0) {
        return H1_ERR_CONTENT_LENGTH_INVALID;
    }
    framing->has_content_length = true;
    framing->content_length = number;
    return H1_OK;
}

static enum h1_error take_transfer_encoding(struct h1_framing *framing, struct slice value)
{
    static const struct slice chunked = { "chunked", 7 };
    if (framing->has_transfer_encoding) {
        return H1_ERR_TRANSFER_ENCODING_DUPLICATE;
    }
    framing->has_transfer_encoding = true;
    if (slice_equals_ignoring_case(value, chunked)) {
        return H1_OK;
    }
    const char *end = value.at + value.len;
    const char *coding_end = h1_scan_class(value.at, end, H1_CHAR_TOKEN);
    struct slice coding = { value.at, (size_t)(coding_end - value.at) };
    if (slice_equals_ignoring_case(coding, chunked) && *coding_end == ',') {
        return H1_ERR_TRANSFER_ENCODING_DUPLICATE;
    }
    bool is_list_of_tokens =
        coding.len > 0 && (coding_end == end || *coding_end == ',') && !slice_equals_ignoring_case(coding, chunked);
    return is_list_of_tokens ? H1_ERR_TRANSFER_ENCODING_UNKNOWN : H1_ERR_TRANSFER_ENCODING_INVALID;
}

/* Cuts the next element off a comma-separated list, without the whitespace around it; it can be empty. */
static struct slice next_element(struct slice *list)
{
    const char *at = list->at;
    const char *list_end = list->at + list->len;
    const char *comma = memchr(at, ',', list->len);
    const char *end = comma != NULL ? comma : list_end;
    list->at = comma != NULL ? comma + 1 : list_end;
    list->len = (size_t)(list_end - list->at);
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return (struct slice){ at, (size_t)(end - at) };
}

static bool is_token(struct slice s)
{
    return s.len > 0 && h1_scan_class(s.at, s.at + s.len, H1_CHAR_TOKEN) == s.at + s.len;
}

static void take_connection_option(struct h1_framing *framing, struct slice option)
{
    if (option.len == 10 && h1_is_folded(option.at, "keep-alive", 10)) {
        framing->connection_keep_alive = true;
    } else if (option.len == 5 && h1_is_folded(option.at, "close", 5)) {
        framing->connection_close = true;
    } else if (option.len == 7 && h1_is_folded(option.at, "upgrade", 7)) {
        framing->connection_upgrade = true;
    } else {
        framing->connection_nominates = true;
    }
}

static enum h1_error take_connection(struct h1_framing *framing, struct slice value)
{
    while (value.len > 0) {
        struct slice option = next_element(&value);
        if (++framing->connection_option_count > H1_CONNECTION_OPTIONS_MAX) {
            return H1_ERR_CONNECTION;
        }
        if (option.len == 0) {
            continue;
        }
        if (!is_token(option)) {
            return H1_ERR_CONNECTION;
        }
        take_connection_option(framing, option);
    }
    return H1_OK;
}

static void mark_nominated(struct slice name, struct h1_field_line *fields, size_t field_count)
{
    static const struct slice forwarded = { "x-forwarded-", 12 };
    enum h1_field id = h1_field_of_name(name);
    struct slice start = { name.at, name.len < forwarded.len ? name.len : forwarded.len };
    if (h1_field_traits_of(id) == H1_FIELD_KEPT || slice_equals_ignoring_case(start, forwarded)) {
        return;
    }
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].id == id && (id != H1_FIELD_OTHER || slice_equals_ignoring_case(fields[i].name, name))) {
            fields[i].hop_by_hop = true;
        }
    }
}

static void mark_all_nominated(struct h1_field_line *fields, size_t field_count)
{
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].id != H1_FIELD_CONNECTION) {
            continue;
        }
        struct slice value = fields[i].value;
        while (value.len > 0) {
            struct slice option = next_element(&value);
            if (option.len > 0) {
                mark_nominated(option, fields, field_count);
            }
        }
    }
}

enum h1_error h1_framing_take(struct h1_framing *framing, const struct h1_field_line *line)
{
    static const struct slice continue_100 = { "100-continue", 12 };
    switch ((enum h1_field)line->id) {
    case H1_FIELD_HOST:
        if (framing->host_count++ == 0) {
            framing->host = line->value;
        }
        return H1_OK;
    case H1_FIELD_CONNECTION:
        return take_connection(framing, line->value);
    case H1_FIELD_TRANSFER_ENCODING:
        return take_transfer_encoding(framing, line->value);
    case H1_FIELD_CONTENT_LENGTH:
        return take_content_length(framing, line->value);
    case H1_FIELD_UPGRADE:
        if (framing->upgrade_count++ == 0) {
            framing->upgrade = line->value;
        }
        return H1_OK;
    case H1_FIELD_EXPECT:
        framing->expects_continue |= slice_equals_ignoring_case(line->value, continue_100);
        return H1_OK;
    default:
        return H1_OK;
    }
}

enum h1_error h1_framing_check(const struct h1_framing *framing, int minor_version, struct h1_field_line *fields,
                               size_t field_count)
{
    if (framing->has_transfer_encoding) {
        if (framing->has_content_length) {
            return H1_ERR_CONTENT_LENGTH_AND_TRANSFER_ENCODING;
        }
        if (minor_version == 0) {
            return H1_ERR_TRANSFER_ENCODING_IN_1_0;
        }
    }
    if (framing->connection_nominates) {
        mark_all_nominated(fields, field_count);
    }
    return H1_OK;
}

bool h1_framing_keeps_alive(const struct h1_framing *framing, int minor_version)
{
    return !framing->connection_close && (minor_version == 1 || framing->connection_keep_alive);
}

bool h1_framing_asks_for_upgrade(const struct h1_framing *framing, int minor_version)
{
    static const struct slice refused[] = { { "h2c", 3 }, { "h2", 2 }, { "http", 4 }, { "tls", 3 } };
    if (minor_version == 0 || !framing->connection_upgrade || framing->upgrade_count != 1) {
        return false;
    }
    struct slice value = framing->upgrade;
    const char *end = value.at + value.len;
    const char *slash = memchr(value.at, '/', value.len);
    struct slice protocol = { value.at, (size_t)((slash != NULL ? slash : end) - value.at) };
    struct slice version = { slash, slash != NULL ? (size_t)(end - slash - 1) : 0 };
    if (slash != NULL) {
        version.at = slash + 1;
    }
    if (!is_token(protocol) || (slash != NULL && !is_token(version))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (slice_equals_ignoring_case(protocol, refused[i])) {
            return false;
        }
    }
    return true;
}
