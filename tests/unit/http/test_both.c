/* Our client against our server on one reactor, plain and over TLS: long
 * bodies both ways at once, held back by whoever is slower. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "http/client.h"
#include "http/server.h"
#include "httpkit.h"

enum { TOTAL = 6 << 20 };

static struct {
    struct kit kit;
    struct workers *workers;
    struct dns *dns;
    struct http_pool *pool;
    struct http_server *server;
    struct http_origin origin;
    struct tls_server *_Atomic tls;
    struct tls_client *trust;
    struct http_call *call;
    size_t given, back, largest;
    unsigned pauses;
    bool over, slow;
    int err;
    char problem[96];
} rig;

static char pattern[1 << 16];
static char cert_file[] = "/tmp/test-both-crt-XXXXXX";
static char key_file[] = "/tmp/test-both-key-XXXXXX";

/* --- an echo -------------------------------------------------------------- */

static void echo_request(struct http_stream *s, const struct http_head *head)
{
    struct http_reply r = { .status = 200,
                            .body = head->body,
                            .content_length = head->content_length };
    http_stream_read(s, true);
    http_stream_head(s, &r);
}

static size_t echo_body(struct http_stream *s, struct sv bytes)
{
    http_stream_body(s, bytes, http_stream_conn(s));
    if (http_stream_queued(s) > rig.largest)
        rig.largest = http_stream_queued(s);
    if (http_stream_queued(s) >= CONN_HIGH) {
        http_stream_read(s, false);
        rig.pauses++;
    }
    return bytes.n;
}

static void echo_room(struct http_stream *s)
{
    http_stream_read(s, true);
}

static void echo_end(struct http_stream *s, const struct http_head *trailers)
{
    (void)trailers;
    http_stream_end(s, NULL, 0);
}

static const struct http_service echo = {
    .on_request = echo_request,
    .on_body = echo_body,
    .on_room = echo_room,
    .on_end = echo_end,
};

/* --- who calls it --------------------------------------------------------- */

static void give(void)
{
    while (rig.given < TOTAL && http_call_queued(rig.call) < CONN_HIGH) {
        size_t n = 3000 + rig.given % 20000, at = rig.given % sizeof pattern;
        if (n > sizeof pattern - at) n = sizeof pattern - at;
        if (n > TOTAL - rig.given) n = TOTAL - rig.given;
        http_call_body(rig.call, sv_of(pattern + at, n), NULL);
        rig.given += n;
        if (rig.given == TOTAL) http_call_end(rig.call, NULL, 0);
    }
}

static void on_head(struct http_call *c, const struct http_head *head)
{
    (void)c;
    assert_int_equal(head->status, 200);
}

static size_t on_body(struct http_call *c, struct sv bytes)
{
    size_t n = rig.slow && bytes.n > 5000 ? bytes.n / 2 : bytes.n;
    (void)c;
    for (size_t i = 0; i < n; i++)
        if (bytes.p[i] != pattern[(rig.back + i) % sizeof pattern])
            fail_msg("differs at %zu", rig.back + i);
    rig.back += n;
    return n;
}

static void on_end(struct http_call *c, const struct http_head *trailers)
{
    (void)c, (void)trailers;
    rig.over = true;
}

static void on_room(struct http_call *c)
{
    (void)c;
    give();
}

static void on_fail(struct http_call *c, int err, bool sent)
{
    (void)sent;
    rig.over = true;
    rig.err = err;
    snprintf(rig.problem, sizeof rig.problem, "%s", http_call_problem(c));
}

static const struct http_call_ops ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_room = on_room,
    .on_fail = on_fail,
};

/* --- set-up --------------------------------------------------------------- */

static int make_cert(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i * 7 + i / 251);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"x", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    X509_EXTENSION *e =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    X509_sign(x, key, EVP_sha256());
    FILE *f = fdopen(mkstemp(cert_file), "w");
    PEM_write_X509(f, x);
    fclose(f);
    f = fdopen(mkstemp(key_file), "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
    return 0;
}

static int remove_cert(void **state)
{
    (void)state;
    return unlink(cert_file) | unlink(key_file);
}

