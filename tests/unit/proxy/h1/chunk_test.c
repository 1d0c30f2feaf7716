#include "tests/unit/proxy/h1/every_split.h"

#include "proxy/h1/chunk.h"

/* Decodes pieces of text, each in memory of its own size; appends the data, and at the end " done @N" or why not, and
 * between braces the trailer lines. */
struct reader {
    struct h1_chunk_decoder decoder;
    enum h1_result result;
    enum h1_error error;
    size_t consumed;
    struct buf data, trailer;
};

static void reader_init(struct reader *r)
{
    h1_chunk_init(&r->decoder);
    r->result = H1_MORE;
    r->error = H1_OK;
    r->consumed = 0;
    buf_init(&r->data, 0);
    buf_init(&r->trailer, 0);
}

static void reader_fini(struct reader *r)
{
    buf_fini(&r->data);
    buf_fini(&r->trailer);
}

static void assert_within(struct slice piece, const char *at, size_t len)
{
    assert_true(piece.len == 0 || (piece.at >= at && piece.at + piece.len <= at + len));
}

static void reader_take(struct reader *r, const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    size_t at = 0;
    while (at < len && r->result == H1_MORE) {
        size_t consumed = 0;
        struct slice data, trailer;
        r->result = h1_chunk_decode(&r->decoder, copy + at, len - at, &consumed, &data, &trailer, &r->error);
        assert_true(consumed <= len - at);
        assert_within(data, copy + at, consumed);
        assert_within(trailer, copy + at, consumed);
        assert_true(trailer.len == 0 || r->result != H1_BAD);
        assert_true(r->result == H1_MORE ? consumed > 0 : data.len == 0);
        buf_append_slice(&r->data, data);
        buf_append_slice(&r->trailer, trailer);
        at += consumed;
        r->consumed += consumed;
    }
    free(copy);
}

static const char *reader_outcome(struct reader *r)
{
    if (r->result == H1_MORE) {
        buf_append_text(&r->data, " more");
    } else if (r->result == H1_BAD) {
        buf_printf(&r->data, " %s", h1_error_to_str(r->error));
    } else {
        buf_printf(&r->data, " done @%zu", r->consumed);
    }
    if (r->result != H1_BAD && r->trailer.len > 0) {
        buf_printf(&r->data, " {%s}", buf_text(&r->trailer));
    }
    return buf_text(&r->data);
}

static void check_cuts(const struct head_case *c, size_t first, size_t second)
{
    struct reader r;
    reader_init(&r);
    reader_take(&r, c->text, first);
    reader_take(&r, c->text + first, second - first);
    reader_take(&r, c->text + second, c->len - second);
    const char *got = reader_outcome(&r);
    if (strcmp(got, c->expected) != 0) {
        fail_msg("\"%.*s\" cut at %zu and %zu:\n  got  %s\n  want %s", (int)c->len, c->text, first, second, got,
                 c->expected);
    }
    reader_fini(&r);
}

static void check_all(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t first = 0; first <= cases[i].len; first++) {
            for (size_t second = first; second <= cases[i].len; second++) {
                check_cuts(&cases[i], first, second);
            }
        }
    }
}

