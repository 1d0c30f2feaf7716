#include "admin/handlers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/json_field.h"
#include "admin/patch_body.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "controller/resource/task_definition_desk.h"

#define LIST_COUNT 100

/* An order that the store has not answered. */
struct pending_definition {
    struct resource_desk *desk; /* borrowed */
    struct admin_reply *reply;  /* borrowed until it is finished */
    int status;                 /* of the answer when all is well */
    char name[RESOURCE_NAME_SIZE];
    json_t *deleted; /* owned; what it was, when it is deleted; else null */
};

static json_t *definition_to_json(const struct resource *r)
{
    const struct task_definition_revision *spec = r->spec;
    const json_t *inner = json_find_object(spec->document, "taskDefinition");
    json_t *object = json_copy((json_t *)(inner != NULL ? inner : spec->document)), *ignored = json_array();
    json_t *tags = json_object_get(spec->document, "tags");
    if (tags != NULL && !json_is_null(tags)) /* AWS answers them beside the definition */
        json_object_set(object, "tags", tags);
    for (size_t i = 0; i < spec->definition->ignored_count; i++)
        json_array_append_new(ignored,
                              json_pack("{s:o,s:o}", "path", json_field_text(spec->definition->ignored[i].path), "why",
                                        json_field_text(spec->definition->ignored[i].why)));
    json_object_set_new(object, "family", json_field_text(spec->family));
    json_object_set_new(object, "revision", json_field_count(spec->revision));
    json_object_set_new(object, "taskDefinitionArn", json_field_text(r->name));
    json_object_set_new(object, "status", json_field_text(spec->is_active ? "ACTIVE" : "INACTIVE"));
    json_object_set_new(object, "registeredAt", json_field_time_or_null(spec->registered_wall_us));
    json_object_set_new(object, "registeredBy", json_field_text(spec->registered_by));
    json_object_set_new(object, "deregisteredAt", json_field_time_or_null(spec->deregistered_wall_us));
    json_object_set_new(object, "ignored", ignored);
    return object;
}

static void set_etag(struct admin_reply *reply, int64_t version)
{
    snprintf(reply->etag, sizeof reply->etag, "\"%lld\"", (long long)version);
}

static void reply_definition(struct admin_reply *reply, int status, const struct resource *r)
{
    admin_reply_json(reply, status, json_pack("{s:o}", "taskDefinition", definition_to_json(r)));
    set_etag(reply, r->version);
}

static void reply_refusal(struct admin_reply *reply, const struct resource_refusal *refusal)
{
    static const struct {
        int status;
        const char *code;
    } answers[] = {
        [RESOURCE_FINE] = { 500, "internal" },           [RESOURCE_INVALID] = { 400, "invalid_request" },
        [RESOURCE_NOT_FOUND] = { 404, "not_found" },     [RESOURCE_CONFLICT] = { 409, "conflict" },
        [RESOURCE_STALE] = { 412, "changed_meanwhile" }, [RESOURCE_NO_ROOM] = { 507, "no_room" },
        [RESOURCE_NOT_DURABLE] = { 503, "not_durable" },
    };
    admin_reply_error(reply, answers[refusal->verdict].status, answers[refusal->verdict].code,
                      *refusal->field ? refusal->field : NULL, "%s%s",
                      refusal->verdict == RESOURCE_NOT_DURABLE ? "nothing was changed: " : "", refusal->error.text);
}

static void reply_not_found(struct admin_reply *reply, const char *name)
{
    admin_reply_error(reply, 404, "not_found", NULL, "no task definition is named %s", name);
}

/* Durable, or refused by the store. */
static void on_done(void *owner, const struct resource_refusal *refusal)
{
    struct pending_definition *pending = owner;
    const struct resource *r = refusal == NULL ? task_definition_desk_find(pending->desk, pending->name) : NULL;
    if (refusal != NULL)
        reply_refusal(pending->reply, refusal);
    else if (r != NULL)
        reply_definition(pending->reply, pending->status, r);
    else /* it is deleted, by this or by a later order */
        admin_reply_json(pending->reply, 200,
                         pending->deleted != NULL ? json_incref(pending->deleted) : json_pack("{}"));
    admin_reply_finish(pending->reply);
    json_decref(pending->deleted);
    free(pending);
}

static struct pending_definition *new_pending(const struct admin_parts *parts, struct admin_reply *reply, int status)
{
    struct pending_definition *pending = mem_alloc(sizeof *pending);
    pending->desk = parts->resources;
    pending->reply = reply;
    pending->status = status;
    return pending;
}

