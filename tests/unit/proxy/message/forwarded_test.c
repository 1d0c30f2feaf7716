#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/h1/head.h"
#include "proxy/message/forwarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/schema.h"

#define FOR "X-Forwarded-For: 192.0.2.7\r\n"
#define PROTO "X-Forwarded-Proto: http\r\n"
#define HOST "X-Forwarded-Host: a.test:80\r\n"
#define PORT "X-Forwarded-Port: 8080\r\n"
#define REAL_IP "X-Real-IP: 192.0.2.7\r\n"
#define OURS FOR REAL_IP PROTO HOST PORT

/* Everything that there is, as a proxy in front may send it. */
#define SENT                                                                                       \
    "X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: front.test\r\n" \
    "X-Forwarded-Port: 443\r\nX-Real-IP: 203.0.113.1\r\nForwarded: for=203.0.113.1\r\n"

struct forwarded_case {
    const char *sent;  /* fields of the request */
    const char *wrote; /* lines of ours */
};

static const struct h1_request *parse(const char *start, const char *fields)
{
    static const struct h1_limits limits = { .head_bytes = 65536, .target_bytes = 8192, .field_count = 128 };
    static struct h1_request request;
    static char text[8192];
    enum h1_error error = H1_OK;
    size_t resume_at = 0;
    snprintf(text, sizeof text, "%s%s\r\n", start, fields);
    if (h1_parse_request(text, strlen(text), &limits, &resume_at, &request, &error) != H1_DONE)
        fail_msg("%s: %s", text, h1_error_to_str(error));
    return &request;
}

/* As a codec writes them, into memory of exactly the promised size. Ends with a NUL. */
static char *write_lines(const struct h1_request *request, const struct forwarded_client *client)
{
    static struct http_edit edit;
    const struct http_head *head = &request->head;
    size_t size = FORWARDED_EXTRA_BYTES + 2 * head->authority.len + request->head.head_bytes;
    char *out = malloc(size);
    assert_non_null(out);
    struct head_writer w = { out, out + size };
    http_edit_init(&edit, head);
    forwarded_edit(&edit, head, client);
    for (enum http_own own = 0; own < HTTP_OWN_COUNT; own++) {
        if (!(edit.set >> own & 1))
            continue;
        head_put_slice(&w, http_own_name(own));
        HEAD_PUT_LITERAL(&w, ": ");
        for (size_t i = 0; i < head->field_count; i++) {
            if (!http_edit_joins(&edit, own, &head->fields[i]))
                continue;
            head_put_slice(&w, head->fields[i].value);
            HEAD_PUT_LITERAL(&w, ", ");
        }
        head_put_slice(&w, edit.own[own]);
        HEAD_PUT_LITERAL(&w, "\r\n");
    }
    size_t len = (size_t)(w.at - out);
    out = realloc(out, len + 1);
    assert_non_null(out);
    out[len] = '\0';
    return out;
}

static struct forwarded_client client_of(bool is_trusted, enum forwarded_for mode, bool sends_forwarded)
{
    return (struct forwarded_client){ .peer = SLICE_LITERAL("192.0.2.7"),
                                      .port = SLICE_LITERAL("8080"),
                                      .is_trusted = is_trusted,
                                      .mode = mode,
                                      .sends_forwarded = sends_forwarded };
}

static void check_lines(const struct forwarded_client *client, const struct forwarded_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *out = write_lines(parse("GET / HTTP/1.1\r\nHost: a.test:80\r\n", cases[i].sent), client);
        if (strcmp(out, cases[i].wrote) != 0)
            fail_msg("of\n%s\ncame\n%s\nand not\n%s", cases[i].sent, out, cases[i].wrote);
        free(out);
    }
}

#define CHECK_LINES(client, cases) check_lines(client, cases, sizeof(cases) / sizeof *(cases))

static bool drops(const struct forwarded_client *client, enum http_field id)
{
    return forwarded_dropped_fields(client) >> id & 1;
}

static void check_drops(const struct forwarded_client *client, bool address, bool rest, bool forwarded)
{
    assert_int_equal(drops(client, HTTP_FIELD_X_FORWARDED_FOR), address);
    assert_int_equal(drops(client, HTTP_FIELD_X_FORWARDED_PROTO), rest);
    assert_int_equal(drops(client, HTTP_FIELD_X_FORWARDED_HOST), rest);
    assert_int_equal(drops(client, HTTP_FIELD_X_FORWARDED_PORT), rest);
    assert_int_equal(drops(client, HTTP_FIELD_FORWARDED), forwarded);
    assert_int_equal(drops(client, HTTP_FIELD_CLAIM), rest);
    assert_int_equal(drops(client, HTTP_FIELD_X_REAL_IP), rest);
    assert_false(drops(client, HTTP_FIELD_HOST));
    assert_false(drops(client, HTTP_FIELD_OTHER));
}

