/* stop_cause: why a task ended, as far as it is known: a code for programs, in the words of ECS (Task.stopCode), and a
 * sentence for people. Plain data; any thread. */
#ifndef CONTROLLER_STOP_CAUSE_H
#define CONTROLLER_STOP_CAUSE_H

#define STOP_CAUSE_SIZE 256

enum stop_code {
    STOP_UNKNOWN = 0,
    STOP_FAILED_TO_START, /* it never ran */
    STOP_EXITED,          /* by itself */
    STOP_USER,            /* an operator's order, or somebody's signal */
    STOP_SCHEDULER,       /* surplus, replaced, or not healthy */
    STOP_CODE_COUNT
};
/* "EssentialContainerExited"; null for STOP_UNKNOWN. */
const char *stop_code_to_str(enum stop_code code);

struct stop_cause {
    enum stop_code code;
    char text[STOP_CAUSE_SIZE]; /* empty: nothing is known yet */
};

void stop_cause_set(struct stop_cause *cause, enum stop_code code, const char *text);
/* Nothing where something is known already: what came first is why. */
void stop_cause_add(struct stop_cause *cause, enum stop_code code, const char *text);

#endif
