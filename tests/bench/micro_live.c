/* What a look-up and a take cost, and what a token weighs (hot-path §1.2, §2.3).
 *   micro_live [tokens] [folder]
 * One line a figure. "serialised": a fence between requests, so that nothing
 * overlaps: the pessimistic case. Best of five, processor time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/rand.h"
#include "live/counter.h"
#include "live/token.h"

enum { ROUNDS = 1 << 20, HOT_ROUNDS = 1 << 21, REPEATS = 5 };

static struct tokens *tokens;
static struct counters *counters;
static uint32_t total = 1000000;
static const struct limit limits[] = { { .limit = 1000000, .window_s = 60 },
                                       { .limit = 1000000, .window_s = 3600 } };

static void digest_of(uint64_t n, uint8_t out[32])
{
    struct rand_fast r = { n << 20 };
    uint64_t w[4] = { rand_fast_next(&r), rand_fast_next(&r) };
    memcpy(out, w, 32);
}

static void serialise(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
#endif
}

static struct take_ask ask_of(uint32_t slot, uint32_t tag, int64_t now_ms)
{
    return (struct take_ask){
        .slot = slot,
        .tag = tag,
        .quota_slot = UINT32_MAX,
        .now_ms = now_ms,
        .cost = 1,
        .terms = { .limits = limits,
                   .limits_n = 1,
                   .has_quota = true,
                   .quota = (int64_t)1 << 40 },
    };
}

/* Processor time of this thread: others on the machine matter less. */
static double since_s(uint64_t begin_ns)
{
    return (double)(clock_thread_cpu_ns() - begin_ns) / 1e9;
}

static void say(const char *what, double value, const char *unit)
{
    printf("%-44s %10.1f %s\n", what, value, unit);
}

static void build(void)
{
    struct tokens_stats s;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    uint64_t begin = clock_thread_cpu_ns();
    for (uint32_t i = 0; i < total; i++) {
        struct token_record r = { .slot = i, .app = 1, .state = TOKEN_ENABLED };
        memcpy(r.id + 12, &(uint32_t){ __builtin_bswap32(i) }, 4);
        digest_of(i, r.digest);
        ENSURE(tokens_load(tokens, &r) == 0);
    }
    double table_s = since_s(begin);
    begin = clock_thread_cpu_ns();
    for (uint32_t i = 0; i < total; i++)
        ENSURE(counters_slot_init(counters, i, i) == 0);
    double lines_s = since_s(begin);
    getrusage(RUSAGE_SELF, &after);
    tokens_stats(tokens, &s);
    say("build of records and index", table_s * 1e3, "ms");
    say("first touch of all counter lines", lines_s * 1e3, "ms");
    say("index, bytes a token", (double)s.index_bytes / total, "B");
    say("record + index + line, bytes a token",
        (double)(s.record_bytes + s.index_bytes) / total + 64, "B");
    say("resident, bytes a token",
        (double)(after.ru_maxrss - before.ru_maxrss) * 1024 / total, "B");
}

static double look_ups(uint64_t from, bool fence, bool take)
{
    struct rand_fast rnd = { 7 };
    uint64_t found = 0, begin = clock_thread_cpu_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct token_view v;
        uint8_t digest[32];
        digest_of(from + rand_fast_next(&rnd) % total, digest);
        if (fence) serialise();
        if (!tokens_find(tokens, 1, digest, 0, &v)) continue;
        found++;
        if (!take) continue;
        struct take_answer a;
        struct take_ask ask = ask_of(v.slot, v.tag, 1000000000 + i / 1000);
        ENSURE(counters_take(counters, &ask, &a) == TAKE_TAKEN);
    }
    ENSURE(found == (from ? 0 : ROUNDS));
    return since_s(begin) * 1e9 / ROUNDS;
}

struct hot {
    uint32_t slot, limits;
    uint64_t waits;
};

static void *hot_main(void *arg)
{
    struct hot *h = arg;
    struct take_answer a;
    struct take_ask ask = ask_of(h->slot, h->slot, 0);
    ask.terms.limits_n = (uint8_t)h->limits;
    for (uint32_t i = 0; i < HOT_ROUNDS; i++) {
        ask.now_ms = 2000000000 + i / 50;
        h->waits += counters_take(counters, &ask, &a) == TAKE_WAIT;
    }
    return NULL;
}

static double hot(uint32_t other_slot, uint32_t limits_n)
{
    pthread_t other;
    struct hot a = { 0, limits_n, 0 }, b = { other_slot, limits_n, 0 };
    bool two = other_slot != UINT32_MAX;
    uint64_t begin = clock_thread_cpu_ns();
    if (two) pthread_create(&other, NULL, hot_main, &b);
    hot_main(&a);
    double ns = since_s(begin) * 1e9 / HOT_ROUNDS;
    if (two) pthread_join(other, NULL);
    return ns;
}

static void best_look_up(const char *what, uint64_t from, bool fence, bool take)
{
    double best = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        double ns = look_ups(from, fence, take);
        if (ns < best) best = ns;
    }
    say(what, best, "ns");
}

static void best_hot(const char *what, uint32_t other_slot, uint32_t limits_n)
{
    double best = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        double ns = hot(other_slot, limits_n);
        if (ns < best) best = ns;
    }
    say(what, best, "ns");
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/micro-live-XXXXXX", problem[256], command[300];
    const char *dir = argc > 2 ? argv[2] : mkdtemp(made);
    if (argc > 1) total = (uint32_t)atoi(argv[1]);
    struct counters_conf conf = { .dir = dir, .durable = true };
    if (counters_open(&counters, &conf, problem) != 0) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    struct tokens_conf tokens_conf = { .counters = counters };
    ENSURE(tokens_new(&tokens, &tokens_conf) == 0);
    build();
    ENSURE(counters_reserve_limits(counters, 2) == 0);
    best_look_up("look-up, overlapping", 0, false, false);
    best_look_up("look-up, serialised", 0, true, false);
    best_look_up("unknown key, serialised", 1u << 31, true, false);
    best_look_up("look-up + take, overlapping", 0, false, true);
    best_look_up("look-up + take, serialised", 0, true, true);
    best_hot("take, one thread", UINT32_MAX, 1);
    best_hot("take with two limits, one thread", UINT32_MAX, 2);
    best_hot("take with quota only, one thread", UINT32_MAX, 0);
    best_hot("take, two threads, two tokens, each", 100, 1);
    best_hot("take, two threads, one token, each", 0, 1);
    uint64_t begin = clock_thread_cpu_ns();
    tokens_free(&tokens);
    counters_close(&counters);
    say("close (checkpoint)", since_s(begin) * 1e3, "ms");
    snprintf(command, sizeof command, "rm -rf '%s'", made);
    if (dir == made && system(command) != 0) return 1;
    return 0;
}
