#include "bench/backend/delay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX 64

const struct delay_name delay_names[DELAY_NAME_COUNT] = {
#define DELAY_NAME_ROW(kind, unit_us, query, option) { kind, unit_us, query, option },
    DELAY_NAMES(DELAY_NAME_ROW)
#undef DELAY_NAME_ROW
};

/* A plain number at *at that a comma or the end follows. */
static bool take_number(const char **at, double max, double *value)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    *value = strtod(*at, &end);
    *at = *end == ',' ? end + 1 : end;
    return (*end == ',' || *end == '\0') && *value <= max;
}

bool delay_parse(struct delay *delay, const struct delay_name *name, const char *text, size_t len)
{
    char copy[TEXT_BYTES_MAX];
    const char *at = copy;
    struct delay parsed = { .kind = name->kind };
    if (len == 0 || len >= sizeof copy || strnlen(text, len) != len || text[len - 1] == ',')
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    double max = (double)DELAY_MAX_US / name->unit_us;
    if (!take_number(&at, max, &parsed.us))
        return false;
    if (name->kind == DELAY_BIMODAL &&
        (!take_number(&at, max, &parsed.slow_us) || !take_number(&at, 1, &parsed.slow_part)))
        return false;
    if (*at != '\0')
        return false;
    parsed.us *= name->unit_us;
    parsed.slow_us *= name->unit_us;
    *delay = parsed;
    return true;
}

void delay_source_init(struct delay_source *source, uint64_t seed)
{
    *source = (struct delay_source){ .random = seed, .next = DELAY_STRATA };
    for (unsigned i = 0; i < DELAY_STRATA; i++)
        source->order[i] = (uint16_t)i;
}

double delay_source_uniform(struct delay_source *source)
{
    source->random = source->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(source->random >> 11) * 0x1p-53;
}

static void shuffle(struct delay_source *source)
{
    for (unsigned i = DELAY_STRATA - 1; i > 0; i--) {
        unsigned j = (unsigned)(delay_source_uniform(source) * (i + 1));
        uint16_t swapped = source->order[i];
        source->order[i] = source->order[j];
        source->order[j] = swapped;
    }
    source->next = 0;
}

int64_t delay_draw_us(const struct delay *delay, struct delay_source *source)
{
    if (delay->kind == DELAY_FIXED)
        return llround(delay->us);
    if (source->next == DELAY_STRATA)
        shuffle(source);
    double part = (source->order[source->next++] + delay_source_uniform(source)) / DELAY_STRATA;
    double us = delay->kind == DELAY_EXPONENTIAL ? -delay->us * log1p(-part)
                : part >= 1 - delay->slow_part   ? delay->slow_us
                                                 : delay->us;
    return us > (double)DELAY_MAX_US ? DELAY_MAX_US : llround(us);
}
