/* What a JWT costs in user code, station by station, on one thread:
 *
 *   micro_jwt [distinct tokens]
 *
 * Nanoseconds, best of nine rounds. "repeated" asks for tokens that the cache
 * knows, hot and in turn; "first sight" has no cache: decoding, signature and
 * claims; in turn it has one that loses each token before it comes again. The
 * token has 8 claims, about 400 bytes. Not a test: figures drift by
 * a third between runs. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/mem.h"
#include "check/jwt.h"
#include "codec/base64url.h"
#include "codec/digest.h"

enum { ROUNDS = 9, TOKEN_MAX = 1200, LANES = 3, LINE = 64 };

static struct plan *plan;
static struct check_env env;
static char (*tokens)[TOKEN_MAX];
static uint32_t tokens_n = 20000;

static const char HEADER[] = "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"k\"}";
static const char PAYLOAD[] =
    "{\"iss\":\"https://issuer.example.com/\",\"sub\":\"user-%08u\",\"aud\":"
    "[\"https://api.example.com\"],\"iat\":1700000000,\"exp\":4102444800,"
    "\"scope\":\"read write profile\",\"azp\":\"client-0123456789abcdef\","
    "\"jti\":\"0123456789abcdef0123456789abcdef\"}";

static int64_t quick_node_ms(void)
{
    return clock_node_ms() * 8;
}

static double best(void (*run)(uint32_t n), uint32_t n)
{
    uint64_t least = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        run(n);
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    return (double)least / n;
}

/* --- keys and tokens ---------------------------------------------------------- */

struct signer {
    const char *alg, *hash;
    EVP_PKEY *key; /* NULL: HMAC */
};
static const char SECRET[] = "0123456789abcdef0123456789abcdef";

static size_t b64(char *to, const void *bytes, size_t n)
{
    struct sv in = { bytes, n };
    base64url_encode(in, to);
    return base64url_encoded_chars(n);
}

/* DER of ECDSA -> r || s. */
static size_t raw_of(unsigned char *der, size_t n)
{
    unsigned char raw[64] = { 0 };
    const unsigned char *at = der + 2;
    ENSURE(n > 8);
    for (int i = 0; i < 2; i++) {
        size_t m = at[1];
        const unsigned char *p = at + 2;
        for (; m && *p == 0; m--) p++;
        memcpy(raw + 32 * (i + 1) - m, p, m);
        at = p + m;
    }
    memcpy(der, raw, sizeof raw);
    return sizeof raw;
}

static size_t sign(const struct signer *s, const char *text, size_t n,
                   unsigned char out[512])
{
    size_t m = 512;
    if (!s->key) {
        ENSURE(EVP_Q_mac(NULL, "HMAC", NULL, s->hash, NULL, SECRET, 32,
                         (const void *)text, n, out, m, &m));
        return m;
    }
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    ENSURE(EVP_DigestSignInit_ex(c, NULL, s->hash, NULL, NULL, s->key, NULL));
    ENSURE(EVP_DigestSign(c, out, &m, (const void *)text, n));
    EVP_MD_CTX_free(c);
    return s->alg[0] == 'E' ? raw_of(out, m) : m;
}

static void tokens_make(const struct signer *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char header[128], payload[512];
        unsigned char signature[512];
        char *to = tokens[i];
        int h = snprintf(header, sizeof header, HEADER, s->alg);
        int p = snprintf(payload, sizeof payload, PAYLOAD, i);
        size_t at = b64(to, header, (size_t)h);
        to[at++] = '.';
        at += b64(to + at, payload, (size_t)p);
        size_t m = sign(s, to, at, signature);
        to[at++] = '.';
        at += b64(to + at, signature, m);
        to[at] = '\0';
    }
}

