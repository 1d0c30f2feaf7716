/* last_words: how a container ended that was not meant to, and what it wrote last: read before it is removed, because its
 * output goes with it. Pure; any thread. */
#ifndef CONTROLLER_RUNTIME_LAST_WORDS_H
#define CONTROLLER_RUNTIME_LAST_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/slice.h"

#define LAST_WORDS_SIZE 480

/* "exit code 1", "exit code 137, out of memory", "exit code 127: exec: /nope: not found"; empty for one that ended well,
 * or as the signals of a stop end it (137, 143). inspected: the engine's document. */
void last_words_begin(const json_t *inspected, char out[LAST_WORDS_SIZE]);

/* Adds "; its last lines: ..." of what the engine's log call answered, the newest of them that fit, with " | " between.
 * Frames of stdout and stderr (an 8-byte header each) or, of a terminal, plain text. */
void last_words_add_log(struct slice raw, char out[LAST_WORDS_SIZE]);

#endif
