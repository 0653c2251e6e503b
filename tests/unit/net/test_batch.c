/* Many connections in one turn: what each is told and sends does not depend on
 * the others, nor on whether the kernel is asked once for all (io_uring) or for
 * each. Every test runs both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "netkit.h"

enum { MANY = 40, LARGE = 300000 };

struct party {
    struct log_of l;
    struct rig *rig;
    struct block *kept;
    struct sv text; /* of kept */
    int fd;         /* the other end; -1: closed */
};

typedef void on_word(struct rig *rig, struct party *who);

struct rig {
    struct kit k;
    struct party p[MANY];
    on_word *on_word; /* after each offer */
    unsigned turns;
};

static struct party *party_of(struct conn *c)
{
    return CONTAINER_OF((struct log_of *)conn_ctx(c), struct party, l);
}

static size_t heard(struct conn *c, struct sv in)
{
    struct party *p = party_of(c);
    size_t n = LOG_OPS.on_bytes(c, in);
    if (p->rig->on_word == NULL) return n;
    if (!p->kept) {
        p->kept = conn_keep(c, in);
        p->text = in;
    }
    p->rig->on_word(p->rig, p);
    return n;
}

static void rig_init(struct rig *rig, bool single)
{
    static struct conn_ops ops;
    ops = LOG_OPS;
    ops.on_bytes = heard;
    memset(rig, 0, sizeof *rig);
    kit_init(&rig->k, &(struct reactor_conf){ .single_calls = single });
    rig->k.test = rig;
    for (int i = 0; i < MANY; i++) {
        struct party *p = &rig->p[i];
        p->rig = rig;
        log_init(&p->l, &rig->k);
        p->fd = kit_pair(&rig->k, &p->l);
        conn_set_ops(p->l.c, &ops, &p->l);
    }
}

static void rig_fini(struct rig *rig)
{
    for (int i = 0; i < MANY; i++) {
        if (rig->p[i].kept) block_put(rig->p[i].kept);
        if (rig->p[i].fd >= 0) close(rig->p[i].fd);
    }
    kit_fini(&rig->k);
    for (int i = 0; i < MANY; i++) log_fini(&rig->p[i].l);
}

static void count_turns(struct kit *k)
{
    struct rig *rig = k->test;
    if (--rig->turns == 0) k->done = true;
}

static void turns(struct rig *rig, unsigned n)
{
    rig->turns = n;
    kit_run_busy(&rig->k, count_turns);
}

static void say(struct party *p, const char *text, size_t n)
{
    assert_int_equal(send(p->fd, text, n, MSG_NOSIGNAL), n);
}

static void all_say(struct rig *rig, const char *text)
{
    for (int i = 0; i < MANY; i++) say(&rig->p[i], text, strlen(text));
}

static void assert_heard(const struct party *p, const char *text)
{
    assert_int_equal(p->l.in.n, strlen(text));
    assert_memory_equal(p->l.in.p, text, p->l.in.n);
}

/* --- reading -------------------------------------------------------------- */

static void echo(struct rig *rig, struct party *p)
{
    (void)rig;
    conn_write(p->l.c, SV("you said "));
    conn_write(p->l.c, sv_of(p->l.in.p, p->l.in.n));
}

static void each_is_told_and_answers_its_own(struct rig *rig)
{
    char text[64], got[64];
    rig->on_word = echo;
    for (int i = 0; i < MANY; i++) {
        int n = snprintf(text, sizeof text, "I am number %d", i);
        say(&rig->p[i], text, (size_t)n);
    }
    turns(rig, 2);
    for (int i = 0; i < MANY; i++) {
        int n = snprintf(text, sizeof text, "you said I am number %d", i);
        assert_int_equal(recv(rig->p[i].fd, got, sizeof got, 0), n);
        assert_memory_equal(got, text, n);
        assert_int_equal(rig->p[i].l.offered, 1);
    }
    /* 40 events: two waits' worth of reads, as many of writes */
    uint64_t batches = reactor_stats(rig->k.r)->batches;
    if (batches) assert_int_equal(batches, 4);
    assert_true(reactor_stats(rig->k.r)->reads >= MANY);
    assert_int_equal(reactor_stats(rig->k.r)->writes, MANY);
}

