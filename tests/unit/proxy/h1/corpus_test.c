/* Every request and response of tests/corpus: read as its class says, and the same however it arrives. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/corpus/conversation.h"
#include "tests/corpus/corpus_file.h"

#define SPLIT_EVERYWHERE_BYTES 2048 /* longer ones are cut in steps, which are prime to anything in them */
#define LONG_STEP_BYTES 499

static struct corpus requests, responses;
static struct conversation whole, pieces;

static enum http_method method_of(struct slice name)
{
    return slice_equals(name, SLICE_LITERAL("HEAD")) ? HTTP_METHOD_HEAD : HTTP_METHOD_GET;
}

static void begin(struct conversation *c, const struct corpus_case *one, bool is_response)
{
    conversation_fini(c);
    if (is_response) {
        conversation_init_responses(c, method_of(one->columns[CORPUS_RESPONSE_METHOD]));
    } else {
        conversation_init_requests(c);
    }
}

static struct slice bytes_of(const struct corpus_case *one, bool is_response)
{
    return one->columns[is_response ? CORPUS_RESPONSE_BYTES : CORPUS_REQUEST_BYTES];
}

static void read_whole(const struct corpus_case *one, bool is_response)
{
    struct slice bytes = bytes_of(one, is_response);
    begin(&whole, one, is_response);
    conversation_feed(&whole, bytes.at, bytes.len);
    conversation_end(&whole);
}

/* An error may be seen late, but not later than its line ends: then a line end that was not there brings it out. */
static void assert_pieces_tell_the_same(const struct corpus_case *one, const char *way, size_t at)
{
    if (whole.state == CONVERSATION_BAD) {
        conversation_feed(&pieces, "\r\n", 2);
    }
    const char *told = conversation_end(&pieces);
    if (strcmp(told, buf_text(&whole.text)) != 0) {
        fail_msg("%s, %s at byte %zu:\n%swhole:\n%s", one->columns[0].at, way, at, told, buf_text(&whole.text));
    }
}

static void check_splits(const struct corpus_case *one, bool is_response)
{
    struct slice bytes = bytes_of(one, is_response);
    size_t step = bytes.len <= SPLIT_EVERYWHERE_BYTES ? 1 : LONG_STEP_BYTES;
    read_whole(one, is_response);
    for (size_t cut = 1; cut < bytes.len; cut += step) {
        begin(&pieces, one, is_response);
        conversation_feed(&pieces, bytes.at, cut);
        conversation_feed(&pieces, bytes.at + cut, bytes.len - cut);
        assert_pieces_tell_the_same(one, "cut", cut);
    }
    begin(&pieces, one, is_response);
    for (size_t at = 0; at < bytes.len; at += step) {
        conversation_feed(&pieces, bytes.at + at, step < bytes.len - at ? step : bytes.len - at);
    }
    assert_pieces_tell_the_same(one, "in steps", step);
}

static bool tells(const struct conversation *c, const char *end)
{
    size_t len = strlen(end);
    for (size_t at = 0; at + len <= c->text.len; at++) {
        if (memcmp(c->text.at + at, end, len) == 0 && (at == 0 || c->text.at[at - 1] == '\n')) {
            return true;
        }
    }
    return false;
}

static void expect(bool condition, const struct corpus_case *one, const char *what)
{
    if (!condition) {
        fail_msg("%s (%s): %s; it was read as\n%s", one->columns[0].at, one->columns[1].at, what,
                 buf_text(&whole.text));
    }
}

/* Of the first message: appended to what stands before it, as the text of a conversation has it. */
static bool first_body_is(const struct conversation *c, struct slice body)
{
    struct buf wanted;
    buf_init(&wanted, 0);
    buf_append_text(&wanted, "body\t");
    for (size_t i = 0; i < body.len; i++) {
        buf_printf(&wanted, "%02x", (unsigned char)body.at[i]);
    }
    buf_append_text(&wanted, "\t");
    bool is_there = tells(c, buf_text(&wanted));
    buf_fini(&wanted);
    return is_there;
}

