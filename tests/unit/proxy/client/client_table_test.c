#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/client/client_table.h"

#include <stdio.h>

static const struct client_limits no_limits;

static struct network_address address_of(const char *text)
{
    struct network network;
    assert_true(network_parse(text, &network));
    return network.address;
}

static struct network_address address_number(unsigned number)
{
    char text[NETWORK_TEXT_SIZE];
    snprintf(text, sizeof text, "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255, number & 255);
    return address_of(text);
}

static struct client_entry *enter(struct client_table *table, const char *text, const struct client_limits *limits,
                                  int64_t now_ms, enum client_admission wanted)
{
    struct network_address address = address_of(text);
    struct client_entry *entry = (struct client_entry *)&address; /* has to be overwritten */
    assert_int_equal(client_table_enter(table, &address, limits, now_ms, &entry), wanted);
    assert_int_equal(entry != NULL, wanted == CLIENT_ADMITTED);
    return entry;
}

static void as_many_connections_as_allowed_are_admitted(void **state)
{
    (void)state;
    const struct client_limits limits = { .connections = 2 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *a = enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    assert_ptr_equal(enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED), a);
    enter(table, "192.0.2.1", &limits, 0, CLIENT_REFUSED);
    assert_ptr_not_equal(enter(table, "192.0.2.2", &limits, 0, CLIENT_ADMITTED), a);
    client_table_leave(table, a, 0);
    enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    enter(table, "192.0.2.1", &limits, 0, CLIENT_REFUSED);
    /* The limit may fall below what is there, or go. */
    enter(table, "192.0.2.1", &(struct client_limits){ .connections = 1 }, 0, CLIENT_REFUSED);
    enter(table, "192.0.2.1", &no_limits, 0, CLIENT_ADMITTED);
    client_table_free(table);
}

static void an_ipv6_client_is_its_64_bits_and_an_ipv4_client_its_32(void **state)
{
    (void)state;
    const struct client_limits limits = { .connections = 1 };
    struct client_table *table = client_table_new(16, 1);
    enter(table, "2001:db8:0:1::1", &limits, 0, CLIENT_ADMITTED);
    enter(table, "2001:db8:0:1:ffff:ffff:ffff:ffff", &limits, 0, CLIENT_REFUSED);
    enter(table, "2001:db8:0:2::1", &limits, 0, CLIENT_ADMITTED);
    enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    enter(table, "192.0.2.2", &limits, 0, CLIENT_ADMITTED);
    enter(table, "::ffff:192.0.2.2", &limits, 0, CLIENT_REFUSED);
    enter(table, "::1", &limits, 0, CLIENT_ADMITTED);
    client_table_free(table);
}

static unsigned count_taken(struct client_entry *entry, const struct client_limits *limits, int64_t now_ms)
{
    unsigned taken = 0;
    while (taken < 10000 && client_entry_take_request(entry, limits, now_ms))
        taken++;
    return taken;
}

static void requests_come_in_a_burst_of_one_second_and_then_at_their_rate(void **state)
{
    (void)state;
    const struct client_limits limits = { .requests_per_second = 10 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entry = enter(table, "192.0.2.1", &limits, 5000, CLIENT_ADMITTED);
    assert_int_equal(count_taken(entry, &limits, 5000), 10);
    assert_int_equal(count_taken(entry, &limits, 5099), 0);
    assert_int_equal(count_taken(entry, &limits, 5100), 1);
    assert_int_equal(count_taken(entry, &limits, 5350), 2);
    assert_int_equal(count_taken(entry, &limits, 5400), 1);
    assert_int_equal(count_taken(entry, &limits, 5400 + 1000000), 10);
    assert_int_equal(count_taken(entry, &limits, 5000), 0); /* a clock that steps back adds nothing */
    client_table_free(table);
}

static void a_rate_is_kept_however_often_it_is_looked_at(void **state)
{
    (void)state;
    const struct client_limits limits = { .requests_per_second = 7 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entry = enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    unsigned taken = 0;
    for (int64_t now_ms = 0; now_ms <= 10000; now_ms++)
        taken += count_taken(entry, &limits, now_ms);
    assert_int_equal(taken, 7 + 70);
    client_table_free(table);
}

static void body_bytes_are_allowed_at_their_rate(void **state)
{
    (void)state;
    const struct client_limits limits = { .body_bytes_per_second = 1000 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entry = enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 600, 0), 600);
    client_entry_take_bytes(entry, &limits, 500);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 600, 0), 500);
    client_entry_take_bytes(entry, &limits, 500);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 600, 0), 0);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 600, 100), 100);
    /* What was read without asking (with the head) has to be made up for. */
    client_entry_take_bytes(entry, &limits, 300);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 600, 300), 0);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 600, 301), 1);
    client_table_free(table);
}

