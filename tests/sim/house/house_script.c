#include "tests/sim/house/house_script.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/house/house.h"
#include "tests/sim/house/house_config.h"
#include "tests/sim/house/house_control.h"
#include "tests/sim/house/house_life.h"
#include "tests/sim/house/house_proxy.h"
#include "tests/sim/house/house_rules.h"
#include "tests/sim/house/house_walk.h"
#include "tests/sim/house/sim_clients.h"
#include "tests/sim/house/sim_engine.h"
#include "tests/sim/house/sim_tasks.h"

#define SEED 1
#define WORDS_MAX 4
#define NUMBER_MAX 1000000
#define DEAD_MS 500

struct command {
    char *words[WORDS_MAX];
    size_t word_count;
    int64_t number; /* of the last word; -1: it is none */
};

static struct {
    const char *path;
    FILE *file;
    int line;
    bool is_over;
    struct house_config config;
    char wrong[300]; /* empty: nothing so far */
} script;

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    char text[200];
    va_list args;
    if (script.wrong[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(script.wrong, sizeof script.wrong, "%s:%d: %s", script.path, script.line, text);
}

/* ---- reading ---- */

static int64_t read_number(const char *word)
{
    char *end;
    long number = strtol(word, &end, 10);
    return word[0] >= '0' && word[0] <= '9' && *end == '\0' && number <= NUMBER_MAX ? number : -1;
}

static void split(char *line, struct command *command)
{
    *command = (struct command){ .number = -1 };
    line[strcspn(line, "#\n")] = '\0';
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
        if (command->word_count == WORDS_MAX) {
            complain("more than %d words", WORDS_MAX);
            return;
        }
        command->words[command->word_count++] = word;
        command->number = read_number(word);
    }
}

static bool is_word(const struct command *command, size_t at, const char *word)
{
    return at < command->word_count && strcmp(command->words[at], word) == 0;
}

static bool read_service(const struct command *command, size_t at, size_t *service)
{
    const char *word = at < command->word_count ? command->words[at] : "";
    *service = (size_t)(word[0] == 's' ? word[1] - '0' : HOUSE_SERVICES);
    if (strlen(word) == 2 && *service < HOUSE_SERVICES)
        return true;
    complain("'%s' is no service, allowed are s0 to s%d", word, HOUSE_SERVICES - 1);
    return false;
}

static bool read_answer(const struct command *command, size_t at, enum wish_answer *answer)
{
    static const char *const names[] = { "length",      "chunked", "none",   "interim", "last",
                                         "until-close", "switch",  "breaks", "resets",  "hangs" };
    _Static_assert(sizeof names / sizeof *names == WISH_COUNT, "a name for each");
    for (size_t i = 0; i < WISH_COUNT; i++) {
        if (!is_word(command, at, names[i]))
            continue;
        *answer = (enum wish_answer)i;
        return true;
    }
    complain("no such answer; house_script.h lists them");
    return false;
}

/* ---- commands; their words have been counted ---- */

static void run_ask(const struct command *command)
{
    struct wish wish = { .is_post = is_word(command, 0, "post"), .answer_bytes = (uint32_t)command->number };
    if (!read_service(command, 1, &wish.service) || !read_answer(command, 2, &wish.answer))
        return;
    wish.id = clients_next_id();
    wish.upload = wish.is_post ? UPLOAD_LENGTH : UPLOAD_NONE;
    wish.upload_bytes = 100;
    if (!clients_ask(&wish))
        complain("no client is free");
}

static void run_reload(const struct command *command)
{
    size_t service;
    if (is_word(command, 1, "retries"))
        script.config.retries = command->number;
    else if (!read_service(command, 1, &service))
        return;
    else if (is_word(command, 2, "desired"))
        script.config.services[service].desired = command->number;
    else if (is_word(command, 2, "image"))
        script.config.services[service].image = command->number;
    else if (is_word(command, 2, "gone") || is_word(command, 2, "there"))
        script.config.services[service].is_there = is_word(command, 2, "there");
    else
        complain("what is reloaded?");
    house_config_apply(&script.config);
}

static void run_scale(const struct command *command)
{
    size_t service;
    if (!read_service(command, 1, &service))
        return;
    if (house_control_scale(service, command->number))
        rules_note_asked(service, command->number);
    else
        complain("it cannot be scaled to that");
}

static struct container *task_of(const struct command *command)
{
    size_t service;
    if (!read_service(command, 1, &service))
        return NULL;
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        struct container *c = engine_at(i);
        if (c->state == CONTAINER_RUNNING && c->service == service && !c->draining_since_ms && !c->is_sick)
            return c;
    }
    complain("no task of it runs");
    return NULL;
}

static void run_drain(const struct command *command)
{
    const struct container *c = task_of(command);
    if (c && !house_control_drain(c->id))
        complain("the order was refused");
}