static bool first_target_is(const struct conversation *c, struct slice target)
{
    const char *at = c->text.at;
    for (int tabs = 0; tabs < 6; tabs++) {
        at = strchr(at, '\t') + 1;
    }
    for (size_t i = 0; i < target.len; i++, at += 2) {
        char pair[3];
        snprintf(pair, sizeof pair, "%02x", (unsigned char)target.at[i]);
        if (memcmp(at, pair, 2) != 0) {
            return false;
        }
    }
    return *at == '\t';
}

static void every_request_is_read_as_its_class_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < requests.case_count; i++) {
        const struct corpus_case *one = &requests.cases[i];
        struct slice kind = one->columns[CORPUS_REQUEST_CLASS], target = one->columns[CORPUS_REQUEST_TARGET];
        read_whole(one, false);
        if (slice_equals(kind, SLICE_LITERAL("malformed"))) {
            expect(whole.state == CONVERSATION_BAD, one, "wanted an error");
        } else if (slice_equals(kind, SLICE_LITERAL("incomplete"))) {
            expect(tells(&whole, "more\n"), one, "wanted an open end");
        } else {
            expect(whole.message_count > 0, one, "wanted a message");
            expect(slice_equals(kind, slice_of(h1_desync_to_str(whole.gravest))), one, "wanted another class");
            expect(first_body_is(&whole, one->columns[CORPUS_REQUEST_BODY]), one, "wanted another body");
            expect(slice_equals(target, SLICE_LITERAL("=")) || first_target_is(&whole, target), one,
                   "wanted another target");
        }
    }
}

static void every_response_is_read_as_its_class_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < responses.case_count; i++) {
        const struct corpus_case *one = &responses.cases[i];
        struct slice kind = one->columns[CORPUS_RESPONSE_CLASS];
        read_whole(one, true);
        if (slice_equals(kind, SLICE_LITERAL("malformed"))) {
            expect(whole.state == CONVERSATION_BAD, one, "wanted an error");
            continue;
        }
        expect(whole.state != CONVERSATION_BAD, one, "wanted no error");
        if (slice_equals(kind, SLICE_LITERAL("extra"))) {
            expect(tells(&whole, "extra\t"), one, "wanted bytes behind it");
        } else if (slice_equals(kind, SLICE_LITERAL("wellformed"))) {
            expect(tells(&whole, "end\n"), one, "wanted its end");
            expect(first_body_is(&whole, one->columns[CORPUS_RESPONSE_BODY]), one, "wanted another body");
        }
    }
}

static void every_request_is_read_the_same_however_it_arrives(void **state)
{
    (void)state;
    for (size_t i = 0; i < requests.case_count; i++) {
        check_splits(&requests.cases[i], false);
    }
}

static void every_response_is_read_the_same_however_it_arrives(void **state)
{
    (void)state;
    for (size_t i = 0; i < responses.case_count; i++) {
        check_splits(&responses.cases[i], true);
    }
}

static void the_corpus_is_as_large_as_promised(void **state)
{
    (void)state;
    assert_true(requests.case_count >= 300);
    assert_true(responses.case_count >= 100);
}

int main(void)
{
    corpus_read(&requests, "requests.tsv");
    corpus_read(&responses, "responses.tsv");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_corpus_is_as_large_as_promised),
        cmocka_unit_test(every_request_is_read_as_its_class_says),
        cmocka_unit_test(every_response_is_read_as_its_class_says),
        cmocka_unit_test(every_request_is_read_the_same_however_it_arrives),
        cmocka_unit_test(every_response_is_read_the_same_however_it_arrives),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    conversation_fini(&whole);
    conversation_fini(&pieces);
    corpus_free(&requests);
    corpus_free(&responses);
    return failed;
}
