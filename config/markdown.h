/* markdown: pieces of the generated references. Pure. Any thread. */
#ifndef CONFIG_MARKDOWN_H
#define CONFIG_MARKDOWN_H

#include "base/buf.h"

/* Text in a cell of a table: what a cell may not have in it is escaped. */
void markdown_append_cell(struct buf *out, const char *text);

/* A link to the heading that is this path, `services[].scaling`; its anchor is its lower-case letters. */
void markdown_append_link(struct buf *out, const char *path);

#endif
