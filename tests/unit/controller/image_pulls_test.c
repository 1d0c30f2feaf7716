#include "controller/image_pulls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

#define ID "sha256:0123456789012345678901234567890123456789012345678901234567890123"

/* A runtime whose pull the test drives; its answers to `resolve` come at once. */
static struct {
    runtime_pull_cb on_progress;
    runtime_start_cb done;
    void *owner;
    size_t pull_count, cancel_count, news_count, end_count;
    enum runtime_result resolved_as, ended_as;
    char news[512], id[128], text[640];
    bool is_wanted;
} now;

static void pull(struct runtime *r, const char *image, runtime_pull_cb on_progress, runtime_start_cb done, void *owner)
{
    (void)r;
    (void)image;
    now.on_progress = on_progress;
    now.done = done;
    now.owner = owner;
    now.pull_count++;
}

static void cancel_pull(struct runtime *r, const void *owner)
{
    (void)r;
    assert_ptr_equal(owner, now.owner);
    now.cancel_count++;
}

static void resolve(struct runtime *r, const char *image, runtime_start_cb done, void *owner)
{
    (void)r;
    (void)image;
    done(owner, now.resolved_as, now.resolved_as == RUNTIME_OK ? ID : "", "the look");
}

static const struct runtime_ops ops = { .pull = pull, .cancel_pull = cancel_pull, .resolve = resolve };
static struct runtime runtime = { &ops };

static void on_news(void *owner, const char *image, const char *text)
{
    (void)owner;
    assert_string_equal(image, "web:1");
    snprintf(now.news, sizeof now.news, "%s", text);
    now.news_count++;
}

static void on_end(void *owner, const char *image, const struct image_pull_end *end)
{
    (void)owner;
    assert_string_equal(image, "web:1");
    now.ended_as = end->result;
    snprintf(now.id, sizeof now.id, "%s", end->id);
    snprintf(now.text, sizeof now.text, "%s", end->text);
    now.end_count++;
}

static bool is_wanted(void *owner, const char *image)
{
    (void)owner;
    (void)image;
    return now.is_wanted;
}

static int set_up(void **state)
{
    memset(&now, 0, sizeof now);
    log_init("test", LOG_LEVEL_ERROR);
    clock_set_fake(1000000);
    *state = image_pulls_new(&runtime, &(struct image_pulls_listener){ on_news, on_end, is_wanted, NULL });
    return 0;
}

static int tear_down(void **state)
{
    image_pulls_free(*state);
    clock_set_fake(-1);
    return 0;
}

static void at_ms(int64_t ms, int64_t downloaded, int64_t size)
{
    clock_set_fake(1000000 + ms * 1000);
    now.on_progress(now.owner, &(struct runtime_pull){ 7, 3, downloaded, size });
}

static void an_image_is_pulled_once_at_a_time_however_often_it_is_wanted(void **state)
{
    for (int i = 0; i < 5; i++)
        image_pulls_want(*state, "web:1");
    assert_int_equal(now.pull_count, 1);
    assert_int_equal(image_pulls_count(*state), 1);
    now.done(now.owner, RUNTIME_OK, "", "");
    assert_int_equal(image_pulls_count(*state), 0);
    assert_int_equal(now.end_count, 1);
    assert_int_equal(now.ended_as, RUNTIME_OK);
    assert_string_equal(now.id, ID);
    image_pulls_want(*state, "web:1");
    assert_int_equal(now.pull_count, 2);
}

static void progress_is_told_each_few_seconds_and_each_ten_percent_whichever_is_later(void **state)
{
    image_pulls_want(*state, "web:1");
    assert_string_equal(now.news, "pull of image web:1 is asked for");
    at_ms(4999, 50 << 20, 100 << 20);
    assert_int_equal(now.news_count, 1);
    at_ms(5000, 50 << 20, 100 << 20);
    assert_int_equal(now.news_count, 2);
    assert_string_equal(now.news, "pull of image web:1: 50 % of 100.0 MiB, 3 of 7 layers");
    at_ms(20000, 59 << 20, 100 << 20);
    at_ms(30000, 60 << 20, INT64_C(200) << 20); /* another layer: it is 30 % now */
    assert_int_equal(now.news_count, 2);
    at_ms(40000, 120 << 20, INT64_C(200) << 20);
    assert_int_equal(now.news_count, 3);
    clock_set_fake(1000000 + INT64_C(61500) * 1000);
    now.done(now.owner, RUNTIME_OK, "", "");
    assert_string_equal(now.news, "pull of image web:1 ends after 61.5 s: 200.0 MiB");
}

static void a_pull_of_many_lines_is_told_in_a_few(void **state)
{
    image_pulls_want(*state, "web:1");
    for (int64_t i = 0; i <= 100000; i++)
        at_ms(i * 100, i, 100000);
    assert_int_equal(now.news_count, 11);
}

static void each_end_says_what_it_was(void **state)
{
    static const struct {
        enum runtime_result pulled, looked, ended;
        const char *text;
    } cases[] = {
        { RUNTIME_OK, RUNTIME_OK, RUNTIME_OK, "" },
        { RUNTIME_OK, RUNTIME_IMAGE_MISSING, RUNTIME_PULL_FAILED,
          "the engine says that it pulled web:1, and: the look" },
        { RUNTIME_OK, RUNTIME_UNREACHABLE, RUNTIME_UNREACHABLE, "the engine says that it pulled web:1, and: the look" },
        { RUNTIME_IMAGE_MISSING, RUNTIME_OK, RUNTIME_PULL_FAILED, "no such tag" },
        { RUNTIME_FAILED, RUNTIME_OK, RUNTIME_PULL_FAILED, "no such tag" },
        { RUNTIME_UNKNOWN, RUNTIME_OK, RUNTIME_PULL_FAILED, "no such tag" },
        { RUNTIME_UNREACHABLE, RUNTIME_OK, RUNTIME_UNREACHABLE, "no such tag" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        image_pulls_want(*state, "web:1");
        now.resolved_as = cases[i].looked;
        now.done(now.owner, cases[i].pulled, "", "no such tag");
        assert_int_equal(now.ended_as, cases[i].ended);
        assert_string_equal(now.text, cases[i].text);
        assert_int_equal(image_pulls_count(*state), 0);
    }
}

static void what_nobody_wants_is_ended(void **state)
{
    image_pulls_want(*state, "web:1");
    now.is_wanted = true;
    image_pulls_drop_unwanted(*state);
    assert_int_equal(now.cancel_count, 0);
    now.is_wanted = false;
    image_pulls_drop_unwanted(*state);
    assert_int_equal(now.cancel_count, 1);
    assert_int_equal(image_pulls_count(*state), 0);
    assert_int_equal(now.end_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_image_is_pulled_once_at_a_time_however_often_it_is_wanted),
        TEST(progress_is_told_each_few_seconds_and_each_ten_percent_whichever_is_later),
        TEST(a_pull_of_many_lines_is_told_in_a_few),
        TEST(each_end_says_what_it_was),
        TEST(what_nobody_wants_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
