/* registry_login: what the engine is given to log in to a registry with: an entry of `docker.registries`, else one of the
 * `auths` in the file of `docker.registryConfig`. Files are read anew each time, so that what changed is in force, and block
 * for as long as the disk does. Credential helpers (credsStore, credHelpers) are programs, and are not run. Control
 * thread only. */
#ifndef CONTROLLER_RUNTIME_REGISTRY_LOGIN_H
#define CONTROLLER_RUNTIME_REGISTRY_LOGIN_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"

#define REGISTRY_CONFIG_BYTES_MAX (1u << 20)

struct registry_login {
    char *auth; /* owned; value of X-Registry-Auth: base64url of a JSON object; "": there is nothing to log in with */
    const char *note; /* static; why there may be too little, for whom the pull fails; "" */
};

/* registry: as in discovery/docker/image_reference.h. False: a file cannot be read, or does not say what it should; the
 * error holds nothing secret. */
bool registry_login_find(const struct config_docker *config, const char *registry, struct registry_login *out,
                         struct error *error);
/* The part of it that is about the text of Docker's config.json. Pure. */
bool registry_login_read(struct slice text, const char *registry, struct registry_login *out, struct error *error);
void registry_login_fini(struct registry_login *login);

#endif
