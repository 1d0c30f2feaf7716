#include "proxy/h1/section.h"

/* What stopped a name that no colon follows. */
static enum h1_result refuse_name(struct h1_cursor *c, const char *stop)
{
    if (*stop != ' ' && *stop != '\t') {
        return h1_refuse(c, H1_ERR_FIELD_NAME);
    }
    while (stop < c->end && (*stop == ' ' || *stop == '\t')) {
        stop++;
    }
    if (stop == c->end) {
        return H1_MORE;
    }
    return h1_refuse(c, *stop == ':' ? H1_ERR_SPACE_BEFORE_COLON : H1_ERR_FIELD_NAME);
}

static void set_name(struct http_field_line *line, const char *at, size_t len, unsigned classes_seen)
{
    line->name = (struct slice){ at, len };
    line->id = (uint8_t)http_field_of_name(line->name);
    line->hop_by_hop = http_field_traits_of(line->id) == HTTP_FIELD_HOP_BY_HOP;
    line->has_underscore = classes_seen & H1_CHAR_UNDERSCORE;
}

/* Steps over the name and its colon. */
static enum h1_result step_name(struct h1_cursor *c, struct http_field_line *line)
{
    const char *at = c->at;
    unsigned seen = 0;
    while (at < c->end && h1_char_is(*at, H1_CHAR_TOKEN)) {
        seen |= h1_char_classes[(unsigned char)*at];
        at++;
    }
    if (at == c->end) {
        return H1_MORE;
    }
    const char *colon = at;
    if (c->is_lenient && at > c->at) {
        while (colon < c->end && (*colon == ' ' || *colon == '\t')) {
            colon++;
        }
        if (colon == c->end) {
            return H1_MORE;
        }
    }
    if (*colon != ':' || at == c->at) {
        return refuse_name(c, at);
    }
    c->is_irregular |= colon != at;
    set_name(line, c->at, (size_t)(at - c->at), seen);
    c->at = colon + 1;
    return H1_DONE;
}

/* Steps over the value and its line end. */
static enum h1_result step_value(struct h1_cursor *c, struct http_field_line *line)
{
    const char *start = c->at;
    while (start < c->end && (*start == ' ' || *start == '\t')) {
        start++;
    }
    const char *stop = h1_scan_value(start, c->end);
    c->at = stop;
    enum h1_result result = h1_step_line_end(c, H1_ERR_FIELD_VALUE);
    if (result != H1_DONE) {
        return result;
    }
    while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t')) {
        stop--;
    }
    line->value = (struct slice){ start, (size_t)(stop - start) };
    return H1_DONE;
}

static bool has_meaning(const struct http_field_line *line)
{
    return line->id != HTTP_FIELD_OTHER && line->id <= HTTP_FIELD_LAST_WITH_MEANING;
}

static bool continues_line(const struct h1_cursor *c, bool has_line)
{
    return c->is_lenient && has_line && (*c->at == ' ' || *c->at == '\t');
}

/* At whitespace that continues the value of the line before; which, if it has a meaning here, has been understood already. */
__attribute__((noinline)) static enum h1_result step_fold(struct h1_cursor *c, struct http_field_line *line)
{
    struct http_field_line rest;
    if (has_meaning(line)) {
        return h1_refuse(c, H1_ERR_OBS_FOLD);
    }
    enum h1_result result = step_value(c, &rest);
    if (result == H1_DONE && rest.value.len > 0) {
        line->value.len = (size_t)(rest.value.at + rest.value.len - line->value.at);
    }
    c->is_irregular = true;
    return result;
}

/* A whole line, the strict way: finds every error, and the end of what has arrived. */
__attribute__((noinline)) static enum h1_result step_line(struct h1_cursor *c, struct http_field_line *line,
                                                          bool is_first, bool is_too_many)
{
    if (is_too_many) {
        return h1_refuse(c, H1_ERR_TOO_MANY_FIELDS);
    }
    if (*c->at == ' ' || *c->at == '\t') {
        return h1_refuse(c, is_first ? H1_ERR_SPACE_BEFORE_FIELDS : H1_ERR_OBS_FOLD);
    }
    enum h1_result result = step_name(c, line);
    return result == H1_DONE ? step_value(c, line) : result;
}

#if H1_HAS_SSE2

static inline unsigned equal_mask(const char *at, const char *known)
{
    /* As in field.c: of the characters of known names exactly the letters have bit 0x40. */
    __m128i name = _mm_loadu_si128((const __m128i *)known);
    __m128i fold = _mm_srli_epi16(_mm_and_si128(name, _mm_set1_epi8(0x40)), 1);
    __m128i folded = _mm_or_si128(_mm_loadu_si128((const __m128i *)at), fold);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(folded, name));
}

static inline unsigned colon_mask(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)at);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(':')));
}

