/* The loop: mail, timers, deadlines, sleeping, stopping, memory ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "netkit.h"

static int set_up(void **state)
{
    struct kit *k = NEW(struct kit);
    kit_init(k, NULL);
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    struct kit *k = *state;
    kit_fini(k);
    mem_free(k);
    return 0;
}

static void one_turn(struct kit *k)
{
    k->done = true;
}

static unsigned turns_wanted;

static void until_wanted(struct kit *k)
{
    k->done = k->turns >= turns_wanted;
}

static void run_turns(struct kit *k, unsigned n)
{
    turns_wanted = n;
    kit_run_busy(k, until_wanted);
}

/* --- mail ----------------------------------------------------------------- */

struct letter {
    struct mail mail;
    unsigned number;
};

static struct {
    unsigned got, out_of_order, wanted;
    struct kit *kit;
} box;

static void deliver(struct mail *m)
{
    struct letter *l = CONTAINER_OF(m, struct letter, mail);
    if (l->number != box.got) box.out_of_order++;
    assert_ptr_equal(reactor_current(), box.kit->r);
    if (++box.got == box.wanted) box.kit->done = true;
}

static void mail_arrives_in_the_order_of_posting(void **state)
{
    struct kit *k = *state;
    struct letter l[10];
    memset(&box, 0, sizeof box);
    box.kit = k;
    box.wanted = 10;
    for (unsigned i = 0; i < 10; i++) {
        l[i] = (struct letter){ .mail.deliver = deliver, .number = i };
        assert_int_equal(reactor_post(k->r, &l[i].mail), 0);
    }
    kit_run(k, NULL);
    assert_int_equal(box.got, 10);
    assert_int_equal(box.out_of_order, 0);
    assert_null(reactor_current());
}

enum { SENDERS = 3, LETTERS = 20000 };

struct sender {
    struct reactor *r;
    struct letter *letters;
};

static _Atomic unsigned delivered;
static struct kit *mail_kit;

static void count(struct mail *m)
{
    (void)m;
    if (atomic_fetch_add(&delivered, 1) + 1 == SENDERS * LETTERS)
        mail_kit->done = true;
}

static void *send_letters(void *arg)
{
    struct sender *s = arg;
    for (unsigned i = 0; i < LETTERS; i++) {
        s->letters[i].mail.deliver = count;
        if (reactor_post(s->r, &s->letters[i].mail) < 0) return s;
    }
    return NULL;
}

/* A real clock: the reactor truly sleeps, and no wake-up may be lost. */
static void pause_when_done(void *ctx)
{
    struct kit *k = ctx;
    if (k->done) reactor_pause(k->r);
}

static void no_mail_of_other_threads_is_lost(void **state)
{
    (void)state;
    struct kit k = { 0 };
    struct reactor_conf conf = { .on_turn = pause_when_done, .ctx = &k };
    struct sender s[SENDERS];
    pthread_t thread[SENDERS];
    assert_int_equal(reactor_new(&k.r, &conf), 0);
    atomic_store(&delivered, 0);
    mail_kit = &k;
    for (int i = 0; i < SENDERS; i++) {
        s[i] =
            (struct sender){ k.r, mem_zalloc(LETTERS * sizeof(struct letter)) };
        assert_int_equal(pthread_create(&thread[i], NULL, send_letters, &s[i]),
                         0);
    }
    assert_int_equal(reactor_run(k.r), 0);
    for (int i = 0; i < SENDERS; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
        mem_free(s[i].letters);
    }
    assert_int_equal(atomic_load(&delivered), SENDERS * LETTERS);
    reactor_free(&k.r);
}

static void mail_that_waits_is_delivered_by_reactor_free(void **state)
{
    struct kit *k = *state;
    struct letter l = { .mail.deliver = deliver };
    memset(&box, 0, sizeof box);
    box.kit = &(struct kit){ .r = k->r };
    box.wanted = 2;
    assert_int_equal(reactor_post(k->r, &l.mail), 0);
    reactor_free(&k->r);
    assert_int_equal(box.got, 1);
}

/* --- timers --------------------------------------------------------------- */

struct alarm {
    struct timer t;
    uint64_t fired_at;
    unsigned fired;
};

static struct kit *alarm_kit;

static void ring(struct timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, t);
    a->fired++;
    a->fired_at = reactor_now_ms(alarm_kit->r);
}

