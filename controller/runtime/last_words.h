/* last_words: how a container ended and what it wrote last: read before it is removed, because its output goes with it.
 * Pure; any thread. Owned by whoever holds it: zero, read, fini. */
#ifndef CONTROLLER_RUNTIME_LAST_WORDS_H
#define CONTROLLER_RUNTIME_LAST_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "discovery/task.h"

#define LAST_WORDS_IMAGE_SIZE 256
#define LAST_WORDS_ERROR_SIZE 256
#define LAST_WORDS_SUMMARY_SIZE 480

struct last_words {
    char id[TASK_ID_SIZE]; /* empty: nothing was read */
    char name[TASK_NAME_SIZE];
    char image[LAST_WORDS_IMAGE_SIZE]; /* its name */
    char image_id[TASK_IMAGE_ID_SIZE], revision[TASK_REVISION_SIZE];
    int64_t created_at_wall_us, started_at_wall_us, stopped_at_wall_us; /* 0: never, or not known */
    int64_t exit_code; /* -1: it never ran, or the engine did not say */
    bool is_out_of_memory;
    char error[LAST_WORDS_ERROR_SIZE]; /* the engine's words, printable; empty: none */
    char *output; /* owned; of controller/runtime/log_tail.h; "": it wrote nothing; null: not known */
    char output_problem[LAST_WORDS_ERROR_SIZE]; /* why that is not known, or not whole; empty: it is */
};

/* All but the output. inspected: the engine's document. */
void last_words_read(struct last_words *words, const json_t *inspected);
void last_words_fini(struct last_words *words);

/* Takes over `output`. problem: null for none. */
void last_words_set_output(struct last_words *words, char *output, const char *problem);

/* "exit code 1; its last lines: ... | ...", "exit code 137, out of memory", "it never started: exec: /nope: not found":
 * the newest lines that fit. Empty for one that ended well, or as the signals of a stop end it (137, 143). */
void last_words_summarize(const struct last_words *words, char out[LAST_WORDS_SUMMARY_SIZE]);

#endif
