#include "daemon/publish/publisher.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/frame_link.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/publish/publication.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COALESCE_MS 2           /* changes of a turn, and of the ones just behind it, make one frame */
#define HOLD_POLL_MS 20         /* until the first snapshot may be sent */
#define COLD_START_WAIT_MS 1000 /* for the first lists, when the data plane serves nothing anyway */
#define PROBE_WAIT_MS 3000      /* for first probe results, behind the first lists */
#define BEGIN_WAIT_MS 800       /* for those of all services, while nothing serves and one could */
#define HOLD_WARN_MS 10000
#define RELINK_MS 1000
#define RETRY_FIRST_MS 100
#define RETRY_SLOWEST_MS 30000
#define ANSWER_BYTES_MAX (64u << 10)
#define SERIALS_OF_A_LIFE_BITS 32
#define RELINK_SLOWEST_MS 30000 /* to a proxy that breaks the protocol again and again */

struct publisher {
    struct publisher_parts parts;
    struct publication *publication;
    uint8_t providers[PUBLISHER_PROVIDERS_MAX];
    size_t provider_count;
    struct frame_link *link; /* null: none */
    struct timer flush, relink, age;
    int64_t flush_at_ms;                 /* 0: not scheduled */
    int64_t started_at_ms, synced_at_ms; /* synced: 0 until all first lists are complete */
    bool is_greeted;                     /* hello came on this link */
    bool has_sent;                       /* anything, in the life of this process: from then on nothing is held back */
    bool needs_snapshot;                 /* the next frame must be a whole one */
    bool is_serving;                     /* the data plane has some snapshot */
    bool is_content_known;               /* what the data plane has is what `publication` remembers */
    bool has_warned_of_hold;
    bool has_recalled;      /* or tried to */
    uint64_t peer_serial;   /* of hello */
    uint64_t serial;        /* of the newest frame */
    uint64_t first_serial;  /* of our first frame; 0: none yet */
    uint64_t resync_serial; /* answers to frames before it do not count */
    uint64_t acked_serial;
    uint32_t rejections_in_a_row;
    uint32_t broken_links_in_a_row;            /* by frames against the protocol */
    int64_t retry_at_ms;                       /* no frame before it */
    int64_t sent_at_ms[PUBLISHER_UNACKED_MAX]; /* by serial modulo */
    int64_t unlinked_at_ms;
    uint64_t frame_count, ack_count, rejection_count, link_count;
    char last_rejection[256];
};

/* ---- may we send? ---- */

typedef bool (*is_there_cb)(const struct task_registry *registry, uint8_t provider);

/* The first provider of which that is not true; null: it is of all. */
static const char *find_without(const struct publisher *p, is_there_cb is_there)
{
    for (size_t i = 0; i < p->provider_count; i++) {
        if (!is_there(p->parts.registry, p->providers[i]))
            return task_registry_provider_name(p->parts.registry, p->providers[i]);
    }
    return NULL;
}

/* That has neither a list yet nor tasks of before. */
static const char *find_unknown(const struct publisher *p)
{
    return find_without(p, task_registry_is_known);
}

/* An earlier snapshot serves: a task that it has must not leave for want of a probe. */
static bool may_replace(const struct publication_outlook *outlook)
{
    return outlook->unprobed_count == 0;
}

/* Nothing serves, and who connects waits in the kernel's queue: one that hangs must not hold up the others. */
static bool may_begin(const struct publication_outlook *outlook, int64_t waited_ms)
{
    return outlook->unanswered_count == 0 || (outlook->served_count > 0 && waited_ms >= BEGIN_WAIT_MS);
}

static void tell(const struct publisher *p, const char *text)
{
    log_warn("%s", text);
    if (p->parts.on_refusal)
        p->parts.on_refusal(p->parts.owner, "", text);
}

static void warn_of_hold(struct publisher *p, int64_t now_ms)
{
    if (p->has_warned_of_hold || now_ms - p->started_at_ms < HOLD_WARN_MS)
        return;
    p->has_warned_of_hold = true;
    char text[160];
    const char *provider = find_unknown(p);
    snprintf(text, sizeof text, "the proxy keeps its snapshot %llu: the %s provider has no complete list yet",
             (unsigned long long)p->peer_serial, provider ? provider : "-");
    tell(p, text);
}

static void tell_of_end_of_hold(const struct publisher *p)
{
    char text[160];
    snprintf(text, sizeof text, "changes are no longer held back from the proxy, after %lld s",
             (long long)(clock_now_ms() - p->started_at_ms) / 1000);
    if (p->has_warned_of_hold)
        tell(p, text);
}

/* An earlier process of ours has told a proxy what it knew. */
static bool has_forerunner(const struct publisher *p)
{
    return p->parts.is_restart || p->parts.succeeds || p->peer_serial > 0;
}

