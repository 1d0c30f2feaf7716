#include "config/load.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "config/choices.h"
#include "config/fields.h"
#include "config/form.h"
#include "config/node.h"
#include "config/problems.h"
#include "config/validate.h"
#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 5, 0))) static void refuse_at(struct problems *problems, struct node *node, unsigned line,
                                                            unsigned column, const char *format, va_list args)
{
    struct buf path;
    buf_init(&path, 0);
    node_write_path(node, &path);
    problems_add_args(problems, line, column, buf_text(&path), format, args);
    buf_fini(&path);
    node_mark_bad(node);
}

__attribute__((format(printf, 3, 4))) static void refuse(struct problems *problems, struct node *node,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse_at(problems, node, node->line, node->column, format, args);
    va_end(args);
}

__attribute__((format(printf, 3, 4))) static void refuse_key(struct problems *problems, struct node *node,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse_at(problems, node, node->key_line, node->key_column, format, args);
    va_end(args);
}

static void refuse_kind(struct problems *problems, struct node *node, const struct schema_row *row)
{
    struct buf allowed;
    buf_init(&allowed, 0);
    if (row->shape == SCHEMA_LIST)
        buf_append_text(&allowed, "a list: [a, b], or lines that start with '- '");
    else if (row->shape == SCHEMA_MAP)
        buf_append_text(&allowed, "a map: lines with NAME: value");
    else
        buf_printf(&allowed, "%s with the keys of %s", row->shape == SCHEMA_NEST ? "a map" : "a list of maps",
                   schema_section_path(row->child));
    refuse(problems, node, "is %s, write %s", node_kind_to_str(node->kind), buf_text(&allowed));
    buf_fini(&allowed);
}

static void refuse_value(struct problems *problems, struct node *node, const struct schema_row *row,
                         enum value_result result)
{
    char excerpt[PROBLEM_EXCERPT_SIZE];
    char scratch[VALUE_SUGGESTION_SIZE];
    const char *meant = value_suggest(row, node->text, scratch);
    struct buf what, allowed;
    buf_init(&what, 0);
    buf_init(&allowed, 0);
    value_write_allowed(row, &allowed);
    if (value_is_secret(row))
        buf_append_text(&what, "the value");
    else /* as written: what came from the environment may be a secret */
        buf_printf(&what, "'%s'", problem_excerpt(excerpt, node->written ? node->written : node->text));
    if (result == VALUE_OUT_OF_RANGE)
        buf_append_text(&what, " is out of range");
    else
        buf_printf(&what, " is not %s", value_noun(row));
    refuse(problems, node, "%s, write %s%s%s%s", buf_text(&what), buf_text(&allowed), meant ? "; did you mean '" : "",
           meant ? meant : "", meant ? "'?" : "");
    buf_fini(&what);
    buf_fini(&allowed);
}

static void refuse_container(struct problems *problems, struct node *node, const struct schema_row *row)
{
    struct buf allowed;
    buf_init(&allowed, 0);
    value_write_allowed(row, &allowed);
    refuse(problems, node, "is %s and not %s, write %s", node_kind_to_str(node->kind), value_noun(row),
           buf_text(&allowed));
    buf_fini(&allowed);
}

static void load_value(struct problems *problems, const struct schema_row *row, void *field, struct node *node);

/* A list where one value is usual: each is checked by itself, then all are read as one text with commas. */
static void load_value_from_list(struct problems *problems, const struct schema_row *row, void *field,
                                 struct node *list)
{
    struct buf all;
    size_t before = problems->count;
    buf_init(&all, 0);
    if (list->count == 0)
        refuse(problems, list, "is empty, write %s", value_noun(row));
    for (size_t i = 0; i < list->count; i++) {
        struct node *child = list->children[i];
        char *one = NULL;
        if (child->is_null || child->kind != NODE_SCALAR)
            refuse(problems, child, "is %s, write %s", child->is_null ? "empty" : node_kind_to_str(child->kind),
                   value_noun(row));
        else
            load_value(problems, row, &one, child);
        buf_printf(&all, "%s%s", i ? "," : "", one ? one : "");
        free(one);
    }
    if (problems->count == before && value_parse(row, buf_text(&all), field) != VALUE_OK)
        refuse(problems, list, "is too long, write %s", value_noun(row));
    buf_fini(&all);
}

