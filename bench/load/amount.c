#include "bench/load/amount.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define NUMBER_BYTES_MAX 24
#define STEPS_MAX 10000

static const struct unit {
    const char *name;
    double us;
} UNITS[] = { { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "m", 60e6 }, { "h", 3600e6 } };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of the number at the start of the text: digits, and a fraction when one is allowed. 0: none. */
static size_t number_len(struct slice text, bool may_have_fraction)
{
    size_t n = 0;
    while (n < text.len && is_digit(text.at[n]))
        n++;
    if (n == 0 || !may_have_fraction || n + 1 >= text.len || text.at[n] != '.' || !is_digit(text.at[n + 1]))
        return n;
    n++;
    while (n < text.len && is_digit(text.at[n]))
        n++;
    return n;
}

/* Cuts the text at the first separator; the rest stays in *text. False: there is none. */
static bool cut(struct slice *text, char separator, struct slice *head)
{
    const char *end = text->len ? memchr(text->at, separator, text->len) : NULL;
    if (!end)
        return false;
    *head = (struct slice){ text->at, (size_t)(end - text->at) };
    *text = (struct slice){ end + 1, text->len - head->len - 1 };
    return true;
}

bool amount_parse_count(struct slice text, int64_t min, int64_t max, int64_t *value)
{
    char copy[NUMBER_BYTES_MAX];
    if (text.len == 0 || text.len >= sizeof copy || number_len(text, false) != text.len)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    errno = 0;
    long long number = strtoll(copy, NULL, 10);
    if (errno != 0 || number < min || number > max)
        return false;
    *value = number;
    return true;
}

bool amount_parse_real(struct slice text, double min, double max, double *value)
{
    char copy[NUMBER_BYTES_MAX];
    if (text.len == 0 || text.len >= sizeof copy || number_len(text, true) != text.len)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    double number = strtod(copy, NULL);
    if (!(number >= min && number <= max))
        return false;
    *value = number;
    return true;
}

bool amount_parse_time(struct slice text, int64_t *value_us)
{
    double number;
    struct slice digits = { text.at, number_len(text, true) };
    struct slice name = { text.at + digits.len, text.len - digits.len };
    if (!amount_parse_real(digits, 0, (double)AMOUNT_TIME_MAX_US, &number))
        return false;
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (!slice_equals(name, slice_of(UNITS[i].name)))
            continue;
        number = round(number * UNITS[i].us);
        *value_us = number <= (double)AMOUNT_TIME_MAX_US ? (int64_t)number : 0;
        return *value_us > 0;
    }
    return false;
}

static bool parse_rate(struct slice text, double *per_s)
{
    return amount_parse_real(text, 0, SCHEDULE_RATE_MAX, per_s);
}

bool amount_parse_ramp(const char *text, struct schedule_piece **pieces, size_t *count)
{
    struct slice rest = slice_of(text), from, to;
    struct schedule_piece piece;
    int64_t duration_us;
    if (!cut(&rest, ':', &from) || !cut(&rest, ':', &to) || !parse_rate(from, &piece.from_per_s) ||
        !parse_rate(to, &piece.to_per_s) || !amount_parse_time(rest, &duration_us))
        return false;
    piece.duration_s = (double)duration_us / 1e6;
    *pieces = mem_alloc(sizeof **pieces);
    **pieces = piece;
    *count = 1;
    return piece.from_per_s + piece.to_per_s > 0;
}

static bool parse_step(struct slice text, struct schedule_piece *piece)
{
    struct slice rate;
    int64_t duration_us;
    if (!cut(&text, 'x', &rate) || !parse_rate(rate, &piece->from_per_s) || !amount_parse_time(text, &duration_us))
        return false;
    piece->to_per_s = piece->from_per_s;
    piece->duration_s = (double)duration_us / 1e6;
    return true;
}

bool amount_parse_steps(const char *text, struct schedule_piece **pieces, size_t *count)
{
    struct slice rest = slice_of(text), one;
    bool is_last = false, is_any = false;
    *pieces = NULL;
    for (*count = 0; !is_last; ++*count) {
        is_last = !cut(&rest, ',', &one);
        *pieces = mem_grow_array(*pieces, *count + 1, sizeof **pieces);
        if (*count == STEPS_MAX || !parse_step(is_last ? rest : one, &(*pieces)[*count]))
            return false;
        is_any |= (*pieces)[*count].from_per_s > 0;
    }
    return is_any;
}

static size_t count_lines(struct slice text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

bool amount_parse_trace(struct slice text, double speed_up, double scale, double cut_s, struct schedule_piece **pieces,
                        size_t *count, struct error *error)
{
    size_t size = count_lines(text);
    struct slice line;
    double per_s, sum = 0;
    *pieces = mem_alloc_array(size, sizeof **pieces);
    for (*count = 0; text.len > 0 && (double)*count / speed_up < cut_s; ++*count) {
        if (!cut(&text, '\n', &line)) {
            line = text;
            text.len = 0;
        }
        if (!parse_rate(line, &per_s) || per_s * scale > SCHEDULE_RATE_MAX)
            return error_set(error, "line %zu: not a number from 0 to %.0f / scale", *count + 1, SCHEDULE_RATE_MAX);
        double left_s = cut_s - (double)*count / speed_up;
        (*pieces)[*count] = (struct schedule_piece){ fmin(1 / speed_up, left_s), per_s * scale, per_s * scale };
        sum += per_s;
    }
    return sum > 0 || error_set(error, "no requests in it");
}