static bool may_recall(const struct publisher *p)
{
    return !p->has_sent && !p->has_recalled && p->parts.recall && has_forerunner(p) && find_unknown(p);
}

static void recall_if_late(struct publisher *p, int64_t now_ms)
{
    if (!may_recall(p) || now_ms - p->started_at_ms < PUBLISHER_LIST_WAIT_MS)
        return;
    p->has_recalled = true;
    p->parts.recall(p->parts.owner, find_unknown(p));
}

static bool may_send_first(struct publisher *p, int64_t now_ms)
{
    bool is_served = p->peer_serial > 0 || p->parts.succeeds;
    if (p->synced_at_ms == 0 && !find_unknown(p))
        p->synced_at_ms = now_ms;
    if (!is_served && !p->parts.is_restart)
        return p->synced_at_ms != 0 || now_ms - p->started_at_ms >= COLD_START_WAIT_MS;
    if (!is_served && now_ms - p->started_at_ms >= PROBE_WAIT_MS)
        return true;
    if (p->synced_at_ms != 0) {
        struct publication_outlook outlook;
        int64_t waited_ms = now_ms - p->synced_at_ms;
        publication_look_out(p->publication, &outlook);
        if (waited_ms >= PROBE_WAIT_MS || (is_served ? may_replace(&outlook) : may_begin(&outlook, waited_ms)))
            return true;
    }
    warn_of_hold(p, now_ms);
    return false;
}

static uint64_t unacked_count(const struct publisher *p)
{
    uint64_t acked = p->acked_serial;
    if (acked + 1 < p->resync_serial)
        acked = p->resync_serial - 1; /* frames before it are settled: refused, or lost with their link */
    return p->serial > acked ? p->serial - acked : 0;
}

/* ---- sending ---- */

static int64_t relink_delay_ms(const struct publisher *p)
{
    int64_t delay_ms = RELINK_MS;
    for (uint32_t i = 1; i < p->broken_links_in_a_row && delay_ms < RELINK_SLOWEST_MS; i++)
        delay_ms *= 2;
    return delay_ms < RELINK_SLOWEST_MS ? delay_ms : RELINK_SLOWEST_MS;
}

static void drop_link(struct publisher *p)
{
    frame_link_free(p->link);
    p->link = NULL;
    p->is_greeted = false;
    p->unlinked_at_ms = clock_now_ms();
    timer_start(&p->relink, relink_delay_ms(p));
}

static bool send_frame(struct publisher *p, json_t *frame)
{
    char *text = json_to_text(frame);
    json_decref(frame);
    check(text != NULL);
    bool sent = frame_link_send(p->link, slice_of(text));
    free(text);
    p->frame_count++;
    p->sent_at_ms[p->serial % PUBLISHER_UNACKED_MAX] = clock_now_ms();
    return sent; /* if not: on_close follows, and the next link starts with a snapshot */
}

static void send_snapshot(struct publisher *p)
{
    uint64_t serial = p->serial + 1;
    json_t *frame = publication_write_snapshot(p->publication, serial);
    p->serial = p->resync_serial = serial;
    p->first_serial = p->first_serial ? p->first_serial : serial;
    p->needs_snapshot = false;
    if (!p->has_sent) {
        log_info("first snapshot, serial %llu", (unsigned long long)serial);
        tell_of_end_of_hold(p);
    }
    p->has_sent = true;
    send_frame(p, frame);
}

static void send_patch(struct publisher *p)
{
    json_t *frame = publication_write_patch(p->publication, p->serial + 1);
    if (!frame)
        return;
    p->serial++;
    send_frame(p, frame);
}

/* At the latest then: who is in a hurry does not wait for somebody's back-off. */
static void schedule(struct publisher *p, int64_t delay_ms)
{
    int64_t at_ms = clock_now_ms() + delay_ms;
    if (p->flush_at_ms != 0 && p->flush_at_ms <= at_ms)
        return;
    p->flush_at_ms = at_ms;
    timer_start(&p->flush, delay_ms);
}

static void publisher_on_flush(void *owner)
{
    struct publisher *p = owner;
    int64_t now_ms = clock_now_ms();
    p->flush_at_ms = 0;
    recall_if_late(p, now_ms); /* also without a link: a list that comes then without them would take them away */
    publication_refresh(p->publication);
    int64_t next_age_ms = publication_age(p->publication, now_ms);
    if (next_age_ms >= 0)
        timer_start(&p->age, next_age_ms);
    if (!p->link || !p->is_greeted || unacked_count(p) >= PUBLISHER_UNACKED_MAX) {
        if (may_recall(p))
            schedule(p, HOLD_POLL_MS);
        return; /* a hello or an acknowledgement continues */
    }
    if (!p->has_sent && !may_send_first(p, now_ms))
        schedule(p, HOLD_POLL_MS);
    else if (now_ms < p->retry_at_ms)
        schedule(p, p->retry_at_ms - now_ms);
    else if (p->needs_snapshot)
        send_snapshot(p);
    else
        send_patch(p);
}

