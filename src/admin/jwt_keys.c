#include "admin/jwt_keys.h"

#include "admin/admin_int.h"
#include "base/ensure.h"
#include "base/err.h"

enum { RECORD_MAX_BYTES = 4 << 20 };

/* --- secrets of a document --------------------------------------------------------- */

/* Members of members that are secret. */
static const struct secret_row {
    const char *object, *member;
} secret_rows[] = {
    { "introspection", "clientSecret" },
    { "challengeWebhook", "secret" },
};

static bool is_oct(yyjson_mut_val *key)
{
    return yyjson_mut_equals_str(yyjson_mut_obj_get(key, "kty"), "oct");
}

/* Moves a member from one object to another. */
static bool member_move(yyjson_mut_doc *doc, yyjson_mut_val *from,
                        yyjson_mut_val *to, const char *name)
{
    yyjson_mut_val *v = yyjson_mut_obj_remove_key(from, name);
    return v && yyjson_mut_obj_put(to, yyjson_mut_str(doc, name), v);
}

/* {"clientSecret": …, "secret": …, "keys": [{"k": …} or {}, …]} */
static yyjson_mut_val *secrets_cut(yyjson_mut_doc *doc, bool *any)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *key;
    yyjson_mut_val *out = yyjson_mut_obj(doc), *list = yyjson_mut_arr(doc);
    size_t i, max;
    *any = false;
    for (size_t row = 0; row < ARRAY_LEN(secret_rows); row++)
        *any |=
            member_move(doc, yyjson_mut_obj_get(root, secret_rows[row].object),
                        out, secret_rows[row].member);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "keys"), i, max, key)
    {
        yyjson_mut_val *one = yyjson_mut_obj(doc);
        if (is_oct(key)) *any |= member_move(doc, key, one, "k");
        yyjson_mut_arr_append(list, one);
    }
    yyjson_mut_obj_add_val(doc, out, "keys", list);
    return out;
}

static void secrets_put(yyjson_mut_doc *doc, yyjson_mut_val *secrets)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *key;
    yyjson_mut_val *list = yyjson_mut_obj_get(secrets, "keys");
    size_t i, max;
    for (size_t row = 0; row < ARRAY_LEN(secret_rows); row++)
        member_move(doc, secrets,
                    yyjson_mut_obj_get(root, secret_rows[row].object),
                    secret_rows[row].member);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "keys"), i, max, key)
    {
        member_move(doc, yyjson_mut_arr_get(list, i), key, "k");
    }
}

bool secrets_take(struct call *c, const struct record *r, yyjson_mut_doc *doc)
{
    struct store *s = c->admin->conf.store;
    struct sv before;
    bool any;
    yyjson_mut_val *secrets = secrets_cut(doc, &any);
    struct sv text = json_encode(c->arena, secrets);
    int err = text.p ? 0 : ERR_NOMEM;
    if (!err && !any) { /* a row that is there must not outlive its secrets */
        err = store_sealed_get(s, r->id.text, c->arena, &before);
        if (err == ERR_NOTFOUND) return true;
    }
    if (!err) err = store_sealed_set(s, r->id.text, text);
    return err ? call_fail_store(c, err) : true;
}

static int shown_decode(const struct record *r, struct arena *arena,
                        yyjson_doc **out)
{
    struct buf b;
    buf_init(&b, RECORD_MAX_BYTES);
    record_show(r, &b);
    struct sv text =
        b.overflow ? (struct sv){ 0 } : arena_dup(arena, buf_sv(&b));
    buf_fini(&b);
    return text.p ? json_decode(text, arena, out, NULL) : ERR_NOMEM;
}

int record_open(struct admin *a, const struct record *r, struct arena *arena,
                yyjson_mut_doc **out)
{
    yyjson_doc *body, *secrets;
    struct sv text;
    int err = shown_decode(r, arena, &body);
    if (err) return err == ERR_NOMEM ? err : ERR_CORRUPT;
    *out = json_new(arena);
    if (!*out) return ERR_NOMEM;
    yyjson_mut_doc_set_root(
        *out, yyjson_val_mut_copy(*out, yyjson_doc_get_root(body)));
    err = store_sealed_get(a->conf.store, r->id.text, arena, &text);
    if (err == ERR_NOTFOUND) return 0;
    if (!err) err = json_decode(text, arena, &secrets, NULL);
    if (err) return err == ERR_NOMEM ? err : ERR_CORRUPT;
    secrets_put(*out, yyjson_val_mut_copy(*out, yyjson_doc_get_root(secrets)));
    return 0;
}

