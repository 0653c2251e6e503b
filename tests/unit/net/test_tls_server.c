/* The server's side of TLS: which names a certificate serves, tickets, and how
 * many handshakes are made a turn. The clients are OpenSSL's own. */
#include "tls_kit.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/reactor_int.h"
#include "net/tls_int.h"
#include "netkit.h"

static struct issued ca, site, twin, wild, other, bare, odd;
static struct issued *const all[] = { &ca,    &site, &twin, &wild,
                                      &other, &bare, &odd };

static int make_certs(void **state)
{
    (void)state;
    if (!mkdtemp(dir)) return -1;
    issue(&ca, "ca", NULL, NULL);
    issue(&site, "site", "DNS:site.test,DNS:Site.Test,IP:127.0.0.1", &ca);
    issue(&twin, "twin", "DNS:twin.test,DNS:site.test", &ca);
    issue(&wild, "wild", "DNS:*.wild.test,DNS:wild.test", &ca);
    issue(&other, "other", "DNS:other.test", &ca);
    issue(&bare, "bare", "IP:127.0.0.1", &ca);
    issue(&odd, "odd", "DNS:f*.test,DNS:*", &ca);
    return 0;
}

static int remove_certs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) issued_remove(all[i]);
    return rmdir(dir);
}

#define CONF(i)                      \
    {                                \
        (i).cert_file, (i).key_file, \
        {                            \
            "", 0                    \
        }                            \
    }

/* --- a client ------------------------------------------------------------- */

struct client {
    SSL *ssl;
    BIO *in, *out;
    int fd;
    bool told;
};

struct one {
    struct kit k;
    struct tls_server *server;
    struct log_of s;
    struct client c;
    char heard[8];
};

static void client_init(struct client *c, int fd, const char *name, int version,
                        SSL_SESSION *session)
{
    SSL_CTX *x = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(x, version);
    *c = (struct client){ .ssl = SSL_new(x),
                          .in = BIO_new(BIO_s_mem()),
                          .out = BIO_new(BIO_s_mem()),
                          .fd = fd };
    SSL_set_tlsext_host_name(c->ssl, name);
    BIO_set_mem_eof_return(c->in, -1);
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_connect_state(c->ssl);
    if (session) SSL_set_session(c->ssl, session);
    SSL_CTX_free(x);
}

static void client_fini(struct client *c)
{
    SSL_free(c->ssl);
    close(c->fd);
}

static void client_step(struct client *c)
{
    char part[16384];
    ssize_t n = recv(c->fd, part, sizeof part, MSG_DONTWAIT);
    if (n > 0) BIO_write(c->in, part, (int)n);
    SSL_do_handshake(c->ssl);
    n = BIO_read(c->out, part, sizeof part);
    if (n > 0) assert_int_equal(send(c->fd, part, (size_t)n, 0), n);
}

static void step_one(struct kit *k)
{
    struct one *t = k->test;
    client_step(&t->c);
    if (SSL_is_init_finished(t->c.ssl) && !t->c.told) {
        t->c.told = true;
        SSL_write(t->c.ssl, "ask", 3);
    }
    if (t->s.in.n == 3 && t->s.c) { /* its answer comes behind the ticket */
        assert_int_equal(conn_write(t->s.c, SV("answer")), 0);
        buf_clear(&t->s.in);
    }
    if (t->c.told && SSL_read(t->c.ssl, t->heard, 6) == 6) k->done = true;
    if (t->s.closed) k->done = true;
}

/* One exchange of a client of that name; the session that it keeps. */
static SSL_SESSION *exchange(struct one *t, const char *name, int version,
                             SSL_SESSION *session)
{
    log_init(&t->s, &t->k);
    client_init(&t->c, kit_pair(&t->k, &t->s), name, version, session);
    assert_int_equal(tls_accept(t->s.c, t->server), 0);
    kit_run_busy(&t->k, step_one);
    assert_memory_equal(t->heard, "answer", 6);
    SSL_SESSION *kept = SSL_get1_session(t->c.ssl);
    return kept;
}

static void until_closed(struct kit *k)
{
    struct one *t = k->test;
    k->done = t->s.closed;
}

static void exchange_end(struct one *t)
{
    SSL_shutdown(t->c.ssl);
    client_fini(&t->c);
    kit_run(&t->k, until_closed);
    log_fini(&t->s);
}

static void serve(struct one *t, const struct tls_cert_conf *certs, size_t n)
{
    char problem[256];
    if (t->server) tls_server_put(t->server);
    assert_int_equal(tls_server_new(&t->server, certs, n, problem), 0);
}

static int set_up(void **state)
{
    struct one *t = NEW(struct one);
    kit_init(&t->k, NULL);
    t->k.test = t;
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct one *t = *state;
    kit_fini(&t->k);
    if (t->server) tls_server_put(t->server);
    mem_free(t);
    return 0;
}

