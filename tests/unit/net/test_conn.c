/* Connections over socket pairs and loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "netkit.h"

struct one { /* one recorded connection and its other end */
    struct kit k;
    struct log_of l;
    int fd;
};

static int set_up(void **state)
{
    struct one *t = NEW(struct one);
    kit_init(&t->k, NULL);
    log_init(&t->l, &t->k);
    t->fd = kit_pair(&t->k, &t->l);
    t->k.test = t;
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct one *t = *state;
    kit_fini(&t->k);
    close(t->fd);
    log_fini(&t->l);
    mem_free(t);
    return 0;
}

static void say(int fd, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

/* --- input ---------------------------------------------------------------- */

static void until_five(struct kit *k)
{
    struct one *t = k->test;
    if (t->l.in.n >= 5) k->done = true;
}

static void bytes_from_the_peer_are_offered_once(void **state)
{
    struct one *t = *state;
    say(t->fd, "hello");
    kit_run(&t->k, until_five);
    assert_true(sv_eq(buf_sv(&t->l.in), SV("hello")));
    assert_int_equal(t->l.offered, 1);
    assert_int_equal(conn_bytes_in(t->l.c), 5);
    assert_int_equal(t->l.opened, 0);
}

static void stop_after_two_turns(struct kit *k)
{
    if (k->turns >= 2) k->done = true;
}

static void what_is_not_consumed_is_offered_again_with_later_bytes(void **state)
{
    struct one *t = *state;
    t->l.consume_max = 0;
    say(t->fd, "hel");
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(t->l.offered, 1);
    t->l.consume_max = SIZE_MAX;
    say(t->fd, "lo");
    kit_run(&t->k, until_five);
    assert_true(sv_eq(buf_sv(&t->l.in), SV("hello")));
    assert_int_equal(t->l.offered, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(bytes_from_the_peer_are_offered_once),
        T(what_is_not_consumed_is_offered_again_with_later_bytes),
    };
    return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
