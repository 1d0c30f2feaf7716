/* definition_asserts: task definitions as literals, ' for ", and what is said of them. */
#ifndef TESTS_UNIT_CONFIG_TASK_DEFINITION_DEFINITION_ASSERTS_H
#define TESTS_UNIT_CONFIG_TASK_DEFINITION_DEFINITION_ASSERTS_H

#include "config/task_definition/task_definition.h"

/* One container, and further fields of the task, or of the container. */
#define TASK(fields) "{'family':'f','containerDefinitions':[{'name':'a','image':'i'}]," fields "}"
#define CONTAINER(fields) "{'family':'f','containerDefinitions':[{'name':'a','image':'i'," fields "}]}"
/* The containers whole, and further fields of the task behind them. */
#define CONTAINERS(containers, fields) "{'family':'f','containerDefinitions':[" containers "]" fields "}"

struct task_definition *read_definition(const char *text); /* the caller's, to task_definition_free() */
void assert_definition_good(const char *text);
void assert_definition_wrong(const char *text, const char *line); /* exactly one problem, this one */
void assert_definition_wrong_twice(const char *text, const char *first, const char *second);
/* No JSON, or beyond its limits: the one problem is of the document, with these words in it. */
void assert_definition_unreadable(const char *text, const char *words);
void assert_definition_ignores(const char *text, const char *paths); /* accepted, with these paths, blanks between */

#endif