static void the_largest_rates_do_not_overflow(void **state)
{
    (void)state;
    const struct client_limits limits = { .body_bytes_per_second = INT64_C(1) << 40 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entry = enter(table, "192.0.2.1", &limits, INT64_MAX / 4, CLIENT_ADMITTED);
    assert_true(client_entry_allowed_bytes(entry, &limits, SIZE_MAX, INT64_MAX / 4) == UINT64_C(1) << 40);
    client_entry_take_bytes(entry, &limits, (size_t)1 << 40);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, SIZE_MAX, INT64_MAX / 4), 0);
    assert_true(client_entry_allowed_bytes(entry, &limits, SIZE_MAX, INT64_MAX / 2) == UINT64_C(1) << 40);
    client_table_free(table);
}

static void without_limits_or_entry_everything_is_allowed(void **state)
{
    (void)state;
    const struct client_limits limits = { .connections = 1, .requests_per_second = 1, .body_bytes_per_second = 1 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entry = enter(table, "192.0.2.1", &no_limits, 0, CLIENT_ADMITTED);
    assert_int_equal(count_taken(entry, &no_limits, 0), 10000);
    assert_int_equal(count_taken(NULL, &limits, 0), 10000);
    assert_int_equal(client_entry_allowed_bytes(entry, &no_limits, 77, 0), 77);
    assert_int_equal(client_entry_allowed_bytes(NULL, &limits, 77, 0), 77);
    client_entry_take_bytes(NULL, &limits, 77);
    client_table_leave(table, NULL, 0);
    /* A limit that comes later finds a full bucket. */
    assert_int_equal(count_taken(entry, &limits, 0), 1);
    client_table_free(table);
    client_table_free(NULL);
}

static void coming_back_at_once_does_not_fill_the_buckets(void **state)
{
    (void)state;
    const struct client_limits limits = { .requests_per_second = 10 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entry = enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    assert_int_equal(count_taken(entry, &limits, 0), 10);
    client_table_leave(table, entry, 0);
    entry = enter(table, "192.0.2.1", &limits, 500, CLIENT_ADMITTED);
    assert_int_equal(count_taken(entry, &limits, 500), 5);
    client_table_leave(table, entry, 500);
    entry = enter(table, "192.0.2.1", &limits, 1499, CLIENT_ADMITTED);
    assert_int_equal(count_taken(entry, &limits, 1499), 9);
    client_table_leave(table, entry, 1499);
    enter(table, "192.0.2.1", &limits, 2499, CLIENT_ADMITTED);
    assert_int_equal(client_table_count(table), 1);
    client_table_free(table);
}

static void idle_entries_go_after_a_second_and_others_stay(void **state)
{
    (void)state;
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *a = enter(table, "192.0.2.1", &no_limits, 0, CLIENT_ADMITTED);
    enter(table, "192.0.2.2", &no_limits, 0, CLIENT_ADMITTED);
    client_table_leave(table, a, 100);
    struct client_entry *c = enter(table, "192.0.2.3", &no_limits, 1099, CLIENT_ADMITTED);
    assert_int_equal(client_table_count(table), 3);
    client_table_leave(table, c, 1100);
    assert_int_equal(client_table_count(table), 2);
    enter(table, "192.0.2.2", &no_limits, 9000, CLIENT_ADMITTED);
    assert_int_equal(client_table_count(table), 1);
    client_table_free(table);
}

static void a_debt_is_not_forgotten(void **state)
{
    (void)state;
    const struct client_limits limits = { .body_bytes_per_second = 100 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entry = enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 1, 0), 1);
    client_entry_take_bytes(entry, &limits, 1000); /* 900 too many: nine seconds */
    client_table_leave(table, entry, 0);
    for (int64_t now_ms = 1000; now_ms < 9000; now_ms += 1000) {
        entry = enter(table, "192.0.2.1", &limits, now_ms, CLIENT_ADMITTED);
        assert_int_equal(client_entry_allowed_bytes(entry, &limits, 1, now_ms), 0);
        client_table_leave(table, entry, now_ms);
        client_table_leave(table, enter(table, "192.0.2.2", &limits, now_ms, CLIENT_ADMITTED), now_ms);
    }
    enter(table, "192.0.2.2", &limits, 10000, CLIENT_ADMITTED);
    assert_int_equal(client_table_count(table), 1);
    /* It shrinks with time, not with looks. */
    entry = enter(table, "192.0.2.3", &limits, 20000, CLIENT_ADMITTED);
    client_entry_allowed_bytes(entry, &limits, 1, 20000);
    client_entry_take_bytes(entry, &limits, 1000);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 1000, 28999), 0);
    assert_int_equal(client_entry_allowed_bytes(entry, &limits, 1000, 29500), 50);
    client_table_free(table);
}

