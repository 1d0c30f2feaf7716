#include "tests/unit/proxy/exchange/conversation_script.h"

#include "tests/unit/proxy/exchange/conversation_reader.h"
#include "tests/unit/proxy/exchange/conversation_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD_REQUESTS_MAX 5
#define PUBLICATIONS_MAX 6
#define DOCUMENT_BYTES 2048

/* In the order of their letters. */
static const struct proxy_under_test {
    const char *settings;
    const char *listeners;  /* do not change with the settings of another one */
    const char *of_service; /* what "web" has beside its endpoints */
    bool knows_clients;     /* X-Forwarded-For names them, and them alone */
} proxies[] = {
    { "", "", "", true },
    { "\"balancer\":\"round_robin\",\"retries\":3,\"limits\":{\"headBytes\":1024,\"fieldCount\":8,"
      "\"replayBytes\":64,\"upstreamIdlePerEndpoint\":1,\"bodyBytesPerSecondMin\":0},"
      "\"timeouts\":{\"requestMs\":3000},",
      "", "", true },
    { "\"desync\":\"monitor\",\"acceptBareLf\":true,\"trustedProxies\":[\"192.0.2.0/24\"],"
      "\"forwardedFor\":\"preserve\",\"sendForwarded\":true,\"accessLogFormat\":\"combined\",",
      "", "", false },
    { "\"trustedProxies\":[\"192.0.2.0/24\"],", "{\"proxyProtocol\":true}", "\"proxyProtocol\":\"v1\",", false },
    { "\"desync\":\"strictest\",\"clients\":{\"connections\":2,\"requestsPerSecond\":3,"
      "\"bodyBytesPerSecond\":1000},",
      "", "", true },
    { "\"balancer\":\"least_conn\",\"retries\":0,\"limits\":{\"upstreamIdlePerEndpoint\":0,"
      "\"replayBytes\":0},",
      "", "", true },
};
#define PROXIES (sizeof proxies / sizeof *proxies)

enum script_flag {
    FLAG_CLIENT_BYTES = 1,
    FLAG_ENDPOINT_BYTES = 2,
    FLAG_SENDS_ONE = 4,
    FLAG_SMALL_SOCKETS = 8,
    FLAG_TIME_ENDS = 16
};

/* What is published: endpoints by their number in the script, the settings and the service of one of the proxies. */
struct publication {
    size_t endpoints, settings;
};

struct script {
    struct rig *rig;
    const struct proxy_under_test *proxy;
    struct publication published;
    bool knows_clients;    /* as all settings so far let it */
    bool has_new_settings; /* other than those that it began with, at any time */
    unsigned flags, single_bytes_left, publications_left;
    size_t client, upstream;
    bool names_upstream;
};

static struct rig *rigs[PROXIES]; /* each is made when it is first needed */

/* ---- steps ---- */

static struct rig_peer *client_of(const struct script *s)
{
    return &s->rig->clients[s->client];
}

static struct rig_peer *upstream_of(const struct script *s)
{
    struct rig *rig = s->rig;
    if (rig->upstream_count == 0)
        return NULL;
    size_t at = rig->upstream_count - 1;
    if (s->names_upstream)
        return &rig->upstreams[s->upstream % rig->upstream_count];
    while (at > 0 && (rig->upstreams[at].fd < 0 || rig->upstreams[at].worker_fd < 0))
        at--;
    return &rig->upstreams[at];
}

static void put(struct script *s, struct rig_peer *peer, const char *bytes, size_t len, bool one_by_one)
{
    for (; one_by_one && len > 0 && s->single_bytes_left > 0; bytes++, len--) {
        s->single_bytes_left--;
        rig_put(peer, bytes, 1);
        rig_settle(s->rig);
    }
    if (len > 0)
        rig_put(peer, bytes, len);
}

/* Marks of others become its own. */
static void say(struct script *s, struct rig_peer *peer, bool is_client, const uint8_t *bytes, size_t len)
{
    unsigned first = is_client ? READING_CLIENT_MARK : READING_UPSTREAM_MARK;
    unsigned count = is_client ? READING_CLIENTS : READING_UPSTREAMS;
    size_t number = is_client ? s->client : (size_t)(peer - s->rig->upstreams);
    unsigned char *own = malloc(len ? len : 1);
    for (size_t i = 0; own && i < len; i++)
        own[i] = bytes[i] >= first && bytes[i] < first + count ? (uint8_t)(first + number) : bytes[i];
    put(s, peer, (const char *)own, len, s->flags & (is_client ? FLAG_CLIENT_BYTES : FLAG_ENDPOINT_BYTES));
    free(own);
}

