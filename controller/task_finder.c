#include "controller/task_finder.h"

#include <string.h>

struct task_search {
    const char *prefix;
    size_t len, found_count;
    struct task found;
};

static void match_task(void *owner, const struct task *task)
{
    struct task_search *search = owner;
    if (strncmp(task->spec.id, search->prefix, search->len) != 0)
        return;
    bool is_exact = task->spec.id[search->len] == '\0';
    if (is_exact || search->found_count == 0)
        search->found = *task;
    search->found_count++;
}

enum controller_result task_finder_find(const struct task_registry *registry, const char *written, struct task *out,
                                        struct error *error)
{
    struct task_search search = { .prefix = written, .len = strlen(written) };
    if (search.len < TASK_PREFIX_MIN) {
        error_set(error, "task id: %s is too short, give at least %d characters", written, TASK_PREFIX_MIN);
        return CONTROLLER_INVALID;
    }
    task_registry_each(registry, match_task, &search);
    if (search.found_count == 0) {
        error_set(error, "there is no task %s", written);
        return CONTROLLER_NOT_FOUND;
    }
    if (search.found_count > 1 && strcmp(search.found.spec.id, written) != 0) {
        error_set(error, "task id: %s matches %zu tasks, give more of it", written, search.found_count);
        return CONTROLLER_INVALID;
    }
    *out = search.found;
    return CONTROLLER_OK;
}
