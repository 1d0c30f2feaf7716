/* What the tests of the configuration ask of a document. Each fails the running test when it is not so. */
#ifndef TESTS_UNIT_CONFIG_DOCUMENT_ASSERTS_H
#define TESTS_UNIT_CONFIG_DOCUMENT_ASSERTS_H

#include "config/load.h"

#include <stddef.h>

/* A service without its end: the next key goes to line 1, column 43. */
#define SERVICE "services: [{name: web, image: a, port: 1, "
#define TOKEN "0123456789abcdef"

struct config *load_accepted(const char *text); /* the caller's, for config_free() */
void assert_accepted(const char *text);

/* The problems of "t.yaml" are these lines, neither more nor fewer. */
void assert_problems(const char *text, const char *const *lines, size_t count);
void assert_problem(const char *text, const char *line);
void assert_problem_start(const char *text, const char *start); /* exactly one, that begins like this */

#endif
