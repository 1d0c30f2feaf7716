/* print: the configuration as text: the effective values, and the reference manual. Control thread and the command
 * line. */
#ifndef CONFIG_PRINT_H
#define CONFIG_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

/* Effective values with defaults filled in, as YAML that config_load_text accepts and that gives the same config.
 * Secrets (admin.token and the values of services[].environment) are printed as "********" unless show_secrets. */
void config_print(const struct config *config, bool show_secrets, FILE *out);

/* The reference manual, Markdown, from the schema table. It is docs/configuration.md. */
void config_print_reference(FILE *out);

#endif
