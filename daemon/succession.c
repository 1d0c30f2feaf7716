#include "daemon/succession.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/load.h"
#include "daemon/config_file.h"
#include "proxy/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void succession_init(struct succession *n, struct loop *loop, const char *program, const char *config_path)
{
    *n = (struct succession){ .program = program, .config_path = config_path, .presence_fd = -1 };
    upgrade_init(&n->upgrade, loop);
    handover_fini(&n->inherited);
}

void succession_fini(struct succession *n)
{
    upgrade_fini(&n->upgrade);
    handover_fini(&n->inherited);
    if (n->presence_fd >= 0)
        close(n->presence_fd);
    n->presence_fd = -1;
}

static void report(struct succession *n)
{
    n->presence.pid = getpid();
    if (n->presence_fd >= 0 && !presence_write(n->presence_fd, &n->presence))
        log_warn("stateDir: 'portico upgrade' cannot hear of the outcome: %s", strerror(errno));
}

/* Makes us findable. False: another supervisor has the state directory. */
static bool announce(struct succession *n, const char *state_dir, struct error *error)
{
    bool is_taken = false;
    if (n->presence_fd < 0)
        n->presence_fd = presence_open(state_dir, &is_taken, error);
    if (is_taken)
        return false;
    if (n->presence_fd < 0)
        log_warn("'portico upgrade' will not find this process: %s", error->text);
    report(n);
    return true;
}

static void refuse(struct succession *n, const char *why)
{
    log_error("upgrade refused: %s; the old program and configuration serve on", why);
    n->presence.refusal_count++;
    snprintf(n->presence.last_refusal, sizeof n->presence.last_refusal, "%s", why);
    report(n);
}

/* ---- the document ---- */

static char *print_config(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    config_print(config, true, out);
    fclose(out);
    return text;
}

static void add_proxy(struct handover *h, const struct child *child, int stats_fd)
{
    int channel_fd = child->channel ? child_channel_fd(child->channel) : -1;
    h->proxies[h->proxy_count++] = (struct handover_proxy){ child->pid, channel_fd, stats_fd };
}

/* To forget() afterwards. */
static struct handover describe(const struct succession *n, const struct crew *crew, int64_t drain_ms)
{
    size_t count = socket_book_fd_count(&crew->sockets);
    struct handover h = { .program = mem_strdup(n->program),
                          .config_text = print_config(crew->config),
                          .program_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
                          .presence_fd = n->presence_fd,
                          .drain_ms = drain_ms,
                          .workers = crew->workers,
                          .upgrade_count = n->presence.upgrade_count,
                          .refusal_count = n->presence.refusal_count,
                          .control_starts = crew->control.start_count,
                          .proxy_starts = crew->proxy.start_count,
                          .sockets = crew->sockets,
                          .is_served = crew->proxy.pid > 0 };
    h.sockets.fds = mem_alloc_array(count, sizeof *h.sockets.fds);
    memcpy(h.sockets.fds, crew->sockets.fds, count * sizeof *h.sockets.fds);
    add_proxy(&h, &crew->proxy, crew->stats_fd);
    for (size_t i = 0; i < crew->predecessors.count; i++)
        add_proxy(&h, &crew->predecessors.rows[i]->child, crew->predecessors.rows[i]->stats_fd);
    return h;
}

static void forget(struct handover *h)
{
    if (h->program_fd >= 0)
        close(h->program_fd);
    handover_fini(h);
}

/* ---- the old program ---- */

static struct config *load_handed_over(const struct handover *h, struct config_problems *problems)
{
    return config_load_text("handover", h->config_text, strlen(h->config_text), problems);
}

/* What is in force, printed with all its defaults, is what the way back starts from; it may be longer than its file was. */
static bool can_come_back(const struct handover *h, struct error *error)
{
    struct config_problems problems;
    struct config *config = load_handed_over(h, &problems);
    bool ok = config != NULL;
    if (!ok)
        error_set(error, "the configuration in force could not be gone back to (%.300s): it takes a restart",
                  problems.count > 0 ? problems.lines[0] : "it does not load");
    config_problems_fini(&problems);
    config_free(config);
    return ok;
}

bool succession_try(struct succession *n, struct crew *crew, int64_t drain_ms)
{
    struct error error;
    if (!predecessors_make_room(&crew->predecessors)) {
        refuse(n, "too many proxies of earlier upgrades have not finished yet");
        return false;
    }
    log_info("upgrade: looking at %s and %s", n->program, n->config_path);
    struct handover h = describe(n, crew, drain_ms);
    bool ok = can_come_back(&h, &error) && upgrade_start_trial(&n->upgrade, n->config_path, &h, &error);
    forget(&h);
    if (!ok)
        refuse(n, error.text);
    return ok;
}

