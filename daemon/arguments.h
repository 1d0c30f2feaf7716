/* arguments: a command line by a table: "--name VALUE", "--name=VALUE", flags, operands. Pure, except that a mistake is
 * told on stderr in one line. Texts are borrowed from argv. */
#ifndef DAEMON_ARGUMENTS_H
#define DAEMON_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly one of the three targets is set. */
struct argument {
    const char *name; /* "--config"; without dashes: the next operand, always required */
    const char **text;
    int64_t *number; /* -1 or more */
    bool *flag;
    bool is_required;
};

/* command: what to name in messages ("run"). argv: what follows it. False: said why, exit with 2. */
bool arguments_parse(const char *command, const struct argument *table, size_t count, int argc, char **argv);

/* "3,4,5" into an array that the caller frees; null, and *count 0, when there is anything else in it. */
int *arguments_parse_fds(const char *list, size_t *count);

#endif
