/* The portico command: a table of subcommands. `run` is the product; it starts `control` and `proxy` from this same
 * file. */
#include "base/log.h"
#include "config/load.h"
#include "config/print.h"
#include "daemon/arguments.h"
#include "daemon/config_file.h"
#include "daemon/control.h"
#include "daemon/readiness_probe.h"
#include "daemon/supervisor.h"
#include "daemon/task_definition_command.h"
#include "daemon/upgrade.h"
#include "daemon/upgrade_order.h"
#include "proxy/balance/balancer.h"
#include "proxy/process/jail.h"
#include "proxy/process/proxy.h"

#include <errno.h>
#include <limits.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <jansson.h>
#include <seccomp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#define EXIT_USAGE 2
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

struct command {
    const char *name, *usage, *summary; /* summary null: not shown; for our own processes and tests */
    int (*run)(int argc, char **argv);  /* what follows the name; returns the exit code */
};

/* argv[-2] is the program's own name. */
static int run_supervisor(int argc, char **argv)
{
    struct supervisor_options options = { .handover_fd = -1 };
    int64_t handover_fd = -1;
    bool is_trial = false;
    const struct argument table[] = { { .name = "--config", .text = &options.config_path, .is_required = true },
                                      { .name = "--handover-fd", .number = &handover_fd },
                                      { .name = "--refused", .text = &options.refused },
                                      { .name = "--trial", .flag = &is_trial } };
    if (!arguments_parse("run", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    options.handover_fd = (int)handover_fd;
    char *program = upgrade_find_program(argv[-2]);
    options.program = program;
    int exit_code = is_trial ? supervisor_try(&options) : supervisor_run(&options);
    free(program);
    return exit_code;
}

static int run_control(int argc, char **argv)
{
    struct control_options options = { .config_path = NULL };
    const char *stats_fds = NULL;
    int64_t link_fd = -1, supervisor_fd = -1, admin_fd = -1;
    const struct argument table[] = {
        { .name = "--config", .text = &options.config_path, .is_required = true },
        { .name = "--state-dir", .text = &options.state_dir, .is_required = true },
        { .name = "--listeners", .text = &options.listeners, .is_required = true },
        { .name = "--link-fd", .number = &link_fd },
        { .name = "--supervisor-fd", .number = &supervisor_fd, .is_required = true },
        { .name = "--admin-fd", .number = &admin_fd, .is_required = true },
        { .name = "--stats-fds", .text = &stats_fds, .is_required = true },
        { .name = "--control-restarts", .number = &options.control_restarts },
        { .name = "--proxy-starts", .number = &options.proxy_starts },
        { .name = "--upgrades", .number = &options.upgrades },
        { .name = "--unreadable-proxies", .number = &options.unreadable_proxies },
        { .name = "--succeeds", .flag = &options.succeeds },
        { .name = "--provisional", .flag = &options.is_provisional },
    };
    if (!arguments_parse("control", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    options.link_fd = (int)link_fd;
    options.supervisor_fd = (int)supervisor_fd;
    options.admin_fd = (int)admin_fd;
    options.stats_fds = arguments_parse_fds(stats_fds, &options.stats_fd_count);
    int exit_code = options.stats_fds ? control_run(&options) : EXIT_USAGE;
    free(options.stats_fds);
    return exit_code;
}

/* Started by the supervisor: everything comes by descriptor. */
static int run_supervised_proxy(struct proxy_options *options, const char *listen_fds, int64_t workers)
{
    int exit_code = EXIT_USAGE;
    options->listen_fds = arguments_parse_fds(listen_fds ? listen_fds : "", &options->listen_fd_count);
    options->workers = (uint32_t)workers;
    if (options->listen_fds && workers >= 1 && workers <= STATS_WORKERS_MAX &&
        options->sockets_per_listener >= (size_t)workers &&
        options->listen_fd_count % options->sockets_per_listener == 0 && options->link_fd >= 0 &&
        options->stats_fd >= 0)
        exit_code = proxy_run(options);
    else
        fprintf(stderr, "portico proxy: --snapshot FILE, or what only 'portico run' can give; see 'portico help'\n");
    free(options->listen_fds);
    return exit_code;
}

static int run_proxy_alone(const char *snapshot_path, const char *user)
{
    struct proxy_options options = {
        .link_fd = -1, .supervisor_fd = -1, .stats_fd = -1, .snapshot_path = snapshot_path, .user = user
    };
    signal(SIGHUP, SIG_IGN);  /* until it means "read again": what is read first is new enough */
    signal(SIGUSR1, SIG_IGN); /* likewise: nothing is open yet */
    int exit_code = proxy_options_from_file(snapshot_path, &options) ? proxy_run(&options) : EXIT_USAGE;
    proxy_options_fini(&options);
    return exit_code;
}

static int run_proxy(int argc, char **argv)
{
    struct proxy_options options = { .link_fd = -1, .access_log = "off" };
    const char *listen_fds = NULL, *log_level = "info";
    int64_t workers = 0, sockets = 0, link_fd = -1, supervisor_fd = -1, stats_fd = -1;
    const struct argument table[] = {
        { .name = "--snapshot", .text = &options.snapshot_path },
        { .name = "--user", .text = &options.user },
        { .name = "--log-level", .text = &log_level },
        { .name = "--access-log", .text = &options.access_log },
        { .name = "--listen-fds", .text = &listen_fds },
        { .name = "--workers", .number = &workers },
        { .name = "--sockets-per-listener", .number = &sockets },
        { .name = "--link-fd", .number = &link_fd },
        { .name = "--supervisor-fd", .number = &supervisor_fd },
        { .name = "--stats-fd", .number = &stats_fd },
    };
    if (!arguments_parse("proxy", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    log_init("proxy", config_file_log_level(log_level));
    options.link_fd = (int)link_fd;
    options.supervisor_fd = (int)supervisor_fd;
    options.stats_fd = (int)stats_fd;
    options.sockets_per_listener = sockets > 0 ? (size_t)sockets : 0;
    if (options.snapshot_path)
        return run_proxy_alone(options.snapshot_path, options.user);
    return run_supervised_proxy(&options, listen_fds, workers);
}

static int run_upgrade(int argc, char **argv)
{
    const char *path = NULL;
    const struct argument table[] = { { .name = "--config", .text = &path, .is_required = true } };
    if (!arguments_parse("upgrade", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    struct config *config = config_file_load_or_complain(path);
    if (!config)
        return EXIT_USAGE;
    int exit_code = upgrade_order(config->state_dir);
    config_free(config);
    return exit_code;
}

/* The copy of the last good one, where stateDir has its default. */
static struct config *load_default_copy(void)
{
    static const char text[] = "{}";
    struct config_problems problems;
    struct config *defaults = config_load_text("defaults", text, sizeof text - 1, &problems);
    config_problems_fini(&problems);
    if (!defaults)
        return NULL;
    struct config *copy = config_file_load_copy(defaults->state_dir, &problems);
    config_problems_fini(&problems);
    config_free(defaults);
    return copy;
}

/* A file that is being edited makes nobody unhealthy who serves. */
static struct config *load_what_runs(const char *path)
{
    struct config *config = config_file_load_or_complain(path);
    return config ? config : load_default_copy();
}

static int run_health(int argc, char **argv)
{
    const char *path = NULL;
    const struct argument table[] = { { .name = "--config", .text = &path, .is_required = true } };
    if (!arguments_parse("health", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    struct config *config = load_what_runs(path);
    if (!config)
        return 1; /* it cannot be asked; 2 means nothing to who runs health checks */
    int exit_code = readiness_probe_run(&config->admin);
    config_free(config);
    return exit_code;
}

static int run_check(int argc, char **argv)
{
    const char *path = NULL;
    const struct argument table[] = { { .name = "FILE", .text = &path } };
    if (!arguments_parse("check", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    struct config *config = config_file_load_or_complain(path);
    if (!config)
        return EXIT_USAGE;
    printf("%s: ok, %zu listeners, %zu services\n", path, config->listener_count, config->service_count);
    config_free(config);
    return 0;
}

static int show_config(const char *path, bool show_secrets)
{
    struct config *config = config_file_load_or_complain(path);
    if (!config)
        return EXIT_USAGE;
    config_print(config, show_secrets, stdout);
    config_free(config);
    return 0;
}

static int run_config(int argc, char **argv)
{
    const char *what = NULL, *path = NULL;
    bool show_secrets = false;
    const struct argument table[] = { { .name = "show or reference", .text = &what },
                                      { .name = "FILE", .text = &path },
                                      { .name = "--secrets", .flag = &show_secrets } };
    if (argc > 0 && strcmp(argv[0], "reference") == 0) {
        if (!arguments_parse("config reference", table, 1, argc, argv))
            return EXIT_USAGE;
        config_print_reference(stdout);
        return 0;
    }
    if (!arguments_parse("config", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    if (strcmp(what, "show") == 0)
        return show_config(path, show_secrets);
    fprintf(stderr, "portico config: 'show' or 'reference', not '%s'; see 'portico help'\n", what);
    return EXIT_USAGE;
}

static int run_jail_test(int argc, char **argv)
{
    const char *user = NULL;
    struct error error;
    const struct argument table[] = { { .name = "--user", .text = &user } };
    if (!arguments_parse("jail-test", table, COUNT_OF(table), argc, argv))
        return EXIT_USAGE;
    if (!jail_enter(user, &error)) {
        fprintf(stderr, "portico jail-test: %s\n", error.text);
        return 1;
    }
    return jail_self_test(stdout) == 0 ? 0 : 1;
}

/* The load generator is a program of its own, beside this one. */
static int run_bench(int argc, char **argv)
{
    static char name[] = "portico-bench";
    (void)argc;
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - sizeof name);
    path[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash ? slash + 1 : path, name, sizeof name);
    argv[-1] = name; /* "bench" stood there */
    execv(path, argv - 1);
    fprintf(stderr, "portico bench: %s: %s\n", path, strerror(errno));
    return 1;
}

static int run_version(int argc, char **argv)
{
    if (!arguments_parse("version", NULL, 0, argc, argv))
        return EXIT_USAGE;
    const struct scmp_version *seccomp = seccomp_version();
    printf("portico %s (%s, compiler %s)\n", PORTICO_VERSION, PORTICO_BUILD, __VERSION__);
    printf("libevent %s\n%s\njansson %s\nlibyaml %s\nsqlite %s\nlibseccomp %u.%u.%u\n", event_get_version(),
           curl_version(), jansson_version_str(), yaml_get_version_string(), sqlite3_libversion(), seccomp->major,
           seccomp->minor, seccomp->micro);
    return 0;
}

static int run_help(int argc, char **argv);

static const struct command commands[] = {
    { "run", "--config FILE", "the reverse proxy, discovery and the controller, until SIGTERM", run_supervisor },
    { "upgrade", "--config FILE",
      "replaces the program and configuration of the one that runs, without a lost connection; exit code 1 when "
      "refused",
      run_upgrade },
    { "health", "--config FILE", "asks the one that runs whether it is ready; exit code 1 when it is not", run_health },
    { "check", "FILE", "says what is wrong with a configuration; exit code 2 when anything is", run_check },
    { "config show", "FILE [--secrets]", "the configuration with all defaults filled in", run_config },
    { "config reference", "", "every key of the configuration, in Markdown", run_config },
    { "task-definition check", "FILE",
      "says what is wrong with a task definition of ECS, and what has no effect; see 'portico task-definition help'",
      task_definition_command },
    { "task-definition reference", "", "every field of a task definition, in Markdown", task_definition_command },
    { "proxy", "--snapshot FILE [--user ACCOUNT]", "the data plane alone, from a snapshot document", run_proxy },
    { "bench", "[OPTIONS] URL", "the load generator, portico-bench; see 'portico bench --help'", run_bench },
    { "version", "", "version, build and libraries; also --version", run_version },
    { "help", "", "this text; also --help", run_help },
    { "control", "", NULL, run_control },
    { "jail-test", "[--user ACCOUNT]", NULL, run_jail_test },
};

static int run_help(int argc, char **argv)
{
    if (!arguments_parse("help", NULL, 0, argc, argv))
        return EXIT_USAGE;
    printf("portico %s: HTTP reverse proxy, service controller and autoscaler for Docker\n\n", PORTICO_VERSION);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (commands[i].summary)
            printf("  portico %s %s\n      %s\n", commands[i].name, commands[i].usage, commands[i].summary);
    }
    return 0;
}

/* By the first word of its name: "config show" is the business of "config". */
static const struct command *find_command(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        size_t len = strcspn(commands[i].name, " ");
        if (strlen(word) == len && strncmp(commands[i].name, word, len) == 0)
            return &commands[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    size_t balancer_count;
    const char *const *balancers = balancer_names(&balancer_count);
    config_set_balancer_names(balancers, balancer_count);
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--version") == 0)
        word = "version";
    else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    const struct command *command = find_command(word);
    if (command)
        return command->run(argc - 2, argv + 2);
    fprintf(stderr,
            *word ? "portico: unknown command '%s'; see 'portico help'\n"
                  : "portico: no command%s; see 'portico help'\n",
            word);
    return EXIT_USAGE;
}