bool succession_end_trial(struct succession *n, int wait_status)
{
    struct error why;
    bool ok = upgrade_end_trial(&n->upgrade, wait_status, &why);
    if (!ok)
        refuse(n, why.text);
    return ok;
}

void succession_hand_over(struct succession *n, struct crew *crew, int64_t drain_ms)
{
    struct error error = { "" };
    struct handover h = describe(n, crew, drain_ms);
    log_info("upgrade: handing over");
    upgrade_execute(n->config_path, &h, &error);
    forget(&h);
    refuse(n, error.text);
}

/* ---- the new program, and the old one again ---- */

static void adopt_predecessors(const struct succession *n, struct crew *crew, size_t from)
{
    const struct handover *h = &n->inherited;
    for (size_t i = h->proxy_count; i > from; i--) /* the newest stands first there */
        predecessors_add(&crew->predecessors, h->proxies[i - 1].pid, h->proxies[i - 1].channel_fd,
                         h->proxies[i - 1].stats_fd);
}

static bool choose_region(struct crew *crew, struct error *error)
{
    crew->stats_fd = predecessors_take_region(&crew->predecessors, crew->workers);
    if (crew->stats_fd < 0)
        crew->stats_fd = stats_create_fd(crew->workers, error);
    if (crew->stats_fd < 0)
        return false;
    fcntl(crew->stats_fd, F_SETFD, FD_CLOEXEC);
    return true;
}

static void inherit_counts(struct succession *n)
{
    n->presence_fd = n->inherited.presence_fd;
    n->presence.upgrade_count = n->inherited.upgrade_count;
    n->presence.refusal_count = n->inherited.refusal_count;
}

/* What serves becomes a predecessor. */
static bool take_over(struct succession *n, struct crew *crew, struct error *error)
{
    if (predecessors_unreadable_count(&crew->predecessors) > 0)
        log_warn("upgrade: counters of another version: they start anew");
    crew->succeeds = n->inherited.is_served;
    crew->is_provisional = true;
    crew->upgrade_count = n->inherited.upgrade_count + 1;
    return choose_region(crew, error) &&
           socket_book_open(&crew->sockets, crew->config, crew->workers, &n->inherited.sockets, error);
}

void succession_commit(struct succession *n, struct crew *crew)
{
    crew->succeeds = crew->is_provisional = false;
    socket_book_close(&n->inherited.sockets, &crew->sockets); /* the old proxy empties their queues */
    predecessors_send(&crew->predecessors, CHILD_MESSAGE_RETIRE, -1);
    if (crew->control.channel)
        child_channel_send(crew->control.channel, CHILD_MESSAGE_COMMIT, -1);
    forget(&n->inherited);
    n->presence.upgrade_count++;
    n->presence.last_refusal[0] = '\0';
    log_info("upgrade done: portico " PORTICO_VERSION " serves");
    report(n);
}

static void end_child(struct child *child)
{
    if (child->pid > 0 && kill(child->pid, SIGKILL) == 0)
        waitpid(child->pid, NULL, 0);
    child_forget(child);
}

/* What has died or closed its side meanwhile is not handed back, nor a region that was given up. */
static void forget_the_dead(struct handover *h, const struct crew *crew)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->proxy_count; i++) {
        struct handover_proxy proxy = h->proxies[i];
        const struct predecessor *row = proxy.pid ? predecessors_find(&crew->predecessors, proxy.pid) : NULL;
        bool is_there =
            proxy.stats_fd == crew->stats_fd || predecessors_has_region(&crew->predecessors, proxy.stats_fd);
        proxy.pid = row ? row->child.pid : 0;
        proxy.channel_fd = row && row->child.channel ? child_channel_fd(row->child.channel) : -1;
        h->is_served = h->is_served && (i > 0 || row);
        if (is_there)
            h->proxies[kept++] = proxy;
    }
    h->proxy_count = kept;
}

void succession_go_back(struct succession *n, struct crew *crew, const char *why)
{
    struct error error = { "" };
    log_error("upgrade: %s; going back to the program that serves", why);
    end_child(&crew->control);
    end_child(&crew->proxy);
    if (crew->stats_fd >= 0)
        stats_reset(crew->stats_fd, &error);
    forget_the_dead(&n->inherited, crew);
    upgrade_go_back(n->config_path, &n->inherited, why, &error);
    log_error("upgrade: there is no way back: %s", error.text);
    exit(EXIT_FAILURE); /* the proxies see it, and finish what they have */
}

