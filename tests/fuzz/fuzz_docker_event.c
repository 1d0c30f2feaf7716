/* Any bytes as the engine's event stream, in one piece, byte by byte and in pieces: the same events; and as an inspect
 * document: what is accepted as a task is well-formed. */
#include "base/check.h"
#include "config/listen_address.h"
#include "discovery/docker/events.h"
#include "discovery/docker/labels.h"

#include <stdint.h>
#include <string.h>

#define BORROWER                                                                                                     \
    "{\"Id\":\"b\",\"State\":{\"Status\":\"running\"},\"HostConfig\":{\"NetworkMode\":\"container:c\"},\"Config\":{" \
    "\"Labels\":{\"portico.enable\":\"1\",\"portico.service\":\"web\",\"portico.port\":\"80\",\"portico.network\":"  \
    "\"front\"}}}"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct seen {
    uint64_t hash;
    size_t events, refused;
};

static void mix(struct seen *seen, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        seen->hash = (seen->hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

static void check_event(const struct docker_event *event)
{
    size_t len = strnlen(event->id, sizeof event->id);
    check(event->action < DOCKER_EVENT_ACTION_COUNT && event->health < TASK_HEALTH_COUNT && event->time_nano >= 0);
    check(len <= 64 && strspn(event->id, "0123456789abcdef") == len);
    check(event->action == DOCKER_EVENT_OTHER || len > 0);
}

static void on_line(void *owner, struct slice line)
{
    struct seen *seen = owner;
    struct docker_event event;
    struct error error = { "" };
    check(line.len > 0 && !memchr(line.at, '\n', line.len));
    if (docker_event_parse(line, &event, &error)) {
        check_event(&event);
        mix(seen, &event, sizeof event);
        seen->events++;
    } else {
        check(error.text[0]);
        seen->refused++;
    }
}

/* step 0: one piece; otherwise pieces of 1 to step bytes. */
static struct seen read_stream(const char *at, size_t len, unsigned step)
{
    struct docker_lines lines;
    struct seen seen = { 0 };
    unsigned random = (unsigned)len;
    docker_lines_init(&lines);
    while (len > 0) {
        random = random * 1664525u + 1013904223u;
        size_t piece = step == 0 ? len : 1 + (random >> 16) % step;
        piece = piece < len ? piece : len;
        docker_lines_feed(&lines, (struct slice){ at, piece }, on_line, &seen);
        at += piece;
        len -= piece;
    }
    check(lines.dropped_count == 0);
    docker_lines_fini(&lines);
    return seen;
}

static void check_container(struct slice document, struct slice lender, const struct docker_label_scope *scope)
{
    struct docker_container seen;
    struct error warning;
    struct listen_address address;
    enum docker_verdict verdict = docker_container_parse(document, lender, scope, &seen, &warning);
    const struct task_spec *spec = &seen.spec;
    check(memchr(warning.text, '\0', sizeof warning.text));
    check((verdict != DOCKER_VERDICT_INVALID || warning.text[0]) &&
          (verdict != DOCKER_VERDICT_NOT_OURS || !warning.text[0]));
    check(verdict != DOCKER_VERDICT_BORROWS || (seen.lender[0] && lender.len == 0));
    if (verdict != DOCKER_VERDICT_TASK)
        return;
    check(spec->id[0] && spec->name[0] && spec->service[0] && spec->weight >= 1 && spec->weight <= 1000);
    check(spec->state < TASK_STATE_COUNT && spec->engine_health < TASK_HEALTH_COUNT);
    check((spec->state == TASK_RUNNING) == (spec->address[0] != '\0'));
    check(!spec->address[0] || listen_address_parse(spec->address, &address));
    check(!spec->path[0] || spec->path[0] == '/');
    check(!spec->managed || (!spec->host[0] && !spec->path[0]));
    check(seen.stop_signal >= 1 && seen.stop_signal <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct docker_label_scope scopes[] = { { .cluster = "prod" },
                                                        { .cluster = "prod", .network = "front" },
                                                        { .cluster = "prod", .remote_host = "192.0.2.1" } };
    const char *text = (const char *)bytes;
    struct seen whole = read_stream(text, len, 0);
    for (unsigned step = 1; step <= 33; step += 16) {
        struct seen pieces = read_stream(text, len, step);
        check(memcmp(&whole, &pieces, sizeof whole) == 0);
    }
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        check_container((struct slice){ text, len }, SLICE_LITERAL(""), &scopes[i]);
        check_container((struct slice){ text, len }, (struct slice){ text, len }, &scopes[i]);
        check_container(SLICE_LITERAL(BORROWER), (struct slice){ text, len }, &scopes[i]);
    }
    return 0;
}
