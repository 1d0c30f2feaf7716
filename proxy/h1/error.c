#include "proxy/h1/error.h"

struct error_row {
    int status;
    const char *text;
};

static const struct error_row error_rows[H1_ERROR_COUNT] = { [H1_OK] = { 200, "ok" },
#define ERROR_ROW(name, status, text) [H1_ERR_##name] = { status, text },
                                                             H1_ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
};

const char *h1_error_to_str(enum h1_error error)
{
    return (unsigned)error < H1_ERROR_COUNT ? error_rows[error].text : "unknown";
}

int h1_error_to_status(enum h1_error error)
{
    return (unsigned)error < H1_ERROR_COUNT ? error_rows[error].status : 400;
}
