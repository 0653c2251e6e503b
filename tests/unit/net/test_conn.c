/* Connections: what is offered, kept, queued, written, ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "netkit.h"

struct one { /* one recorded connection and its other end */
    struct kit k;
    struct log_of l;
    int fd;
    unsigned rounds;
    size_t sent, got;
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
    if (t->fd >= 0) close(t->fd);
    log_fini(&t->l);
    mem_free(t);
    return 0;
}

static void say(int fd, const char *text)
{
    size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

static void hang_up(struct one *t)
{
    close(t->fd);
    t->fd = -1;
}

static void stop_after_two_turns(struct kit *k)
{
    if (k->turns >= 2) k->done = true;
}

static void until_closed(struct kit *k)
{
    struct one *t = k->test;
    if (t->l.closed) k->done = true;
}

static void until_five(struct kit *k)
{
    struct one *t = k->test;
    if (t->l.in.n >= 5) k->done = true;
}

static void until_two_blocks(struct kit *k)
{
    struct one *t = k->test;
    if (t->l.in.n >= 2 * BLOCK_BYTES || t->l.closed) k->done = true;
}

/* --- input ---------------------------------------------------------------- */

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

static void a_rest_is_offered_again_when_reading_is_turned_on(void **state)
{
    struct one *t = *state;
    t->l.consume_max = 2;
    say(t->fd, "hello");
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(t->l.in.n, 2);
    t->l.consume_max = SIZE_MAX;
    conn_read(t->l.c, true);
    kit_run(&t->k, until_five);
    assert_true(sv_eq(buf_sv(&t->l.in), SV("hello")));
}

static void nothing_is_offered_while_reading_is_off(void **state)
{
    struct one *t = *state;
    conn_read(t->l.c, false);
    say(t->fd, "hello");
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(t->l.offered, 0);
    conn_read(t->l.c, true);
    kit_run(&t->k, until_five);
    assert_int_equal(t->l.offered, 1);
}

static void idle_connections_hold_no_block(void **state)
{
    struct one *t = *state;
    struct reactor_stats *s = reactor_stats(t->k.r);
    say(t->fd, "hello");
    kit_run(&t->k, until_five);
    assert_int_equal(s->blocks_used, 1); /* the reactor's own */
    t->l.consume_max = 0;                /* a short rest: a small block */
    say(t->fd, "part of a head");
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(s->blocks_used, 1);
}

/* Bytes whose value tells their place, sent as the peer can take them. */
static void send_pattern(struct one *t, size_t total)
{
    char chunk[4096];
    while (t->sent < total) {
        size_t n =
            total - t->sent < sizeof chunk ? total - t->sent : sizeof chunk;
        for (size_t i = 0; i < n; i++)
            chunk[i] = (char)((t->sent + i) * 31 >> 3);
        ssize_t k = send(t->fd, chunk, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (k < 0) {
            assert_int_equal(errno, EAGAIN);
            return;
        }
        t->sent += (size_t)k;
    }
}

static void check_pattern(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != (char)(i * 31 >> 3)) fail_msg("wrong byte at %zu", i);
}

enum { MUCH = 3 << 20 };

static void pour(struct kit *k)
{
    struct one *t = k->test;
    send_pattern(t, MUCH);
    if (t->l.in.n == MUCH) k->done = true;
}

static void a_long_stream_arrives_whole_and_in_order(void **state)
{
    struct one *t = *state;
    kit_run(&t->k, pour);
    check_pattern(t->l.in.p, t->l.in.n);
}

static void a_stream_consumed_in_odd_pieces_arrives_in_order(void **state)
{
    struct one *t = *state;
    struct log_of *l = &t->l;
    l->consume_max = 1000;
    send_pattern(t, 100000);
    for (int i = 0; i < 2000 && l->in.n < 100000; i++) {
        conn_read(l->c, true);
        send_pattern(t, 100000);
        kit_run(&t->k, stop_after_two_turns);
        assert_int_equal(l->closed, 0);
        l->consume_max = 1 + (size_t)i * 7919 % 16000;
    }
    assert_int_equal(l->in.n, 100000);
    check_pattern(l->in.p, l->in.n);
}

static void a_full_block_that_nobody_consumes_closes(void **state)
{
    struct one *t = *state;
    t->l.consume_max = 0;
    send_pattern(t, BLOCK_BYTES - 1);
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(t->l.closed, 0);
    send_pattern(t, BLOCK_BYTES);
    kit_run(&t->k, until_closed);
    assert_int_equal(t->l.err, ERR_TOOBIG);
}

static size_t stop_reading(struct conn *c, struct sv in)
{
    (void)in;
    conn_read(c, false);
    return 0;
}

static void a_full_rest_is_offered_before_more_is_read(void **state)
{
    struct one *t = *state;
    static const struct conn_ops full = { .on_bytes = stop_reading };
    conn_set_ops(t->l.c, &full, &t->l);
    send_pattern(t, BLOCK_BYTES);
    kit_run(&t->k, stop_after_two_turns);
    conn_set_ops(t->l.c, &LOG_OPS, &t->l);
    conn_read(t->l.c, true);
    send_pattern(t, 2 * BLOCK_BYTES); /* its event comes in the same turn */
    kit_run(&t->k, until_two_blocks);
    assert_int_equal(t->l.closed, 0);
    check_pattern(t->l.in.p, t->l.in.n);
}

static struct block *kept;
static struct sv kept_bytes;

static size_t keep_some(struct conn *c, struct sv in)
{
    if (!kept) {
        kept = conn_keep(c, sv_first(in, 5));
        kept_bytes = sv_first(in, 5);
    }
    ((struct log_of *)conn_ctx(c))->offered++;
    return in.n;
}

static void kept_bytes_survive_later_reads(void **state)
{
    static const struct conn_ops ops = { .on_bytes = keep_some };
    struct one *t = *state;
    kept = NULL;
    conn_set_ops(t->l.c, &ops, &t->l);
    say(t->fd, "first words");
    kit_run(&t->k, stop_after_two_turns);
    say(t->fd, "SECOND WORDS");
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(t->l.offered, 2);
    assert_true(sv_eq(kept_bytes, SV("first")));
    block_put(kept);
}

/* --- output --------------------------------------------------------------- */

static size_t echo(struct conn *c, struct sv in)
{
    assert_int_equal(conn_write(c, in), 0);
    return in.n;
}

static const struct conn_ops ECHO = { .on_bytes = echo };

static void output_leaves_when_the_callback_returns(void **state)
{
    struct one *t = *state;
    char got[8] = { 0 };
    conn_set_ops(t->l.c, &ECHO, NULL);
    say(t->fd, "ping");
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(recv(t->fd, got, sizeof got, MSG_DONTWAIT), 4);
    assert_string_equal(got, "ping");
    assert_int_equal(reactor_stats(t->k.r)->writes, 1);
    assert_int_equal(conn_bytes_out(t->l.c), 4);
}

static void output_queued_before_the_run_leaves_by_flush(void **state)
{
    struct one *t = *state;
    char got[8] = { 0 };
    char *p = conn_reserve(t->l.c, 100);
    memcpy(p, "he", 2);
    conn_commit(t->l.c, 2);
    assert_int_equal(conn_write(t->l.c, SV("llo")), 0);
    assert_int_equal(conn_queued(t->l.c), 5);
    conn_flush(t->l.c);
    assert_int_equal(conn_queued(t->l.c), 0);
    assert_int_equal(recv(t->fd, got, sizeof got, MSG_DONTWAIT), 5);
    assert_string_equal(got, "hello");
}

static void a_void_reservation_sends_nothing(void **state)
{
    struct one *t = *state;
    char got[8] = { 0 };
    memcpy(conn_reserve(t->l.c, 100), "lost", 4);
    memcpy(conn_reserve(t->l.c, 100), "kept", 4);
    conn_commit(t->l.c, 4);
    conn_flush(t->l.c);
    assert_int_equal(recv(t->fd, got, sizeof got, MSG_DONTWAIT), 4);
    assert_string_equal(got, "kept");
}

/* The sink does not read until the queue is full, then reads all. */
static void drain_slowly(struct kit *k)
{
    struct one *t = k->test;
    char got[10000];
    ssize_t n;
    if (t->rounds++ == 0) {
        char chunk[4096];
        for (size_t at = 0; at < MUCH; at += sizeof chunk) {
            for (size_t i = 0; i < sizeof chunk; i++)
                chunk[i] = (char)((at + i) * 31 >> 3);
            assert_int_equal(conn_write(t->l.c, sv_of(chunk, sizeof chunk)), 0);
        }
        return;
    }
    assert_true(t->l.rooms == 0 || conn_queued(t->l.c) <= CONN_LOW);
    n = recv(t->fd, got, sizeof got, MSG_DONTWAIT);
    if (n > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (got[i] != (char)((t->got + (size_t)i) * 31 >> 3))
                fail_msg("wrong byte at %zu", t->got + (size_t)i);
        t->got += (size_t)n;
    }
    if (t->got == MUCH) k->done = true;
}

static void a_slow_sink_gets_all_and_room_is_told_once(void **state)
{
    struct one *t = *state;
    kit_run_busy(&t->k, drain_slowly);
    assert_int_equal(t->l.rooms, 1);
    assert_int_equal(conn_queued(t->l.c), 0);
    assert_int_equal(conn_bytes_out(t->l.c), MUCH);
}

struct relay {
    struct conn *to;
};

static size_t pass_on(struct conn *c, struct sv in)
{
    struct relay *r = conn_ctx(c);
    struct block *b = conn_keep(c, in);
    assert_int_equal(conn_send(r->to, b, in), 0);
    block_put(b);
    if (conn_queued(r->to) >= CONN_HIGH) conn_read(c, false);
    return in.n;
}

static struct conn *source_of_relay;

static void go_on(struct conn *c)
{
    (void)c;
    conn_read(source_of_relay, true);
}

static void pour_and_drink(struct kit *k)
{
    struct one *t = k->test;
    char got[5000];
    send_pattern(t, MUCH);
    int sink = (int)t->rounds;
    ssize_t n = recv(sink, got, sizeof got, MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++)
        if (got[i] != (char)((t->got + (size_t)i) * 31 >> 3))
            fail_msg("wrong byte at %zu", t->got + (size_t)i);
    if (n > 0) t->got += (size_t)n;
    assert_true(reactor_stats(k->r)->blocks_used <= 8);
    if (t->got == MUCH) k->done = true;
}

static void back_pressure_bounds_what_a_relay_holds(void **state)
{
    struct one *t = *state;
    static const struct conn_ops source = { .on_bytes = pass_on };
    static const struct conn_ops sink = { .on_bytes = echo, .on_room = go_on };
    struct relay r;
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(conn_adopt(t->k.r, fd[0], &sink, NULL, &r.to), 0);
    source_of_relay = t->l.c;
    conn_set_ops(t->l.c, &source, &r);
    t->rounds = (unsigned)fd[1];
    kit_run_busy(&t->k, pour_and_drink);
    close(fd[1]);
}

static size_t pass_on_and_queue(struct conn *c, struct sv in)
{
    struct relay *r = conn_ctx(c);
    assert_int_equal(conn_write(r->to, in), 0);
    return in.n;
}

static void output_to_another_connection_leaves_at_once_too(void **state)
{
    struct one *t = *state;
    static const struct conn_ops ops = { .on_bytes = pass_on_and_queue };
    struct log_of other;
    struct relay r;
    char got[8] = { 0 };
    log_init(&other, &t->k);
    int fd = kit_pair(&t->k, &other);
    r.to = other.c;
    conn_set_ops(t->l.c, &ops, &r);
    say(t->fd, "ping");
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), 4);
    assert_string_equal(got, "ping");
    reactor_free(&t->k.r);
    close(fd);
    log_fini(&other);
}

