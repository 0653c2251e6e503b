/* TLS on both sides of a socket pair, both ends connections of ours; and
 * against OpenSSL's own socket BIO where the other end must misbehave. */
#include "tls_kit.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/tls.h"
#include "netkit.h"

static struct issued ca, site, wild, other, stray;

static int make_certs(void **state)
{
    (void)state;
    if (!mkdtemp(dir)) return -1;
    issue(&ca, "ca", NULL, NULL);
    issue(&site, "site", "DNS:site.test,IP:127.0.0.1", &ca);
    issue(&wild, "wild", "DNS:*.wild.test", &ca);
    issue(&other, "other", "DNS:other.test", &ca);
    issue(&stray, "stray", NULL, NULL);
    return 0;
}

static int remove_certs(void **state)
{
    struct issued *all[] = { &ca, &site, &wild, &other, &stray };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) issued_remove(all[i]);
    return rmdir(dir);
}

/* --- two ends ------------------------------------------------------------- */

struct both {
    struct kit k;
    struct tls_server *server;
    struct tls_client *client;
    struct log_of s, c;
};

static int set_up(void **state)
{
    struct both *t = NEW(struct both);
    struct tls_cert_conf certs[] = {
        { site.cert_file, site.key_file, SV("") },
        { wild.cert_file, wild.key_file, SV("*.wild.test") },
        { other.cert_file, other.key_file, SV("Other.Test") },
    };
    char problem[256];
    kit_init(&t->k, NULL);
    t->k.test = t;
    assert_int_equal(tls_server_new(&t->server, certs, 3, problem), 0);
    assert_int_equal(tls_client_new(&t->client, ca.cert_file, problem), 0);
    log_init(&t->s, &t->k);
    log_init(&t->c, &t->k);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct both *t = *state;
    kit_fini(&t->k);
    tls_server_put(t->server);
    tls_client_free(&t->client);
    log_fini(&t->s);
    log_fini(&t->c);
    mem_free(t);
    return 0;
}

static void adopt_pair(struct both *t)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(conn_adopt(t->k.r, fd[0], &LOG_OPS, &t->s, &t->s.c), 0);
    assert_int_equal(conn_adopt(t->k.r, fd[1], &LOG_OPS, &t->c, &t->c.c), 0);
}

static void handshake_as(struct both *t, struct sv name, bool verify)
{
    adopt_pair(t);
    assert_int_equal(tls_accept(t->s.c, t->server), 0);
    assert_int_equal(tls_connect(t->c.c, t->client, name, verify), 0);
}

static void until_open_or_closed(struct kit *k)
{
    struct both *t = k->test;
    bool s = t->s.opened || t->s.closed, c = t->c.opened || t->c.closed;
    k->done = s && c;
}

static void connect_as(struct both *t, struct sv name)
{
    handshake_as(t, name, true);
    kit_run_busy(&t->k, until_open_or_closed);
    assert_int_equal(t->s.opened, 1);
    assert_int_equal(t->c.opened, 1);
}

static void until_hello(struct kit *k)
{
    struct both *t = k->test;
    k->done = t->s.in.n >= 5;
}

static void plain_bytes_go_through_and_facts_are_known(void **state)
{
    struct both *t = *state;
    struct tls_info i;
    connect_as(t, SV("site.test"));
    assert_int_equal(conn_write(t->c.c, SV("hello")), 0);
    kit_run_busy(&t->k, until_hello);
    assert_true(sv_eq(buf_sv(&t->s.in), SV("hello")));
    assert_true(tls_info(t->s.c, &i));
    assert_true(sv_eq(i.sni, SV("site.test")));
    assert_true(sv_eq(i.alpn, SV("http/1.1")));
    assert_true(sv_eq(i.version, SV("TLSv1.3")));
    assert_true(i.cipher.n > 0);
    assert_true(tls_is(t->c.c));
    assert_null(tls_failure(t->c.c));
    assert_true(conn_bytes_in(t->s.c) > 5); /* as on the wire */
}

static void output_queued_before_the_handshake_follows_it(void **state)
{
    struct both *t = *state;
    handshake_as(t, SV("site.test"), true);
    assert_int_equal(conn_write(t->c.c, SV("early")), 0);
    kit_run_busy(&t->k, until_hello);
    assert_true(sv_eq(buf_sv(&t->s.in), SV("early")));
}

enum { MUCH = 2 << 20 };

static void pour(struct kit *k)
{
    struct both *t = k->test;
    k->done = t->s.in.n == MUCH;
    /* what is withheld is asked for */
    if (t->s.c && k->turns % 3 == 0) conn_read(t->s.c, true);
    if (t->s.c && k->turns % 7 == 0) conn_read(t->s.c, false);
    t->s.consume_max = k->turns % 5 ? SIZE_MAX : 100 + k->turns % 1000;
}

