#include "controller/resource/resource_book.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"

const struct resource_limits resource_limits_default = { .count_max = 20000,
                                                         .bytes_max = 128u << 20,
                                                         .body_bytes_max = 512u << 10 };

/* A name, what it is, and what it will be once all that waits is durable. */
struct entry {
    char *key;            /* "kind/name"; owned */
    struct resource *now; /* owned; null: it is not there yet */
    size_t waiting_count;
    int64_t next_version; /* while something waits; 0: it will be removed */
    json_t *next_body;    /* (reference) likewise; null: it will be removed */
    UT_hash_handle hh;
};

struct subscription {
    const struct resource_kind *kind; /* null: all */
    resource_change_cb changed;
    void *owner; /* borrowed */
};

struct resource_book {
    struct resource_limits limits;
    struct entry *entries; /* owned */
    size_t count, bytes;   /* of what is there */
    size_t waiting_count;
    size_t waiting_bytes;
    struct subscription subscriptions[RESOURCE_SUBSCRIBERS_MAX];
    size_t subscription_count;
};

static const char *const origin_names[] = { "API", "FILE" };
static_assert(sizeof origin_names / sizeof *origin_names == RESOURCE_ORIGIN_COUNT, "a name for each origin");

static const char *const verdict_names[] = { "fine",  "invalid", "not-found",  "conflict",
                                             "stale", "no-room", "not-durable" };
static_assert(sizeof verdict_names / sizeof *verdict_names == RESOURCE_VERDICT_COUNT, "a name for each verdict");

const char *resource_origin_to_str(enum resource_origin origin)
{
    return (unsigned)origin < RESOURCE_ORIGIN_COUNT ? origin_names[origin] : "?";
}

const char *resource_verdict_to_str(enum resource_verdict verdict)
{
    return (unsigned)verdict < RESOURCE_VERDICT_COUNT ? verdict_names[verdict] : "?";
}

bool resource_refuse(struct resource_refusal *refusal, enum resource_verdict verdict, const char *field,
                     const char *format, ...)
{
    va_list args;
    refusal->verdict = verdict;
    snprintf(refusal->field, sizeof refusal->field, "%s", field);
    va_start(args, format);
    vsnprintf(refusal->error.text, sizeof refusal->error.text, format, args);
    va_end(args);
    return false;
}

/* ---- entries ---- */

static struct entry *find_entry(const struct resource_book *book, const struct resource_kind *kind, const char *name)
{
    char key[64 + RESOURCE_NAME_SIZE];
    struct entry *entry;
    snprintf(key, sizeof key, "%s/%s", kind->name, name);
    HASH_FIND_STR(book->entries, key, entry);
    return entry;
}

static struct entry *find_or_add_entry(struct resource_book *book, const struct resource_kind *kind, const char *name)
{
    struct entry *entry = find_entry(book, kind, name);
    if (entry != NULL)
        return entry;
    entry = mem_alloc(sizeof *entry);
    entry->key = mem_printf("%s/%s", kind->name, name);
    HASH_ADD_KEYPTR(hh, book->entries, entry->key, strlen(entry->key), entry);
    return entry;
}

static void drop_entry_if_empty(struct resource_book *book, struct entry *entry)
{
    if (entry->now != NULL || entry->waiting_count > 0)
        return;
    HASH_DEL(book->entries, entry);
    free(entry->key);
    free(entry);
}

static void free_resource(struct resource *r)
{
    if (r->spec != NULL)
        r->kind->free(r->spec);
    json_decref(r->body);
    free(r->name);
    free(r->where);
    free(r->request_key);
    free(r->problem);
    free(r);
}

static void tell(struct resource_book *book, const struct resource *before, const struct resource *after)
{
    const struct resource_kind *kind = (after != NULL ? after : before)->kind;
    for (size_t i = 0; i < book->subscription_count; i++) {
        const struct subscription *s = &book->subscriptions[i];
        if (s->kind == NULL || s->kind == kind)
            s->changed(s->owner, before, after);
    }
}

