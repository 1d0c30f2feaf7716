#include "proxy/h1/framing.h"

#include "proxy/h1/scan.h"

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

static enum h1_error read_number(struct slice text, uint64_t *number)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';
        if (digit > 9 || sum > ((uint64_t)INT64_MAX - digit) / 10) {
            return H1_ERR_CONTENT_LENGTH_INVALID;
        }
        sum = sum * 10 + digit;
    }
    *number = sum;
    return text.len > 0 ? H1_OK : H1_ERR_CONTENT_LENGTH_INVALID;
}

/* A repeated value has to be the same text: of the same number and with as many digits. */
static enum h1_error take_one_length(struct h1_framing *framing, struct slice text)
{
    uint64_t number = 0;
    enum h1_error error = read_number(text, &number);
    if (error != H1_OK) {
        return error;
    }
    if (framing->has_content_length) {
        bool is_same = number == framing->content_length && text.len == framing->content_length_digits;
        h1_framing_note(framing, H1_DESYNC_CONTENT_LENGTH_REPEATED);
        return (framing->is_request || framing->is_lenient) && is_same ? H1_OK : H1_ERR_CONTENT_LENGTH_DUPLICATE;
    }
    if (text.len > 1 && text.at[0] == '0') {
        h1_framing_note(framing, H1_DESYNC_CONTENT_LENGTH_ZEROS);
    }
    framing->has_content_length = true;
    framing->content_length = number;
    framing->content_length_digits = text.len;
    return H1_OK;
}

static enum h1_error take_length_list(struct h1_framing *framing, struct slice value)
{
    bool is_last = false;
    enum h1_error error = H1_OK;
    while (error == H1_OK && !is_last) {
        is_last = memchr(value.at, ',', value.len) == NULL;
        error = take_one_length(framing, next_element(&value));
    }
    return error;
}

/* What is no number may be a list of them. */
static enum h1_error take_content_length(struct h1_framing *framing, struct slice value)
{
    enum h1_error error = take_one_length(framing, value);
    bool may_be_list = framing->is_request || framing->is_lenient;
    return error == H1_ERR_CONTENT_LENGTH_INVALID && may_be_list ? take_length_list(framing, value) : error;
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
    bool is_list_of_tokens = coding.len > 0 && (coding_end == end || *coding_end == ',');
    return is_list_of_tokens ? H1_ERR_TRANSFER_ENCODING_UNKNOWN : H1_ERR_TRANSFER_ENCODING_INVALID;
}

static bool is_token(struct slice s)
{
    return s.len > 0 && h1_scan_class(s.at, s.at + s.len, H1_CHAR_TOKEN) == s.at + s.len;
}

static void take_connection_option(struct h1_framing *framing, struct slice option)
{
    if (option.len == 10 && http_is_folded(option.at, "keep-alive", 10)) {
        framing->connection_keep_alive = true;
    } else if (option.len == 5 && http_is_folded(option.at, "close", 5)) {
        framing->connection_close = true;
    } else if (option.len == 7 && http_is_folded(option.at, "upgrade", 7)) {
        framing->connection_upgrade = true;
    } else {
        framing->connection_nominates = true;
    }
}

static enum h1_error take_connection(struct h1_framing *framing, struct slice value)
{
    if (value.len > 0 && value.at[value.len - 1] == ',') {
        h1_framing_note(framing, H1_DESYNC_CONNECTION_EMPTY_ELEMENT);
    }
    while (value.len > 0) {
        struct slice option = next_element(&value);
        if (++framing->connection_option_count > HTTP_CONNECTION_OPTIONS_MAX) {
            return H1_ERR_CONNECTION;
        }
        if (option.len == 0) {
            h1_framing_note(framing, H1_DESYNC_CONNECTION_EMPTY_ELEMENT);
            continue;
        }
        if (!is_token(option)) {
            return H1_ERR_CONNECTION;
        }
        take_connection_option(framing, option);
    }
    return H1_OK;
}

static void mark_nominated(struct h1_framing *framing, struct slice name, struct http_field_line *fields,
                           size_t field_count)
{
    static const struct slice forwarded = { "x-forwarded-", 12 };
    enum http_field id = http_field_of_name(name);
    struct slice start = { name.at, name.len < forwarded.len ? name.len : forwarded.len };
    if (http_field_traits_of(id) == HTTP_FIELD_KEPT || slice_equals_ignoring_case(start, forwarded)) {
        h1_framing_note(framing, H1_DESYNC_PROTECTED_FIELD_NOMINATED);
        return;
    }
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].id == id && (id != HTTP_FIELD_OTHER || slice_equals_ignoring_case(fields[i].name, name))) {
            fields[i].hop_by_hop = true;
        }
    }
}

