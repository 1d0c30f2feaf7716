#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/h1/writer.h"
#include "tests/unit/proxy/h1/parse_message.h"

#include <stdio.h>
#include <stdlib.h>

/* What puts own lines looks once, as if each were there. */
#define ROOM 8192

static const struct h1_limits limits = {
    .head_bytes = 4096, .target_bytes = 1024, .field_count = 32, .is_lenient = true, .accepts_bare_lf = true
};
static const struct http_text no_text;
static struct http_edit edit;
static char out[ROOM + 1];

/* Without a change but of what is never forwarded. */
static void begin_request(const struct http_head *head)
{
    http_edit_init(&edit, head);
    edit.target = head->forward_target;
    edit.authority = head->authority;
}

static struct h1_written write_request(const struct http_head *head, const struct http_text *text, struct h1_hop hop)
{
    struct h1_written written = h1_write_request(head, text, &edit, hop, out, ROOM);
    out[written.len] = '\0';
    return written;
}

static const struct h1_request *begin(const char *text)
{
    const struct h1_request *request = parse_request(text, &limits);
    begin_request(&request->head);
    return request;
}

static void check_written(const struct h1_request *request, struct h1_hop hop, const char *wanted)
{
    write_request(&request->head, &request->head.text, hop);
    assert_string_equal(out, wanted);
}

static void an_unedited_request_goes_on_as_it_came(void **state)
{
    (void)state;
    static const char text[] = "GET /x?y HTTP/1.1\r\nhOsT:a\r\nX-Odd:   spaces \t\r\n\r\n";
    check_written(begin(text), (struct h1_hop){ 0 }, text);
}

static void dropped_lines_part_the_runs(void **state)
{
    (void)state;
    static const char text[] =
        "GET / HTTP/1.1\r\nCookie: 1\r\nA:  b\r\nCookie: 2\r\nHost: a\r\nConnection: x\r\nX: 1\r\n\r\n";
    const struct h1_request *request = begin(text);
    edit.dropped |= HTTP_FIELD_BIT(COOKIE);
    check_written(request, (struct h1_hop){ 0 }, "GET / HTTP/1.1\r\nA:  b\r\nHost: a\r\n\r\n");
}

static void another_target_and_host_are_asked_for_without_a_look_at_the_text(void **state)
{
    (void)state;
    static const char text[] = "GET /old?q HTTP/1.1\r\nHost: old\r\nA:  b\r\n\r\n";
    const struct h1_request *request = begin(text);
    edit.target = SLICE_LITERAL("/new");
    edit.authority = SLICE_LITERAL("new.example");
    edit.dropped |= HTTP_FIELD_BIT(HOST);
    check_written(request, (struct h1_hop){ 0 }, "GET /new HTTP/1.1\r\nA:  b\r\nHost: new.example\r\n\r\n");
}

