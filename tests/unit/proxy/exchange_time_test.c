#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* What passes while a request is under way: what is counted of it, who is waited for, and what becomes of it when the
 * configuration changes or its client leaves. One real worker (conversation_rig.h), whose clock these tests turn. */
#include "tests/unit/proxy/conversation_steps.h"

static const struct service_stats *counts(const struct rig *rig)
{
    return &rig->worker->services[stats_find_service(rig->stats, "web")];
}

/* ---- what is counted ---- */

static void a_stream_is_as_fast_as_its_head_however_long_it_lasts(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    rig_pass_time(rig, 20);
    say(rig, &rig->upstreams[0], "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF "a");
    assert_int_equal(histogram_count(&counts(rig)->latency), 1);
    rig_pass_time(rig, 10000);
    say(rig, &rig->upstreams[0], "b");
    assert_int_equal(histogram_count(&counts(rig)->latency), 1);
    assert_int_equal(counts(rig)->latency.sum_us, 20000);
    assert_int_equal(histogram_count(&counts(rig)->duration), 1);
    assert_int_equal(counts(rig)->duration.sum_us, 10020000);
    end(rig);
}

static void an_upload_is_not_slow_because_its_client_is(void **state)
{
    struct rig *rig = begin(DOCUMENT(""));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, "POST / HTTP/1.1" CRLF "Host: a" CRLF "Content-Length: 2" CRLF CRLF "a");
    rig_pass_time(rig, 10000);
    say(rig, client, "b");
    rig_pass_time(rig, 20);
    say(rig, &rig->upstreams[0], "HTTP/1.1 204 No Content" CRLF CRLF);
    assert_int_equal(counts(rig)->latency.sum_us, 20000);
    assert_int_equal(counts(rig)->duration.sum_us, 10020000);
    end(rig);
}

static void a_request_without_an_answer_counts_until_it_was_given_up(void **state)
{
    struct rig *rig = begin(DOCUMENT("\"retries\":0,\"timeouts\":{\"responseMs\":3000}"));
    struct rig_peer *client = open_client(rig);
    (void)state;
    say(rig, client, GET);
    rig_pass_time(rig, 3000);
    assert_memory_equal(client->received.at, "HTTP/1.1 504", 12);
    assert_int_equal(histogram_count(&counts(rig)->latency), 1);
    assert_int_equal(counts(rig)->latency.sum_us, 3000000);
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_as_fast_as_its_head_however_long_it_lasts),
        cmocka_unit_test(an_upload_is_not_slow_because_its_client_is),
        cmocka_unit_test(a_request_without_an_answer_counts_until_it_was_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
