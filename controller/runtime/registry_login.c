#include "controller/runtime/registry_login.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/whole_file.h"
#include "config/form.h"
#include "discovery/docker/image_reference.h"

#define HUB_SERVER "https://index." IMAGE_REGISTRY_HUB "/v1/" /* what Docker has called it since its beginning */
#define HELPER_NOTE " (docker.registryConfig names a credential helper, and none is run)"

static void free_secret(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void registry_login_fini(struct registry_login *login)
{
    free_secret(login->auth);
    login->auth = NULL;
}

/* RFC 4648 5, with padding: what the engine's decoder wants. */
static char *encode(const char *text)
{
    size_t len = strlen(text);
    char *out = mem_alloc(len / 3 * 4 + 5);
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return out;
}

/* Null when it is not base64 (RFC 4648 4) of a text. */
static char *decode(const char *text)
{
    size_t len = strlen(text), padding = len > 0 && text[len - 1] == '=' ? 1 + (len > 1 && text[len - 2] == '=') : 0;
    char *out = mem_alloc(len + 1);
    int got =
        len % 4 == 0 && len > 0 ? EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len) : -1;
    if (got >= 0)
        out[(size_t)got - padding] = '\0';
    if (got >= 0 && strlen(out) == (size_t)got - padding)
        return out;
    free(out);
    return NULL;
}

/* Takes over the members; null: there is none of it. */
static bool make_auth(const char *registry, json_t *members, char **out, struct error *error)
{
    const char *server = strcmp(registry, IMAGE_REGISTRY_HUB) == 0 ? HUB_SERVER : registry;
    if (members == NULL)
        return error_set(error, "the login for %s is not UTF-8", registry);
    json_object_set_new(members, "serveraddress", json_string(server));
    char *text = json_to_text(members);
    json_decref(members);
    *out = encode(text);
    free_secret(text);
    return true;
}

/* The file that one secret is in. */
static char *read_secret(const char *path, struct error *error)
{
    struct buf text;
    char *secret = NULL;
    buf_init(&text, FORM_PASSWORD_BYTES_MAX + 2);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to wait for who writes into a pipe */
    if (fd < 0 || !whole_file_read(fd, &text)) {
        if (text.overflowed)
            error_set(error, "%s: is too large, at most %d bytes are allowed", path, FORM_PASSWORD_BYTES_MAX);
        else
            error_set_errno(error, "%s", path);
    } else {
        const char *at = buf_text(&text);
        size_t len = strcspn(at, "\r\n");
        char *line = mem_strndup(at, len);
        bool is_line = text.len - len <= 2 && strspn(at + len, "\r\n") == text.len - len;
        secret = is_line ? form_accept_password(line) : NULL;
        if (secret == NULL)
            error_set(error, "%s: one line of 1 to %d bytes without control characters is expected", path,
                      FORM_PASSWORD_BYTES_MAX);
        free_secret(line);
    }
    if (fd >= 0)
        close(fd);
    if (text.at != NULL)
        explicit_bzero(text.at, text.size);
    buf_fini(&text);
    return secret;
}

static bool use_entry(const struct config_registry *entry, const char *registry, char **out, struct error *error)
{
    char *secret =
        entry->password_file != NULL ? read_secret(entry->password_file, error) : mem_strdup(entry->password);
    if (secret == NULL)
        return false;
    bool ok = make_auth(registry, json_pack("{s:s,s:s}", "username", entry->username, "password", secret), out, error);
    free_secret(secret);
    return ok;
}

/* ---- Docker's config.json ---- */

/* "https://registry.example/v1/" is about registry.example. */
static bool is_about(const char *key, const char *registry)
{
    static const char *const schemes[] = { "https://", "http://" };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncmp(key, schemes[i], strlen(schemes[i])) == 0)
            key += strlen(schemes[i]);
    size_t len = strcspn(key, "/");
    if (len == strlen(registry) && strncasecmp(key, registry, len) == 0)
        return true;
    return strcmp(registry, IMAGE_REGISTRY_HUB) == 0 && len == strlen("index.docker.io") &&
           strncasecmp(key, "index.docker.io", len) == 0;
}

