#include "controller/stopped_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/mem.h"

struct entry {
    struct stopped_task task;
    struct shelf *shelf;
    int64_t noted_at_ms;
    TAILQ_ENTRY(entry) of_all, of_shelf;
    UT_hash_handle hh; /* by task.id */
};

TAILQ_HEAD(entry_list, entry); /* newest first */

/* Of one service. */
struct shelf {
    char service[TASK_NAME_SIZE]; /* key */
    struct entry_list entries;
    size_t count, start_count; /* of all; of those that never ran */
    UT_hash_handle hh;
};

struct stopped_book {
    const char *provider;  /* borrowed */
    struct shelf *shelves; /* owned, by service */
    struct entry *by_id;   /* owned */
    struct entry_list all;
    uint64_t noted_count, dropped_count;
};

struct stopped_book *stopped_book_new(const char *provider)
{
    struct stopped_book *book = mem_alloc(sizeof *book);
    book->provider = provider;
    TAILQ_INIT(&book->all);
    return book;
}

static bool is_start(const struct entry *e)
{
    return e->task.cause.code == STOP_FAILED_TO_START;
}

static void forget(struct stopped_book *book, struct entry *e)
{
    struct shelf *shelf = e->shelf;
    TAILQ_REMOVE(&book->all, e, of_all);
    TAILQ_REMOVE(&shelf->entries, e, of_shelf);
    HASH_DEL(book->by_id, e);
    shelf->count--;
    shelf->start_count -= is_start(e);
    last_words_fini(&e->task.words);
    free(e);
    if (shelf->count > 0)
        return;
    HASH_DEL(book->shelves, shelf);
    free(shelf);
}

void stopped_book_free(struct stopped_book *book)
{
    struct entry *e;
    while ((e = TAILQ_FIRST(&book->all)) != NULL) /* NOLINT(clang-analyzer-unix.Malloc): sys/queue.h */
        forget(book, e);
    free(book);
}

static struct shelf *find_or_add_shelf(struct stopped_book *book, const char *service)
{
    struct shelf *shelf;
    HASH_FIND_STR(book->shelves, service, shelf);
    if (shelf != NULL)
        return shelf;
    shelf = mem_alloc(sizeof *shelf);
    snprintf(shelf->service, sizeof shelf->service, "%s", service);
    TAILQ_INIT(&shelf->entries);
    HASH_ADD_STR(book->shelves, service, shelf);
    return shelf;
}

static struct entry *add(struct stopped_book *book, const char *id, const char *service)
{
    struct entry *e = mem_alloc(sizeof *e);
    snprintf(e->task.id, sizeof e->task.id, "%s", id);
    snprintf(e->task.service, sizeof e->task.service, "%s", service);
    e->task.words.exit_code = -1;
    e->noted_at_ms = clock_now_ms();
    e->shelf = find_or_add_shelf(book, e->task.service);
    HASH_ADD_STR(book->by_id, task.id, e);
    TAILQ_INSERT_HEAD(&book->all, e, of_all);
    TAILQ_INSERT_HEAD(&e->shelf->entries, e, of_shelf);
    e->shelf->count++;
    book->noted_count++;
    return e;
}

static void learn_text(char *known, size_t size, const char *said)
{
    if (said[0] != '\0')
        snprintf(known, size, "%s", said);
}

static void learn_time(int64_t *known, int64_t said)
{
    if (said > 0)
        *known = said;
}

static void learn_words(struct last_words *known, const struct last_words *said)
{
    learn_text(known->name, sizeof known->name, said->name);
    learn_text(known->image, sizeof known->image, said->image);
    learn_text(known->image_id, sizeof known->image_id, said->image_id);
    learn_text(known->revision, sizeof known->revision, said->revision);
    learn_text(known->error, sizeof known->error, said->error);
    learn_time(&known->created_at_wall_us, said->created_at_wall_us);
    learn_time(&known->started_at_wall_us, said->started_at_wall_us);
    learn_time(&known->stopped_at_wall_us, said->stopped_at_wall_us);
    if (said->exit_code >= 0)
        known->exit_code = said->exit_code;
    known->is_out_of_memory |= said->is_out_of_memory;
    if (known->output == NULL) /* a second look may find less */
        last_words_set_output(known, said->output != NULL ? mem_strdup(said->output) : NULL, said->output_problem);
}

static void learn_cause(struct entry *e, const struct stop_cause *said)
{
    if (e->task.cause.code != STOP_UNKNOWN || said == NULL || said->text[0] == '\0')
        return;
    e->task.cause = *said;
    e->shelf->start_count += is_start(e);
}

static struct entry *find_oldest_start(const struct shelf *shelf)
{
    struct entry *e;
    TAILQ_FOREACH_REVERSE(e, &shelf->entries, entry_list, of_shelf)
    if (is_start(e))
        return e;
    return NULL;
}

/* At most one is too many: this is called for each that comes. */
static void make_room(struct stopped_book *book, const struct shelf *shelf)
{
    struct entry *surplus = NULL;
    if (shelf->start_count > STOPPED_BOOK_STARTS_OF_SERVICE)
        surplus = find_oldest_start(shelf);
    else if (shelf->count > STOPPED_BOOK_OF_SERVICE)
        surplus = TAILQ_LAST(&shelf->entries, entry_list);
    else if (HASH_COUNT(book->by_id) > STOPPED_BOOK_MAX)
        surplus = TAILQ_LAST(&book->all, entry_list);
    if (surplus == NULL)
        return;
    book->dropped_count++;
    forget(book, surplus);
}

