/* What analytics cost: an event on its reactor, an event in the background, a
 * reading of the time-stamp counter; and days of a million tokens: memory, disk,
 * the time of questions (docs/decisions/0066, 0076).
 *   micro_analytics FOLDER [DAYS]
 * With DAYS these are simulated; 30 take a quarter of an hour and 4 GiB. How
 * they are used:
 *
 *   1,000,000 tokens of one application, 100,000 owners with ten each, two tags
 *   each token once a day, in the order of a permutation that is another one
 *   each day, and 1,880,000 requests of tokens at random: 2,880,000 a day,
 *   2,000 a minute, on three routes, one of 500 refused, 0.4 to 0.8 ms each
 *
 * Even use is the hardest: a token that is used much in few hours has fewer
 * rows. Exits with 1 when a bound is not kept: 64 MiB above the token table,
 * 4 GiB, no detail dropped of any hour, 100 ms for the slowest question. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/ticks.h"
#include "journal/figures.h"
#include "journal/totals.h"
#include "live/token.h"

enum {
    APP = 11,
    ACCOUNT = 99,
    START = 1764288000,
    PUBLIC_TOKENS = 100000,
    RATE = 60000
};

static int64_t now_s = START;
static int64_t wall_ms(void)
{
    return now_s * 1000;
}

static void token_id(uint32_t n, uint8_t out[16])
{
    struct rand_fast r = { n };
    uint64_t words[2] = { rand_fast_next(&r), rand_fast_next(&r) };
    memcpy(out, words, 16);
    out[0] = 1;
}

/* As many with owners (one of ten) and a tag. */
static struct tokens *tokens_make(uint32_t n)
{
    static const struct sv tags[] = { { "environment:production", 22 },
                                      { "environment:staging", 19 } };
    struct tokens *t;
    struct tokens_conf conf = { .max = n + 1024 };
    ENSURE(tokens_new(&t, &conf) == 0);
    for (uint32_t i = 0; i < n; i++) {
        char owner[32];
        struct token_record r = { .slot = i, .app = 1, .state = TOKEN_ENABLED };
        token_id(i, r.id);
        memcpy(r.digest, r.id, 16);
        r.owner = sv_of(owner, (size_t)snprintf(owner, sizeof owner,
                                                "customer-%u", i / 10));
        r.tags = &tags[i % 2];
        r.tags_n = 1;
        ENSURE(tokens_load(t, &r) == 0);
    }
    return t;
}

static struct figure_sample sample_of(struct rand_fast *r, uint32_t token)
{
    uint64_t dice = rand_fast_next(r);
    struct figure_sample s = { .app = APP,
                               .account = ACCOUNT,
                               .bytes_in = 300,
                               .bytes_out = 1500,
                               .at_s = (uint32_t)now_s,
                               .total_us = (uint32_t)(400 + dice % 400),
                               .token_slot = token,
                               .cost = 1,
                               .route = token % 3,
                               .status = (dice >> 40) % 500 ? 200 : 429 };
    s.outcome = s.status == 200 ? 0 : 3;
    token_id(token, s.token);
    return s;
}

static uint32_t any_of(struct rand_fast *r, uint32_t tokens)
{
    return (uint32_t)(rand_fast_next(r) % tokens);
}

static struct figures *open_it(const char *dir, const struct tokens *tokens)
{
    struct figures *f;
    const struct figures_conf conf = { .dir = dir,
                                       .lanes = 1,
                                       .tokens = tokens,
                                       .bytes_max = (uint64_t)4 << 30,
                                       .days = 30,
                                       .wall_ms = wall_ms };
    figures_new(&f, &conf);
    return f;
}

/* --- an event ------------------------------------------------------------- */

static void reactor_side(const char *dir)
{
    enum { BATCH = 4096, BATCHES = 400 };
    static struct figure_sample samples[BATCH];
    char path[4096], problem[256];
    struct totals *t;
    const struct ulid app = { { 1 } };
    struct rand_fast r = { 7 };
    snprintf(path, sizeof path, "%s/totals", dir);
    ENSURE(totals_open(&t, path, 1, problem) == 0);
    ENSURE(totals_reserve(t, 1, &app) == 0);
    snprintf(path, sizeof path, "%s/reactor", dir);
    struct figures *f = open_it(path, NULL);
    for (int i = 0; i < BATCH; i++)
        samples[i] = sample_of(&r, any_of(&r, PUBLIC_TOKENS));
    double best[2] = { 1e9, 1e9 };
    for (int b = 0; b < BATCHES; b++) {
        uint64_t begin = clock_thread_cpu_ns();
        for (int i = 0; i < BATCH; i++) {
            const struct totals_event e = { .num = 1,
                                            .bytes_in = samples[i].bytes_in,
                                            .bytes_out = samples[i].bytes_out,
                                            .cost = 1 };
            totals_add(t, 0, &e);
        }
        double ns = (double)(clock_thread_cpu_ns() - begin) / BATCH;
        if (ns < best[0]) best[0] = ns;
        begin = clock_thread_cpu_ns();
        for (int i = 0; i < BATCH; i++) figures_add(f, 0, &samples[i]);
        ns = (double)(clock_thread_cpu_ns() - begin) / BATCH;
        if (ns < best[1]) best[1] = ns;
        figures_round(f);
    }
    printf("reactor: totals                     %7.1f ns\n", best[0]);
    printf("reactor: sample                     %7.1f ns\n", best[1]);
    figures_free(&f);
    totals_close(&t);
    uint64_t begin = clock_thread_cpu_ns(), sum = 0;
    for (int i = 0; i < 1000000; i++) sum += ticks_now();
    printf("reactor: time of a check            %7.1f ns%s\n",
           (double)(clock_thread_cpu_ns() - begin) / 1e6, sum ? "" : " ");
}

