#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Whole conversations between clients, one real worker and endpoints, with neither network nor real time. Each is run as it
 * stands, then with bytes that come one by one, then with sends that take one byte, and gives the same each time. What
 * must hold in every conversation (nothing left, nothing malformed) is checked by conversation_script.c. */
#include "tests/unit/proxy/exchange/conversation_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THEN SCRIPT_THEN
#define CRLF "\r\n"
#define HOST "Host: a" CRLF
#define END CRLF CRLF
#define GET(target) "GET " target " HTTP/1.1" CRLF HOST CRLF
#define LENGTH(text) "Content-Length: " text CRLF
#define CHUNKED "Transfer-Encoding: chunked" CRLF
#define OK(len, body)                  \
    "HTTP/1.1 200 OK" CRLF LENGTH(len) \
    CRLF body

static void run(const char *script, char mode, struct script_result *result)
{
    static const struct script_limits limits = { .step_count = 1000, .single_bytes = 100000, .limited_calls = 100000 };
    size_t len = strlen(script);
    char *copy = strdup(script);
    assert_non_null(copy);
    copy[1] = mode;
    script_run((const uint8_t *)copy, len, &limits, result);
    free(copy);
}

/* In every way in which bytes can come and go. */
static void converse(const char *script, const char *requests, const char *responses)
{
    static const char modes[] = "@ABCDGHOPW";
    for (const char *mode = modes; *mode; mode++) {
        struct script_result result;
        run(script, *mode, &result);
        assert_string_equal(buf_text(&result.requests), requests);
        assert_string_equal(buf_text(&result.responses), responses);
        script_result_fini(&result);
    }
}

static void requests_follow_each_other_on_one_connection(void **state)
{
    (void)state;
    converse("a@C" GET("/1") THEN "U" OK("5", "first") THEN "C" GET("/2") THEN "U" OK("6", "second"),
             "GET /1 \nGET /2 \n", "200 first\n200 second\n");
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    converse("a@C" GET("/1") GET("/2") GET("/3") THEN "U" OK("1", "a") THEN "U" OK("1", "b") THEN "U" OK("1", "c"),
             "GET /1 \nGET /2 \nGET /3 \n", "200 a\n200 b\n200 c\n");
}

static void a_body_with_a_length_is_passed_on(void **state)
{
    (void)state;
    converse("a@CPOST /p HTTP/1.1" CRLF HOST LENGTH("11") CRLF "hello" THEN "C world" THEN "U" OK("2", "ok"),
             "POST /p hello world\n", "200 ok\n");
}

static void chunks_and_trailers_are_passed_on_both_ways(void **state)
{
    (void)state;
    converse("a@CPUT /c HTTP/1.1" CRLF HOST "TE: trailers" CRLF "Connection: TE" CRLF CHUNKED "Trailer: X-Sum" END
             "5;x=1" CRLF "hello" CRLF "006" CRLF " world" CRLF "0" CRLF "X-Sum: 1" END THEN
             "UHTTP/1.1 200 OK" CRLF CHUNKED CRLF "3" CRLF "yes" CRLF "0" CRLF "X-Took: 2" END,
             "PUT /c hello world (X-Sum: 1)\n", "200 yes (X-Took: 2)\n");
}

/* "X-1: aaa", three times 1,200 bytes. */
static void write_long_trailers(char out[4000])
{
    char value[1201];
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    snprintf(out, 4000, "X-1: %s" CRLF "X-2: %s" CRLF "X-3: %s" CRLF, value, value, value);
}

static void trailers_without_room_behind_the_head_follow_it(void **state)
{
    char script[20000], trailers[4000];
    (void)state;
    write_long_trailers(trailers);
    snprintf(script, sizeof script,
             "a@CPUT /c HTTP/1.1" CRLF HOST "TE: trailers" CRLF "Connection: TE" CRLF CHUNKED CRLF "5" CRLF "hello" CRLF
             "0" CRLF "%s" CRLF THEN "UHTTP/1.1 200 OK" CRLF CHUNKED CRLF "3" CRLF "yes" CRLF "0" CRLF "%s" CRLF,
             trailers, trailers);
    for (const char *mode = "@GHW"; *mode; mode++) {
        struct script_result result;
        run(script, *mode, &result);
        assert_memory_equal(buf_text(&result.requests), "PUT /c hello (X-1: aaa", 22);
        assert_memory_equal(buf_text(&result.responses), "200 yes (X-1: aaa", 17);
        assert_int_equal(result.requests.len, strlen("PUT /c hello (X-1: ) (X-2: ) (X-3: )\n") + 3 * 1200);
        assert_int_equal(result.responses.len, strlen("200 yes (X-1: ) (X-2: ) (X-3: )\n") + 3 * 1200);
        script_result_fini(&result);
    }
}

