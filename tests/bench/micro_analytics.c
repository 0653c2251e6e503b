/* What analytics cost: an event on its reactor, an event in the background, a
 * reading of the time-stamp counter; and 30 days of a million tokens: memory,
 * disk, the time of questions (docs/decisions/0066).
 *   micro_analytics FOLDER [days]
 * With `days` the days are simulated, which takes some minutes and some GB. */
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

static struct figure_sample sample_of(struct rand_fast *r, uint32_t tokens)
{
    uint32_t token = (uint32_t)(rand_fast_next(r) % tokens);
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
    for (int i = 0; i < BATCH; i++) samples[i] = sample_of(&r, PUBLIC_TOKENS);
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
            samples[i] = sample_of(&r, PUBLIC_TOKENS);
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

/* --- 30 days -------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
    long pages = 0;
    FILE *s = fopen("/proc/self/statm", "r");
    ENSURE(s && fscanf(s, "%*d %ld", &pages) == 1);
    fclose(s);
    return (uint64_t)pages * 4096;
}

struct found {
    uint64_t n;
};
static void count(void *ctx, const struct figure_row *r)
{
    struct found *f = ctx;
    f->n += r->sum[FIGURE_REQUESTS];
}

static void question(struct figures *f, const char *what, int64_t step_s,
                     struct figure_key first, unsigned words)
{
    struct found n = { 0 };
    int64_t from_s = START, to_s = now_s;
    if (step_s == 60) from_s = to_s - 12 * 3600;
    uint64_t begin = clock_mono_ns();
    for (int64_t s = from_s; s < to_s; s += step_s) {
        struct figures_ask ask = { s, s + step_s < to_s ? s + step_s : to_s,
                                   first, words };
        figures_read(f, &ask, count, &n);
    }
    printf("question: %-25s %7.1f ms, %llu requests\n", what,
           (double)(clock_mono_ns() - begin) / 1e6, (unsigned long long)n.n);
}

static void days(const char *dir, unsigned n_days)
{
    enum { TOKENS = 1000000, A_MINUTE = 2000 };
    char path[4096];
    struct rand_fast r = { 9 };
    struct tokens *tokens = tokens_make(TOKENS);
    uint64_t before = resident_bytes(), most = 0, told = 0;
    snprintf(path, sizeof path, "%s/days", dir);
    struct figures *f = open_it(path, tokens);
    uint64_t begin = clock_thread_cpu_ns();
    for (unsigned minute = 0; minute < n_days * 1440; minute++) {
        figures_round(f);
        for (int i = 0; i < A_MINUTE; i++, told++) {
            struct figure_sample s = sample_of(&r, TOKENS);
            figures_add(f, 0, &s);
        }
        now_s += 60;
        figures_round(f);
        uint64_t now = resident_bytes();
        if (now > most) most = now;
    }
    struct figures_stats st;
    figures_stats(f, &st);
    printf("%u days: %llu requests of %d tokens, dropped %llu\n", n_days,
           (unsigned long long)told, TOKENS, (unsigned long long)st.dropped);
    printf("memory above the token table        %7.1f MiB\n",
           (double)(most - before) / 1048576);
    printf("disk                                %7.1f MiB, %llu files\n",
           (double)st.bytes / 1048576, (unsigned long long)st.files);
    printf("CPU                                 %7.1f ns a request\n",
           (double)(clock_thread_cpu_ns() - begin) / (double)told);
    uint8_t id[16];
    uint64_t words[2];
    token_id(4711, id);
    memcpy(words, id, sizeof words);
    const struct figure_key
        app = { { APP, FIGURE_APP, 0, 0, figure_word(FIGURE_OUTCOME, 0) } },
        token = { { APP, FIGURE_TOKEN, __builtin_bswap64(words[0]),
                    __builtin_bswap64(words[1]), 0 } },
        owner = { { ACCOUNT, FIGURE_OWNER, 0,
                    figure_text_id(SV("customer-471")), 0 } },
        tag = { { ACCOUNT, FIGURE_TAG, 0,
                  figure_text_id(SV("environment:production")), 0 } },
        list = { { APP, FIGURE_TOKEN_TOP, 0, 0, 0 } };
    const struct {
        const char *what;
        struct figure_key key;
        unsigned words;
    } all[] = { { "application", app, 4 },
                { "token", token, 4 },
                { "owner", owner, 4 },
                { "tag", tag, 4 },
                { "most used tokens", list, 2 } };
    const struct {
        const char *name;
        int64_t step_s;
    } by[] = { { "all", n_days * 86400ll },
               { "day", 86400 },
               { "hour", 3600 },
               { "minute", 60 } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < sizeof by / sizeof *by; k++) {
            char text[64];
            snprintf(text, sizeof text, "%s by %s", all[i].what, by[k].name);
            question(f, text, by[k].step_s, all[i].key, all[i].words);
        }
    figures_free(&f);
    tokens_free(&tokens);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr,
                "usage: micro_analytics FOLDER [days] (it is filled)\n");
        return 2;
    }
    if (argc == 3) {
        days(argv[1], (unsigned)atoi(argv[2]));
        return 0;
    }
    struct tokens *tokens = tokens_make(PUBLIC_TOKENS);
    reactor_side(argv[1]);
    background(argv[1], tokens);
    tokens_free(&tokens);
    return 0;
}