static const char *jwk_of(const struct signer *s)
{
    static char text[4096];
    char part[2][1400];
    const char *names[2] = { "n", "e" };
    if (!s->key) {
        b64(part[0], SECRET, 32);
        part[0][43] = '\0';
        snprintf(text, sizeof text,
                 "{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"%s\"}", part[0]);
        return text;
    }
    bool ec = s->alg[0] == 'E';
    for (int i = 0; i < 2; i++) {
        BIGNUM *number = NULL;
        unsigned char bytes[512];
        const char *name = ec ? (i ? "qy" : "qx") : names[i];
        ENSURE(EVP_PKEY_get_bn_param(s->key, name, &number));
        int n = ec ? BN_bn2binpad(number, bytes, 32) : BN_bn2bin(number, bytes);
        part[i][b64(part[i], bytes, (size_t)n)] = '\0';
        BN_free(number);
    }
    if (ec)
        snprintf(text, sizeof text,
                 "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"x\":\"%s\","
                 "\"y\":\"%s\"}",
                 part[0], part[1]);
    else
        snprintf(text, sizeof text,
                 "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"%s\"}",
                 part[0], part[1]);
    return text;
}

/* --- the world ------------------------------------------------------------------ */

static void publish(const char *jwk, const char *auth)
{
    static const char app[] =
        "{\"id\":\"app_01JD0000000000000000000001\",\"account_id\":"
        "\"acc_01JD0000000000000000000000\",\"name\":\"a\",\"domain\":"
        "\"app1.example.com\",\"auth_id\":\"auth_01JD0000000000000000000000\"}";
    static const char jwt[] =
        "{\"id\":\"jwt_01JD0000000000000000000000\",\"account_id\":"
        "\"acc_01JD0000000000000000000000\",\"name\":\"j\",\"issuer\":"
        "\"https://issuer.example.com/\",\"audience\":"
        "\"https://api.example.com\",\"exp\":true}";
    char profile[512];
    int n = snprintf(profile, sizeof profile,
                     "{\"id\":\"auth_01JD0000000000000000000000\","
                     "\"account_id\":\"acc_01JD0000000000000000000000\","
                     "\"name\":\"p\",\"keyType\":\"jwt\"%s}",
                     auth);
    struct keyset_source keys = { KEYSET_INLINE, sv_cstr(jwk), 0, 0, 0 };
    struct plan_source src = { .application = sv_cstr(app),
                               .authentication = { profile, (size_t)n },
                               .jwt = sv_cstr(jwt),
                               .keysets_n = 1,
                               .num = 1,
                               .quota_slot = UINT32_MAX };
    struct jwk_why bad;
    struct plan_problem why;
    struct plan_app *a;
    ENSURE(keysets_hold(env.keysets, &keys, &src.keysets[0], &bad) == 0);
    if (plan_build(plan, &src, &a, &why)) {
        fprintf(stderr, "%s: %s\n", why.field, why.message);
        exit(1);
    }
    plan_publish(plan, a);
    ENSURE(subjects_reserve(env.subjects) == 0);
}

static void world_open(void)
{
    static char dir[] = "/dev/shm/typeauth-micro-XXXXXX";
    char problem[256], remove[64];
    clock_node_start(0);
    ENSURE(mkdtemp(dir));
    struct counters_conf counters = { .dir = dir };
    ENSURE(counters_open(&env.counters, &counters, problem) == 0);
    struct tokens_conf table = { .max = 1u << 24, .counters = env.counters };
    ENSURE(tokens_new(&env.tokens, &table) == 0);
    struct subjects_conf subjects = { dir, 1 << 18, env.counters, env.tokens };
    ENSURE(subjects_open(&env.subjects, &subjects, problem) == 0);
    struct keysets_conf keys = { .lanes = LANES };
    ENSURE(keysets_new(&env.keysets, &keys) == 0);
    struct jwt_check_conf jwt = { LANES, LANES * ((size_t)64 << 20) };
    env.jwt = jwt_lanes_new(&jwt);
    ENSURE(plan_new(&plan, LANES) == 0);
    env.plan = plan;
    env.wall_ms = clock_wall_ms;
    env.node_ms = quick_node_ms;
    tokens = mem_alloc((size_t)tokens_n * TOKEN_MAX);
    snprintf(remove, sizeof remove, "rm -rf %s", dir); /* stays mapped */
    ENSURE(system(remove) == 0);
}

