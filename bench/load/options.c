#include "bench/load/options.h"

#include <stdlib.h>
#include <string.h>

#include "bench/load/amount.h"
#include "bench/load/schedule.h"

#define BODY_BYTES_MAX (64 << 20)
#define QUEUE_MAX 100000000
#define REQUESTS_MAX INT64_C(1000000000000)
#define FACTOR_MAX 1e6

enum option_kind { OPTION_FLAG = 0, OPTION_COUNT, OPTION_REAL, OPTION_TIME, OPTION_TEXT, OPTION_SPECIAL };

/* What says when requests are due: at most one of them. */
enum option_group { GROUP_NONE = 0, GROUP_LOAD };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;   /* in struct options, unless special */
    double min, max; /* of counts and reals */
    enum option_group group;
    enum load_kind load; /* of GROUP_LOAD */
    bool (*take)(struct options *o, const char *text, struct error *error);
};

static bool take_field(struct options *o, const char *text, struct error *error)
{
    if (o->field_count == OPTIONS_FIELDS_MAX)
        return error_set(error, "more than %d header fields", OPTIONS_FIELDS_MAX);
    o->fields[o->field_count++] = text;
    return true;
}

static bool take_statuses(struct options *o, const char *text, struct error *error)
{
    return expectation_set_statuses(&o->expectation, text) ||
           error_set(error, "--expect-status: not a list such as 200,304,4xx: '%s'", text);
}

static bool take_bytes(struct options *o, const char *text, struct error *error)
{
    int64_t bytes;
    if (!amount_parse_count(slice_of(text), 0, INT64_MAX, &bytes))
        return error_set(error, "--expect-bytes: not a number of bytes: '%s'", text);
    o->expectation.bytes = (uint64_t)bytes;
    o->expectation.has_bytes = true;
    return true;
}

static bool take_adler32(struct options *o, const char *text, struct error *error)
{
    size_t len = strlen(text);
    if (len == 0 || len > 8 || strspn(text, "0123456789abcdefABCDEF") != len)
        return error_set(error, "--expect-adler32: not up to 8 hexadecimal digits: '%s'", text);
    o->expectation.adler32 = (uint32_t)strtoul(text, NULL, 16);
    o->expectation.has_adler32 = true;
    return true;
}

static bool take_prefix(struct options *o, const char *text, struct error *error)
{
    (void)error;
    o->expectation.prefix = slice_of(text);
    return true;
}

