/* h1/error: why bytes are not acceptable HTTP/1, one value per cause. Any thread; the texts are static. */
#ifndef PROXY_H1_ERROR_H
#define PROXY_H1_ERROR_H

/* X(name, status to answer a client with, text for logs). A caller that reads from a backend answers 502 to all. */
#define H1_ERROR_LIST(X)                                                                      \
    X(BARE_LF, 400, "line ends in a bare LF")                                                 \
    X(BARE_CR, 400, "CR that no LF follows")                                                  \
    X(METHOD, 400, "method is not a token")                                                   \
    X(METHOD_CONNECT, 501, "CONNECT is not served")                                           \
    X(TARGET, 400, "request target is malformed")                                             \
    X(TARGET_TOO_LONG, 414, "request target is too long")                                     \
    X(TARGET_FORM, 400, "form of the request target does not fit the method")                 \
    X(TARGET_PERCENT, 400, "path has NUL, or a character in more bytes than it needs")        \
    X(TARGET_SLASH, 400, "path has an encoded slash or a backslash")                          \
    X(TARGET_DOT_SLASH, 400, "path has a dot segment beside an encoded slash")                \
    X(TARGET_ABOVE_ROOT, 400, "path climbs above the root")                                   \
    X(TARGET_AUTHORITY, 400, "authority in the request target is invalid")                    \
    X(VERSION, 400, "HTTP version is malformed")                                              \
    X(VERSION_UNSUPPORTED, 505, "HTTP version is not supported")                              \
    X(STATUS, 502, "status is not three digits from 100 to 599")                              \
    X(REASON, 502, "reason phrase has a forbidden byte")                                      \
    X(HEAD_TOO_LARGE, 431, "head is too large")                                               \
    X(TOO_MANY_FIELDS, 431, "too many field lines")                                           \
    X(SPACE_BEFORE_FIELDS, 400, "whitespace between the first line and the fields")           \
    X(OBS_FOLD, 400, "folded field line")                                                     \
    X(SPACE_BEFORE_COLON, 400, "whitespace before the colon of a field")                      \
    X(FIELD_NAME, 400, "field name is empty or not a token, or has no colon")                 \
    X(FIELD_VALUE, 400, "field value has a control character")                                \
    X(HOST_MISSING, 400, "Host is missing")                                                   \
    X(HOST_DUPLICATE, 400, "more than one Host")                                              \
    X(HOST_INVALID, 400, "Host is invalid")                                                   \
    X(CONNECTION, 400, "Connection is not a short list of tokens")                            \
    X(CONTENT_LENGTH_INVALID, 400, "Content-Length is not one number below 2^63")             \
    X(CONTENT_LENGTH_DUPLICATE, 400, "more than one Content-Length")                          \
    X(CONTENT_LENGTH_AND_TRANSFER_ENCODING, 400, "both Content-Length and Transfer-Encoding") \
    X(TRANSFER_ENCODING_INVALID, 400, "Transfer-Encoding is malformed")                       \
    X(TRANSFER_ENCODING_DUPLICATE, 400, "more than one transfer coding")                      \
    X(TRANSFER_ENCODING_UNKNOWN, 501, "transfer coding other than chunked")                   \
    X(TRANSFER_ENCODING_IN_1_0, 400, "Transfer-Encoding in an HTTP/1.0 message")              \
    X(CHUNK_SIZE, 400, "chunk size is malformed")                                             \
    X(CHUNK_SIZE_TOO_LARGE, 400, "chunk size is 2^63 or more")                                \
    X(CHUNK_EXTENSION, 400, "chunk extension is malformed")                                   \
    X(CHUNK_EXTENSION_TOO_LARGE, 400, "chunk extensions of the message are too large")        \
    X(CHUNK_END, 400, "chunk data is not followed by CRLF")                                   \
    X(TRAILER, 400, "trailer field is malformed")                                             \
    X(TRAILER_FORBIDDEN, 400, "trailer names a framing, routing or connection field")         \
    X(TRAILER_TOO_LARGE, 431, "trailer section is too large")

enum h1_error {
    H1_OK = 0,
#define H1_ERROR_VALUE(name, status, text) H1_ERR_##name,
    H1_ERROR_LIST(H1_ERROR_VALUE)
#undef H1_ERROR_VALUE
        H1_ERROR_COUNT
};

const char *h1_error_to_str(enum h1_error error);

/* 400, 414, 431, 501, 502 or 505; 200 for H1_OK. */
int h1_error_to_status(enum h1_error error);

#endif
