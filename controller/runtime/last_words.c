#include "controller/runtime/last_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "discovery/docker/engine_time.h"
#include "discovery/docker/labels.h"
#include "discovery/revision.h"

#define EXIT_KILLED 137     /* SIGKILL */
#define EXIT_TERMINATED 143 /* SIGTERM */

/* One line of text that came from outside. */
static void copy_words(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text != NULL ? text : "");
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

static void read_identity(struct last_words *w, const json_t *inspected)
{
    const json_t *config = json_find_object(inspected, "Config"), *labels = json_find_object(config, "Labels");
    const char *name = json_find_string(inspected, "Name"), *image = json_find_string(labels, DOCKER_LABEL_IMAGE);
    copy_words(w->id, sizeof w->id, json_find_string(inspected, "Id"));
    copy_words(w->name, sizeof w->name, name != NULL && name[0] == '/' ? name + 1 : name);
    copy_words(w->image, sizeof w->image, image != NULL ? image : json_find_string(config, "Image"));
    copy_words(w->revision, sizeof w->revision, json_find_string(labels, DOCKER_LABEL_REVISION));
    if (!revision_read_image_id(json_find_string(inspected, "Image"), w->image_id))
        w->image_id[0] = '\0';
}

void last_words_read(struct last_words *w, const json_t *inspected)
{
    const json_t *state = json_find_object(inspected, "State");
    *w = (struct last_words){ .exit_code = -1 };
    read_identity(w, inspected);
    w->created_at_wall_us = docker_time_parse_us(json_find_string(inspected, "Created"));
    w->started_at_wall_us = docker_time_parse_us(json_find_string(state, "StartedAt"));
    w->stopped_at_wall_us = docker_time_parse_us(json_find_string(state, "FinishedAt"));
    if (w->started_at_wall_us > 0)
        json_find_integer(state, "ExitCode", &w->exit_code);
    json_find_bool(state, "OOMKilled", &w->is_out_of_memory);
    copy_words(w->error, sizeof w->error, json_find_string(state, "Error"));
}

void last_words_fini(struct last_words *w)
{
    free(w->output);
    w->output = NULL;
}

void last_words_set_output(struct last_words *w, char *output, const char *problem)
{
    free(w->output);
    w->output = output;
    copy_words(w->output_problem, sizeof w->output_problem, problem);
}

/* Where the newest lines begin that fit into room. */
static const char *find_begin(const char *text, const char *end, size_t room)
{
    const char *begin = end;
    size_t used = 0;
    while (begin > text) {
        const char *line = begin;
        while (line > text && line[-1] == '\n')
            line--;
        while (line > text && line[-1] != '\n')
            line--;
        used += (size_t)(begin - line) + sizeof " | ";
        if (used > room)
            break;
        begin = line;
    }
    return begin < end || end == text ? begin : end - (room < (size_t)(end - text) ? room : (size_t)(end - text));
}

static void add_lines(const char *text, char *out, size_t size)
{
    static const char lead[] = "; its last lines: ";
    size_t len = strlen(out);
    const char *end = text + strlen(text);
    if (end == text || len + sizeof lead >= size)
        return;
    size_t room = size - 1 - len - (sizeof lead - 1);
    len += (size_t)snprintf(out + len, size - len, "%s", lead);
    bool is_first = true;
    for (const char *c = find_begin(text, end, room); c < end && len < size - 1;) {
        size_t line = strcspn(c, "\n");
        if (line > 0)
            len += (size_t)snprintf(out + len, size - len, "%s%.*s", is_first ? "" : " | ", (int)line, c);
        is_first &= line == 0;
        c += line < (size_t)(end - c) ? line + 1 : line;
    }
}

void last_words_summarize(const struct last_words *w, char out[LAST_WORDS_SUMMARY_SIZE])
{
    out[0] = '\0';
    if (w->started_at_wall_us == 0 && w->error[0] != '\0')
        snprintf(out, LAST_WORDS_SUMMARY_SIZE, "it never started: %s", w->error);
    bool is_ordered = w->exit_code <= 0 || w->exit_code == EXIT_KILLED || w->exit_code == EXIT_TERMINATED;
    if (is_ordered && !w->is_out_of_memory)
        return;
    snprintf(out, LAST_WORDS_SUMMARY_SIZE, "exit code %" PRId64 "%s%s%.200s", w->exit_code,
             w->is_out_of_memory ? ", out of memory" : "", w->error[0] != '\0' ? ": " : "", w->error);
    if (w->output != NULL)
        add_lines(w->output, out, LAST_WORDS_SUMMARY_SIZE);
}
