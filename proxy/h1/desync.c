#include "proxy/h1/desync.h"

#include <assert.h>

static const char *const class_names[] = {
    [H1_COMPLIANT] = "compliant",
    [H1_ACCEPTABLE] = "acceptable",
    [H1_AMBIGUOUS] = "ambiguous",
    [H1_SEVERE] = "severe",
};
static_assert(sizeof(class_names) / sizeof(class_names[0]) == H1_SEVERE + 1, "a class without a name");

static const struct {
    const char *text;
    enum h1_desync desync;
} reasons[] = {
#define REASON_ROW(name, class, text) [H1_DESYNC_##name] = { text, class },
    H1_DESYNC_REASON_LIST(REASON_ROW)
#undef REASON_ROW
};
static_assert(sizeof(reasons) / sizeof(reasons[0]) == H1_DESYNC_REASON_COUNT, "a reason without a row");
static_assert(H1_DESYNC_REASON_COUNT <= 32, "h1_request.desync_reasons has a bit for each");

const char *h1_desync_to_str(enum h1_desync desync)
{
    return (unsigned)desync <= H1_SEVERE ? class_names[desync] : "unknown";
}

const char *h1_desync_reason_to_str(enum h1_desync_reason reason)
{
    return (unsigned)reason < H1_DESYNC_REASON_COUNT ? reasons[reason].text : "unknown";
}

enum h1_desync h1_desync_class_of(enum h1_desync_reason reason)
{
    return (unsigned)reason < H1_DESYNC_REASON_COUNT ? reasons[reason].desync : H1_SEVERE;
}
