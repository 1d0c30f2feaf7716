/* rules: what the fields of a definition must be to each other, in ECS's way. Each adds a problem at the field that should be
 * written otherwise. A field that had a problem of its own when it was read is passed over. Pure. Any thread. */
#ifndef CONFIG_TASK_DEFINITION_RULES_H
#define CONFIG_TASK_DEFINITION_RULES_H

#include "config/task_definition/reader.h"

void rules_check(const struct definition_reader *reader); /* all of them */

void rules_check_container(const struct definition_reader *reader, size_t container, const struct place *place);
void rules_check_ports(const struct definition_reader *reader); /* of all containers */
void rules_check_fargate(const struct definition_reader *reader);

#endif
