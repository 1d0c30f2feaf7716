#include "controller/resource/task_definition_desk.h"

#include <stdio.h>
#include <string.h>

#define KIND (&resource_kind_task_definition)
#define REVISION_LAST INT64_C(999999999)

struct search {
    const char *text;
    const struct resource *found;
};

static void look_for_key(void *owner, const struct resource *r)
{
    struct search *search = owner;
    if (r->request_key != NULL && strcmp(r->request_key, search->text) == 0)
        search->found = r;
}

static void look_for_newest(void *owner, const struct resource *r)
{
    struct search *search = owner;
    const struct task_definition_revision *spec = r->spec, *best = search->found != NULL ? search->found->spec : NULL;
    if (spec != NULL && spec->is_active && strcmp(spec->family, search->text) == 0 &&
        (best == NULL || best->revision < spec->revision))
        search->found = r;
}

const struct resource *task_definition_desk_find(const struct resource_desk *desk, const char *name)
{
    struct search search = { .text = name };
    if (strchr(name, ':') != NULL)
        return resource_book_find(resource_desk_book(desk), KIND, name);
    resource_book_each(resource_desk_book(desk), KIND, look_for_newest, &search);
    return search.found;
}

/* False: the key is new. True: it was used, for the same document (already) or for something else (refused). */
static bool was_asked_before(const struct resource_desk *desk, const json_t *document, const char *key,
                             char name[RESOURCE_NAME_SIZE], bool *already, struct resource_refusal *refusal)
{
    struct search search = { .text = key };
    if (resource_desk_awaits(desk, key)) {
        resource_refuse(refusal, RESOURCE_CONFLICT, "", "a request with this Idempotency-Key is under way, try again");
        return true;
    }
    resource_book_each(resource_desk_book(desk), KIND, look_for_key, &search);
    if (search.found == NULL)
        return false;
    if (search.found->spec == NULL) {
        resource_refuse(refusal, RESOURCE_CONFLICT, "",
                        "this Idempotency-Key has registered %s, which this version cannot read: %s",
                        search.found->name, search.found->problem);
    } else if (json_equal(json_object_get(search.found->body, "definition"), document)) {
        snprintf(name, RESOURCE_NAME_SIZE, "%s", search.found->name);
        *already = true;
    } else {
        resource_refuse(refusal, RESOURCE_CONFLICT, "", "this Idempotency-Key has registered another definition, %s",
                        search.found->name);
    }
    return true;
}

/* What is wrong with it is said when its row is prepared; here it only needs a name. */
static const char *family_of(const json_t *document)
{
    const json_t *inner = json_object_get(document, "taskDefinition");
    const char *family = json_string_value(json_object_get(json_is_object(inner) ? inner : document, "family"));
    return family != NULL && *family != '\0' && strlen(family) < TASK_FAMILY_SIZE ? family : "-";
}

bool task_definition_desk_register(struct resource_desk *desk, const json_t *document,
                                   const struct definition_order *order, char name[RESOURCE_NAME_SIZE], bool *already,
                                   struct resource_refusal *refusal)
{
    *already = false;
    if (order->request_key != NULL && was_asked_before(desk, document, order->request_key, name, already, refusal))
        return *already;
    const char *family = family_of(document);
    int64_t revision = task_family_last_revision(
                           resource_book_find_next(resource_desk_book(desk), &resource_kind_task_family, family)) +
                       1;
    if (revision > REVISION_LAST)
        return resource_refuse(refusal, RESOURCE_NO_ROOM, "family", "all revisions of %s were given", family);
    struct resource_row rows[2] = {
        { .kind = KIND,
          .expected_version = 0,
          .body = task_definition_body(document, order->who, order->at_wall_us),
          .request_key = order->request_key },
        { .kind = &resource_kind_task_family,
          .expected_version = RESOURCE_ANY_VERSION,
          .body = task_family_body(revision) },
    };
    snprintf(rows[0].name, sizeof rows[0].name, "%s:%lld", family, (long long)revision);
    snprintf(rows[1].name, sizeof rows[1].name, "%s", family);
    snprintf(name, RESOURCE_NAME_SIZE, "%s", rows[0].name);
    return resource_desk_submit(
        desk, &(struct resource_order){ rows, 2, order->who, order->at_wall_us, order->done, order->owner },
        order->is_trial, refusal);
}

static bool submit_one(struct resource_desk *desk, const char *name, json_t *body, const struct definition_order *order,
                       struct resource_refusal *refusal)
{
    const struct resource *before = resource_book_find(resource_desk_book(desk), KIND, name);
    struct resource_row row = {
        .kind = KIND, .expected_version = order->expected_version, .body = body, .request_key = before->request_key
    };
    snprintf(row.name, sizeof row.name, "%s", name);
    return resource_desk_submit(
        desk, &(struct resource_order){ &row, 1, order->who, order->at_wall_us, order->done, order->owner },
        order->is_trial, refusal);
}

/* As it will be once all that waits is durable. Null: refused. */
static const json_t *find_next(const struct resource_desk *desk, const char *name, struct resource_refusal *refusal)
{
    const json_t *body = resource_book_find_next(resource_desk_book(desk), KIND, name);
    if (body == NULL || resource_book_find(resource_desk_book(desk), KIND, name) == NULL) {
        resource_refuse(refusal, RESOURCE_NOT_FOUND, "", "no task definition is named %s", name);
        return NULL;
    }
    return body;
}

static bool is_active(const json_t *body)
{
    const char *status = json_string_value(json_object_get(body, "status"));
    return status != NULL && strcmp(status, "ACTIVE") == 0;
}

bool task_definition_desk_deregister(struct resource_desk *desk, const char *name, const struct definition_order *order,
                                     struct resource_refusal *refusal)
{
    const json_t *body = find_next(desk, name, refusal);
    if (body == NULL)
        return false;
    if (!is_active(body))
        return resource_refuse(refusal, RESOURCE_CONFLICT, "", "%s is INACTIVE already", name);
    return submit_one(desk, name, task_definition_body_inactive(body, order->at_wall_us), order, refusal);
}

bool task_definition_desk_delete(struct resource_desk *desk, const char *name, const struct definition_order *order,
                                 struct resource_refusal *refusal)
{
    const json_t *body = find_next(desk, name, refusal);
    if (body == NULL)
        return false;
    bool can_be_read = resource_book_find(resource_desk_book(desk), KIND, name)->spec != NULL;
    if (is_active(body) && can_be_read)
        return resource_refuse(refusal, RESOURCE_CONFLICT, "", "%s is ACTIVE: deregister it first", name);
    return submit_one(desk, name, NULL, order, refusal);
}