static void mark_all_nominated(struct h1_framing *framing, struct http_field_line *fields, size_t field_count)
{
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].id != HTTP_FIELD_CONNECTION) {
            continue;
        }
        struct slice value = fields[i].value;
        while (value.len > 0) {
            struct slice option = next_element(&value);
            if (option.len > 0) {
                mark_nominated(framing, option, fields, field_count);
            }
        }
    }
}

static void withhold(enum http_field id, struct http_field_line *fields, size_t field_count)
{
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].id == id) {
            fields[i].hop_by_hop = true;
        }
    }
}

static void take_expectation(struct h1_framing *framing, struct slice value)
{
    static const struct slice continue_100 = { "100-continue", 12 };
    while (value.len > 0) {
        struct slice expectation = next_element(&value);
        if (slice_equals_ignoring_case(expectation, continue_100)) {
            framing->expects_continue = true;
        } else if (expectation.len > 0) {
            framing->has_unknown_expectation = true;
        }
    }
}

static void take_te(struct h1_framing *framing, struct slice value)
{
    while (value.len > 0) {
        framing->accepts_trailers |= slice_equals_ignoring_case(next_element(&value), SLICE_LITERAL("trailers"));
    }
}

enum h1_error h1_framing_take(struct h1_framing *framing, const struct http_field_line *line)
{
    switch ((enum http_field)line->id) {
    case HTTP_FIELD_HOST:
        if (framing->host_count++ == 0) {
            framing->host = line->value;
        }
        return H1_OK;
    case HTTP_FIELD_CONNECTION:
        return take_connection(framing, line->value);
    case HTTP_FIELD_TRANSFER_ENCODING:
        return take_transfer_encoding(framing, line->value);
    case HTTP_FIELD_CONTENT_LENGTH:
        return take_content_length(framing, line->value);
    case HTTP_FIELD_UPGRADE:
        if (framing->upgrade_count++ == 0) {
            framing->upgrade = line->value;
        }
        return H1_OK;
    case HTTP_FIELD_EXPECT:
        take_expectation(framing, line->value);
        return H1_OK;
    case HTTP_FIELD_TE:
        take_te(framing, line->value);
        return H1_OK;
    case HTTP_FIELD_TRAILER:
        framing->declares_trailer = true;
        return H1_OK;
    default:
        return H1_OK;
    }
}

enum h1_error h1_framing_check_rare(struct h1_framing *framing, enum http_version version,
                                    struct http_field_line *fields, size_t field_count)
{
    if (framing->has_transfer_encoding) {
        if (framing->has_content_length) {
            if (!framing->is_request || version == HTTP_1_0) {
                return H1_ERR_CONTENT_LENGTH_AND_TRANSFER_ENCODING;
            }
            h1_framing_note(framing, H1_DESYNC_CONTENT_LENGTH_AND_TRANSFER_ENCODING);
        }
        if (version == HTTP_1_0) {
            return H1_ERR_TRANSFER_ENCODING_IN_1_0;
        }
    }
    if (framing->connection_nominates) {
        mark_all_nominated(framing, fields, field_count);
    }
    if (h1_framing_has_doubtful_length(framing)) {
        withhold(HTTP_FIELD_CONTENT_LENGTH, fields, field_count);
    }
    return H1_OK;
}

enum http_field h1_framing_field_of(enum h1_error error)
{
    switch (error) {
    case H1_ERR_HOST_DUPLICATE:
    case H1_ERR_HOST_INVALID:
        return HTTP_FIELD_HOST;
    case H1_ERR_CONTENT_LENGTH_AND_TRANSFER_ENCODING:
    case H1_ERR_TRANSFER_ENCODING_IN_1_0:
        return HTTP_FIELD_TRANSFER_ENCODING;
    default:
        return HTTP_FIELD_OTHER;
    }
}

bool h1_framing_names_safe_protocol(const struct h1_framing *framing)
{
    static const struct slice refused[] = { { "h2c", 3 }, { "h2", 2 }, { "http", 4 }, { "tls", 3 } };
    if (framing->upgrade_count != 1) {
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
