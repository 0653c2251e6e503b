/* Accepting: loopback, inherited descriptors, want of descriptors, sharing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "netkit.h"

struct door {
    struct kit k;
    struct listener *l;
    struct addr at;
    unsigned accepted, wanted;
    struct addr peer;
};

static size_t eat(struct conn *c, struct sv in)
{
    (void)c;
    return in.n;
}

static const struct conn_ops EAT = { .on_bytes = eat };

static void on_accept(struct conn *c, void *ctx)
{
    struct door *d = ctx;
    d->accepted++;
    d->peer = *conn_peer(c);
}

static void until_accepted(struct kit *k)
{
    struct door *d = k->test;
    k->done = d->accepted >= d->wanted;
}

static void open_at(struct door *d, struct addr at, int inherited)
{
    struct listener_conf conf = { .addr = at,
                                  .inherited_fd = inherited,
                                  .on_accept = on_accept,
                                  .ctx = d,
                                  .ops = &EAT };
    assert_int_equal(listener_open(d->k.r, &conf, &d->l), 0);
    listener_addr(d->l, &d->at);
}

static int set_up(void **state)
{
    struct door *d = NEW(struct door);
    kit_init(&d->k, NULL);
    d->k.test = d;
    d->wanted = 1;
    *state = d;
    return 0;
}

static int tear_down(void **state)
{
    struct door *d = *state;
    kit_fini(&d->k);
    mem_free(d);
    return 0;
}

static void a_client_is_accepted_with_its_address(void **state)
{
    struct door *d = *state;
    open_at(d, kit_loopback(0), -1);
    int fd = kit_dial(&d->at);
    kit_run(&d->k, until_accepted);
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    struct addr own;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    assert_true(addr_from_sockaddr((struct sockaddr *)&sa, &own));
    assert_true(addr_eq(&own, &d->peer));
    assert_int_equal(reactor_stats(d->k.r)->accepts, 1);
    close(fd);
}

static void an_inherited_descriptor_is_listened_on(void **state)
{
    struct door *d = *state;
    struct addr any = kit_loopback(0);
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&any, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct listener *l;
    struct listener_conf no = { .inherited_fd = fd, .ops = &EAT };
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
    /* not listening: refused, and still the caller's */
    assert_int_equal(listener_open(d->k.r, &no, &l), ERR_INVALID);
    assert_int_equal(listen(fd, 4), 0);
    open_at(d, any, fd);
    assert_int_not_equal(d->at.port, 0);
    int client = kit_dial(&d->at);
    kit_run(&d->k, until_accepted);
    close(client);
}