static void open_rig(bool tls, bool trusted)
{
    char problem[256];
    struct tls_cert_conf cert = { cert_file, key_file, SV("") };
    struct tls_server *server = NULL;
    memset(&rig, 0, sizeof rig);
    kit_init(&rig.kit, NULL);
    assert_int_equal(workers_new(&rig.workers, 1, 8), 0);
    struct dns_conf dc = { .reactor = rig.kit.r,
                           .workers = rig.workers,
                           .fresh_ms = 1000,
                           .stale_ms = 9000,
                           .max_names = 4 };
    assert_int_equal(dns_new(&rig.dns, &dc), 0);
    if (tls) {
        assert_int_equal(tls_server_new(&server, &cert, 1, problem), 0);
        assert_int_equal(
            tls_client_new(&rig.trust, trusted ? cert_file : NULL, problem), 0);
    }
    atomic_store(&rig.tls, server);
    struct http_pool_conf pc = { .reactor = rig.kit.r,
                                 .dns = rig.dns,
                                 .tls = rig.trust };
    assert_int_equal(http_pool_new(&rig.pool, &pc), 0);
    struct addr at = kit_loopback(0);
    struct http_server_conf sc = { .service = &echo, .tls = &rig.tls };
    assert_int_equal(http_server_open(rig.kit.r, &at, -1, &sc, &rig.server), 0);
    listener_addr(http_server_listener(rig.server), &at);
    rig.origin = (struct http_origin){
        .host = SV("127.0.0.1"), .port = at.port, .tls = tls, .tls_verify = true
    };
}

static void close_rig(void)
{
    kit_stop(&rig.kit);
    dns_free(&rig.dns);
    http_pool_free(&rig.pool);
    http_server_free(&rig.server);
    workers_free(&rig.workers);
    kit_fini(&rig.kit);
    if (atomic_load(&rig.tls)) tls_server_put(atomic_load(&rig.tls));
    if (rig.trust) tls_client_free(&rig.trust);
}

static bool is_over(void *ctx)
{
    (void)ctx;
    if (!rig.over && rig.slow) http_call_read(rig.call, true);
    return rig.over;
}

static void call_echo(enum http_body body)
{
    struct http_field host[] = { { SV("Host"), SV("a"), HN_HOST } };
    struct http_request req = {
        .method = SV("POST"),
        .method_id = HTTP_POST,
        .target = SV("/"),
        .fields = host,
        .fields_n = 1,
        .body = body,
        .content_length = TOTAL,
    };
    rig.given = rig.back = 0;
    rig.over = false;
    assert_int_equal(
        http_call_start(rig.pool, &rig.origin, &req, &ops, NULL, &rig.call), 0);
    give();
    assert_true(pump(&rig.kit, is_over, NULL));
}

static void echo_in_both_framings(bool tls, bool slow)
{
    open_rig(tls, true);
    rig.slow = slow;
    call_echo(HTTP_BODY_LENGTH);
    assert_int_equal(rig.err, 0);
    assert_int_equal(rig.back, TOTAL);
    call_echo(HTTP_BODY_CHUNKED);
    assert_int_equal(rig.err, 0);
    assert_int_equal(rig.back, TOTAL);
    assert_in_range(rig.largest, 1, 2 * CONN_HIGH);
    assert_int_equal(http_pool_stats(rig.pool)->connects, 1);
    assert_in_range(reactor_stats(rig.kit.r)->blocks_used, 0, 40);
    close_rig();
}

static void long_bodies_pass_both_ways(void **state)
{
    (void)state;
    echo_in_both_framings(false, false);
}

static void long_bodies_pass_to_a_slow_reader(void **state)
{
    (void)state;
    echo_in_both_framings(false, true);
}

static void long_bodies_pass_both_ways_over_tls(void **state)
{
    (void)state;
    echo_in_both_framings(true, false);
}

static void long_bodies_pass_to_a_slow_reader_over_tls(void **state)
{
    (void)state;
    echo_in_both_framings(true, true);
}

static void an_origin_whose_certificate_is_not_trusted_is_not_called(void **st)
{
    (void)st;
    open_rig(true, false);
    struct http_request req = { .method = SV("GET"),
                                .method_id = HTTP_GET,
                                .target = SV("/") };
    assert_int_equal(
        http_call_start(rig.pool, &rig.origin, &req, &ops, NULL, &rig.call), 0);
    assert_true(pump(&rig.kit, is_over, NULL));
    assert_int_equal(rig.err, ERR_TLS);
    assert_non_null(strstr(rig.problem, "certificate"));
    close_rig();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_bodies_pass_both_ways),
        cmocka_unit_test(long_bodies_pass_to_a_slow_reader),
        cmocka_unit_test(long_bodies_pass_both_ways_over_tls),
        cmocka_unit_test(long_bodies_pass_to_a_slow_reader_over_tls),
        cmocka_unit_test(
            an_origin_whose_certificate_is_not_trusted_is_not_called),
    };
    return cmocka_run_group_tests(tests, make_cert, remove_cert);
}