/* 16 bytes can be read at `at`, 32 if len > 16; the name's colon is among them. A known name needs no look at its
 * characters. */
static inline bool set_name_quickly(struct http_field_line *line, const char *at, unsigned len)
{
    line->name = (struct slice){ at, len };
    if (len < 2) {
        return false;
    }
    const struct http_field_row *row = &http_field_rows[http_field_slots[http_field_slot(line->name)]];
    unsigned wanted = (1u << len) - 1;
    if (row->len == len) {
        unsigned equal = equal_mask(at, row->name);
        if (len > 16) {
            equal |= equal_mask(at + 16, row->name + 16) << 16;
        }
        if ((equal & wanted) == wanted) {
            line->id = row->id;
            line->hop_by_hop = row->traits == HTTP_FIELD_HOP_BY_HOP;
            line->has_underscore = false;
            return true;
        }
    }
    unsigned seen = 0, common = H1_CHAR_TOKEN;
    for (unsigned i = 0; i < len; i++) {
        unsigned classes = h1_char_classes[(unsigned char)at[i]];
        seen |= classes;
        common &= classes;
    }
    line->id = HTTP_FIELD_OTHER;
    line->hop_by_hop = false;
    line->has_underscore = seen & H1_CHAR_UNDERSCORE;
    return common != 0;
}

/* The line at `at` if it is plain: all there, one space behind the colon, a value that is neither empty nor in
 * whitespace. Returns the start of the next line; a null pointer says nothing but "look at it the strict way". */
static inline const char *take_plain_line(const char *at, const char *end, struct http_field_line *line)
{
    if (end - at < 17) { /* 16 for the mask, one behind a colon that is the last of them */
        return NULL;
    }
    unsigned colons = colon_mask(at);
    if (colons == 0 && end - at >= 32) {
        colons = colon_mask(at + 16) << 16;
    }
    unsigned len = colons != 0 ? (unsigned)__builtin_ctz(colons) : 31;
    if (len > 29 || at[len + 1] != ' ' || !set_name_quickly(line, at, len)) {
        return NULL;
    }
    const char *value = at + len + 2;
    const char *stop = h1_scan_value(value, end);
    if (end - stop < 2 || memcmp(stop, "\r\n", 2) != 0) {
        return NULL;
    }
    if ((unsigned char)*value <= ' ' || (unsigned char)stop[-1] <= ' ') { /* the first is CR if it is empty */
        return NULL;
    }
    line->value = (struct slice){ value, (size_t)(stop - value) };
    return stop + 2;
}

#else

static inline const char *take_plain_line(const char *at, const char *end, struct http_field_line *line)
{
    (void)at;
    (void)end;
    (void)line;
    return NULL;
}

#endif

static inline enum h1_error take_line(struct h1_framing *framing, const struct http_field_line *line)
{
    framing->field_ids |= UINT64_C(1) << line->id;
    if (line->has_underscore && http_field_traits_of(http_field_of_alias(line->name)) != HTTP_FIELD_PLAIN) {
        h1_framing_note(framing, H1_DESYNC_UNDERSCORE_ALIAS);
    }
    return has_meaning(line) ? h1_framing_take(framing, line) : H1_OK;
}

enum h1_result h1_step_section(struct h1_cursor *c, uint16_t limit, struct http_field_line *fields,
                               uint16_t *field_count, struct h1_framing *framing)
{
    const struct http_field_line *lines_end = fields + (limit < HTTP_FIELDS_MAX ? limit : HTTP_FIELDS_MAX);
    struct http_field_line *line = fields;
    const char *at = c->at, *end = c->end;
    while (at < end && *at != '\r' && *at != '\n') {
        const char *next = line < lines_end ? take_plain_line(at, end, line) : NULL;
        if (next == NULL) {
            c->at = at;
            bool is_fold = continues_line(c, line > fields);
            enum h1_result result =
                is_fold ? step_fold(c, line - 1) : step_line(c, line, line == fields, line == lines_end);
            if (result != H1_DONE) {
                return result;
            }
            at = next = c->at;
            if (is_fold) {
                continue;
            }
        }
        enum h1_error error = take_line(framing, line);
        if (error != H1_OK) {
            c->at = line->name.at;
            return h1_refuse(c, error);
        }
        at = next;
        line++;
    }
    c->at = at;
    *field_count = (uint16_t)(line - fields);
    return h1_step_line_end(c, H1_ERR_FIELD_NAME);
}

enum h1_result h1_refuse_section(struct h1_cursor *c, enum h1_error error, const struct http_field_line *fields,
                                 uint16_t field_count)
{
    enum http_field id = h1_framing_field_of(error);
    for (uint16_t i = 0; id != HTTP_FIELD_OTHER && i < field_count; i++) {
        if (fields[i].id == id) {
            c->at = fields[i].name.at;
        }
    }
    return h1_refuse(c, error);
}
