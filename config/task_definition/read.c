#include "config/task_definition/task_definition.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/choices.h"
#include "config/task_definition/reader.h"
#include "config/task_definition/rules.h"
#include "config/task_definition/table.h"

const struct json_limits task_definition_json_limits = { .bytes_max = 256u << 10,
                                                         .depth_max = 16,
                                                         .values_max = 20000 };

/* Sections contain sections, as deep as the table goes. */
static void read_section(const struct definition_reader *r, enum definition_section section, const json_t *object,
                         void *fields, const struct place *place);

static void refuse_type(const struct definition_reader *r, const struct place *place, const json_t *value,
                        const char *valid)
{
    place_refuse(r->problems, place, NULL, "invalid type: %s, valid type: %s", kind_json_type(value), valid);
}

static void read_value(const struct definition_reader *r, const struct definition_row *row, const json_t *value,
                       void *field, const struct place *place)
{
    struct buf wrong;
    buf_init(&wrong, 0);
    /* A default is one already: what replaces it is owned in its stead. */
    char *fallback = kind_is_text(row->kind) ? *(char **)field : NULL;
    if (!kind_read(row->kind, row->range, value, field, &wrong))
        place_refuse(r->problems, place, NULL, "%s", buf_text(&wrong));
    else
        free(fallback);
    buf_fini(&wrong);
}

static void read_element(const struct definition_reader *r, const struct definition_row *row, const json_t *value,
                         void *element, const struct place *place)
{
    if (row->shape == DEFINITION_NEST_LIST)
        read_section(r, row->child, value, element, place);
    else
        read_value(r, row, value, element, place);
}

/* What is beyond the most is not looked at. */
static bool check_count(const struct definition_reader *r, const struct definition_row *row, size_t count,
                        const struct place *place)
{
    if (count >= row->least && count <= row->most)
        return true;
    place_refuse(r->problems, place, NULL, "invalid length: %zu, valid range: %zu-%zu", count, row->least, row->most);
    return count < row->least;
}

static void read_list(const struct definition_reader *r, const struct definition_row *row, const json_t *list,
                      void *fields, const struct place *place)
{
    if (!json_is_array(list)) {
        refuse_type(r, place, list, "list");
        return;
    }
    size_t count = json_array_size(list);
    if (!check_count(r, row, count, place) || count == 0)
        return;
    char *elements = mem_alloc_array(count, definition_element_size(row));
    *(void **)definition_at(row, fields) = elements;
    *definition_count_at(row, fields) = count;
    for (size_t i = 0; i < count; i++) {
        struct place element = place_at(place->in, place->key, i);
        read_element(r, row, json_array_get(list, i), elements + i * definition_element_size(row), &element);
    }
}

/* What a label or an option may be called: `portico.` is ours alone, everywhere. */
static void read_pair(const struct definition_reader *r, const struct definition_row *row, const char *name,
                      const json_t *text, struct name_value *pair, const struct place *place)
{
    struct buf wrong;
    struct place value = place_of(place, name);
    json_t *key = json_string(name);
    buf_init(&wrong, 0);
    if (!kind_read(KIND_LABEL, row->range, key, &pair->name, &wrong) ||
        !kind_read(KIND_TEXT, row->range, text, &pair->value, &wrong))
        place_refuse(r->problems, &value, NULL, "%s", buf_text(&wrong));
    json_decref(key);
    buf_fini(&wrong);
}

static void read_map(const struct definition_reader *r, const struct definition_row *row, const json_t *object,
                     void *fields, const struct place *place)
{
    if (!json_is_object(object)) {
        refuse_type(r, place, object, "object");
        return;
    }
    size_t room = json_object_size(object);
    if (!check_count(r, row, room, place) || room == 0)
        return;
    struct name_value *pairs = mem_alloc_array(room, sizeof *pairs);
    size_t *count = definition_count_at(row, fields);
    *(struct name_value **)definition_at(row, fields) = pairs;
    for (void *at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
        if (!json_is_null(json_object_iter_value(at))) {
            read_pair(r, row, json_object_iter_key(at), json_object_iter_value(at), &pairs[*count], place);
            ++*count;
        }
    }
}

