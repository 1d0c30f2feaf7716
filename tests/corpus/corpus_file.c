#include "tests/corpus/corpus_file.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (1 << 20)
#define CASES_MAX 4096
#define PLAIN_BYTES_MAX (16 << 20) /* of all columns without their escapes */

/* Writes; the bound is generous and a corpus that passes it is a mistake. */
struct writer {
    char *at, *end;
};

static void die(const char *what, const char *about)
{
    fprintf(stderr, "corpus: %s: %.60s\n", what, about);
    exit(1);
}

static void put(struct writer *w, const char *bytes, size_t len)
{
    if ((size_t)(w->end - w->at) <= len) {
        die("larger than expected", bytes);
    }
    memmove(w->at, bytes, len);
    w->at += len;
}

static char *read_whole(const char *file_name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/corpus/%s", file_name);
    FILE *file = fopen(path, "r");
    char *text = malloc(FILE_BYTES_MAX);
    if (file == NULL || text == NULL) {
        die("cannot read (tests run in the root of the repository)", path);
    }
    size_t len = fread(text, 1, FILE_BYTES_MAX - 1, file);
    if (!feof(file)) {
        die("too large", path);
    }
    fclose(file);
    text[len] = '\0';
    return text;
}

/* One escape behind a backslash at `at`; returns what follows it. */
static const char *unescape_one(const char *at, struct writer *out)
{
    static const char named[] = "r\rn\nt\t\\\\";
    if (*at == 'x') {
        char digits[3] = { at[1], at[1] != '\0' ? at[2] : '\0', '\0' };
        char byte = (char)strtoul(digits, NULL, 16);
        put(out, &byte, 1);
        return at + 3;
    }
    const char *name = *at != '\0' ? strchr(named, *at) : NULL;
    if (name == NULL) {
        die("unknown escape", at);
    }
    put(out, name + 1, 1);
    return at + 1;
}

static const char *unescape_until(const char *at, char stop, struct writer *out)
{
    while (*at != stop && *at != '\t' && *at != '\n' && *at != '\0') {
        if (*at == '\\') {
            at = unescape_one(at + 1, out);
        } else {
            put(out, at++, 1);
        }
    }
    return at;
}

/* "COUNT:BYTES;" behind a backslash and an asterisk. */
static const char *unescape_run(const char *at, struct writer *out)
{
    char *colon;
    unsigned long count = strtoul(at, &colon, 10);
    const char *unit = out->at;
    if (*colon != ':' || count == 0) {
        die("run without a count", at);
    }
    at = unescape_until(colon + 1, ';', out);
    size_t unit_len = (size_t)(out->at - unit);
    for (unsigned long i = 1; i < count; i++) {
        put(out, unit, unit_len);
    }
    return at + 1;
}

static const char *read_column(const char *at, struct slice *column, struct writer *out)
{
    column->at = out->at;
    while (*at != '\t' && *at != '\n' && *at != '\0') {
        if (at[0] == '\\' && at[1] == '*') {
            at = unescape_run(at + 2, out);
        } else if (*at == '\\') {
            at = unescape_one(at + 1, out);
        } else {
            put(out, at++, 1);
        }
    }
    column->len = (size_t)(out->at - column->at);
    put(out, "", 1);
    return at;
}

static const char *read_case(const char *at, struct corpus_case *one, struct writer *out)
{
    for (size_t i = 0; i < CORPUS_COLUMNS_MAX; i++) {
        at = read_column(at, &one->columns[i], out);
        at += *at == '\t';
    }
    return at;
}

void corpus_read(struct corpus *corpus, const char *file_name)
{
    char *text = read_whole(file_name);
    corpus->cases = calloc(CASES_MAX, sizeof *corpus->cases);
    corpus->memory = malloc(PLAIN_BYTES_MAX);
    corpus->case_count = 0;
    if (corpus->cases == NULL || corpus->memory == NULL) {
        die("no memory", file_name);
    }
    struct writer out = { corpus->memory, corpus->memory + PLAIN_BYTES_MAX };
    for (const char *at = text; *at != '\0';) {
        if (*at == '#') {
            at = strchr(at, '\n');
        } else if (corpus->case_count == CASES_MAX) {
            die("too many cases", file_name);
        } else {
            at = read_case(at, &corpus->cases[corpus->case_count++], &out);
        }
        at += at != NULL && *at == '\n';
    }
    free(text);
}

void corpus_free(struct corpus *corpus)
{
    free(corpus->cases);
    free(corpus->memory);
}