#define AT(member) offsetof(struct options, member)
static const struct option_row ROWS[] = {
    { "--rate", OPTION_REAL, AT(rate_per_s), 0.001, SCHEDULE_RATE_MAX, GROUP_LOAD, LOAD_RATE, NULL },
    { "--ramp", OPTION_TEXT, AT(ramp), 0, 0, GROUP_LOAD, LOAD_RAMP, NULL },
    { "--steps", OPTION_TEXT, AT(steps), 0, 0, GROUP_LOAD, LOAD_STEPS, NULL },
    { "--trace", OPTION_TEXT, AT(trace_path), 0, 0, GROUP_LOAD, LOAD_TRACE, NULL },
    { "--closed", OPTION_FLAG, 0, 0, 0, GROUP_LOAD, LOAD_CLOSED, NULL },
    { "--poisson", OPTION_FLAG, AT(is_poisson), 0, 0, GROUP_NONE, 0, NULL },
    { "--seed", OPTION_COUNT, AT(seed), 0, 1e18, GROUP_NONE, 0, NULL },
    { "--speed-up", OPTION_REAL, AT(speed_up), 1e-3, FACTOR_MAX, GROUP_NONE, 0, NULL },
    { "--scale", OPTION_REAL, AT(scale), 1e-6, FACTOR_MAX, GROUP_NONE, 0, NULL },
    { "--duration", OPTION_TIME, AT(duration_us), 0, 0, GROUP_NONE, 0, NULL },
    { "--requests", OPTION_COUNT, AT(requests_max), 1, REQUESTS_MAX, GROUP_NONE, 0, NULL },
    { "--connections", OPTION_COUNT, AT(connections), 1, OPTIONS_CONNECTIONS_MAX, GROUP_NONE, 0, NULL },
    { "--one-per-connection", OPTION_FLAG, AT(one_per_connection), 0, 0, GROUP_NONE, 0, NULL },
    { "--threads", OPTION_COUNT, AT(threads), 1, OPTIONS_THREADS_MAX, GROUP_NONE, 0, NULL },
    { "--queue", OPTION_COUNT, AT(queue_max), 1, QUEUE_MAX, GROUP_NONE, 0, NULL },
    { "--timeout", OPTION_TIME, AT(timeout_us), 0, 0, GROUP_NONE, 0, NULL },
    { "--spin", OPTION_FLAG, AT(spins), 0, 0, GROUP_NONE, 0, NULL },
    { "--method", OPTION_TEXT, AT(method), 0, 0, GROUP_NONE, 0, NULL },
    { "--body-bytes", OPTION_COUNT, AT(body_bytes), 0, BODY_BYTES_MAX, GROUP_NONE, 0, NULL },
    { "--header", OPTION_SPECIAL, 0, 0, 0, GROUP_NONE, 0, take_field },
    { "--expect-status", OPTION_SPECIAL, 0, 0, 0, GROUP_NONE, 0, take_statuses },
    { "--expect-bytes", OPTION_SPECIAL, 0, 0, 0, GROUP_NONE, 0, take_bytes },
    { "--expect-adler32", OPTION_SPECIAL, 0, 0, 0, GROUP_NONE, 0, take_adler32 },
    { "--expect-prefix", OPTION_SPECIAL, 0, 0, 0, GROUP_NONE, 0, take_prefix },
    { "--verify-pattern", OPTION_FLAG, AT(expectation.has_pattern), 0, 0, GROUP_NONE, 0, NULL },
    { "--json", OPTION_TEXT, AT(json_path), 0, 0, GROUP_NONE, 0, NULL },
    { "--quiet", OPTION_FLAG, AT(is_quiet), 0, 0, GROUP_NONE, 0, NULL },
    { "--no-probe", OPTION_FLAG, AT(skips_probe), 0, 0, GROUP_NONE, 0, NULL },
    { "--help", OPTION_FLAG, AT(wants_help), 0, 0, GROUP_NONE, 0, NULL },
    { "--version", OPTION_FLAG, AT(wants_version), 0, 0, GROUP_NONE, 0, NULL },
};
#undef AT
#define ROW_COUNT (sizeof ROWS / sizeof ROWS[0])

/* The rows that were given. */
struct parse {
    struct options *options;
    bool is_given[ROW_COUNT];
    const char *load_name; /* of the one row of GROUP_LOAD */
    struct error *error;
};

static bool is_given(const struct parse *p, const char *name)
{
    size_t i = 0;
    while (strcmp(ROWS[i].name, name) != 0)
        i++;
    return p->is_given[i];
}

static bool take_value(struct parse *p, const struct option_row *row, const char *text)
{
    void *at = (char *)p->options + row->offset;
    switch (row->kind) {
    case OPTION_FLAG:
        break;
    case OPTION_COUNT:
        return amount_parse_count(slice_of(text), (int64_t)row->min, (int64_t)row->max, at) ||
               error_set(p->error, "%s: not a whole number from %.0f to %.0f: '%s'", row->name, row->min, row->max,
                         text);
    case OPTION_REAL:
        return amount_parse_real(slice_of(text), row->min, row->max, at) ||
               error_set(p->error, "%s: not a number from %g to %.0f: '%s'", row->name, row->min, row->max, text);
    case OPTION_TIME:
        return amount_parse_time(slice_of(text), at) ||
               error_set(p->error, "%s: not a time such as 500ms, 10s, 2m: '%s'", row->name, text);
    case OPTION_TEXT:
        *(const char **)at = text;
        return *text != '\0' || error_set(p->error, "%s: empty", row->name);
    case OPTION_SPECIAL:
        return row->take(p->options, text, p->error);
    }
    return true;
}

static bool take_group(struct parse *p, const struct option_row *row)
{
    if (row->group == GROUP_NONE)
        return true;
    if (p->load_name)
        return error_set(p->error, "%s does not go with %s", row->name, p->load_name);
    p->load_name = row->name;
    p->options->load = row->load;
    return true;
}

static const struct option_row *find_row(const char *name, size_t len)
{
    if (len == 2 && memcmp(name, "-H", 2) == 0)
        return find_row("--header", strlen("--header"));
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strlen(ROWS[i].name) == len && memcmp(ROWS[i].name, name, len) == 0)
            return &ROWS[i];
    return NULL;
}

