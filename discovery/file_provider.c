#include "discovery/file_provider.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/whole_file.h"
#include "config/form.h"
#include "config/listen_address.h"
#include "config/node.h"
#include "config/problems.h"
#include "discovery/file_copy.h"
#include "discovery/own_sockets.h"
#include "discovery/provider.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_PERIOD_MS 1000
#define WEIGHT_MAX 1000

struct file_stamp {
    bool exists;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed_at;
};

struct file_provider {
    struct provider *provider;
    char *path;      /* owned */
    char *copy_path; /* owned; of the last good text; null: there is no state folder */
    struct timer poll;
    struct file_stamp read_stamp;   /* of the file as it was last read, well or not */
    struct file_stamp polled_stamp; /* as it was at the last poll */
    bool has_problem;
    struct error problem;
};

/* ---- document -> endpoints ---- */

static const char *const endpoint_keys[] = { "service", "address", "host", "path", "weight" };

static bool is_endpoint_key(const char *key)
{
    for (size_t i = 0; i < sizeof endpoint_keys / sizeof *endpoint_keys; i++)
        if (strcmp(endpoint_keys[i], key) == 0)
            return true;
    return false;
}

static void report(struct problems *problems, const struct node *node, const char *what)
{
    struct buf path;
    buf_init(&path, 0);
    node_write_path(node, &path);
    problems_add(problems, node->line, node->column, buf_text(&path), "%s", what);
    buf_fini(&path);
}

/* Null when it is not there or was reported. */
static const struct node *find_scalar(const struct node *endpoint, const char *key, struct problems *problems)
{
    const struct node *value = node_find(endpoint, key);
    if (value && (value->kind != NODE_SCALAR || value->is_null)) {
        report(problems, value, "is no text, write a word");
        return NULL;
    }
    return value;
}

/* canonical: owned, null when the value is not accepted. */
static void take(char *out, size_t size, char *canonical, const struct node *node, const char *expected,
                 struct problems *problems)
{
    if (canonical && strlen(canonical) < size)
        memcpy(out, canonical, strlen(canonical) + 1);
    else
        report(problems, node, expected);
    free(canonical);
}

static char *accept_address(const char *text)
{
    return text[0] == '*' ? NULL : form_accept_listen_address(text);
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static void set_id(struct task_spec *spec)
{
    int len = snprintf(spec->id, sizeof spec->id, "file/%s/%s", spec->service, spec->address);
    if (len >= (int)sizeof spec->id) /* a long name; its hash always fits */
        snprintf(spec->id, sizeof spec->id, "file/%016llx/%.48s", (unsigned long long)hash_of(spec->service),
                 spec->address);
    snprintf(spec->name, sizeof spec->name, "%s", spec->address);
}

static void read_weight(const struct node *endpoint, struct task_spec *spec, struct problems *problems)
{
    const struct node *node = find_scalar(endpoint, "weight", problems);
    spec->weight = 1;
    if (!node)
        return;
    unsigned weight = listen_address_parse_port(node->text); /* the same decimal notation */
    if (weight < 1 || weight > WEIGHT_MAX)
        report(problems, node, "is no weight, write a number from 1 to 1000");
    spec->weight = weight;
}

static void read_endpoint(const struct node *endpoint, struct task_spec *spec, struct problems *problems)
{
    memset(spec, 0, sizeof *spec);
    spec->state = TASK_RUNNING;
    if (endpoint->kind != NODE_MAP) {
        report(problems, endpoint, "is no map, write { service: ..., address: ... }");
        return;
    }
    for (size_t i = 0; i < endpoint->count; i++)
        if (!is_endpoint_key(endpoint->children[i]->key))
            report(problems, endpoint->children[i], "is not known, write service, address, host, path or weight");
    const struct node *service = find_scalar(endpoint, "service", problems);
    const struct node *address = find_scalar(endpoint, "address", problems);
    const struct node *host = find_scalar(endpoint, "host", problems);
    const struct node *path = find_scalar(endpoint, "path", problems);
    if (!node_find(endpoint, "service") || !node_find(endpoint, "address"))
        report(problems, endpoint, "has no service or no address, write both");
    if (service)
        take(spec->service, sizeof spec->service, form_accept_name(service->text), service,
             "is no name, write a-z, 0-9 and -, at most 63", problems);
    if (address)
        take(spec->address, sizeof spec->address, accept_address(address->text), address,
             "is no address, write an IP address and a port", problems);
    if (host)
        take(spec->host, sizeof spec->host, form_accept_hosts(host->text), host,
             "is no host, write a name, *.suffix or *, or several with commas between", problems);
    if (path)
        take(spec->path, sizeof spec->path, form_accept_path_prefix(path->text), path,
             "is no path prefix, write /, /api or the like", problems);
    read_weight(endpoint, spec, problems);
    set_id(spec);
}

static const struct node *find_endpoints(const struct node *root, struct problems *problems)
{
    const struct node *list = node_find(root, "endpoints");
    if (root->kind != NODE_MAP || !list || list->kind != NODE_LIST) {
        report(problems, list ? list : root, "has no list of endpoints, write `endpoints: []` for none");
        return NULL;
    }
    for (size_t i = 0; i < root->count; i++)
        if (root->children[i] != list)
            report(problems, root->children[i], "is not known, write endpoints");
    if (list->count > TASK_REGISTRY_MAX) {
        report(problems, list, "has too many entries, at most " LIMIT_TEXT(LIMIT_TASKS_OF_OTHERS) " are allowed");
        return NULL;
    }
    return list;
}

struct place {
    const char *id;
    size_t index; /* in the list */
};

static int compare_places(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->id, ((const struct place *)b)->id);
}

