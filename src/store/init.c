/* The first account and its owner key, in one transaction. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/token.h"
#include "store/store_int.h"

static int record_put(struct store *s, const struct shape *shape,
                      struct sv body, struct id id, struct id account_id,
                      int64_t wall_ms, struct arena *a)
{
    struct record r = { .kind = shape->kind,
                        .id = id,
                        .account_id = account_id,
                        .created_ms = wall_ms,
                        .updated_ms = wall_ms,
                        .version = 1 };
    struct shape_env env = { .arena = a, .now_ms = wall_ms, .role = ROLE_ROOT };
    struct shape_problem why;
    yyjson_doc *input = NULL;
    yyjson_mut_doc *doc = NULL;
    int rc = json_decode(body, a, &input, NULL);
    if (rc == 0)
        rc = shape_create(shape, &env, yyjson_doc_get_root(input), &doc, &why);
    if (rc == 0) rc = record_fill(&r, shape, doc, a);
    return rc ? rc : store_record_insert(s, &r);
}

static int account_put(struct store *s, struct sv name, struct sv slug,
                       int64_t wall_ms, struct id id, struct arena *a)
{
    char mem[1024];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_puts(&b, "{\"name\":");
    json_put_text(&b, name);
    buf_puts(&b, ",\"slug\":");
    json_put_text(&b, slug);
    buf_putc(&b, '}');
    return b.overflow ? ERR_INVALID
                      : record_put(s, &shape_account, buf_sv(&b), id,
                                   (struct id){ "" }, wall_ms, a);
}

static int key_put(struct store *s, int64_t wall_ms, struct store_owner *owner,
                   struct arena *a)
{
    char secret[TOKEN_SECRET_MAX];
    struct management_key k = { .id = owner->key_id,
                                .account_id = owner->account_id,
                                .role = ROLE_OWNER };
    size_t n = token_secret_make(secret, SV(MANAGEMENT_KEY_PREFIX),
                                 MANAGEMENT_KEY_BYTES);
    ENSURE(n < sizeof owner->secret);
    memcpy(owner->secret, secret, n);
    owner->secret[n] = '\0';
    sha256(sv_of(secret, n), k.digest);
    mem_wipe(secret, sizeof secret);
    int rc = record_put(s, &shape_management_key,
                        SV("{\"name\":\"owner\",\"role\":\"owner\"}"), k.id,
                        k.account_id, wall_ms, a);
    return rc ? rc : store_key_insert(s, &k);
}

int store_account_init(struct store *s, struct sv name, struct sv slug,
                       int64_t wall_ms, struct store_owner *out)
{
    struct arena a;
    uint64_t seq;
    *out = (struct store_owner){ .secret = "" };
    int rc = store_begin(s);
    if (rc) return rc;
    arena_init(&a, 64 << 10, NULL, 0);
    struct ulid u = store_ulid(s, wall_ms);
    out->account_id = id_make(KIND_ACCOUNT, &u);
    u = store_ulid(s, wall_ms);
    out->key_id = id_make(KIND_MANAGEMENT_KEY, &u);
    rc = account_put(s, name, slug, wall_ms, out->account_id, &a);
    if (rc == 0) rc = key_put(s, wall_ms, out, &a);
    if (rc == 0)
        rc =
            store_change_append(s, KIND_ACCOUNT, id_sv(&out->account_id), &seq);
    if (rc == 0)
        rc = store_change_append(s, KIND_MANAGEMENT_KEY, id_sv(&out->key_id),
                                 &seq);
    if (rc == 0)
        rc = store_commit(s);
    else
        store_rollback(s);
    if (rc) mem_wipe(out, sizeof *out);
    arena_fini(&a);
    return rc;
}

int store_has_account(struct store *s, bool *out)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM account_num LIMIT 1");
    int rc = sql_step(q);
    *out = rc == SQL_ROW;
    sql_done(q);
    return rc < 0 ? rc : 0;
}
