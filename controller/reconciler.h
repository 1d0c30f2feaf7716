/* reconciler: what to do next for one service, as a pure function of what is wanted, what is seen and the time. Never
 * acts on a task that is not managed by this installation. Everything it says is safe to say again: it keeps no memory,
 * so that a controller that was killed at any moment goes on from what it sees. Any thread; nothing is allocated.
 *
 *   PENDING -> RUNNING -> healthy --START_DRAIN--> draining --STOP--> STOPPING -> STOPPED --REMOVE-->
 *
 * A task of another revision, or one that was healthy and has been down for long, is outdated. It is replaced one at a
 * time: a new one is started beyond the desired count, and when it is healthy the old one is drained.
 *
 * What holds for every plan, whatever was changed in the middle of what (tests/sim/reconciler_walk_test.c):
 *
 *  - Order. Who has to go goes in the order of `enum standing`: what serves nobody before what does.
 *  - Floor. No plan takes the healthy tasks of all revisions together below min(desired, those that are healthy now).
 *    Kubernetes states the same as maxUnavailable 0, ECS as minimumHealthyPercent 100.
 *  - Ceiling. Tasks on their way in or serving, those being created included, are never more than desired +
 *    RECONCILER_SURGE by our own doing. Draining and ending ones are on their way out and do not count.
 *  - Desired is an input. Nothing that is seen changes it.
 *  - An engine that cannot be reached is not tried: the plan is empty until it answers. */
#ifndef CONTROLLER_RECONCILER_H
#define CONTROLLER_RECONCILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/task_registry.h"

#define PLAN_ACTIONS_MAX 64
#define RECONCILER_SURGE 1
#define RECONCILER_CREATES_MAX 8         /* in one plan, and on their way for one service */
#define RECONCILER_DOWN_REPLACE_MS 30000 /* a task that was healthy may be down for so long before it is replaced */
#define RECONCILER_ORPHAN_MS 5000        /* a task that nobody is starting is left over from an earlier run */
#define RECONCILER_UNUSABLE_MS 5000      /* a new task that cannot be sent requests may find its address meanwhile */
#define RECONCILER_RESTART_GRACE_MS 5000 /* one that worked and stopped by itself may be in somebody's restart */
#define RECONCILER_STUCK_MS 150000       /* STOPPING, and not by us: longer than any stop timeout */
#define RECONCILER_BACKOFF_FIRST_MS 100
#define RECONCILER_BACKOFF_MAX_MS 60000

struct desired_service {
    int64_t count;                   /* 0 also when the service left the configuration */
    const char *revision;            /* of new tasks */
    bool may_create;                 /* there is a definition to create from */
    bool is_unreachable;             /* the engine, now */
    int64_t creating_count;          /* of this revision: asked for, and not yet seen */
    int64_t creating_outdated_count; /* of another, and can be cancelled */
    int64_t lingering_count;         /* of another, and cannot: they are there, or will be */
    int64_t create_budget;           /* at most so many more now, all services taken together */
    int64_t failure_count;           /* starts that failed, since the last good one */
    int64_t next_start_at_ms;        /* back-off */
    int64_t start_grace_ms;          /* how long a new task may take to become healthy */
    int64_t deregistration_delay_ms;
    int64_t tunnel_deregistration_delay_ms; /* while a tunnel is open to it, if that is longer */
};

struct observed_task {
    const struct task *task;    /* borrowed */
    bool is_healthy;            /* running, and all checks say so; whatever `admin` says */
    bool was_healthy;           /* since we watch it */
    bool is_inherited;          /* it ran when this process began: unknown health may well be good */
    bool is_starting;           /* this process is creating it right now */
    bool is_busy;               /* an action on it is outstanding; unless it is starting, it is on its way out */
    bool is_out_of_rotation;    /* every worker knows */
    uint64_t in_flight;         /* UINT64_MAX: unknown */
    uint64_t tunnels;           /* of those in flight */
    int64_t unhealthy_since_ms; /* of one that was healthy */
    int64_t ending_since_ms;    /* of one that is draining or STOPPING */
    int64_t stopped_since_ms;   /* of one that is STOPPED */
};

/* What a task is worth; the first goes first. Of two alike the outdated one goes, then the least busy, the youngest. */
enum standing {
    STANDING_FAILED = 0,  /* UNUSABLE from the start */
    STANDING_NOT_CREATED, /* asked for: can still be cancelled */
    STANDING_STARTING,    /* never healthy yet */
    STANDING_UNHEALTHY,   /* was healthy */
    STANDING_UNKNOWN,     /* inherited, not looked at yet: the data plane may be sending it requests */
    STANDING_HEALTHY,
    STANDING_COUNT
};
enum standing reconciler_standing_of(const struct observed_task *task);

enum action_kind {
    ACTION_CREATE = 0,
    ACTION_CANCEL, /* a creation that has not been carried out; without task_id: one that has not been seen */
    ACTION_START_DRAIN,
    ACTION_STOP,
    ACTION_REMOVE,
    ACTION_KIND_COUNT
};
const char *action_kind_to_str(enum action_kind kind);

struct action {
    enum action_kind kind;
    bool is_outdated;           /* CANCEL of one that has not been seen: of another revision */
    bool is_start_failure;      /* a task that never became healthy is given up */
    char task_id[TASK_ID_SIZE]; /* empty for ACTION_CREATE */
    char reason[TASK_PROBLEM_SIZE + 40];
};

struct plan {
    struct action actions[PLAN_ACTIONS_MAX]; /* what does not fit is said again at the next turn */
    size_t action_count;
    int64_t replace_count; /* tasks that are to be replaced by new ones */
};

/* A service's tasks; `tasks` may hold any, those not managed by us are passed over. */
void reconciler_plan(const struct desired_service *desired, const struct observed_task *tasks, size_t n, int64_t now_ms,
                     struct plan *plan);

/* 100 ms, doubled for each failure after the first, at most a minute; 0 without failure. */
int64_t reconciler_backoff_ms(int64_t failure_count);

/* True when the task must make way for a new one. */
bool reconciler_is_outdated(const struct observed_task *task, const char *revision, int64_t now_ms);

#endif
