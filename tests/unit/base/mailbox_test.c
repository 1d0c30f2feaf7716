#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/mailbox.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

#define SENDERS 4
#define MAILS_EACH 5000

struct letter {
    struct mail mail;
    int sender, number;
};

struct receiver {
    struct loop *loop;
    struct mailbox *box;
    int next_number[SENDERS]; /* order is kept per sender */
    int count, stop_after;
    int replies_left; /* letters that it posts to itself while it reads */
};

struct sender {
    pthread_t thread;
    struct mailbox *box;
    int index;
};

static void post(struct mailbox *box, int sender, int number)
{
    struct letter *letter = mem_alloc(sizeof *letter);
    letter->sender = sender;
    letter->number = number;
    mailbox_post(box, &letter->mail);
}

static void receiver_on_mail(void *owner, struct mail *mail)
{
    struct receiver *r = owner;
    struct letter *letter = (struct letter *)mail;
    assert_int_equal(letter->number, r->next_number[letter->sender]++);
    free(letter);
    if (r->replies_left > 0) {
        r->replies_left--;
        post(r->box, 0, r->next_number[0]);
    }
    if (++r->count == r->stop_after)
        loop_stop(r->loop);
}

static int set_up(void **state)
{
    struct receiver *r = mem_alloc(sizeof *r);
    r->loop = loop_new();
    r->box = mailbox_new(r->loop, receiver_on_mail, r);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct receiver *r = *state;
    if (r->box)
        mailbox_free(r->box);
    loop_free(r->loop);
    free(r);
    return 0;
}

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < MAILS_EACH; i++)
        post(s->box, s->index, i);
    return NULL;
}

static void many_senders_lose_nothing_and_keep_their_order(void **state)
{
    struct receiver *r = *state;
    struct sender senders[SENDERS];
    r->stop_after = SENDERS * MAILS_EACH;
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .box = r->box, .index = i };
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    loop_run(r->loop); /* a lost wake-up would leave it here */
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        assert_int_equal(r->next_number[i], MAILS_EACH);
    }
    assert_int_equal(r->count, SENDERS * MAILS_EACH);
}

static void mail_that_was_posted_before_the_loop_ran_is_delivered(void **state)
{
    struct receiver *r = *state;
    r->stop_after = 3;
    for (int i = 0; i < 3; i++)
        post(r->box, 1, i);
    assert_int_equal(r->count, 0); /* only from the loop */
    loop_run(r->loop);
    assert_int_equal(r->count, 3);
}

static void a_receiver_may_post_to_itself(void **state)
{
    struct receiver *r = *state;
    r->replies_left = 10;
    r->stop_after = 11;
    post(r->box, 0, 0);
    loop_run(r->loop);
    assert_int_equal(r->count, 11);
}

static void what_is_left_is_delivered_when_the_box_goes(void **state)
{
    struct receiver *r = *state;
    for (int i = 0; i < 4; i++)
        post(r->box, 2, i);
    mailbox_free(r->box);
    r->box = NULL;
    assert_int_equal(r->count, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(many_senders_lose_nothing_and_keep_their_order),
        TEST(mail_that_was_posted_before_the_loop_ran_is_delivered),
        TEST(a_receiver_may_post_to_itself),
        TEST(what_is_left_is_delivered_when_the_box_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