static void any_length_arrives_whole(struct rig *rig)
{
    static const size_t lengths[] = { 1, 2047, 2048, 2049, 4096, 16384, 40000 };
    static char text[40000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * 7 + i / 251);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            say(&rig->p[i], text, lengths[i % ARRAY_LEN(lengths)]);
        turns(rig, 4);
        for (int i = 0; i < MANY; i++) {
            struct buf *in = &rig->p[i].l.in;
            assert_int_equal(in->n, lengths[i % ARRAY_LEN(lengths)]);
            assert_memory_equal(in->p, text, in->n);
            in->n = 0;
        }
    }
}

/* Short rests and long ones: a small block, a block of its own. */
static void what_is_not_taken_is_offered_again(struct rig *rig)
{
    static char text[2000], more[100];
    memset(text, 'a', sizeof text);
    memset(more, 'b', sizeof more);
    for (int i = 0; i < MANY; i++) {
        rig->p[i].l.consume_max = i % 2 ? 10 : 1500;
        say(&rig->p[i], text, sizeof text);
    }
    turns(rig, 2);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(rig->p[i].l.in.n, i % 2 ? 10 : 1500);
        rig->p[i].l.consume_max = SIZE_MAX;
        say(&rig->p[i], more, sizeof more);
    }
    turns(rig, 2);
    for (int i = 0; i < MANY; i++) {
        struct buf *in = &rig->p[i].l.in;
        assert_int_equal(in->n, sizeof text + sizeof more);
        assert_memory_equal(in->p, text, sizeof text);
        assert_memory_equal(in->p + sizeof text, more, sizeof more);
    }
}

static void kept_bytes_stay(struct rig *rig)
{
    rig->on_word = echo;
    all_say(rig, "first words");
    turns(rig, 2);
    all_say(rig, "SECOND WORDS");
    turns(rig, 2);
    for (int i = 0; i < MANY; i++) {
        assert_heard(&rig->p[i], "first wordsSECOND WORDS");
        assert_memory_equal(rig->p[i].text.p, "first words", 11);
    }
}

/* --- what one does to the others ------------------------------------------ */

static void stop_the_others(struct rig *rig, struct party *p)
{
    for (int i = 0; i < MANY; i++)
        if (&rig->p[i] != p && rig->p[i].l.c) conn_read(rig->p[i].l.c, false);
    rig->on_word = NULL;
}

static void all_read(struct rig *rig)
{
    for (int i = 0; i < MANY; i++)
        if (rig->p[i].l.c) conn_read(rig->p[i].l.c, true);
}

static void who_is_stopped_meanwhile_hears_it_later(struct rig *rig)
{
    rig->on_word = stop_the_others;
    all_say(rig, "words");
    turns(rig, 3);
    int told = 0;
    for (int i = 0; i < MANY; i++) told += rig->p[i].l.offered > 0;
    assert_int_equal(told, 1);
    all_read(rig);
    turns(rig, 3);
    for (int i = 0; i < MANY; i++) assert_heard(&rig->p[i], "words");
}

static void who_is_stopped_meanwhile_hears_the_end_later(struct rig *rig)
{
    rig->on_word = stop_the_others;
    say(&rig->p[0], "words", 5);
    for (int i = 1; i < MANY; i++) {
        if (i % 2) say(&rig->p[i], "last words", 10);
        shutdown(rig->p[i].fd, SHUT_WR);
    }
    turns(rig, 3);
    for (int i = 1; i < MANY; i++) assert_int_equal(rig->p[i].l.closed, 0);
    all_read(rig);
    turns(rig, 3);
    for (int i = 1; i < MANY; i++) {
        assert_heard(&rig->p[i], i % 2 ? "last words" : "");
        assert_int_equal(rig->p[i].l.eofs, 1);
    }
}