static void publisher_on_change(void *owner, const char *service)
{
    struct publisher *p = owner;
    publication_note_service(p->publication, service);
    schedule(p, COALESCE_MS);
}

/* ---- what the data plane says ---- */

/* The proxy reads the Internet: it may have been taken over and lie. It can harm its own traffic, nothing else. */
static bool read_serial(const json_t *frame, uint64_t *out)
{
    int64_t serial = 0;
    if (!json_find_integer(frame, "serial", &serial) || serial < 0)
        return false;
    *out = (uint64_t)serial;
    return true;
}

static bool take_hello(struct publisher *p, const json_t *frame)
{
    uint64_t serial;
    if (p->is_greeted || !read_serial(frame, &serial) || serial > p->serial)
        return false; /* nobody has sent it that */
    p->is_greeted = true;
    p->unlinked_at_ms = 0;
    p->peer_serial = serial;
    bool is_ours = p->first_serial != 0 && p->peer_serial >= p->first_serial && p->peer_serial <= p->serial;
    if (serial == 0)
        publication_forget_sent(p->publication);
    p->is_content_known = serial == 0 || is_ours;
    p->is_serving = serial > 0;
    p->needs_snapshot = true;
    p->rejections_in_a_row = 0;
    p->retry_at_ms = 0;
    /* Nothing that was under way on an older link counts, ours or an earlier control's: a gap tells late answers apart.
     */
    p->serial += PUBLISHER_UNACKED_MAX;
    p->resync_serial = p->serial + 1;
    log_info("linked to the proxy, which serves snapshot %llu", (unsigned long long)serial);
    schedule(p, 0);
    return true;
}

static bool take_ack(struct publisher *p, const json_t *frame)
{
    uint64_t serial;
    if (!read_serial(frame, &serial))
        return false;
    p->ack_count++;
    if (serial < p->resync_serial || serial <= p->acked_serial || serial > p->serial)
        return true;
    p->acked_serial = serial;
    p->broken_links_in_a_row = 0;
    p->is_content_known = p->is_serving = true;
    p->rejections_in_a_row = 0;
    publication_acknowledge(p->publication, serial);
    schedule(p, 0); /* what had to wait */
    return true;
}

/* Our document is wrong: a bug. Again from scratch, more and more slowly, while the proxy serves what it has. */
static bool take_rejection(struct publisher *p, const json_t *frame)
{
    uint64_t serial;
    const char *error = json_find_string(frame, "error");
    if (!read_serial(frame, &serial))
        return false;
    p->rejection_count++;
    snprintf(p->last_rejection, sizeof p->last_rejection, "%s", error ? error : "no reason given");
    if (serial < p->resync_serial || serial > p->serial)
        return true;
    log_error("the proxy refused snapshot %llu: %s", (unsigned long long)serial, p->last_rejection);
    int64_t delay_ms = 0;
    for (uint32_t i = 0; i < p->rejections_in_a_row && delay_ms < RETRY_SLOWEST_MS; i++)
        delay_ms = delay_ms ? delay_ms * 2 : RETRY_FIRST_MS;
    p->rejections_in_a_row++;
    p->retry_at_ms = clock_now_ms() + delay_ms;
    p->needs_snapshot = true;
    p->resync_serial = p->serial + 1;
    schedule(p, 0);
    return true;
}

static bool take_frame(struct publisher *p, const json_t *frame)
{
    const char *type = json_find_string(frame, "type");
    if (!type)
        return false;
    if (strcmp(type, "hello") == 0)
        return take_hello(p, frame);
    if (strcmp(type, "ack") == 0)
        return p->is_greeted && take_ack(p, frame);
    if (strcmp(type, "rejected") == 0)
        return p->is_greeted && take_rejection(p, frame);
    return false;
}

static void publisher_on_frame(void *owner, struct slice text)
{
    static const struct json_limits limits = { .bytes_max = ANSWER_BYTES_MAX, .depth_max = 4, .values_max = 64 };
    struct publisher *p = owner;
    struct error error = { "not what the link's protocol allows" };
    json_t *frame = json_parse_bounded(text, &limits, &error);
    bool ok = frame && take_frame(p, frame);
    json_decref(frame);
    if (ok)
        return;
    p->broken_links_in_a_row++;
    log_error("frame from the proxy: %s; asking for a new link", error.text);
    drop_link(p);
}

static void publisher_on_link_close(void *owner, const char *reason)
{
    struct publisher *p = owner;
    log_warn("link to the proxy closed: %s", reason);
    drop_link(p);
}

