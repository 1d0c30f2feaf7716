#include "discovery/docker/image_reference.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "discovery/revision.h"

/* The first part is a registry when it cannot be a user's name, which has no capitals either. */
static bool names_registry(const char *first, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (first[i] == '.' || first[i] == ':' || isupper((unsigned char)first[i]))
            return true;
    return len == 9 && memcmp(first, "localhost", len) == 0;
}

static void find_registry(const char *name, char out[IMAGE_REFERENCE_SIZE])
{
    size_t len = strcspn(name, "/");
    if (name[len] != '/' || !names_registry(name, len)) {
        snprintf(out, IMAGE_REFERENCE_SIZE, "%s", IMAGE_REGISTRY_HUB);
        return;
    }
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    out[len] = '\0';
    if (strcmp(out, "index.docker.io") == 0)
        snprintf(out, IMAGE_REFERENCE_SIZE, "%s", IMAGE_REGISTRY_HUB);
}

bool image_reference_parse(const char *text, struct image_reference *out)
{
    char id[TASK_IMAGE_ID_SIZE];
    *out = (struct image_reference){ .tag = "latest" };
    if (strlen(text) >= IMAGE_REFERENCE_SIZE || revision_read_image_id(text, id))
        return false;
    snprintf(out->name, sizeof out->name, "%s", text);
    char *digest = strchr(out->name, '@');
    if (digest) {
        *digest = '\0';
        snprintf(out->tag, sizeof out->tag, "%s", digest + 1);
    }
    char *slash = strrchr(out->name, '/'), *colon = strrchr(slash ? slash : out->name, ':'); /* not that of a port */
    if (colon) {
        *colon = '\0';
        if (!digest)
            snprintf(out->tag, sizeof out->tag, "%s", colon + 1);
    }
    find_registry(out->name, out->registry);
    return out->name[0] != '\0' && out->tag[0] != '\0';
}
