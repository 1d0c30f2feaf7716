#include "proxy/http/field.h"

const struct http_field_row http_field_rows[HTTP_FIELD_ROW_COUNT] = {
    [HTTP_FIELD_OTHER] = { "other", 0, HTTP_FIELD_PLAIN, HTTP_FIELD_OTHER },
    [HTTP_FIELD_CLAIM] = { "claim", 0, HTTP_FIELD_KEPT, HTTP_FIELD_CLAIM },
#define FIELD_ROW(id, name, slot, traits) [HTTP_FIELD_##id] = { name, sizeof(name) - 1, traits, HTTP_FIELD_##id },
    HTTP_FIELD_LIST(FIELD_ROW)
#undef FIELD_ROW
#define CLAIM_ROW(id, name, slot) [HTTP_CLAIM_ROW_##id] = { name, sizeof(name) - 1, HTTP_FIELD_KEPT, HTTP_FIELD_CLAIM },
        HTTP_CLAIM_LIST(CLAIM_ROW)
#undef CLAIM_ROW
};

const uint8_t http_field_slots[256] = {
#define FIELD_SLOT(id, name, slot, traits) [slot] = HTTP_FIELD_##id,
    HTTP_FIELD_LIST(FIELD_SLOT)
#undef FIELD_SLOT
#define CLAIM_SLOT(id, name, slot) [slot] = HTTP_CLAIM_ROW_##id,
        HTTP_CLAIM_LIST(CLAIM_SLOT)
#undef CLAIM_SLOT
};

const char *http_field_to_str(enum http_field id)
{
    return (unsigned)id < HTTP_FIELD_COUNT ? http_field_rows[id].name : "unknown";
}

enum http_field_traits http_field_traits_of(enum http_field id)
{
    return (unsigned)id < HTTP_FIELD_COUNT ? (enum http_field_traits)http_field_rows[id].traits : HTTP_FIELD_PLAIN;
}

enum http_field http_field_of_name(struct slice name)
{
    if (name.len < 2) {
        return HTTP_FIELD_OTHER;
    }
    const struct http_field_row *row = &http_field_rows[http_field_slots[http_field_slot(name)]];
    return row->len == name.len && http_is_folded(name.at, row->name, name.len) ? (enum http_field)row->id
                                                                                : HTTP_FIELD_OTHER;
}

enum http_field http_field_of_alias(struct slice name)
{
    char dashed[HTTP_FIELD_NAME_ROOM];
    if (name.len > sizeof(dashed)) {
        return HTTP_FIELD_OTHER;
    }
    for (size_t i = 0; i < name.len; i++) {
        dashed[i] = name.at[i] == '_' ? '-' : name.at[i];
    }
    return http_field_of_name((struct slice){ dashed, name.len });
}