static bool mark_given(struct parse *p, const struct option_row *row)
{
    bool *given = &p->is_given[row - ROWS];
    if (*given && row->take != take_field)
        return error_set(p->error, "given twice: %s", row->name);
    *given = true;
    return take_group(p, row);
}

/* Takes argv[*i], and argv[*i + 1] when that is its value. */
static bool take_option(struct parse *p, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    size_t name_len = strcspn(word, "=");
    const struct option_row *row = find_row(word, name_len);
    if (!row)
        return error_set(p->error, "unknown option '%s'", word);
    if (!mark_given(p, row))
        return false;
    if (row->kind == OPTION_FLAG) {
        if (word[name_len] == '=')
            return error_set(p->error, "%s takes no value", row->name);
        if (row->group == GROUP_NONE)
            *((bool *)((char *)p->options + row->offset)) = true;
        return true;
    }
    if (word[name_len] == '=')
        return take_value(p, row, word + name_len + 1);
    if (*i + 1 == argc)
        return error_set(p->error, "no value for %s", word);
    return take_value(p, row, argv[++*i]);
}

static bool refuse_pair(struct parse *p, const char *name, bool is_allowed, const char *with)
{
    return is_allowed || !is_given(p, name) || error_set(p->error, "%s goes only with %s", name, with);
}

static bool check_together(struct parse *p)
{
    struct options *o = p->options;
    bool is_closed = o->load == LOAD_CLOSED, is_trace = o->load == LOAD_TRACE;
    if (!refuse_pair(p, "--poisson", !is_closed, "an open loop, not --closed") ||
        !refuse_pair(p, "--seed", o->is_poisson, "--poisson") || !refuse_pair(p, "--speed-up", is_trace, "--trace") ||
        !refuse_pair(p, "--scale", is_trace, "--trace") ||
        !refuse_pair(p, "--spin", !is_closed, "an open loop, not --closed") ||
        !refuse_pair(p, "--queue", !is_closed, "an open loop, not --closed") ||
        !refuse_pair(p, "--duration", is_closed || is_trace || o->load == LOAD_RATE, "--rate, --closed and --trace"))
        return false;
    if (o->threads > o->connections)
        return error_set(p->error, "more --threads than --connections");
    return true;
}

/* size=N of the query, which the bench backend answers with N bytes of the pattern. */
static void expect_size_of_url(struct options *o)
{
    struct slice rest = o->url.origin_form;
    int64_t bytes;
    for (size_t i = 0; i + 6 < rest.len; i++) {
        if ((rest.at[i] != '?' && rest.at[i] != '&') || memcmp(rest.at + i + 1, "size=", 5) != 0)
            continue;
        struct slice number = { rest.at + i + 6, strcspn(rest.at + i + 6, "&") };
        if (amount_parse_count(number, 0, INT64_MAX, &bytes)) {
            o->expectation.bytes = (uint64_t)bytes;
            o->expectation.has_bytes = true;
        }
        return;
    }
}

static void fill_defaults(struct parse *p)
{
    struct options *o = p->options;
    if (o->duration_us == 0 && o->requests_max == 0 && (o->load == LOAD_RATE || o->load == LOAD_CLOSED))
        o->duration_us = 10 * 1000000;
    if (!o->method)
        o->method = o->body_bytes > 0 ? "POST" : "GET";
    if (o->expectation.has_pattern && !o->expectation.has_bytes && strcmp(o->method, "HEAD") != 0)
        expect_size_of_url(o);
}

bool options_parse(struct options *o, int argc, char **argv, struct error *error)
{
    *o = (struct options){ .rate_per_s = 1000,
                           .speed_up = 1,
                           .scale = 1,
                           .seed = 1,
                           .connections = 64,
                           .threads = 1,
                           .queue_max = 100000,
                           .timeout_us = 10 * 1000000 };
    struct parse p = { .options = o, .error = error };
    expectation_set_statuses(&o->expectation, "2xx");
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_option(&p, argc, argv, &i))
                return false;
        } else if (o->url_text) {
            return error_set(error, "one argument too many: '%s'", argv[i]);
        } else {
            o->url_text = argv[i];
        }
    }
    if (o->wants_help || o->wants_version)
        return true;
    if (!o->url_text)
        return error_set(error, "no URL");
    if (!target_parse_url(o->url_text, &o->url, error) || !check_together(&p))
        return false;
    fill_defaults(&p);
    return true;
}
