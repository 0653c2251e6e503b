/* What is made at the machine, not through the API: the first account with
 * its owner key, and further management keys. One transaction each. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/token.h"
#include "store/store_int.h"

static int record_put(struct store *s, const struct shape *shape,
                      struct sv body, struct id id, struct id account_id,
                      int64_t wall_ms, struct arena *a)
{
    struct record r = { .kind = shape->kind, .id = id,
                        .account_id = account_id, .created_ms = wall_ms,
                        .updated_ms = wall_ms, .version = 1 };
    struct shape_env env = { .arena = a, .now_ms = wall_ms,
                             .role = ROLE_ROOT };
    struct shape_problem why;
    yyjson_doc *input = NULL;
    yyjson_mut_doc *doc = NULL;
    int rc = json_decode(body, a, &input, NULL);
    /* the shape knows no role root: no request can make such a key */
    yyjson_alc alc = json_alc(a);
    if (rc == 0 && !account_id.text[0] && shape->kind == KIND_MANAGEMENT_KEY)
        doc = yyjson_doc_mut_copy(input, &alc);
    else if (rc == 0)
        rc = shape_create(shape, &env, yyjson_doc_get_root(input), &doc, &why);
    if (rc == 0) rc = doc ? record_fill(&r, shape, doc, a) : ERR_NOMEM;
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

static int key_record_put(struct store *s, const struct store_key_ask *ask,
                          int64_t wall_ms, const struct store_owner *made,
                          struct arena *a)
{
    char mem[1024];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_puts(&b, "{\"name\":");
    json_put_text(&b, ask->name);
    buf_printf(&b, ",\"role\":\"%s\"", role_name(ask->role));
    if (ask->expires_s)
        buf_printf(&b, ",\"expires\":%lld", (long long)ask->expires_s);
    buf_putc(&b, '}');
    return b.overflow ? ERR_INVALID
                      : record_put(s, &shape_management_key, buf_sv(&b),
                                   made->key_id, made->account_id, wall_ms,
                                   a);
}

static int key_put(struct store *s, const struct store_key_ask *ask,
                   int64_t wall_ms, struct store_owner *made, struct arena *a)
{
    char secret[TOKEN_SECRET_MAX];
    uint64_t seq;
    struct ulid u = store_ulid(s, wall_ms);
    made->key_id = id_make(KIND_MANAGEMENT_KEY, &u);
    struct management_key k = {
        .id = made->key_id, .account_id = made->account_id,
        .role = ask->role,
        .expires_ms = ask->expires_s ? wall_ms + ask->expires_s * 1000 : 0,
    };
    size_t n = token_secret_make(secret, SV(MANAGEMENT_KEY_PREFIX),
                                 MANAGEMENT_KEY_BYTES);
    ENSURE(n < sizeof made->secret);
    memcpy(made->secret, secret, n);
    made->secret[n] = '\0';
    sha256(sv_of(secret, n), k.digest);
    mem_wipe(secret, sizeof secret);
    int rc = key_record_put(s, ask, wall_ms, made, a);
    if (rc == 0) rc = store_key_insert(s, &k);
    mem_wipe(k.digest, sizeof k.digest);
    if (rc == 0)
        rc = store_change_append(s, KIND_MANAGEMENT_KEY, id_sv(&made->key_id),
                                 &seq);
    return rc;
}

static int audit_put(struct store *s, const char *action, struct sv object_id,
                     int64_t wall_ms, const struct store_owner *made)
{
    struct audit_entry e = {
        .id = store_ulid(s, wall_ms), .account_id = id_sv(&made->account_id),
        .key_id = SV(""), .at_ms = wall_ms, .action = sv_cstr(action),
        .object_id = object_id, .from = SV("command line"),
        .before = SV(""), .after = SV(""),
    };
    return store_audit_append(s, &e);
}

static int finish(struct store *s, int rc, struct store_owner *made,
                  struct arena *a)
{
    if (rc == 0) rc = store_commit(s);
    else store_rollback(s);
    if (rc) mem_wipe(made, sizeof *made);
    arena_fini(a);
    return rc;
}

int store_account_init(struct store *s, struct sv name, struct sv slug,
                       int64_t wall_ms, struct store_owner *out)
{
    const struct store_key_ask owner = { .name = SV("owner"),
                                         .role = ROLE_OWNER };
    struct arena a;
    uint64_t seq;
    *out = (struct store_owner){ .secret = "" };
    int rc = store_begin(s);
    if (rc) return rc;
    arena_init(&a, 64 << 10, NULL, 0);
    struct ulid u = store_ulid(s, wall_ms);
    out->account_id = id_make(KIND_ACCOUNT, &u);
    rc = account_put(s, name, slug, wall_ms, out->account_id, &a);
    if (rc == 0)
        rc = store_change_append(s, KIND_ACCOUNT, id_sv(&out->account_id),
                                 &seq);
    if (rc == 0) rc = key_put(s, &owner, wall_ms, out, &a);
    return finish(s, rc, out, &a);
}

int store_key_make(struct store *s, const struct store_key_ask *ask,
                   int64_t wall_ms, struct store_owner *out)
{
    struct arena a;
    *out = (struct store_owner){ .secret = "" };
    if (ask->account_id.n) {
        struct ulid u;
        if (id_parse(KIND_ACCOUNT, ask->account_id, &u)) return ERR_NOTFOUND;
        out->account_id = id_make(KIND_ACCOUNT, &u);
    }
    int rc = store_begin(s);
    if (rc) return rc;
    arena_init(&a, 64 << 10, NULL, 0);
    rc = key_put(s, ask, wall_ms, out, &a);
    if (rc == 0)
        rc = audit_put(s, "management-key.create", id_sv(&out->key_id),
                       wall_ms, out);
    return finish(s, rc, out, &a);
}

int store_has_account(struct store *s, bool *out)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM account_num LIMIT 1");
    int rc = sql_step(q);
    *out = rc == SQL_ROW;
    sql_done(q);
    return rc < 0 ? rc : 0;
}