/* --- names ---------------------------------------------------------------- */

static void a_certificate_serves_the_names_that_it_carries(void **state)
{
    static const struct {
        const char *ask, *shown;
    } rows[] = {
        { "site.test", "site" },    { "SITE.TEST", "site" },
        { "other.test", "other" },  { "wild.test", "wild" },
        { "a.wild.test", "wild" },  { "a.b.wild.test", "site" },
        { "unknown.test", "site" },
    };
    struct tls_cert_conf certs[] = { CONF(site), CONF(wild), CONF(other) };
    struct one *t = *state;
    serve(t, certs, 3);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[32] = "";
        SSL_SESSION_free(exchange(t, rows[i].ask, TLS1_3_VERSION, NULL));
        X509 *x = SSL_get1_peer_certificate(t->c.ssl);
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
                                  name, sizeof name);
        X509_free(x);
        assert_string_equal(name, rows[i].shown);
        exchange_end(t);
    }
}

static void refused(const struct tls_cert_conf *certs, size_t n,
                    const char *first, const char *second)
{
    struct tls_server *s;
    char problem[256] = "";
    assert_int_equal(tls_server_new(&s, certs, n, problem), ERR_INVALID);
    if (!strstr(problem, first) || !strstr(problem, second))
        fail_msg("%s", problem);
}

static void a_certificate_without_names_is_refused_beside_others(void **state)
{
    struct tls_cert_conf beside[] = { CONF(site), CONF(bare) };
    struct tls_cert_conf unusable[] = { CONF(odd), CONF(site) };
    struct tls_cert_conf named[] = { CONF(site), CONF(bare) };
    struct one *t = *state;
    refused(beside, 2, bare.cert_file, "subjectAltName");
    refused(unusable, 2, odd.cert_file, "subjectAltName");
    named[1].name = SV("bare.test");
    serve(t, named, 2);
    serve(t, &beside[1], 1); /* alone it is the default */
}

static void two_certificates_for_a_name_are_both_named(void **state)
{
    struct tls_cert_conf carried[] = { CONF(site), CONF(twin) };
    struct tls_cert_conf given[] = { CONF(site), CONF(other) };
    struct one *t = *state;
    refused(carried, 2, site.cert_file, twin.cert_file);
    refused(carried, 2, "site.test", "two certificates");
    given[1].name = SV("SITE.test");
    refused(given, 2, site.cert_file, other.cert_file);
    /* a given name stands for those that the certificate carries */
    carried[1].name = SV("twin.test");
    serve(t, carried, 2);
}

/* --- tickets -------------------------------------------------------------- */

static void ticket_keys_seal_for_a_period_and_open_for_two(void **state)
{
    struct tickets t = { .made_ms = 0 };
    struct ticket_key first, second;
    bool renew;
    (void)state;
    first = *tickets_seal(&t, 1000);
    assert_memory_equal(tickets_seal(&t, 999 + TICKET_PERIOD_MS), &first,
                        sizeof first);
    assert_non_null(tickets_open(&t, 1000, first.name, &renew));
    assert_false(renew);
    second = *tickets_seal(&t, 1000 + TICKET_PERIOD_MS);
    assert_memory_not_equal(first.name, second.name, sizeof first.name);
    assert_memory_not_equal(first.aes, second.aes, sizeof first.aes);
    assert_memory_not_equal(first.mac, second.mac, sizeof first.mac);
    const struct ticket_key *old =
        tickets_open(&t, 999 + 2 * TICKET_PERIOD_MS, first.name, &renew);
    assert_memory_equal(old, &first, sizeof first);
    assert_true(renew);
    assert_null(
        tickets_open(&t, 1000 + 2 * TICKET_PERIOD_MS, first.name, &renew));
    assert_non_null(
        tickets_open(&t, 1000 + 2 * TICKET_PERIOD_MS, second.name, &renew));
    /* nothing was asked for long: neither key is left anywhere */
    int64_t late = 1000 + 5ll * TICKET_PERIOD_MS;
    assert_null(tickets_open(&t, late, second.name, &renew));
    assert_null(memmem(&t, sizeof t, second.aes, sizeof second.aes));
    /* a clock that goes back makes new ones */
    first = *tickets_seal(&t, late);
    assert_memory_not_equal(tickets_seal(&t, 5)->name, first.name,
                            sizeof first.name);
}

