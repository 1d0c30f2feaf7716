#include "controller/stop_cause.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

static const char *const code_names[] = { NULL, "TaskFailedToStart", "EssentialContainerExited", "UserInitiated",
                                          "ServiceSchedulerInitiated" };
static_assert(sizeof code_names / sizeof code_names[0] == STOP_CODE_COUNT, "one name each");

const char *stop_code_to_str(enum stop_code code)
{
    return (unsigned)code < STOP_CODE_COUNT ? code_names[code] : NULL;
}

void stop_cause_set(struct stop_cause *cause, enum stop_code code, const char *text)
{
    cause->code = code;
    snprintf(cause->text, sizeof cause->text, "%s", text);
}

void stop_cause_add(struct stop_cause *cause, enum stop_code code, const char *text)
{
    if (cause->text[0] == '\0')
        stop_cause_set(cause, code, text);
}
