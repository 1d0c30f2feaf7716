#include "discovery/docker/event_stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "discovery/docker/engine_call.h"

#include <stdio.h>
#include <stdlib.h>

#define SINCE_SIZE 32
/* A stream that breaks sooner is taken for one that will break again: the back-off goes on growing. */
#define STABLE_MS 5000
/* Unreadable lines cost one full list, not one each. */
#define BAD_LINE_GAP_MS 500
#define BAD_LINES_LOGGED_MAX 10

struct docker_event_stream {
    struct docker_engine *engine; /* borrowed */
    struct docker_event_stream_callbacks callbacks;
    struct docker_call *call; /* null: waiting for `retry`, or not started */
    struct docker_lines lines;
    struct timer retry;
    struct timer bad_line_gap;
    bool is_started, is_open, gap_is_due;
    unsigned attempts;
    unsigned bad_lines_logged; /* of this connection */
    unsigned short random_seed[3];
    int64_t opened_at_ms, last_event_at_ms;
    int64_t last_time_nano; /* the engine's clock; 0: no event yet */
    uint64_t opened_count, events_count, bad_lines_count;
};

static void report_bad_line(struct docker_event_stream *stream, const char *reason)
{
    if (stream->bad_lines_logged++ < BAD_LINES_LOGGED_MAX)
        log_warn("docker events: a line was dropped: %s", reason);
    if (!stream->gap_is_due) {
        stream->gap_is_due = true;
        timer_start(&stream->bad_line_gap, BAD_LINE_GAP_MS);
    }
}

static void stream_on_bad_line_gap(void *owner)
{
    struct docker_event_stream *stream = owner;
    stream->gap_is_due = false;
    if (stream->is_open)
        stream->callbacks.on_gap(stream->callbacks.owner);
}

static void stream_on_line(void *owner, struct slice line)
{
    struct docker_event_stream *stream = owner;
    struct docker_event event;
    struct error error;
    if (!docker_event_parse(line, &event, &error)) {
        stream->bad_lines_count++;
        report_bad_line(stream, error.text);
        return;
    }
    stream->last_event_at_ms = clock_now_ms();
    if (event.time_nano > 0)
        stream->last_time_nano = event.time_nano;
    if (event.action == DOCKER_EVENT_OTHER)
        return;
    stream->events_count++;
    stream->callbacks.on_event(stream->callbacks.owner, &event);
}

static void stream_on_head(void *owner, int status)
{
    struct docker_event_stream *stream = owner;
    if (status != 200)
        return; /* stream_on_done has the engine's words */
    stream->is_open = true;
    stream->opened_count++;
    stream->opened_at_ms = clock_now_ms();
    stream->bad_lines_logged = 0;
    stream->callbacks.on_gap(stream->callbacks.owner);
}

static bool stream_on_piece(void *owner, struct slice piece)
{
    struct docker_event_stream *stream = owner;
    uint64_t dropped = stream->lines.dropped_count;
    docker_lines_feed(&stream->lines, piece, stream_on_line, stream);
    if (stream->lines.dropped_count != dropped)
        report_bad_line(stream, "it is too long");
    return true;
}

static void stream_on_done(void *owner, const struct docker_answer *answer)
{
    struct docker_event_stream *stream = owner;
    bool was_stable = stream->is_open && clock_now_ms() - stream->opened_at_ms >= STABLE_MS;
    if (stream->is_open)
        log_warn("docker events: open -> closed: %s", answer->text);
    else if (answer->result != DOCKER_UNREACHABLE) /* that the engine is away has been said */
        log_warn("docker events: not opened: %s", answer->text);
    stream->call = NULL;
    stream->is_open = false;
    stream->attempts = was_stable ? 0 : stream->attempts;
    timer_start(&stream->retry, docker_backoff_ms(stream->attempts++, (uint32_t)nrand48(stream->random_seed)));
}

static void stream_open(void *owner)
{
    struct docker_event_stream *stream = owner;
    char since[SINCE_SIZE] = "";
    if (stream->call)
        return;
    if (stream->last_time_nano > 0)
        snprintf(since, sizeof since, "%lld.%09lld", (long long)(stream->last_time_nano / 1000000000),
                 (long long)(stream->last_time_nano % 1000000000));
    docker_lines_clear(&stream->lines);
    stream->call = docker_engine_watch(stream->engine, since, stream_on_head, stream_on_piece, stream_on_done, stream);
}

/* ---- public ---- */

struct docker_event_stream *docker_event_stream_new(struct loop *loop, struct docker_engine *engine,
                                                    const struct docker_event_stream_callbacks *callbacks)
{
    struct docker_event_stream *stream = mem_alloc(sizeof *stream);
    stream->engine = engine;
    stream->callbacks = *callbacks;
    memcpy(stream->random_seed, &(int64_t){ clock_now_us() }, sizeof stream->random_seed);
    docker_lines_init(&stream->lines);
    timer_init(&stream->retry, loop, stream_open, stream);
    timer_init(&stream->bad_line_gap, loop, stream_on_bad_line_gap, stream);
    return stream;
}

void docker_event_stream_free(struct docker_event_stream *stream)
{
    if (!stream)
        return;
    timer_stop(&stream->retry);
    timer_stop(&stream->bad_line_gap);
    if (stream->call)
        docker_engine_cancel(stream->engine, stream->call);
    docker_lines_fini(&stream->lines);
    free(stream);
}

void docker_event_stream_start(struct docker_event_stream *stream)
{
    stream->is_started = true;
    stream_open(stream);
}

void docker_event_stream_retry_now(struct docker_event_stream *stream)
{
    if (!stream->is_started || stream->call)
        return;
    timer_stop(&stream->retry);
    stream->attempts = 0;
    stream_open(stream);
}

bool docker_event_stream_is_open(const struct docker_event_stream *stream)
{
    return stream->is_open;
}

void docker_event_stream_status(const struct docker_event_stream *stream, struct docker_event_stream_status *out)
{
    *out = (struct docker_event_stream_status){
        .open = stream->is_open,
        .opened_count = stream->opened_count,
        .events_count = stream->events_count,
        .bad_lines_count = stream->bad_lines_count,
        .dropped_lines_count = stream->lines.dropped_count,
        .last_event_at_ms = stream->last_event_at_ms,
    };
}