static void well_formed_bodies_are_decoded(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("0\r\n\r\n"), " done @5" },
        { TEXT("5\r\nhello\r\n0\r\n\r\n"), "hello done @15" },
        { TEXT("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /"), "hello world done @26" },
        { TEXT("a\r\n0123456789\r\n000\r\n\r\n"), "0123456789 done @22" },
        { TEXT("0000000000000001\r\nx\r\n0\r\n\r\n"), "x done @26" },
        { TEXT("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n done @12" },
        { TEXT("1;a\r\nx\r\n0;b=c;d=\"e;f\"\r\n\r\n"), "x done @25" },
        { TEXT("1;a=\\b\r\nx\r\n0\r\n\r\n"), "x done @16" },
        { TEXT("1;a=\"\\\"\\\\;\"\r\nx\r\n0\r\n\r\n"), "x done @21" },
        { TEXT("1 ;a\r\nx\r\n0\t ;b\r\n\r\n"), "x done @18" },
        { TEXT("0\r\nA: b\r\nC:\r\n\r\n"), " done @15 {A: b\r\nC:\r\n}" },
        { TEXT("0\r\nA:b \t\xe9\r\n\r\nX"), " done @13 {A:b \t\xe9\r\n}" },
        { TEXT("1\r\nx\r\n0;a\r\nA: b\r\n\r\nB: c\r\n"), "x done @19 {A: b\r\n}" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void a_body_without_its_end_is_never_done(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT(""), " more" },
        { TEXT("5"), " more" },
        { TEXT("5\r\nhel"), "hel more" },
        { TEXT("5\r\nhello\r\n"), "hello more" },
        { TEXT("5\r\nhello\r\n0\r\n"), "hello more" },
        { TEXT("0\r\nA"), " more {A}" },
        { TEXT("0\r\nA: b\r"), " more {A: b\r}" },
        { TEXT("0\r\nA: b\r\n"), " more {A: b\r\n}" },
        { TEXT("0\r\nA: b\r\n\r"), " more {A: b\r\n}" },
        { TEXT("7fffffffffffffff\r\nx"), "x more" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void malformed_sizes_are_refused(void **state)
{
    (void)state;
#define SIZE " chunk size is malformed"
    static const struct head_case cases[] = {
        { TEXT("\r\n"), SIZE },
        { TEXT(" 5\r\nhello\r\n"), SIZE },
        { TEXT("5 \r\nhello\r\n"), SIZE },
        { TEXT("5 x;a\r\nhello\r\n"), SIZE },
        { TEXT("5 5;a\r\nhello\r\n"), SIZE },
        { TEXT(" ;a\r\n"), SIZE },
        { TEXT("5\t\r\nhello\r\n"), SIZE },
        { TEXT("+5\r\nhello\r\n"), SIZE },
        { TEXT("-5\r\nhello\r\n"), SIZE },
        { TEXT("0x5\r\nhello\r\n"), SIZE },
        { TEXT("5_0\r\nhello\r\n"), SIZE },
        { TEXT("g\r\n"), SIZE },
        { TEXT("@\r\n"), SIZE },
        { TEXT("`\r\n"), SIZE },
        { TEXT("5\0\r\n"), SIZE },
        { TEXT("\xb5\r\n"), SIZE },
        { TEXT(";a\r\n"), SIZE },
        { TEXT("00000000000000005\r\n"), SIZE },
        { TEXT("8000000000000000\r\n"), " chunk size is 2^63 or more" },
        { TEXT("ffffffffffffffff\r\n"), " chunk size is 2^63 or more" },
        { TEXT("10000000000000000\r\n"), SIZE },
        { TEXT("5\nhello\r\n"), " line ends in a bare LF" },
        { TEXT("5\rhello\r\n"), " CR that no LF follows" },
        { TEXT("5\r\r\nhello\r\n"), " CR that no LF follows" },
        { TEXT("\n"), " line ends in a bare LF" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void data_ends_in_crlf(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("5\r\nhello0\r\n\r\n"), "hello chunk data is not followed by CRLF" },
        { TEXT("5\r\nhello\n0\r\n\r\n"), "hello chunk data is not followed by CRLF" },
        { TEXT("5\r\nhello\r0\r\n\r\n"), "hello chunk data is not followed by CRLF" },
        { TEXT("4\r\nhello\r\n0\r\n\r\n"), "hell chunk data is not followed by CRLF" },
        { TEXT("6\r\nhello\r\n0\r\n\r\n"), "hello\r chunk data is not followed by CRLF" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void malformed_extensions_are_refused(void **state)
{
    (void)state;
    static const struct head_case cases[] = {
        { TEXT("5;a\nhello\r\n"), " line ends in a bare LF" },
        { TEXT("5;a\rhello\r\n"), " CR that no LF follows" },
        { TEXT("5;a=\"b\r\nhello\r\n"), " chunk extension is malformed" },
        { TEXT("5;a=\"\r\n0\r\n\r\n\"\r\n"), " chunk extension is malformed" },
        { TEXT("5;a=\"\\\r\nhello\r\n"), " chunk extension is malformed" },
        { TEXT("5;a=\"b\nhello\r\n"), " line ends in a bare LF" },
        { TEXT("5;a\0\r\nhello\r\n"), " chunk extension is malformed" },
        { TEXT("5;a\x7f\r\nhello\r\n"), " chunk extension is malformed" },
    };
    check_all(cases, COUNT_OF(cases));
}

static void malformed_trailers_are_refused(void **state)
{
    (void)state;
#define TRAILER " trailer field is malformed"
    static const struct head_case cases[] = {
        { TEXT("0\r\nA: b\n\r\n"), " line ends in a bare LF" },
        { TEXT("0\r\n\n"), " line ends in a bare LF" },
        { TEXT("0\r\nA\n"), " line ends in a bare LF" },
        { TEXT("0\r\nA: b\rc\r\n\r\n"), " CR that no LF follows" },
        { TEXT("0\r\n\rA: b\r\n\r\n"), " CR that no LF follows" },
        { TEXT("0\r\nA : b\r\n\r\n"), TRAILER },
        { TEXT("0\r\n: b\r\n\r\n"), TRAILER },
        { TEXT("0\r\nA\r\n\r\n"), TRAILER },
        { TEXT("0\r\nA: b\r\n c\r\n\r\n"), TRAILER },
        { TEXT("0\r\n A: b\r\n\r\n"), TRAILER },
        { TEXT("0\r\nA: \0\r\n\r\n"), TRAILER },
        { TEXT("0\r\nGET / HTTP/1.1\r\n\r\n"), TRAILER },
    };
    check_all(cases, COUNT_OF(cases));
}

static enum h1_error error_after(const char *start, const char *repeated, size_t times, const char *end)
{
    struct reader r;
    reader_init(&r);
    reader_take(&r, start, strlen(start));
    for (size_t i = 0; i < times; i++) {
        reader_take(&r, repeated, strlen(repeated));
    }
    reader_take(&r, end, strlen(end));
    enum h1_error error = r.error;
    assert_int_equal(r.result, error == H1_OK ? H1_DONE : H1_BAD);
    reader_fini(&r);
    return error;
}

static void extensions_of_all_chunks_together_are_bounded(void **state)
{
    (void)state;
    const char *last = "0\r\n\r\n";
    assert_int_equal(error_after("", "1;\r\nx\r\n", H1_CHUNK_EXTENSION_MAX, last), H1_OK);
    assert_int_equal(error_after("", "1;\r\nx\r\n", H1_CHUNK_EXTENSION_MAX + 1, last),
                     H1_ERR_CHUNK_EXTENSION_TOO_LARGE);
    assert_int_equal(error_after("1;", "a", H1_CHUNK_EXTENSION_MAX - 1, "\r\nx\r\n0\r\n\r\n"), H1_OK);
    assert_int_equal(error_after("1;", "a", H1_CHUNK_EXTENSION_MAX, "\r\nx\r\n0\r\n\r\n"),
                     H1_ERR_CHUNK_EXTENSION_TOO_LARGE);
    assert_int_equal(error_after("1;\"", "\\a", H1_CHUNK_EXTENSION_MAX, "\"\r\nx\r\n0\r\n\r\n"),
                     H1_ERR_CHUNK_EXTENSION_TOO_LARGE);
}

static void trailers_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(error_after("0\r\n", "A: b\r\n", (H1_CHUNK_TRAILER_MAX - 2) / 6, "\r\n"), H1_OK);
    assert_int_equal(error_after("0\r\n", "A: b\r\n", H1_CHUNK_TRAILER_MAX / 6 + 1, "\r\n"), H1_ERR_TRAILER_TOO_LARGE);
    assert_int_equal(error_after("0\r\nA:", "b", H1_CHUNK_TRAILER_MAX, "\r\n\r\n"), H1_ERR_TRAILER_TOO_LARGE);
}

static void the_answer_stays(void **state)
{
    (void)state;
    static const struct head_case cases[] = { { TEXT("0\r\n\r\n"), NULL }, { TEXT("x"), NULL } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reader r;
        reader_init(&r);
        reader_take(&r, cases[i].text, cases[i].len);
        size_t consumed = 1;
        struct slice data = { NULL, 1 }, trailer = { NULL, 1 };
        enum h1_error error = H1_OK;
        assert_int_equal(h1_chunk_decode(&r.decoder, "5\r\n", 3, &consumed, &data, &trailer, &error), r.result);
        assert_int_equal(consumed, 0);
        assert_int_equal(trailer.len, 0);
        assert_int_equal(data.len, 0);
        assert_int_equal(error, r.error);
        reader_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_bodies_are_decoded),
        cmocka_unit_test(a_body_without_its_end_is_never_done),
        cmocka_unit_test(malformed_sizes_are_refused),
        cmocka_unit_test(data_ends_in_crlf),
        cmocka_unit_test(malformed_extensions_are_refused),
        cmocka_unit_test(malformed_trailers_are_refused),
        cmocka_unit_test(extensions_of_all_chunks_together_are_bounded),
        cmocka_unit_test(trailers_are_bounded),
        cmocka_unit_test(the_answer_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
