/* task: one container, or one listed address, as discovery knows it, and what follows from that. Plain data and pure
 * functions; any thread. Who keeps them is discovery/task_registry.h.
 *
 * Three axes, never merged: `state` is the provider's (does it run), `health` is what checks say, `admin` is what the
 * controller or an operator ordered. task_is_routable() joins them.
 *
 * A task that this installation created is never left out: what cannot be sent requests as it is (no address, labels
 * that make no sense) enters as UNUSABLE, with the reason in `problem`, so that it is counted, shown and removed. */
#ifndef DISCOVERY_TASK_H
#define DISCOVERY_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TASK_ID_SIZE 72      /* a container id (64 hex digits) or "file/<service>/<address>", and a NUL */
#define TASK_NAME_SIZE 128   /* service ("web", "project/web"), container name */
#define TASK_ADDRESS_SIZE 64 /* "172.17.0.2:8080", "[fd00::2]:8080" */
#define TASK_HOST_SIZE 1024  /* "a.example,b.example" */
#define TASK_PATH_SIZE 256
#define TASK_REVISION_SIZE 36
#define TASK_IMAGE_ID_SIZE 72
#define TASK_PROXY_PROTOCOL_SIZE 4
#define TASK_PROBLEM_SIZE 160
#define TASK_WORDS_SIZE 160 /* what a check said */

enum task_state { TASK_PENDING = 0, TASK_RUNNING, TASK_STOPPING, TASK_STOPPED, TASK_STATE_COUNT };
enum task_health { TASK_HEALTH_UNKNOWN = 0, TASK_HEALTH_UP, TASK_HEALTH_DOWN, TASK_HEALTH_COUNT };
enum task_admin { TASK_ADMIN_READY = 0, TASK_ADMIN_DRAINING, TASK_ADMIN_REMOVED, TASK_ADMIN_COUNT };

/* How a task that no configuration knows wants to be checked. Empty and 0: not said. */
struct task_check {
    char path[TASK_PATH_SIZE];
    int64_t interval_ms, timeout_ms;
};

/* Filled by a provider for task_registry_apply(). Plain data. */
struct task_spec {
    char id[TASK_ID_SIZE];
    char name[TASK_NAME_SIZE]; /* container name, for people */
    char service[TASK_NAME_SIZE];
    char address[TASK_ADDRESS_SIZE]; /* empty while unknown */
    char host
        [TASK_HOST_SIZE]; /* routes asked for, hosts with commas between (config/form.h); both empty: the service's own routes only; else an */
    char path[TASK_PATH_SIZE];                     /* empty host means "*" and an empty path "/" */
    char revision[TASK_REVISION_SIZE];             /* what our own containers were created from; empty for others */
    char image_id[TASK_IMAGE_ID_SIZE];             /* of our own: the image that it runs; empty: not known */
    char proxy_protocol[TASK_PROXY_PROTOCOL_SIZE]; /* "off", "v1", "v2"; empty: not said */
    bool managed;                                  /* created by this installation of Portico */
    char problem[TASK_PROBLEM_SIZE];               /* why no request can be sent to it as it is; empty: it is usable */
    uint32_t weight;                               /* 1..1000 */
    enum task_state state;
    bool has_engine_health;             /* the engine runs a health check in it */
    enum task_health engine_health;     /* what that check says */
    char engine_words[TASK_WORDS_SIZE]; /* the same in its own words; a change of them alone is no change */
    int64_t start_period_ms;            /* until when that check may fail; 0: none given */
    struct task_check check;
    int64_t started_at_wall_us; /* 0: unknown */
    int32_t exit_code;          /* of a stopped one */
    bool is_signalled;          /* somebody had the engine send its stop signal, in this life of it */
};

struct task {
    struct task_spec spec;
    enum task_health probe_health; /* what our own checks say; UNKNOWN until the first answer */
    bool was_healthy;              /* since it has this address and runs; presumed of what ran long before us */
    enum task_admin admin;
    uint8_t provider;    /* index given by task_registry_add_provider */
    uint64_t sync_round; /* of the provider's last full list that named it; 0: none yet */
    int64_t first_seen_at_ms;
    int64_t probe_changed_at_ms;
    char probe_words[TASK_WORDS_SIZE]; /* what our last check said; empty before it */
};

/* RUNNING, usable, has an address, admin READY, the engine's check (if any) not DOWN or UNKNOWN, and our own probe UP. */
bool task_is_routable(const struct task *task);
enum task_health task_health_of(const struct task *task); /* both checks joined */
/* Why it is as it is: the words of the check that decides; empty when the task does not run. */
#define TASK_REASON_SIZE (TASK_WORDS_SIZE + 32)
void task_health_explain(const struct task *task, char out[TASK_REASON_SIZE]);
/* Would be routable, and was, but for a check that says no, once where it was only presumed: better than nothing when no
 * task of its service is routable. */
bool task_is_last_resort(const struct task *task);

/* Runs and may be sent requests, but for a first answer to our own check. */
bool task_awaits_probe(const struct task *task);

bool task_is_unusable(const struct task *task);

const char *task_state_to_str(enum task_state state);
const char *task_health_to_str(enum task_health health);
const char *task_admin_to_str(enum task_admin admin);

#endif
