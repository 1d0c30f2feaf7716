#include "proxy/h1/field.h"

const struct h1_field_row h1_field_rows[H1_FIELD_ROW_COUNT] = {
    [H1_FIELD_OTHER] = { "other", 0, H1_FIELD_PLAIN, H1_FIELD_OTHER },
    [H1_FIELD_CLAIM] = { "claim", 0, H1_FIELD_KEPT, H1_FIELD_CLAIM },
#define FIELD_ROW(id, name, slot, traits) [H1_FIELD_##id] = { name, sizeof(name) - 1, traits, H1_FIELD_##id },
    H1_FIELD_LIST(FIELD_ROW)
#undef FIELD_ROW
#define CLAIM_ROW(id, name, slot) [H1_CLAIM_ROW_##id] = { name, sizeof(name) - 1, H1_FIELD_KEPT, H1_FIELD_CLAIM },
        H1_CLAIM_LIST(CLAIM_ROW)
#undef CLAIM_ROW
};

const uint8_t h1_field_slots[256] = {
#define FIELD_SLOT(id, name, slot, traits) [slot] = H1_FIELD_##id,
    H1_FIELD_LIST(FIELD_SLOT)
#undef FIELD_SLOT
#define CLAIM_SLOT(id, name, slot) [slot] = H1_CLAIM_ROW_##id,
        H1_CLAIM_LIST(CLAIM_SLOT)
#undef CLAIM_SLOT
};

const char *h1_field_to_str(enum h1_field id)
{
    return (unsigned)id < H1_FIELD_COUNT ? h1_field_rows[id].name : "unknown";
}

enum h1_field_traits h1_field_traits_of(enum h1_field id)
{
    return (unsigned)id < H1_FIELD_COUNT ? (enum h1_field_traits)h1_field_rows[id].traits : H1_FIELD_PLAIN;
}

enum h1_field h1_field_of_name(struct slice name)
{
    if (name.len < 2) {
        return H1_FIELD_OTHER;
    }
    const struct h1_field_row *row = &h1_field_rows[h1_field_slots[h1_field_slot(name)]];
    return row->len == name.len && h1_is_folded(name.at, row->name, name.len) ? (enum h1_field)row->id : H1_FIELD_OTHER;
}

enum h1_field h1_field_of_alias(struct slice name)
{
    char dashed[H1_FIELD_NAME_ROOM];
    if (name.len > sizeof(dashed)) {
        return H1_FIELD_OTHER;
    }
    for (size_t i = 0; i < name.len; i++) {
        dashed[i] = name.at[i] == '_' ? '-' : name.at[i];
    }
    return h1_field_of_name((struct slice){ dashed, name.len });
}
