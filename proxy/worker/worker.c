#include "proxy/worker/worker.h"

#include "base/mem.h"

static void post_notice(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot,
                        struct snapshot_row row)
{
    struct worker_notice *notice = mem_alloc(sizeof *notice);
    notice->kind = kind;
    notice->worker = w->index;
    notice->snapshot = snapshot;
    notice->row = row;
    mailbox_post(w->main_mailbox, &notice->mail);
}

void worker_notify(struct worker *w, enum worker_notice_kind kind, struct snapshot *snapshot)
{
    post_notice(w, kind, snapshot, (struct snapshot_row){ 0 });
}

void worker_notify_row(struct worker *w, enum worker_notice_kind kind, struct snapshot_row row)
{
    post_notice(w, kind, NULL, row);
}