static void nobody_is_trusted_unless_it_is_said(void **state)
{
    (void)state;
    static const struct forwarded_case cases[] = { { "", OURS }, { SENT, OURS }, { SENT SENT, OURS } };
    for (int mode = 0; mode < FORWARDED_FOR_COUNT; mode++) {
        struct forwarded_client client = client_of(false, (enum forwarded_for)mode, false);
        check_drops(&client, true, true, true);
        CHECK_LINES(&client, cases);
    }
    assert_true(drops(&(struct forwarded_client){ .is_trusted = false }, HTTP_FIELD_X_FORWARDED_FOR));
}

static void replacing_says_only_what_is_seen_here(void **state)
{
    (void)state;
    static const struct forwarded_case cases[] = {
        { "", OURS "Forwarded: for=192.0.2.7;host=\"a.test:80\";proto=http\r\n" },
        { SENT, OURS "Forwarded: for=192.0.2.7;host=\"a.test:80\";proto=http\r\n" },
    };
    struct forwarded_client client = client_of(true, FORWARDED_FOR_REPLACE, true);
    check_drops(&client, true, true, true);
    CHECK_LINES(&client, cases);
}

static void appending_adds_the_peer_to_the_addresses(void **state)
{
    (void)state;
    static const struct forwarded_case cases[] = {
        { "", OURS },
        { SENT, "X-Forwarded-For: 203.0.113.1, 192.0.2.7\r\n" },
        { "X-Forwarded-For: 1, 2\r\nX: y\r\nx-forwarded-for:3\r\nX-FORWARDED-FOR: \r\n",
          "X-Forwarded-For: 1, 2, 3, 192.0.2.7\r\n" PROTO HOST PORT },
        { "X-Forwarded-For:\r\n", FOR PROTO HOST PORT },
        { "X-Forwarded-Proto: https\r\n", FOR REAL_IP HOST PORT },
        { "X-Forwarded-Host: front.test\r\n", FOR REAL_IP PROTO PORT },
        { "X-Forwarded-Port: 443\r\n", FOR REAL_IP PROTO HOST },
        { "X-Real-IP: 203.0.113.1\r\n", FOR PROTO HOST PORT },
        { "Forwarded: for=1\r\n", OURS },
    };
    struct forwarded_client client = client_of(true, FORWARDED_FOR_APPEND, false);
    check_drops(&client, true, false, false);
    CHECK_LINES(&client, cases);
}

static void appending_adds_an_element_to_forwarded_when_it_is_sent(void **state)
{
    (void)state;
#define ELEMENT "for=192.0.2.7;host=\"a.test:80\";proto=http\r\n"
    static const struct forwarded_case cases[] = {
        { "", OURS "Forwarded: " ELEMENT },
        { SENT, "X-Forwarded-For: 203.0.113.1, 192.0.2.7\r\nForwarded: for=203.0.113.1, " ELEMENT },
        { "Forwarded: for=1;proto=https\r\nForwarded: for=\"[2001:db8::1]:4\", for=2\r\n",
          OURS "Forwarded: for=1;proto=https, for=\"[2001:db8::1]:4\", for=2, " ELEMENT },
        /* which must not end up inside of somebody's quotes */
        { "Forwarded: for=\"1\r\nForwarded: for=2\r\n", OURS "Forwarded: for=2, " ELEMENT },
        { "Forwarded: for=\"1\\\"\r\n", OURS "Forwarded: " ELEMENT },
        { "Forwarded: for=\"1\\\\\"\r\n", OURS "Forwarded: for=\"1\\\\\", " ELEMENT },
        { "Forwarded: for=\"1\\\r\n", OURS "Forwarded: " ELEMENT },
        { "Forwarded:\r\n", OURS "Forwarded: " ELEMENT },
    };
    struct forwarded_client client = client_of(true, FORWARDED_FOR_APPEND, true);
    check_drops(&client, true, false, true);
    CHECK_LINES(&client, cases);
}

