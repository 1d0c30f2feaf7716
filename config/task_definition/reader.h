/* reader: what read.c and the rules share while one definition is read. */
#ifndef CONFIG_TASK_DEFINITION_READER_H
#define CONFIG_TASK_DEFINITION_READER_H

#include "config/task_definition/place.h"
#include "config/task_definition/task_definition.h"

struct definition_reader {
    struct task_definition *definition;
    struct problems *problems;
    const struct place *top;     /* null, or where the definition is in what was given */
    const struct place *tags_in; /* the same of its tags, which AWS answers beside it */
    bool is_sound;               /* nothing was wrong with what was read: what is absent has not been written */
};

/* Notes a field that has no effect; `why` is a literal. Beyond the limit it notes that there are more. */
void definition_ignore(const struct definition_reader *reader, const struct place *place, const char *why);

#endif
