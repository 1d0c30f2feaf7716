#include "proxy/log/access_log_line.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <limits.h>
#include <string.h>
#include <time.h>

/* Of escaped text. */
#define METHOD_BYTES 48
#define TARGET_BYTES 1024
#define HOST_BYTES 256
#define NAME_BYTES 128 /* service, request id */
#define FAULT_BYTES 96
#define AGENT_BYTES 768
#define OWN_BYTES 64 /* texts of our own making, which need no escaping: addresses, ends, reasons */
#define NUMBER_BYTES 20
#define KEYS_BYTES 512

_Static_assert(KEYS_BYTES + METHOD_BYTES + TARGET_BYTES + HOST_BYTES + 2 * NAME_BYTES + FAULT_BYTES + 10 * OWN_BYTES +
                       13 * NUMBER_BYTES <=
                   ACCESS_LOG_LINE_BYTES,
               "a JSON line fits");
_Static_assert(KEYS_BYTES + METHOD_BYTES + TARGET_BYTES + 2 * AGENT_BYTES + 2 * OWN_BYTES + 2 * NUMBER_BYTES <=
                   ACCESS_LOG_LINE_BYTES,
               "a combined line fits");
_Static_assert(ACCESS_LOG_LINE_BYTES < PIPE_BUF, "a line fits one atomic write to a pipe");

enum escaping { ESCAPE_JSON = 0, ESCAPE_COMBINED };

#define PUT(at, literal) (memcpy(at, literal, sizeof(literal) - 1), (at) + sizeof(literal) - 1)

#define EVERY_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

static inline uint64_t load_8(const char *from)
{
    uint64_t bytes;
    memcpy(&bytes, from, 8);
    return bytes;
}

/* Nonzero when one of the eight bytes is not plain: a control, a quote, a backslash, DEL, or beyond ASCII. Each term sets
 * the highest bit of such a byte; a carry or borrow comes out of such bytes only. */
static inline uint64_t has_special(uint64_t bytes)
{
    return (bytes | (bytes + EVERY_BYTE(1)) | (bytes - EVERY_BYTE(0x20)) | ((bytes ^ EVERY_BYTE('"')) - EVERY_BYTE(1)) |
            ((bytes ^ EVERY_BYTE('\\')) - EVERY_BYTE(1))) &
           EVERY_BYTE(0x80);
}

static inline bool is_special(unsigned char c)
{
    return c < 0x20 || c >= 0x7f || c == '"' || c == '\\';
}

static char *put_escape(char *at, unsigned char c, enum escaping escaping)
{
    static const char hex[] = "0123456789abcdef", upper_hex[] = "0123456789ABCDEF";
    if (escaping == ESCAPE_COMBINED) {
        at[0] = '\\';
        at[1] = 'x';
        at[2] = upper_hex[c >> 4];
        at[3] = upper_hex[c & 15];
        return at + 4;
    }
    at[0] = '\\';
    if (c == '"' || c == '\\') {
        at[1] = (char)c;
        return at + 2;
    }
    memcpy(at + 1, "u00", 3);
    at[4] = hex[c >> 4];
    at[5] = hex[c & 15];
    return at + 6;
}

/* Copies as many plain bytes as there are at the start, or fewer, in steps of sixteen and eight. */
static inline size_t copy_plain_runs(char *at, const char *from, size_t len)
{
    size_t done = 0;
#ifdef __SSE2__
    for (; len - done >= 16; done += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(from + done));
        /* Bytes beyond ASCII are negative, and so less than a space as well. */
        __m128i special = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                                       _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)),
                                                    _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                                 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')))));
        if (_mm_movemask_epi8(special))
            return done;
        _mm_storeu_si128((__m128i *)(at + done), bytes);
    }
#endif
    for (; len - done >= 8; done += 8) {
        uint64_t bytes = load_8(from + done);
        if (has_special(bytes))
            return done;
        memcpy(at + done, &bytes, 8);
    }
    return done;
}

/* The last 1 to 7 bytes of a text, when all of them are plain: by loads that overlap. had_8: so many stand in front of
 * them in both. */
static inline bool copy_plain_rest(char *at, const char *from, size_t len, bool had_8)
{
    uint32_t halves[2];
    if (had_8) {
        uint64_t bytes = load_8(from + len - 8);
        memcpy(at + len - 8, &bytes, 8);
        return !has_special(bytes);
    }
    if (len >= 4) {
        memcpy(&halves[0], from, 4);
        memcpy(&halves[1], from + len - 4, 4);
        memcpy(at, &halves[0], 4);
        memcpy(at + len - 4, &halves[1], 4);
    } else {
        unsigned char first = (unsigned char)from[0], middle = (unsigned char)from[len / 2];
        unsigned char last = (unsigned char)from[len - 1];
        at[0] = (char)first;
        at[len / 2] = (char)middle;
        at[len - 1] = (char)last;
        halves[0] = first | (uint32_t)middle << 8 | (uint32_t)last << 16 | 0x78000000u;
        halves[1] = halves[0];
    }
    return !has_special(halves[0] | (uint64_t)halves[1] << 32);
}

