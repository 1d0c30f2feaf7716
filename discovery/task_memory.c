#include "discovery/task_memory.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES_MAX (64u << 20)
/* Of the time, writing takes at most the 20th part. */
#define DELAY_PER_WRITE 20

static const struct json_limits limits = { .bytes_max = BYTES_MAX, .depth_max = 4, .values_max = 1000000 };

struct task_memory {
    struct task_registry *registry; /* borrowed */
    uint8_t provider;
    char *path; /* owned */
    struct timer timer;
    enum { MEMORY_WRITTEN = 0, MEMORY_DUE } state;
    int64_t write_ms; /* what the last one took */
    bool has_warned;  /* since one succeeded */
};

/* ---- one task as JSON ---- */

enum kind { KIND_TEXT = 0, KIND_BOOL, KIND_INT, KIND_INT32, KIND_UINT32, KIND_STATE, KIND_HEALTH, KIND_ADMIN };

struct field {
    const char *name;
    enum kind kind;
    size_t offset, size;
};

#define FIELD(name, kind, member)                                                   \
    {                                                                               \
        name, kind, offsetof(struct task, member), sizeof((struct task *)0)->member \
    }

static const struct field fields[] = {
    FIELD("id", KIND_TEXT, spec.id),
    FIELD("name", KIND_TEXT, spec.name),
    FIELD("service", KIND_TEXT, spec.service),
    FIELD("address", KIND_TEXT, spec.address),
    FIELD("host", KIND_TEXT, spec.host),
    FIELD("path", KIND_TEXT, spec.path),
    FIELD("revision", KIND_TEXT, spec.revision),
    FIELD("imageId", KIND_TEXT, spec.image_id),
    FIELD("proxyProtocol", KIND_TEXT, spec.proxy_protocol),
    FIELD("managed", KIND_BOOL, spec.managed),
    FIELD("problem", KIND_TEXT, spec.problem),
    FIELD("weight", KIND_UINT32, spec.weight),
    FIELD("state", KIND_STATE, spec.state),
    FIELD("hasEngineHealth", KIND_BOOL, spec.has_engine_health),
    FIELD("engineHealth", KIND_HEALTH, spec.engine_health),
    FIELD("engineWords", KIND_TEXT, spec.engine_words),
    FIELD("startPeriodMs", KIND_INT, spec.start_period_ms),
    FIELD("checkPath", KIND_TEXT, spec.check.path),
    FIELD("checkIntervalMs", KIND_INT, spec.check.interval_ms),
    FIELD("checkTimeoutMs", KIND_INT, spec.check.timeout_ms),
    FIELD("startedAtUs", KIND_INT, spec.started_at_wall_us),
    FIELD("exitCode", KIND_INT32, spec.exit_code),
    FIELD("isSignalled", KIND_BOOL, spec.is_signalled),
    FIELD("probeHealth", KIND_HEALTH, probe_health),
    FIELD("wasHealthy", KIND_BOOL, was_healthy),
    FIELD("admin", KIND_ADMIN, admin),
    FIELD("probeWords", KIND_TEXT, probe_words),
};

#define FIELDS_COUNT (sizeof fields / sizeof *fields)

static const unsigned enum_counts[] = {
    [KIND_STATE] = TASK_STATE_COUNT, [KIND_HEALTH] = TASK_HEALTH_COUNT, [KIND_ADMIN] = TASK_ADMIN_COUNT
};

static json_t *write_field(const struct field *field, const char *at)
{
    switch (field->kind) {
    case KIND_TEXT:
        return at[0] ? json_stringn_nocheck(at, strlen(at)) : NULL;
    case KIND_BOOL:
        return *(const bool *)at ? json_true() : NULL;
    case KIND_INT:
        return json_integer(*(const int64_t *)at);
    case KIND_INT32:
        return json_integer(*(const int32_t *)at);
    default: /* an enum is an unsigned int too */
        return json_integer(*(const uint32_t *)at);
    }
}

static json_t *write_task(const struct task *task)
{
    json_t *out = json_object();
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        json_t *value = write_field(&fields[i], (const char *)task + fields[i].offset);
        if (value)
            json_object_set_new_nocheck(out, fields[i].name, value);
    }
    return out;
}

static bool read_text(const json_t *value, const struct field *field, char *at)
{
    const char *text = json_string_value(value);
    if (!text || strlen(text) >= field->size)
        return false;
    memcpy(at, text, strlen(text) + 1);
    return true;
}

