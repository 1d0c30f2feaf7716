#include "proxy/worker/worker.h"

#include "base/check.h"
#include "base/mem.h"

static void post_notice(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot,
                        struct snapshot_rows rows)
{
    struct worker_notice *notice = mem_alloc(sizeof *notice);
    notice->kind = kind;
    notice->worker = w->index;
    notice->snapshot = snapshot;
    notice->rows = rows;
    mailbox_post(w->main_mailbox, &notice->mail);
}

void worker_notify(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot)
{
    post_notice(w, kind, snapshot, (struct snapshot_rows){ 0 });
}

void worker_return_hold(struct worker *w, struct snapshot_hold *hold)
{
    check(!hold->returned);
    hold->returned = true;
    worker_notify(w, WORKER_RETURNED_SNAPSHOT, hold->snapshot);
}

struct snapshot_hold *worker_pin(struct worker *w)
{
    snapshot_pin(w->hold);
    return w->hold;
}

void worker_unpin(struct worker *w, struct snapshot_hold *hold)
{
    if (snapshot_unpin(hold)) {
        w->previous = NULL;
        worker_return_hold(w, hold);
    }
}

void worker_keep_rows(struct worker *w, struct snapshot_rows rows)
{
    post_notice(w, WORKER_KEPT_ROWS, NULL, rows);
}

void worker_return_rows(struct worker *w, struct snapshot_rows rows)
{
    post_notice(w, WORKER_RETURNED_ROWS, NULL, rows);
}
