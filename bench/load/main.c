/* portico-bench: an open-loop HTTP/1.1 load generator. See output.md for its command line and its output. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "bench/load/options.h"
#include "bench/load/report.h"
#include "bench/load/report_json.h"
#include "bench/load/run.h"

enum { EXIT_MEASURED = 0, EXIT_NOT_MEASURED = 1, EXIT_USAGE = 2 };

static struct run run;

static void on_signal(int number)
{
    (void)number;
    __atomic_store_n(&run.stop_flag, 1, __ATOMIC_RELAXED);
}

/* The second one ends the process as usual. */
static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int complain(int code, const char *text, const char *more)
{
    fprintf(stderr, "portico-bench: %s%s\n", text, more);
    return code;
}

/* Before the run: minutes of measurement are not to end with "no such directory". */
static FILE *open_json(const char *path)
{
    if (!path)
        return NULL;
    return strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
}

static bool write_json(FILE *file)
{
    json_t *root = report_json_new(&run);
    bool is_good = json_dumpf(root, file, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0 && fputc('\n', file) != EOF;
    json_decref(root);
    return fflush(file) == 0 && is_good;
}

static int report(FILE *json_file)
{
    int code = run.verdict.reason_count == 0 ? EXIT_MEASURED : EXIT_NOT_MEASURED;
    report_print(&run, json_file == stdout ? stderr : stdout);
    if (json_file && !write_json(json_file))
        return complain(EXIT_NOT_MEASURED, "cannot write the JSON: ", strerror(errno));
    return code;
}

static int measure(const struct options *o)
{
    struct error error;
    if (!run_prepare(&run, o, &error))
        return complain(EXIT_USAGE, error.text, "");
    FILE *json_file = open_json(o->json_path);
    if (o->json_path && !json_file)
        return complain(EXIT_NOT_MEASURED, "cannot write the JSON: ", strerror(errno));
    catch_signals();
    int code = run_measure(&run, &error) ? report(json_file) : complain(EXIT_NOT_MEASURED, error.text, "");
    if (json_file)
        fclose(json_file);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    struct error error;
    if (!options_parse(&options, argc, argv, &error))
        return complain(EXIT_USAGE, error.text, "; see portico-bench --help");
    if (options.wants_help || options.wants_version) {
        fputs(options.wants_help ? options_help : "portico-bench " PORTICO_VERSION "\n", stdout);
        return EXIT_MEASURED;
    }
    int code = measure(&options);
    run_fini(&run);
    return code;
}