/* A minute of RATE requests a second: taking, and writing when it is over. */
static void background(const char *dir, const struct tokens *tokens)
{
    char path[4096];
    struct rand_fast r = { 7 };
    static struct figure_sample samples[RATE / 10];
    snprintf(path, sizeof path, "%s/background", dir);
    struct figures *f = open_it(path, tokens);
    uint64_t taken = 0, begin;
    figures_round(f);
    for (int tenth = 0; tenth < 600; tenth++) {
        for (int i = 0; i < RATE / 10; i++)
            samples[i] = sample_of(&r, any_of(&r, PUBLIC_TOKENS));
        for (int i = 0; i < RATE / 10; i++) figures_add(f, 0, &samples[i]);
        begin = clock_thread_cpu_ns();
        figures_round(f);
        taken += clock_thread_cpu_ns() - begin;
    }
    now_s += 60;
    begin = clock_thread_cpu_ns();
    figures_round(f);
    double all = RATE * 60.0;
    uint64_t closed = clock_thread_cpu_ns() - begin;
    struct figures_stats st;
    figures_stats(f, &st);
    ENSURE(!st.dropped && !st.lost);
    printf("background: taking                  %7.1f ns\n",
           (double)taken / all);
    printf("background: the minute's end        %7.1f ns (%.0f ms)\n",
           (double)closed / all, (double)closed / 1e6);
    printf("background: memory                  %7.1f MiB\n",
           (double)st.memory / 1048576);
    figures_free(&f);
}

/* --- days ----------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
    long pages = 0;
    FILE *s = fopen("/proc/self/statm", "r");
    ENSURE(s && fscanf(s, "%*d %ld", &pages) == 1);
    fclose(s);
    return (uint64_t)pages * 4096;
}

enum { TOKENS = 1000000, A_MINUTE = 2000, A_DAY = 1440 * A_MINUTE };
static const uint64_t memory_most = (uint64_t)64 << 20,
                      disk_most = (uint64_t)4 << 30;
static const double question_most_ms = 100;

/* The n-th request of a day: see above. */
static uint32_t token_of(struct rand_fast *r, unsigned day, uint32_t n)
{
    uint64_t step = 700001 + 20 * day; /* coprime to the tokens */
    uint64_t visits = (uint64_t)n * TOKENS / A_DAY;
    bool is_visit = (uint64_t)(n + 1) * TOKENS / A_DAY > visits;
    return is_visit ? (uint32_t)(visits * step % TOKENS) : any_of(r, TOKENS);
}

struct peak {
    uint64_t memory, disk;
};

static struct peak simulate(struct figures *f, unsigned n_days)
{
    struct rand_fast r = { 9 };
    struct peak most = { 0 };
    struct figures_stats st;
    for (unsigned minute = 0; minute < n_days * 1440; minute++) {
        unsigned day = minute / 1440;
        figures_round(f);
        for (uint32_t i = 0; i < A_MINUTE; i++) {
            uint32_t n = minute % 1440 * A_MINUTE + i;
            struct figure_sample s = sample_of(&r, token_of(&r, day, n));
            figures_add(f, 0, &s);
        }
        now_s += 60;
        figures_round(f);
        uint64_t now = resident_bytes();
        if (now > most.memory) most.memory = now;
        figures_stats(f, &st);
        if (st.bytes > most.disk) most.disk = st.bytes;
    }
    return most;
}

struct found {
    uint64_t n;
};
static void count(void *ctx, const struct figure_row *r)
{
    struct found *f = ctx;
    if (figure_key_dim(&r->key) != FIGURE_NAME) f->n += r->sum[FIGURE_REQUESTS];
}

struct question {
    const char *what;
    struct figure_key key;
    unsigned words;
};
struct pace {
    const char *name;
    int64_t step_s, most_s; /* most_s: docs/analytics.md, Figures */
};

