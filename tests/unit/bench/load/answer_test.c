#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bench/load/answer.h"

#include <stdlib.h>

#include "base/mem.h"

static struct expectation expectation;
static struct answer_reader *reader;
static struct answer answer;

static int set_up(void **state)
{
    (void)state;
    reader = mem_alloc(sizeof *reader);
    reader->expectation = &expectation;
    reader->method = HTTP_METHOD_GET;
    expectation = (struct expectation){ 0 };
    expectation_set_statuses(&expectation, "2xx");
    answer_init(&answer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    answer_fini(&answer);
    free(reader);
    return 0;
}

/* The answer in pieces of that size, then the end of the connection when there is more to come. */
static enum failure read_all(const char *text, size_t len, size_t piece)
{
    answer_begin(&answer);
    for (size_t at = 0; at < len && answer.state != ANSWER_DONE; at += piece)
        answer_take(reader, &answer, text + at, len - at < piece ? len - at : piece);
    if (answer.state != ANSWER_DONE)
        answer_end(reader, &answer);
    assert_int_equal(answer.state, ANSWER_DONE);
    return answer.failure;
}

static void expect(const char *text, enum failure failure)
{
    size_t len = strlen(text);
    for (size_t piece = 1; piece <= len; piece++) {
        enum failure found = read_all(text, len, piece);
        if (found != failure)
            fail_msg("in pieces of %zu: %s (%s), not %s: %s", piece, failure_to_str(found),
                     answer.why ? answer.why : "", failure_to_str(failure), text);
    }
}

#define HEAD "HTTP/1.1 200 OK\r\n"

static void whole_answers_are_good_however_they_are_cut(void **state)
{
    (void)state;
    expectation.has_bytes = true;
    expectation.bytes = 5;
    expect(HEAD "Content-Length: 5\r\n\r\nhello", FAILURE_NONE);
    assert_true(answer.keeps_alive);
    expect(HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", FAILURE_NONE);
    assert_true(answer.keeps_alive);
    expect(HEAD "Connection: close\r\nContent-Length: 5\r\n\r\nhello", FAILURE_NONE);
    assert_false(answer.keeps_alive);
    expect(HEAD "\r\nhello", FAILURE_NONE);
    assert_false(answer.keeps_alive);
    expect("HTTP/1.1 100 Continue\r\n\r\n" HEAD "Content-Length: 5\r\n\r\nhello", FAILURE_NONE);
    expectation.bytes = 0;
    expect("HTTP/1.1 204 No Content\r\n\r\n", FAILURE_NONE);
    expect(HEAD "Content-Length: 0\r\n\r\n", FAILURE_NONE);
}

static void an_answer_to_head_has_no_body(void **state)
{
    (void)state;
    reader->method = HTTP_METHOD_HEAD;
    expect(HEAD "Content-Length: 5\r\n\r\n", FAILURE_NONE);
}

static void other_statuses_are_errors_of_their_class(void **state)
{
    (void)state;
    expect("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", FAILURE_STATUS_5XX);
    assert_int_equal(answer.status, 503);
    assert_true(answer.keeps_alive);
    expect("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", FAILURE_STATUS_4XX);
    expect("HTTP/1.1 301 No\r\nContent-Length: 0\r\n\r\n", FAILURE_STATUS_3XX);
    expect("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", FAILURE_STATUS_1XX);
    assert_false(answer.keeps_alive);
    expectation_set_statuses(&expectation, "503");
    expect(HEAD "Content-Length: 0\r\n\r\n", FAILURE_STATUS_2XX);
    expect("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", FAILURE_NONE);
}

static void answers_that_end_too_soon_are_errors(void **state)
{
    (void)state;
    expect("H", FAILURE_RESET);
    expect(HEAD, FAILURE_RESET);
    expect(HEAD "Content-Length: 5\r\n\r\nhell", FAILURE_SHORT_BODY);
    expect(HEAD "Content-Length: 5\r\n\r\n", FAILURE_SHORT_BODY);
    expect(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", FAILURE_SHORT_BODY);
    answer_begin(&answer);
    answer_end(reader, &answer);
    assert_int_equal(answer.failure, FAILURE_RESET);
}

static void what_is_not_http_is_malformed(void **state)
{
    (void)state;
    expect("SSH-2.0-OpenSSH_9.2\r\n", FAILURE_MALFORMED);
    expect("HTTP/1.1 200 OK\nContent-Length: 0\n\n", FAILURE_MALFORMED);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", FAILURE_MALFORMED);
    expect(HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", FAILURE_MALFORMED);
    expect("HTTP/2 200\r\n\r\n", FAILURE_MALFORMED);
}

static void bytes_behind_an_answer_are_malformed(void **state)
{
    (void)state;
    const char *texts[] = { HEAD "Content-Length: 1\r\n\r\nxy", HEAD "Content-Length: 0\r\n\r\ny",
                            HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nH" };
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(read_all(texts[i], strlen(texts[i]), strlen(texts[i])), FAILURE_MALFORMED);
    assert_false(answer.keeps_alive);
}

static void a_head_without_end_is_refused(void **state)
{
    (void)state;
    size_t len = 3 * ANSWER_HEAD_BYTES_MAX;
    char *text = mem_alloc(len);
    memset(text, 'x', len);
    memcpy(text, HEAD "A: ", strlen(HEAD "A: "));
    assert_int_equal(read_all(text, len, 1000), FAILURE_MALFORMED);
    assert_int_equal(read_all(text, len, len), FAILURE_MALFORMED);
    free(text);
}

static void bodies_are_checked_against_what_is_expected(void **state)
{
    (void)state;
    expectation.prefix = SLICE_LITERAL("hell");
    expect(HEAD "Content-Length: 5\r\n\r\nhello", FAILURE_NONE);
    expect(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", FAILURE_NONE);
    expect(HEAD "Content-Length: 5\r\n\r\nhallo", FAILURE_WRONG_BODY);
    assert_true(answer.keeps_alive);
    expect(HEAD "Content-Length: 3\r\n\r\nhel", FAILURE_WRONG_BODY);
    expect("HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nhal", FAILURE_STATUS_5XX);
    expectation.prefix.len = 0;
    expectation.has_adler32 = true;
    expectation.adler32 = 0x062c0215; /* zlib.adler32(b"hello") */
    expect(HEAD "Content-Length: 5\r\n\r\nhello", FAILURE_NONE);
    expect(HEAD "Content-Length: 5\r\n\r\nhellp", FAILURE_WRONG_BODY);
    expectation.has_adler32 = false;
    expectation.has_bytes = true;
    expectation.bytes = 4;
    expect(HEAD "Content-Length: 5\r\n\r\nhello", FAILURE_WRONG_BODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_answers_are_good_however_they_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_to_head_has_no_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_statuses_are_errors_of_their_class, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_that_end_too_soon_are_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_http_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_behind_an_answer_are_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_without_end_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_are_checked_against_what_is_expected, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