void stopped_book_note(struct stopped_book *book, const char *id, const char *service, const struct stop_cause *cause,
                       const struct last_words *words)
{
    struct entry *e;
    char key[STOPPED_ID_SIZE];
    snprintf(key, sizeof key, "%s", id);
    HASH_FIND_STR(book->by_id, key, e);
    if (e == NULL)
        e = add(book, key, service);
    learn_cause(e, cause);
    learn_words(&e->task.words, words);
    if (e->task.words.stopped_at_wall_us == 0)
        e->task.words.stopped_at_wall_us = clock_wall_us();
    make_room(book, e->shelf);
}

void stopped_book_note_failed_start(struct stopped_book *book, const char *service, const char *task_id,
                                    const char *name, const char *revision, const char *text)
{
    char id[STOPPED_ID_SIZE];
    struct stop_cause cause;
    struct last_words words = { .exit_code = -1,
                                .output = (char *)"" }; /* it never ran, and wrote nothing; only read */
    snprintf(words.name, sizeof words.name, "%s", name);
    snprintf(words.revision, sizeof words.revision, "%s", revision);
    stop_cause_set(&cause, STOP_FAILED_TO_START, text);
    if (task_id[0] != '\0')
        snprintf(id, sizeof id, "%s", task_id);
    else
        snprintf(id, sizeof id, "%s/%s/%s", book->provider, service, name[0] != '\0' ? name : "next");
    struct entry *before;
    HASH_FIND_STR(book->by_id, id, before);
    if (before != NULL && name[0] == '\0') /* tried again */
        forget(book, before);
    stopped_book_note(book, id, service, &cause, &words);
}

static void note_removal(struct stopped_book *book, const struct actuator_outcome *outcome)
{
    static const struct last_words unread = { .exit_code = -1,
                                              .output_problem = "it was not read before the container was gone" };
    if (outcome->last_words != NULL)
        stopped_book_note(book, outcome->task_id, outcome->service, outcome->cause, outcome->last_words);
    else if (outcome->result == RUNTIME_OK) /* somebody else was faster */
        stopped_book_note(book, outcome->task_id, outcome->service, outcome->cause, &unread);
}

void stopped_book_note_outcome(struct stopped_book *book, const struct actuator_outcome *outcome)
{
    bool is_refusal = outcome->result == RUNTIME_IMAGE_MISSING || outcome->result == RUNTIME_REFUSED ||
                      outcome->result == RUNTIME_FAILED;
    if (outcome->kind == ACTION_CREATE && is_refusal)
        stopped_book_note_failed_start(book, outcome->service, outcome->task_id, outcome->name, outcome->revision,
                                       outcome->text);
    else if (outcome->kind == ACTION_REMOVE && !is_refusal) /* without an answer it may be gone: what was read counts */
        note_removal(book, outcome);
}

void stopped_book_forget_old(struct stopped_book *book, int64_t now_ms)
{
    struct entry *e;
    while ((e = TAILQ_LAST(&book->all, entry_list)) != NULL && now_ms - e->noted_at_ms >= STOPPED_BOOK_AGE_MS)
        forget(book, e);
}

void stopped_book_status(const struct stopped_book *book, struct stopped_book_status *out)
{
    *out = (struct stopped_book_status){ HASH_COUNT(book->by_id), book->noted_count, book->dropped_count };
}

void stopped_book_each(const struct stopped_book *book, const char *service, stopped_task_cb each, void *owner)
{
    const struct entry *e;
    if (service == NULL) {
        TAILQ_FOREACH (e, &book->all, of_all)
            each(owner, &e->task);
        return;
    }
    const struct shelf *shelf;
    HASH_FIND_STR(book->shelves, service, shelf);
    if (shelf == NULL)
        return;
    TAILQ_FOREACH (e, &shelf->entries, of_shelf)
        each(owner, &e->task);
}

const struct stopped_task *stopped_book_find(const struct stopped_book *book, const char *written, size_t *fit_count)
{
    const struct entry *e, *found = NULL;
    size_t len = strlen(written);
    *fit_count = 0;
    TAILQ_FOREACH (e, &book->all, of_all) {
        if (strncmp(e->task.id, written, len) != 0)
            continue;
        if (e->task.id[len] == '\0') {
            *fit_count = 1;
            return &e->task;
        }
        found = e;
        ++*fit_count;
    }
    return *fit_count == 1 ? &found->task : NULL;
}

void stopped_task_explain(const struct stopped_task *task, char out[STOPPED_REASON_SIZE])
{
    const struct last_words *w = &task->words;
    char code[40] = "";
    if (task->cause.code == STOP_EXITED && w->exit_code >= 0)
        snprintf(code, sizeof code, " with exit code %lld", (long long)w->exit_code);
    const char *text = task->cause.text[0] != '\0' ? task->cause.text : "it is not known why it ended";
    snprintf(out, STOPPED_REASON_SIZE, "%s%s%s%s%s", text, code, w->is_out_of_memory ? ", out of memory" : "",
             w->error[0] != '\0' ? ": " : "", w->error);
}