/* The entry that is called exactly so comes before those that are about it. */
static const json_t *find_entry(const json_t *auths, const char *registry)
{
    const json_t *found = json_find_object(auths, registry);
    const char *key;
    json_t *value;
    if (found != NULL)
        return found;
    json_object_foreach ((json_t *)auths, key, value)
        if (json_is_object(value) && is_about(key, registry))
            return value;
    return NULL;
}

static bool names_helper(const json_t *document, const char *registry)
{
    const json_t *helpers = json_find_object(document, "credHelpers");
    const char *key;
    json_t *value;
    if (json_find_string(document, "credsStore") != NULL)
        return true;
    json_object_foreach ((json_t *)helpers, key, value)
        if (is_about(key, registry))
            return true;
    return false;
}

/* "auth" is base64 of "user:password"; the other members are as old as it is. */
static bool use_auth(const json_t *entry, const char *registry, char **out, struct error *error)
{
    const char *token = json_find_string(entry, "identitytoken"), *auth = json_find_string(entry, "auth");
    const char *user = json_find_string(entry, "username"), *password = json_find_string(entry, "password");
    if (token != NULL && token[0] != '\0')
        return make_auth(registry, json_pack("{s:s}", "identitytoken", token), out, error);
    if (auth == NULL || auth[0] == '\0')
        return user == NULL || password == NULL ||
               make_auth(registry, json_pack("{s:s,s:s}", "username", user, "password", password), out, error);
    char *pair = decode(auth), *colon = pair != NULL ? strchr(pair, ':') : NULL;
    bool ok = false;
    if (colon == NULL) {
        error_set(error, "\"auth\" of %s is not base64 of user:password", registry);
    } else {
        *colon = '\0';
        ok = make_auth(registry, json_pack("{s:s,s:s}", "username", pair, "password", colon + 1), out, error);
        *colon = ':';
    }
    free_secret(pair);
    return ok;
}

bool registry_login_read(struct slice text, const char *registry, struct registry_login *out, struct error *error)
{
    *out = (struct registry_login){ .note = "" };
    json_t *document = json_parse_bounded(text, &json_limits_default, error);
    if (document == NULL)
        return false;
    const json_t *entry = find_entry(json_find_object(document, "auths"), registry);
    bool ok = json_is_object(document) && (entry == NULL || use_auth(entry, registry, &out->auth, error));
    if (!json_is_object(document))
        error_set(error, "an object is expected, as in Docker's config.json");
    if (ok && out->auth == NULL) {
        out->auth = mem_strdup("");
        out->note = names_helper(document, registry) ? HELPER_NOTE : "";
    }
    json_decref(document);
    return ok;
}

static bool use_file(const char *path, const char *registry, struct registry_login *out, struct error *error)
{
    struct buf text;
    struct error problem;
    bool ok = false;
    buf_init(&text, REGISTRY_CONFIG_BYTES_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || (!whole_file_read(fd, &text) && !text.overflowed))
        error_set_errno(error, "docker.registryConfig: %s", path);
    else if (text.overflowed)
        error_set(error, "docker.registryConfig: %s: is too large, at most %u bytes are allowed", path,
                  REGISTRY_CONFIG_BYTES_MAX);
    else if (!(ok = registry_login_read((struct slice){ text.at, text.len }, registry, out, &problem)))
        error_set(error, "docker.registryConfig: %s: %s", path, problem.text);
    if (fd >= 0)
        close(fd);
    if (text.at != NULL)
        explicit_bzero(text.at, text.size);
    buf_fini(&text);
    return ok;
}

bool registry_login_find(const struct config_docker *config, const char *registry, struct registry_login *out,
                         struct error *error)
{
    struct error problem;
    *out = (struct registry_login){ .note = "" };
    for (size_t i = 0; i < config->registry_count; i++) {
        const struct config_registry *entry = &config->registries[i];
        if (is_about(entry->name, registry))
            return use_entry(entry, registry, &out->auth, &problem) ||
                   error_set(error, "docker.registries[%zu]: %s", i, problem.text);
    }
    if (config->registry_config != NULL)
        return use_file(config->registry_config, registry, out, error);
    out->auth = mem_strdup("");
    return true;
}
