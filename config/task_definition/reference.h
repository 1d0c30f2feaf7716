/* reference: docs/task-definitions.md from the table. The command line. */
#ifndef CONFIG_TASK_DEFINITION_REFERENCE_H
#define CONFIG_TASK_DEFINITION_REFERENCE_H

#include <stdio.h>

void task_definition_print_reference(FILE *out);

#endif
