#include "discovery/docker/service_name.h"

#include "config/form.h"
#include "discovery/docker/labels.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_LEN_MAX 63

_Static_assert(2 * PART_LEN_MAX + 1 < TASK_NAME_SIZE, "project/service fits");

/* What compose itself allows, which is more than portico.service does. */
static bool is_compose_word(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t len = strnlen(text, PART_LEN_MAX + 1);
    return len > 0 && len <= PART_LEN_MAX && strspn(text, allowed) == len && isalnum((unsigned char)text[0]);
}

static bool is_name(const char *text)
{
    char *canonical = form_accept_name(text);
    free(canonical);
    return canonical != NULL;
}

static bool refuse(struct error *error, const char *label, const char *value, const char *expected)
{
    return error_set(error, "label %s=\"%.60s\"%s: %s is expected", label, value, strlen(value) > 60 ? "..." : "",
                     expected);
}

static int compare_names(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

static bool is_joinable(const char *name, const struct joinable_services *joinable)
{
    return joinable->count > 0 &&
           bsearch(name, joinable->names, joinable->count, sizeof *joinable->names, compare_names) != NULL;
}

bool service_name_read(const struct service_labels *labels, const struct joinable_services *joinable,
                       char out[TASK_NAME_SIZE], struct error *error)
{
    const char *project = labels->compose_project;
    const char *service = labels->service ? labels->service : project ? labels->compose_service : NULL;
    if (!service)
        return error_set(error, "label " DOCKER_LABEL_SERVICE " is missing, and compose did not make the container");
    if (labels->service && !is_name(labels->service))
        return refuse(error, DOCKER_LABEL_SERVICE, labels->service, "a name of a-z, 0-9 and -, at most 63");
    if (!is_compose_word(service))
        return refuse(error, DOCKER_LABEL_COMPOSE_SERVICE, service,
                      "a name of letters, digits, _, . and -, at most 63");
    if (project && !is_compose_word(project))
        return refuse(error, DOCKER_LABEL_COMPOSE_PROJECT, project,
                      "a name of letters, digits, _, . and -, at most 63");
    bool is_bare = !project || (labels->service && is_joinable(labels->service, joinable));
    snprintf(out, TASK_NAME_SIZE, "%s%s%s", is_bare ? "" : project, is_bare ? "" : "/", service);
    return true;
}
