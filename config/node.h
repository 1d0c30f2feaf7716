/* node: a YAML 1.1 or JSON document as a small tree in which everything knows its line and column. Bounded: depth,
 * nodes, keys of a map, length of a text, sum of all texts. No anchors, aliases, tags or second document. Environment
 * variables are replaced here (config/substitute.h). Control thread. The tree owns all its nodes and texts. */
#ifndef CONFIG_NODE_H
#define CONFIG_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/problems.h"

#define NODE_DEPTH_MAX 32
#define NODE_COUNT_MAX 200000
#define NODE_KEYS_MAX 1024 /* of one map: each is compared with those before it */
#define NODE_KEY_BYTES_MAX 256
#define NODE_TEXT_BYTES_MAX (64u << 10) /* of one scalar, variables replaced */
#define NODE_TEXT_BYTES_SUM (16u << 20) /* of all */

enum node_kind { NODE_SCALAR = 0, NODE_LIST, NODE_MAP, NODE_KIND_COUNT };

struct node {
    enum node_kind kind;
    unsigned line, column;         /* from 1 */
    unsigned key_line, key_column; /* of its key in a map; else as above */
    bool is_quoted;                /* a scalar in quotes, or a block of text */
    bool is_flow;                  /* a list or map in brackets or braces */
    bool is_substituted;           /* a variable was replaced in it */
    bool is_null;                  /* nothing, ~ or null, without quotes */
    bool is_repeated;              /* its key is there twice: no longer looked at */
    bool is_bad;                   /* it, or something in it, has a problem that has been reported */
    char *key;                     /* null in a list and at the top */
    char *text;                    /* of a scalar, variables replaced */
    char *written;                 /* of a scalar, as in the document; null when nothing was replaced */
    struct node *parent;
    size_t index; /* in its parent */
    struct node **children;
    size_t count, room;
};

/* Null when the tree would not be whole; the problems say why. Other problems may have been added to a tree too. */
struct node *node_read(const char *text, size_t len, struct problems *problems);
void node_free(struct node *root);

struct node *node_find(const struct node *map, const char *key); /* null: not there (or not a map) */

/* Goes along "services[3].scaling.max" as far as it can: the deepest node on the way, the root at least. `whole` says
 * whether that is the end of the path. */
struct node *node_locate(struct node *root, const char *path, bool *whole);

void node_mark_bad(struct node *node); /* and all that it lies in */
void node_write_path(const struct node *node, struct buf *out);
const char *node_kind_to_str(enum node_kind kind); /* "a value", "a list", "a map" */

#endif