static void a_ticket_saves_the_certificate_also_after_a_reload(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tls_cert_conf certs[] = { CONF(site), CONF(other) };
    struct one *t = *state;
    struct reactor_stats *stats = reactor_stats(t->k.r);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        serve(t, certs, 2);
        SSL_SESSION *first = exchange(t, "other.test", versions[i], NULL);
        assert_false(SSL_session_reused(t->c.ssl));
        exchange_end(t);
        serve(t, certs, 2); /* SIGHUP */
        SSL_SESSION *second = exchange(t, "other.test", versions[i], first);
        assert_true(SSL_session_reused(t->c.ssl));
        assert_int_equal(SSL_version(t->c.ssl), versions[i]);
        exchange_end(t);
        SSL_SESSION_free(first);
        SSL_SESSION_free(second);
    }
    assert_int_equal(stats->handshakes, 4);
    assert_int_equal(stats->handshakes_resumed, 2);
}

static void a_ticket_that_was_touched_means_a_full_handshake(void **state)
{
    struct tls_cert_conf certs[] = { CONF(site) };
    struct one *t = *state;
    serve(t, certs, 1);
    SSL_SESSION *first = exchange(t, "site.test", TLS1_2_VERSION, NULL);
    exchange_end(t);
    size_t n = (size_t)i2d_SSL_SESSION(first, NULL), ticket_n;
    const unsigned char *ticket;
    unsigned char *der = mem_alloc(n), *end = der;
    i2d_SSL_SESSION(first, &end);
    SSL_SESSION_get0_ticket(first, &ticket, &ticket_n);
    assert_true(ticket_n > 64);
    unsigned char *at = memmem(der, n, ticket, ticket_n);
    assert_non_null(at);
    static const size_t bits[] = { 0, 15, 16, 31, 40 };
    for (size_t i = 0; i < ARRAY_LEN(bits) + 1; i++) {
        size_t byte = i < ARRAY_LEN(bits) ? bits[i] : ticket_n - 1;
        const unsigned char *from = der;
        at[byte] ^= 1;
        SSL_SESSION *bent = d2i_SSL_SESSION(NULL, &from, (long)n);
        at[byte] ^= 1;
        SSL_SESSION_free(exchange(t, "site.test", TLS1_2_VERSION, bent));
        assert_false(SSL_session_reused(t->c.ssl));
        exchange_end(t);
        SSL_SESSION_free(bent);
    }
    mem_free(der);
    SSL_SESSION_free(first);
}

/* --- a flood of handshakes ------------------------------------------------ */

enum { FLOOD = 50 };

struct flood {
    struct one *t;
    struct client c[FLOOD];
    bool answered[FLOOD];
    unsigned done, most;
};

static void accept_tls(struct conn *c, void *ctx)
{
    struct flood *f = ctx;
    assert_int_equal(tls_accept(c, f->t->server), 0);
}

static void count_answers(struct kit *k)
{
    struct flood *f = k->test;
    unsigned before = f->done;
    for (int i = 0; i < FLOOD; i++) {
        char byte;
        if (f->answered[i] || recv(f->c[i].fd, &byte, 1, MSG_PEEK) != 1)
            continue;
        f->answered[i] = true;
        f->done++;
    }
    if (f->done - before > f->most) f->most = f->done - before;
    k->done = f->done == FLOOD;
}

static void few_handshakes_are_made_a_turn_in_the_order_of_asking(void **state)
{
    struct one *t = *state;
    static struct flood f;
    static const struct conn_ops ops = { .on_eof = NULL };
    struct tls_cert_conf certs[] = { CONF(site) };
    struct listener *l;
    struct addr at;
    struct listener_conf conf = {
        .addr = kit_loopback(0),
        .inherited_fd = -1,
        .ops = &ops,
        .on_accept = accept_tls,
        .ctx = &f,
    };
    serve(t, certs, 1);
    f = (struct flood){ .t = t };
    assert_int_equal(listener_open(t->k.r, &conf, &l), 0);
    listener_addr(l, &at);
    for (int i = 0; i < FLOOD; i++) {
        client_init(&f.c[i], kit_dial(&at), "site.test", TLS1_3_VERSION, NULL);
        client_step(&f.c[i]); /* the hello waits in the kernel */
        fcntl(f.c[i].fd, F_SETFL, O_NONBLOCK);
    }
    t->k.test = &f;
    kit_run_busy(&t->k, count_answers);
    assert_in_range(f.most, 1, SHAKES_A_TURN);
    assert_true(t->k.turns > FLOOD / SHAKES_A_TURN);
    for (int i = 0; i < FLOOD; i++) client_fini(&f.c[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_certificate_serves_the_names_that_it_carries),
        T(a_certificate_without_names_is_refused_beside_others),
        T(two_certificates_for_a_name_are_both_named),
        cmocka_unit_test(ticket_keys_seal_for_a_period_and_open_for_two),
        T(a_ticket_saves_the_certificate_also_after_a_reload),
        T(a_ticket_that_was_touched_means_a_full_handshake),
        T(few_handshakes_are_made_a_turn_in_the_order_of_asking),
    };
    return cmocka_run_group_tests_name("net/tls_server", tests, make_certs,
                                       remove_certs);
}
