#include "daemon/watchdog.h"

#include "base/clock.h"
#include "base/log.h"

#include <signal.h>

#define LOOKS_PER_LIMIT 4
#define DOUBLINGS_MAX 4

/* Killing each start for being slow would leave a machine that is too busy without any, and make it busier still. */
static int64_t limit_for(const struct watchdog *w)
{
    uint32_t failed = w->child->is_ready ? 0 : w->child->failed_starts;
    return w->limit_ms << (failed < DOUBLINGS_MAX ? failed : DOUBLINGS_MAX);
}

bool watchdog_is_stuck(struct watchdog *w, int64_t now_ms)
{
    const struct child *child = w->child;
    int64_t sign_at_ms = child->beat_at_ms > child->started_at_ms ? child->beat_at_ms : child->started_at_ms;
    bool is_overdue = child->pid > 0 && now_ms - sign_at_ms >= limit_for(w);
    bool is_stuck = is_overdue && w->suspected_at_ms == sign_at_ms;
    w->suspected_at_ms = is_overdue ? sign_at_ms : 0;
    return is_stuck;
}

static void on_look(void *owner)
{
    struct watchdog *w = owner;
    if (w->child->was_stuck || !watchdog_is_stuck(w, clock_now_ms()))
        return;
    w->child->was_stuck = true;
    log_error("%s[%d]: no sign of life for %lld ms, killed", w->child->name, (int)w->child->pid,
              (long long)(clock_now_ms() - w->suspected_at_ms));
    kill(w->child->pid, SIGKILL);
}

void watchdog_start(struct watchdog *w, struct loop *loop, struct child *child, int64_t limit_ms)
{
    *w = (struct watchdog){ .child = child, .limit_ms = limit_ms };
    timer_init(&w->look, loop, on_look, w);
    timer_start_every(&w->look, limit_ms / LOOKS_PER_LIMIT);
}

void watchdog_stop(struct watchdog *w)
{
    timer_stop(&w->look);
}