static void forward_one(struct kit *k)
{
    kit_forward_ms(k, 1);
    if (k->turns == 1100) k->done = true;
}

static void timers_fire_once_and_in_time(void **state)
{
    enum { N = 300 };
    struct kit *k = *state;
    struct alarm a[N];
    uint64_t due[N], start = reactor_now_ms(k->r);
    struct rand_fast rnd = { 42 };
    alarm_kit = k;
    for (int i = 0; i < N; i++) {
        due[i] = rand_fast_next(&rnd) % 1000;
        a[i] = (struct alarm){ .t.fire = ring };
        timer_arm(k->r, &a[i].t, due[i]);
    }
    for (int i = 0; i < N; i += 3) timer_cancel(k->r, &a[i].t);
    for (int i = 1; i < N; i += 3) {
        due[i] = rand_fast_next(&rnd) % 1000;
        timer_arm(k->r, &a[i].t, due[i]); /* armed anew */
    }
    kit_run_busy(k, forward_one);
    for (int i = 0; i < N; i++) {
        assert_int_equal(a[i].fired, i % 3 ? 1 : 0);
        if (i % 3)
            assert_in_range(a[i].fired_at, start + due[i], start + due[i] + 1);
        timer_cancel(k->r, &a[i].t); /* harmless */
    }
}

/* --- deadlines ------------------------------------------------------------ */

static void forward_tick(struct kit *k)
{
    kit_forward_ms(k, 50);
    if (k->turns == 200) k->done = true; /* 10 s */
}

static uint64_t hit_at[40];
static unsigned hits[40];

static void note_hit(struct conn *c, enum deadline which)
{
    unsigned i = (unsigned)(uintptr_t)conn_ctx(c);
    assert_int_equal(which, DEADLINE_IDLE);
    hits[i]++;
    hit_at[i] = reactor_now_ms(conn_reactor(c));
}

static size_t eat(struct conn *c, struct sv in)
{
    (void)c;
    return in.n;
}

static const struct conn_ops NOTING = { .on_bytes = eat,
                                        .on_timeout = note_hit };

static void deadlines_are_hit_once_never_early_and_within_200_ms(void **state)
{
    struct kit *k = *state;
    struct conn *c[40];
    int other[40];
    uint64_t start = reactor_now_ms(k->r);
    memset(hits, 0, sizeof hits);
    for (unsigned i = 0; i < 40; i++) {
        int fd[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        other[i] = fd[1];
        assert_int_equal(
            conn_adopt(k->r, fd[0], &NOTING, (void *)(uintptr_t)i, &c[i]), 0);
        if (i != 7) conn_deadline(c[i], DEADLINE_IDLE, 1 + i * 150);
    }
    conn_deadline(c[11], DEADLINE_NONE, 0);
    conn_deadline(c[12], DEADLINE_IDLE, 0);
    conn_deadline(c[13], DEADLINE_IDLE, 5000); /* overwrites */
    kit_run_busy(k, forward_tick);
    for (unsigned i = 0; i < 40; i++) {
        bool none = i == 7 || i == 11 || i == 12;
        uint64_t due = start + (i == 13 ? 5000 : 1 + i * 150);
        assert_int_equal(hits[i], none ? 0 : 1);
        if (!none) assert_in_range(hit_at[i], due, due + 200);
        close(other[i]);
    }
    assert_int_equal(reactor_stats(k->r)->deadlines_hit, 37);
}

static void without_an_op_a_deadline_closes(void **state)
{
    struct kit *k = *state;
    static struct conn_ops ops;
    struct log_of l;
    log_init(&l, k);
    int fd = kit_pair(k, &l);
    ops = LOG_OPS;
    ops.on_timeout = NULL;
    conn_set_ops(l.c, &ops, &l);
    conn_deadline(l.c, DEADLINE_HEAD, 300);
    l.done_at_close = true;
    kit_forward_ms(k, 500);
    kit_run(k, NULL);
    assert_int_equal(l.err, ERR_TIMEOUT);
    close(fd);
    log_fini(&l);
}

/* --- sleeping ------------------------------------------------------------- */

static void sleeping_is_told_before_and_after(void **state)
{
    struct kit *k = *state;
    kit_run_busy(k, one_turn); /* a due timer: no sleep */
    assert_int_equal(k->sleeps, 0);
    struct alarm a = { .t.fire = ring };
    alarm_kit = k;
    timer_arm(k->r, &a.t, 1000);
    kit_run(k, one_turn);
    timer_cancel(k->r, &a.t);
    assert_int_equal(k->sleeps, 1);
    assert_int_equal(k->wakes, 1);
}

/* --- stopping ------------------------------------------------------------- */

static void stop_asks_to_drain_and_closes_what_is_left(void **state)
{
    struct kit *k = *state;
    struct log_of good, slow;
    log_init(&good, k);
    log_init(&slow, k);
    int a = kit_pair(k, &good), b = kit_pair(k, &slow);
    shutdown(a, SHUT_WR);
    good.finish_at_eof = true;
    reactor_stop(k->r, 2000);
    assert_true(reactor_stopping(k->r));
    kit_run_busy(k, forward_tick);
    assert_int_equal(good.drains, 0); /* was ending by itself */
    assert_int_equal(slow.drains, 1);
    assert_int_equal(good.err, 0);
    assert_int_equal(slow.closed, 1);
    assert_int_equal(slow.err, ERR_SHUTDOWN);
    assert_in_range(k->turns, 40, 43); /* of 50 ms */
    close(a);
    close(b);
    log_fini(&good);
    log_fini(&slow);
}

static void stop_ends_an_empty_reactor_at_once(void **state)
{
    struct kit *k = *state;
    reactor_stop(k->r, 60000);
    assert_int_equal(reactor_run(k->r), 0);
    assert_in_range(k->turns, 1, 2);
}

static void *stop_it(void *r)
{
    reactor_stop(r, 0);
    return NULL;
}

static void stop_of_another_thread_wakes_a_sleeper(void **state)
{
    (void)state;
    struct reactor *r;
    pthread_t thread;
    assert_int_equal(reactor_new(&r, &(struct reactor_conf){ 0 }), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_it, r), 0);
    assert_int_equal(reactor_run(r), 0);
    pthread_join(thread, NULL);
    reactor_free(&r);
}

