#include "daemon/readiness_probe.h"

#include "base/http_client.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX (64u << 10)

struct question {
    struct loop *loop;
    int exit_code;
};

bool readiness_probe_url(const char *address, char out[READINESS_PROBE_URL_SIZE])
{
    static const struct {
        const char *any, *loopback;
    } names[] = { { "0.0.0.0:", "127.0.0.1:" }, { "[::]:", "[::1]:" } };
    const char *host = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len = strlen(names[i].any);
        if (strncmp(address, names[i].any, len) != 0)
            continue;
        host = names[i].loopback;
        address += len;
        break;
    }
    int len = snprintf(out, READINESS_PROBE_URL_SIZE, "http://%s%s/readyz", host, address);
    return len > 0 && len < READINESS_PROBE_URL_SIZE;
}

static int tell_answer(const struct http_response *response)
{
    json_t *answer = json_parse_bounded(response->body, &json_limits_default, NULL);
    const char *reason = json_find_string(answer, "reason"), *warning = json_find_string(answer, "warning");
    bool is_ready = response->status == 200;
    if (is_ready)
        printf("ready%s%s\n", warning && *warning ? "; " : "", warning ? warning : "");
    else if (response->status == 401)
        fprintf(stderr, "portico health: the admin API has another token than the configuration\n");
    else
        fprintf(stderr, "portico health: %s\n", reason && *reason ? reason : "an answer that makes no sense");
    json_decref(answer);
    return is_ready ? 0 : 1;
}

static void on_done(void *owner, const struct http_response *response)
{
    struct question *question = owner;
    if (response->outcome == HTTP_OUTCOME_ANSWERED)
        question->exit_code = tell_answer(response);
    else
        fprintf(stderr, "portico health: the admin API does not answer: %s\n", response->cause);
    loop_stop(question->loop);
}

int readiness_probe_run(const struct config_admin *admin)
{
    char url[READINESS_PROBE_URL_SIZE];
    if (!readiness_probe_url(admin->address, url)) {
        fprintf(stderr, "portico health: admin.address '%s' is too long\n", admin->address);
        return 1;
    }
    char *authorization = mem_printf("Authorization: Bearer %s", admin->token ? admin->token : "");
    const char *const headers[] = { authorization };
    struct question question = { .loop = loop_new(), .exit_code = 1 };
    struct http_client *client = http_client_new(question.loop, 1);
    http_client_send(client, &(struct http_request){ .url = url,
                                                     .headers = headers,
                                                     .header_count = admin->token ? 1 : 0,
                                                     .connect_timeout_ms = READINESS_PROBE_CONNECT_MS,
                                                     .total_timeout_ms = READINESS_PROBE_LIMIT_MS,
                                                     .response_bytes_max = ANSWER_BYTES_MAX,
                                                     .fresh_connection = true,
                                                     .on_done = on_done,
                                                     .owner = &question });
    loop_run(question.loop);
    http_client_free(client);
    loop_free(question.loop);
    explicit_bzero(authorization, strlen(authorization));
    free(authorization);
    return question.exit_code;
}