static size_t swallow(struct conn *c, struct sv in)
{
    (void)c;
    return in.n;
}

/* Both in one wait: the other's end is told after what the first one left. */
static void output_to_a_connection_leaves_before_its_end_is_told(void **state)
{
    struct one *t = *state;
    static const struct conn_ops first = { .on_bytes = pass_on_and_queue };
    static const struct conn_ops second = { .on_bytes = swallow,
                                            .on_eof = conn_close };
    struct log_of other;
    struct relay r;
    char got[8] = { 0 };
    log_init(&other, &t->k);
    int fd = kit_pair(&t->k, &other);
    r.to = other.c;
    conn_set_ops(t->l.c, &first, &r);
    conn_set_ops(other.c, &second, NULL);
    say(t->fd, "ping");
    shutdown(fd, SHUT_WR);
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), 4);
    assert_string_equal(got, "ping");
    reactor_free(&t->k.r);
    close(fd);
    log_fini(&other);
}

/* --- ends ----------------------------------------------------------------- */

static void the_peers_end_is_told_after_the_last_bytes(void **state)
{
    struct one *t = *state;
    t->l.finish_at_eof = true;
    say(t->fd, "last");
    hang_up(t);
    kit_run(&t->k, until_closed);
    assert_true(sv_eq(buf_sv(&t->l.in), SV("last")));
    assert_int_equal(t->l.eofs, 1);
    assert_int_equal(t->l.closed, 1);
    assert_int_equal(t->l.err, 0);
}

