/* What one request costs in user code, station by station, on one thread:
 *
 *   micro_check [tokens] [log file]
 *
 * Nanoseconds, best of nine rounds. "hot" asks for the same token again and
 * again, "spread" for 100,000 in turn. Not a test: figures drift by a third
 * between runs; docs/performance.md has the ones that count. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/hash.h"
#include "base/mem.h"
#include "check/exchange.h"
#include "codec/base62.h"
#include "codec/digest.h"
#include "codec/http1.h"
#include "journal/journal.h"

enum { ROUNDS = 9, N = 200000, SECRET_BYTES = 49 };

static struct plan *plan;
static struct check_env env;
static uint32_t tokens_n = 100000;
static char (*secrets)[SECRET_BYTES];
static struct http_head head;

static void best(const char *what, void (*run)(uint32_t n))
{
    uint64_t least = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        run(N);
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    printf("%-44s %7.1f ns\n", what, (double)least / N);
}

/* --- stations -------------------------------------------------------------- */

static void match_exact(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ENSURE(plan_match(plan, SV("app17.Example.com:8080")));
}

static void match_wildcard(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ENSURE(plan_match(plan, SV("tenant.wild.example.com")));
}

static void match_unknown(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ENSURE(!plan_match(plan, SV("nobody.example.org")));
}

static void digest_only(uint32_t n)
{
    uint8_t out[SHA256_BYTES];
    for (uint32_t i = 0; i < n; i++)
        sha256(sv_of(secrets[0], SECRET_BYTES - 1), out);
}

static void chain_of(uint32_t token, enum door door)
{
    static _Alignas(16) char first[1024];
    struct arena a;
    struct exchange x = { .env = &env,
                          .door = door,
                          .arena = &a,
                          .head = &head,
                          .cost = 1,
                          .has_client = true };
    arena_init(&a, 0, first, sizeof first);
    x.plan = plan_match(plan, SV("app1.example.com"));
    x.credential = sv_of(secrets[token], SECRET_BYTES - 1);
    if (chain_run(&x) != VERDICT_PASS || !x.taken) {
        fprintf(stderr, "%s\n", reason_rows[x.reason].code);
        exit(1);
    }
}

static void chain_proxy_hot(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) chain_of(0, DOOR_PROXY);
}

static void chain_verify_hot(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) chain_of(0, DOOR_VERIFY);
}

static void chain_verify_spread(uint32_t n)
{
    static uint32_t at;
    for (uint32_t i = 0; i < n; i++) {
        at = (at + 7919) % tokens_n;
        chain_of(at, DOOR_VERIFY);
    }
}

static struct journal *journal;

static void events(uint32_t n)
{
    uint8_t id[16] = { 1, 2, 3 };
    struct event e = {
        .wall_ms = 1732392665123,
        .outcome = OUTCOME_PASSED,
        .code = "",
        .request_id = SV("01JDCW3T5Q8ZB4R9N6M0X7K2VE"),
        .method = SV("GET"),
        .host = SV("api.example.com"),
        .path = SV("/v1/users/42"),
        .token_id = id,
        .status = 200,
        .app_id = SV("app_01JD0000000000000000000001"),
        .bytes_in = 231,
        .bytes_out = 1480,
        .total_us = 812,
        .origin_us = 640,
        .http_minor = 1,
    };
    e.client.b[10] = e.client.b[11] = 0xff;
    for (uint32_t i = 0; i < n; i++) {
        e.total_us = 500 + i % 1000;
        journal_event(journal, 0, &e);
    }
}

static void clocks(uint32_t n)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += clock_wall_ms() + clock_node_ms();
    ENSURE(sum != 0);
}

/* Faster than life: the highest limit, a million a second, would be reached. */
static int64_t quick_node_ms(void)
{
    return clock_node_ms() * 8;
}

/* --- the world ------------------------------------------------------------- */

static void publish(uint32_t num, const char *domain)
{
    char app[512], auth[512];
    int n = snprintf(app, sizeof app,
                     "{\"id\":\"app_01JD%022u\",\"account_id\":"
                     "\"acc_01JD0000000000000000000000\",\"name\":\"a\","
                     "\"domain\":\"%s\",\"originHostname\":\"10.0.0.1:80\","
                     "\"auth_id\":\"auth_01JD0000000000000000000000\"}",
                     num, domain);
    int m = snprintf(auth, sizeof auth,
                     "{\"id\":\"auth_01JD0000000000000000000000\","
                     "\"account_id\":\"acc_01JD0000000000000000000000\","
                     "\"name\":\"p\",\"keyType\":\"token\",\"ratelimit\":"
                     "{\"limit\":1000000,\"timeWindow\":1},\"remaining\":"
                     "9000000000000}");
    const struct plan_source src = { .application = { app, (size_t)n },
                                     .authentication = { auth, (size_t)m },
                                     .num = num };
    struct plan_app *a;
    struct plan_problem why;
    if (plan_build(plan, &src, &a, &why)) {
        fprintf(stderr, "%s: %s\n", why.field, why.message);
        exit(1);
    }
    plan_publish(plan, a);
}