/* As much of the text as makes at most `size` bytes. */
static inline char *put_text(char *at, struct slice text, size_t size, enum escaping escaping)
{
    size_t len = text.len < size ? text.len : size;
    if (len == 0) /* it may then be nowhere */
        return at;
    const char *limit = at + size, *end = text.at + len;
    size_t done = copy_plain_runs(at, text.at, len);
    const char *from = text.at + done;
    at += done;
    if (len - done < 8 && (len == done || copy_plain_rest(at, from, len - done, done > 0)))
        return at + (len - done);
    for (; from < end && limit - at >= 6; from++) {
        if (is_special((unsigned char)*from))
            at = put_escape(at, (unsigned char)*from, escaping);
        else
            *at++ = *from;
    }
    return at;
}

static inline char *put_own(char *at, const char *text)
{
    size_t len = text ? strnlen(text, OWN_BYTES) : 0;
    memcpy(at, text ? text : "", len);
    return at + len;
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

static inline char *put_pair(char *at, unsigned value)
{
    memcpy(at, digit_pairs + 2 * (size_t)value, 2);
    return at + 2;
}

static unsigned digit_count(uint64_t value)
{
    static const uint64_t powers[] = { 0,
                                       10,
                                       100,
                                       1000,
                                       10000,
                                       100000,
                                       1000000,
                                       10000000,
                                       100000000,
                                       1000000000,
                                       10000000000,
                                       100000000000,
                                       1000000000000,
                                       10000000000000,
                                       100000000000000,
                                       1000000000000000,
                                       10000000000000000,
                                       100000000000000000,
                                       1000000000000000000,
                                       UINT64_C(10000000000000000000) };
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned guess = bits * 1233 >> 12; /* 1233/4096 is log10(2), close enough for 64 bits */
    return guess + (value >= powers[guess]);
}

static inline char *put_number(char *at, uint64_t value)
{
    if (value < 10) {
        *at = (char)('0' + value);
        return at + 1;
    }
    if (value < 100)
        return put_pair(at, (unsigned)value);
    if (value < 1000) {
        *at = (char)('0' + (unsigned)value / 100);
        return put_pair(at + 1, (unsigned)value % 100);
    }
    if (value < 10000)
        return put_pair(put_pair(at, (unsigned)value / 100), (unsigned)value % 100);
    char *end = at + digit_count(value), *place = end;
    while (value >= 100) {
        place -= 2;
        put_pair(place, (unsigned)(value % 100));
        value /= 100;
    }
    if (value >= 10)
        put_pair(place - 2, (unsigned)value);
    else
        place[-1] = (char)('0' + value);
    return end;
}

/* A clock that was set back is no negative span. */
static inline char *put_span(char *at, int64_t us)
{
    return put_number(at, us > 0 ? (uint64_t)us : 0);
}

static void set_second(struct access_log_second *cell, int64_t second)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t time = (time_t)second;
    struct tm utc;
    gmtime_r(&time, &utc);
    unsigned year = (unsigned)(utc.tm_year + 1900);
    char *json = put_pair(put_pair(cell->json, year / 100 % 100), year % 100);
    json = put_pair(PUT(json, "-"), (unsigned)utc.tm_mon + 1);
    json = put_pair(PUT(json, "-"), (unsigned)utc.tm_mday);
    char *combined = put_pair(cell->combined, (unsigned)utc.tm_mday);
    *combined++ = '/';
    memcpy(combined, months + 3 * (size_t)utc.tm_mon, 3);
    combined = put_pair(put_pair(PUT(combined + 3, "/"), year / 100 % 100), year % 100);
    *json++ = 'T';
    *combined++ = ':';
    char day_time[8];
    put_pair(PUT(put_pair(PUT(put_pair(day_time, (unsigned)utc.tm_hour), ":"), (unsigned)utc.tm_min), ":"),
             (unsigned)utc.tm_sec);
    memcpy(json, day_time, sizeof day_time);
    memcpy(combined, day_time, sizeof day_time);
    memcpy(combined + sizeof day_time, " +0000", 6);
    cell->second = second;
}

static inline const struct access_log_second *second_of(struct access_log_clock *clock, int64_t wall_us)
{
    int64_t second = wall_us / 1000000;
    struct access_log_second *cell = &clock->seconds[second & (ACCESS_LOG_SECONDS - 1)];
    if (cell->second != second || !cell->json[0])
        set_second(cell, second);
    return cell;
}

static char *put_request(char *at, struct access_log_clock *clock, int64_t wall_us, const struct access_record *r)
{
    unsigned ms = (unsigned)(wall_us / 1000 % 1000);
    at = PUT(at, "{\"time\":\"");
    memcpy(at, second_of(clock, wall_us)->json, 19);
    at = PUT(at + 19, ".");
    *at++ = (char)('0' + ms / 100);
    at = put_pair(at, ms % 100);
    at = put_own(PUT(at, "Z\",\"client\":\""), r->client);
    if (r->client_port)
        at = put_number(PUT(at, "\",\"clientPort\":"), r->client_port);
    else
        at = PUT(at, "\"");
    at = put_text(PUT(at, ",\"method\":\""), r->method, METHOD_BYTES, ESCAPE_JSON);
    at = put_text(PUT(at, "\",\"target\":\""), r->target, TARGET_BYTES, ESCAPE_JSON);
    at = put_own(PUT(at, "\",\"protocol\":\""), r->protocol);
    at = put_text(PUT(at, "\",\"host\":\""), r->host, HOST_BYTES, ESCAPE_JSON);
    return PUT(at, "\",");
}