static void fill(struct script *s, struct rig_peer *peer, bool is_client, uint8_t kib)
{
    static uint8_t filling[64 * 1024];
    size_t len = ((size_t)(kib & 63) + 1) * 1024;
    unsigned number = is_client ? (unsigned)s->client : (unsigned)(peer - s->rig->upstreams);
    memset(filling, (int)((is_client ? READING_CLIENT_MARK : READING_UPSTREAM_MARK) + number), len);
    rig_put(peer, filling, len);
}

/* What clients and endpoints do to their connections. */
static bool act(struct script *s, char what, const uint8_t *rest, size_t len)
{
    bool is_client = strchr("CLhxrb", what) != NULL;
    struct rig_peer *peer = is_client ? client_of(s) : upstream_of(s);
    if (!strchr("CLhxrbUMHXRB", what))
        return false;
    if (!peer)
        return true;
    switch (what) {
    case 'C':
    case 'U':
        say(s, peer, is_client, rest, len);
        break;
    case 'L':
    case 'M':
        fill(s, peer, is_client, len > 0 ? rest[0] : 0);
        break;
    case 'h':
    case 'H':
        rig_half_close(peer);
        break;
    case 'x':
    case 'X':
        rig_close(peer);
        break;
    case 'r':
    case 'R':
        rig_reset(peer);
        break;
    default:
        peer->is_holding = !peer->is_holding;
        peer->has_news = true;
        break;
    }
    return true;
}

static void pass_time(struct script *s, uint8_t n)
{
    static const int64_t spans_ms[] = { 0, 20, 100, 1000, 2000, 5000, 10000, 30000, 60000, 600000 };
    rig_pass_time(s->rig, spans_ms[n % (sizeof spans_ms / sizeof *spans_ms)]);
}

static void finish_connecting(struct rig *rig)
{
    for (size_t i = 0; i < rig->upstream_count; i++)
        rig_finish_connecting(&rig->upstreams[i]);
}

/* With both endpoints, with one, with none, and without the service. */
static void write_document(const struct proxy_under_test *proxy, struct publication what, char out[DOCUMENT_BYTES])
{
    static const char *const endpoints[] = {
        "{\"id\":\"1\",\"address\":\"127.0.0.1:1\"},{\"id\":\"2\",\"address\":\"127.0.0.1:2\"}",
        "{\"id\":\"2\",\"address\":\"127.0.0.1:2\"}", "", NULL
    };
    const struct proxy_under_test *with = &proxies[what.settings];
    char web[512] = "";
    bool has_web = endpoints[what.endpoints] != NULL;
    if (has_web)
        snprintf(web, sizeof web, "{\"name\":\"web\",%s\"endpoints\":[%s]},", with->of_service,
                 endpoints[what.endpoints]);
    snprintf(out, DOCUMENT_BYTES,
             "{\"version\":1,\"serial\":1,\"settings\":{%s\"listeners\":[%s]},\"services\":[%s{\"name\":\"empty\"}],"
             "\"routes\":[%s{\"host\":\"*\",\"path\":\"/empty\",\"service\":\"empty\"}]}",
             with->settings, proxy->listeners, web,
             has_web ? "{\"host\":\"*\",\"path\":\"/\",\"service\":\"web\"}," : "");
}

static struct publication first_of(const struct proxy_under_test *proxy)
{
    return (struct publication){ .settings = (size_t)(proxy - proxies) };
}

static void publish(struct script *s, struct publication what)
{
    char document[DOCUMENT_BYTES];
    if (s->publications_left == 0)
        return;
    s->publications_left--;
    s->published = what;
    s->knows_clients &= proxies[what.settings].knows_clients;
    s->has_new_settings |= &proxies[what.settings] != s->proxy;
    write_document(s->proxy, what, document);
    rig_publish(s->rig, document);
}

