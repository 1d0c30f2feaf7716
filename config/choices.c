#include "config/choices.h"

#include "base/check.h"

#include <string.h>

#define WORD_MAX 40 /* longer ones are not compared */
#define EDITS_MAX 2

struct word_list {
    const char *const *words;
    size_t count;
};

static const char *const log_levels[] = { "error", "warn", "info", "debug" };
static const char *const balancers[] = { "p2c" };

#define WORD(value, word) word,
#define X(set, tag, noun) static const char *const tag##_words[] = { set##_WORDS(WORD) };
WORD_SETS(X)
#undef X

#define WORDS(list)                            \
    {                                          \
        list, sizeof(list) / sizeof((list)[0]) \
    }
static struct word_list sets[CHOICES_SET_COUNT] = { [CHOICES_LOG_LEVEL] = WORDS(log_levels),
                                                    [CHOICES_BALANCER] = WORDS(balancers),
#define X(set, tag, noun) [CHOICES_##set] = WORDS(tag##_words),
                                                    WORD_SETS(X)
#undef X
};

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance with one row of the matrix; both words are at most WORD_MAX long. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], b_len = strlen(b);
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *const *choices_of(enum choices_set set, size_t *count)
{
    check(set < CHOICES_SET_COUNT);
    *count = sets[set].count;
    return sets[set].words;
}

void choices_replace(enum choices_set set, const char *const *words, size_t count)
{
    check(set < CHOICES_SET_COUNT && count > 0);
    sets[set] = (struct word_list){ words, count };
}

bool choices_include(enum choices_set set, const char *word)
{
    for (size_t i = 0; i < sets[set].count; i++) {
        if (strcmp(sets[set].words[i], word) == 0)
            return true;
    }
    return false;
}

const char *choices_nearest(const char *const *words, size_t count, const char *misspelt)
{
    const char *nearest = NULL;
    size_t len = strlen(misspelt), least = EDITS_MAX + 1;
    if (len > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t word_len = strlen(words[i]);
        if (word_len > WORD_MAX)
            continue;
        size_t distance = edit_distance(misspelt, words[i]);
        if (distance < least && distance < word_len && distance < len) {
            nearest = words[i];
            least = distance;
        }
    }
    return nearest;
}