static char *put_outcome(char *at, const struct access_record *r)
{
    struct slice service = slice_of(r->service ? r->service : "");
    at = put_span(PUT(at, "\"status\":"), r->status);
    at = put_own(PUT(at, ",\"end\":\""), r->end);
    at = put_own(PUT(at, "\",\"termination\":\""), r->termination);
    at = put_text(PUT(at, "\",\"service\":\""), service, NAME_BYTES, ESCAPE_JSON);
    at = put_own(PUT(at, "\",\"endpoint\":\""), r->endpoint);
    at = put_span(PUT(at, "\",\"tries\":"), r->try_count);
    at = put_number(PUT(at, ",\"requestBytes\":"), r->request_bytes);
    at = put_number(PUT(at, ",\"responseBytes\":"), r->response_bytes);
    at = put_span(PUT(at, ",\"requestUs\":"), r->request_us);
    at = put_span(PUT(at, ",\"connectUs\":"), r->connect_us);
    at = put_span(PUT(at, ",\"responseUs\":"), r->response_us);
    at = put_span(PUT(at, ",\"durationUs\":"), r->duration_us);
    return r->is_reused ? PUT(at, ",\"isReused\":true") : PUT(at, ",\"isReused\":false");
}

size_t access_log_line_json(struct access_log_clock *clock, int64_t wall_us, const struct access_record *r, char *out)
{
    char *at = put_outcome(put_request(out, clock, wall_us, r), r);
    at = put_text(PUT(at, ",\"requestId\":\""), r->request_id, NAME_BYTES, ESCAPE_JSON);
    if (r->desync) {
        at = put_own(PUT(at, "\",\"desync\":\""), r->desync);
        at = put_own(PUT(at, "\",\"desyncReason\":\""), r->desync_reason);
    }
    if (r->fault) {
        at = put_own(PUT(at, "\",\"fault\":\""), r->fault);
        at = put_own(PUT(at, "\",\"faultPlace\":\""), r->fault_place);
        at = put_number(PUT(at, "\",\"faultOffset\":"), r->fault_at);
        at = put_text(PUT(at, ",\"faultLine\":\""), r->fault_line, FAULT_BYTES, ESCAPE_JSON);
    }
    at = PUT(at, "\"}\n");
    return (size_t)(at - out);
}

void access_record_set_fault(struct access_record *record, const struct fault *fault)
{
    record->fault = fault->why;
    record->fault_place = fault->place;
    record->fault_at = fault->at;
    record->fault_line = fault->line;
}

/* "-" for what is not there, as web servers write it. */
static char *put_quoted(char *at, struct slice text)
{
    at = PUT(at, " \"");
    at = text.len ? put_text(at, text, AGENT_BYTES, ESCAPE_COMBINED) : PUT(at, "-");
    return PUT(at, "\"");
}

static char *put_request_line(char *at, const struct access_record *r)
{
    if (r->method.len == 0)
        return PUT(at, "-");
    at = put_text(at, r->method, METHOD_BYTES, ESCAPE_COMBINED);
    at = put_text(PUT(at, " "), r->target, TARGET_BYTES, ESCAPE_COMBINED);
    return put_own(PUT(at, " HTTP/"), r->protocol);
}

size_t access_log_line_combined(struct access_log_clock *clock, int64_t wall_us, const struct access_record *r,
                                char *out)
{
    unsigned status = (unsigned)r->status % 1000;
    char *at = r->client && r->client[0] ? put_own(out, r->client) : PUT(out, "-");
    at = PUT(at, " - - [");
    memcpy(at, second_of(clock, wall_us)->combined, 26);
    at = put_request_line(PUT(at + 26, "] \""), r);
    at = PUT(at, "\" ");
    *at++ = (char)('0' + status / 100);
    at = put_number(PUT(put_pair(at, status % 100), " "), r->response_bytes);
    at = PUT(put_quoted(put_quoted(at, r->referer), r->user_agent), "\n");
    return (size_t)(at - out);
}

static struct slice trim(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return (struct slice){ at, (size_t)(end - at) };
}

struct slice access_log_find_field(struct slice head, struct slice name)
{
    const char *end = head.at + head.len;
    const char *newline = memchr(head.at, '\n', head.len);
    while (newline) {
        const char *line = newline + 1;
        if (line == end || *line == '\r' || *line == '\n')
            break; /* the empty line */
        newline = memchr(line, '\n', (size_t)(end - line));
        if ((size_t)(end - line) > name.len && line[name.len] == ':' && strncasecmp(line, name.at, name.len) == 0)
            return trim(line + name.len + 1, newline ? newline : end);
    }
    return (struct slice){ "", 0 };
}