/* The only writer of `now`. */
static void set_now(struct resource_book *book, struct entry *entry, struct resource *after)
{
    struct resource *before = entry->now;
    if (before == NULL && after == NULL)
        return;
    entry->now = after;
    book->count += (after != NULL) - (before != NULL);
    book->bytes += (after != NULL ? after->body_bytes : 0) - (before != NULL ? before->body_bytes : 0);
    tell(book, before, after);
    if (before != NULL)
        free_resource(before);
}

struct resource_book *resource_book_new(const struct resource_limits *limits)
{
    struct resource_book *book = mem_alloc(sizeof *book);
    book->limits = *limits;
    return book;
}

void resource_book_free(struct resource_book *book)
{
    struct entry *entry = book->entries, *next;
    HASH_CLEAR(hh, book->entries);
    for (; entry != NULL; entry = next) {
        next = entry->hh.next;
        if (entry->now != NULL)
            free_resource(entry->now);
        json_decref(entry->next_body);
        free(entry->key);
        free(entry);
    }
    free(book);
}

const struct resource *resource_book_find(const struct resource_book *book, const struct resource_kind *kind,
                                          const char *name)
{
    const struct entry *entry = find_entry(book, kind, name);
    return entry != NULL ? entry->now : NULL;
}

void resource_book_each(const struct resource_book *book, const struct resource_kind *kind, resource_cb each,
                        void *owner)
{
    for (const struct entry *entry = book->entries; entry != NULL; entry = entry->hh.next)
        if (entry->now != NULL && (kind == NULL || entry->now->kind == kind))
            each(owner, entry->now);
}

size_t resource_book_count(const struct resource_book *book)
{
    return book->count;
}

size_t resource_book_bytes(const struct resource_book *book)
{
    return book->bytes;
}

void resource_book_subscribe(struct resource_book *book, const struct resource_kind *kind, resource_change_cb changed,
                             void *owner)
{
    check(book->subscription_count < RESOURCE_SUBSCRIBERS_MAX);
    book->subscriptions[book->subscription_count++] = (struct subscription){ kind, changed, owner };
}

/* ---- what comes in ---- */

/* The first problem of the document, and its field: "containerDefinitions[0].image: must be ...". */
static bool refuse_problems(struct problems *problems, struct resource_refusal *refusal)
{
    struct config_problems lines;
    problems_hand_over(problems, &lines);
    check(lines.count > 0);
    const char *line = lines.lines[0], *colon = strstr(line, ": ");
    char field[sizeof refusal->field] = "";
    if (colon != NULL && (size_t)(colon - line) < sizeof field && memchr(line, ' ', (size_t)(colon - line)) == NULL) {
        memcpy(field, line, (size_t)(colon - line));
        field[colon - line] = '\0';
        line = colon + 2;
    }
    resource_refuse(refusal, RESOURCE_INVALID, field, "%s", line);
    config_problems_fini(&lines);
    return false;
}

static bool parse(const struct resource_kind *kind, const char *name, json_t *body, void **spec,
                  struct resource_refusal *refusal)
{
    struct problems problems;
    problems_init(&problems, NULL);
    *spec = kind->parse(name, body, &problems);
    bool is_good = *spec != NULL || refuse_problems(&problems, refusal);
    problems_fini(&problems);
    return is_good;
}

static struct resource *new_resource(const struct resource_kind *kind, const char *name, json_t *body,
                                     size_t body_bytes, void *spec)
{
    struct resource *r = mem_alloc(sizeof *r);
    r->kind = kind;
    r->name = mem_strdup(name);
    r->body = json_incref(body);
    r->body_bytes = body_bytes;
    r->spec = spec;
    return r;
}

