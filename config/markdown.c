#include "config/markdown.h"

#include <string.h>

void markdown_append_cell(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (strchr("|*<\\", *c))
            buf_append_text(out, "\\");
        buf_append(out, c, 1);
    }
}

void markdown_append_link(struct buf *out, const char *path)
{
    buf_printf(out, "[`%s`](#", path);
    for (const char *c = path; *c; c++) {
        char lower = (char)(*c | 0x20);
        if (lower >= 'a' && lower <= 'z')
            buf_append(out, &lower, 1);
    }
    buf_append_text(out, ")");
}