/* One value of a row, which may be an element of its list or map. */
static void load_value(struct problems *problems, const struct schema_row *row, void *field, struct node *node)
{
    if (node->is_bad)
        return;
    if (node->kind == NODE_LIST && value_takes_list(row)) {
        load_value_from_list(problems, row, field, node);
        return;
    }
    if (node->kind != NODE_SCALAR) {
        refuse_container(problems, node, row);
        return;
    }
    if (node->is_quoted && !node->is_substituted && value_is_bare(row)) {
        refuse(problems, node, "is a text in quotes, write %s without quotes", value_noun(row));
        return;
    }
    enum value_result result = value_parse(row, node->text, field);
    if (result != VALUE_OK)
        refuse_value(problems, node, row, result);
}

static void refuse_unknown_key(struct problems *problems, struct node *node, enum schema_section section)
{
    const char *keys[SCHEMA_KEYS_MAX];
    size_t count = schema_keys(section, keys);
    const char *meant = choices_nearest(keys, count, node->key);
    struct buf what;
    buf_init(&what, 0);
    for (size_t i = 0; i < count; i++)
        buf_printf(&what, "%s%s", i ? ", " : "", keys[i]);
    if (meant)
        buf_printf(&what, "; did you mean '%s'?", meant);
    refuse_key(problems, node, "unknown key, allowed keys are %s", buf_text(&what));
    buf_fini(&what);
}

static void refuse_missing(struct problems *problems, struct node *map, const struct schema_row *row)
{
    struct buf path, allowed;
    buf_init(&path, 0);
    buf_init(&allowed, 0);
    node_write_path(map, &path);
    buf_printf(&path, "%s%s", path.len ? "." : "", row->key);
    value_write_allowed(row, &allowed);
    problems_add(problems, map->line, map->column, buf_text(&path), "is missing, write %s: %s", value_noun(row),
                 buf_text(&allowed));
    buf_fini(&path);
    buf_fini(&allowed);
}

/* The array for as many elements as were written; null (and a problem) when that is too few or too many. */
static char *make_elements(struct problems *problems, const struct schema_row *row, void *fields, struct node *node)
{
    size_t min = strtoul(row->min, NULL, 10), max = strtoul(row->max, NULL, 10);
    enum node_kind wanted = row->shape == SCHEMA_MAP ? NODE_MAP : NODE_LIST;
    if (node->kind != wanted) {
        refuse_kind(problems, node, row);
        return NULL;
    }
    if (node->count < min || node->count > max) {
        refuse(problems, node, "has %zu entries, write between %zu and %zu", node->count, min, max);
        return NULL;
    }
    size_t *count = fields_count_at(row, fields);
    void **array = fields_at(row, fields);
    check(row->shape == SCHEMA_NEST_LIST || *count == 0);
    for (size_t i = 0; i < *count; i++) /* the elements that stood for the default */
        fields_free(row->child, *(char **)array + i * fields_element_size(row));
    free(*array);
    *array = node->count ? mem_alloc_array(node->count, fields_element_size(row)) : NULL;
    *count = node->count;
    return *array;
}