static bool read_number(const json_t *value, const struct field *field, char *at)
{
    json_int_t number = json_integer_value(value);
    bool is_enum = field->kind >= KIND_STATE;
    if (!json_is_integer(value) || (is_enum && (number < 0 || number >= enum_counts[field->kind])))
        return false;
    switch (field->kind) {
    case KIND_INT:
        *(int64_t *)at = number;
        return true;
    case KIND_INT32:
        *(int32_t *)at = (int32_t)number;
        return number >= INT32_MIN && number <= INT32_MAX;
    default:
        *(uint32_t *)at = (uint32_t)number;
        return number >= 0 && number <= UINT32_MAX;
    }
}

/* What is left out when writing stays zero. */
static bool read_task(const json_t *entry, struct task *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        const struct field *field = &fields[i];
        const json_t *value = json_object_get(entry, field->name);
        char *at = (char *)out + field->offset;
        if (!value)
            continue;
        if (field->kind == KIND_BOOL)
            *(bool *)at = json_is_true(value);
        else if (!(field->kind == KIND_TEXT ? read_text(value, field, at) : read_number(value, field, at)))
            return false;
    }
    return out->spec.id[0] && out->spec.service[0] && out->spec.weight >= 1;
}

/* ---- writing ---- */

struct collection {
    json_t *tasks;
    uint8_t provider;
};

static void collect(void *owner, const struct task *task)
{
    struct collection *collection = owner;
    if (task->provider == collection->provider)
        json_array_append_new(collection->tasks, write_task(task));
}

static void memory_on_timer(void *owner)
{
    struct task_memory *memory = owner;
    struct collection collection = { json_array(), memory->provider };
    int64_t begun_ms = clock_now_ms();
    memory->state = MEMORY_WRITTEN;
    task_registry_each(memory->registry, collect, &collection);
    json_t *root = json_pack("{s:o}", "tasks", collection.tasks);
    char *text = json_to_text(root);
    bool ok = text && whole_file_replace(memory->path, slice_of(text), WHOLE_FILE_CACHED);
    if (!ok && !memory->has_warned)
        log_warn("%s: cannot be written: %s", memory->path, strerror(errno));
    memory->has_warned = !ok;
    free(text);
    json_decref(root);
    memory->write_ms = clock_now_ms() - begun_ms;
}

/* Before the list is complete, what is kept knows more than we do. */
static void memory_on_change(void *owner, const char *service)
{
    (void)service;
    struct task_memory *memory = owner;
    if (memory->state == MEMORY_DUE || !task_registry_is_synced(memory->registry, memory->provider))
        return;
    int64_t delay_ms = memory->write_ms * DELAY_PER_WRITE;
    memory->state = MEMORY_DUE;
    timer_start(&memory->timer, delay_ms > TASK_MEMORY_DELAY_MS ? delay_ms : TASK_MEMORY_DELAY_MS);
}

/* ---- reading ---- */

/* To json_decref(); null: nothing is kept, or not what we write. */
static json_t *load(const struct task_memory *memory)
{
    struct buf text;
    struct error error = { "it cannot be read" };
    int fd = open(memory->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    buf_init(&text, BYTES_MAX);
    json_t *root = whole_file_read(fd, &text)
                       ? json_parse_bounded((struct slice){ buf_text(&text), text.len }, &limits, &error)
                       : NULL;
    if (!root)
        log_warn("%s: %s", memory->path, error.text);
    close(fd);
    buf_fini(&text);
    return root;
}

/* ---- public ---- */

struct task_memory *task_memory_new(struct loop *loop, struct task_registry *registry, uint8_t provider,
                                    const char *state_dir)
{
    struct task_memory *memory = mem_alloc(sizeof *memory);
    memory->registry = registry;
    memory->provider = provider;
    memory->path = mem_printf("%s/" TASK_MEMORY_NAME, state_dir);
    timer_init(&memory->timer, loop, memory_on_timer, memory);
    task_registry_set_memory_listener(registry, memory_on_change, memory);
    return memory;
}

void task_memory_free(struct task_memory *memory)
{
    if (!memory)
        return;
    task_registry_set_memory_listener(memory->registry, NULL, NULL);
    timer_stop(&memory->timer);
    free(memory->path);
    free(memory);
}

bool task_memory_recall(struct task_memory *memory, size_t *count)
{
    json_t *root = load(memory), *entry;
    const json_t *tasks = json_find_array(root, "tasks");
    struct task *task = mem_alloc(sizeof *task);
    size_t i;
    *count = 0;
    if (tasks)
        task_registry_begin_recall(memory->registry, memory->provider);
    json_array_foreach ((json_t *)tasks, i, entry)
        *count += read_task(entry, task) && task_registry_recall(memory->registry, memory->provider, task);
    free(task);
    json_decref(root);
    return tasks != NULL;
}
