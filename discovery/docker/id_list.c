#include "discovery/docker/id_list.h"

#include <ctype.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void begin_string(struct id_list *list)
{
    list->is_in_string = true;
    list->is_escaped = false;
    list->len = 0;
}

static void keep(struct id_list *list, char c)
{
    if (list->len < sizeof list->text - 1)
        list->text[list->len] = c;
    list->len++;
}

static const char *kept(struct id_list *list)
{
    bool fits = list->len < sizeof list->text;
    list->text[fits ? list->len : 0] = '\0';
    return list->text;
}

/* A string of a container has ended; one that is inside a value is nobody's. */
static void end_string(struct id_list *list, id_list_cb on_id, void *owner)
{
    const char *text = kept(list);
    list->is_in_string = false;
    if (list->depth > 0)
        return;
    if (list->state == ID_LIST_AT_KEY)
        list->is_id = strcmp(text, "Id") == 0;
    else if (list->is_id && text[0] && strspn(text, "0123456789abcdef") == strlen(text))
        on_id(owner, text);
}

static void feed_string(struct id_list *list, char c, id_list_cb on_id, void *owner)
{
    if (!list->is_escaped && c == '"') {
        end_string(list, on_id, owner);
        return;
    }
    list->is_escaped = !list->is_escaped && c == '\\';
    keep(list, c); /* an escape makes it something else than a key or an id of ours */
}

static void feed_outside(struct id_list *list, char c)
{
    if (is_blank(c))
        return;
    if (list->state == ID_LIST_BEFORE)
        list->state = c == '[' ? ID_LIST_BETWEEN : ID_LIST_BAD;
    else if (list->state == ID_LIST_BETWEEN && c == '{')
        list->state = ID_LIST_AT_KEY;
    else if (list->state == ID_LIST_BETWEEN && c == ']')
        list->state = ID_LIST_AFTER;
    else if (list->state != ID_LIST_BETWEEN || (c != ',' && !isalnum((unsigned char)c)))
        list->state = ID_LIST_BAD; /* a number or a word between them is nothing to us */
}

static void feed_container(struct id_list *list, char c)
{
    bool is_opening = c == '{' || c == '[', is_closing = c == '}' || c == ']';
    if (c == '"')
        begin_string(list);
    else if (list->depth > 0)
        list->depth += (size_t)is_opening - (size_t)is_closing;
    else if (c == '}')
        list->state = ID_LIST_BETWEEN;
    else if (c == ':' && list->state == ID_LIST_AT_KEY)
        list->state = ID_LIST_AT_VALUE;
    else if (c == ',' && list->state == ID_LIST_AT_VALUE)
        list->state = ID_LIST_AT_KEY;
    else if (is_opening && list->state == ID_LIST_AT_VALUE)
        list->depth = 1;
    else if (!is_blank(c) && (list->state == ID_LIST_AT_KEY || is_closing || c == ':'))
        list->state = ID_LIST_BAD; /* a number or a word as a value passes */
}

/* The bytes that cannot end the string, of one that nobody reads: nearly all of a list of containers with long labels. */
static size_t skip_unread(const struct id_list *list, struct slice rest)
{
    size_t i = 0;
    if (list->depth > 0 && list->is_in_string && !list->is_escaped)
        while (i < rest.len && rest.at[i] != '"' && rest.at[i] != '\\')
            i++;
    return i;
}

bool id_list_feed(struct id_list *list, struct slice piece, id_list_cb on_id, void *owner)
{
    for (size_t i = 0; i < piece.len && list->state != ID_LIST_BAD; i++) {
        i += skip_unread(list, (struct slice){ piece.at + i, piece.len - i });
        if (i == piece.len)
            break;
        char c = piece.at[i];
        if (list->is_in_string)
            feed_string(list, c, on_id, owner);
        else if (list->state == ID_LIST_AT_KEY || list->state == ID_LIST_AT_VALUE)
            feed_container(list, c);
        else
            feed_outside(list, c);
    }
    return list->state != ID_LIST_BAD;
}

bool id_list_is_complete(const struct id_list *list)
{
    return list->state == ID_LIST_AFTER;
}
