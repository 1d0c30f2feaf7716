/* validate: the rules between fields, after each field has been read on its own. A rule whose fields already have a
 * problem is not asked. Control thread. */
#ifndef CONFIG_VALIDATE_H
#define CONFIG_VALIDATE_H

#include "config/config.h"
#include "config/node.h"
#include "config/problems.h"

void validate_config(const struct config *config, struct node *root, struct problems *problems);

#endif