static void a_request_outlives_the_snapshot_that_it_began_with(void **state)
{
    (void)state;
    converse("a@C" GET("/1") THEN "s3" THEN "U" OK("1", "a") THEN "C" GET("/2") THEN "s0" THEN "C" GET("/3") THEN
             "U" OK("1", "c"),
             "GET /1 \nGET /3 \n", "200 a\n404 404 Not Found\n\n200 c\n");
}

static void requests_outlive_every_change_of_the_settings(void **state)
{
    (void)state;
    converse("a@C" GET("/1") THEN "S1" THEN "U" OK("1", "a") THEN "C" GET("/2") THEN "S2" THEN "U" OK("1", "b") THEN
             "C" GET("/3") THEN "S4" THEN "U" OK("1", "c") THEN "C" GET("/4") THEN "S5" THEN "U" OK("1", "d"),
             "GET /1 \nGET /2 \nGET /3 \nGET /4 \n", "200 a\n200 b\n200 c\n200 d\n");
    converse("b@CPOST /1 HTTP/1.1" CRLF HOST LENGTH("6") CRLF "one" THEN "S0" THEN "t5" THEN "Ctwo" THEN
                                                              "U" OK("3", "a") THEN "S4" THEN "Ubc",
             "POST /1 onetwo\n", "200 abc\n");
}

static void an_answer_to_head_has_no_body(void **state)
{
    (void)state;
    converse("a@CHEAD /h HTTP/1.1" CRLF HOST CRLF GET("/g") THEN "UHTTP/1.1 200 OK" CRLF LENGTH("7") CRLF THEN
             "U" OK("3", "got"),
             "HEAD /h \nGET /g \n", "200 \n200 got\n");
}

static void a_client_that_expects_100_gets_it_from_the_endpoint(void **state)
{
    (void)state;
    converse("a@CPOST /e HTTP/1.1" CRLF HOST LENGTH("4") "Expect: 100-continue" END THEN
                                                         "UHTTP/1.1 100 Continue" END THEN "Cbody" THEN
                                                         "UHTTP/1.1 201 Created" CRLF LENGTH("0") CRLF,
             "POST /e body\n", "100 \n201 \n");
}

static void a_tunnel_carries_bytes_both_ways_until_both_have_ended(void **state)
{
    (void)state;
    converse("a@CGET /ws HTTP/1.1" CRLF HOST "Connection: Upgrade" CRLF "Upgrade: websocket" END THEN
             "UHTTP/1.1 101 Switching" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" END "hi" THEN
             "CGET / HTTP/1.1" THEN "U there" THEN "h" THEN "U!" THEN "H",
             "GET /ws \ntunnel GET / HTTP/1.1", "101 hi there!\n");
}

static void a_switch_that_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    converse("a@C" GET("/") THEN "UHTTP/1.1 101 Switching" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" END
                                 "hi",
             "GET / \n", "502 502 Bad Gateway\n\n");
}

static void an_early_answer_ends_the_connection_of_an_unfinished_request(void **state)
{
    (void)state;
    converse("a@CPOST /early HTTP/1.1" CRLF HOST LENGTH("100000") CRLF
             "begin" THEN "UHTTP/1.1 413 Too Large" CRLF LENGTH("2") CRLF "no" THEN "C" GET("/smuggled"),
             "POST /early begin...\n", "413 no\n");
}

static void a_connection_that_still_waits_for_a_body_serves_nobody_else(void **state)
{
    (void)state;
    converse("a@CPOST /early HTTP/1.1" CRLF HOST LENGTH("100000") CRLF "begin" THEN "U" OK("2", "no") THEN
             "n" THEN "C" GET("/1") THEN "U" OK("1", "1") THEN "C" GET("/2") THEN "U" OK("1", "2"),
             "POST /early begin...\nGET /1 \nGET /2 \n", "200 no\n200 1\n200 2\n");
}

static void a_client_that_ends_inside_its_body_has_given_up(void **state)
{
    (void)state;
    converse("a@CPOST / HTTP/1.1" CRLF HOST LENGTH("5") CRLF "abc" THEN "h", "POST / abc...\n", "");
    converse("a@CPOST / HTTP/1.1" CRLF HOST CHUNKED CRLF "3" CRLF "abc" CRLF THEN "h", "POST / abc...\n", "");
}

