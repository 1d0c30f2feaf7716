#include "bench/load/expectation.h"

#include <string.h>

#include "bench/load/amount.h"

#define ADLER_BASE 65521u /* RFC 1950 8.2 */
#define ADLER_RUN 5552u   /* bytes after which the sums have to be reduced */
#define LETTERS 26u
#define PATTERN_BYTES (LETTERS * 640)

static bool set_status_word(struct expectation *e, struct slice word)
{
    int64_t first, last;
    if (word.len == 3 && memcmp(word.at + 1, "xx", 2) == 0 && word.at[0] >= '1' && word.at[0] <= '5') {
        first = (word.at[0] - '0') * 100;
        last = first + 99;
    } else if (amount_parse_count(word, 100, EXPECTATION_STATUS_MAX, &first)) {
        last = first;
    } else {
        return false;
    }
    for (int64_t status = first; status <= last; status++)
        e->statuses[status] = true;
    return true;
}

/* RFC 1950: zlib's checksum. */
static void take_adler32(struct body_check *check, const char *at, size_t len)
{
    while (len > 0) {
        size_t run = len < ADLER_RUN ? len : ADLER_RUN;
        for (size_t i = 0; i < run; i++) {
            check->adler_a += (unsigned char)at[i];
            check->adler_b += check->adler_a;
        }
        check->adler_a %= ADLER_BASE;
        check->adler_b %= ADLER_BASE;
        at += run;
        len -= run;
    }
}

static const char *pattern(void)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    static __thread char text[PATTERN_BYTES];
    for (size_t i = 0; text[0] == '\0' && i < PATTERN_BYTES; i++)
        text[PATTERN_BYTES - 1 - i] =
            alphabet[(PATTERN_BYTES - 1 - i) % LETTERS]; /* [0] comes last: it says "filled" */
    return text;
}

static bool is_pattern(uint64_t from, const char *at, size_t len)
{
    const char *known = pattern();
    while (len > 0) {
        size_t skip = from % LETTERS, run = PATTERN_BYTES - skip < len ? PATTERN_BYTES - skip : len;
        if (memcmp(at, known + skip, run) != 0)
            return false;
        at += run;
        from += run;
        len -= run;
    }
    return true;
}

bool expectation_set_statuses(struct expectation *e, const char *list)
{
    memset(e->statuses, 0, sizeof e->statuses);
    for (;;) {
        size_t len = strcspn(list, ",");
        if (!set_status_word(e, (struct slice){ list, len }))
            return false;
        if (list[len] == '\0')
            return true;
        list += len + 1;
    }
}

void body_check_init(struct body_check *check)
{
    *check = (struct body_check){ .adler_a = 1 };
}

void body_check_take(struct body_check *check, const struct expectation *e, const char *at, size_t len)
{
    if (check->bytes < e->prefix.len) {
        size_t left = e->prefix.len - (size_t)check->bytes;
        check->is_wrong |= memcmp(at, e->prefix.at + check->bytes, len < left ? len : left) != 0;
    }
    if (e->has_pattern)
        check->is_wrong |= !is_pattern(check->bytes, at, len);
    if (e->has_adler32)
        take_adler32(check, at, len);
    check->bytes += len;
}

const char *body_check_finish(const struct body_check *check, const struct expectation *e)
{
    if (e->has_bytes && check->bytes != e->bytes)
        return "body of another length";
    if (check->is_wrong)
        return e->has_pattern ? "body is not the pattern, or starts otherwise" : "body starts otherwise";
    if (check->bytes < e->prefix.len)
        return "body is shorter than its expected start";
    if (e->has_adler32 && (check->adler_b << 16 | check->adler_a) != e->adler32)
        return "body with another checksum";
    return NULL;
}
