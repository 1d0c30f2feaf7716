#include "proxy/snapshot/snapshot_fields.h"

#include "base/check.h"
#include "config/choices.h"
#include "config/schema.h"
#include "config/value.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OTHERS_MAX 8 /* keys of an object that are no settings */

/* Where a setting lies in the struct of its section; all else of it is in its row of the schema. */
struct place {
    enum schema_section section;
    const char *key;
    size_t offset;
    size_t has_offset; /* of a bool that says whether it was there, or NOT_NOTED */
};

#define NOT_NOTED SIZE_MAX
#define PLACE(section, key, settings, field)                                                   \
    {                                                                                          \
        SCHEMA_SECTION_##section, #key, offsetof(struct settings##_settings, field), NOT_NOTED \
    }
static const struct place places[] = {
#define SETTING_OF_PROXY(key, field, ...) PLACE(PROXY, key, proxy, field),
#define SETTING_OF_TIMEOUTS(key, field, ...) PLACE(TIMEOUTS, key, proxy, field),
#define SETTING_OF_LIMITS(key, field, ...) PLACE(LIMITS, key, proxy, field),
#define SETTING_OF_CLIENTS(key, field, ...) PLACE(CLIENTS, key, client, field),
#define SETTING_OF_LISTENER(key, field, ...) PLACE(LISTENER, key, listener, field),
#define SETTING_OF_SERVICE(key, field, ...)                                   \
    { SCHEMA_SECTION_SERVICE, #key, offsetof(struct service_settings, field), \
      offsetof(struct service_settings, has_##field) },
#include "config/schema.def"
};

static bool is_allowed(const char *const *allowed, const char *key)
{
    for (; *allowed; allowed++) {
        if (strcmp(*allowed, key) == 0)
            return true;
    }
    return false;
}

bool snapshot_check_keys(json_t *object, const char *const *allowed, const char *path, struct error *error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return error_set(error, "%s: not an object", path);
    json_object_foreach (object, key, value) {
        if (!is_allowed(allowed, key))
            return error_set(error, "%s.%.60s: unknown key", path, key);
    }
    return true;
}

bool snapshot_read_integer(json_t *object, const char *key, const char *path, int64_t min, int64_t max, int64_t *out,
                           struct error *error)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return error_set(error, "%s.%s: not an integer from %lld to %lld", path, key, (long long)min, (long long)max);
    *out = json_integer_value(value);
    return true;
}

const char *snapshot_read_text(json_t *object, const char *key, const char *path, struct error *error)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        error_set(error, "%s.%s: not a non-empty string", path, key);
        return NULL;
    }
    return json_string_value(value);
}

/* Words are enums: their place in the list of them. */
static_assert(sizeof(enum responses) == sizeof(unsigned), "an enum without negative values is an unsigned");

static bool find_word(const char *const *words, size_t count, const char *word, unsigned *out)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (unsigned)i;
            return true;
        }
    }
    return false;
}

static bool read_word(json_t *object, const char *key, const char *path, const char *const *words, size_t count,
                      unsigned *out, struct error *error)
{
    if (!json_object_get(object, key))
        return true;
    const char *word = snapshot_read_text(object, key, path, error);
    if (!word)
        return false;
    return find_word(words, count, word, out) || error_set(error, "%s.%s: '%.40s' is not known", path, key, word);
}

static bool read_boolean(json_t *object, const char *key, const char *path, bool *out, struct error *error)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        return true;
    if (!json_is_boolean(value))
        return error_set(error, "%s.%s: neither true nor false", path, key);
    *out = json_is_true(value);
    return true;
}

/* Not by the words of config/choices.h: here are those that can be called. */
static bool read_balancer(json_t *object, const char *key, const char *path, const struct balancer_ops **out,
                          struct error *error)
{
    if (!json_object_get(object, key))
        return true;
    const char *name = snapshot_read_text(object, key, path, error);
    if (!name)
        return false;
    *out = balancer_find(name);
    return *out ? true : error_set(error, "%s.%s: '%.40s' is not known", path, key, name);
}

static bool read_setting(json_t *object, const struct schema_row *row, const char *path, void *field,
                         struct error *error)
{
    size_t count;
    const char *const *words = value_words(row, &count);
    switch (row->type) {
    case SCHEMA_TYPE_INTEGER:
    case SCHEMA_TYPE_DURATION:
    case SCHEMA_TYPE_SIZE:
        return snapshot_read_integer(object, row->sent_as, path, value_min(row), value_max(row), field, error);
    case SCHEMA_TYPE_BOOLEAN:
        return read_boolean(object, row->sent_as, path, field, error);
    case SCHEMA_TYPE_BALANCER:
        return read_balancer(object, row->sent_as, path, field, error);
    default:
        check(words != NULL);
        return read_word(object, row->sent_as, path, words, count, field, error);
    }
}

static void set_default(const struct schema_row *row, void *field)
{
    size_t count;
    const char *const *words = value_words(row, &count);
    if (row->type == SCHEMA_TYPE_BALANCER)
        *(const struct balancer_ops **)field = balancer_find(row->fallback);
    else
        check(words ? find_word(words, count, row->fallback, field)
                    : value_parse(row, row->fallback, field) == VALUE_OK);
}