static void close_the_others(struct rig *rig, struct party *p)
{
    for (int i = 0; i < MANY; i++)
        if (&rig->p[i] != p && rig->p[i].l.c) conn_close(rig->p[i].l.c);
    rig->on_word = NULL;
}

static void who_is_closed_meanwhile_hears_nothing(struct rig *rig)
{
    rig->on_word = close_the_others;
    all_say(rig, "words");
    turns(rig, 3);
    int told = 0, closed = 0;
    for (int i = 0; i < MANY; i++) {
        told += rig->p[i].l.offered > 0;
        closed += rig->p[i].l.closed == 1;
    }
    assert_int_equal(told, 1);
    assert_int_equal(closed, MANY - 1);
}

static void a_reset_ends_only_whom_it_is_of(struct rig *rig)
{
    int pair[2];
    struct log_of l;
    struct linger hard = { .l_onoff = 1 };
    log_init(&l, &rig->k);
    kit_tcp_pair(pair);
    assert_int_equal(conn_adopt(rig->k.r, pair[0], &LOG_OPS, &l, &l.c), 0);
    turns(rig, 1);
    setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(pair[1]);
    all_say(rig, "words");
    turns(rig, 3);
    assert_int_equal(l.closed, 1);
    assert_int_equal(l.err, ERR_CLOSED);
    for (int i = 0; i < MANY; i++) assert_heard(&rig->p[i], "words");
    log_fini(&l);
}

/* --- writing -------------------------------------------------------------- */

static void full_sockets_get_the_rest_later(struct rig *rig)
{
    static char text[LARGE], got[LARGE];
    for (size_t i = 0; i < LARGE; i++) text[i] = (char)(i * 13 + i / 241);
    size_t have[MANY] = { 0 };
    for (int i = 0; i < MANY; i++)
        assert_int_equal(conn_write(rig->p[i].l.c, sv_of(text, LARGE)), 0);
    for (int round = 0; round < 1000; round++) {
        turns(rig, 1);
        size_t left = 0;
        for (int i = 0; i < MANY; i++) {
            ssize_t n = recv(rig->p[i].fd, got, LARGE, MSG_DONTWAIT);
            if (n > 0) {
                assert_memory_equal(got, text + have[i], n);
                have[i] += (size_t)n;
            }
            left += LARGE - have[i];
        }
        if (!left) break;
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(have[i], LARGE);
        assert_int_equal(conn_queued(rig->p[i].l.c), 0);
    }
}

static void who_is_gone_is_told_the_others_get_theirs(struct rig *rig)
{
    char got[16];
    for (int i = 0; i < MANY; i += 2) {
        close(rig->p[i].fd);
        rig->p[i].fd = -1;
    }
    for (int i = 0; i < MANY; i++) conn_write(rig->p[i].l.c, SV("news"));
    turns(rig, 4);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(rig->p[i].l.closed, i % 2 == 0);
        if (i % 2 == 0) continue;
        assert_int_equal(recv(rig->p[i].fd, got, sizeof got, 0), 4);
        assert_memory_equal(got, "news", 4);
    }
}

static void *run_elsewhere(void *arg)
{
    turns(arg, 3);
    return NULL;
}

static void it_may_run_on_one_thread_after_the_other(struct rig *rig)
{
    pthread_t thread;
    all_say(rig, "one, ");
    turns(rig, 3);
    all_say(rig, "two, ");
    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, rig), 0);
    pthread_join(thread, NULL);
    all_say(rig, "three");
    turns(rig, 3);
    for (int i = 0; i < MANY; i++) assert_heard(&rig->p[i], "one, two, three");
}

enum { PIECES = 20, PIECE = 600 };

static void answer_in_pieces(struct rig *rig, struct party *p)
{
    (void)rig;
    for (int i = 0; i < PIECES; i++)
        conn_send(p->l.c, p->kept,
                  sv_of(p->text.p + (i % 2 ? 1000 : 0) + i, PIECE));
}