static void load_pair(struct problems *problems, const struct schema_row *row, struct config_env *pair,
                      struct node *node)
{
    pair->name = mem_strdup(node->key);
    bool is_field = row->type == SCHEMA_TYPE_FIELD_VALUE;
    if (is_field && !form_is_probe_field_name(node->key))
        refuse_key(problems, node,
                   "is not a header field that can be added, write 1 to 64 letters, digits and '-'; Host is the key "
                   "host, and Connection, Content-Length, Transfer-Encoding, Upgrade, Expect, TE and Trailer are not "
                   "allowed");
    else if (!is_field && !form_is_variable_name(node->key))
        refuse_key(problems, node,
                   "is not a name of an environment variable, write 1 to 128 of A-Z, a-z, 0-9, '_', '.' and '-', with "
                   "a letter "
                   "or '_' first");
    else if (node->is_null)
        refuse(problems, node, "has no value, write a text, \"\" for an empty one");
    else
        load_value(problems, row, &pair->value, node);
    if (!pair->value)
        pair->value = mem_strdup("");
}

/* Sections contain lists of sections. */
static void load_section(struct problems *problems, enum schema_section section, void *fields, struct node *map);

static void load_elements(struct problems *problems, const struct schema_row *row, void *fields, struct node *node)
{
    char *elements = make_elements(problems, row, fields, node);
    for (size_t i = 0; elements && i < node->count; i++) {
        void *element = elements + i * fields_element_size(row);
        struct node *child = node->children[i];
        if (row->shape == SCHEMA_MAP) {
            load_pair(problems, row, element, child);
        } else if (row->shape == SCHEMA_LIST) {
            if (child->is_null)
                refuse(problems, child, "is empty, write %s", value_noun(row));
            else
                load_value(problems, row, element, child);
        } else {
            fields_set_defaults(row->child, element);
            if (child->kind == NODE_MAP)
                load_section(problems, row->child, element, child);
            else
                refuse(problems, child, "is %s, write a map with the keys of %s", node_kind_to_str(child->kind),
                       schema_section_path(row->child));
        }
    }
}

static void load_field(struct problems *problems, const struct schema_row *row, void *fields, struct node *node)
{
    if (node->is_null)
        return; /* a key without a value is as good as none */
    if (row->shape == SCHEMA_ONE)
        load_value(problems, row, fields_at(row, fields), node);
    else if (row->shape != SCHEMA_NEST)
        load_elements(problems, row, fields, node);
    else if (node->kind == NODE_MAP)
        load_section(problems, row->child, fields_at(row, fields), node);
    else
        refuse_kind(problems, node, row);
}

static void load_section(struct problems *problems, enum schema_section section, void *fields, struct node *map)
{
    bool *is_present = schema_section_presence(section, fields);
    if (is_present)
        *is_present = true;
    for (size_t i = 0; i < map->count; i++) {
        struct node *node = map->children[i];
        if (node->is_repeated)
            continue;
        const struct schema_row *row = schema_find(section, node->key);
        if (row)
            load_field(problems, row, fields, node);
        else
            refuse_unknown_key(problems, node, section);
    }
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        const struct node *written = row->required ? node_find(map, row->key) : NULL;
        if (row->required && (!written || written->is_null))
            refuse_missing(problems, map, row);
    }
}

/* With scaling, a desiredCount that was not written starts inside the range. */
static void settle_desired_counts(struct config *config, const struct node *root)
{
    const struct node *services = node_find(root, "services");
    for (size_t i = 0; i < config->service_count; i++) {
        struct config_service *service = &config->services[i];
        const struct node *written = node_find(services->children[i], "desiredCount");
        if (!service->scaling.enabled || (written && !written->is_null))
            continue;
        if (service->desired_count > service->scaling.max)
            service->desired_count = service->scaling.max;
        if (service->desired_count < service->scaling.min)
            service->desired_count = service->scaling.min;
    }
}

static struct config *load_tree(struct node *root, struct problems *problems)
{
    if (root->kind != NODE_MAP) {
        refuse(problems, root, "is %s, write a map: lines with key: value", node_kind_to_str(root->kind));
        return NULL;
    }
    struct config *config = mem_alloc(sizeof *config);
    fields_set_defaults(SCHEMA_SECTION_ROOT, config);
    load_section(problems, SCHEMA_SECTION_ROOT, config, root);
    settle_desired_counts(config, root);
    validate_config(config, root, problems);
    return config;
}