/* Circumstances. */
static void arrange(struct script *s, char what, uint8_t n)
{
    struct rig *rig = s->rig;
    switch (what) {
    case 'n':
        s->client = rig_open_client(rig) ? rig->client_count - 1 : s->client;
        break;
    case '0':
    case '1':
    case '2':
    case '3':
        s->client = (size_t)(what - '0') < rig->client_count ? (size_t)(what - '0') : s->client;
        break;
    case 'u':
        s->names_upstream = true;
        s->upstream = n & 7;
        break;
    case 't':
        pass_time(s, n & 15);
        break;
    case 'w':
        rig->send_bytes_max = n & 15;
        break;
    case 'p':
        rig->receive_bytes_max = n & 15;
        break;
    case 'k':
        rig->connect = (enum rig_connect)((n & 15) % RIG_CONNECT_COUNT);
        break;
    case 'K':
        finish_connecting(rig);
        break;
    case 'm':
        rig->worker->buffers.limit_bytes = (uint64_t)(n & 15) * 16384;
        break;
    case 'd':
        rig_drain(rig);
        break;
    case 's':
        publish(s, (struct publication){ n & 3u, s->published.settings });
        break;
    case 'S':
        publish(s, (struct publication){ s->published.endpoints, (n & 15u) % PROXIES });
        break;
    default:
        break;
    }
}

static void take_step(struct script *s, const uint8_t *step, size_t len)
{
    bool is_joined = len > 1 && step[0] == '&';
    step += is_joined;
    len -= is_joined;
    if (len == 0)
        return;
    if (step[0] == '\0' || !act(s, (char)step[0], step + 1, len - 1))
        arrange(s, (char)step[0], len > 1 ? step[1] : 0);
    if (!is_joined)
        rig_settle(s->rig);
}

/* ---- what went out ---- */

static size_t count_text(const struct buf *in, const char *text)
{
    size_t count = 0, len = strlen(text);
    for (const char *at = in->at; at && (at = memmem(at, (size_t)(in->at + in->len - at), text, len)); at++)
        count++;
    return count;
}

static void fail_reading(const char *who, const struct reading *r, const char *why)
{
    fprintf(stderr, "---- what went to the %s, read up to %zu of %zu:\n", who, r->at, r->stream.len);
    fwrite(r->stream.at, 1, r->stream.len, stderr);
    fputs("\n----\n", stderr);
    rig_fail(who, why);
}

static bool is_subsequence(const struct buf *part, const struct buf *whole)
{
    size_t found = 0;
    for (size_t i = 0; i < whole->len && found < part->len; i++)
        found += whole->at[i] == part->at[found];
    return found == part->len;
}

/* While settings change, each connection has the header or not, as was said when it was made. */
static bool has_proxy_header(const struct script *s, const struct rig_peer *peer)
{
    static const char begin[] = "PROXY TCP4 ";
    size_t len = sizeof begin - 1;
    if (!s->has_new_settings)
        return s->proxy->of_service[0] != '\0';
    return peer->received.len >= len && memcmp(peer->received.at, begin, len) == 0;
}

/* Returns the mask of the clients whose requests may have gone to it. */
static uint32_t check_upstream(struct script *s, const struct rig_peer *peer, unsigned *requests,
                               struct script_result *result)
{
    struct reading r;
    reading_init(&r, (struct slice){ peer->received.at, peer->received.len });
    r.via = RIG_VIA;
    r.may_switch = count_text(&peer->sent, " 101") > 0;
    r.has_proxy_header = has_proxy_header(s, peer);
    reading_take_requests(&r);
    if (r.violation)
        fail_reading("endpoint", &r, r.violation);
    if (r.has_strange_mark && s->knows_clients)
        fail_reading("endpoint", &r, "bytes of another client");
    uint32_t clients = r.message_count > 0 && s->knows_clients && r.client >= 0 ? r.clients : ~0u;
    if (peer->received.len == 0)
        clients = 0;
    for (unsigned i = 0; i < READING_CLIENTS; i++) {
        if (clients == 1u << i && !is_subsequence(&r.content, &s->rig->clients[i].sent))
            fail_reading("endpoint", &r, "a body that nobody has sent");
    }
    *requests += r.message_count;
    if (result)
        buf_append(&result->requests, r.text.at, r.text.len);
    reading_fini(&r);
    return clients;
}

/* How many answers a client may get: one for each of its requests, and one more for a head that was not whole. What is not
 * read strictly here the proxy may still take, or refuse: then its heads are counted roughly. */
static size_t answers_due(const struct rig_peer *peer)
{
    struct reading sent;
    reading_init(&sent, (struct slice){ peer->sent.at, peer->sent.len });
    reading_take_requests(&sent);
    size_t due = sent.message_count + !sent.ends_in_body;
    if (sent.violation)
        due = count_text(&peer->sent, "\n\r\n") + count_text(&peer->sent, "\n\n") + 1;
    reading_fini(&sent);
    return due;
}