static void read_nested(const struct definition_reader *r, const struct definition_row *row, const json_t *object,
                        void *fields, const struct place *place)
{
    void *section = mem_alloc(definition_section_size(row->child));
    *(void **)definition_at(row, fields) = section;
    read_section(r, row->child, object, section, place);
}

/* Exports name many fields that hold nothing. */
static bool holds_nothing(const json_t *value)
{
    return json_is_false(value) || (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static void note_ignored(const struct definition_reader *r, const struct definition_row *row, const json_t *value,
                         const struct place *place)
{
    static const char *const types[] = { [DEFINITION_STRING] = "string",
                                         [DEFINITION_BOOLEAN] = "boolean",
                                         [DEFINITION_LIST_OF] = "list",
                                         [DEFINITION_OBJECT] = "object" };
    const char *type = types[row->json];
    if (strcmp(kind_json_type(value), type) != 0)
        refuse_type(r, place, value, type);
    else if (!holds_nothing(value))
        definition_ignore(r, place, row->help);
}

static void read_row(const struct definition_reader *r, const struct definition_row *row, const json_t *value,
                     void *fields, const struct place *place)
{
    switch (row->shape) {
    case DEFINITION_VALUE:
        read_value(r, row, value, definition_at(row, fields), place);
        break;
    case DEFINITION_LIST:
    case DEFINITION_NEST_LIST:
        read_list(r, row, value, fields, place);
        break;
    case DEFINITION_MAP:
        read_map(r, row, value, fields, place);
        break;
    case DEFINITION_NEST:
        read_nested(r, row, value, fields, place);
        break;
    case DEFINITION_IGNORED:
        note_ignored(r, row, value, place);
        break;
    default:
        break; /* AWS's own answer */
    }
}

static void refuse_unknown(const struct definition_reader *r, enum definition_section section,
                           const struct place *place)
{
    if (r->problems->more_found) /* the nearest word is dear, and there may be 20,000 unknown ones */
        return;
    const char *keys[DEFINITION_KEYS_MAX];
    size_t count = definition_keys(section, keys);
    const char *nearest = choices_nearest(keys, count, place->key);
    if (nearest) {
        place_refuse(r->problems, place, NULL, "unknown parameter, did you mean '%s'?", nearest);
        return;
    }
    struct buf all;
    buf_init(&all, 0);
    for (size_t i = 0; i < count; i++)
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", keys[i]);
    place_refuse(r->problems, place, NULL, "unknown parameter, must be one of: %s", buf_text(&all));
    buf_fini(&all);
}

static void refuse_missing(const struct definition_reader *r, const struct definition_row *row,
                           const struct place *place)
{
    struct buf allowed;
    buf_init(&allowed, 0);
    if (row->shape == DEFINITION_VALUE)
        kind_write_allowed(row->kind, row->range, &allowed);
    else
        buf_printf(&allowed, "list of %zu to %zu", row->least, row->most);
    place_refuse(r->problems, place, row->key, "missing required parameter: %s", buf_text(&allowed));
    buf_fini(&allowed);
}

static void read_section(const struct definition_reader *r, enum definition_section section, const json_t *object,
                         void *fields, const struct place *place)
{
    definition_set_defaults(section, fields);
    if (!json_is_object(object)) {
        refuse_type(r, place, object, "object");
        return;
    }
    for (void *at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
        const char *key = json_object_iter_key(at);
        const struct definition_row *row = definition_find(section, key);
        struct place field = place_of(place, key);
        if (!row)
            refuse_unknown(r, section, &field);
        else if (!json_is_null(json_object_iter_value(at)))
            read_row(r, row, json_object_iter_value(at), fields, &field);
    }
    for (const struct definition_row *row = definition_next(section, NULL); row; row = definition_next(section, row)) {
        const json_t *value = json_object_get(object, row->key);
        if (row->is_required && (!value || json_is_null(value)))
            refuse_missing(r, row, place);
    }
}

/* Null: it is not there, or null, which is as good. */
static const json_t *find_written(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* {"taskDefinition": {...}, "tags": [...]}: what AWS answers. */
static const json_t *unwrap(const json_t *body, const struct definition_reader *r)
{
    const json_t *inner = json_find_object(body, "taskDefinition"), *tags = find_written(body, "tags");
    if (!inner)
        return body;
    for (void *at = json_object_iter((json_t *)body); at; at = json_object_iter_next((json_t *)body, at)) {
        const char *key = json_object_iter_key(at);
        struct place place = place_of(NULL, key);
        if (strcmp(key, "taskDefinition") != 0 && strcmp(key, "tags") != 0)
            place_refuse(r->problems, &place, NULL, "unknown parameter, must be one of: taskDefinition, tags");
    }
    struct place place = place_of(NULL, "tags");
    if (tags && find_written(inner, "tags"))
        place_refuse(r->problems, &place, NULL, "is written in taskDefinition too");
    else if (tags)
        read_row(r, definition_find(DEFINITION_SECTION_TASK, "tags"), tags, r->definition, &place);
    return inner;
}

void definition_ignore(const struct definition_reader *reader, const struct place *place, const char *why)
{
    struct task_definition *d = reader->definition;
    if (d->ignored_count == TASK_FIELDS_IGNORED_MAX) {
        d->more_ignored = true;
        return;
    }
    struct buf path;
    buf_init(&path, 0);
    place_write(place, &path);
    d->ignored = mem_grow_array(d->ignored, d->ignored_count + 1, sizeof *d->ignored);
    d->ignored[d->ignored_count++] = (struct ignored_field){ mem_strdup(buf_text(&path)), why };
    buf_fini(&path);
}

struct task_definition *task_definition_read(const json_t *body, struct problems *problems)
{
    size_t problems_before = problems->count;
    struct task_definition *definition = mem_alloc(sizeof *definition);
    struct definition_reader reader = { .definition = definition, .problems = problems };
    const json_t *inner = unwrap(body, &reader);
    struct place top = place_of(NULL, "taskDefinition");
    reader.top = inner != body ? &top : NULL;
    reader.tags_in = find_written(inner, "tags") ? reader.top : NULL;
    read_section(&reader, DEFINITION_SECTION_TASK, inner, definition, reader.top);
    reader.is_sound = problems->count == problems_before && !problems->more_found;
    rules_check(&reader);
    if (problems->count == problems_before && !problems->more_found)
        return definition;
    task_definition_free(definition);
    return NULL;
}

struct task_definition *task_definition_read_text(struct slice text, struct problems *problems)
{
    struct error error;
    json_t *body = json_parse_bounded(text, &task_definition_json_limits, &error);
    if (!body) {
        problems_add(problems, 0, 0, "", "%s", error.text);
        return NULL;
    }
    struct task_definition *definition = task_definition_read(body, problems);
    json_decref(body);
    return definition;
}

void task_definition_free(struct task_definition *definition)
{
    if (!definition)
        return;
    definition_free_fields(DEFINITION_SECTION_TASK, definition);
    for (size_t i = 0; i < definition->ignored_count; i++)
        free(definition->ignored[i].path);
    free(definition->ignored);
    free(definition);
}

bool task_definition_requires(const struct task_definition *definition, const char *compatibility)
{
    for (size_t i = 0; i < definition->requires_compatibility_count; i++) {
        const char *required = definition->requires_compatibilities[i];
        if (required && strcmp(required, compatibility) == 0)
            return true;
    }
    return false;
}

size_t task_definition_find_container(const struct task_definition *definition, const char *name, size_t name_len)
{
    for (size_t i = 0; i < definition->container_count; i++) {
        const char *other = definition->containers[i].name;
        if (other && strlen(other) == name_len && strncmp(other, name, name_len) == 0)
            return i;
    }
    return definition->container_count;
}
