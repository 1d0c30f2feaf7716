#include "proxy/log/termination.h"

const char *exchange_end_to_str(enum exchange_end end)
{
    static const char *const names[] = {
        "complete",
        "no-route",
        "ambiguous-path",
        "no-endpoint",
        "refused-method",
        "refused-expectation",
        "loop",
        "forwards-spent",
        "rate-limited",
        "connect-failed",
        "connect-timeout",
        "upstream-broken",
        "upstream-malformed",
        "response-timeout",
        "request-timeout",
        "body-timeout",
        "tunnel-timeout",
        "body-malformed",
        "client-gone",
        "no-buffer",
        "no-row",
        "drain-limit",
    };
    _Static_assert(sizeof names / sizeof *names == EXCHANGE_END_COUNT, "a name for each end");
    return names[end];
}

static bool is_in_response(enum termination_phase phase)
{
    return phase == TERMINATION_DATA || phase == TERMINATION_DATA_BLOCKED;
}

/* A span that is not one side's alone. A tunnel is idle on both: it is the client who wanted it. */
static char who_was_too_slow(enum termination_phase phase)
{
    bool is_client = phase == TERMINATION_REQUEST || phase == TERMINATION_DATA_BLOCKED || phase == TERMINATION_TUNNEL;
    return is_client ? 'c' : 's';
}

/* Without a default, so that the compiler asks for each new end. */
static char who_ended(enum exchange_end end, enum termination_phase phase)
{
    switch (end) {
    case EXCHANGE_END_COMPLETE:
        return '-';
    case EXCHANGE_END_NO_ROUTE:
    case EXCHANGE_END_AMBIGUOUS_PATH:
    case EXCHANGE_END_REFUSED_METHOD:
    case EXCHANGE_END_REFUSED_EXPECTATION:
    case EXCHANGE_END_LOOP:
    case EXCHANGE_END_FORWARDS_SPENT:
    case EXCHANGE_END_RATE_LIMITED:
    case EXCHANGE_END_BODY_MALFORMED:
    case EXCHANGE_END_UPSTREAM_MALFORMED:
        return 'P';
    case EXCHANGE_END_NO_ENDPOINT:
    case EXCHANGE_END_CONNECT_FAILED:
    case EXCHANGE_END_UPSTREAM_BROKEN:
        return 'S';
    case EXCHANGE_END_CONNECT_TIMEOUT:
    case EXCHANGE_END_RESPONSE_TIMEOUT:
        return 's';
    case EXCHANGE_END_REQUEST_TIMEOUT:
    case EXCHANGE_END_BODY_TIMEOUT:
    case EXCHANGE_END_TUNNEL_TIMEOUT:
        return who_was_too_slow(phase);
    case EXCHANGE_END_CLIENT_GONE:
        return 'C';
    case EXCHANGE_END_NO_BUFFER:
    case EXCHANGE_END_NO_ROW:
        return 'R';
    case EXCHANGE_END_DRAIN_LIMIT:
        return 'K';
    case EXCHANGE_END_COUNT:
        break;
    }
    return 'P';
}

static char what_was_under_way(enum exchange_end end, enum termination_phase phase)
{
    static const char letters[TERMINATION_PHASE_COUNT] = {
        [TERMINATION_REQUEST] = 'R', [TERMINATION_REQUEST_BLOCKED] = 'R',
        [TERMINATION_CONNECT] = 'C', [TERMINATION_HEAD] = 'H',
        [TERMINATION_DATA] = 'D',    [TERMINATION_DATA_BLOCKED] = 'D',
        [TERMINATION_TUNNEL] = 'T',
    };
    if (end == EXCHANGE_END_COMPLETE)
        return '-';
    /* A try that failed may have left an earlier phase behind; these say themselves how far it came. */
    if (end == EXCHANGE_END_NO_ENDPOINT || end == EXCHANGE_END_CONNECT_FAILED || end == EXCHANGE_END_CONNECT_TIMEOUT)
        return 'C';
    if (end == EXCHANGE_END_BODY_MALFORMED && !is_in_response(phase))
        return 'R';
    if (end == EXCHANGE_END_UPSTREAM_MALFORMED && !is_in_response(phase) && phase != TERMINATION_TUNNEL)
        return 'H'; /* an early answer: the request may still be on its way */
    return (unsigned)phase < TERMINATION_PHASE_COUNT ? letters[phase] : '-';
}

struct termination termination_of(enum exchange_end end, enum termination_phase phase)
{
    return (struct termination){ { who_ended(end, phase), what_was_under_way(end, phase), '\0' } };
}

bool termination_is_failure(const char *termination, int status)
{
    bool was_refused = termination[0] == 'P' && termination[1] == 'R';
    return status >= 500 || status == 0 || (termination[0] != '-' && !was_refused);
}
