#include "proxy/snapshot/kept_rows.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/queue.h>

struct kept_row {
    TAILQ_ENTRY(kept_row) link; /* while it is kept, in the order of leaving */
    uint32_t workers;           /* that keep it */
    bool is_called_in;
};

TAILQ_HEAD(kept_row_list, kept_row);

struct kept_rows {
    struct kept_row *rows; /* owned; by slot, touched where a row was ever kept */
    struct kept_row_list list;
    size_t called_in_count;
};

struct kept_rows *kept_rows_new(uint32_t rows)
{
    struct kept_rows *kept = mem_alloc(sizeof *kept);
    kept->rows = mem_alloc_array(rows, sizeof *kept->rows);
    TAILQ_INIT(&kept->list);
    return kept;
}

void kept_rows_free(struct kept_rows *kept)
{
    check(TAILQ_EMPTY(&kept->list));
    free(kept->rows);
    free(kept);
}

static void forget_call(struct kept_rows *kept, struct kept_row *one)
{
    kept->called_in_count -= one->is_called_in;
    one->is_called_in = false;
}

/* Whoever keeps it now has not been called: it had come back meanwhile, and another worker has not got that far yet. */
void kept_rows_keep(struct kept_rows *kept, uint32_t row)
{
    struct kept_row *one = &kept->rows[row];
    forget_call(kept, one);
    if (one->workers++ == 0)
        TAILQ_INSERT_TAIL(&kept->list, one, link);
}

void kept_rows_return(struct kept_rows *kept, uint32_t row)
{
    struct kept_row *one = &kept->rows[row];
    check(one->workers > 0);
    if (--one->workers > 0)
        return;
    TAILQ_REMOVE(&kept->list, one, link);
    forget_call(kept, one);
}

size_t kept_rows_call_in(struct kept_rows *kept, size_t free_count, size_t wanted, uint64_t *set)
{
    size_t count = 0;
    struct kept_row *one;
    TAILQ_FOREACH (one, &kept->list, link) {
        if (free_count + kept->called_in_count >= wanted)
            break;
        if (one->is_called_in)
            continue;
        one->is_called_in = true;
        kept->called_in_count++;
        row_set_add(set, (uint32_t)(one - kept->rows));
        count++;
    }
    return count;
}