yyjson_val *record_opened(struct call *c, const struct record *r)
{
    yyjson_mut_doc *doc;
    struct sv text = { 0 };
    if (record_open(c->admin, r, c->arena, &doc) == 0)
        text = json_encode(c->arena, yyjson_mut_doc_get_root(doc));
    return text.p ? call_parse(c, text) : NULL;
}

/* --- what a GET showed, written back --------------------------------------------------- */

/* The secret of a present key that equals `shown` but for it; or NULL. */
static yyjson_mut_val *secret_of(yyjson_mut_doc *doc, yyjson_val *key,
                                 yyjson_mut_val *shown)
{
    yyjson_mut_val *copy = yyjson_val_mut_copy(doc, key);
    yyjson_mut_val *k = yyjson_mut_obj_remove_key(copy, "k");
    return k && yyjson_mut_equals(copy, shown) ? k : NULL;
}

/* First the key at the same place: keys without kid may look alike. */
static yyjson_mut_val *secret_find(yyjson_mut_doc *doc, yyjson_val *present,
                                   size_t at, yyjson_mut_val *shown)
{
    yyjson_val *keys = json_find(present, "keys"), *key;
    yyjson_mut_val *k = secret_of(doc, yyjson_arr_get(keys, at), shown);
    size_t i, max;
    yyjson_arr_foreach(keys, i, max, key)
    {
        if (!k) k = secret_of(doc, key, shown);
    }
    return k;
}

bool keys_complete(struct call *c, const struct record *before)
{
    yyjson_val *present = record_opened(c, before);
    yyjson_mut_doc *doc = json_new(c->arena);
    yyjson_mut_val *input = yyjson_val_mut_copy(doc, c->input), *key;
    yyjson_mut_val *keys = yyjson_mut_obj_get(input, "keys");
    size_t i, max;
    if (!present || !input) return call_fail_store(c, ERR_CORRUPT);
    if (yyjson_mut_is_obj(keys)) keys = yyjson_mut_obj_get(keys, "keys");
    yyjson_mut_arr_foreach(keys, i, max, key)
    {
        if (!is_oct(key) || yyjson_mut_obj_get(key, "k")) continue;
        yyjson_mut_val *k = secret_find(doc, present, i, key);
        if (k) yyjson_mut_obj_add_val(doc, key, "k", k);
    }
    struct sv text = json_encode(c->arena, input);
    c->input = text.p ? call_parse(c, text) : NULL;
    return c->input ? true : call_fail_store(c, ERR_NOMEM);
}

/* --- sources of keys --------------------------------------------------------------------- */

static int opened_text(struct admin *a, const struct record *r,
                       struct arena *arena, struct sv *out)
{
    yyjson_mut_doc *doc;
    int err = record_open(a, r, arena, &doc);
    if (err) return err;
    *out = json_encode(arena, yyjson_mut_doc_get_root(doc));
    return out->p ? 0 : ERR_NOMEM;
}

int key_set_source(struct admin *a, const struct record *r, struct arena *arena,
                   struct keyset_source *out)
{
    struct sv body;
    struct key_set set;
    int err = opened_text(a, r, arena, &body);
    if (!err) err = key_set_decode(body, arena, &set);
    if (err) return err;
    *out = (struct keyset_source){
        .kind = set.url.n ? KEYSET_URL : KEYSET_INLINE,
        .text = set.url.n ? set.url : set.keys,
        .cache_s = set.cache_s,
        .rotation_grace_s =
            set.rotation_grace_s ? set.rotation_grace_s : KEYSET_NO_GRACE,
        .max_stale_s = set.max_stale_s,
    };
    return 0;
}