static struct definition_order order_of(const struct admin_request *request, struct pending_definition *pending)
{
    return (struct definition_order){ .who = request->who,
                                      .at_wall_us = clock_wall_us(),
                                      .request_key = request->idempotency_key,
                                      .expected_version = RESOURCE_ANY_VERSION,
                                      .is_trial = query_has(&request->query, "dryRun"),
                                      .done = on_done,
                                      .owner = pending };
}

static bool has_desk(const struct admin_parts *parts, struct admin_reply *reply)
{
    if (parts->resources != NULL)
        return true;
    admin_reply_error(reply, 503, "not_durable", NULL, "the durable state could not be opened at the start");
    return false;
}

/* ---- reading ---- */

struct listing {
    const struct resource **found; /* owned */
    size_t count;
    const char *family, *status; /* null: any; "ALL" likewise */
};

static void add_to_listing(void *owner, const struct resource *r)
{
    struct listing *listing = owner;
    const struct task_definition_revision *spec = r->spec;
    if (spec == NULL || (listing->family != NULL && strcmp(listing->family, spec->family) != 0) ||
        (strcmp(listing->status, "ALL") != 0 && spec->is_active != (strcmp(listing->status, "ACTIVE") == 0)))
        return;
    if ((listing->count & (listing->count - 1)) == 0)
        listing->found =
            mem_grow_array(listing->found, listing->count > 0 ? listing->count * 2 : 1, sizeof *listing->found);
    listing->found[listing->count++] = r;
}

static int compare_names(const char *a_family, int64_t a_revision, const char *b_family, int64_t b_revision)
{
    int by_family = strcmp(a_family, b_family);
    return by_family != 0 ? by_family : (a_revision > b_revision) - (a_revision < b_revision);
}

static int compare(const void *a, const void *b)
{
    const struct task_definition_revision *x = (*(const struct resource *const *)a)->spec;
    const struct task_definition_revision *y = (*(const struct resource *const *)b)->spec;
    return compare_names(x->family, x->revision, y->family, y->revision);
}

static json_t *definition_to_row(const struct resource *r)
{
    const struct task_definition_revision *spec = r->spec;
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "name", json_field_text(r->name), "family",
                     json_field_text(spec->family), "revision", json_field_count(spec->revision), "status",
                     json_field_text(spec->is_active ? "ACTIVE" : "INACTIVE"), "registeredAt",
                     json_field_time_or_null(spec->registered_wall_us), "registeredBy",
                     json_field_text(spec->registered_by));
}

static json_t *page_of(const struct listing *listing, const char *after_family, int64_t after_revision, size_t limit)
{
    json_t *rows = json_array(), *next = json_null();
    for (size_t i = 0; i < listing->count; i++) {
        const struct task_definition_revision *spec = listing->found[i]->spec;
        if (after_family != NULL && compare_names(spec->family, spec->revision, after_family, after_revision) <= 0)
            continue;
        if (json_array_size(rows) == limit) {
            next = json_incref(json_object_get(json_array_get(rows, limit - 1), "name"));
            break;
        }
        json_array_append_new(rows, definition_to_row(listing->found[i]));
    }
    return json_pack("{s:o,s:o}", "taskDefinitions", rows, "nextAfter", next);
}

void admin_get_task_definitions(const struct admin_parts *parts, const struct admin_request *request,
                                struct admin_reply *reply)
{
    const char *after = query_find(&request->query, "after"), *status = query_find(&request->query, "status");
    char after_family[TASK_FAMILY_SIZE];
    int64_t after_revision = 0;
    struct listing listing = { .family = query_find(&request->query, "family"), .status = status ? status : "ACTIVE" };
    if (!has_desk(parts, reply))
        return;
    if (after != NULL && !task_definition_split_name(after, after_family, &after_revision)) {
        admin_reply_error(reply, 400, "invalid_request", "after", "must be family:revision");
        return;
    }
    if (strcmp(listing.status, "ACTIVE") != 0 && strcmp(listing.status, "INACTIVE") != 0 &&
        strcmp(listing.status, "ALL") != 0) {
        admin_reply_error(reply, 400, "invalid_request", "status", "must be ACTIVE, INACTIVE or ALL");
        return;
    }
    resource_book_each(resource_desk_book(parts->resources), &resource_kind_task_definition, add_to_listing, &listing);
    if (listing.count > 0)
        qsort(listing.found, listing.count, sizeof *listing.found, compare);
    admin_reply_json(reply, 200,
                     page_of(&listing, after != NULL ? after_family : NULL, after_revision,
                             (size_t)query_count(&request->query, "limit", LIST_COUNT)));
    free(listing.found);
}

