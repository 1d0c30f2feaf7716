#include "config/task_definition/place.h"

#include <stdarg.h>
#include <string.h>

void place_write(const struct place *place, struct buf *out)
{
    if (place == NULL)
        return;
    place_write(place->in, out);
    char excerpt[PROBLEM_EXCERPT_SIZE];
    buf_printf(out, "%s%s", out->len > 0 ? "." : "", problem_excerpt(excerpt, place->key));
    if (place->index != PLACE_NO_INDEX)
        buf_printf(out, "[%zu]", place->index);
}

void place_refuse(struct problems *problems, const struct place *place, const char *field, const char *format, ...)
{
    if (problems->more_found) /* nothing further is told */
        return;
    struct buf path;
    buf_init(&path, 0);
    struct place whole = field ? place_of(place, field) : (struct place){ 0 };
    place_write(field ? &whole : place, &path);
    va_list args;
    va_start(args, format);
    problems_add_args(problems, 0, 0, buf_text(&path), format, args);
    va_end(args);
    buf_fini(&path);
}
