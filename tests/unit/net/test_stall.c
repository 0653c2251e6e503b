/* Peers that do not take their bytes, when the pool of blocks is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/reactor_int.h"
#include "netkit.h"

enum { STALLED = 4, HELD = 60 * 1024 };

/* A pool of 16 blocks: above 12 it is tight, input may take 14. Four peers that
 * read nothing hold 15. One more client wants to say something. */
struct full {
    struct kit k;
    struct log_of l[STALLED], other;
    int fd[STALLED], other_fd;
};

static void two_turns(struct kit *k)
{
    if (k->turns >= 2) k->done = true;
}

static void stall(struct full *t, int i)
{
    static char bytes[HELD];
    int small = 1, filled = 0;
    log_init(&t->l[i], &t->k);
    t->fd[i] = kit_pair(&t->k, &t->l[i]);
    struct conn *c = t->l[i].c;
    assert_int_equal(
        setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    while (filled < 256 && conn_queued(c) == 0) { /* the kernel's buffer */
        assert_int_equal(conn_write(c, sv_of(bytes, 64)), 0);
        conn_flush(c);
        filled++;
    }
    assert_int_equal(conn_write(c, sv_of(bytes, sizeof bytes)), 0);
    conn_flush(c);
    assert_true(conn_queued(c) >= HELD);
}

static int set_up_with(void **state, size_t blocks_bytes)
{
    struct full *t = NEW(struct full);
    kit_init(&t->k, &(struct reactor_conf){ .blocks_bytes = blocks_bytes });
    for (int i = 0; i < STALLED; i++) {
        stall(t, i);
        kit_forward_ms(&t->k, 100);
        kit_run(&t->k, two_turns);
    }
    log_init(&t->other, &t->k);
    t->other_fd = kit_pair(&t->k, &t->other);
    *state = t;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, 1); /* the least */
}

static int set_up_ample(void **state)
{
    return set_up_with(state, 24 * BLOCK_BYTES);
}

static int tear_down(void **state)
{
    struct full *t = *state;
    kit_fini(&t->k);
    for (int i = 0; i < STALLED; i++) {
        close(t->fd[i]);
        log_fini(&t->l[i]);
    }
    close(t->other_fd);
    log_fini(&t->other);
    mem_free(t);
    return 0;
}

static void speak(struct full *t)
{
    assert_int_equal(send(t->other_fd, "hello", 5, 0), 5);
    kit_run(&t->k, two_turns);
}

static void pass_ms(struct full *t, uint64_t ms)
{
    kit_forward_ms(&t->k, ms);
    kit_run(&t->k, two_turns);
}

static unsigned dropped(struct full *t)
{
    return (unsigned)reactor_stats(t->k.r)->stalled_dropped;
}

static void while_there_are_blocks_for_all_nobody_is_dropped(void **state)
{
    struct full *t = *state;
    pass_ms(t, 3600000);
    speak(t);
    assert_int_equal(t->other.in.n, 5);
    assert_int_equal(dropped(t), 0);
}

static void the_longest_stalled_is_dropped_for_the_others(void **state)
{
    struct full *t = *state;
    speak(t);
    assert_int_equal(t->other.in.n, 0); /* 400 ms: too early */
    assert_int_equal(dropped(t), 0);
    pass_ms(t, STALL_MIN_MS - 401);
    assert_int_equal(dropped(t), 0);
    pass_ms(t, 1);
    assert_int_equal(dropped(t), 1);
    assert_int_equal(t->l[0].closed, 1);
    assert_int_equal(t->l[0].err, ERR_TIMEOUT);
    assert_int_equal(t->other.in.n, 5);
    for (int i = 1; i < STALLED; i++) assert_int_equal(t->l[i].closed, 0);
}

static void who_takes_its_bytes_is_not_the_longest(void **state)
{
    struct full *t = *state;
    static char bytes[HELD];
    while (conn_queued(t->l[0].c) > CONN_LOW) {
        assert_true(recv(t->fd[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0);
        kit_run(&t->k, two_turns);
    }
    assert_int_equal(conn_write(t->l[0].c, sv_of(bytes, 40 * 1024)), 0);
    conn_flush(t->l[0].c);
    pass_ms(t, STALL_MIN_MS - 300); /* the second's time is over */
    speak(t);
    assert_int_equal(t->l[0].closed, 0);
    assert_int_equal(t->l[1].closed, 1);
    assert_int_equal(t->other.in.n, 5);
}

static void a_byte_now_and_then_does_not_help(void **state)
{
    struct full *t = *state;
    char bytes[64];
    for (int i = 0; i < 6; i++) {
        pass_ms(t, STALL_MIN_MS / 10);
        assert_true(recv(t->fd[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0);
    }
    assert_int_equal(t->l[0].closed, 1);
    assert_int_equal(dropped(t), 1);
}

/* No event brings the reactor back when the oldest may be dropped. */
static void it_wakes_when_the_longest_may_be_dropped(void **state)
{
    struct full *t = *state;
    assert_int_equal(stalls_next_ms(t->k.r),
                     t->k.clock_ns / 1000000 - 400 + STALL_MIN_MS);
    pass_ms(t, STALL_MIN_MS);
    assert_int_equal(stalls_next_ms(t->k.r), UINT64_MAX);
}

#define STALL_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            while_there_are_blocks_for_all_nobody_is_dropped, set_up_ample,
            tear_down),
        STALL_TEST(the_longest_stalled_is_dropped_for_the_others),
        STALL_TEST(who_takes_its_bytes_is_not_the_longest),
        STALL_TEST(a_byte_now_and_then_does_not_help),
        STALL_TEST(it_wakes_when_the_longest_may_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