static void token_make(uint32_t i)
{
    char *s = secrets[i];
    snprintf(s, SECRET_BYTES, "%042u", i);
    base62_encode_u32(s + SECRET_BYTES - 1 - BASE62_U32_TEXT,
                      crc32_ieee(0, s, SECRET_BYTES - 1 - BASE62_U32_TEXT));
    struct token_record r = { .slot = tokens_slot_take(env.tokens),
                              .app = 1,
                              .state = TOKEN_ENABLED };
    uint32_t tag = i, big_endian = __builtin_bswap32(i);
    memcpy(r.id + 12, &big_endian, sizeof big_endian);
    sha256(sv_of(s, SECRET_BYTES - 1), r.digest);
    ENSURE(tokens_put(env.tokens, &r) == 0);
    ENSURE(counters_slot_init(env.counters, r.slot, tag) == 0);
}

static void request_make(void)
{
    static char text[512];
    int n = snprintf(text, sizeof text,
                     "GET /v1/users/42 HTTP/1.1\r\nHost: app1.example.com\r\n"
                     "User-Agent: bench\r\nAccept: */*\r\n"
                     "Authorization: Bearer %s\r\n\r\n",
                     secrets[0]);
    const struct http1_limits limits = { 16384, 8192, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    ENSURE(http1_request_scan(sv_of(text, (size_t)n), &searched, &limits, &head,
                              &why) > 0);
}

static void world_open(void)
{
    static char dir[] = "/tmp/typeauth-micro-XXXXXX";
    char problem[256];
    clock_node_start(0);
    ENSURE(mkdtemp(dir));
    const struct counters_conf counters = { .dir = dir };
    if (counters_open(&env.counters, &counters, problem)) {
        fprintf(stderr, "%s\n", problem);
        exit(1);
    }
    const struct tokens_conf tokens = { .max = 1u << 24,
                                        .counters = env.counters };
    ENSURE(tokens_new(&env.tokens, &tokens) == 0);
    ENSURE(plan_new(&plan, 1) == 0);
    env.plan = plan;
    env.wall_ms = clock_wall_ms;
    env.node_ms = quick_node_ms;
    for (uint32_t i = 1; i <= 1000; i++) {
        char domain[64];
        snprintf(domain, sizeof domain, "app%u.example.com", i);
        publish(i, domain);
    }
    publish(1001, "*.wild.example.com");
    secrets = mem_alloc((size_t)tokens_n * SECRET_BYTES);
    for (uint32_t i = 0; i < tokens_n; i++) token_make(i);
    request_make();
    char remove[64];
    snprintf(remove, sizeof remove, "rm -rf %s", dir); /* stays mapped */
    ENSURE(system(remove) == 0);
}

static void journal_bench(const char *what, int fd)
{
    const struct journal_conf conf = { .reactors = 1,
                                       .access_fd = fd,
                                       .sample = 1 };
    ENSURE(journal_new(&journal, &conf) == 0);
    best(what, events);
    journal_free(&journal);
}

int main(int argc, char **argv)
{
    const char *file = argc > 2 ? argv[2] : "/tmp/typeauth-micro.log";
    if (argc > 1) tokens_n = (uint32_t)atoi(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    world_open();
    struct epoch_reader reader;
    epoch_join(&reader);
    epoch_wake(&reader);
    best("match, exact among 1,000", match_exact);
    best("match, wildcard", match_wildcard);
    best("match, unknown", match_unknown);
    best("two clocks", clocks);
    best("digest of 48 bytes", digest_only);
    best("match + chain, proxy, hot token", chain_proxy_hot);
    best("match + chain, verify, hot token", chain_verify_hot);
    best("match + chain, verify, spread", chain_verify_spread);
    journal_bench("event, no access log", -1);
    journal_bench("event + line, /dev/null", open("/dev/null", O_WRONLY));
    journal_bench("event + line, file",
                  open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600));
    unlink(file);
    epoch_sleep(&reader);
    epoch_leave(&reader);
    return 0;
}
