/* child: one process of ours, as the supervisor sees it: started from our own executable, restarted when it dies.
 * Single thread. Its owner makes and sends the links between children (daemon/supervisor.c). */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/child_channel.h"
#include "base/loop.h"

#define CHILD_ARGUMENTS_MAX 32

/* What to start. */
struct child_command {
    char *arguments[CHILD_ARGUMENTS_MAX + 1]; /* owned texts, from "portico" on; null-terminated */
    size_t argument_count;
    const int *fds; /* borrowed: descriptors that it inherits; every other one is closed */
    size_t fd_count;
};

void child_command_add(struct child_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
void child_command_fini(struct child_command *command);

struct child {
    const char *name;                  /* borrowed, static: "proxy" */
    pid_t pid;                         /* 0: not running */
    struct child_channel *channel;     /* owned; null: not running, or it closed its side */
    int64_t started_at_ms, beat_at_ms; /* beat: its last sign of life; 0: none */
    uint32_t start_count;
    uint32_t quick_deaths;  /* in a row, each within CHILD_STABLE_MS of its start */
    uint32_t failed_starts; /* in a row: CHILD_FAILED and nothing better in between */
    bool was_ready;         /* at any time, any of its lives */
    bool is_ready;          /* in its present, or last, life */
    bool was_stuck;         /* likewise: a watchdog has killed it */
    int start_error;        /* why the last try came to no process; 0: it did */
    struct timer restart;
};

#define CHILD_RESTART_SLOWEST_MS 5000 /* between two starts that fail */
#define CHILD_STABLE_MS 10000

/* Forks and executes, with the child's end of a new channel appended to the command line ("--supervisor-fd N"). False
 * when there is no process or descriptor to be had. */
bool child_start(struct child *child, struct loop *loop, struct child_command *command,
                 const struct child_channel_callbacks *callbacks, void *owner);

/* One that an earlier program of this process started. channel_fd: taken; -1: it has closed its side. */
void child_adopt(struct child *child, struct loop *loop, pid_t pid, int channel_fd,
                 const struct child_channel_callbacks *callbacks, void *owner);

void child_forget(struct child *child); /* after waitpid: no pid, no channel */

/* What its end says of the next start. */
enum child_end {
    CHILD_SERVED = 0, /* it had become ready: the next one will too */
    CHILD_KILLED,     /* it was ended from outside, by exit code 0 or a signal that no fault of its own raises */
    CHILD_FAILED      /* of its own accord, or too late, or it could not be started: so will the next one, probably */
};
enum child_end child_end_of(const struct child *child, int wait_status);
const char *child_end_to_str(enum child_end end);

/* How long until the next start; counts the death. Who served or was killed is missed more than a start costs: 0 for the
 * first death in a while, then 100 ms, 200 ms, 250 ms at most, so that it is back within a second however often it is
 * killed. Only starts that fail one after the other wait longer: 0, then 100 ms doubling to 5 s. */
int64_t child_restart_delay_ms(struct child *child, enum child_end end, int64_t now_ms);

/* "exit code 1", "signal 9 (Killed)" */
void child_describe_end(int wait_status, char *out, size_t size);

#endif