/* What served goes on as our own; the handover is used up. */
static bool resume(struct succession *n, struct crew *crew, const char *refused, struct error *error)
{
    struct handover *h = &n->inherited;
    const struct handover_proxy *served = &h->proxies[0];
    bool ok = true;
    inherit_counts(n);
    crew->upgrade_count = h->upgrade_count;
    crew->sockets = h->sockets;
    h->sockets = (struct socket_book)SOCKET_BOOK_EMPTY;
    crew->control.start_count = h->control_starts;
    crew->proxy.start_count = h->proxy_starts;
    adopt_predecessors(n, crew, h->is_served);
    if (h->is_served) {
        crew->stats_fd = served->stats_fd;
        child_adopt(&crew->proxy, crew->loop, served->pid, served->channel_fd, crew->proxy_callbacks, crew->owner);
    } else {
        ok = choose_region(crew, error);
    }
    forget(h);
    refuse(n, refused);
    return ok;
}

/* ---- the beginning ---- */

static bool start_anew(struct crew *crew, struct error *error)
{
    return socket_book_open(&crew->sockets, crew->config, crew->workers, NULL, error) && choose_region(crew, error);
}

/* The file, or what the program ran by before when it is the old one again. */
static struct config *load_config(const struct succession *n)
{
    struct config_problems problems;
    if (n->role != SUCCESSION_OLD_AGAIN)
        return config_file_load_or_complain(n->config_path);
    struct config *config = load_handed_over(&n->inherited, &problems);
    config_file_log_problems(&problems);
    config_problems_fini(&problems);
    return config;
}

/* The store, its key and who finds us are there; a new folder would be another installation with the same sockets. */
static bool stays_in_state_dir(const struct config *wanted, const struct handover *h, struct error *error)
{
    struct config_problems problems;
    struct config *before = load_handed_over(h, &problems);
    bool ok = !before || strcmp(before->state_dir, wanted->state_dir) == 0;
    if (!ok)
        error_set(error, "stateDir: is %s and would be %s: an upgrade does not move it, a stop and a start do",
                  before->state_dir, wanted->state_dir);
    config_problems_fini(&problems);
    config_free(before);
    return ok;
}

static bool open_everything(struct succession *n, struct crew *crew, const char *refused, struct error *error)
{
    switch (n->role) {
    case SUCCESSION_FIRST:
        return start_anew(crew, error);
    case SUCCESSION_NEW:
        return take_over(n, crew, error);
    case SUCCESSION_OLD_AGAIN:
        return resume(n, crew, refused, error);
    }
    return false;
}

static bool begin(struct succession *n, struct crew *crew, const char *refused, int64_t *drain_ms, struct error *error)
{
    bool is_old = n->role == SUCCESSION_OLD_AGAIN;
    if (n->role == SUCCESSION_NEW) { /* first: also where the configuration is refused, they are handed back */
        inherit_counts(n);
        adopt_predecessors(n, crew, 0);
    }
    crew->config = load_config(n);
    if (!crew->config)
        return false;
    if (n->role == SUCCESSION_NEW && !stays_in_state_dir(crew->config, &n->inherited, error))
        return false;
    crew->workers = is_old ? n->inherited.workers : crew_count_workers(crew->config);
    *drain_ms = is_old ? n->inherited.drain_ms : crew->config->proxy.timeouts.drain_ms;
    return open_everything(n, crew, refused, error) && announce(n, crew->config->state_dir, error);
}

bool succession_begin(struct succession *n, struct crew *crew, int handover_fd, const char *refused, int64_t *drain_ms,
                      struct error *error)
{
    if (handover_fd >= 0) {
        n->role = refused ? SUCCESSION_OLD_AGAIN : SUCCESSION_NEW;
        bool ok = handover_read(handover_fd, &n->inherited, error);
        close(handover_fd);
        if (!ok)
            return false;
    }
    bool ok = begin(n, crew, refused, drain_ms, error);
    if (!ok && n->role == SUCCESSION_NEW)
        succession_go_back(n, crew, error->text[0] ? error->text : "the configuration has problems");
    return ok;
}

bool succession_is_possible(const char *config_path, int handover_fd, struct error *error)
{
    struct handover h;
    struct config *config = config_file_load_or_complain(config_path);
    if (!config)
        return false;
    bool ok = handover_read(handover_fd, &h, error) && stays_in_state_dir(config, &h, error) &&
              socket_book_try(config, crew_count_workers(config), &h.sockets, error);
    handover_fini(&h);
    config_free(config);
    return ok;
}