static void many_pieces_leave_in_order(struct rig *rig)
{
    static char text[1800], got[PIECES * PIECE];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * 11 + i / 97);
    rig->on_word = answer_in_pieces;
    for (int i = 0; i < MANY; i++) say(&rig->p[i], text, sizeof text);
    turns(rig, 2);
    for (int i = 0; i < MANY; i++) {
        ssize_t n = recv(rig->p[i].fd, got, sizeof got, MSG_DONTWAIT);
        assert_int_equal(n, sizeof got);
        for (int k = 0; k < PIECES; k++)
            assert_memory_equal(got + k * PIECE, text + (k % 2 ? 1000 : 0) + k,
                                PIECE);
    }
}

/* In the place of each ring is something that is none. */
static int break_rings(void)
{
    char path[64], target[64] = "";
    int rings = 0;
    for (int fd = 3; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        if (!strstr(target, "io_uring")) continue;
        int other = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_int_equal(dup3(other, fd, O_CLOEXEC), fd);
        close(other);
        rings++;
    }
    return rings;
}

static void break_and_echo(struct rig *rig, struct party *p)
{
    break_rings();
    echo(rig, p);
}

/* Nothing is lost by a kernel that refuses when it is asked to read, */
static void a_ring_that_fails_to_read_is_given_up(struct rig *rig)
{
    turns(rig, 1);
    int rings = break_rings();
    all_say(rig, "words");
    turns(rig, 3);
    for (int i = 0; i < MANY; i++) assert_heard(&rig->p[i], "words");
    assert_true(reactor_stats(rig->k.r)->batches <= (rings ? 1 : 0));
}

/* or to write. */
static void a_ring_that_fails_to_write_is_given_up(struct rig *rig)
{
    char got[32];
    rig->on_word = break_and_echo;
    all_say(rig, "words");
    turns(rig, 3);
    for (int i = 0; i < MANY; i++) {
        assert_heard(&rig->p[i], "words");
        assert_int_equal(recv(rig->p[i].fd, got, sizeof got, MSG_DONTWAIT), 14);
    }
    assert_true(reactor_stats(rig->k.r)->batches <= 2);
}

/* --- both ways ------------------------------------------------------------ */

typedef void test_fn(struct rig *rig);

static const struct row {
    const char *name;
    test_fn *run;
} rows[] = {
#define ROW(f) \
    {          \
#f, f  \
    }
    ROW(each_is_told_and_answers_its_own),
    ROW(any_length_arrives_whole),
    ROW(what_is_not_taken_is_offered_again),
    ROW(kept_bytes_stay),
    ROW(who_is_stopped_meanwhile_hears_it_later),
    ROW(who_is_stopped_meanwhile_hears_the_end_later),
    ROW(who_is_closed_meanwhile_hears_nothing),
    ROW(a_reset_ends_only_whom_it_is_of),
    ROW(full_sockets_get_the_rest_later),
    ROW(who_is_gone_is_told_the_others_get_theirs),
    ROW(it_may_run_on_one_thread_after_the_other),
    ROW(many_pieces_leave_in_order),
    ROW(a_ring_that_fails_to_read_is_given_up),
    ROW(a_ring_that_fails_to_write_is_given_up),
};

static void run_row(void **state, bool single)
{
    const struct row *row = *state;
    static struct rig rig;
    rig_init(&rig, single);
    row->run(&rig);
    if (single) assert_int_equal(reactor_stats(rig.k.r)->batches, 0);
    rig_fini(&rig);
}

static void together(void **state)
{
    run_row(state, false);
}

static void one_by_one(void **state)
{
    run_row(state, true);
}

int main(void)
{
    static struct CMUnitTest tests[2 * ARRAY_LEN(rows)];
    static char names[2 * ARRAY_LEN(rows)][80];
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        const struct row *row = &rows[i / 2];
        snprintf(names[i], sizeof names[i], "%s%s", row->name,
                 i % 2 ? ", one by one" : ", together");
        tests[i] =
            (struct CMUnitTest){ .name = names[i],
                                 .test_func = i % 2 ? one_by_one : together,
                                 .initial_state = (void *)row };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
