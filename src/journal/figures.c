/* Analytics: samples, the present minute, the thread. See figures.h. */
#include "journal/figures.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/figures_int.h"
#include "journal/histogram.h"

enum {
    RING_BYTES = 1 << 20, /* 13,000 samples a lane */
    BATCH = 32,
    BUSY_MS = 100, /* between two rounds: 130,000 samples a second */
    IDLE_MS = 250,
    NICE = 10,
    STACK_BYTES = 512 << 10,
};
static const struct figure_table_conf facts_conf = {
    .rows = 1 << 18, .nodes = 1 << 17, .sketches = 512, .text_bytes = 1024
};
static const struct figure_table_conf rows_conf = {
    .rows = 1 << 15, .nodes = 1 << 15, .sketches = 1024, .text_bytes = 2 << 20
};
static const struct figure_table_conf kinds_conf = {
    .rows = 1 << 12, .nodes = 1 << 12, .sketches = 512, .text_bytes = 1024
};

void figures_new(struct figures **out, const struct figures_conf *conf)
{
    struct figures *f = NEW(struct figures);
    pthread_condattr_t by;
    pthread_condattr_init(&by);
    pthread_condattr_setclock(&by, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &by);
    pthread_condattr_destroy(&by);
    pthread_mutex_init(&f->sleep_lock, NULL);
    pthread_mutex_init(&f->reading, NULL);
    pthread_mutex_init(&f->files_lock, NULL);
    f->conf = *conf;
    f->dir = mem_strdup(conf->dir);
    f->lanes = mem_aligned(64, conf->lanes * sizeof *f->lanes);
    for (unsigned i = 0; i < conf->lanes; i++)
        ring_init(&f->lanes[i].ring, RING_BYTES);
    figure_table_init(&f->facts, &facts_conf);
    figure_table_init(&f->rows, &rows_conf);
    figure_table_init(&f->kinds, &kinds_conf);
    figures_scan(f);
    *out = f;
}

void figures_free(struct figures **at)
{
    struct figures *f = *at;
    if (!f) return;
    figures_stop(f);
    for (unsigned i = 0; i < f->conf.lanes; i++) ring_fini(&f->lanes[i].ring);
    for (int i = 0; i < FIGURES_LEVELS; i++) mem_free(f->lists[i].at);
    figure_table_fini(&f->facts);
    figure_table_fini(&f->rows);
    figure_table_fini(&f->kinds);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->sleep_lock);
    pthread_mutex_destroy(&f->reading);
    pthread_mutex_destroy(&f->files_lock);
    mem_free(f->lanes);
    mem_free(f->dir);
    mem_free(f);
    *at = NULL;
}

void figures_add(struct figures *f, unsigned lane,
                 const struct figure_sample *s)
{
    struct figures_lane *l = &f->lanes[lane];
    void *at = ring_reserve(&l->ring, sizeof *s, 0);
    if (!at) {
        counter_add(&l->dropped, 1);
        return;
    }
    memcpy(at, s, sizeof *s);
    ring_commit(&l->ring);
}

/* --- rows of applications, accounts, owners, tags, out of facts ----------- */

/* A full table of rows is written out first. */
static void spill_rows(struct figures *f)
{
    if (!figure_table_is_full(&f->rows)) return;
    const struct figures_job job = { .start_s = f->minute * 60,
                                     .part = ++f->parts,
                                     .rows = true };
    figures_tell(f, figures_write(f, &job), 0);
    figure_table_clear(&f->rows);
}

static void add_dims(struct figures *f, uint64_t scope, bool routes,
                     struct figure_row *r)
{
    uint64_t fact = figure_key_value(&r->key);
    for (int d = FIGURE_OUTCOME; d <= FIGURE_ROUTE; d++) {
        if (d == FIGURE_ROUTE && !routes) continue;
        const struct figure_key key = {
            { scope, FIGURE_APP, 0, 0,
              figure_word((enum figure_dim)d,
                          figure_dim_of(fact, (enum figure_dim)d)) }
        };
        spill_rows(f);
        figure_table_add(&f->rows, &key, r);
    }
}

