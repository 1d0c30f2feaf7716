/* Any bytes as a configuration: no crash, either problems or a config, each problem one line of printable text with its
 * place, and what was accepted prints as a document that is accepted as the same. */
#include "base/check.h"
#include "config/diff.h"
#include "config/load.h"
#include "config/print.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_problems(const struct config_problems *problems)
{
    check(problems->count > 0 && problems->count <= CONFIG_PROBLEMS_MAX + 1);
    for (size_t i = 0; i < problems->count; i++) {
        check(strncmp(problems->lines[i], "fuzz:", 5) == 0 || strcmp(problems->lines[i], "... and more") == 0);
        for (const unsigned char *c = (const unsigned char *)problems->lines[i]; *c; c++)
            check(*c >= 0x20 && *c != 0x7f);
    }
}

static char *print(const struct config *config, size_t *len)
{
    char *text;
    FILE *out = open_memstream(&text, len);
    check(out);
    config_print(config, true, out);
    fclose(out);
    return text;
}

static void check_round_trip(const struct config *config)
{
    struct config_problems problems;
    char restart[64];
    size_t len, again_len;
    char *text = print(config, &len);
    struct config *again = config_load_text("again", text, len, &problems);
    check(again && problems.count == 0);
    char *again_text = print(again, &again_len);
    check(len == again_len && memcmp(text, again_text, len) == 0);
    check(!config_restart_needed(config, again, restart, sizeof restart));
    config_problems_fini(&problems);
    config_free(again);
    free(again_text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_problems problems;
    struct config *config = config_load_text("fuzz", (const char *)data, size, &problems);
    if (config)
        check_round_trip(config);
    else
        check_problems(&problems);
    config_problems_fini(&problems);
    config_free(config);
    return 0;
}
