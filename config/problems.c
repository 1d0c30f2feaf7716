#include "config/problems.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct problem {
    unsigned line, column;
    size_t order; /* of its finding, for those at one place */
    char *text;   /* "path: what is wrong"; owned, escaped */
};

/* C0, DEL and the C1 controls (U+0080 to U+009F, two bytes in UTF-8). */
static void append_escaped(struct buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            buf_printf(out, "\\x%02x", *c);
        } else if (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) {
            c++;
            buf_printf(out, "\\u%04x", *c);
        } else {
            buf_append(out, c, 1);
        }
    }
}

static int compare_problems(const void *a, const void *b)
{
    const struct problem *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static char *write_line(const char *name, const struct problem *problem)
{
    if (!name)
        return mem_strdup(problem->text);
    if (problem->line == 0)
        return mem_printf("%s: %s", name, problem->text);
    return mem_printf("%s:%u:%u: %s", name, problem->line, problem->column, problem->text);
}

void problems_init(struct problems *p, const char *name)
{
    *p = (struct problems){ .name = name };
}

void problems_fini(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->entries[i].text);
    free(p->entries);
    problems_init(p, p->name);
}

void problems_add(struct problems *p, unsigned line, unsigned column, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problems_add_args(p, line, column, path, format, args);
    va_end(args);
}

void problems_add_args(struct problems *p, unsigned line, unsigned column, const char *path, const char *format,
                       va_list args)
{
    char *what;
    if (p->count == CONFIG_PROBLEMS_MAX) {
        p->more_found = true;
        return;
    }
    if (vasprintf(&what, format, args) < 0)
        what = mem_strdup("no memory to say what is wrong");
    struct buf text;
    buf_init(&text, 0);
    append_escaped(&text, *path ? path : "document");
    buf_append_text(&text, ": ");
    append_escaped(&text, what);
    free(what);
    p->entries = mem_grow_array(p->entries, p->count + 1, sizeof *p->entries);
    p->entries[p->count] = (struct problem){ line, column, p->count, mem_strdup(buf_text(&text)) };
    p->count++;
    buf_fini(&text);
}

void problems_hand_over(struct problems *p, struct config_problems *out)
{
    *out = (struct config_problems){ 0 };
    if (p->count == 0)
        return;
    struct buf name;
    buf_init(&name, 0);
    append_escaped(&name, p->name ? p->name : "");
    qsort(p->entries, p->count, sizeof *p->entries, compare_problems);
    out->lines = mem_alloc_array(p->count + 1, sizeof *out->lines);
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *entry = &p->entries[i];
        out->lines[i] = write_line(p->name ? buf_text(&name) : NULL, entry);
    }
    out->count = p->count;
    if (p->more_found)
        out->lines[out->count++] = mem_strdup("... and more");
    buf_fini(&name);
    problems_fini(p);
}

const char *problem_excerpt(char out[PROBLEM_EXCERPT_SIZE], const char *text)
{
    size_t room = PROBLEM_EXCERPT_SIZE - sizeof "...", len = strnlen(text, room + 1);
    bool cut = len > room;
    if (cut) {
        len = room;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) /* not inside a UTF-8 sequence */
            len--;
    }
    memcpy(out, text, len);
    memcpy(out + len, cut ? "..." : "", cut ? sizeof "..." : 1);
    return out;
}