/* Best of three, in milliseconds; false: some of it is gone. */
static bool ask(struct figures *f, const struct question *q,
                const struct pace *by, double *ms, uint64_t *found)
{
    int64_t from_s = now_s - START > by->most_s ? now_s - by->most_s : START;
    bool whole = true;
    *ms = 1e9;
    for (int round = 0; round < 3; round++) {
        struct found n = { 0 };
        uint64_t begin = clock_mono_ns();
        for (int64_t s = from_s; s < now_s; s += by->step_s) {
            int64_t to_s = s + by->step_s < now_s ? s + by->step_s : now_s;
            struct figures_ask one = { s, to_s, q->key, q->words };
            if (!figures_read(f, &one, count, &n)) whole = false;
        }
        double took = (double)(clock_mono_ns() - begin) / 1e6;
        if (took < *ms) *ms = took;
        *found = n.n;
    }
    return whole;
}

/* The time of the slowest; *whole: no detail is gone. */
static double questions(struct figures *f, bool *whole)
{
    uint8_t id[16];
    uint64_t words[2];
    token_id(4711, id);
    memcpy(words, id, sizeof words);
    const struct question all[] = {
        { "application",
          { { APP, FIGURE_APP, 0, 0, figure_word(FIGURE_OUTCOME, 0) } },
          4 },
        { "token",
          { { APP, FIGURE_TOKEN, __builtin_bswap64(words[0]),
              __builtin_bswap64(words[1]), 0 } },
          4 },
        { "owner",
          { { ACCOUNT, FIGURE_OWNER, 0, figure_text_id(SV("customer-471")),
              0 } },
          4 },
        { "tag",
          { { ACCOUNT, FIGURE_TAG, 0,
              figure_text_id(SV("environment:production")), 0 } },
          4 },
        { "most used tokens", { { APP, FIGURE_TOKEN_TOP, 0, 0, 0 } }, 2 },
        { "most used owners", { { ACCOUNT, FIGURE_OWNER_TOP, 0, 0, 0 } }, 2 },
        { "most used tags", { { ACCOUNT, FIGURE_TAG_TOP, 0, 0, 0 } }, 2 },
    };
    const struct pace by[] = { { "all", 400 * 86400ll, 400 * 86400ll },
                               { "day", 86400, 400 * 86400ll },
                               { "hour", 3600, 31 * 86400ll },
                               { "minute", 60, 12 * 3600 } };
    double slowest = 0, ms;
    uint64_t n;
    *whole = true;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < sizeof by / sizeof *by; k++) {
            bool there = ask(f, &all[i], &by[k], &ms, &n);
            printf("question: %-16s by %-6s     %7.1f ms, %llu requests%s\n",
                   all[i].what, by[k].name, ms, (unsigned long long)n,
                   there ? "" : ", incomplete");
            if (ms > slowest) slowest = ms;
            /* details of minutes may go when there is want of room */
            if (k < 3) *whole = *whole && there;
        }
    return slowest;
}

/* False: a bound is not kept. */
static bool days(const char *dir, unsigned n_days)
{
    char path[4096];
    bool whole;
    struct tokens *tokens = tokens_make(TOKENS);
    uint64_t before = resident_bytes(), begin = clock_thread_cpu_ns();
    snprintf(path, sizeof path, "%s/days", dir);
    struct figures *f = open_it(path, tokens);
    struct peak most = simulate(f, n_days);
    most.memory -= before;
    double told = (double)n_days * A_DAY;
    struct figures_stats st;
    figures_stats(f, &st);
    printf("%u days: %.0f requests of %d tokens, dropped %llu\n", n_days, told,
           TOKENS, (unsigned long long)st.dropped);
    printf("memory above the token table        %7.1f MiB\n",
           (double)most.memory / 1048576);
    printf("disk                                %7.1f MiB, %llu files\n",
           (double)most.disk / 1048576, (unsigned long long)st.files);
    printf("CPU                                 %7.1f ns a request\n",
           (double)(clock_thread_cpu_ns() - begin) / told);
    double slowest = questions(f, &whole);
    printf("slowest question                    %7.1f ms\n", slowest);
    printf("each hour's details are there:      %s\n", whole ? "yes" : "no");
    figures_free(&f);
    tokens_free(&tokens);
    return most.memory <= memory_most && most.disk <= disk_most &&
           !st.dropped && !st.lost && whole && slowest <= question_most_ms;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr,
                "usage: micro_analytics FOLDER [DAYS] (it is filled)\n");
        return 2;
    }
    if (argc == 3) return days(argv[1], (unsigned)atoi(argv[2])) ? 0 : 1;
    struct tokens *tokens = tokens_make(PUBLIC_TOKENS);
    reactor_side(argv[1]);
    background(argv[1], tokens);
    tokens_free(&tokens);
    return 0;
}
