/* Management keys made at the machine (`typeauth key create`), perhaps while
 * a server runs on the same store: that one finds the row in the change feed. */
#include "admin/admin.h"

#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/rfc3339.h"
#include "model/token.h"

enum { KEY_ARENA_BYTES = 64 * 1024 };

static bool document(yyjson_mut_doc *doc, const struct admin_key_ask *ask,
                     int64_t expires_ms)
{
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    char ends[RFC3339_TEXT];
    rfc3339_encode(ends, expires_ms);
    yyjson_mut_doc_set_root(doc, root);
    return yyjson_mut_obj_add_strncpy(doc, root, "name", ask->name.p,
                                      ask->name.n) &&
           yyjson_mut_obj_add_str(doc, root, "role", role_name(ask->role)) &&
           (expires_ms ? yyjson_mut_obj_add_strncpy(doc, root, "expiresAt",
                                                    ends, sizeof ends)
                       : yyjson_mut_obj_add_null(doc, root, "expiresAt"));
}

static int audit(struct store *s, const struct record *r, struct arena *arena)
{
    struct buf after;
    buf_init(&after, KEY_ARENA_BYTES);
    record_show_redacted(r, &shape_management_key, arena, &after);
    struct audit_entry e = {
        .id = store_ulid(s, r->created_ms),
        .account_id = id_sv(&r->account_id),
        .key_id = SV(""),
        .at_ms = r->created_ms,
        .action = SV("management-key.create"),
        .object_id = id_sv(&r->id),
        .from = SV("command line"),
        .before = SV(""),
        .after = buf_sv(&after),
    };
    int err = store_audit_append(s, &e);
    buf_fini(&after);
    return err;
}

static int insert(struct store *s, struct record *r, yyjson_mut_doc *doc,
                  struct management_key *k, struct arena *arena)
{
    uint64_t seq;
    int err = record_fill(r, &shape_management_key, doc, arena);
    if (!err) err = store_record_insert(s, r);
    if (!err) err = store_key_insert(s, k);
    if (!err)
        err = store_change_append(s, KIND_MANAGEMENT_KEY, id_sv(&r->id), &seq);
    return err ? err : audit(s, r, arena);
}

static int create(struct store *s, const struct admin_key_ask *ask,
                  int64_t wall_ms, struct arena *arena,
                  struct admin_key_made *out)
{
    struct ulid u = store_ulid(s, wall_ms);
    int64_t ends = ask->expires_s ? wall_ms + ask->expires_s * 1000 : 0;
    struct record r = { .kind = KIND_MANAGEMENT_KEY,
                        .version = 1,
                        .id = id_make(KIND_MANAGEMENT_KEY, &u),
                        .created_ms = wall_ms,
                        .updated_ms = wall_ms };
    struct management_key k = { .id = r.id,
                                .role = ask->role,
                                .expires_ms = ends };
    yyjson_mut_doc *doc = json_new(arena);
    if (!doc || !document(doc, ask, ends)) return ERR_NOMEM;
    if (ask->account_id.n) {
        if (id_parse(KIND_ACCOUNT, ask->account_id, NULL)) return ERR_NOTFOUND;
        memcpy(r.account_id.text, ask->account_id.p, ask->account_id.n);
        k.account_id = r.account_id;
    }
    size_t n = token_secret_make(out->secret, SV(MANAGEMENT_KEY_PREFIX),
                                 MANAGEMENT_KEY_BYTES);
    out->secret[n] = 0;
    out->id = r.id;
    sha256(sv_of(out->secret, n), k.digest);
    return insert(s, &r, doc, &k, arena);
}

int admin_key_create(struct store *s, const struct admin_key_ask *ask,
                     int64_t wall_ms, struct admin_key_made *out)
{
    struct arena arena;
    arena_init(&arena, KEY_ARENA_BYTES, NULL, 0);
    int err = store_begin(s);
    if (!err) err = create(s, ask, wall_ms, &arena, out);
    if (!err) err = store_commit(s);
    store_rollback(s); /* without an open one: nothing */
    if (err) mem_wipe(out, sizeof *out);
    arena_fini(&arena);
    return err;
}
