/* Tokens as live/ wants them. One, when a change has to be put in force again;
 * at the start-up every one in the order of slots. Reading SQLite and opening the
 * digests cost about the same, so a helper thread reads into blocks while the
 * caller's thread opens and hands on (hot-path §9):
 *
 *   helper: SELECT -> block -> full ──> caller: open, fn -> free ──┐
 *             ^──────────────────────────────────────────────────────┘
 */
#include <pthread.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/store_int.h"

enum { BLOCK_ROWS = 1024, BLOCKS = 3, BODIES_MAX = 8 << 20 };

struct row {
    struct token_hot hot;
    struct sealed sealed;
    size_t body_at, body_n;
};

struct block {
    struct row rows[BLOCK_ROWS];
    struct buf bodies;
    unsigned n;
    int rc; /* of the reading, at its end */
    bool last;
};

struct loader {
    struct store *s;
    struct block *blocks; /* a ring */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned filled, emptied; /* blocks so far */
    bool stop;
};

#define COLUMNS                                                             \
    "slot, id, app, enabled, revoked, expires, prime, mark, sealed, used, " \
    "refills, last_used, body"

/* All but body and digest. */
static int hot_read(struct sql *q, struct token_hot *out, struct sealed *sealed)
{
    int64_t revoked = sql_int(q, 4);
    *out = (struct token_hot){
        .slot = (uint32_t)sql_int(q, 0),
        .app = (uint32_t)sql_int(q, 2),
        .enabled = sql_int(q, 3) != 0,
        .revoked = revoked != 0,
        .expires_ms = sql_int(q, 5),
        .primary = sql_is_null(q, 6) ? UINT32_MAX : (uint32_t)sql_int(q, 6),
        .used = sql_int(q, 9),
        .refills = (uint32_t)sql_int(q, 10),
        .last_used_s = (uint32_t)sql_int(q, 11),
    };
    int rc = sealed_column(q, 7, sealed);
    if (rc == 0 && out->primary == UINT32_MAX) rc = ulid_column(q, 1, &out->id);
    return rc;
}

static int row_read(struct sql *q, struct block *b)
{
    struct row *r = &b->rows[b->n];
    struct sv body = sql_bytes(q, 12);
    int rc = hot_read(q, &r->hot, &r->sealed);
    r->body_at = b->bodies.n;
    r->body_n = body.n;
    buf_put(&b->bodies, body);
    b->n++;
    return rc ? rc : b->bodies.overflow ? ERR_NOMEM : 0;
}

/* Fills until the block is full, or its texts are half of what they may be (a
 * body has 16 KiB at most). */
static int block_fill(struct sql *q, struct block *b)
{
    int rc = SQL_ROW;
    b->n = 0;
    b->last = false;
    buf_clear(&b->bodies);
    while (b->n < BLOCK_ROWS && b->bodies.n < BODIES_MAX / 2) {
        rc = sql_step(q);
        if (rc == SQL_ROW) rc = row_read(q, b) ? ERR_CORRUPT : SQL_ROW;
        if (rc != SQL_ROW) break;
    }
    b->last = rc != SQL_ROW;
    b->rc = rc < 0 ? rc : 0;
    return b->last;
}

static void *reader(void *ctx)
{
    struct loader *l = ctx;
    struct sql *q =
        sql_get(l->s->db, "SELECT " COLUMNS " FROM token ORDER BY slot");
    bool last = false, stop = false;
    while (!last && !stop) {
        pthread_mutex_lock(&l->mutex);
        while (l->filled - l->emptied == BLOCKS && !l->stop)
            pthread_cond_wait(&l->changed, &l->mutex);
        stop = l->stop;
        struct block *b = &l->blocks[l->filled % BLOCKS];
        pthread_mutex_unlock(&l->mutex);
        if (stop) break;
        last = block_fill(q, b);
        pthread_mutex_lock(&l->mutex);
        l->filled++;
        pthread_cond_signal(&l->changed);
        pthread_mutex_unlock(&l->mutex);
    }
    sql_done(q);
    return NULL;
}

