/* image_reference: the name of an image in its parts, as Docker reads it: "registry/path:tag", "path@sha256:...". Without
 * a registry it is one of Docker Hub, without a tag it is "latest". Pure; any thread. A value. */
#ifndef DISCOVERY_DOCKER_IMAGE_REFERENCE_H
#define DISCOVERY_DOCKER_IMAGE_REFERENCE_H

#include <stdbool.h>

#define IMAGE_REFERENCE_SIZE 256
#define IMAGE_REGISTRY_HUB "docker.io"

struct image_reference {
    char registry[IMAGE_REFERENCE_SIZE]; /* host, with its port where there is one; lower case */
    char name[IMAGE_REFERENCE_SIZE];     /* as written, without tag and digest: with the registry, if it was there */
    char tag[IMAGE_REFERENCE_SIZE];      /* or the digest, "sha256:..." */
};

/* False: nothing that a registry could be asked for, as it is an id, or is longer than Docker allows. */
bool image_reference_parse(const char *text, struct image_reference *out);

#endif
