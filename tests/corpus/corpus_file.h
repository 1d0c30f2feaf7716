/* corpus/corpus_file: reads requests.tsv and responses.tsv; what their columns mean is said in corpus_file.py. For
 * tests: one thread; a file that cannot be read ends the process. Everything returned is owned by the corpus. */
#ifndef TESTS_CORPUS_CORPUS_FILE_H
#define TESTS_CORPUS_CORPUS_FILE_H

#include <stddef.h>

#include "base/slice.h"

#define CORPUS_COLUMNS_MAX 8

enum {
    CORPUS_REQUEST_NAME = 0,
    CORPUS_REQUEST_CLASS,
    CORPUS_REQUEST_TARGET = 5,
    CORPUS_REQUEST_BODY,
    CORPUS_REQUEST_BYTES
};
enum {
    CORPUS_RESPONSE_NAME = 0,
    CORPUS_RESPONSE_CLASS,
    CORPUS_RESPONSE_METHOD,
    CORPUS_RESPONSE_OUTCOME,
    CORPUS_RESPONSE_BODY,
    CORPUS_RESPONSE_BYTES,
    CORPUS_RESPONSE_END
};

struct corpus_case {
    struct slice columns[CORPUS_COLUMNS_MAX]; /* without their escapes; behind each is a NUL */
};

struct corpus {
    struct corpus_case *cases;
    size_t case_count;
    char *memory; /* what the columns point into */
};

/* file_name: in the folder of the corpus; the working directory is the root of the repository. */
void corpus_read(struct corpus *corpus, const char *file_name);
void corpus_free(struct corpus *corpus);

#endif
