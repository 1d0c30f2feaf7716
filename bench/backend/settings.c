#include "bench/backend/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings settings = { .address = "0.0.0.0", .port = 8080, .threads = 1 };

static const struct {
    const char *option, *variable;
    int64_t *value, max;
} NUMBERS[] = {
    { "--port", "PORT", &settings.port, 65535 },
    { "--threads", "THREADS", &settings.threads, SETTINGS_THREADS_MAX },
    { "--startup-delay-ms", "STARTUP_DELAY_MS", &settings.startup_delay_ms, 3600000 },
    { "--concurrency", "CONCURRENCY", &settings.concurrency, 1000000 },
    { "--graceful", "GRACEFUL", &settings.graceful, 1 },
};

static const struct {
    const char *option, *variable;
} DELAYS[] = {
    { "--delay-ms", "SERVICE_TIME_MS" },
    { "--delay-us", "SERVICE_TIME_US" },
    { "--delay-exp-ms", "SERVICE_TIME_EXP_MS" },
    { "--delay-bimodal", "SERVICE_TIME_BIMODAL" },
};

static void refuse(const char *what, const char *text)
{
    fprintf(stderr, "backend: not usable: %s %s\n", what, text);
    exit(1);
}

static bool set_number(const char *option, const char *text)
{
    char *end;
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++) {
        if (strcmp(option, NUMBERS[i].option) != 0)
            continue;
        *NUMBERS[i].value = strtoll(text, &end, 10);
        if (end == text || *end || *NUMBERS[i].value < 0 || *NUMBERS[i].value > NUMBERS[i].max)
            refuse(option, text);
        return true;
    }
    return false;
}

static bool set_delay(const char *option, const char *text)
{
    for (size_t i = 0; i < DELAY_NAME_COUNT; i++) {
        if (strcmp(option, delay_names[i].option) != 0)
            continue;
        if (!delay_parse(&settings.delay, &delay_names[i], text, strlen(text)))
            refuse(option, text);
        return true;
    }
    return false;
}

static void read_environment(void)
{
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++)
        if (getenv(NUMBERS[i].variable))
            set_number(NUMBERS[i].option, getenv(NUMBERS[i].variable));
    for (size_t i = 0; i < sizeof(DELAYS) / sizeof(DELAYS[0]); i++)
        if (getenv(DELAYS[i].variable))
            set_delay(DELAYS[i].option, getenv(DELAYS[i].variable));
}

void settings_read(int argc, char **argv)
{
    read_environment();
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (strcmp(option, "--graceful") == 0)
            settings.graceful = 1;
        else if (i + 1 == argc)
            refuse(option, "");
        else if (strcmp(option, "--address") == 0)
            settings.address = argv[++i];
        else if (set_number(option, argv[i + 1]) || set_delay(option, argv[i + 1]))
            i++;
        else
            refuse(option, "");
    }
    if (settings.threads == 0 || settings.concurrency > 0)
        settings.threads = 1;
}