static void close_in_on_bytes(struct conn *c)
{
    conn_close(c);
    conn_close(c);
    conn_finish(c);
    conn_abort(c, ERR_IO);
    assert_int_equal(conn_write(c, SV("dropped")), 0);
}

static size_t closing_bytes(struct conn *c, struct sv in)
{
    close_in_on_bytes(c);
    assert_true(conn_closing(c));
    return in.n ? 1 : 0; /* whatever it says */
}

static void closed_again(struct conn *c, int err)
{
    struct log_of *l = conn_ctx(c);
    l->closed++;
    l->err = err;
}

static void closing_inside_a_callback_tells_on_closed_once_after_it(
    void **state)
{
    static const struct conn_ops ops = { .on_bytes = closing_bytes,
                                         .on_closed = closed_again };
    struct one *t = *state;
    char byte;
    conn_set_ops(t->l.c, &ops, &t->l);
    say(t->fd, "hello");
    kit_run(&t->k, until_closed);
    assert_int_equal(t->l.closed, 1);
    assert_int_equal(t->l.err, 0);
    assert_int_equal(recv(t->fd, &byte, 1, 0), 0);
    assert_int_equal(reactor_stats(t->k.r)->conns, 0);
}

static void step_finish(struct kit *k)
{
    struct one *t = k->test;
    if (k->turns == 1) {
        assert_int_equal(conn_write(t->l.c, SV("answer")), 0);
        conn_finish(t->l.c);
    }
    if (k->turns == 2) {
        char got[16] = { 0 };
        assert_int_equal(kit_read_all(t->fd, got, sizeof got), 6);
        assert_string_equal(got, "answer");
        assert_int_equal(t->l.closed, 0);
        say(t->fd, "late bytes that nobody wants");
        shutdown(t->fd, SHUT_WR);
    }
    until_closed(k);
}

