#include "admin/handlers.h"

#include "admin/json_field.h"
#include "admin/patch_body.h"
#include "admin/refusal.h"
#include "controller/stopped_book.h"

#include <string.h>

struct task_row {
    const struct task *task;
    const char *provider;
    bool has_traffic;
    struct endpoint_traffic traffic;
    char health_reason[TASK_REASON_SIZE];
};

struct task_listing {
    const struct admin_parts *parts;
    json_t *tasks;
};

struct task_search {
    const char *prefix;
    const struct task *found;
    size_t found_count;
};

static json_t *task_to_json(const struct admin_parts *parts, const struct task *task)
{
    struct task_row filled = { .task = task, .provider = task_registry_provider_name(parts->registry, task->provider) };
    const struct data_plane *plane = &parts->data_plane;
    filled.has_traffic = plane->ops && plane->ops->endpoint_traffic(plane->owner, task->spec.id, &filled.traffic);
    task_health_explain(task, filled.health_reason);
    const struct task_row *row = &filled;
    json_t *object = json_object();
#define ADMIN_FIELDS_OF_TASK
#define ADMIN_FIELD(schema, kind, key, value, help) json_object_set_new(object, #key, json_field_##kind(value));
#include "admin/json_fields.def"
    return object;
}

static void add_task(void *owner, const struct task *task)
{
    struct task_listing *listing = owner;
    json_array_append_new(listing->tasks, task_to_json(listing->parts, task));
}

static void look_at_task(void *owner, const struct task *task)
{
    struct task_search *search = owner;
    if (strncmp(task->spec.id, search->prefix, strlen(search->prefix)) != 0)
        return;
    search->found = task;
    search->found_count++;
}

/* Whole id, or the beginning of exactly one (the router lets at least 12 digits through). Null with the error replied.
 */
static const struct task *find_task(const struct admin_parts *parts, const char *id, struct admin_reply *reply)
{
    const struct task *task = task_registry_find(parts->registry, id);
    if (task)
        return task;
    struct task_search search = { .prefix = id };
    if (!strchr(id, '/'))
        task_registry_each(parts->registry, look_at_task, &search);
    if (search.found_count == 1)
        return search.found;
    size_t stopped_count;
    if (search.found_count == 0 && stopped_book_find(controller_stopped_tasks(parts->controller), id, &stopped_count))
        admin_reply_error(reply, 404, "not_found", NULL, "the task has ended and was removed: see /v1/stopped-tasks/%s",
                          id);
    else if (search.found_count == 0)
        admin_reply_error(reply, 404, "not_found", NULL, "no task has the id %s", id);
    else
        admin_reply_error(reply, 409, "ambiguous", NULL, "%zu tasks have an id that begins with %s", search.found_count,
                          id);
    return NULL;
}

void admin_get_tasks(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    (void)request;
    struct task_listing listing = { parts, json_array() };
    task_registry_each(parts->registry, add_task, &listing);
    admin_reply_json(reply, 200, json_pack("{s:o}", "tasks", listing.tasks));
}

void admin_get_task(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply)
{
    const struct task *task = find_task(parts, request->parameter, reply);
    if (task)
        admin_reply_json(reply, 200, task_to_json(parts, task));
}

void admin_post_task_drain(const struct admin_parts *parts, const struct admin_request *request,
                           struct admin_reply *reply)
{
    struct patch_problem problem = { .field = "" };
    struct error error = { .text = "" };
    char id[TASK_ID_SIZE];
    if (!patch_body_parse_empty(request->body, &problem)) {
        admin_reply_error(reply, 400, "invalid_request", *problem.field ? problem.field : NULL, "%s", problem.message);
        return;
    }
    const struct task *task = find_task(parts, request->parameter, reply);
    if (!task)
        return;
    memcpy(id, task->spec.id, sizeof id); /* the order may change the registry */
    enum controller_result result = controller_drain_task(parts->controller, id, &error);
    if (result != CONTROLLER_OK) {
        admin_reply_refused(reply, result, NULL, &error);
        return;
    }
    task = find_task(parts, id, reply);
    if (task)
        admin_reply_json(reply, 202, task_to_json(parts, task));
}
