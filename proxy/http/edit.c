#include "proxy/http/edit.h"

static const struct {
    enum http_field field;
    struct slice name;
} own_rows[HTTP_OWN_COUNT] = {
#define OWN_ROW(id, spelling) [HTTP_OWN_##id] = { HTTP_FIELD_##id, { spelling, sizeof(spelling) - 1 } },
    HTTP_OWN_LIST(OWN_ROW)
#undef OWN_ROW
};

/* x_forwarded_for, X_Real-IP, ...: a backend that reads '_' as '-' would take it for ours. */
static bool is_alias_of_ours(struct slice name)
{
    return http_field_traits_of(http_field_of_alias(name)) != HTTP_FIELD_PLAIN;
}

/* What stands behind a value with an open quote would be read as part of it. */
static bool has_open_quote(struct slice value)
{
    bool is_quoted = false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '"') {
            is_quoted = !is_quoted;
        } else if (value.at[i] == '\\' && is_quoted) {
            i++;
        }
    }
    return is_quoted;
}

bool http_edit_drops_suspect(const struct http_edit *edit, const struct http_field_line *line)
{
    if (line->id == HTTP_FIELD_OTHER) {
        return line->hop_by_hop || (line->has_underscore && is_alias_of_ours(line->name));
    }
    return line->id != HTTP_FIELD_TRAILER || !edit->keeps_trailer;
}

bool http_edit_joins(const struct http_edit *edit, enum http_own own, const struct http_field_line *line)
{
    if (!(edit->joined >> own & 1) || line->id != own_rows[own].field || line->value.len == 0) {
        return false;
    }
    return line->id != HTTP_FIELD_FORWARDED || !has_open_quote(line->value);
}

bool http_edit_add(struct http_edit *edit, struct slice name, struct slice value)
{
    if (edit->added_count == HTTP_ADDED_MAX) {
        return false;
    }
    edit->added[edit->added_count++] = (struct http_added){ name, value };
    return true;
}

enum http_field http_own_field(enum http_own own)
{
    return own_rows[own].field;
}

struct slice http_own_name(enum http_own own)
{
    return own_rows[own].name;
}
