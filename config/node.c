#include "config/node.h"

#include "base/mem.h"
#include "config/substitute.h"

#include <yaml.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A document on its way from libyaml's events to a tree. */
struct node_reader {
    yaml_parser_t parser;
    struct problems *problems;
    struct node *root;
    struct node *open; /* list or map that gets the next node; null outside the outermost */
    size_t depth, node_count, text_bytes;
    char *key; /* waits for its value; owned */
    yaml_mark_t key_at;
    bool key_is_repeated;
    bool has_document;
    bool is_refused; /* the rest is not read */
};

/* "{PASSWORD=x}" is a key without a value; what is behind the '=' was meant as a value and may be a secret. */
static void write_key(const char *key, struct buf *out)
{
    char excerpt[PROBLEM_EXCERPT_SIZE];
    problem_excerpt(excerpt, key);
    size_t len = strcspn(excerpt, "=");
    buf_printf(out, "%s%.*s%s", out->len ? "." : "", (int)len, excerpt, excerpt[len] ? "=..." : "");
}

static void write_next_path(const struct node_reader *r, struct buf *out)
{
    if (!r->open)
        return;
    node_write_path(r->open, out);
    if (r->open->kind == NODE_LIST)
        buf_printf(out, "[%zu]", r->open->count);
    else if (r->key)
        write_key(r->key, out);
}

__attribute__((format(printf, 3, 4))) static void add_problem(struct node_reader *r, yaml_mark_t at, const char *format,
                                                              ...)
{
    struct buf path;
    buf_init(&path, 0);
    write_next_path(r, &path);
    va_list args;
    va_start(args, format);
    problems_add_args(r->problems, (unsigned)at.line + 1, (unsigned)at.column + 1, buf_text(&path), format, args);
    va_end(args);
    buf_fini(&path);
}

