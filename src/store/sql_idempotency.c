/* Answers kept for a day. A row names neither the key nor the scope: it is
 * found by an HMAC of both, and its answer is sealed under a key that only
 * the client's own key, together with ours, gives again (api.md §1). */
#include "base/err.h"
#include "base/mem.h"
#include "store/store_int.h"

enum {
    MARK_BYTES = SHA256_BYTES,
    ANSWER_MAX = 40 << 20, /* one with an OpenAPI document of 16 MiB, escaped */
};

static void mark_of(const struct store *s, struct sv scope, struct sv key,
                    uint8_t out[MARK_BYTES])
{
    uint64_t n = scope.n; /* so that the border cannot be moved */
    struct sv parts[] = { sv_of(&n, sizeof n), scope, key };
    hmac_sha256(sv_of(s->idempotency_key, sizeof s->idempotency_key), parts, 3,
                out);
}

/* HKDF(server sub-key ‖ key), bound to the scope by the mark. */
static int answer_sealer(const struct store *s, struct sv key,
                         const uint8_t mark[MARK_BYTES], struct sealer **out)
{
    uint8_t sub[SEAL_KEY_BYTES], both[SHA256_BYTES];
    struct sv part = key;
    hmac_sha256(sv_of(s->idempotency_key, sizeof s->idempotency_key), &part, 1,
                both);
    hkdf_sha256(sv_of(both, sizeof both), sv_of(mark, MARK_BYTES),
                SV("typeauth stored answer"), sub, sizeof sub);
    int rc = sealer_new(out, sub);
    mem_wipe(sub, sizeof sub);
    mem_wipe(both, sizeof both);
    return rc;
}

static int answer_open(const struct store *s, struct sv key,
                       const uint8_t mark[MARK_BYTES], struct sv sealed,
                       struct arena *a, struct sv *answer)
{
    struct sealer *sealer = NULL;
    if (sealed.n <= SEAL_TAG_BYTES) return ERR_CORRUPT;
    size_t n = sealed.n - SEAL_TAG_BYTES;
    uint8_t *text = arena_alloc(a, n);
    int rc = text ? answer_sealer(s, key, mark, &sealer) : ERR_NOMEM;
    if (rc == 0) rc = seal_open(sealer, sealed, text);
    if (rc == 0) *answer = sv_of(text, n);
    sealer_free(&sealer);
    return rc;
}

int store_idempotency_find(struct store *s, struct sv scope, struct sv key,
                           const uint8_t body_hash[32], int64_t wall_ms,
                           struct arena *a, struct sv *answer)
{
    uint8_t mark[MARK_BYTES];
    mark_of(s, scope, key, mark);
    struct sql *q = sql_get(s->db, "SELECT body, answer FROM idempotency"
                                   " WHERE mark = ?1 AND at > ?2");
    sql_bind_blob(q, 1, mark, sizeof mark);
    sql_bind_int(q, 2, wall_ms - IDEMPOTENCY_KEPT_MS);
    int rc = sql_step(q);
    if (rc == 0)
        rc = ERR_NOTFOUND;
    else if (rc == SQL_ROW)
        rc = sv_eq(sql_bytes(q, 0), sv_of(body_hash, 32))
                 ? answer_open(s, key, mark, sql_bytes(q, 1), a, answer)
                 : ERR_CONFLICT;
    sql_done(q);
    return rc;
}

int store_idempotency_put(struct store *s, struct sv scope, struct sv key,
                          const uint8_t body_hash[32], int64_t wall_ms,
                          struct sv answer)
{
    uint8_t mark[MARK_BYTES];
    struct sealer *sealer = NULL;
    store_need_transaction(s);
    if (answer.n == 0 || answer.n > ANSWER_MAX) return ERR_TOOBIG;
    mark_of(s, scope, key, mark);
    uint8_t *sealed = mem_alloc_try(SEAL_TAG_BYTES + answer.n);
    int rc = sealed ? answer_sealer(s, key, mark, &sealer) : ERR_NOMEM;
    if (rc == 0) rc = seal_close(sealer, answer, sealed);
    struct sql *q = sql_get(s->db, "INSERT INTO idempotency"
                                   " VALUES (?1, ?2, ?3, ?4)"
                                   " ON CONFLICT (mark) DO UPDATE SET"
                                   " body = excluded.body, at = excluded.at,"
                                   " answer = excluded.answer");
    sql_bind_blob(q, 1, mark, sizeof mark);
    sql_bind_blob(q, 2, body_hash, 32);
    sql_bind_int(q, 3, wall_ms);
    if (rc == 0) {
        sql_bind_blob(q, 4, sealed, SEAL_TAG_BYTES + answer.n);
        rc = store_run(s, q);
    } else {
        sql_done(q);
    }
    sealer_free(&sealer);
    mem_free(sealed);
    return rc;
}

int store_idempotency_prune(struct store *s, int64_t wall_ms, unsigned max,
                            unsigned *n)
{
    store_need_transaction(s);
    struct sql *q = sql_get(s->db, "DELETE FROM idempotency WHERE mark IN"
                                   " (SELECT mark FROM idempotency"
                                   "  WHERE at <= ?1 LIMIT ?2)");
    sql_bind_int(q, 1, wall_ms - IDEMPOTENCY_KEPT_MS);
    sql_bind_int(q, 2, max);
    int rc = store_run(s, q);
    *n = rc ? 0 : (unsigned)sql_changes(s->db);
    return rc;
}
