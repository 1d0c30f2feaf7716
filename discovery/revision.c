#include "discovery/revision.h"

#include <stdio.h>
#include <string.h>

#define ALGORITHM "sha256:"
#define ALGORITHM_LEN (sizeof ALGORITHM - 1)
#define DIGITS 64
#define DIGITS_SHOWN 16
#define SEPARATOR '-'

_Static_assert(TASK_IMAGE_ID_SIZE > ALGORITHM_LEN + DIGITS, "an id fits");

bool revision_read_image_id(const char *text, char out[TASK_IMAGE_ID_SIZE])
{
    out[0] = '\0';
    if (text == NULL)
        return false;
    if (strncmp(text, ALGORITHM, ALGORITHM_LEN) == 0)
        text += ALGORITHM_LEN;
    if (strlen(text) != DIGITS || strspn(text, "0123456789abcdef") != DIGITS)
        return false;
    snprintf(out, TASK_IMAGE_ID_SIZE, ALGORITHM "%s", text);
    return true;
}

void revision_make(const char *definition, const char *image_id, char out[TASK_REVISION_SIZE])
{
    bool is_whole = strchr(definition, SEPARATOR) != NULL || image_id[0] == '\0' ||
                    strlen(definition) + 1 + DIGITS_SHOWN >= TASK_REVISION_SIZE;
    if (is_whole)
        snprintf(out, TASK_REVISION_SIZE, "%s", definition);
    else
        snprintf(out, TASK_REVISION_SIZE, "%s%c%.*s", definition, SEPARATOR, DIGITS_SHOWN, image_id + ALGORITHM_LEN);
}

bool revision_is_same(const char *a, const char *b)
{
    size_t definition = strcspn(a, "-");
    if (definition != strcspn(b, "-") || strncmp(a, b, definition) != 0)
        return false;
    return a[definition] == '\0' || b[definition] == '\0' || strcmp(a + definition, b + definition) == 0;
}