static void add_named(struct figures *f, uint64_t scope,
                      enum figure_subject subject, struct sv text,
                      const struct figure_row *r)
{
    uint64_t id = figure_text_id(text);
    struct figure_key key = { { scope, subject, 0, id,
                                figure_word(FIGURE_NAME, 0) } };
    spill_rows(f);
    figure_table_name(&f->rows, &key, text);
    key.w[4] = r->key.w[4];
    figure_table_add(&f->rows, &key, r);
}

/* As the token is now: a minute at most behind its requests. */
static void add_owner(struct figures *f, const struct figure_cell *c,
                      const struct figure_row *r, int64_t wall_ms)
{
    struct token_view t;
    struct ulid id;
    uint64_t words[2] = { __builtin_bswap64(c->key.w[2]),
                          __builtin_bswap64(c->key.w[3]) };
    if (!f->conf.tokens || c->slot == UINT32_MAX) return;
    memcpy(id.b, words, sizeof id.b);
    if (!tokens_view(f->conf.tokens, c->slot, ulid_tag(&id), wall_ms, &t) ||
        !t.cold)
        return;
    uint64_t scopes[2] = { c->key.w[0], c->account };
    for (int s = 0; s < 2; s++) {
        if (t.cold->owner.n)
            add_named(f, scopes[s], FIGURE_OWNER, t.cold->owner, r);
        for (unsigned i = 0; i < t.cold->tags_n; i++)
            add_named(f, scopes[s], FIGURE_TAG, t.cold->tags[i], r);
    }
}

/* Requests that are alike but for their token: there are few such kinds, and
 * all dimensions are derived from each once, not from every token's. */
static void kinds_flush(struct figures *f, struct figure_total *scratch,
                        struct figure_row *row)
{
    for (uint32_t i = 0; i < f->kinds.n; i++) {
        const struct figure_cell *c = &f->kinds.cells[i];
        figure_table_row(&f->kinds, c, scratch, row);
        add_dims(f, c->key.w[0], true, row);
        add_dims(f, c->account, false, row);
    }
    figure_table_clear(&f->kinds);
}

static void add_kind(struct figures *f, const struct figure_cell *c,
                     const struct figure_row *r)
{
    const struct figure_key key = { { c->key.w[0], FIGURE_APP, 0, 0,
                                      c->key.w[4] } };
    figure_table_add(&f->kinds, &key, r);
    figure_table_get(&f->kinds, &key)->account = c->account;
}