/* The endpoint takes connections, but reads nothing. */
static void a_head_that_the_endpoint_does_not_take_stops_the_reading_of_the_client(void **state)
{
    char script[20000], padding[8001];
    struct script_result result;
    (void)state;
    memset(padding, 'a', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    snprintf(script, sizeof script,
             "a@k1" THEN "CPOST / HTTP/1.1" CRLF HOST "X-A: %s" CRLF LENGTH("131072") CRLF THEN
             "B" THEN "K" THEN "L?" THEN "L?" THEN "t8",
             padding);
    run(script, 'H', &result);
    assert_string_equal(buf_text(&result.responses), "504 504 Gateway Timeout\n\n");
    script_result_fini(&result);
}

static void malformed_requests_are_answered_without_an_endpoint(void **state)
{
    (void)state;
    converse("a@CPOST / HTTP/1.1" CRLF HOST LENGTH("4") CHUNKED CRLF "0" END GET("/smuggled"), "",
             "400 400 Bad Request\n\n");
    converse("a@CGET / HTTP/1.1" CRLF CRLF, "", "400 400 Bad Request\n\n");
    converse("a@CGET / HTTP/2.0" CRLF HOST CRLF, "", "505 505 HTTP Version Not Supported\n\n");
}

static void malformed_chunks_never_complete_a_request(void **state)
{
    (void)state;
    /* A body that is kept until it is whole, or one that the endpoint has seen the beginning of. */
    converse("a@CPOST / HTTP/1.1" CRLF HOST CHUNKED CRLF "3" CRLF "abc" CRLF THEN "Cxyz" CRLF, "POST / abc...\n",
             "400 400 Bad Request\n\n");
}

static void malformed_responses_become_a_502(void **state)
{
    (void)state;
    converse("a@C" GET("/") THEN "UHTTP/1.1 200 OK" CRLF LENGTH("1") LENGTH("2") CRLF "ab", "GET / \n",
             "502 502 Bad Gateway\n\n");
    converse("a@C" GET("/") THEN "UHTTP/1.1 200 OK" CRLF LENGTH("2") CHUNKED CRLF "0" CRLF CRLF, "GET / \n",
             "502 502 Bad Gateway\n\n");
}

static void a_response_whose_lines_end_in_lf_alone_is_put_right(void **state)
{
    (void)state;
    converse("a@C" GET("/") THEN "UHTTP/1.1 200 OK\nContent-Length: 2\n\nok", "GET / \n", "200 ok\n");
}

static void a_status_line_without_its_last_space_gets_it(void **state)
{
    (void)state;
    converse("a@C" GET("/") THEN "UHTTP/1.1 200" CRLF LENGTH("2") CRLF "ok", "GET / \n", "200 ok\n");
}

static void a_response_that_breaks_off_is_not_completed(void **state)
{
    (void)state;
    converse("a@C" GET("/") THEN "U" OK("10", "half") THEN "X", "GET / \n", "200 half...\n");
    converse("a@C" GET("/") THEN "UHTTP/1.1 200 OK" CRLF CHUNKED CRLF "4" CRLF "half" CRLF THEN "X", "GET / \n",
             "200 half...\n");
    converse("a@C" GET("/") THEN "UHTTP/1.1 200 OK" END "half" THEN "R", "GET / \n", "200 half...\n");
}

static void a_body_that_ends_with_the_connection_is_framed_anew(void **state)
{
    (void)state;
    converse("a@C" GET("/1") THEN "UHTTP/1.0 200 OK" END "until" THEN "U the end" THEN "H" THEN "C" GET("/2") THEN
             "U" OK("2", "on"),
             "GET /1 \nGET /2 \n", "200 until the end\n200 on\n");
}

static void a_flood_of_interim_responses_is_cut(void **state)
{
    (void)state;
#define FOUR "HTTP/1.1 103 x" END "HTTP/1.1 103 x" END "HTTP/1.1 103 x" END "HTTP/1.1 103 x" END
    converse(
        "a@C" GET("/") THEN "U" FOUR FOUR FOUR FOUR OK("2", "ok"), "GET / \n",
        "103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n103 \n200 ok\n");
}

static void an_http_1_0_client_gets_its_answer_and_the_end(void **state)
{
    (void)state;
    converse("a@CGET /old HTTP/1.0" END THEN "UHTTP/1.1 200 OK" CRLF CHUNKED CRLF "3" CRLF "old" CRLF "0" END,
             "GET /old \n", "200 old\n");
}

static void endpoints_that_refuse_are_tried_once_each(void **state)
{
    (void)state;
    converse("a@k2" THEN "CPOST / HTTP/1.1" CRLF HOST LENGTH("2") CRLF "ab", "", "502 502 Bad Gateway\n\n");
    converse("a@k3" THEN "CPOST / HTTP/1.1" CRLF HOST LENGTH("2") CRLF "ab", "", "502 502 Bad Gateway\n\n");
}

static void a_connection_that_hangs_is_given_up_for_the_other_endpoint(void **state)
{
    (void)state;
    converse("a@k1" THEN "C" GET("/slow") THEN "k0" THEN "t4" THEN "U" OK("2", "ok"), "GET /slow \n", "200 ok\n");
    converse("a@k1" THEN "C" GET("/slow") THEN "K" THEN "U" OK("2", "ok"), "GET /slow \n", "200 ok\n");
}

static void a_stale_pooled_connection_is_not_noticed_by_the_client(void **state)
{
    (void)state;
    converse("a@C" GET("/1") THEN "U" OK("1", "a") THEN "&X" THEN "C" GET("/2") THEN "U" OK("1", "b"),
             "GET /1 \nGET /2 \n", "200 a\n200 b\n");
}

/* The second request had been sent on a connection that the endpoint was about to close; there is no other endpoint. */
static void a_stale_connection_to_the_only_endpoint_is_made_anew(void **state)
{
    (void)state;
    converse("a@s1" THEN "C" GET("/1") THEN "U" OK("1", "a") THEN "C" GET("/2") THEN "X" THEN "U" OK("1", "b"),
             "GET /1 \nGET /2 \nGET /2 \n", "200 a\n200 b\n");
    converse("a@s1" THEN "C" GET("/1") THEN "U" OK("1", "a") THEN "C" GET("/2") THEN "R" THEN "U" OK("1", "b"),
             "GET /1 \nGET /2 \nGET /2 \n", "200 a\n200 b\n");
}

static void a_new_connection_that_breaks_is_not_made_anew(void **state)
{
    (void)state;
    converse("a@s1" THEN "C" GET("/1") THEN "X", "GET /1 \n", "502 502 Bad Gateway\n\n");
    converse("a@s1" THEN "C" GET("/1") THEN "U" OK("1", "a") THEN "C" GET("/2") THEN "X" THEN "X",
             "GET /1 \nGET /2 \nGET /2 \n", "200 a\n502 502 Bad Gateway\n\n");
}

static void what_may_not_be_sent_twice_is_not_sent_again_on_a_new_connection(void **state)
{
    (void)state;
    converse("a@s1" THEN "C" GET("/1") THEN "U" OK("1", "a") THEN "CPOST /2 HTTP/1.1" CRLF HOST LENGTH("1") CRLF
             "x" THEN "X",
             "GET /1 \nPOST /2 x\n", "200 a\n502 502 Bad Gateway\n\n");
}

/* Its endpoints left the rotation with it, whatever the snapshot that the request began with says of them. */
static void a_request_of_a_service_that_is_gone_is_not_tried_again(void **state)
{
    (void)state;
    converse("a@C" GET("/1") THEN "s3" THEN "X", "GET /1 \n", "502 502 Bad Gateway\n\n");
    converse("a@C" GET("/1") THEN "s2" THEN "X", "GET /1 \n", "502 502 Bad Gateway\n\n");
}

/* Both come within one turn: the connection has been chosen, and nothing been sent on it. */
static void an_answer_to_nothing_is_not_taken_for_the_answer_to_the_next_request(void **state)
{
    (void)state;
    struct script_result result;
    run("a@C" GET("/1") THEN "U" OK("1", "a") THEN "&C" GET("/2") THEN "U" OK("5", "stale") THEN "U" OK("1", "b"), '@',
        &result);
    assert_string_equal(buf_text(&result.requests), "GET /1 \nGET /2 \n");
    assert_string_equal(buf_text(&result.responses), "200 a\n200 b\n");
    script_result_fini(&result);
}

static void time_ends_what_does_not_go_on(void **state)
{
    (void)state;
    converse("a@CGET / HT" THEN "t6" THEN "t6", "", "408 408 Request Timeout\n\n");
    converse("a@C" GET("/") THEN "t8" THEN "t8", "GET / \nGET / \n", "504 504 Gateway Timeout\n\n");
}

static void clients_get_their_own_answers_only(void **state)
{
    (void)state;
    converse("a@C" GET("/0") THEN "n" THEN "C" GET("/1") THEN "u1" THEN "U" OK("4", "\xf8one") THEN
             "u0" THEN "U" OK("5", "\xf8zero"),
             "GET /0 \nGET /1 \n", "200 \xf8zero\n200 \xf9one\n");
}

static void a_client_that_reads_nothing_holds_no_more_than_its_buffers(void **state)
{
    struct script_result result;
    (void)state;
    run("a@b" THEN "CGET /big HTTP/1.1" CRLF HOST CRLF THEN "UHTTP/1.1 200 OK" CRLF LENGTH("262144") CRLF THEN
        "M?" THEN "M?" THEN "M?" THEN "M?" THEN "b",
        'H', &result);
    assert_int_equal(result.responses.len, strlen("200 \n") + 262144);
    script_result_fini(&result);
}

/* Each ceiling lets another buffer be the one that is missing: that of the request, of what comes, of the answer, and of
 * its trailers. */
static void at_whatever_ceiling_of_the_buffers_an_answer_is_whole_or_another_one(void **state)
{
    static const char script[] = "a@mX" THEN "CGET / HTTP/1.1" CRLF HOST "TE: trailers" CRLF "Connection: TE" END THEN
                                 "UHTTP/1.1 200 OK" CRLF CHUNKED CRLF "3" CRLF "yes" CRLF "0" CRLF "X-Took: 2" END;
    char copy[sizeof script];
    unsigned whole_count = 0;
    (void)state;
    for (char ceiling = '1'; ceiling <= '9'; ceiling++) {
        struct script_result result;
        memcpy(copy, script, sizeof copy);
        *strchr(copy, 'X') = ceiling;
        run(copy, '@', &result);
        bool is_whole = strcmp(buf_text(&result.responses), "200 yes (X-Took: 2)\n") == 0;
        if (!is_whole)
            assert_string_equal(buf_text(&result.responses), "503 503 Service Unavailable\n\n");
        whole_count += is_whole;
        script_result_fini(&result);
    }
    assert_true(whole_count > 0 && whole_count < 9);
}

static int tear_down(void **state)
{
    (void)state;
    script_free_rigs();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_follow_each_other_on_one_connection),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_body_with_a_length_is_passed_on),
        cmocka_unit_test(chunks_and_trailers_are_passed_on_both_ways),
        cmocka_unit_test(trailers_without_room_behind_the_head_follow_it),
        cmocka_unit_test(a_request_outlives_the_snapshot_that_it_began_with),
        cmocka_unit_test(requests_outlive_every_change_of_the_settings),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(a_client_that_expects_100_gets_it_from_the_endpoint),
        cmocka_unit_test(a_tunnel_carries_bytes_both_ways_until_both_have_ended),
        cmocka_unit_test(a_switch_that_nobody_asked_for_is_refused),
        cmocka_unit_test(an_early_answer_ends_the_connection_of_an_unfinished_request),
        cmocka_unit_test(a_connection_that_still_waits_for_a_body_serves_nobody_else),
        cmocka_unit_test(a_client_that_ends_inside_its_body_has_given_up),
        cmocka_unit_test(a_head_that_the_endpoint_does_not_take_stops_the_reading_of_the_client),
        cmocka_unit_test(malformed_requests_are_answered_without_an_endpoint),
        cmocka_unit_test(malformed_chunks_never_complete_a_request),
        cmocka_unit_test(malformed_responses_become_a_502),
        cmocka_unit_test(a_response_whose_lines_end_in_lf_alone_is_put_right),
        cmocka_unit_test(a_status_line_without_its_last_space_gets_it),
        cmocka_unit_test(a_response_that_breaks_off_is_not_completed),
        cmocka_unit_test(a_body_that_ends_with_the_connection_is_framed_anew),
        cmocka_unit_test(a_flood_of_interim_responses_is_cut),
        cmocka_unit_test(an_http_1_0_client_gets_its_answer_and_the_end),
        cmocka_unit_test(endpoints_that_refuse_are_tried_once_each),
        cmocka_unit_test(a_connection_that_hangs_is_given_up_for_the_other_endpoint),
        cmocka_unit_test(a_stale_pooled_connection_is_not_noticed_by_the_client),
        cmocka_unit_test(a_stale_connection_to_the_only_endpoint_is_made_anew),
        cmocka_unit_test(a_new_connection_that_breaks_is_not_made_anew),
        cmocka_unit_test(what_may_not_be_sent_twice_is_not_sent_again_on_a_new_connection),
        cmocka_unit_test(a_request_of_a_service_that_is_gone_is_not_tried_again),
        cmocka_unit_test(an_answer_to_nothing_is_not_taken_for_the_answer_to_the_next_request),
        cmocka_unit_test(time_ends_what_does_not_go_on),
        cmocka_unit_test(clients_get_their_own_answers_only),
        cmocka_unit_test(a_client_that_reads_nothing_holds_no_more_than_its_buffers),
        cmocka_unit_test(at_whatever_ceiling_of_the_buffers_an_answer_is_whole_or_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
