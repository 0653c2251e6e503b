/* What is kept: status, ETag and body of a 2xx answer. The store seals it so
 * that neither the database nor the client's key alone opens it. */
#include "admin/idempotency.h"

#include "admin/admin_int.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"

#include <stdio.h>

enum { KEY_MIN = 16, KEY_MAX = 255 };

static bool key_is_valid(struct sv key)
{
    return key.n >= KEY_MIN && key.n <= KEY_MAX && text_visible.ok(key);
}

static struct sv scope_of(struct call *c)
{
    return arena_printf(c->arena, "%s\nPOST\n%.*s", c->account_id.text,
                        SV_FMT(c->q->path));
}

static enum idempotency replay(struct call *c, struct sv kept)
{
    struct sv body, etag;
    uint64_t status;
    struct sv first = sv_cut(kept, '\n', &body);
    if (!sv_to_u64(sv_cut(first, ' ', &etag), 299, &status) ||
        etag.n >= sizeof c->a->etag) {
        call_fail_store(c, ERR_CORRUPT);
        return IDEMPOTENCY_DONE;
    }
    buf_clear(&c->a->body);
    buf_put(&c->a->body, body);
    if (etag.n) memcpy(c->a->etag, etag.p, etag.n);
    c->a->etag[etag.n] = 0;
    c->a->status = (unsigned)status;
    c->a->replayed = true;
    return IDEMPOTENCY_DONE;
}

enum idempotency idempotency_begin(struct call *c)
{
    struct sv key = c->q->idempotency_key, kept;
    uint8_t hash[SHA256_BYTES];
    if (!key.n) return IDEMPOTENCY_NONE;
    if (!key_is_valid(key)) {
        call_fail(c, 400, "invalid_value", "Idempotency-Key",
                  "It must be 16 to 255 visible ASCII characters.");
        return IDEMPOTENCY_DONE;
    }
    sha256(c->q->body, hash);
    int err = store_idempotency_find(c->admin->conf.store, scope_of(c), key,
                                     hash, c->now_ms, c->arena, &kept);
    if (err == ERR_NOTFOUND) return IDEMPOTENCY_FIRST;
    if (!err) return replay(c, kept);
    if (err == ERR_CONFLICT)
        call_fail(c, 409, "idempotency_mismatch", "Idempotency-Key",
                  "This key was used with another body.");
    else
        call_fail_store(c, err);
    return IDEMPOTENCY_DONE;
}

bool idempotency_keep(struct call *c)
{
    struct buf kept;
    uint8_t hash[SHA256_BYTES];
    buf_init(&kept, ANSWER_MAX_BYTES + 128);
    buf_printf(&kept, "%u %s\n", c->a->status, c->a->etag);
    buf_put(&kept, buf_sv(&c->a->body));
    sha256(c->q->body, hash);
    int err = kept.overflow
                  ? ERR_NOMEM
                  : store_idempotency_put(c->admin->conf.store, scope_of(c),
                                          c->q->idempotency_key, hash,
                                          c->now_ms, buf_sv(&kept));
    if (kept.p) mem_wipe(kept.p, kept.n);
    buf_fini(&kept);
    return err ? call_fail_store(c, err) : true;
}