static void a_full_table_lets_new_addresses_in_and_counts_them(void **state)
{
    (void)state;
    const struct client_limits limits = { .connections = 1 };
    struct client_table *table = client_table_new(4, 1);
    struct client_entry *entries[4], *entry;
    for (unsigned i = 0; i < 4; i++) {
        struct network_address address = address_number(i);
        assert_int_equal(client_table_enter(table, &address, &limits, 0, &entries[i]), CLIENT_ADMITTED);
    }
    enter(table, "192.0.2.1", &limits, 0, CLIENT_UNTRACKED);
    enter(table, "192.0.2.1", &limits, 0, CLIENT_UNTRACKED);
    assert_int_equal(client_table_untracked_count(table), 2);
    struct network_address known = address_number(2);
    assert_int_equal(client_table_enter(table, &known, &limits, 0, &entry), CLIENT_REFUSED);
    client_table_leave(table, entries[1], 0);
    enter(table, "192.0.2.1", &limits, 999, CLIENT_UNTRACKED);
    enter(table, "192.0.2.1", &limits, 1000, CLIENT_ADMITTED);
    assert_int_equal(client_table_count(table), 4);
    client_table_free(table);
}

/* Against a plain model: what each of many addresses has open. */
static void many_clients_come_and_go_and_none_is_mistaken_for_another(void **state)
{
    (void)state;
    enum { ADDRESSES = 3000, CAPACITY = 1024, STEPS = 200000 };
    static unsigned open_count[ADDRESSES];
    static struct client_entry *entry_of[ADDRESSES];
    const struct client_limits limits = { .connections = 3 };
    struct client_table *table = client_table_new(CAPACITY, 0x1234567890abcdefu);
    uint32_t random = 1;
    uint64_t untracked_count = 0;
    for (int64_t step = 0; step < STEPS; step++) {
        random = random * 1664525u + 1013904223u;
        unsigned number = (random >> 8) % ADDRESSES;
        struct network_address address = address_number(number);
        struct client_entry *entry;
        if (open_count[number] > 0 && random >> 30 < 3) {
            client_table_leave(table, entry_of[number], step / 10);
            open_count[number]--;
            continue;
        }
        switch (client_table_enter(table, &address, &limits, step / 10, &entry)) {
        case CLIENT_ADMITTED:
            assert_true(open_count[number] < 3);
            assert_true(open_count[number] == 0 || entry == entry_of[number]);
            entry_of[number] = entry;
            open_count[number]++;
            break;
        case CLIENT_REFUSED:
            assert_int_equal(open_count[number], 3);
            break;
        default:
            assert_int_equal(open_count[number], 0);
            untracked_count++;
            break;
        }
        assert_true(client_table_count(table) <= CAPACITY);
    }
    assert_true(untracked_count > 0);
    assert_int_equal(client_table_untracked_count(table), untracked_count);
    client_table_free(table);
}

static void over_its_share_a_client_is_named_and_not_admitted(void **state)
{
    (void)state;
    const struct client_limits limits = { .share = 2 };
    struct network_address address = address_of("192.0.2.1");
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *a = enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED), *entry = NULL;
    enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    assert_int_equal(client_table_enter(table, &address, &limits, 0, &entry), CLIENT_OVER_SHARE);
    assert_ptr_equal(entry, a);
    assert_int_equal(client_entry_connection_count(a), 2);
    assert_true(TAILQ_EMPTY(client_entry_conns(a)));
    client_table_leave(table, a, 0);
    enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED);
    enter(table, "192.0.2.1", &no_limits, 0, CLIENT_ADMITTED); /* whoever stands for many has none */
    client_table_free(table);
}

