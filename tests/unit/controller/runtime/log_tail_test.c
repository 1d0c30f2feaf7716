#include "controller/runtime/log_tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* In pieces of this size; 0: whole. The caller's, to free(). */
static char *text_in_pieces(const char *raw, size_t len, size_t piece_len)
{
    struct log_tail tail;
    log_tail_init(&tail);
    for (size_t at = 0, n; at < len; at += n) {
        n = piece_len == 0 || len - at < piece_len ? len - at : piece_len;
        log_tail_add(&tail, (struct slice){ raw + at, n });
    }
    char *text = log_tail_text(&tail);
    log_tail_fini(&tail);
    return text;
}

static void assert_text(const char *raw, size_t len, const char *wanted)
{
    for (size_t piece_len = 0; piece_len < 12; piece_len++) {
        char *text = text_in_pieces(raw, len, piece_len);
        assert_string_equal(text, wanted);
        free(text);
    }
}

#define ASSERT_TEXT(raw, wanted) assert_text(raw, sizeof(raw) - 1, wanted)

static void frames_of_both_streams_become_lines_however_they_are_cut(void **state)
{
    (void)state;
    ASSERT_TEXT("\1\0\0\0\0\0\0\6hello\n\2\0\0\0\0\0\0\5oops\n", "hello\noops");
    ASSERT_TEXT("\1\0\0\0\0\0\0\3hel\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\3lo\n", "hello"); /* one long line, in parts */
    ASSERT_TEXT("of a\r\nterminal\r\n", "of a\nterminal");
    ASSERT_TEXT("10%\r20%\rdone\n", "10%\n20%\ndone");
    ASSERT_TEXT("one\n\nafter an empty one\n\n\n", "one\n\nafter an empty one");
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    ASSERT_TEXT("", "");
    ASSERT_TEXT("\n\r\n\n", "");
    ASSERT_TEXT("\1\0\0\0\0\0\0\0", "");
    ASSERT_TEXT("\1\0\0", ""); /* cut in a head */
}

static void an_answer_that_was_cut_or_lies_gives_what_there_is(void **state)
{
    (void)state;
    ASSERT_TEXT("\1\0\0\0\0\0\0\6hel", "hel");
    ASSERT_TEXT("\1\0\0\0\377\377\377\377x\n", "x");
    ASSERT_TEXT("\1\0\0\0\0\0\0\2a\nno frame\n", "a\nno frame");
}

static void what_cannot_be_printed_is_a_question_mark(void **state)
{
    (void)state;
    ASSERT_TEXT("a\0b\x1b[31m\x7f\t.", "a?b?[31m?\t.");
    ASSERT_TEXT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xb3");
    ASSERT_TEXT("\xc2\x9b \xc0\x80 \xed\xa0\x80 \xff \xe2\x82", "?? ?? ??? ? ??"); /* C1, overlong, surrogate, cut */
}

static void of_many_lines_the_newest_whole_ones_stay(void **state)
{
    (void)state;
    static char raw[400000];
    size_t len = 0, lines = 0;
    for (int i = 0; i < 20000; i++)
        len += (size_t)snprintf(raw + len, sizeof raw - len, "line %d\n", i);
    char *text = text_in_pieces(raw, len, 1000);
    assert_memory_equal(text, "line 19950\nline 19951\n", 22);
    assert_string_equal(text + strlen(text) - 11, "\nline 19999");
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines + 1, LOG_TAIL_LINES_MAX);
    free(text);

    len = 0;
    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(raw + len, sizeof raw - len, "%d%0999d\n", i % 10, 0);
    text = text_in_pieces(raw, len, 777);
    assert_int_equal(strlen(text), 8 * 1001 - 1); /* eight fit, none in part */
    assert_int_equal(text[0], '2');
    free(text);
}

static void of_ten_megabytes_without_a_line_end_the_end_stays_and_little_is_held(void **state)
{
    (void)state;
    struct log_tail tail;
    log_tail_init(&tail);
    static char piece[16384];
    memset(piece, 0xe2, sizeof piece); /* and no character of it is whole */
    for (int i = 0; i < 640; i++) {
        log_tail_add(&tail, SLICE_LITERAL("\1\0\0\0\0\0\100\0"));
        log_tail_add(&tail, (struct slice){ piece, sizeof piece });
        assert_true(tail.kept.size <= 4 * LOG_TAIL_BYTES_MAX);
    }
    log_tail_add(&tail, SLICE_LITERAL("\2\0\0\0\0\0\0\4END\n"));
    char *text = log_tail_text(&tail);
    assert_int_equal(strlen(text), LOG_TAIL_BYTES_MAX);
    assert_string_equal(text + strlen(text) - 4, "?END");
    free(text);
    log_tail_fini(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_both_streams_become_lines_however_they_are_cut),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(an_answer_that_was_cut_or_lies_gives_what_there_is),
        cmocka_unit_test(what_cannot_be_printed_is_a_question_mark),
        cmocka_unit_test(of_many_lines_the_newest_whole_ones_stay),
        cmocka_unit_test(of_ten_megabytes_without_a_line_end_the_end_stays_and_little_is_held),
    };
    return cmocka_run_group_tests_name("log_tail", tests, NULL, NULL);
}