static void fields_are_added_in_order_ours_first(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct h1_request *request = begin(text);
    assert_true(http_edit_add(&edit, SLICE_LITERAL("X-Rule"), SLICE_LITERAL("1")));
    assert_true(http_edit_add(&edit, SLICE_LITERAL("x-rule"), SLICE_LITERAL("")));
    http_edit_set(&edit, HTTP_OWN_VIA, SLICE_LITERAL("1.1 p"));
    http_edit_set(&edit, HTTP_OWN_X_FORWARDED_FOR, SLICE_LITERAL("192.0.2.7"));
    check_written(
        request, (struct h1_hop){ 0 },
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\nVia: 1.1 p\r\nX-Rule: 1\r\nx-rule: \r\n\r\n");
}

static void all_fields_of_our_own_have_their_names(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct h1_request *request = begin(text);
    char wanted[1024];
    int len = snprintf(wanted, sizeof wanted, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (enum http_own own = 0; own < HTTP_OWN_DATE; own++) {
        http_edit_set(&edit, own, SLICE_LITERAL("a value"));
        len += snprintf(wanted + len, sizeof wanted - (size_t)len, "%.*s: a value\r\n", SLICE_FMT(http_own_name(own)));
    }
    snprintf(wanted + len, sizeof wanted - (size_t)len, "\r\n");
    check_written(request, (struct h1_hop){ 0 }, wanted);
    edit.joined = HTTP_OWN_BIT(FORWARDED); /* none came to be joined */
    check_written(request, (struct h1_hop){ 0 }, wanted);
}

static void joined_values_stand_before_ours(void **state)
{
    (void)state;
    static const char text[] =
        "GET / HTTP/1.1\r\nX-Forwarded-For: a\r\nHost: a\r\nX-Forwarded-For:\r\nX-Forwarded-For: b, c\r\n\r\n";
    const struct h1_request *request = begin(text);
    edit.dropped |= HTTP_FIELD_BIT(X_FORWARDED_FOR);
    edit.joined |= HTTP_OWN_BIT(X_FORWARDED_FOR);
    http_edit_set(&edit, HTTP_OWN_X_FORWARDED_FOR, SLICE_LITERAL("d"));
    check_written(request, (struct h1_hop){ 0 }, "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: a, b, c, d\r\n\r\n");
}

static void a_request_without_authority_has_room_for_one(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.0\r\nA: b\r\n\r\n";
    static const char start[] = "GET / HTTP/1.1\r\nA: b\r\nHost: ";
    const struct h1_request *request = begin(text);
    struct http_text as_came = request->head.text;
    struct h1_written written = write_request(&request->head, &as_came, (struct h1_hop){ 0 });
    assert_int_equal(written.host_at, sizeof start - 1);
    assert_int_equal(written.len, sizeof start - 1 + H1_HOST_ROOM + 4);
    assert_memory_equal(out, start, sizeof start - 1);
    for (size_t i = 0; i < H1_HOST_ROOM; i++)
        assert_int_equal(out[written.host_at + i], ' ');
    assert_string_equal(out + written.host_at + H1_HOST_ROOM, "\r\n\r\n");
}

static void what_is_for_the_next_hop_is_said_anew(void **state)
{
    (void)state;
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    static const char both[] = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    static const char chunked[] = "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char length[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 07\r\n\r\n";
    struct h1_hop upgrades = { .connection = HTTP_CONNECTION_UPGRADE }, chunks = { .is_chunked = true };
    check_written(begin(upgrade), upgrades, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    check_written(begin(both), upgrades,
                  "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, TE\r\nTE: trailers\r\nUpgrade: x\r\n\r\n");
    check_written(begin(chunked), chunks,
                  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: TE\r\nTE: trailers\r\n\r\n");
    check_written(begin(length), (struct h1_hop){ 0 }, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n");
}

static void lines_that_are_not_as_they_should_be_are_written_anew(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\nHost:a\nConnection: close\nA:  b \n\n";
    check_written(begin(text), (struct h1_hop){ 0 }, "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n");
}

static void set_line(struct http_head *head, const char *name, const char *value)
{
    struct slice text = slice_of(name);
    enum http_field id = http_field_of_name(text);
    head->fields[head->field_count++] =
        (struct http_field_line){ .name = text, .value = slice_of(value), .id = (uint8_t)id };
    head->field_ids |= UINT64_C(1) << id;
}

/* As another codec fills it: names in lower case, no Host, and nowhere any HTTP/1. */
static void a_request_that_never_was_text_is_written(void **state)
{
    (void)state;
    static struct http_head head = { .method = HTTP_METHOD_GET, .version = HTTP_1_1 };
    head.method_text = SLICE_LITERAL("GET");
    head.target = head.forward_target = SLICE_LITERAL("/x?y");
    head.authority = SLICE_LITERAL("a.example");
    head.field_count = 0;
    set_line(&head, "user-agent", "u");
    set_line(&head, "cookie", "c");
    begin_request(&head);
    edit.dropped |= HTTP_FIELD_BIT(COOKIE);
    http_edit_set(&edit, HTTP_OWN_X_REAL_IP, SLICE_LITERAL("192.0.2.7"));
    write_request(&head, &no_text, (struct h1_hop){ 0 });
    assert_string_equal(out, "GET /x?y HTTP/1.1\r\nuser-agent: u\r\nHost: a.example\r\nX-Real-IP: 192.0.2.7\r\n\r\n");
}

static void write_response(const struct http_head *head, const struct http_text *text, struct h1_hop hop)
{
    size_t len = h1_write_response(head, text, &edit, hop, out, ROOM);
    out[len] = '\0';
}

static void check_response(const char *from, struct h1_hop hop, const char *wanted)
{
    const struct h1_response *response = parse_response(from, &limits, HTTP_METHOD_GET);
    http_edit_init(&edit, &response->head);
    write_response(&response->head, &response->head.text, hop);
    assert_string_equal(out, wanted);
}

static void responses_go_on_with_what_this_hop_says(void **state)
{
    (void)state;
    static const char plain[] = "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\n\r\n";
    struct h1_hop closes = { .connection = HTTP_CONNECTION_CLOSE },
                  keeps = { .connection = HTTP_CONNECTION_KEEP_ALIVE };
    struct h1_hop upgrades = { .connection = HTTP_CONNECTION_UPGRADE }, chunks = { .is_chunked = true };
    check_response(plain, (struct h1_hop){ 0 }, plain);
    check_response(plain, closes, "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
    check_response(plain, keeps, "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n");
    check_response("HTTP/1.1 200 \r\n\r\n", chunks, "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response("HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", upgrades,
                   "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    check_response("HTTP/1.0 200 OK\r\nA: b\r\n\r\n", closes, "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
    check_response("HTTP/1.1 200 OK\nA: b\n c\nE:\n\n", closes,
                   "HTTP/1.1 200 OK\r\nA: b c\r\nE: \r\nConnection: close\r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n", (struct h1_hop){ 0 },
                   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
}

/* One that this proxy gives by itself, as a redirect. */
static void a_response_that_never_was_text_is_written(void **state)
{
    (void)state;
    static struct http_head head = { .status = 308 };
    http_edit_init(&edit, &head);
    assert_true(http_edit_add(&edit, SLICE_LITERAL("Location"), SLICE_LITERAL("https://a/")));
    http_edit_set(&edit, HTTP_OWN_DATE, SLICE_LITERAL("now"));
    write_response(&head, &no_text, (struct h1_hop){ 0 });
    assert_string_equal(out, "HTTP/1.1 308 \r\nDate: now\r\nLocation: https://a/\r\n\r\n");
}

/* The names and values that a codec would send which has no lines but pairs: what the edit says, walked. */
static size_t walk(const struct http_head *head, struct slice names[], struct slice values[])
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        if (!http_edit_drops(&edit, &head->fields[i])) {
            names[count] = head->fields[i].name;
            values[count++] = head->fields[i].value;
        }
    }
    for (enum http_own own = 0; own < HTTP_OWN_COUNT; own++) {
        if (edit.set >> own & 1) {
            names[count] = http_own_name(own);
            values[count++] = edit.own[own];
        }
    }
    for (size_t i = 0; i < edit.added_count; i++) {
        names[count] = edit.added[i].name;
        values[count++] = edit.added[i].value;
    }
    return count;
}

static void pairs_and_text_say_the_same(void **state)
{
    (void)state;
    static const char text[] = "GET /x HTTP/1.1\r\nA: b\r\nHost: a\r\nConnection: c, x-hop\r\nX-Hop: 1\r\nCookie: c\r\n"
                               "X_Real_IP: 1\r\nAccept:   */* \r\nX-Empty:\r\n\r\n";
    static struct h1_request again;
    struct slice names[64], values[64];
    enum h1_error error = H1_OK;
    size_t resume_at = 0;
    const struct h1_request *request = begin(text);
    edit.dropped |= HTTP_FIELD_BIT(COOKIE) | HTTP_FIELD_BIT(OTHER);
    http_edit_set(&edit, HTTP_OWN_X_REAL_IP, SLICE_LITERAL("192.0.2.7"));
    http_edit_set(&edit, HTTP_OWN_X_REQUEST_ID, SLICE_LITERAL("0123456789abcdef"));
    http_edit_add(&edit, SLICE_LITERAL("X-Rule"), SLICE_LITERAL("1"));
    size_t count = walk(&request->head, names, values);
    struct http_text as_came = request->head.text;
    struct h1_written written = write_request(&request->head, &as_came, (struct h1_hop){ 0 });
    assert_int_equal(h1_parse_request(out, written.len, &limits, &resume_at, &again, &error), H1_DONE);
    assert_int_equal(again.head.field_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(slice_equals(again.head.fields[i].name, names[i]));
        assert_true(slice_equals(again.head.fields[i].value, values[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unedited_request_goes_on_as_it_came),
        cmocka_unit_test(dropped_lines_part_the_runs),
        cmocka_unit_test(another_target_and_host_are_asked_for_without_a_look_at_the_text),
        cmocka_unit_test(fields_are_added_in_order_ours_first),
        cmocka_unit_test(all_fields_of_our_own_have_their_names),
        cmocka_unit_test(joined_values_stand_before_ours),
        cmocka_unit_test(a_request_without_authority_has_room_for_one),
        cmocka_unit_test(what_is_for_the_next_hop_is_said_anew),
        cmocka_unit_test(lines_that_are_not_as_they_should_be_are_written_anew),
        cmocka_unit_test(a_request_that_never_was_text_is_written),
        cmocka_unit_test(responses_go_on_with_what_this_hop_says),
        cmocka_unit_test(a_response_that_never_was_text_is_written),
        cmocka_unit_test(pairs_and_text_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