/* Reads at most `room` bytes; -1 with errno when that fails. */
static ssize_t read_whole(int fd, char *at, size_t room)
{
    size_t len = 0;
    while (len < room) {
        ssize_t got = read(fd, at + len, room - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* Null with errno set. A device or pipe could block for ever: only regular files. */
static char *read_file(const char *path, size_t bytes_max, size_t *len, bool *is_public)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    char *text = NULL;
    ssize_t got = -1;
    if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    } else {
        *is_public = status.st_mode & S_IROTH;
        text = mem_alloc(bytes_max + 1); /* one more tells a file that is too large */
        got = read_whole(fd, text, bytes_max + 1);
    }
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    if (got >= 0) {
        *len = (size_t)got;
        return text;
    }
    free(text);
    return NULL;
}

/* One that comes from the environment is not in the file. */
static bool find_written(const struct config *config, struct node *root, const char *path, struct problems *problems)
{
    bool whole;
    struct node *secret = node_locate(root, path, &whole);
    bool is_written = whole && !secret->is_null && !secret->is_substituted;
    if (is_written && config->strict)
        refuse(problems, secret, CONFIG_SECRET_EXPOSED);
    return is_written;
}

static void check_exposure(struct config *config, struct node *root, struct problems *problems)
{
    config->is_token_exposed = find_written(config, root, "admin.token", problems);
    for (size_t i = 0; i < config->docker.registry_count; i++) {
        char path[64];
        snprintf(path, sizeof path, "docker.registries[%zu].password", i);
        config->is_password_exposed |= find_written(config, root, path, problems);
    }
}

static struct config *load_document(const char *name, const char *text, size_t len, size_t bytes_max, bool is_public,
                                    struct config_problems *out)
{
    struct problems problems;
    struct config *config = NULL;
    problems_init(&problems, name);
    if (len > bytes_max) {
        problems_add(&problems, 1, 1, "", "is too large, write at most %zu bytes", bytes_max);
    } else {
        struct node *root = node_read(text, len, &problems);
        if (root)
            config = load_tree(root, &problems);
        if (config && is_public)
            check_exposure(config, root, &problems);
        node_free(root);
    }
    problems_hand_over(&problems, out);
    if (out->count) {
        config_free(config);
        return NULL;
    }
    return config;
}

static struct config *load_file(const char *path, size_t bytes_max, struct config_problems *out)
{
    size_t len;
    bool is_public = false;
    char *text = read_file(path, bytes_max, &len, &is_public);
    if (text) {
        struct config *config = load_document(path, text, len, bytes_max, is_public, out);
        free(text);
        return config;
    }
    struct problems problems;
    problems_init(&problems, path);
    problems_add(&problems, 1, 1, "", "cannot be read: %s, name a regular file that may be read", strerror(errno));
    problems_hand_over(&problems, out);
    return NULL;
}

struct config *config_load_file(const char *path, struct config_problems *out)
{
    return load_file(path, CONFIG_FILE_BYTES_MAX, out);
}

struct config *config_load_printed_file(const char *path, struct config_problems *out)
{
    return load_file(path, CONFIG_PRINTED_BYTES_MAX, out);
}

struct config *config_load_text(const char *name, const char *text, size_t len, struct config_problems *out)
{
    return load_document(name, text, len, CONFIG_PRINTED_BYTES_MAX, false, out);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    fields_free(SCHEMA_SECTION_ROOT, config);
    free(config);
}

void config_problems_fini(struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->lines[i]);
    free(problems->lines);
    *problems = (struct config_problems){ 0 };
}

void config_set_balancer_names(const char *const *names, size_t count)
{
    choices_replace(CHOICES_BALANCER, names, count);
}