static void report_repeated(const struct node *list, const struct task_spec *specs, struct problems *problems)
{
    struct place *sorted = mem_alloc_array(list->count, sizeof *sorted);
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = (struct place){ specs[i].id, i };
    qsort(sorted, list->count, sizeof *sorted, compare_places);
    for (size_t i = 1; i < list->count; i++)
        if (strcmp(sorted[i - 1].id, sorted[i].id) == 0)
            report(problems, list->children[sorted[i].index], "is written twice, once is allowed");
    free(sorted);
}

static struct task_spec *read_document(struct slice text, size_t *count, struct problems *problems)
{
    struct task_spec *specs = NULL;
    struct node *root = node_read(text.at, text.len, problems);
    const struct node *list = root ? find_endpoints(root, problems) : NULL;
    if (list) {
        specs = mem_alloc_array(list->count, sizeof *specs);
        for (size_t i = 0; i < list->count; i++)
            read_endpoint(list->children[i], &specs[i], problems);
        if (problems->count == 0)
            report_repeated(list, specs, problems);
        *count = list->count;
    }
    node_free(root);
    return specs;
}

/* ---- file -> text ---- */

static struct file_stamp stamp_of(const struct stat *file)
{
    return (struct file_stamp){ .exists = true,
                                .device = file->st_dev,
                                .inode = file->st_ino,
                                .size = file->st_size,
                                .changed_at = file->st_mtim };
}

static struct file_stamp take_stamp(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? stamp_of(&file) : (struct file_stamp){ 0 };
}

static bool stamps_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->exists == b->exists && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_at.tv_sec == b->changed_at.tv_sec && a->changed_at.tv_nsec == b->changed_at.tv_nsec;
}

static bool read_all(int fd, const char *path, struct buf *out, struct error *error)
{
    if (whole_file_read(fd, out))
        return true;
    if (out->overflowed)
        return error_set(error, "%s: has more than %u bytes", path, FILE_PROVIDER_BYTES_MAX);
    return error_set_errno(error, "%s: cannot be read", path);
}

static bool read_file(const char *path, struct file_stamp *stamp, struct buf *out, struct error *error)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to hang on a FIFO */
    if (fd < 0)
        return error_set_errno(error, "%s: cannot be opened", path);
    bool ok;
    if (fstat(fd, &file) != 0) {
        ok = error_set_errno(error, "%s: cannot be examined", path);
    } else if (!S_ISREG(file.st_mode)) {
        ok = error_set(error, "%s: is no regular file", path);
    } else {
        *stamp = stamp_of(&file);
        ok = read_all(fd, path, out, error);
    }
    close(fd);
    return ok;
}

/* ---- provider ---- */

static bool leads_to_ourselves(struct file_provider *f, const struct task_spec *spec)
{
    char text[PROVIDER_REFUSAL_SIZE];
    if (!own_sockets_include(f->provider->parts.own_sockets, spec->address))
        return false;
    f->provider->refused_count++;
    snprintf(text, sizeof text, "endpoint %s of service %s is not taken: Portico itself listens there", spec->address,
             spec->service);
    log_warn("endpoints file: %s", text);
    provider_tell_refusal(f->provider, spec->service, text);
    return true;
}

static void apply_all(struct file_provider *f, const struct task_spec *specs, size_t count)
{
    struct task_registry *registry = f->provider->parts.registry;
    f->provider->refused_count = 0;
    task_registry_begin_sync(registry, f->provider->index);
    for (size_t i = 0; i < count; i++) {
        if (!leads_to_ourselves(f, &specs[i]) && !task_registry_apply(registry, f->provider->index, &specs[i]))
            f->provider->refused_count++;
    }
    task_registry_end_sync(registry, f->provider->index);
    log_info("endpoints file %s: %zu endpoints", f->path, count - f->provider->refused_count);
}

static void save_copy(const struct file_provider *f, struct slice text)
{
    struct error error;
    if (f->copy_path && !file_copy_save(f->copy_path, f->path, text, &error))
        log_warn("endpoints file: no copy for a later start: %s", error.text);
}

