/* parse_message: a whole head that is right, parsed; any other ends the test. Valid until the next of its kind. */
#ifndef TESTS_UNIT_PROXY_H1_PARSE_MESSAGE_H
#define TESTS_UNIT_PROXY_H1_PARSE_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "proxy/h1/head.h"

static inline const struct h1_request *parse_request(const char *text, const struct h1_limits *limits)
{
    static struct h1_request request;
    enum h1_error error = H1_OK;
    size_t resume_at = 0;
    if (h1_parse_request(text, strlen(text), limits, &resume_at, &request, &error) != H1_DONE)
        fail_msg("%s: %s", text, h1_error_to_str(error));
    return &request;
}

static inline const struct h1_response *parse_response(const char *text, const struct h1_limits *limits,
                                                       enum http_method method)
{
    static struct h1_response response;
    enum h1_error error = H1_OK;
    size_t resume_at = 0;
    if (h1_parse_response(text, strlen(text), limits, &resume_at, method, &response, &error) != H1_DONE)
        fail_msg("%s: %s", text, h1_error_to_str(error));
    return &response;
}

#endif
