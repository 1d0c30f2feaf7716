#include "tests/unit/discovery/docker/fake_engine.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t next_time_nano = 1700000000000000000;

static void answer_or_hold(struct fake_engine *fake, struct scripted_conn *conn, bool holds, int status, char *body)
{
    if (!holds) {
        scripted_answer(conn, status, body);
        free(body);
        return;
    }
    check(fake->held_count < FAKE_HELD_MAX);
    fake->held[fake->held_count] = conn;
    fake->held_answers[fake->held_count++] =
        mem_printf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    free(body);
}

static bool is_listed(const struct fake_container *container, const char *target)
{
    const char *label = strstr(target, "portico.enable") ? "portico.enable" : "portico.cluster";
    return container->labels && strstr(container->labels, label);
}

static char *list_body(struct fake_engine *fake, const char *target)
{
    struct buf out;
    buf_init(&out, 0);
    buf_append_text(&out, "[");
    for (size_t i = 0; i < FAKE_CONTAINERS_MAX; i++)
        if (is_listed(&fake->containers[i], target))
            buf_printf(&out, "%s{\"Id\":\"%s\"}", out.len > 1 ? "," : "", fake->containers[i].id);
    buf_append_text(&out, "]");
    char *body = mem_strdup(buf_text(&out));
    buf_fini(&out);
    return body;
}

static char *inspect_body(const struct fake_container *c)
{
    bool runs = strcmp(c->status, "running") == 0 || strcmp(c->status, "paused") == 0;
    return mem_printf(
        "{\"Id\":\"%s\",\"Name\":\"/c%c\",\"State\":{\"Status\":\"%s\",\"ExitCode\":%d,\"StartedAt\":\"%s\"},"
        "\"Config\":{%s\"Labels\":{%s}},\"HostConfig\":{\"NetworkMode\":\"%s\",\"RestartPolicy\":{\"Name\":\"%s\"}},"
        "\"NetworkSettings\":{"
        "\"Networks\":{\"bridge\":{\"IPAddress\":\"%s\","
        "\"Gateway\":\"172.17.0.1\"}}}}",
        c->id, c->id[0], c->status, c->exit_code, c->started_at, c->config ? c->config : "", c->labels,
        c->network_mode ? c->network_mode : "bridge", c->restart_policy ? c->restart_policy : "no",
        runs && !c->network_mode ? c->ip : "");
}

static struct fake_container *find(struct fake_engine *fake, const char *target)
{
    for (size_t i = 0; i < FAKE_CONTAINERS_MAX; i++)
        if (fake->containers[i].labels && strstr(target, fake->containers[i].id))
            return &fake->containers[i];
    return NULL;
}

static void answer_ping(struct fake_engine *fake, struct scripted_conn *conn)
{
    fake->ping_count++;
    if (fake->api_version) {
        char *text = mem_printf("HTTP/1.1 200 OK\r\nApi-Version: %s\r\nContent-Length: 2\r\n\r\nOK", fake->api_version);
        scripted_send_text(conn, text);
        free(text);
    } else {
        scripted_send_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    }
}

static void open_stream(struct fake_engine *fake, struct scripted_conn *conn, const char *target)
{
    fake->stream = conn;
    fake->stream_count++;
    snprintf(fake->last_events_target, sizeof fake->last_events_target, "%s", target);
    scripted_send_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void on_request(void *owner, struct scripted_conn *conn, const char *head, const char *body)
{
    struct fake_engine *fake = owner;
    char method[16] = "", target[1024] = "";
    sscanf(head, "%15s %1023s", method, target);
    if (strcmp(target, "/_ping") == 0) {
        answer_ping(fake, conn);
        return;
    }
    snprintf(fake->last_target, sizeof fake->last_target, "%s %s", method, target);
    snprintf(fake->last_body, sizeof fake->last_body, "%s", body);
    if (strstr(target, "/events")) {
        open_stream(fake, conn, target);
    } else if (strstr(target, "/containers/json?")) {
        fake->list_count++;
        answer_or_hold(fake, conn, fake->holds_lists, 200,
                       fake->list_answer ? mem_strdup(fake->list_answer) : list_body(fake, target));
    } else if (strcmp(method, "GET") == 0 && strstr(target, "/containers/") && !strstr(target, "/logs?")) {
        struct fake_container *c = find(fake, target);
        fake->inspect_count++;
        int status = fake->inspect_status ? fake->inspect_status : c ? 200 : 404;
        answer_or_hold(fake, conn, fake->holds_inspects || (c && c->hangs), status,
                       status == 200 && fake->inspect_answer ? mem_strdup(fake->inspect_answer)
                       : status == 200                       ? inspect_body(c)
                                                             : mem_strdup("{\"message\":\"No such container\"}"));
    } else if (fake->holds_logs && strstr(target, "/logs?")) {
        answer_or_hold(fake, conn, true, 200, mem_strdup("too late"));
    } else if (fake->holds_stops && strstr(target, "/stop?")) {
        answer_or_hold(fake, conn, true, 204, mem_strdup(""));
    } else {
        scripted_answer(conn, fake->next_status ? fake->next_status : 200,
                        fake->next_answer ? fake->next_answer : "{}");
    }
}

void fake_engine_start(struct fake_engine *fake, struct loop *loop)
{
    memset(fake, 0, sizeof *fake);
    fake->api_version = "1.41";
    scripted_server_start_unix(&fake->server, loop, on_request, fake);
}

void fake_engine_stop(struct fake_engine *fake)
{
    while (fake->held_count > 0)
        free(fake->held_answers[--fake->held_count]);
    scripted_server_stop(&fake->server);
}

struct fake_container *fake_engine_add(struct fake_engine *fake, int i, const char *labels)
{
    static const char *const ips[FAKE_CONTAINERS_MAX] = {
        "172.17.0.100", "172.17.0.1",  "172.17.0.2",  "172.17.0.3",  "172.17.0.4",  "172.17.0.5",
        "172.17.0.6",   "172.17.0.7",  "172.17.0.8",  "172.17.0.9",  "172.17.0.10", "172.17.0.11",
        "172.17.0.12",  "172.17.0.13", "172.17.0.14", "172.17.0.15",
    };
    struct fake_container *c = &fake->containers[i];
    memset(c->id, "0123456789abcdef"[i], 64);
    c->labels = labels;
    c->status = "running";
    c->started_at = "2026-11-22T21:00:00Z";
    c->ip = ips[i];
    c->exit_code = 0;
    return c;
}

void fake_engine_release(struct fake_engine *fake)
{
    for (size_t i = 0; i < fake->held_count; i++) {
        scripted_send_text(fake->held[i], fake->held_answers[i]);
        free(fake->held_answers[i]);
    }
    fake->held_count = 0;
}

void fake_engine_emit(struct fake_engine *fake, int i, const char *action, const char *attributes)
{
    const struct fake_container *c = &fake->containers[i];
    next_time_nano += 1000;
    check(fake->stream != NULL);
    char *line =
        mem_printf("{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\",\"Attributes\":{%s%s%s}},"
                   "\"timeNano\":%lld}\n",
                   action, c->id, c->labels ? c->labels : "", c->labels && attributes[0] ? "," : "", attributes,
                   (long long)next_time_nano);
    char *chunk = mem_printf("%zx\r\n%s\r\n", strlen(line), line);
    scripted_send_text(fake->stream, chunk);
    free(chunk);
    free(line);
}

void fake_engine_break_stream(struct fake_engine *fake)
{
    scripted_close(fake->stream);
    fake->stream = NULL;
}
