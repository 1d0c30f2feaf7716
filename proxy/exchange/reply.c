#include "proxy/exchange/reply.h"

#include <stdio.h>

const char *reply_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 417:
        return "Expectation Failed";
    case 421:
        return "Misdirected Request";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    case 508:
        return "Loop Detected";
    default:
        return "Internal Server Error";
    }
}

size_t reply_write(int status, bool keep_alive, bool is_head_request, struct slice date, char out[REPLY_BYTES_MAX])
{
    char body[64];
    int body_len = snprintf(body, sizeof body, "%d %s\n", status, reply_reason(status));
    int len = snprintf(out, REPLY_BYTES_MAX,
                       "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%.*s%s%s%s\r\n%s", status,
                       reply_reason(status), body_len, SLICE_FMT(date),
                       status == 503 || status == 429 ? "Retry-After: 1\r\n" : "",
                       status == 405 || status == 200 ? "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n" : "",
                       keep_alive ? "" : "Connection: close\r\n", is_head_request ? "" : body);
    return (size_t)len;
}
