#include "daemon/publish/configured_hosts.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define KEEPERS_MAX 2 /* whoever asks is one of them at most */

struct kept_host {
    char *pattern;              /* owned; key */
    char *keepers[KEEPERS_MAX]; /* owned names of services, different ones */
    UT_hash_handle hh;
};

struct configured_hosts {
    struct kept_host *kept; /* hash by pattern */
};

static struct kept_host *find(const struct configured_hosts *hosts, const char *pattern, size_t len)
{
    struct kept_host *host;
    HASH_FIND(hh, hosts->kept, pattern, len, host);
    return host;
}

static void add(struct configured_hosts *hosts, const char *pattern, size_t len, const char *keeper)
{
    struct kept_host *host = find(hosts, pattern, len);
    if (!host) {
        host = mem_alloc(sizeof *host);
        host->pattern = mem_strndup(pattern, len);
        HASH_ADD_KEYPTR(hh, hosts->kept, host->pattern, len, host);
    }
    if (!host->keepers[0])
        host->keepers[0] = mem_strdup(keeper);
    else if (!host->keepers[1] && strcmp(host->keepers[0], keeper) != 0)
        host->keepers[1] = mem_strdup(keeper);
}

struct configured_hosts *configured_hosts_new(const struct config *config)
{
    struct configured_hosts *hosts = mem_alloc(sizeof *hosts);
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        if (service->allow_task_routes)
            continue;
        for (const char *at = service->host; *at;) { /* several have commas between */
            size_t len = strcspn(at, ",");
            if (len > 0)
                add(hosts, at, len, service->name);
            at += len + (at[len] == ',');
        }
    }
    return hosts;
}

void configured_hosts_free(struct configured_hosts *hosts)
{
    if (!hosts)
        return;
    struct kept_host *host = hosts->kept, *next;
    HASH_CLEAR(hh, hosts->kept);
    for (; host; host = next) {
        next = host->hh.next;
        for (size_t i = 0; i < KEEPERS_MAX; i++)
            free(host->keepers[i]);
        free(host->pattern);
        free(host);
    }
    free(hosts);
}

static const char *keeper_of(const struct configured_hosts *hosts, const char *pattern, const char *service)
{
    const struct kept_host *host = find(hosts, pattern, strlen(pattern));
    for (size_t i = 0; host && i < KEEPERS_MAX; i++) {
        if (host->keepers[i] && strcmp(host->keepers[i], service) != 0)
            return host->keepers[i];
    }
    return NULL;
}

const char *configured_hosts_find_keeper(const struct configured_hosts *hosts, const char *host, const char *service)
{
    if (!hosts)
        return NULL;
    const char *keeper = keeper_of(hosts, host, service);
    /* "a.b.c" and "*.b.c" lie below "*.b.c" and "*.c". */
    for (const char *dot = strchr(host, '.'); dot && !keeper; dot = strchr(dot + 1, '.')) {
        char pattern[512];
        if (snprintf(pattern, sizeof pattern, "*%s", dot) < (int)sizeof pattern)
            keeper = keeper_of(hosts, pattern, service);
    }
    return keeper;
}
