#include "base/http_end.h"

#include <stdio.h>
#include <string.h>

static const char *const outcome_names[] = {
    "answered",  "not sent",          "name not resolved", "connect failed",   "connect timeout",  "TLS failed",
    "timed out", "stream was silent", "connection closed", "malformed answer", "answer too large", "stopped",
};
_Static_assert(sizeof outcome_names / sizeof outcome_names[0] == HTTP_OUTCOME_COUNT, "a name for every outcome");

static const char *detail_of(const struct http_end *end)
{
    return end->detail[0] ? end->detail : curl_easy_strerror(end->code);
}

const char *http_outcome_to_str(enum http_outcome outcome)
{
    return outcome < HTTP_OUTCOME_COUNT ? outcome_names[outcome] : "?";
}

enum http_outcome http_end_outcome(const struct http_end *end)
{
    if (end->refusal)
        return HTTP_OUTCOME_NOT_SENT;
    if (end->verdict != HTTP_OUTCOME_ANSWERED)
        return end->verdict;
    switch (end->code) {
    case CURLE_OK:
        return end->status ? HTTP_OUTCOME_ANSWERED : HTTP_OUTCOME_BAD_ANSWER;
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_OUTCOME_RESOLVE_FAILED;
    case CURLE_COULDNT_CONNECT:
        return HTTP_OUTCOME_CONNECT_FAILED;
    case CURLE_OPERATION_TIMEDOUT:
        return end->is_connected ? HTTP_OUTCOME_TIMEOUT : HTTP_OUTCOME_CONNECT_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return HTTP_OUTCOME_TLS_FAILED;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return HTTP_OUTCOME_CLOSED;
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
        return HTTP_OUTCOME_NOT_SENT;
    default:
        return HTTP_OUTCOME_BAD_ANSWER;
    }
}

void http_end_describe(const struct http_end *end, char *out, size_t size)
{
    enum http_outcome outcome = http_end_outcome(end);
    switch (outcome) {
    case HTTP_OUTCOME_ANSWERED:
        snprintf(out, size, "status %d", end->status);
        break;
    case HTTP_OUTCOME_NOT_SENT:
        snprintf(out, size, "not sent: %s", end->refusal ? end->refusal : detail_of(end));
        break;
    case HTTP_OUTCOME_CONNECT_FAILED:
        snprintf(out, size, "cannot connect: %s", end->os_error ? strerror((int)end->os_error) : detail_of(end));
        break;
    case HTTP_OUTCOME_CONNECT_TIMEOUT:
        snprintf(out, size, "not connected within %lld ms", (long long)end->connect_timeout_ms);
        break;
    case HTTP_OUTCOME_TIMEOUT:
        snprintf(out, size, "no whole answer within %lld ms", (long long)end->total_timeout_ms);
        break;
    case HTTP_OUTCOME_SILENT:
        snprintf(out, size, "no byte for %lld ms", (long long)end->idle_timeout_ms);
        break;
    case HTTP_OUTCOME_TOO_LARGE:
        snprintf(out, size, "the answer has more than %zu bytes", end->response_bytes_max);
        break;
    case HTTP_OUTCOME_STOPPED:
        snprintf(out, size, "stopped by the reader");
        break;
    default:
        snprintf(out, size, "%s: %s", http_outcome_to_str(outcome), detail_of(end));
        break;
    }
}