static int block_give(struct loader *l, struct block *b, store_token_fn *fn,
                      void *ctx)
{
    for (unsigned i = 0; i < b->n; i++) {
        struct row *r = &b->rows[i];
        int rc = open_digest(l->s->tokens, &r->sealed, r->hot.digest);
        r->hot.body =
            r->body_n ? sv_of(b->bodies.p + r->body_at, r->body_n) : SV("");
        if (rc == 0) rc = fn(ctx, &r->hot);
        if (rc) return rc;
    }
    return b->rc;
}

static int take_all(struct loader *l, store_token_fn *fn, void *ctx)
{
    int rc = 0;
    for (bool last = false; !last && rc == 0;) {
        pthread_mutex_lock(&l->mutex);
        while (l->filled == l->emptied)
            pthread_cond_wait(&l->changed, &l->mutex);
        struct block *b = &l->blocks[l->emptied % BLOCKS];
        pthread_mutex_unlock(&l->mutex);
        last = b->last;
        rc = block_give(l, b, fn, ctx);
        pthread_mutex_lock(&l->mutex);
        l->emptied++;
        l->stop = rc != 0;
        pthread_cond_signal(&l->changed);
        pthread_mutex_unlock(&l->mutex);
    }
    return rc;
}

int store_token_load(struct store *s, store_token_fn *fn, void *ctx)
{
    struct loader l = { .s = s };
    pthread_t thread;
    ENSURE(!s->in_transaction);
    l.blocks = mem_zalloc(BLOCKS * sizeof *l.blocks);
    for (int i = 0; i < BLOCKS; i++) buf_init(&l.blocks[i].bodies, BODIES_MAX);
    pthread_mutex_init(&l.mutex, NULL);
    pthread_cond_init(&l.changed, NULL);
    int rc = pthread_create(&thread, NULL, reader, &l) ? ERR_LIMIT : 0;
    if (rc == 0) {
        rc = take_all(&l, fn, ctx);
        pthread_join(thread, NULL);
    }
    pthread_cond_destroy(&l.changed);
    pthread_mutex_destroy(&l.mutex);
    for (int i = 0; i < BLOCKS; i++) {
        mem_wipe(l.blocks[i].rows, sizeof l.blocks[i].rows);
        buf_fini(&l.blocks[i].bodies);
    }
    mem_free(l.blocks);
    return rc;
}

/* --- one --------------------------------------------------------------------- */

static int one_read(struct store *s, struct sql *q, struct arena *a,
                    struct token_hot *out)
{
    struct sealed sealed;
    int rc = hot_read(q, out, &sealed);
    if (rc == 0) rc = open_digest(s->tokens, &sealed, out->digest);
    out->body = arena_dup(a, sql_bytes(q, 12));
    mem_wipe(&sealed, sizeof sealed);
    return rc ? rc : out->body.p ? 0 : ERR_NOMEM;
}

int store_token_hot(struct store *s, const struct ulid *id, struct arena *a,
                    struct token_hot *rows, unsigned max, unsigned *n)
{
    int rc, err = 0;
    *n = 0;
    struct sql *q =
        sql_get(s->db, "SELECT " COLUMNS " FROM token WHERE id = ?1");
    sql_bind_blob(q, 1, id->b, sizeof id->b);
    while (!err && (rc = sql_step(q)) == SQL_ROW && *n < max)
        err = one_read(s, q, a, &rows[(*n)++]);
    sql_done(q);
    if (err || rc < 0) return err ? err : rc;
    if (*n == 0) return ERR_NOTFOUND;
    q = sql_get(s->db, "SELECT " COLUMNS
                       " FROM token WHERE prime = ?1 ORDER BY expires DESC");
    sql_bind_int(q, 1, rows[0].slot);
    while (!err && (rc = sql_step(q)) == SQL_ROW && *n < max)
        err = one_read(s, q, a, &rows[(*n)++]);
    sql_done(q);
    return err ? err : rc < 0 ? rc : 0;
}