/* --- stations --------------------------------------------------------------------- */

static unsigned lane; /* 0 has a cache, 1 has none, 2 a small one */

static void chain_of(uint32_t i)
{
    static _Alignas(16) char first[1024];
    struct arena a;
    struct exchange x = { .env = &env,
                          .door = DOOR_VERIFY,
                          .arena = &a,
                          .reactor = lane,
                          .cost = 1,
                          .has_client = true };
    arena_init(&a, 0, first, sizeof first);
    x.plan = plan_match(plan, SV("app1.example.com"));
    x.credential = sv_cstr(tokens[i]);
    if (chain_run(&x) != VERDICT_PASS || !x.jwt) {
        fprintf(stderr, "%s\n", reason_rows[x.reason].code);
        exit(1);
    }
}

static void hot(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) chain_of(0);
}

static uint32_t spread_over;

/* A token that comes has just been read from its socket. */
static void arrive(uint32_t i)
{
    for (unsigned k = 0; k < TOKEN_MAX && tokens[i][k]; k += LINE)
        __builtin_prefetch(tokens[i] + k);
}

static void spread(uint32_t n)
{
    static uint32_t at;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t next = (at + 7919) % spread_over;
        arrive(next);
        chain_of(at % spread_over);
        at = next;
    }
}

static void digests(uint32_t n)
{
    uint8_t out[SHA256_BYTES];
    for (uint32_t i = 0; i < n; i++) sha256(sv_cstr(tokens[0]), out);
}

static void decodes(uint32_t n)
{
    static _Alignas(16) char first[65536];
    for (uint32_t i = 0; i < n; i++) {
        struct arena a;
        struct jws jws;
        const yyjson_val *claims;
        arena_init(&a, 0, first, sizeof first);
        ENSURE(jws_decode(sv_cstr(tokens[0]), &a, &jws) == JOSE_OK);
        ENSURE(claims_decode(jws.payload, &a, &claims) == JOSE_OK);
    }
}

static void of_alg(const struct signer *s, uint32_t distinct)
{
    static const char limit[] =
        ",\"ratelimit\":{\"limit\":1000000,\"timeWindow\":1}";
    tokens_make(s, distinct);
    publish(jwk_of(s), limit);
    lane = 0;
    spread_over = distinct;
    spread(2 * distinct); /* into the cache */
    printf("%-6s repeated %6.0f  in turn %6.0f  ", s->alg, best(hot, 100000),
           best(spread, 100000));
    lane = 1;
    printf("first sight %7.0f", best(hot, s->key ? 2000 : 20000));
    lane = 2;
    if (!s->key) printf("  in turn %7.0f", best(spread, distinct));
    printf(" ns\n");
}

int main(int argc, char **argv)
{
    if (argc > 1) tokens_n = (uint32_t)atoi(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    world_open();
    verified_cache_free(&env.jwt[1].cache);
    env.jwt[1].cache = verified_cache_new(0);
    verified_cache_free(&env.jwt[2].cache);
    env.jwt[2].cache = verified_cache_new((size_t)4 << 20);
    struct epoch_reader reader;
    epoch_join(&reader);
    epoch_wake(&reader);
    const struct signer hs = { "HS256", "SHA256", NULL };
    const struct signer rs = {
        "RS256", "SHA256", EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
    };
    const struct signer es = { "ES256", "SHA256",
                               EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256") };
    tokens_make(&hs, 1);
    printf("token of %zu bytes: digest %.0f, decode and claims %.0f ns\n",
           strlen(tokens[0]), best(digests, 100000), best(decodes, 100000));
    of_alg(&hs, tokens_n);
    of_alg(&rs, tokens_n > 500 ? 500 : tokens_n);
    of_alg(&es, tokens_n > 2000 ? 2000 : tokens_n);
    epoch_sleep(&reader);
    epoch_leave(&reader);
    return 0;
}
