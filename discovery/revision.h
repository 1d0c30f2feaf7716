/* revision: what a task was created from: "<definition>-<image>", or "<definition>" alone where nobody knows which image
 * it was. The definition is a hash of what the configuration says (controller/runtime/runtime.h), the image is the
 * beginning of the id that the image's name stood for then: a tag may stand for another tomorrow. Pure; any thread. */
#ifndef DISCOVERY_REVISION_H
#define DISCOVERY_REVISION_H

#include <stdbool.h>

#include "discovery/task.h"

/* "sha256:" and 64 hexadecimal digits, or these alone, as an engine writes it; out is with "sha256:", or "" when it is
 * neither. text may be null. */
bool revision_read_image_id(const char *text, char out[TASK_IMAGE_ID_SIZE]);

/* image_id: of revision_read_image_id(); "" when it is not known. A definition that holds an image already stays as it
 * is. */
void revision_make(const char *definition, const char *image_id, char out[TASK_REVISION_SIZE]);

/* Not known to differ: where one of them says nothing of its image, the definitions decide. */
bool revision_is_same(const char *a, const char *b);

#endif
