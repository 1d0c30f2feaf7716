/* choices: words of which one must be written, and which word was meant by a misspelt one. Control thread; the
 * proxy's main thread, which does not replace any. */
#ifndef CONFIG_CHOICES_H
#define CONFIG_CHOICES_H

#include <stdbool.h>
#include <stddef.h>

#include "config/words.h"

enum choices_set {
    CHOICES_LOG_LEVEL = 0,
    CHOICES_BALANCER,
#define X(set, tag, noun) CHOICES_##set,
    WORD_SETS(X) CHOICES_SET_COUNT
#undef X
};

const char *const *choices_of(enum choices_set set, size_t *count);

/* Replaces the words of a set; borrowed from then on. */
void choices_replace(enum choices_set set, const char *const *words, size_t count);

bool choices_include(enum choices_set set, const char *word);

/* The nearest word, when two or fewer letters have to be added, removed or changed and the result is not a wholly other
 * word; else null. */
const char *choices_nearest(const char *const *words, size_t count, const char *misspelt);

#endif