/* --- ceiling -------------------------------------------------------------- */

enum { MANY = 30 };

static void at_the_ceiling_reading_waits_and_goes_on_when_blocks_return(
    void **state)
{
    struct kit k;
    struct log_of l[MANY];
    int fd[MANY];
    char part[4000];
    (void)state;
    /* 16 blocks, 14 of them for input */
    kit_init(&k, &(struct reactor_conf){ .blocks_bytes = 1 });
    memset(part, 'x', sizeof part);
    for (int i = 0; i < MANY; i++) {
        log_init(&l[i], &k);
        fd[i] = kit_pair(&k, &l[i]);
        l[i].consume_max = 0; /* each keeps a block */
        assert_int_equal(send(fd[i], part, sizeof part, 0), sizeof part);
    }
    run_turns(&k, 5);
    unsigned served = 0;
    for (int i = 0; i < MANY; i++) served += l[i].offered > 0;
    assert_in_range(served, 10, 14);
    assert_true(reactor_stats(k.r)->blocks_refused > 0);
    /* output still works */
    assert_non_null(conn_reserve(l[0].c, 100));
    for (int i = 0; i < MANY; i++) {
        l[i].consume_max = SIZE_MAX;
        conn_read(l[i].c, true);
    }
    run_turns(&k, 20);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(l[i].in.n, sizeof part);
        close(fd[i]);
    }
    kit_fini(&k);
    for (int i = 0; i < MANY; i++) log_fini(&l[i]);
}

static void a_full_table_refuses_more(void **state)
{
    struct kit k;
    struct log_of l;
    int fd[2];
    struct conn *c;
    (void)state;
    kit_init(&k, &(struct reactor_conf){ .max_conns = 1 });
    log_init(&l, &k);
    int other = kit_pair(&k, &l);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(conn_adopt(k.r, fd[0], &LOG_OPS, &l, &c), ERR_LIMIT);
    conn_close(l.c);
    run_turns(&k, 1);
    assert_int_equal(conn_adopt(k.r, fd[0], &LOG_OPS, &l, &c), 0);
    kit_fini(&k);
    close(other);
    close(fd[1]);
    log_fini(&l);
}

/* --- turns that take long --------------------------------------------------- */

enum { SPUN_NS = 5000000, SLEPT_MS = 100 };

static void spin_once(struct kit *k)
{
    uint64_t from = clock_thread_cpu_ns();
    while (clock_thread_cpu_ns() - from < SPUN_NS) {}
    one_turn(k);
}