void admin_get_task_definition(const struct admin_parts *parts, const struct admin_request *request,
                               struct admin_reply *reply)
{
    if (!has_desk(parts, reply))
        return;
    const struct resource *r = task_definition_desk_find(parts->resources, request->parameter);
    if (r == NULL) {
        reply_not_found(reply, request->parameter);
    } else if (r->spec == NULL) {
        admin_reply_error(reply, 409, "conflict", NULL, "this version cannot read %s: %s", r->name, r->problem);
    } else {
        reply_definition(reply, 200, r);
        if (request->if_none_match != NULL && strcmp(request->if_none_match, reply->etag) == 0)
            admin_reply_not_modified(reply);
    }
}

/* ---- changing ---- */

/* What the order says of itself when nothing is to come of it. */
static void reply_trial(struct admin_reply *reply, const char *name)
{
    admin_reply_json(reply, 200, json_pack("{s:b,s:o}", "dryRun", 1, "name", json_field_text(name)));
}

void admin_post_task_definitions(const struct admin_parts *parts, const struct admin_request *request,
                                 struct admin_reply *reply)
{
    struct error error = { "" };
    struct resource_refusal refusal = { .field = "" };
    bool already;
    if (!has_desk(parts, reply))
        return;
    json_t *document = json_parse_bounded(request->body, &task_definition_json_limits, &error);
    if (document == NULL || !json_is_object(document)) {
        admin_reply_error(reply, 400, "invalid_request", NULL, "%s",
                          document == NULL ? error.text : "the body must be a JSON object");
        json_decref(document);
        return;
    }
    struct pending_definition *pending = new_pending(parts, reply, 201);
    struct definition_order order = order_of(request, pending);
    bool is_good = task_definition_desk_register(parts->resources, document, &order, pending->name, &already, &refusal);
    json_decref(document);
    if (is_good && !already && !order.is_trial) {
        admin_reply_wait(reply);
        return;
    }
    if (!is_good)
        reply_refusal(reply, &refusal);
    else if (already)
        reply_definition(reply, 200, task_definition_desk_find(parts->resources, pending->name));
    else
        reply_trial(reply, pending->name);
    free(pending);
}

/* "7" with its quotes. False: it is nothing that we gave. */
static bool read_etag(const char *text, int64_t *version)
{
    size_t digits = text[0] == '"' ? strspn(text + 1, "0123456789") : 0;
    if (digits == 0 || digits > 18 || text[1] == '0' || text[1 + digits] != '"' || text[2 + digits] != '\0')
        return false;
    *version = strtoll(text + 1, NULL, 10);
    return true;
}

typedef bool (*order_cb)(struct resource_desk *desk, const char *name, const struct definition_order *order,
                         struct resource_refusal *refusal);

static void change_one(const struct admin_parts *parts, const struct admin_request *request, struct admin_reply *reply,
                       order_cb submit, bool is_deletion)
{
    struct resource_refusal refusal = { .field = "" };
    if (!has_desk(parts, reply))
        return;
    struct pending_definition *pending = new_pending(parts, reply, 200);
    struct definition_order order = order_of(request, pending);
    const struct resource *r =
        resource_book_find(resource_desk_book(parts->resources), &resource_kind_task_definition, request->parameter);
    if (r != NULL && r->spec != NULL && is_deletion)
        pending->deleted = json_pack("{s:o}", "taskDefinition", definition_to_json(r));
    snprintf(pending->name, sizeof pending->name, "%s", request->parameter);
    bool is_good = true;
    if (request->if_match != NULL && strcmp(request->if_match, "*") != 0 &&
        !read_etag(request->if_match, &order.expected_version))
        is_good = resource_refuse(&refusal, RESOURCE_STALE, "", "If-Match is no ETag of this API");
    is_good = is_good && submit(parts->resources, request->parameter, &order, &refusal);
    if (is_good && !order.is_trial) {
        admin_reply_wait(reply);
        return;
    }
    if (is_good)
        reply_trial(reply, pending->name);
    else
        reply_refusal(reply, &refusal);
    json_decref(pending->deleted);
    free(pending);
}

void admin_post_task_definition_deregister(const struct admin_parts *parts, const struct admin_request *request,
                                           struct admin_reply *reply)
{
    struct patch_problem problem = { .field = "" };
    if (patch_body_parse_empty(request->body, &problem))
        change_one(parts, request, reply, task_definition_desk_deregister, false);
    else
        admin_reply_error(reply, 400, "invalid_request", *problem.field ? problem.field : NULL, "%s", problem.message);
}

void admin_delete_task_definition(const struct admin_parts *parts, const struct admin_request *request,
                                  struct admin_reply *reply)
{
    change_one(parts, request, reply, task_definition_desk_delete, true);
}
