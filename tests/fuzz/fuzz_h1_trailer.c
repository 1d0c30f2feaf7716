/* Any bytes as a trailer section: what may go on is whole lines of it, none of a name that may not, and filtering it again
 * changes nothing. The chunk decoder reads the same section as the same lines. */
#include <stdlib.h>

#include "base/check.h"
#include "proxy/h1/chunk.h"
#include "proxy/h1/trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define SECTION_MAX (H1_CHUNK_TRAILER_MAX - 2)

/* Each line of `out` is a line of `section`, in the same order. */
static void check_lines(const char *section, const char *section_end, const char *out, const char *out_end)
{
    size_t count = 0;
    while (out < out_end) {
        const char *end = (const char *)memchr(out, '\n', (size_t)(out_end - out)) + 1;
        bool is_found = false;
        while (!is_found && section < section_end) {
            const char *line_end = (const char *)memchr(section, '\n', (size_t)(section_end - section)) + 1;
            is_found = end - out == line_end - section && memcmp(out, section, (size_t)(end - out)) == 0;
            section = line_end;
        }
        check(is_found && end[-2] == '\r' && ++count <= HTTP_FIELDS_MAX);
        out = end;
    }
}

static void check_names(const char *out, const char *out_end)
{
    while (out < out_end) {
        const char *colon = memchr(out, ':', (size_t)(out_end - out));
        struct slice name = { out, (size_t)(colon - out) };
        enum http_field id = http_field_of_alias(name);
        check(id == HTTP_FIELD_OTHER || id == HTTP_FIELD_ETAG);
        check(name.len < 11 || !http_is_folded(name.at, "x-forwarded", 11));
        out = (const char *)memchr(out, '\n', (size_t)(out_end - out)) + 1;
    }
}

/* Is the section, with the last chunk before it and the empty line behind it, the end of a chunked body? */
static bool ends_a_body(const char *section, size_t len)
{
    static char body[H1_CHUNK_TRAILER_MAX + 3], lines[H1_CHUNK_TRAILER_MAX];
    struct h1_chunk_decoder decoder;
    size_t consumed, lines_len = 0, at = 0, body_len = len + 5;
    enum h1_result result = H1_MORE;
    memcpy(body, "0\r\n", 3);
    memcpy(body + 3, section, len);
    memcpy(body + 3 + len, "\r\n", 2);
    h1_chunk_init(&decoder);
    while (at < body_len && result == H1_MORE) {
        struct slice data, trailer;
        enum h1_error error;
        result = h1_chunk_decode(&decoder, body + at, body_len - at, &consumed, &data, &trailer, &error);
        memcpy(lines + lines_len, trailer.at, trailer.len);
        lines_len += trailer.len;
        at += consumed;
    }
    return result == H1_DONE && at == body_len && lines_len == len && memcmp(lines, section, len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *section = (const char *)bytes;
    if (len > SECTION_MAX) {
        return 0;
    }
    char *out = malloc(len + 1), *again = malloc(len + 1);
    check(out != NULL && again != NULL);
    size_t out_len = len + 1, again_len = len + 1;
    enum h1_error error = h1_trailer_filter(section, len, out + 1, &out_len);
    check(error == H1_OK || error == H1_ERR_TRAILER || error == H1_ERR_TRAILER_FORBIDDEN ||
          error == H1_ERR_TOO_MANY_FIELDS);
    check(out_len <= len && (error == H1_OK || out_len == 0));
    check(error != H1_OK || ends_a_body(section, len));
    check(error != H1_ERR_TRAILER || !ends_a_body(section, len));
    if (error == H1_OK) {
        check_lines(section, section + len, out + 1, out + 1 + out_len);
        check_names(out + 1, out + 1 + out_len);
        check(h1_trailer_filter(out + 1, out_len, again, &again_len) == H1_OK);
        check(again_len == out_len && memcmp(out + 1, again, out_len) == 0);
    }
    free(out);
    free(again);
    return 0;
}
