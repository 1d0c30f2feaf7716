#include "admin/handlers.h"

#include "admin/json_field.h"
#include "controller/stopped_book.h"

static json_t *stopped_to_json(const struct stopped_task *row)
{
    char reason[STOPPED_REASON_SIZE];
    stopped_task_explain(row, reason);
    json_t *object = json_object();
#define ADMIN_FIELDS_OF_STOPPED_TASK
#define ADMIN_FIELD(schema, kind, key, value, help) json_object_set_new(object, #key, json_field_##kind(value));
#include "admin/json_fields.def"
    return object;
}

static void add_stopped(void *owner, const struct stopped_task *task)
{
    json_array_append_new(owner, stopped_to_json(task));
}

/* service: null for all. */
static json_t *list_stopped(const struct admin_parts *parts, const char *service)
{
    json_t *tasks = json_array();
    stopped_book_each(controller_stopped_tasks(parts->controller), service, add_stopped, tasks);
    return tasks;
}

void admin_get_stopped_tasks(const struct admin_parts *parts, const struct admin_request *request,
                             struct admin_reply *reply)
{
    (void)request;
    admin_reply_json(reply, 200, json_pack("{s:o}", "stoppedTasks", list_stopped(parts, NULL)));
}

/* Also of a service that is gone, for as long as something of it is kept. */
void admin_get_service_stopped_tasks(const struct admin_parts *parts, const struct admin_request *request,
                                     struct admin_reply *reply)
{
    struct service_status status;
    bool is_there = controller_find_service(parts->controller, request->parameter, &status);
    json_t *tasks = list_stopped(parts, is_there ? status.name : request->parameter);
    if (is_there || json_array_size(tasks) > 0) {
        admin_reply_json(reply, 200, json_pack("{s:o}", "stoppedTasks", tasks));
        return;
    }
    json_decref(tasks);
    admin_reply_error(reply, 404, "not_found", NULL, "no service is named %s, and no stopped task of one is kept",
                      request->parameter);
}

void admin_get_stopped_task(const struct admin_parts *parts, const struct admin_request *request,
                            struct admin_reply *reply)
{
    size_t fit_count;
    const struct stopped_book *book = controller_stopped_tasks(parts->controller);
    const struct stopped_task *task = stopped_book_find(book, request->parameter, &fit_count);
    if (task)
        admin_reply_json(reply, 200, stopped_to_json(task));
    else if (fit_count > 0)
        admin_reply_error(reply, 409, "ambiguous", NULL, "%zu stopped tasks have an id that begins with %s", fit_count,
                          request->parameter);
    else
        admin_reply_error(reply, 404, "not_found", NULL, "no stopped task with the id %s is kept", request->parameter);
}