static void a_long_stream_arrives_whole_under_odd_reading(void **state)
{
    struct both *t = *state;
    char chunk[8192];
    connect_as(t, SV("site.test"));
    for (size_t at = 0; at < MUCH; at += sizeof chunk) {
        for (size_t i = 0; i < sizeof chunk; i++)
            chunk[i] = (char)((at + i) * 31 >> 3);
        assert_int_equal(conn_write(t->c.c, sv_of(chunk, sizeof chunk)), 0);
    }
    kit_run_busy(&t->k, pour);
    for (size_t i = 0; i < MUCH; i++)
        if (t->s.in.p[i] != (char)(i * 31 >> 3)) fail_msg("byte %zu", i);
    assert_true(t->c.rooms >= 1);
}

static void until_both_closed(struct kit *k)
{
    struct both *t = k->test;
    k->done = t->s.closed && t->c.closed;
}

static void finish_says_close_notify_which_the_peer_hears_as_eof(void **state)
{
    struct both *t = *state;
    connect_as(t, SV("site.test"));
    t->c.finish_at_eof = true;
    assert_int_equal(conn_write(t->s.c, SV("bye")), 0);
    conn_finish(t->s.c);
    kit_run_busy(&t->k, until_both_closed);
    assert_true(sv_eq(buf_sv(&t->c.in), SV("bye")));
    assert_int_equal(t->c.eofs, 1);
    assert_int_equal(t->c.err, 0);
    assert_int_equal(t->s.err, 0);
}

static void an_end_without_close_notify_is_no_eof(void **state)
{
    struct both *t = *state;
    connect_as(t, SV("site.test"));
    conn_close(t->s.c);
    kit_run_busy(&t->k, until_both_closed);
    assert_int_equal(t->c.eofs, 0);
    assert_int_equal(t->c.err, ERR_CLOSED);
}

/* --- certificates by name ------------------------------------------------- */