static void the_one_with_most_connections_is_known(void **state)
{
    (void)state;
    const struct client_limits limits = { .share = 1000000 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *entries[4];
    assert_null(client_table_biggest(table));
    for (unsigned client = 0; client < 4; client++) {
        struct network_address address = address_number(client);
        for (unsigned i = 0; i < 10u * (client + 1); i++)
            assert_int_equal(client_table_enter(table, &address, &limits, 0, &entries[client]), CLIENT_ADMITTED);
    }
    for (unsigned client = 3; client > 0; client--) {
        assert_ptr_equal(client_table_biggest(table), entries[client]);
        for (unsigned i = 0; i < 10u * (client + 1); i++)
            client_table_leave(table, entries[client], 0);
    }
    assert_ptr_equal(client_table_biggest(table), entries[0]);
    for (unsigned i = 0; i < 10; i++)
        client_table_leave(table, entries[0], 0);
    assert_null(client_table_biggest(table));
    client_table_free(table);
}

/* However many they are: up to an eighth more than another has makes no difference, more than that does. */
static void an_eighth_more_is_more(void **state)
{
    (void)state;
    const struct client_limits limits = { .share = 10000000 };
    struct network_address few = address_number(1), many = address_number(2);
    for (unsigned count = 1; count < 100000; count = count * 3 / 2 + 1) {
        struct client_table *table = client_table_new(16, 1);
        struct client_entry *entry;
        for (unsigned i = 0; i < count; i++)
            client_table_enter(table, &few, &limits, 0, &entry);
        for (unsigned i = 0; i < count + count / 8 + 1; i++)
            client_table_enter(table, &many, &limits, 0, &entry);
        assert_ptr_equal(client_table_biggest(table), entry);
        client_table_free(table);
    }
}

static void whoever_stands_for_many_is_never_the_one_with_most(void **state)
{
    (void)state;
    const struct client_limits limits = { .share = 1000 };
    struct client_table *table = client_table_new(16, 1);
    struct client_entry *exempt = enter(table, "192.0.2.1", &no_limits, 0, CLIENT_ADMITTED);
    enter(table, "192.0.2.1", &no_limits, 0, CLIENT_ADMITTED);
    assert_null(client_table_biggest(table));
    struct client_entry *other = enter(table, "192.0.2.2", &limits, 0, CLIENT_ADMITTED);
    assert_ptr_equal(client_table_biggest(table), other);
    client_table_leave(table, exempt, 0);
    assert_ptr_equal(client_table_biggest(table), other);
    assert_ptr_equal(enter(table, "192.0.2.1", &limits, 0, CLIENT_ADMITTED), exempt); /* it is trusted no more */
    assert_ptr_equal(client_table_biggest(table), exempt);
    client_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_connections_as_allowed_are_admitted),
        cmocka_unit_test(an_ipv6_client_is_its_64_bits_and_an_ipv4_client_its_32),
        cmocka_unit_test(requests_come_in_a_burst_of_one_second_and_then_at_their_rate),
        cmocka_unit_test(a_rate_is_kept_however_often_it_is_looked_at),
        cmocka_unit_test(body_bytes_are_allowed_at_their_rate),
        cmocka_unit_test(the_largest_rates_do_not_overflow),
        cmocka_unit_test(without_limits_or_entry_everything_is_allowed),
        cmocka_unit_test(coming_back_at_once_does_not_fill_the_buckets),
        cmocka_unit_test(over_its_share_a_client_is_named_and_not_admitted),
        cmocka_unit_test(the_one_with_most_connections_is_known),
        cmocka_unit_test(an_eighth_more_is_more),
        cmocka_unit_test(whoever_stands_for_many_is_never_the_one_with_most),
        cmocka_unit_test(idle_entries_go_after_a_second_and_others_stay),
        cmocka_unit_test(a_debt_is_not_forgotten),
        cmocka_unit_test(a_full_table_lets_new_addresses_in_and_counts_them),
        cmocka_unit_test(many_clients_come_and_go_and_none_is_mistaken_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