static void two_sockets_may_share_a_port_and_a_taken_one_is_told(void **state)
{
    struct door *d = *state;
    open_at(d, kit_loopback(0), -1);
    struct listener *second;
    struct listener_conf conf = { .addr = d->at,
                                  .inherited_fd = -1,
                                  .ops = &EAT };
    assert_int_equal(listener_open(d->k.r, &conf, &second), 0);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    struct addr any = kit_loopback(0);
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&any, &sa);
    assert_int_equal(bind(other, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(getsockname(other, (struct sockaddr *)&sa, &n), 0);
    assert_true(addr_from_sockaddr((struct sockaddr *)&sa, &conf.addr));
    assert_int_equal(listener_open(d->k.r, &conf, &second), ERR_EXISTS);
    close(other);
}

static void the_ipv6_wildcard_takes_ipv4_as_ipv4(void **state)
{
    struct door *d = *state;
    struct addr any = { .port = 0 };
    struct listener_conf conf = { .addr = any,
                                  .inherited_fd = -1,
                                  .on_accept = on_accept,
                                  .ctx = d,
                                  .ops = &EAT };
    if (listener_open(d->k.r, &conf, &d->l) < 0) skip(); /* no IPv6 here */
    listener_addr(d->l, &d->at);
    struct addr v4 = kit_loopback(d->at.port);
    int fd = kit_dial(&v4);
    kit_run(&d->k, until_accepted);
    assert_true(ip_is_v4(&d->peer.ip));
    close(fd);
}

static void closing_a_listener_accepts_what_waits(void **state)
{
    struct door *d = *state;
    int fd[5];
    open_at(d, kit_loopback(0), -1);
    for (int i = 0; i < 5; i++) fd[i] = kit_dial(&d->at);
    listener_close(d->l);
    listener_close(d->l);
    assert_int_equal(d->accepted, 5);
    for (int i = 0; i < 5; i++) close(fd[i]);
}

static void more_than_half_of_the_table_is_not_accepted(void **state)
{
    struct door *d = *state;
    int fd[3];
    char byte;
    kit_fini(&d->k);
    kit_init(&d->k, &(struct reactor_conf){ .max_conns = 4 });
    d->k.test = d;
    open_at(d, kit_loopback(0), -1);
    for (int i = 0; i < 3; i++) fd[i] = kit_dial(&d->at);
    d->wanted = 2;
    kit_run(&d->k, until_accepted);
    assert_int_equal(d->accepted, 2);
    assert_int_equal(recv(fd[2], &byte, 1, 0), 0); /* closed, not left */
    for (int i = 0; i < 3; i++) close(fd[i]);
}

static void until_told(struct kit *k)
{
    struct door *d = k->test;
    k->done = reactor_stats(d->k.r)->accept_errors >= 1;
}

static void until_second(struct kit *k)
{
    kit_forward_ms(k, 10);
    until_accepted(k);
}

static void without_descriptors_it_rests_and_goes_on_later(void **state)
{
    struct door *d = *state;
    struct rlimit before, tight;
    char byte;
    open_at(d, kit_loopback(0), -1);
    int first = kit_dial(&d->at), second = kit_dial(&d->at);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int free_fd = dup(first);
    close(free_fd);
    tight = before;
    tight.rlim_cur = (rlim_t)free_fd; /* none below is free */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    kit_run_busy(&d->k, until_told);
    assert_int_equal(d->accepted, 0);
    unsigned before_turns = reactor_stats(d->k.r)->accept_errors;
    assert_int_equal(recv(first, &byte, 1, 0), 0); /* told, not left waiting */
    kit_run_busy(&d->k, until_told);
    assert_int_equal(reactor_stats(d->k.r)->accept_errors, before_turns);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    kit_run_busy(&d->k, until_second);
    assert_int_equal(d->accepted, 1);
    close(first);
    close(second);
}

/* --- sharing between reactors --------------------------------------------- */

struct node {
    struct reactor *r;
    struct listener *l;
    _Atomic unsigned accepted;
    pthread_t thread;
};

static void node_accepts(struct conn *c, void *ctx)
{
    struct node *n = ctx;
    assert_ptr_equal(conn_reactor(c), n->r);
    atomic_fetch_add(&n->accepted, 1);
}

static void *node_run(void *arg)
{
    reactor_run(((struct node *)arg)->r);
    return NULL;
}

static void a_busy_reactor_hands_fresh_connections_over(void **state)
{
    enum { CLIENTS = 60 };
    struct node n[2] = { 0 };
    struct listener *group[2];
    int fd[CLIENTS];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct listener_conf conf = {
            .addr = kit_loopback(0),
            .inherited_fd = -1,
            .ops = &EAT,
            .on_accept = node_accepts,
            .ctx = &n[i],
        };
        assert_int_equal(reactor_new(&n[i].r, &(struct reactor_conf){ 0 }), 0);
        assert_int_equal(listener_open(n[i].r, &conf, &n[i].l), 0);
        group[i] = n[i].l;
    }
    listener_share(group, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&n[i].thread, NULL, node_run, &n[i]),
                         0);
    /* two ports here, so that all clients come to the first */
    struct addr at;
    listener_addr(n[0].l, &at);
    for (int i = 0; i < CLIENTS; i++) fd[i] = kit_dial(&at);
    while (atomic_load(&n[0].accepted) + atomic_load(&n[1].accepted) < CLIENTS)
        sched_yield();
    assert_true(atomic_load(&n[1].accepted) >= CLIENTS / 4);
    for (int i = 0; i < 2; i++) {
        reactor_stop(n[i].r, 0);
        pthread_join(n[i].thread, NULL);
    }
    /* counted behind the handing over: only now by all */
    assert_int_equal(reactor_stats(n[0].r)->handed_over,
                     atomic_load(&n[1].accepted));
    for (int i = 0; i < 2; i++) reactor_free(&n[i].r);
    for (int i = 0; i < CLIENTS; i++) close(fd[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_client_is_accepted_with_its_address),
        T(an_inherited_descriptor_is_listened_on),
        T(two_sockets_may_share_a_port_and_a_taken_one_is_told),
        T(the_ipv6_wildcard_takes_ipv4_as_ipv4),
        T(closing_a_listener_accepts_what_waits),
        T(more_than_half_of_the_table_is_not_accepted),
        T(without_descriptors_it_rests_and_goes_on_later),
        cmocka_unit_test(a_busy_reactor_hands_fresh_connections_over),
    };
    return cmocka_run_group_tests_name("net/listener", tests, NULL, NULL);
}