static void the_certificate_follows_the_name(void **state)
{
    static const struct {
        struct sv ask;
        bool fits;
    } rows[] = {
        { { "site.test", 9 }, true },    { { "SITE.test", 9 }, true },
        { { "other.test", 10 }, true },  { { "OTHER.TEST", 10 }, true },
        { { "a.wild.test", 11 }, true }, { { "a.b.wild.test", 13 }, false },
        { { "wild.test", 9 }, false },   { { "unknown.test", 12 }, false },
        { { "127.0.0.1", 9 }, true },    { { "127.0.0.2", 9 }, false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *one;
        set_up(&one);
        struct both *t = one;
        handshake_as(t, rows[i].ask, true);
        kit_run_busy(&t->k, until_open_or_closed);
        if ((t->c.opened == 1) != rows[i].fits)
            fail_msg("%.*s", SV_FMT(rows[i].ask));
        if (!rows[i].fits) {
            assert_int_equal(t->c.err, ERR_TLS);
        }
        tear_down(&one);
    }
}

static const char *why;

static void note_why(struct conn *c, int err)
{
    struct log_of *l = conn_ctx(c);
    why = tls_failure(c);
    l->closed++;
    l->err = err;
}

static void an_unknown_authority_is_refused_unless_told_otherwise(void **state)
{
    struct both *t = *state;
    struct conn_ops ops = LOG_OPS;
    char problem[256];
    ops.on_closed = note_why;
    tls_client_free(&t->client);
    assert_int_equal(tls_client_new(&t->client, NULL, problem), 0);
    handshake_as(t, SV("site.test"), true);
    conn_set_ops(t->c.c, &ops, &t->c);
    kit_run_busy(&t->k, until_both_closed);
    assert_int_equal(t->c.err, ERR_TLS);
    assert_non_null(why);
    assert_non_null(strstr(why, "certificate"));
    t->s.closed = t->c.closed = 0;
    t->s.opened = t->c.opened = 0;
    handshake_as(t, SV("site.test"), false);
    kit_run_busy(&t->k, until_open_or_closed);
    assert_int_equal(t->c.opened, 1);
}

static void bad_certificate_files_are_named(void **state)
{
    struct tls_server *s;
    struct tls_client *c;
    char problem[256];
    (void)state;
    struct tls_cert_conf gone = { "/nonexistent.crt", site.key_file, SV("") };
    struct tls_cert_conf mixed = { site.cert_file, wild.key_file, SV("") };
    struct tls_cert_conf twice[] = {
        { site.cert_file, site.key_file, SV("x.test") },
        { site.cert_file, site.key_file, SV("X.TEST") },
    };
    assert_int_equal(tls_server_new(&s, &gone, 1, problem), ERR_INVALID);
    assert_non_null(strstr(problem, "/nonexistent.crt"));
    assert_int_equal(tls_server_new(&s, &mixed, 1, problem), ERR_INVALID);
    assert_non_null(strstr(problem, dir));
    assert_int_equal(tls_server_new(&s, twice, 2, problem), ERR_INVALID);
    assert_non_null(strstr(problem, "x.test"));
    assert_int_equal(tls_server_new(&s, NULL, 0, problem), ERR_INVALID);
    assert_int_equal(tls_client_new(&c, "/nonexistent.pem", problem),
                     ERR_INVALID);
    assert_non_null(strstr(problem, "/nonexistent.pem"));
}

static void the_end_of_the_certificates_is_known(void **state)
{
    struct both *t = *state;
    int64_t left = tls_server_not_after_ms(t->server) - clock_wall_ms();
    assert_in_range(left, 86400000 - 600000, 86400000 + 1000);
}

/* --- a peer that is not ours ---------------------------------------------- */

static void until_server_closed(struct kit *k)
{
    struct both *t = k->test;
    k->done = t->s.closed;
}

static int server_only(struct both *t)
{
    int fd = kit_pair(&t->k, &t->s);
    assert_int_equal(tls_accept(t->s.c, t->server), 0);
    return fd;
}

static void plain_http_to_a_tls_port_is_a_tls_failure(void **state)
{
    struct both *t = *state;
    int fd = server_only(t);
    const char *text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    kit_run_busy(&t->k, until_server_closed);
    assert_int_equal(t->s.opened, 0);
    assert_int_equal(t->s.offered, 0);
    assert_int_equal(t->s.err, ERR_TLS);
    close(fd);
}

static void a_peer_that_leaves_in_the_handshake_closes(void **state)
{
    struct both *t = *state;
    int fd = server_only(t);
    close(fd);
    kit_run_busy(&t->k, until_server_closed);
    assert_int_equal(t->s.err, ERR_CLOSED);
}

/* OpenSSL with memory BIOs, whose output reaches us one byte a turn. */
struct foreign {
    struct both *t;
    SSL *ssl;
    BIO *in, *out;
    int fd;
    bool told;
};

static struct foreign peer;

static void step_foreign(struct kit *k)
{
    struct both *t = k->test;
    char byte, got[4096];
    ssize_t n = recv(peer.fd, got, sizeof got, MSG_DONTWAIT);
    if (n > 0) BIO_write(peer.in, got, (int)n);
    if (SSL_do_handshake(peer.ssl) == 1 && !peer.told) {
        peer.told = true;
        SSL_write(peer.ssl, "drop by drop", 12);
    }
    if (BIO_read(peer.out, &byte, 1) == 1 &&
        send(peer.fd, &byte, 1, MSG_NOSIGNAL) != 1)
        assert_int_equal(errno, EPIPE); /* refused already */
    k->done = t->s.in.n == 12 || t->s.closed;
}

static void foreign_init(struct both *t, int version, const char *alpn)
{
    SSL_CTX *x = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(x, version);
    if (version < TLS1_2_VERSION) SSL_CTX_set_security_level(x, 0);
    peer = (struct foreign){ .t = t,
                             .ssl = SSL_new(x),
                             .in = BIO_new(BIO_s_mem()),
                             .out = BIO_new(BIO_s_mem()),
                             .fd = server_only(t) };
    if (alpn)
        SSL_set_alpn_protos(peer.ssl, (const unsigned char *)alpn,
                            (unsigned)strlen(alpn));
    BIO_set_mem_eof_return(peer.in, -1);
    SSL_set_bio(peer.ssl, peer.in, peer.out);
    SSL_set_connect_state(peer.ssl);
    SSL_CTX_free(x);
}

static void foreign_fini(void)
{
    SSL_free(peer.ssl);
    close(peer.fd);
}

static void a_handshake_byte_by_byte_succeeds(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct both *t = *state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct tls_info info;
        foreign_init(t, versions[i], NULL);
        kit_run_busy(&t->k, step_foreign);
        assert_true(sv_eq(buf_sv(&t->s.in), SV("drop by drop")));
        assert_true(tls_info(t->s.c, &info));
        assert_int_equal(info.alpn.n, 0);
        assert_int_equal(info.sni.n, 0);
        conn_close(t->s.c);
        kit_run_busy(&t->k, until_server_closed);
        t->s.closed = 0;
        buf_clear(&t->s.in);
        foreign_fini();
    }
}

static void old_versions_are_refused(void **state)
{
    struct both *t = *state;
    foreign_init(t, TLS1_1_VERSION, NULL);
    kit_run_busy(&t->k, step_foreign);
    assert_int_equal(t->s.closed, 1);
    assert_int_equal(t->s.err, ERR_TLS);
    foreign_fini();
}