/* A bad file at the start: with what an earlier process knew, or with nothing, for then nothing of it was ever in use.
 * Either is a list: a source that has none would hold up what the others have to say. */
static void start_from_copy(struct file_provider *f)
{
    struct buf text;
    size_t count = 0;
    struct error error;
    struct task_spec *specs = NULL;
    buf_init(&text, FILE_PROVIDER_BYTES_MAX);
    if (f->copy_path && file_copy_load(f->copy_path, f->path, &text))
        specs = file_provider_parse(f->copy_path, (struct slice){ buf_text(&text), text.len }, &count, &error);
    log_warn("endpoints file: %s", specs ? "the last good copy stands in" : "and there is no copy of a good one");
    apply_all(f, specs, specs ? count : 0);
    free(specs);
    buf_fini(&text);
}

static bool read_again(struct file_provider *f)
{
    struct buf text;
    size_t count = 0;
    struct task_spec *specs = NULL;
    f->read_stamp = take_stamp(f->path);
    buf_init(&text, FILE_PROVIDER_BYTES_MAX);
    if (read_file(f->path, &f->read_stamp, &text, &f->problem))
        specs = file_provider_parse(f->path, (struct slice){ buf_text(&text), text.len }, &count, &f->problem);
    if (specs) {
        apply_all(f, specs, count);
        save_copy(f, (struct slice){ buf_text(&text), text.len });
    } else {
        log_warn("endpoints file: %s; what was known stays", f->problem.text);
    }
    f->has_problem = specs == NULL;
    free(specs);
    buf_fini(&text);
    return !f->has_problem;
}

/* Reads a changed file only once it has stayed the same from one poll to the next: half a file may well be valid. */
static void provider_on_poll(void *owner)
{
    struct file_provider *f = owner;
    struct file_stamp now = take_stamp(f->path);
    bool is_settled = stamps_equal(&now, &f->polled_stamp);
    f->polled_stamp = now;
    if (is_settled && !stamps_equal(&now, &f->read_stamp))
        read_again(f);
}

static bool file_is_configured(const struct config *config)
{
    return config->discovery.endpoints_file != NULL;
}

static bool file_start(struct provider *provider, const struct config *config, struct error *error)
{
    check(provider->state == NULL);
    if (!config->discovery.endpoints_file)
        return error_set(error, "the file provider has no file (discovery.endpointsFile)");
    struct file_provider *f = mem_alloc(sizeof *f);
    f->provider = provider;
    f->path = mem_strdup(config->discovery.endpoints_file);
    timer_init(&f->poll, provider->parts.loop, provider_on_poll, f);
    provider->state = f;
    if (config->state_dir)
        f->copy_path = mem_printf("%s/" FILE_PROVIDER_COPY_NAME, config->state_dir);
    if (!read_again(f)) /* a bad file may become good: no reason not to start */
        start_from_copy(f);
    f->polled_stamp = f->read_stamp;
    timer_start_every(&f->poll, POLL_PERIOD_MS);
    return true;
}

static bool file_reload(struct provider *provider, const struct config *config, struct error *error)
{
    (void)config; /* its path needs a restart */
    return file_provider_reload(provider, error);
}

static void file_stop(struct provider *provider)
{
    struct file_provider *f = provider->state;
    if (!f)
        return;
    provider->state = NULL;
    timer_stop(&f->poll);
    free(f->path);
    free(f->copy_path);
    free(f);
}

static const char *file_find_problem(const struct provider *provider)
{
    const struct file_provider *f = provider->state;
    if (!f)
        return "the file provider is stopped";
    return f->has_problem ? f->problem.text : NULL;
}

const struct provider_ops provider_file_ops = {
    .name = "file",
    .summary = "endpoints written in a YAML or JSON file",
    .is_configured = file_is_configured,
    .start = file_start,
    .reload = file_reload,
    .stop = file_stop,
    .find_problem = file_find_problem,
};

/* ---- public ---- */

bool file_provider_reload(struct provider *provider, struct error *error)
{
    struct file_provider *f = provider->state;
    if (!f)
        return error_set(error, "the file provider is stopped");
    return read_again(f) || error_set(error, "%s", f->problem.text);
}

struct task_spec *file_provider_parse(const char *name, struct slice text, size_t *count, struct error *error)
{
    struct problems problems;
    struct config_problems lines = { 0 };
    problems_init(&problems, name);
    *count = 0;
    struct task_spec *specs = read_document(text, count, &problems);
    problems_hand_over(&problems, &lines);
    if (lines.count > 0) {
        if (lines.count > 1)
            error_set(error, "%.400s (and %zu more)", lines.lines[0], lines.count - 1);
        else
            error_set(error, "%.480s", lines.lines[0]);
        free(specs);
        specs = NULL;
        *count = 0;
    }
    problems_fini(&problems);
    config_problems_fini(&lines);
    return specs;
}