/* The only connection to an endpoint that may have served the client; null when there are more, or none. */
static const struct rig_peer *only_server(const struct script *s, size_t number, const uint32_t *served)
{
    const struct rig_peer *only = NULL;
    for (size_t i = 0; i < s->rig->upstream_count; i++) {
        if (!(served[i] & 1u << number))
            continue;
        if (only)
            return NULL;
        only = &s->rig->upstreams[i];
    }
    return only;
}

static void check_client(struct script *s, size_t number, const uint32_t *served, struct script_result *result)
{
    const struct rig_peer *peer = &s->rig->clients[number];
    struct reading r;
    size_t head_requests = count_text(&peer->sent, "HEAD ");
    reading_init(&r, (struct slice){ peer->received.at, peer->received.len });
    r.head_requests = head_requests < HEAD_REQUESTS_MAX ? (unsigned)head_requests : HEAD_REQUESTS_MAX;
    reading_take_responses(&r);
    if (r.violation && head_requests <= HEAD_REQUESTS_MAX)
        fail_reading("client", &r, r.violation);
    if (r.message_count > answers_due(peer))
        fail_reading("client", &r, "more answers than requests");
    const struct rig_peer *server = only_server(s, number, served);
    if (server && !is_subsequence(&r.content, &server->sent))
        fail_reading("client", &r, "a body that the endpoint has not sent");
    for (size_t i = 0; i < peer->received.len; i++) {
        unsigned char c = (unsigned char)peer->received.at[i];
        if (c >= READING_UPSTREAM_MARK && !(served[c - READING_UPSTREAM_MARK] & 1u << number))
            fail_reading("client", &r, "bytes of an answer to another client");
    }
    if (result)
        buf_append(&result->responses, r.text.at, r.text.len);
    reading_fini(&r);
}

static void check_what_went_out(struct script *s, struct script_result *result)
{
    uint32_t served[RIG_UPSTREAMS_MAX] = { 0 };
    unsigned requests = 0;
    for (size_t i = 0; i < s->rig->upstream_count; i++)
        served[i] = check_upstream(s, &s->rig->upstreams[i], &requests, result);
    if (requests > rig_tries(s->rig))
        rig_fail("not kept", "no request is read that was not sent");
    for (size_t i = 0; i < s->rig->client_count; i++)
        check_client(s, i, served, result);
}

/* ---- public ---- */

void script_run(const uint8_t *script, size_t len, const struct script_limits *limits, struct script_result *result)
{
    if (result)
        *result = (struct script_result){ 0 };
    if (len < 2)
        return;
    size_t which = (script[0] & 31u) ? ((script[0] & 31u) - 1) % PROXIES : 0;
    char document[DOCUMENT_BYTES];
    write_document(&proxies[which], first_of(&proxies[which]), document);
    if (!rigs[which])
        rigs[which] = rig_new(document);
    struct script s = { .rig = rigs[which],
                        .proxy = &proxies[which],
                        .published = first_of(&proxies[which]),
                        .knows_clients = proxies[which].knows_clients,
                        .flags = script[1] & 31u,
                        .single_bytes_left = limits->single_bytes,
                        .publications_left = PUBLICATIONS_MAX };
    rig_begin(s.rig);
    s.rig->limited_calls = limits->limited_calls;
    s.rig->has_small_sockets = s.flags & FLAG_SMALL_SOCKETS;
    s.rig->send_bytes_max = s.flags & FLAG_SENDS_ONE ? 1 : 0;
    rig_open_client(s.rig);
    const uint8_t *at = script + 2, *end = script + len;
    for (unsigned steps = 0; at < end && steps < limits->step_count; steps++) {
        const uint8_t *next = memchr(at, SCRIPT_THEN[0], (size_t)(end - at));
        take_step(&s, at, (size_t)((next ? next : end) - at));
        at = next ? next + 1 : end;
    }
    rig_end(s.rig, s.flags & FLAG_TIME_ENDS);
    check_what_went_out(&s, result);
    rig_forget(s.rig);
    if (s.publications_left < PUBLICATIONS_MAX)
        rig_publish(s.rig, document);
}

void script_result_fini(struct script_result *result)
{
    buf_fini(&result->requests);
    buf_fini(&result->responses);
}

void script_free_rigs(void)
{
    for (size_t i = 0; i < PROXIES; i++) {
        if (rigs[i])
            rig_free(rigs[i]);
        rigs[i] = NULL;
    }
}
