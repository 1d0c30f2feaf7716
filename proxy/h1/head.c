#include "proxy/h1/head.h"

#include <assert.h>

static const char *const result_names[] = { [H1_DONE] = "done", [H1_MORE] = "more", [H1_BAD] = "bad" };
static_assert(sizeof(result_names) / sizeof(result_names[0]) == H1_BAD + 1, "a result without a name");

const char *h1_result_to_str(enum h1_result result)
{
    return (unsigned)result <= H1_BAD ? result_names[result] : "unknown";
}