/* A reader error has no mark, only the offset of the byte that is not allowed. */
static yaml_mark_t mark_of_offset(const char *text, size_t len, size_t offset)
{
    yaml_mark_t mark = { 0 };
    for (size_t i = 0; i < offset && i < len; i++) {
        if (text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static void report_syntax(struct node_reader *r, const char *text, size_t len)
{
    const yaml_parser_t *parser = &r->parser;
    const char *what = parser->problem ? parser->problem : "out of memory";
    if (parser->error == YAML_READER_ERROR) {
        yaml_mark_t at = mark_of_offset(text, len, parser->problem_offset);
        problems_add(r->problems, (unsigned)at.line + 1, (unsigned)at.column + 1, "",
                     "is not UTF-8 text: %s, write YAML 1.1 or JSON in UTF-8", what);
        return;
    }
    yaml_mark_t at = parser->problem_mark;
    if (parser->context)
        problems_add(r->problems, (unsigned)at.line + 1, (unsigned)at.column + 1, "",
                     "is not YAML: %s (%s, line %zu), write YAML 1.1 or JSON", what, parser->context,
                     parser->context_mark.line + 1);
    else
        problems_add(r->problems, (unsigned)at.line + 1, (unsigned)at.column + 1, "",
                     "is not YAML: %s, write YAML 1.1 or JSON", what);
}

static void attach(struct node *parent, struct node *node)
{
    if (parent->count == parent->room) {
        parent->room = parent->room ? parent->room * 2 : 8;
        parent->children = mem_grow_array(parent->children, parent->room, sizeof(void *));
    }
    node->parent = parent;
    node->index = parent->count;
    parent->children[parent->count++] = node;
}

/* The node takes the waiting key. Null when there are too many nodes. */
static struct node *add_node(struct node_reader *r, enum node_kind kind, yaml_mark_t at)
{
    if (++r->node_count > NODE_COUNT_MAX) {
        add_problem(r, at, "has too many values before it, at most %d are allowed", NODE_COUNT_MAX);
        r->is_refused = true;
        return NULL;
    }
    struct node *node = mem_alloc(sizeof *node);
    node->kind = kind;
    node->line = node->key_line = (unsigned)at.line + 1;
    node->column = node->key_column = (unsigned)at.column + 1;
    if (r->key) {
        node->key = r->key;
        node->key_line = (unsigned)r->key_at.line + 1;
        node->key_column = (unsigned)r->key_at.column + 1;
        node->is_repeated = r->key_is_repeated;
        r->key = NULL;
    }
    if (r->open)
        attach(r->open, node);
    else
        r->root = node;
    return node;
}

static bool is_key_next(const struct node_reader *r)
{
    return r->open && r->open->kind == NODE_MAP && !r->key;
}

static void take_key(struct node_reader *r, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (r->open->count >= NODE_KEYS_MAX || len > NODE_KEY_BYTES_MAX || strlen(text) != len) {
        add_problem(r, event->start_mark,
                    "has too many keys, or one too long or with a NUL, at most %d of %d bytes are allowed",
                    NODE_KEYS_MAX, NODE_KEY_BYTES_MAX);
        r->is_refused = true;
        return;
    }
    r->key = mem_strndup(text, len);
    r->key_at = event->start_mark;
    const struct node *first = node_find(r->open, text);
    r->key_is_repeated = first != NULL;
    if (first)
        add_problem(r, event->start_mark, "is written twice, once is allowed; the first is on line %u",
                    first->key_line);
}

static bool is_null_word(const char *text)
{
    return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
           strcmp(text, "NULL") == 0;
}

static void refuse_node(struct node_reader *r, struct node *node, const char *what)
{
    struct buf path;
    buf_init(&path, 0);
    node_mark_bad(node);
    node_write_path(node, &path);
    problems_add(r->problems, node->line, node->column, buf_text(&path), "%s", what);
    buf_fini(&path);
}

/* Sets node->text from what is written; a text that is not allowed becomes empty and the node bad. */
static void set_text(struct node_reader *r, struct node *node, const char *written, size_t len)
{
    struct error error = { "has a NUL character, write text without one" };
    struct buf text;
    buf_init(&text, NODE_TEXT_BYTES_MAX);
    if (strlen(written) == len && substitute_variables(written, &text, &error)) {
        node->text = mem_strdup(buf_text(&text));
        if (strcmp(node->text, written) != 0) {
            node->is_substituted = strstr(written, "${") != NULL;
            node->written = mem_strdup(written);
        }
    } else {
        node->text = mem_strdup("");
        refuse_node(r, node, error.text);
    }
    r->text_bytes += text.len;
    buf_fini(&text);
}

/* In { token: ${X} } the text ends at the second brace, and what follows is no YAML; one message says why. */
static bool is_cut_at_brace(const struct node *node, const char *written, size_t len)
{
    return !node->is_quoted && node->parent && node->parent->is_flow && len > 0 && written[len - 1] == '$' &&
           (len == 1 || written[len - 2] != '$');
}

static void take_scalar(struct node_reader *r, const yaml_event_t *event)
{
    if (is_key_next(r)) {
        take_key(r, event);
        return;
    }
    const char *written = (const char *)event->data.scalar.value;
    struct node *node = add_node(r, NODE_SCALAR, event->start_mark);
    if (!node)
        return;
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->is_null = !node->is_quoted && is_null_word(written);
    if (is_cut_at_brace(node, written, event->data.scalar.length)) {
        refuse_node(r, node, "ends in '$': within { } and [ ], write \"${NAME}\" in quotes, or $$ for a dollar sign");
        r->is_refused = true;
        return;
    }
    set_text(r, node, written, event->data.scalar.length);
    if (r->text_bytes > NODE_TEXT_BYTES_SUM) {
        add_problem(r, event->start_mark, "is too much text with its variables replaced, at most %u bytes are allowed",
                    NODE_TEXT_BYTES_SUM);
        r->is_refused = true;
    }
}

static void open_container(struct node_reader *r, enum node_kind kind, bool is_flow, yaml_mark_t at)
{
    if (is_key_next(r)) {
        add_problem(r, at, "has %s as a key, write a word", node_kind_to_str(kind));
        r->is_refused = true;
    } else if (r->depth == NODE_DEPTH_MAX) {
        add_problem(r, at, "is nested too deeply, at most %d levels are allowed", NODE_DEPTH_MAX);
        r->is_refused = true;
    } else {
        struct node *node = add_node(r, kind, at);
        if (!node)
            return;
        node->is_flow = is_flow;
        r->open = node;
        r->depth++;
    }
}

/* Everything in YAML that would make a document mean something else than it says. */
static bool has_hidden_meaning(struct node_reader *r, const yaml_event_t *event)
{
    const void *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor || event->type == YAML_ALIAS_EVENT)
        add_problem(r, event->start_mark,
                    "has an anchor or alias (& or *), write the value itself, or put it in quotes");
    else if (tag)
        add_problem(r, event->start_mark, "has a tag (!), write the value without it, or put it in quotes");
    else
        return false;
    return true;
}

static void take_event(struct node_reader *r, const yaml_event_t *event)
{
    if (has_hidden_meaning(r, event)) {
        r->is_refused = true;
        return;
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->has_document) {
            add_problem(r, event->start_mark, "has a second document (---), write one");
            r->is_refused = true;
        }
        r->has_document = true;
        break;
    case YAML_SCALAR_EVENT:
        take_scalar(r, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        open_container(r, NODE_LIST, event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, event->start_mark);
        break;
    case YAML_MAPPING_START_EVENT:
        open_container(r, NODE_MAP, event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, event->start_mark);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->open = r->open->parent;
        r->depth--;
        break;
    default:
        break;
    }
}

/* YAML 1.1 has five line ends: LF, CR, U+0085, U+2028, U+2029. */
static bool is_line_start(const char *text, size_t at)
{
    if (at == 0 || text[at - 1] == '\n' || text[at - 1] == '\r')
        return true;
    if (at >= 2 && memcmp(text + at - 2, "\xc2\x85", 2) == 0)
        return true;
    return at >= 3 && (memcmp(text + at - 3, "\xe2\x80\xa8", 3) == 0 || memcmp(text + at - 3, "\xe2\x80\xa9", 3) == 0);
}

/* libyaml compares each directive (%TAG) with all before it, which takes minutes for a file full of them; none is
 * needed. */
static bool has_directive(struct node_reader *r, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && is_line_start(text, i)) {
            yaml_mark_t at = mark_of_offset(text, len, i);
            problems_add(r->problems, (unsigned)at.line + 1, (unsigned)at.column + 1, "",
                         "has a directive (a line that starts with %%), write the document without it");
            return true;
        }
    }
    return false;
}