static void preserving_only_fills_in_what_is_not_there(void **state)
{
    (void)state;
    static const struct forwarded_case cases[] = {
        { "", OURS "Forwarded: for=192.0.2.7;host=\"a.test:80\";proto=http\r\n" },
        { SENT, "" },
        { "X-Forwarded-For: 1\r\nForwarded: for=1\r\n", PROTO HOST PORT },
    };
    struct forwarded_client client = client_of(true, FORWARDED_FOR_PRESERVE, true);
    check_drops(&client, false, false, false);
    CHECK_LINES(&client, cases);
}

static void an_ipv6_address_is_quoted_in_brackets_in_forwarded_alone(void **state)
{
    (void)state;
    static const struct forwarded_case cases[] = {
        { "", "X-Forwarded-For: 2001:db8::7\r\nX-Real-IP: 2001:db8::7\r\nX-Forwarded-Proto: https\r\n" HOST
              "Forwarded: for=\"[2001:db8::7]\";host=\"a.test:80\";proto=https\r\n" },
    };
    struct forwarded_client client = client_of(false, FORWARDED_FOR_APPEND, true);
    client.peer = SLICE_LITERAL("2001:db8::7");
    client.is_https = true;
    client.port = SLICE_LITERAL("");
    CHECK_LINES(&client, cases);
}

static void without_an_authority_no_host_is_named(void **state)
{
    (void)state;
    struct forwarded_client client = client_of(false, FORWARDED_FOR_APPEND, true);
    char *out = write_lines(parse("GET / HTTP/1.0\r\n", ""), &client);
    assert_string_equal(out, FOR REAL_IP PROTO PORT "Forwarded: for=192.0.2.7;proto=http\r\n");
    free(out);
}

/* No host that the parser lets through may break out of the quotes. */
static void no_host_can_hold_a_quote(void **state)
{
    (void)state;
    static const struct h1_limits limits = { .head_bytes = 65536, .target_bytes = 8192, .field_count = 128 };
    static struct h1_request request;
    for (int c = 1; c < 256; c++) {
        char text[64];
        enum h1_error error;
        size_t resume_at = 0;
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a%cb\r\n\r\n", c);
        if (h1_parse_request(text, strlen(text), &limits, &resume_at, &request, &error) != H1_DONE)
            continue;
        assert_null(memchr(request.head.authority.at, '"', request.head.authority.len));
        assert_null(memchr(request.head.authority.at, '\\', request.head.authority.len));
    }
}

static void the_promised_room_is_enough(void **state)
{
    (void)state;
    struct forwarded_client client = { .peer = SLICE_LITERAL("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"),
                                       .is_https = true,
                                       .port = SLICE_LITERAL("65535"),
                                       .is_trusted = true,
                                       .sends_forwarded = true };
    char many[4096];
    size_t len = 0;
    for (int i = 0; i < 60; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, "Forwarded:%d\r\nX-Forwarded-For:%d\r\n", i, i);
    char *out = write_lines(parse("GET / HTTP/1.1\r\nHost: a.test:80\r\n", many), &client);
    assert_non_null(strstr(out, "0, 1, 2, 3, "));
    free(out);
}

static void assert_reference_names(const char *name)
{
    const char *help = schema_find(SCHEMA_SECTION_PROXY, "trustedProxies")->help;
    char quoted[64];
    snprintf(quoted, sizeof quoted, "`%s`", name);
    if (!strcasestr(help, quoted))
        fail_msg("the reference of trustedProxies does not name %s", quoted);
}

/* Whoever misses a field that a client sent looks there. */
static void the_reference_names_every_field_that_is_dropped(void **state)
{
    (void)state;
    static const char *const claims[] = {
#define CLAIM(id, name, slot) name,
        HTTP_CLAIM_LIST(CLAIM)
#undef CLAIM
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        assert_reference_names(claims[i]);
    for (int id = 1; id < HTTP_FIELD_CLAIM; id++) {
        if (FORWARDED_FIELDS >> id & 1)
            assert_reference_names(http_field_to_str((enum http_field)id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_trusted_unless_it_is_said),
        cmocka_unit_test(replacing_says_only_what_is_seen_here),
        cmocka_unit_test(appending_adds_the_peer_to_the_addresses),
        cmocka_unit_test(appending_adds_an_element_to_forwarded_when_it_is_sent),
        cmocka_unit_test(preserving_only_fills_in_what_is_not_there),
        cmocka_unit_test(an_ipv6_address_is_quoted_in_brackets_in_forwarded_alone),
        cmocka_unit_test(without_an_authority_no_host_is_named),
        cmocka_unit_test(no_host_can_hold_a_quote),
        cmocka_unit_test(the_promised_room_is_enough),
        cmocka_unit_test(the_reference_names_every_field_that_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