static void set_defaults(enum schema_section section, void *settings)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (places[i].section == section)
            set_default(schema_find(section, places[i].key), (char *)settings + places[i].offset);
    }
}

/* The settings of a section, in an object that has no other keys than theirs and `others`. */
static bool read_section(json_t *object, enum schema_section section, const char *const *others, const char *path,
                         void *settings, struct error *error)
{
    const char *allowed[SCHEMA_KEYS_MAX + OTHERS_MAX + 1];
    size_t count = 0;
    while (*others) {
        check(count < OTHERS_MAX);
        allowed[count++] = *others++;
    }
    for (const struct schema_row *row = schema_next(section, NULL); row; row = schema_next(section, row)) {
        if (row->sent_as)
            allowed[count++] = row->sent_as;
    }
    allowed[count] = NULL;
    if (!snapshot_check_keys(object, allowed, path, error))
        return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct place *place = &places[i];
        if (place->section != section)
            continue;
        const struct schema_row *row = schema_find(section, place->key);
        if (!read_setting(object, row, path, (char *)settings + place->offset, error))
            return false;
        if (place->has_offset != NOT_NOTED)
            *(bool *)((char *)settings + place->has_offset) = json_object_get(object, row->sent_as) != NULL;
    }
    return true;
}

static const char *const no_others[] = { NULL };

/* Of an object inside of the settings, which may be absent. */
static bool read_part(json_t *settings, const char *key, enum schema_section section, const char *path, void *part,
                      struct error *error)
{
    json_t *object = json_object_get(settings, key);
    return !object || read_section(object, section, no_others, path, part, error);
}

/* The one list of values; no row of the table. */
static bool read_trusted_proxies(json_t *list, struct proxy_settings *out, struct error *error)
{
    if (list && (!json_is_array(list) || json_array_size(list) > SETTINGS_TRUSTED_PROXIES_MAX))
        return error_set(error, "settings.trustedProxies: not a list of at most %d", SETTINGS_TRUSTED_PROXIES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !network_parse(text, &out->trusted_proxies[i]))
            return error_set(error, "settings.trustedProxies[%zu]: not a network", i);
    }
    out->trusted_proxy_count = json_array_size(list);
    return true;
}

static bool read_listeners(json_t *list, struct proxy_settings *out, struct error *error)
{
    static const char path[] = "settings.listeners[]";
    static const char *const others[] = { "proxyProtocol", NULL };
    if (list && (!json_is_array(list) || json_array_size(list) > SETTINGS_LISTENERS_MAX))
        return error_set(error, "settings.listeners: not a list of at most %d", SETTINGS_LISTENERS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *listener = json_array_get(list, i);
        if (!read_section(listener, SCHEMA_SECTION_LISTENER, others, path, &out->listeners[i], error) ||
            !read_boolean(listener, "proxyProtocol", path, &out->listeners[i].proxy_protocol, error))
            return false;
    }
    return true;
}

bool snapshot_read_proxy_protocol(json_t *service, const char *path, enum proxy_protocol_version *version,
                                  struct error *error)
{
    unsigned word = PROXY_PROTOCOL_OFF;
    size_t count;
    const char *const *words = choices_of(CHOICES_PROXY_PROTOCOL, &count);
    bool ok = read_word(service, "proxyProtocol", path, words, count, &word, error);
    *version = (enum proxy_protocol_version)word;
    return ok;
}

bool snapshot_read_service_settings(json_t *service, const char *const *others, const char *path,
                                    struct service_settings *out, struct error *error)
{
    memset(out, 0, sizeof *out);
    return read_section(service, SCHEMA_SECTION_SERVICE, others, path, out, error);
}

bool snapshot_read_settings(json_t *settings, struct proxy_settings *out, struct error *error)
{
    static const char *const others[] = { "timeouts", "limits", "clients", "listeners", "trustedProxies", NULL };
    memset(out, 0, sizeof *out);
    set_defaults(SCHEMA_SECTION_PROXY, out);
    set_defaults(SCHEMA_SECTION_TIMEOUTS, out);
    set_defaults(SCHEMA_SECTION_LIMITS, out);
    set_defaults(SCHEMA_SECTION_CLIENTS, &out->clients);
    for (size_t i = 0; i < SETTINGS_LISTENERS_MAX; i++)
        set_defaults(SCHEMA_SECTION_LISTENER, &out->listeners[i]);
    return !settings ||
           (read_section(settings, SCHEMA_SECTION_PROXY, others, "settings", out, error) &&
            read_part(settings, "timeouts", SCHEMA_SECTION_TIMEOUTS, "settings.timeouts", out, error) &&
            read_part(settings, "limits", SCHEMA_SECTION_LIMITS, "settings.limits", out, error) &&
            read_part(settings, "clients", SCHEMA_SECTION_CLIENTS, "settings.clients", &out->clients, error) &&
            read_trusted_proxies(json_object_get(settings, "trustedProxies"), out, error) &&
            read_listeners(json_object_get(settings, "listeners"), out, error));
}