static void finish_sends_the_queue_then_fin_then_waits_for_the_peer(
    void **state)
{
    struct one *t = *state;
    kit_run_busy(&t->k, step_finish);
    assert_int_equal(t->l.offered, 0);
    assert_int_equal(t->l.eofs, 0);
    assert_int_equal(t->l.closed, 1);
    assert_int_equal(t->l.err, 0);
}

static void step_linger(struct kit *k)
{
    struct one *t = k->test;
    if (k->turns == 1) conn_finish(t->l.c);
    if (k->turns > 1) kit_forward_ms(k, 1000);
    until_closed(k);
}

static void lingering_ends_after_five_seconds(void **state)
{
    struct one *t = *state;
    kit_run_busy(&t->k, step_linger);
    assert_in_range(t->k.turns, 6, 9);
    assert_int_equal(t->l.timeouts, 0);
    assert_int_equal(t->l.err, 0);
}

static void a_reset_is_told_even_while_reading_is_off(void **state)
{
    struct one *t = *state;
    int pair[2];
    struct log_of l;
    struct linger hard = { .l_onoff = 1 };
    log_init(&l, &t->k);
    l.done_at_close = true;
    kit_tcp_pair(pair);
    assert_int_equal(conn_adopt(t->k.r, pair[0], &LOG_OPS, &l, &l.c), 0);
    conn_read(l.c, false);
    setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(pair[1]);
    kit_run(&t->k, NULL);
    assert_int_equal(l.closed, 1);
    assert_int_equal(l.err, ERR_CLOSED);
    log_fini(&l);
}