static int named_source(struct admin *a, struct sv account_id,
                        const struct jwt_profile *p, struct arena *arena,
                        struct jwt_source *out)
{
    struct keyset_source *src = &out->sets[out->sets_n];
    struct record r;
    if (p->jwk_url.n || p->discovery.n) {
        out->sets_n++;
        *src = p->jwk_url.n ? (struct keyset_source){ .kind = KEYSET_URL,
                                                      .text = p->jwk_url }
                            : (struct keyset_source){ .kind = KEYSET_DISCOVERY,
                                                      .text = p->discovery };
        return 0;
    }
    if (!p->jwk_id.n) return 0;
    out->sets_n++;
    int err = store_record_get(a->conf.store, KIND_JWK, account_id, p->jwk_id,
                               arena, &r);
    if (err) return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    return key_set_source(a, &r, arena, src);
}

/* JWKs of a profile as one set, PEM texts as one text. */
static int inline_sources(const struct jwt_profile *p, struct arena *arena,
                          struct jwt_source *out)
{
    struct buf text[2];
    int err = 0;
    for (int pem = 0; pem < 2; pem++) {
        buf_init(&text[pem], JWK_TEXT_BYTES_MAX);
        for (unsigned i = 0; i < p->keys_n; i++) {
            if ((p->keys[i].p[0] != '{') != pem) continue;
            if (!pem) buf_puts(&text[0], text[0].n ? "," : "{\"keys\":[");
            buf_put(&text[pem], p->keys[i]);
            if (pem) buf_putc(&text[1], '\n');
        }
        if (!pem && text[0].n) buf_puts(&text[0], "]}");
        struct sv kept =
            text[pem].n ? arena_dup(arena, buf_sv(&text[pem])) : SV("");
        if (!kept.p || text[pem].overflow) err = ERR_NOMEM;
        if (kept.n)
            out->sets[out->sets_n++] =
                (struct keyset_source){ .kind = KEYSET_INLINE, .text = kept };
        buf_fini(&text[pem]);
    }
    return err;
}

static int without_keys(struct sv body, struct arena *arena, struct sv *out)
{
    yyjson_doc *doc;
    yyjson_mut_doc *copy = json_new(arena);
    int err = json_decode(body, arena, &doc, NULL);
    if (err || !copy) return err == ERR_INVALID ? ERR_CORRUPT : ERR_NOMEM;
    yyjson_mut_val *root = yyjson_val_mut_copy(copy, yyjson_doc_get_root(doc));
    yyjson_mut_obj_remove_key(root, "keys");
    *out = json_encode(arena, root);
    return out->p ? 0 : ERR_NOMEM;
}

int jwt_source_read(struct admin *a, struct sv account_id, struct sv jwt_id,
                    struct arena *arena, struct jwt_source *out)
{
    struct jwt_profile p;
    struct record r;
    struct sv body;
    *out = (struct jwt_source){ .profile = SV(""), .secret = SV("") };
    int err = store_record_get(a->conf.store, KIND_JWT, account_id, jwt_id,
                               arena, &r);
    if (err) return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    err = opened_text(a, &r, arena, &body);
    if (!err) err = jwt_profile_decode(body, arena, &p);
    if (!err) err = inline_sources(&p, arena, out);
    if (!err) err = named_source(a, account_id, &p, arena, out);
    out->secret = p.introspection.secret;
    return err ? err : without_keys(r.body, arena, &out->profile);
}

/* --- holding ---------------------------------------------------------------------------------- */

int keysets_hold_all(struct admin *a, const struct jwt_source *src,
                     struct plan_source *plan, struct jwk_why *why)
{
    *why = (struct jwk_why){ .reason = "cannot be used" };
    plan->keysets_n = 0;
    for (unsigned i = 0; i < src->sets_n; i++) {
        int err = keysets_hold(a->conf.keysets, &src->sets[i],
                               &plan->keysets[i], why);
        if (err) {
            keysets_drop_all(a, plan->keysets, i);
            return err;
        }
    }
    plan->keysets_n = src->sets_n;
    return 0;
}

void keysets_drop_all(struct admin *a, const struct keyset_ref *refs,
                      unsigned n)
{
    for (unsigned i = 0; i < n; i++) keysets_drop(a->conf.keysets, refs[i]);
}
