#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/options.h"

#define URL "http://127.0.0.1:8080/"
#define WORDS_MAX 16

/* Words are separated by single blanks. */
static bool parse(const char *line, struct options *o, struct error *error)
{
    static char copy[1024], program[] = "portico-bench";
    char *argv[WORDS_MAX] = { program };
    int argc = 1;
    assert_true(strlen(line) < sizeof copy);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_parse(o, argc, argv, error);
}

static void nothing_but_a_url_has_the_defaults(void **state)
{
    (void)state;
    struct options o;
    struct error error;
    assert_true(parse(URL, &o, &error));
    assert_int_equal(o.load, LOAD_RATE);
    assert_true(o.rate_per_s == 1000);
    assert_int_equal(o.duration_us, 10000000);
    assert_int_equal(o.requests_max, 0);
    assert_int_equal(o.connections, 64);
    assert_int_equal(o.threads, 1);
    assert_int_equal(o.timeout_us, 10000000);
    assert_int_equal(o.queue_max, 100000);
    assert_string_equal(o.method, "GET");
    assert_true(o.expectation.statuses[200] && o.expectation.statuses[299] && !o.expectation.statuses[300]);
}

static void everything_can_be_set(void **state)
{
    (void)state;
    struct options o;
    struct error error;
    assert_true(parse("--rate=2500.5 --requests 7 --poisson --seed 3 --connections 8 --threads 2 --queue 9 --spin "
                      "--timeout 250ms",
                      &o, &error) == false); /* no URL */
    assert_true(parse("--rate=2500.5 --requests 7 --poisson --seed 3 --connections 8 --threads 2 --queue 9 --spin " URL,
                      &o, &error));
    assert_true(o.rate_per_s == 2500.5 && o.is_poisson && o.spins);
    assert_int_equal(o.requests_max, 7);
    assert_int_equal(o.duration_us, 0); /* the requests end it */
    assert_int_equal(o.seed, 3);
    assert_int_equal(o.connections, 8);
    assert_int_equal(o.threads, 2);
    assert_int_equal(o.queue_max, 9);
    assert_true(parse("--closed --one-per-connection --body-bytes 10 -H A:1 --header B:2 --timeout 250ms --quiet "
                      "--no-probe --json - " URL,
                      &o, &error));
    assert_int_equal(o.load, LOAD_CLOSED);
    assert_true(o.one_per_connection && o.is_quiet && o.skips_probe);
    assert_string_equal(o.method, "POST");
    assert_int_equal(o.field_count, 2);
    assert_string_equal(o.fields[1], "B:2");
    assert_int_equal(o.timeout_us, 250000);
    assert_string_equal(o.json_path, "-");
}

static void the_pattern_knows_the_size_that_the_url_asks_for(void **state)
{
    (void)state;
    struct options o;
    struct error error;
    assert_true(parse("--verify-pattern " URL "?close=1&size=1234&x=1", &o, &error));
    assert_true(o.expectation.has_pattern && o.expectation.has_bytes);
    assert_int_equal(o.expectation.bytes, 1234);
    assert_true(parse("--verify-pattern --expect-bytes 9 " URL "?size=1234", &o, &error));
    assert_int_equal(o.expectation.bytes, 9);
    assert_true(parse("--verify-pattern --method HEAD " URL "?size=1234", &o, &error));
    assert_false(o.expectation.has_bytes);
    assert_true(parse("--verify-pattern " URL "?oversize=1234", &o, &error));
    assert_false(o.expectation.has_bytes);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } bad[] = {
        { "", "no URL" },
        { URL " " URL, "too many" },
        { "https://x/", "http://" },
        { "http:///x", "no host" },
        { "--nonsense " URL, "unknown option '--nonsense'" },
        { "--rate 0 " URL, "--rate" },
        { "--rate 1e3 " URL, "--rate" },
        { "--rate", "no value for --rate" },
        { "--rate 1 --rate 2 " URL, "given twice" },
        { "--rate 1 --closed " URL, "--closed does not go with --rate" },
        { "--steps 1x1s --ramp 1:2:3s " URL, "--ramp does not go with --steps" },
        { "--ramp 1:2:3s --duration 1s " URL, "--duration goes only with" },
        { "--closed --poisson " URL, "--poisson goes only with" },
        { "--closed --spin " URL, "--spin goes only with" },
        { "--speed-up 2 " URL, "--speed-up goes only with --trace" },
        { "--seed 2 " URL, "--seed goes only with --poisson" },
        { "--spin=1 " URL, "--spin takes no value" },
        { "--connections 0 " URL, "--connections" },
        { "--connections 2 --threads 3 " URL, "more --threads" },
        { "--timeout 5 " URL, "--timeout: not a time" },
        { "--duration 0s " URL, "--duration: not a time" },
        { "--requests 0 " URL, "--requests" },
        { "--body-bytes 99999999999 " URL, "--body-bytes" },
        { "--expect-status 99 " URL, "--expect-status" },
        { "--expect-status 2xx, " URL, "--expect-status" },
        { "--expect-adler32 xyz " URL, "--expect-adler32" },
        { "--expect-bytes -1 " URL, "--expect-bytes" },
        { "--json= " URL, "--json: empty" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct options o;
        struct error error = { "" };
        if (parse(bad[i].line, &o, &error))
            fail_msg("accepted: %s", bad[i].line);
        if (!strstr(error.text, bad[i].why))
            fail_msg("%s: said '%s', not '%s'", bad[i].line, error.text, bad[i].why);
    }
}

static void help_and_version_need_no_url(void **state)
{
    (void)state;
    struct options o;
    struct error error;
    assert_true(parse("--help", &o, &error) && o.wants_help);
    assert_true(parse("--version", &o, &error) && o.wants_version);
}

static void help_names_each_option_that_is_taken(void **state)
{
    (void)state;
    static const char *const flags[] = { "--closed",   "--poisson",        "--one-per-connection",
                                         "--spin",     "--verify-pattern", "--quiet",
                                         "--no-probe", "--rate",           "--ramp",
                                         "--steps",    "--trace",          "--queue" };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        assert_non_null(strstr(options_help, flags[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_a_url_has_the_defaults),
        cmocka_unit_test(everything_can_be_set),
        cmocka_unit_test(the_pattern_knows_the_size_that_the_url_asks_for),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(help_and_version_need_no_url),
        cmocka_unit_test(help_names_each_option_that_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