static void abort_resets_the_peer(void **state)
{
    struct one *t = *state;
    int pair[2];
    struct log_of l;
    char byte;
    log_init(&l, &t->k);
    l.done_at_close = true;
    kit_tcp_pair(pair);
    assert_int_equal(conn_adopt(t->k.r, pair[0], &LOG_OPS, &l, &l.c), 0);
    conn_abort(l.c, ERR_PROTOCOL);
    kit_run(&t->k, NULL);
    assert_int_equal(l.err, ERR_PROTOCOL);
    assert_int_equal(recv(pair[1], &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(pair[1]);
    log_fini(&l);
}

static void an_answer_sent_before_a_reset_is_still_read(void **state)
{
    struct one *t = *state;
    int pair[2];
    struct log_of l;
    log_init(&l, &t->k);
    l.done_at_close = true;
    kit_tcp_pair(pair);
    assert_int_equal(conn_adopt(t->k.r, pair[0], &LOG_OPS, &l, &l.c), 0);
    /* unread input makes the peer's close a reset, behind its answer */
    assert_int_equal(conn_write(l.c, SV("request")), 0);
    conn_flush(l.c);
    say(pair[1], "413");
    for (int waiting = 0; waiting < 7;)
        assert_int_equal(ioctl(pair[1], FIONREAD, &waiting), 0);
    close(pair[1]);
    assert_int_equal(conn_write(l.c, SV("more of it")), 0);
    kit_run(&t->k, NULL);
    assert_true(sv_eq(buf_sv(&l.in), SV("413")));
    assert_int_equal(l.closed, 1);
    assert_int_equal(l.err, ERR_CLOSED);
    log_fini(&l);
}

/* --- connecting ----------------------------------------------------------- */

static void on_accept(struct conn *c, void *ctx)
{
    (void)ctx;
    conn_set_ops(c, &ECHO, NULL);
}

static void a_connection_opens_and_echoes(void **state)
{
    struct one *t = *state;
    struct listener *l;
    struct log_of out;
    struct addr at;
    struct listener_conf conf = { .addr = kit_loopback(0),
                                  .inherited_fd = -1,
                                  .on_accept = on_accept };
    assert_int_equal(listener_open(t->k.r, &conf, &l), 0);
    listener_addr(l, &at);
    assert_int_not_equal(at.port, 0);
    log_init(&out, &t->k);
    assert_int_equal(conn_connect(t->k.r, &at, &LOG_OPS, &out, &out.c), 0);
    assert_int_equal(conn_write(out.c, SV("hello")), 0); /* before it opens */
    conn_deadline(out.c, DEADLINE_CONNECT, 1000);
    while (out.in.n < 5) kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(out.opened, 1);
    assert_true(sv_eq(buf_sv(&out.in), SV("hello")));
    assert_true(addr_eq(conn_peer(out.c), &at));
    assert_true(ip_eq(&conn_local(out.c)->ip, &at.ip));
    kit_forward_ms(&t->k, 5000); /* the connect deadline went with on_open */
    kit_run(&t->k, stop_after_two_turns);
    assert_int_equal(out.timeouts, 0);
    reactor_free(&t->k.r);
    log_fini(&out);
}

static void a_refused_connection_is_told_by_on_closed(void **state)
{
    struct one *t = *state;
    struct log_of out;
    struct addr at = kit_loopback(1); /* tcpmux: nobody listens */
    log_init(&out, &t->k);
    out.done_at_close = true;
    assert_int_equal(conn_connect(t->k.r, &at, &LOG_OPS, &out, &out.c), 0);
    assert_int_equal(out.closed, 0);
    kit_run(&t->k, NULL);
    assert_int_equal(out.opened, 0);
    assert_int_equal(out.closed, 1);
    assert_int_equal(out.err, ERR_REFUSED);
    log_fini(&out);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(bytes_from_the_peer_are_offered_once),
        T(what_is_not_consumed_is_offered_again_with_later_bytes),
        T(a_rest_is_offered_again_when_reading_is_turned_on),
        T(nothing_is_offered_while_reading_is_off),
        T(idle_connections_hold_no_block),
        T(a_long_stream_arrives_whole_and_in_order),
        T(a_stream_consumed_in_odd_pieces_arrives_in_order),
        T(a_full_block_that_nobody_consumes_closes),
        T(a_full_rest_is_offered_before_more_is_read),
        T(kept_bytes_survive_later_reads),
        T(output_leaves_when_the_callback_returns),
        T(output_queued_before_the_run_leaves_by_flush),
        T(a_void_reservation_sends_nothing),
        T(a_slow_sink_gets_all_and_room_is_told_once),
        T(back_pressure_bounds_what_a_relay_holds),
        T(output_to_another_connection_leaves_at_once_too),
        T(output_to_a_connection_leaves_before_its_end_is_told),
        T(the_peers_end_is_told_after_the_last_bytes),
        T(closing_inside_a_callback_tells_on_closed_once_after_it),
        T(finish_sends_the_queue_then_fin_then_waits_for_the_peer),
        T(lingering_ends_after_five_seconds),
        T(a_reset_is_told_even_while_reading_is_off),
        T(abort_resets_the_peer),
        T(an_answer_sent_before_a_reset_is_still_read),
        T(a_connection_opens_and_echoes),
        T(a_refused_connection_is_told_by_on_closed),
    };
    return cmocka_run_group_tests_name("net/conn", tests, NULL, NULL);
}
