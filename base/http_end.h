/* http_end: how an exchange of base/http_client.c ended, in our words. Pure; any thread. For http_client.c only. */
#ifndef BASE_HTTP_END_H
#define BASE_HTTP_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/http_client.h"

struct http_end {
    CURLcode code;
    enum http_outcome verdict; /* what a callback of ours decided; ANSWERED when nothing */
    const char *refusal;       /* why it was never handed to curl; null: it was */
    const char *detail;        /* curl's words; may be empty */
    long os_error;             /* errno of the connect; 0: none */
    int status;                /* of the final head; 0: none came */
    bool is_connected;         /* TCP, and TLS where there is one */
    int64_t connect_timeout_ms, total_timeout_ms, idle_timeout_ms;
    size_t response_bytes_max;
};

enum http_outcome http_end_outcome(const struct http_end *end);
void http_end_describe(const struct http_end *end, char *out, size_t size);

#endif