static void no_common_alpn_is_refused(void **state)
{
    struct both *t = *state;
    foreign_init(t, TLS1_3_VERSION,
                 "\x04"
                 "spdy");
    kit_run_busy(&t->k, step_foreign);
    assert_int_equal(t->s.closed, 1);
    assert_int_equal(t->s.err, ERR_TLS);
    foreign_fini();
}

/* --- certificates of clients ----------------------------------------------- */

enum shown { SHOWS_NONE, SHOWS_ISSUED, SHOWS_OTHER };

/* Handshake of a client that shows this; *digest: what the server noted. */
static bool show(struct both *t, int version, enum shown what,
                 uint8_t digest[TLS_CERT_DIGEST_BYTES])
{
    foreign_init(t, version, NULL);
    const struct issued *i = what == SHOWS_ISSUED ? &other : &stray;
    if (what != SHOWS_NONE) {
        SSL_use_certificate(peer.ssl, i->cert);
        SSL_use_PrivateKey(peer.ssl, i->key);
    }
    kit_run_busy(&t->k, step_foreign);
    bool noted = !t->s.closed && tls_client_cert(t->s.c, digest);
    bool passed = t->s.in.n == 12;
    if (!t->s.closed) {
        conn_close(t->s.c);
        kit_run_busy(&t->k, until_server_closed);
    }
    t->s.closed = 0;
    buf_clear(&t->s.in);
    foreign_fini();
    assert_true(passed || !noted);
    return passed && (noted == (what != SHOWS_NONE));
}

static void digest_of(const struct issued *i, uint8_t out[])
{
    unsigned n;
    assert_int_equal(X509_digest(i->cert, EVP_sha256(), out, &n), 1);
}

static void a_clients_certificate_counts_for_its_digest(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct both *t = *state;
    uint8_t digest[TLS_CERT_DIGEST_BYTES], expected[TLS_CERT_DIGEST_BYTES];
    char problem[256];
    assert_int_equal(tls_server_ask(t->server, NULL, problem), 0);
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        assert_true(show(t, versions[i], SHOWS_NONE, digest));
        assert_true(show(t, versions[i], SHOWS_ISSUED, digest));
        digest_of(&other, expected);
        assert_memory_equal(digest, expected, sizeof digest);
        assert_true(show(t, versions[i], SHOWS_OTHER, digest));
        digest_of(&stray, expected);
        assert_memory_equal(digest, expected, sizeof digest);
    }
}

static void authorities_bound_which_certificates_may_be_shown(void **state)
{
    struct both *t = *state;
    uint8_t digest[TLS_CERT_DIGEST_BYTES];
    char problem[256];
    assert_int_equal(tls_server_ask(t->server, "/nowhere", problem),
                     ERR_INVALID);
    assert_non_null(strstr(problem, "/nowhere"));
    assert_int_equal(tls_server_ask(t->server, ca.cert_file, problem), 0);
    assert_true(show(t, TLS1_2_VERSION, SHOWS_NONE, digest));
    assert_true(show(t, TLS1_2_VERSION, SHOWS_ISSUED, digest));
    assert_false(show(t, TLS1_2_VERSION, SHOWS_OTHER, digest));
    assert_true(show(t, TLS1_3_VERSION, SHOWS_ISSUED, digest));
    assert_false(show(t, TLS1_3_VERSION, SHOWS_OTHER, digest));
}

static void who_is_not_asked_shows_none(void **state)
{
    struct both *t = *state;
    uint8_t digest[TLS_CERT_DIGEST_BYTES];
    assert_false(show(t, TLS1_3_VERSION, SHOWS_ISSUED, digest));
    assert_true(show(t, TLS1_3_VERSION, SHOWS_NONE, digest));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(plain_bytes_go_through_and_facts_are_known),
        T(output_queued_before_the_handshake_follows_it),
        T(a_long_stream_arrives_whole_under_odd_reading),
        T(finish_says_close_notify_which_the_peer_hears_as_eof),
        T(an_end_without_close_notify_is_no_eof),
        cmocka_unit_test(the_certificate_follows_the_name),
        T(an_unknown_authority_is_refused_unless_told_otherwise),
        cmocka_unit_test(bad_certificate_files_are_named),
        T(the_end_of_the_certificates_is_known),
        T(plain_http_to_a_tls_port_is_a_tls_failure),
        T(a_peer_that_leaves_in_the_handshake_closes),
        T(a_handshake_byte_by_byte_succeeds),
        T(old_versions_are_refused),
        T(no_common_alpn_is_refused),
        T(a_clients_certificate_counts_for_its_digest),
        T(authorities_bound_which_certificates_may_be_shown),
        T(who_is_not_asked_shows_none),
    };
    return cmocka_run_group_tests_name("net/tls", tests, make_certs,
                                       remove_certs);
}
