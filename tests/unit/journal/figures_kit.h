/* Analytics over a directory and a clock of a test's own. */
#ifndef JOURNAL_FIGURES_KIT_H
#define JOURNAL_FIGURES_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/figures.h"

enum { APP = 11, OTHER = 12, ACCOUNT = 99, START = 1764288000 /* a day's */ };
static char dir[64];
static struct figures *f;
static int64_t now_s;

static inline int64_t wall_ms(void)
{
    return now_s * 1000;
}

static inline void begin(uint64_t bytes_max)
{
    const struct figures_conf conf = { .dir = dir,
                                       .lanes = 2,
                                       .bytes_max = bytes_max,
                                       .days = 30,
                                       .wall_ms = wall_ms };
    figures_new(&f, &conf);
}

static inline int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/typeauth-figures-XXXXXX");
    assert_non_null(mkdtemp(dir));
    now_s = START;
    begin((uint64_t)1 << 32);
    return 0;
}

static inline int teardown(void **state)
{
    char command[128];
    (void)state;
    figures_free(&f);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static inline void token_id(uint32_t token, unsigned char *id)
{
    memset(id, 0, 16);
    memcpy(id + 12, &token, sizeof token);
    id[0] = token != 0;
}

static inline struct figure_sample usual(uint32_t token)
{
    struct figure_sample s = { .app = APP,
                               .account = ACCOUNT,
                               .bytes_in = 100,
                               .bytes_out = 1000,
                               .at_s = (uint32_t)now_s,
                               .total_us = 500,
                               .token_slot = token,
                               .cost = 1,
                               .status = 200 };
    token_id(token, s.token);
    return s;
}

struct sums {
    uint64_t n, in, out, cost, rows;
    uint64_t times[SKETCH_BUCKETS];
};

static inline void sum(void *ctx, const struct figure_row *r)
{
    struct sums *s = ctx;
    s->rows++;
    s->n += r->sum[FIGURE_REQUESTS];
    s->in += r->sum[FIGURE_BYTES_IN];
    s->out += r->sum[FIGURE_BYTES_OUT];
    s->cost += r->sum[FIGURE_COST];
    for (uint32_t i = 0; i < r->pairs_n; i++)
        s->times[r->pairs[i].bucket] += r->pairs[i].n;
}

static inline bool ask(int64_t from_s, int64_t to_s, struct figure_key first,
                unsigned words, struct sums *out)
{
    const struct figures_ask a = { from_s, to_s, first, words };
    memset(out, 0, sizeof *out);
    return figures_read(f, &a, sum, out);
}

/* Of an application or account, over all dimensions. */
static inline uint64_t requests(int64_t from_s, int64_t to_s, uint64_t scope)
{
    struct sums s;
    const struct figure_key k = { { scope, FIGURE_APP, 0, 0, 0 } };
    ask(from_s, to_s, k, 2, &s);
    return s.n;
}

static inline struct figure_key key_of_token(uint32_t token)
{
    uint64_t id[2];
    token_id(token, (unsigned char *)id);
    return (struct figure_key){ { APP, FIGURE_TOKEN, __builtin_bswap64(id[0]),
                                  __builtin_bswap64(id[1]), 0 } };
}

static inline void to_minute(int64_t minute)
{
    now_s = START + minute * 60;
    figures_round(f);
}

#endif