void resource_book_add_stored(struct resource_book *book, const struct resource_kind *kind, const char *name,
                              int64_t version, json_t *body, const char *body_text, const char *request_key,
                              const char *who, int64_t at_wall_us)
{
    struct resource_refusal refusal = { .field = "" };
    void *spec;
    bool is_good = parse(kind, name, body, &spec, &refusal);
    struct resource *r = new_resource(kind, name, body, strlen(body_text), spec);
    r->version = version;
    r->where = mem_strdup(who);
    r->request_key = request_key != NULL ? mem_strdup(request_key) : NULL;
    r->at_wall_us = at_wall_us;
    r->problem = is_good ? NULL : mem_printf("%s: %s", refusal.field, refusal.error.text);
    set_now(book, find_or_add_entry(book, kind, name), r);
}

/* What is there may grow into an eighth more than new ones get: where there is no room left, a body must still be
 * replaced by the one that lets it be removed. */
static bool has_room(const struct resource_book *book, const struct entry *entry, size_t bytes,
                     struct resource_refusal *refusal)
{
    bool is_new = entry == NULL || (entry->now == NULL && entry->waiting_count == 0);
    size_t given_back = entry != NULL && entry->now != NULL ? entry->now->body_bytes : 0;
    size_t bytes_max = book->limits.bytes_max + (is_new ? 0 : book->limits.bytes_max / 8);
    if (bytes > book->limits.body_bytes_max)
        return resource_refuse(refusal, RESOURCE_INVALID, "", "%zu bytes: at most %zu are allowed", bytes,
                               book->limits.body_bytes_max);
    if (is_new && book->count + book->waiting_count >= book->limits.count_max)
        return resource_refuse(refusal, RESOURCE_NO_ROOM, "",
                               "there are %zu resources, and no more are kept: delete some that are not needed",
                               book->limits.count_max);
    if (book->bytes + book->waiting_bytes + bytes - given_back > bytes_max)
        return resource_refuse(refusal, RESOURCE_NO_ROOM, "",
                               "all resources together have %zu bytes, and no more than %zu are kept: delete some that"
                               " are not needed",
                               book->bytes + book->waiting_bytes, book->limits.bytes_max);
    return true;
}

bool resource_book_put_of_file(struct resource_book *book, const struct resource_kind *kind, const char *name,
                               json_t *body, const char *where, struct resource_refusal *refusal)
{
    struct entry *entry = find_entry(book, kind, name);
    if (entry != NULL && (entry->waiting_count > 0 || (entry->now != NULL && entry->now->origin == RESOURCE_OF_API)))
        return resource_refuse(refusal, RESOURCE_CONFLICT, "",
                               "%s: %s %s was made by the admin API: delete it there, or take it out of the file",
                               where, kind->name, name);
    char *text = json_to_text(body);
    size_t bytes = strlen(text);
    free(text);
    void *spec = NULL;
    if (!has_room(book, entry, bytes, refusal) || !parse(kind, name, body, &spec, refusal))
        return false;
    struct resource *r = new_resource(kind, name, body, bytes, spec);
    r->origin = RESOURCE_OF_FILE;
    r->where = mem_strdup(where);
    set_now(book, find_or_add_entry(book, kind, name), r);
    return true;
}

void resource_book_remove_of_file(struct resource_book *book, const struct resource_kind *kind, const char *name)
{
    struct entry *entry = find_entry(book, kind, name);
    if (entry == NULL || entry->now == NULL || entry->now->origin != RESOURCE_OF_FILE)
        return;
    set_now(book, entry, NULL);
    drop_entry_if_empty(book, entry);
}

/* ---- what is ordered ---- */

static int64_t next_version(const struct entry *entry)
{
    if (entry == NULL)
        return 0;
    return entry->waiting_count > 0 ? entry->next_version : entry->now != NULL ? entry->now->version : 0;
}

const json_t *resource_book_find_next(const struct resource_book *book, const struct resource_kind *kind,
                                      const char *name)
{
    const struct entry *entry = find_entry(book, kind, name);
    if (entry == NULL)
        return NULL;
    return entry->waiting_count > 0 ? entry->next_body : entry->now != NULL ? entry->now->body : NULL;
}

