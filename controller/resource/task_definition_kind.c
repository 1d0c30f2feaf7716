#include "controller/resource/task_definition_kind.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define REVISION_MAX INT64_C(999999999)

bool task_definition_split_name(const char *name, char family[TASK_FAMILY_SIZE], int64_t *revision)
{
    const char *colon = strrchr(name, ':');
    size_t len = colon != NULL ? (size_t)(colon - name) : 0,
           digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    if (len == 0 || len >= TASK_FAMILY_SIZE || digits == 0 || digits > 9 || colon[1] == '0' ||
        colon[1 + digits] != '\0')
        return false;
    memcpy(family, name, len);
    family[len] = '\0';
    *revision = strtoll(colon + 1, NULL, 10);
    return true;
}

json_t *task_definition_body(const json_t *document, const char *registered_by, int64_t registered_wall_us)
{
    json_t *body = json_object();
    json_object_set_new(body, "status", json_string("ACTIVE"));
    json_object_set_new(body, "registeredBy", json_string(registered_by));
    json_object_set_new(body, "registeredUs", json_integer(registered_wall_us));
    json_object_set_new(body, "definition", json_deep_copy(document));
    return body;
}

json_t *task_definition_body_inactive(const json_t *active_body, int64_t deregistered_wall_us)
{
    json_t *body = json_copy((json_t *)active_body); /* shallow: the definition is shared, and never changed */
    json_object_set_new(body, "status", json_string("INACTIVE"));
    json_object_set_new(body, "deregisteredUs", json_integer(deregistered_wall_us));
    return body;
}

json_t *task_family_body(int64_t last_revision)
{
    return json_pack("{s:I}", "lastRevision", (json_int_t)last_revision);
}

int64_t task_family_last_revision(const json_t *body)
{
    int64_t last = 0;
    json_find_integer(body, "lastRevision", &last);
    return last;
}

static void free_revision(void *spec)
{
    struct task_definition_revision *r = spec;
    task_definition_free(r->definition);
    free(r);
}

/* What portico itself writes around a definition. */
static bool read_envelope(struct task_definition_revision *r, const json_t *body, struct problems *problems)
{
    const char *status = json_find_string(body, "status");
    r->registered_by = json_find_string(body, "registeredBy");
    r->document = json_find_object(body, "definition");
    json_find_integer(body, "deregisteredUs", &r->deregistered_wall_us);
    r->is_active = status != NULL && strcmp(status, "ACTIVE") == 0;
    if (r->registered_by != NULL && r->document != NULL && status != NULL &&
        (r->is_active || strcmp(status, "INACTIVE") == 0) &&
        json_find_integer(body, "registeredUs", &r->registered_wall_us))
        return true;
    problems_add(problems, 0, 0, "status", "is not what portico writes");
    return false;
}

static void *parse_revision(const char *name, json_t *body, struct problems *problems)
{
    struct task_definition_revision *r = mem_alloc(sizeof *r);
    if (!task_definition_split_name(name, r->family, &r->revision))
        problems_add(problems, 0, 0, "family", "%s is not a family and its revision", name);
    else if (read_envelope(r, body, problems))
        r->definition = task_definition_read(r->document, problems);
    if (r->definition != NULL && strcmp(r->definition->family, r->family) == 0)
        return r;
    if (r->definition != NULL)
        problems_add(problems, 0, 0, "family", "is not that of %s", name);
    free_revision(r);
    return NULL;
}

static void *parse_family(const char *name, json_t *body, struct problems *problems)
{
    (void)name;
    int64_t *last = mem_alloc(sizeof *last);
    *last = task_family_last_revision(body);
    if (*last > 0 && *last <= REVISION_MAX)
        return last;
    problems_add(problems, 0, 0, "lastRevision", "is not from 1 to %lld", (long long)REVISION_MAX);
    free(last);
    return NULL;
}

const struct resource_kind resource_kind_task_definition = {
    .name = "taskDefinition",
    .summary = "a revision of a task definition",
    .parse = parse_revision,
    .free = free_revision,
};

const struct resource_kind resource_kind_task_family = {
    .name = "taskDefinitionFamily",
    .summary = "which revision of a family was given last, so that none is given twice",
    .parse = parse_family,
    .free = free,
};