static int by_slot(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Facts in the order of their tokens' slots: those of one owner, made together,
 * lie together, in the token table as well. mem_free. */
static uint64_t *by_token(const struct figure_table *t)
{
    uint64_t *out = mem_alloc((t->n + 1) * sizeof *out);
    for (uint32_t i = 0; i < t->n; i++)
        out[i] = (uint64_t)t->cells[i].slot << 32 | i;
    qsort(out, t->n, sizeof *out, by_slot);
    return out;
}

static void derive(struct figures *f)
{
    struct figure_row *row = mem_alloc(sizeof *row);
    struct figure_row *others = mem_alloc(sizeof *others);
    struct figure_total *scratch = NEW(struct figure_total);
    struct figure_total *other = NEW(struct figure_total);
    int64_t wall_ms = f->conf.wall_ms();
    uint64_t *order = by_token(&f->facts);
    epoch_wake(&f->epoch);
    for (uint32_t i = 0; i < f->facts.n; i++) {
        const struct figure_cell *c = &f->facts.cells[(uint32_t)order[i]];
        if (i + 4 < f->facts.n)
            __builtin_prefetch(&f->facts.cells[(uint32_t)order[i + 4]]);
        figure_table_row(&f->facts, c, scratch, row);
        add_kind(f, c, row);
        if (figure_table_is_full(&f->kinds)) kinds_flush(f, other, others);
        add_owner(f, c, row, wall_ms);
        if (i % 1024 == 0) epoch_turn(&f->epoch);
    }
    epoch_sleep(&f->epoch);
    kinds_flush(f, other, others);
    mem_free(other);
    mem_free(scratch);
    mem_free(others);
    mem_free(row);
    mem_free(order);
}

static void tables_clear(struct figures *f)
{
    atomic_store(&f->memory,
                 figure_table_bytes(&f->facts) + figure_table_bytes(&f->rows));
    figure_table_clear(&f->facts);
    figure_table_clear(&f->rows);
}

void figures_tell(struct figures *f, int err, uint64_t lost)
{
    if (err && !f->failing)
        log_warn("analytics", "%s: %s: figures are lost", f->dir,
                 err_text(err));
    if (!err && f->failing)
        log_info("analytics",
                 "%s: it can be written to again; %llu requests "
                 "are missing until now",
                 f->dir, (unsigned long long)atomic_load(&f->lost));
    f->failing = err != 0;
    if (err) atomic_fetch_add(&f->lost, lost);
}

static void spill(struct figures *f)
{
    derive(f);
    const struct figures_job job = { .start_s = f->minute * 60,
                                     .part = ++f->parts,
                                     .facts = true,
                                     .rows = true };
    int err = figures_write(f, &job);
    figures_tell(f, err, f->table_n);
    if (!err) f->parts_n += f->table_n;
    f->table_n = 0;
    tables_clear(f);
}

static void close_minute(struct figures *f)
{
    if (f->facts.n || f->parts) {
        derive(f);
        const struct figures_job job = { .start_s = f->minute * 60,
                                         .facts = true,
                                         .rows = true,
                                         .parts = true,
                                         .itself = true };
        uint64_t n = f->table_n + f->parts_n;
        int err = figures_write(f, &job);
        figures_tell(f, err, n);
        if (!err) atomic_fetch_add(&f->counted, n);
        tables_clear(f);
    }
    f->table_n = f->parts_n = 0;
    f->parts = 0;
    atomic_store(&f->until_s, (f->minute + 1) * 60);
}

/* --- samples become facts ------------------------------------------------- */

static void key_of(const struct figure_sample *s, struct figure_key *out)
{
    uint64_t id[2];
    const struct figure_fact fact = { .route = s->route,
                                      .country = { s->country[0],
                                                   s->country[1] },
                                      .status = s->status,
                                      .outcome = s->outcome,
                                      .door = s->door };
    memcpy(id, s->token, sizeof id);
    *out = (struct figure_key){
        { s->app, FIGURE_TOKEN, __builtin_bswap64(id[0]),
          __builtin_bswap64(id[1]),
          figure_word(FIGURE_FACT, figure_fact_pack(&fact)) }
    };
}

static void count(struct figures *f, const struct figure_sample *s,
                  const struct figure_key *key)
{
    if (s->at_s / 60 > f->minute && !f->in_merge) {
        if (f->minute) close_minute(f);
        f->minute = s->at_s / 60;
    }
    struct figure_cell *c = figure_table_get(&f->facts, key);
    c->sum[FIGURE_REQUESTS]++;
    c->sum[FIGURE_BYTES_IN] += s->bytes_in;
    c->sum[FIGURE_BYTES_OUT] += s->bytes_out;
    c->sum[FIGURE_COST] += s->cost;
    c->account = s->account;
    c->slot = s->token_slot;
    figure_table_time(&f->facts, c, sketch_bucket(s->total_us), 1);
    f->table_n++;
    if (figure_table_is_full(&f->facts) && !f->in_merge) spill(f);
}

static unsigned take(struct ring *r, struct figure_sample out[BATCH])
{
    unsigned n = 0;
    for (struct sv one; n < BATCH && (one = ring_peek(r)).p; ring_pop(r)) {
        ENSURE(one.n == sizeof out[0]);
        memcpy(&out[n++], one.p, sizeof out[0]);
    }
    return n;
}

/* In the course of a merge the tables are its own: rings hold what comes. */
void figures_drain(struct figures *f)
{
    struct figure_sample batch[BATCH];
    struct figure_key keys[BATCH];
    uint32_t hashes[BATCH];
    for (unsigned lane = 0; lane < f->conf.lanes; lane++) {
        unsigned n;
        while ((n = take(&f->lanes[lane].ring, batch)) > 0) {
            for (unsigned i = 0; i < n; i++) {
                key_of(&batch[i], &keys[i]);
                hashes[i] = figure_table_hash(&f->facts, &keys[i]);
                figure_table_near_place(&f->facts, hashes[i]);
            }
            for (unsigned i = 0; i < n; i++)
                figure_table_near_row(&f->facts, hashes[i]);
            for (unsigned i = 0; i < n; i++) count(f, &batch[i], &keys[i]);
            f->taken += n;
            if (f->in_merge && figure_table_is_full(&f->facts)) break;
        }
    }
}

void figures_round(struct figures *f)
{
    int64_t now_s = f->conf.wall_ms() / 1000;
    figures_drain(f);
    if (!f->minute) f->minute = now_s / 60;
    if (now_s / 60 > f->minute) {
        close_minute(f);
        f->minute = now_s / 60;
    }
    if (f->rolled == f->minute) return;
    f->rolled = f->minute;
    figures_roll(f, f->minute * 60);
}

/* --- the thread ----------------------------------------------------------- */

static void *figures_main(void *arg)
{
    struct figures *f = arg;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    pthread_mutex_lock(&f->sleep_lock);
    while (!f->stop) {
        struct timespec until;
        uint64_t before = f->taken;
        pthread_mutex_unlock(&f->sleep_lock);
        figures_round(f);
        bool busy = f->taken != before;
        pthread_mutex_lock(&f->sleep_lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (busy ? BUSY_MS : IDLE_MS) * 1000000l;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!f->stop) pthread_cond_timedwait(&f->wake, &f->sleep_lock, &until);
    }
    pthread_mutex_unlock(&f->sleep_lock);
    return NULL;
}

int figures_start(struct figures *f)
{
    pthread_attr_t small;
    if (!f || f->started) return 0;
    epoch_join(&f->epoch);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    int err = pthread_create(&f->thread, &small, figures_main, f);
    pthread_attr_destroy(&small);
    if (err) {
        epoch_leave(&f->epoch);
        return err_from_errno(err);
    }
    f->started = true;
    pthread_setname_np(f->thread, "figures");
    return 0;
}

/* The minute that had begun is written too; after a start it goes on. */
void figures_stop(struct figures *f)
{
    if (!f || !f->started) return;
    pthread_mutex_lock(&f->sleep_lock);
    f->stop = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->sleep_lock);
    pthread_join(f->thread, NULL);
    f->started = false;
    figures_drain(f);
    if (f->minute) close_minute(f);
    epoch_leave(&f->epoch);
}

void figures_stats(const struct figures *f, struct figures_stats *out)
{
    struct figures *own = (struct figures *)(uintptr_t)f; /* for its lock */
    *out = (struct figures_stats){ .counted = atomic_load(&f->counted),
                                   .lost = atomic_load(&f->lost),
                                   .memory = atomic_load(&f->memory),
                                   .damaged = atomic_load(&f->damaged) };
    for (unsigned i = 0; i < f->conf.lanes; i++)
        out->dropped += counter_read(&f->lanes[i].dropped);
    pthread_mutex_lock(&own->files_lock);
    out->bytes = f->bytes;
    for (int i = 0; i < FIGURES_LEVELS; i++)
        for (uint32_t k = 0; k < f->lists[i].n; k++)
            out->files += (f->lists[i].at[k].general > 0) +
                          (f->lists[i].at[k].detail > 0);
    pthread_mutex_unlock(&own->files_lock);
}

int64_t figures_until_s(const struct figures *f)
{
    return atomic_load(&f->until_s);
}
