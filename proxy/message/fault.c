#include "proxy/message/fault.h"

#include <string.h>

static struct slice line_around(struct slice head, size_t at)
{
    size_t start = at < head.len ? at : head.len, end = start;
    while (start > 0 && head.at[start - 1] != '\n')
        start--;
    while (end < head.len && head.at[end] != '\r' && head.at[end] != '\n')
        end++;
    return (struct slice){ head.at + start, end - start };
}

void fault_in_head(struct fault *fault, const char *place, const char *why, struct slice head, size_t at)
{
    struct slice line = line_around(head, at);
    fault_in_body(fault, place, why, at);
    fault->line.len = line.len < FAULT_LINE_BYTES ? line.len : FAULT_LINE_BYTES;
    memcpy(fault->line_bytes, line.at, fault->line.len);
}

void fault_in_body(struct fault *fault, const char *place, const char *why, uint64_t at)
{
    fault->why = why;
    fault->place = place;
    fault->at = at;
    fault->line = (struct slice){ fault->line_bytes, 0 };
}