static bool check_order(const struct entry *entry, const struct resource_row *row, struct resource_refusal *refusal)
{
    const char *kind = row->kind->name;
    int64_t version = next_version(entry);
    if (entry != NULL && entry->now != NULL && entry->now->origin == RESOURCE_OF_FILE)
        return resource_refuse(refusal, RESOURCE_CONFLICT, "",
                               "%s %s belongs to the configuration, %s: change it there", kind, row->name,
                               entry->now->where);
    if (row->expected_version == 0 && version != 0)
        return resource_refuse(refusal, RESOURCE_CONFLICT, "", "%s %s exists", kind, row->name);
    if (row->expected_version != 0 && version == 0 && (row->body == NULL || row->expected_version > 0))
        return resource_refuse(refusal, RESOURCE_NOT_FOUND, "", "no %s is named %s", kind, row->name);
    if (row->expected_version > 0 && version != row->expected_version)
        return resource_refuse(refusal, RESOURCE_STALE, "", "%s %s has version %lld now", kind, row->name,
                               (long long)version);
    return true;
}

bool resource_book_prepare(const struct resource_book *book, struct resource_row *row, struct resource_refusal *refusal)
{
    const struct entry *entry = find_entry(book, row->kind, row->name);
    if (!check_order(entry, row, refusal))
        return false;
    row->expected_version = next_version(entry);
    if (row->body == NULL)
        return true;
    row->body_text = json_to_text(row->body);
    if (!has_room(book, entry, strlen(row->body_text), refusal) ||
        !parse(row->kind, row->name, row->body, &row->spec, refusal))
        return false;
    row->owned_request_key = row->request_key != NULL ? mem_strdup(row->request_key) : NULL;
    row->request_key = row->owned_request_key;
    return true;
}

void resource_row_fini(struct resource_row *row)
{
    if (row->spec != NULL)
        row->kind->free(row->spec);
    free(row->body_text);
    free(row->owned_request_key);
    json_decref(row->body);
    *row = (struct resource_row){ .kind = row->kind };
}

void resource_book_await(struct resource_book *book, const struct resource_row *row, int64_t version)
{
    struct entry *entry = find_or_add_entry(book, row->kind, row->name);
    entry->waiting_count++;
    entry->next_version = row->body != NULL ? version : 0;
    json_decref(entry->next_body);
    entry->next_body = row->body != NULL ? json_incref(row->body) : NULL;
    book->waiting_count++;
    book->waiting_bytes += row->body_text != NULL ? strlen(row->body_text) : 0;
}

static struct entry *end_waiting(struct resource_book *book, const struct resource_row *row)
{
    struct entry *entry = find_entry(book, row->kind, row->name);
    check(entry != NULL && entry->waiting_count > 0);
    if (--entry->waiting_count == 0) {
        json_decref(entry->next_body);
        entry->next_body = NULL;
    }
    book->waiting_count--;
    book->waiting_bytes -= row->body_text != NULL ? strlen(row->body_text) : 0;
    return entry;
}

void resource_book_forget_waiting(struct resource_book *book, const struct resource_row *row)
{
    drop_entry_if_empty(book, end_waiting(book, row));
}

void resource_book_apply(struct resource_book *book, struct resource_row *row, int64_t version, const char *who,
                         int64_t at_wall_us)
{
    struct entry *entry = end_waiting(book, row);
    struct resource *r = NULL;
    if (row->body != NULL) {
        r = new_resource(row->kind, row->name, row->body, strlen(row->body_text), row->spec);
        r->version = version;
        r->where = mem_strdup(who);
        r->request_key = row->owned_request_key;
        r->at_wall_us = at_wall_us;
        row->spec = NULL;
        row->owned_request_key = NULL;
    }
    set_now(book, entry, r);
    drop_entry_if_empty(book, entry);
}