static void read_events(struct node_reader *r, const char *text, size_t len)
{
    bool at_end = false;
    r->is_refused = has_directive(r, text, len);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
    while (!at_end && !r->is_refused) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) {
            report_syntax(r, text, len);
            r->is_refused = true;
            return;
        }
        take_event(r, &event);
        at_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
}

struct node *node_read(const char *text, size_t len, struct problems *problems)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct node_reader r = { .problems = problems };
    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (!yaml_parser_initialize(&r.parser)) {
        problems_add(problems, 1, 1, "", "cannot be read: out of memory");
        return NULL;
    }
    read_events(&r, text, len);
    yaml_parser_delete(&r.parser);
    free(r.key);
    if (!r.is_refused && (!r.root || r.root->is_null)) {
        /* A file cut to nothing must not look like a wish for no services. */
        problems_add(problems, 1, 1, "", "is empty, write at least one key, or {} for the defaults");
        r.is_refused = true;
    }
    if (!r.is_refused)
        return r.root;
    node_free(r.root);
    return NULL;
}

void node_free(struct node *root)
{
    if (!root)
        return;
    for (size_t i = 0; i < root->count; i++) /* as deep as NODE_DEPTH_MAX */
        node_free(root->children[i]);
    free(root->children);
    free(root->key);
    free(root->text);
    free(root->written);
    free(root);
}

struct node *node_find(const struct node *map, const char *key)
{
    for (size_t i = 0; map->kind == NODE_MAP && i < map->count; i++) {
        if (!map->children[i]->is_repeated && strcmp(map->children[i]->key, key) == 0)
            return map->children[i];
    }
    return NULL;
}

/* The child that the path's first step names; moves the path behind that step. */
static struct node *step_along(const struct node *node, const char **path)
{
    if (**path == '[') {
        char *end;
        size_t index = strtoul(*path + 1, &end, 10);
        *path = end + (*end == ']');
        return node->kind == NODE_LIST && index < node->count ? node->children[index] : NULL;
    }
    char key[NODE_KEY_BYTES_MAX + 1];
    *path += **path == '.';
    size_t len = strcspn(*path, ".[");
    if (len == 0 || len > NODE_KEY_BYTES_MAX)
        return NULL;
    memcpy(key, *path, len);
    key[len] = '\0';
    *path += len;
    return node_find(node, key);
}

struct node *node_locate(struct node *root, const char *path, bool *whole)
{
    struct node *node = root, *next = root;
    while (*path && (next = step_along(node, &path)))
        node = next;
    *whole = next != NULL;
    return node;
}

void node_mark_bad(struct node *node)
{
    for (; node; node = node->parent)
        node->is_bad = true;
}

void node_write_path(const struct node *node, struct buf *out)
{
    const struct node *way[NODE_DEPTH_MAX + 1];
    size_t depth = 0;
    for (; node->parent; node = node->parent)
        way[depth++] = node;
    while (depth-- > 0) {
        if (way[depth]->key)
            write_key(way[depth]->key, out);
        else
            buf_printf(out, "[%zu]", way[depth]->index);
    }
}

const char *node_kind_to_str(enum node_kind kind)
{
    static const char *const names[] = { "a value", "a list", "a map" };
    static_assert(sizeof names / sizeof names[0] == NODE_KIND_COUNT, "a name for each");
    return kind < NODE_KIND_COUNT ? names[kind] : "?";
}