static void sleep_once(struct kit *k)
{
    usleep(SLEPT_MS * 1000);
    one_turn(k);
}

static void a_turn_of_much_work_is_told(void **state)
{
    struct kit *k = *state;
    struct reactor_stats *stats = reactor_stats(k->r);
    struct long_turn told[LONG_TURNS_KEPT];
    uint64_t seen = 0, began = clock_mono_ns();
    kit_run_busy(k, spin_once);
    uint64_t ended = clock_mono_ns();
    assert_int_equal(long_turns_since(&stats->long_turns, &seen, told), 1);
    assert_in_range(told[0].cpu_ns, SPUN_NS, told[0].wall_ns);
    assert_in_range(told[0].ended_ns, began + told[0].wall_ns, ended);
    assert_in_range(told[0].processor, 0, sysconf(_SC_NPROCESSORS_CONF) - 1);
    assert_int_equal(longest_ns(&stats->turns_cpu, ended), told[0].cpu_ns);
}

enum { EAGER = 60, SLOW_NS = 100000 };

static struct {
    struct mail mail;
    unsigned served, served_at_mail, most;
} eager;

static size_t slow_bytes(struct conn *c, struct sv in)
{
    uint64_t from = clock_mono_ns();
    (void)c;
    while (clock_mono_ns() - from < SLOW_NS) {}
    eager.served++;
    return in.n;
}

static void mail_among_eager(struct mail *m)
{
    (void)m;
    eager.served_at_mail = eager.served;
}

static void until_all_are_served(struct kit *k)
{
    static unsigned before;
    if (k->turns == 1) before = 0;
    if (eager.served - before > eager.most) eager.most = eager.served - before;
    before = eager.served;
    k->done = eager.served == EAGER;
}

/* Sixty connections that take a tenth of a millisecond each. */
static void a_turn_ends_with_the_batch_that_made_it_long(void **state)
{
    struct kit *k = *state;
    static struct conn_ops slow;
    struct log_of l[EAGER];
    int fd[EAGER];
    slow = LOG_OPS;
    slow.on_bytes = slow_bytes;
    memset(&eager, 0, sizeof eager);
    eager.mail.deliver = mail_among_eager;
    for (int i = 0; i < EAGER; i++) {
        log_init(&l[i], k);
        fd[i] = kit_pair(k, &l[i]);
        conn_set_ops(l[i].c, &slow, &l[i]);
        assert_int_equal(send(fd[i], "x", 1, 0), 1);
    }
    assert_int_equal(reactor_post(k->r, &eager.mail), 0);
    kit_run_busy(k, until_all_are_served);
    assert_in_range(eager.most, 1, EAGER - 1);
    assert_int_equal(eager.served, EAGER); /* each once, whichever turn */
    assert_in_range(eager.served_at_mail, 1, EAGER - 1);
    for (int i = 0; i < EAGER; i++) close(fd[i]);
    kit_fini(k);
    kit_init(k, NULL);
    for (int i = 0; i < EAGER; i++) log_fini(&l[i]);
}

static void a_turn_that_waits_took_little(void **state)
{
    struct kit *k = *state;
    struct reactor_stats *stats = reactor_stats(k->r);
    kit_run_busy(k, sleep_once);
    uint64_t ns = longest_ns(&stats->turns_cpu, clock_mono_ns());
    assert_in_range(ns, 0, SLEPT_MS * 1000000 / 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_turn_of_much_work_is_told),
        T(a_turn_ends_with_the_batch_that_made_it_long),
        T(a_turn_that_waits_took_little),
        T(mail_arrives_in_the_order_of_posting),
        cmocka_unit_test(no_mail_of_other_threads_is_lost),
        T(mail_that_waits_is_delivered_by_reactor_free),
        T(timers_fire_once_and_in_time),
        T(deadlines_are_hit_once_never_early_and_within_200_ms),
        T(without_an_op_a_deadline_closes),
        T(sleeping_is_told_before_and_after),
        T(stop_asks_to_drain_and_closes_what_is_left),
        T(stop_ends_an_empty_reactor_at_once),
        cmocka_unit_test(stop_of_another_thread_wakes_a_sleeper),
        cmocka_unit_test(
            at_the_ceiling_reading_waits_and_goes_on_when_blocks_return),
        cmocka_unit_test(a_full_table_refuses_more),
    };
    return cmocka_run_group_tests_name("net/reactor", tests, NULL, NULL);
}