static void run_harm(const struct command *command)
{
    struct container *c = task_of(command);
    rules_note_trouble();
    if (c && is_word(command, 0, "die"))
        engine_kill_container(c);
    else if (c)
        engine_set_sick(c, true);
}

static void run_well(const struct command *command)
{
    (void)command;
    engine_heal_all();
}

static void run_kill(const struct command *command)
{
    if (is_word(command, 1, "control")) {
        house_control_kill();
        house_life_restart_control_in(DEAD_MS);
    } else if (is_word(command, 1, "proxy")) {
        rules_note_killed_proxy();
        house_proxy_kill();
    } else {
        complain("what is killed?");
    }
}

static void run_load(const struct command *command)
{
    if (!is_word(command, 1, "on") && !is_word(command, 1, "off"))
        complain("load on or off?");
    clients_set_quiet(is_word(command, 1, "off"));
}

static void run_tunnels(const struct command *command)
{
    if (!is_word(command, 1, "stay") && !is_word(command, 1, "end"))
        complain("tunnels stay or end?");
    clients_hold_tunnels(is_word(command, 1, "stay"));
    tasks_hold_tunnels(is_word(command, 1, "stay"));
}

static void run_time(const struct command *command)
{
    house_life_run(command->number);
}

static void run_rest(const struct command *command)
{
    (void)command;
    clients_set_quiet(true);
    house_life_rest(HOUSE_PEACE_MS);
    if (!house_violation())
        rules_check_quiet();
}

static int64_t running_of(size_t service)
{
    int64_t count = 0;
    for (size_t i = 0; i < CONTAINERS_MAX; i++)
        count += engine_at(i)->state == CONTAINER_RUNNING && engine_at(i)->service == service;
    return count;
}

static void run_expect(const struct command *command)
{
    struct clients_sum sum = clients_sum();
    size_t service;
    int64_t found = -1;
    if (is_word(command, 1, "tunnels"))
        found = (int64_t)sum.tunnels;
    else if (is_word(command, 1, "answered"))
        found = (int64_t)sum.answered;
    else if (is_word(command, 1, "refused"))
        found = (int64_t)sum.refused;
    else if (is_word(command, 1, "cut"))
        found = (int64_t)sum.cut;
    else if (read_service(command, 1, &service))
        found = running_of(service);
    if (found != command->number)
        complain("expected %lld, found %lld", (long long)command->number, (long long)found);
}

static const struct {
    const char *word;
    size_t word_count;
    bool ends_in_number;
    void (*run)(const struct command *command);
} commands[] = {
    { "load", 2, false, run_load },    { "ask", 4, true, run_ask },        { "post", 4, true, run_ask },
    { "reload", 4, true, run_reload }, { "reload", 3, false, run_reload }, { "scale", 3, true, run_scale },
    { "drain", 2, false, run_drain },  { "kill", 2, false, run_kill },     { "die", 2, false, run_harm },
    { "sick", 2, false, run_harm },    { "well", 1, false, run_well },     { "run", 2, true, run_time },
    { "rest", 1, false, run_rest },    { "expect", 3, true, run_expect },  { "tunnels", 2, false, run_tunnels },
};

static void run_command(const struct command *command)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!is_word(command, 0, commands[i].word) || command->word_count != commands[i].word_count)
            continue;
        if (commands[i].ends_in_number && command->number < 0)
            complain("'%s' is no number up to %d", command->words[command->word_count - 1], NUMBER_MAX);
        else
            commands[i].run(command);
        return;
    }
    complain("no such command: '%s' with %zu words behind it", command->words[0], command->word_count - 1);
}

static bool goes_on(void)
{
    return script.wrong[0] == '\0' && !house_violation();
}

/* Until the file ends, or its proxy is killed: then the next one goes on from there. */
static void follow(void)
{
    char line[200];
    struct command command;
    while (goes_on() && !house_proxy_is_over() && !script.is_over) {
        script.is_over = !fgets(line, sizeof line, script.file);
        script.line += !script.is_over;
        if (script.is_over)
            break;
        split(line, &command);
        if (command.word_count > 0)
            run_command(&command);
    }
    if (!house_proxy_is_over())
        house_proxy_kill();
}

const char *house_script_run(const char *path)
{
    struct house_sum sum = { 0 };
    memset(&script, 0, sizeof script);
    script.path = path;
    script.file = fopen(path, "r");
    if (!script.file) {
        complain("cannot be opened");
        return script.wrong;
    }
    house_life_open(SEED);
    clients_set_quiet(true);
    script.config = house_config_first();
    house_config_apply(&script.config);
    house_life_restart_control_in(0);
    while (goes_on() && !script.is_over)
        house_proxy_live(follow);
    house_life_close(&sum);
    fclose(script.file);
    if (script.wrong[0] == '\0' && house_violation())
        complain("%s", house_violation());
    return script.wrong[0] != '\0' ? script.wrong : NULL;
}