static void publisher_on_relink(void *owner)
{
    struct publisher *p = owner;
    p->parts.ask_for_link(p->parts.owner);
    timer_start(&p->relink, RELINK_MS);
}

uint64_t publisher_serial_base(uint64_t earlier_lives)
{
    uint64_t lives = earlier_lives < PUBLISHER_LIVES_MAX ? earlier_lives : PUBLISHER_LIVES_MAX - 1;
    return lives << SERIALS_OF_A_LIFE_BITS;
}

struct publisher *publisher_new(const struct publisher_parts *parts)
{
    struct publisher *p = mem_alloc(sizeof *p);
    p->parts = *parts;
    p->publication = publication_new(parts->registry, parts->bound_listeners);
    p->serial = parts->serial_base;
    p->started_at_ms = p->unlinked_at_ms = clock_now_ms();
    timer_init(&p->flush, parts->loop, publisher_on_flush, p);
    timer_init(&p->relink, parts->loop, publisher_on_relink, p);
    timer_init(&p->age, parts->loop, publisher_on_flush, p);
    publication_set_listener(p->publication, parts->on_refusal, parts->owner);
    task_registry_set_listener(parts->registry, publisher_on_change, p);
    timer_start(&p->relink, RELINK_MS);
    return p;
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    task_registry_set_listener(p->parts.registry, NULL, NULL);
    frame_link_free(p->link);
    timer_stop(&p->flush);
    timer_stop(&p->relink);
    timer_stop(&p->age);
    publication_free(p->publication);
    free(p);
}

void publisher_add_provider(struct publisher *p, uint8_t provider)
{
    check(p->provider_count < PUBLISHER_PROVIDERS_MAX);
    p->providers[p->provider_count++] = provider;
}

void publisher_apply_config(struct publisher *p, const struct config *config)
{
    publication_apply_config(p->publication, config);
    schedule(p, COALESCE_MS);
}

void publisher_set_link(struct publisher *p, int fd)
{
    static const struct frame_link_callbacks callbacks = { .frame_bytes_max = ANSWER_BYTES_MAX,
                                                           .on_frame = publisher_on_frame,
                                                           .on_close = publisher_on_link_close };
    if (p->link)
        frame_link_free(p->link);
    timer_stop(&p->relink);
    p->is_greeted = false;
    p->link_count++;
    p->link = frame_link_new(p->parts.loop, fd, &callbacks, p);
}

bool publisher_is_out_of_rotation(const struct publisher *p, const char *task_id)
{
    return p->is_content_known && publication_is_out_of_rotation(p->publication, task_id);
}

void publisher_each_route(struct publisher *p, route_book_cb each, void *owner)
{
    publication_each_route(p->publication, each, owner);
}

void publisher_link(const struct publisher *p, struct publisher_link *out)
{
    uint64_t unacked = unacked_count(p);
    *out = (struct publisher_link){ .is_linked = p->is_greeted,
                                    .is_holding = p->is_greeted && !p->has_sent,
                                    .unlinked_at_ms = p->unlinked_at_ms };
    if (unacked > 0)
        out->oldest_unacked_at_ms = p->sent_at_ms[(p->serial - unacked + 1) % PUBLISHER_UNACKED_MAX];
}

void publisher_status(const struct publisher *p, struct publisher_status *out)
{
    struct publication_status publication;
    struct publisher_link link;
    publisher_link(p, &link);
    publication_status(p->publication, &publication);
    *out = (struct publisher_status){ .is_linked = link.is_linked,
                                      .is_serving = p->is_serving,
                                      .is_holding = link.is_holding,
                                      .oldest_unacked_at_ms = link.oldest_unacked_at_ms,
                                      .sent_serial = p->serial,
                                      .acked_serial = p->acked_serial,
                                      .frame_count = p->frame_count,
                                      .ack_count = p->ack_count,
                                      .rejection_count = p->rejection_count,
                                      .link_count = p->link_count,
                                      .unlinked_at_ms = link.unlinked_at_ms,
                                      .service_count = publication.service_count,
                                      .route_count = publication.route_count,
                                      .endpoint_count = publication.endpoint_count,
                                      .failing_open_count = publication.failing_open_count,
                                      .left_out_count = publication.left_out_count,
                                      .refusals = publication.refusals };
    snprintf(out->left_out, sizeof out->left_out, "%s", publication.left_out);
    const char *held_by = out->is_holding ? find_unknown(p) : NULL;
    const char *recalled = find_unknown(p) ? NULL : find_without(p, task_registry_is_synced);
    snprintf(out->held_by, sizeof out->held_by, "%s", held_by ? held_by : "");
    snprintf(out->recalled, sizeof out->recalled, "%s", recalled ? recalled : "");
    snprintf(out->last_rejection, sizeof out->last_rejection, "%s", p->last_rejection);
}
