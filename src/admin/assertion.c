/* Keys of our assertions: see assertion.h. A rotation makes `next` sign, and
 * makes another `next`; so a key has been published for at least as long as
 * the set may be cached before anything is signed with it. */
#include "admin/assertion.h"

#include <stdio.h>

#include "admin/admin_int.h"
#include "admin/call.h"
#include "admin/nouns.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/base64url.h"
#include "codec/rfc3339.h"

#define SEALED_NAME "assertion-keys"

enum { TEXT_MAX = 8 * 1024, SKEW_MS = 60000, DAY_MS = 86400000 };

static const char *const uses[] = { "next", "now", "old" };

/* --- at rest ------------------------------------------------------------------ */

static void encode(const struct assertion_keys *all, struct buf *out)
{
    buf_puts(out, "{\"keys\":[");
    for (unsigned i = 0; i < all->n; i++) {
        const struct signing_key *k = &all->keys[i];
        char seed[(JWS_SEED_BYTES * 4 + 2) / 3];
        base64url_encode(sv_of(k->seed, JWS_SEED_BYTES), seed);
        buf_printf(out,
                   "%s{\"alg\":\"%s\",\"use\":\"%s\",\"seed\":\"%.*s\","
                   "\"made\":%lld,\"since\":%lld,\"until\":%lld}",
                   i ? "," : "", jose_alg_name(k->alg), uses[k->use],
                   (int)sizeof seed, seed, (long long)k->made_ms,
                   (long long)k->since_ms, (long long)k->until_ms);
        mem_wipe(seed, sizeof seed);
    }
    buf_puts(out, "]}");
}

static int key_decode(const yyjson_val *v, struct signing_key *out)
{
    struct sv use = json_text(json_find(v, "use"));
    struct sv seed = json_text(json_find(v, "seed"));
    unsigned u = 0;
    while (u < ARRAY_LEN(uses) && !sv_eq(use, sv_cstr(uses[u]))) u++;
    if (u == ARRAY_LEN(uses) ||
        base64url_decoded_bytes(seed.n) != JWS_SEED_BYTES ||
        base64url_decode(seed, out->seed) ||
        !jose_alg_find(json_text(json_find(v, "alg")), &out->alg) ||
        !json_is_int(json_find(v, "made"), &out->made_ms) ||
        !json_is_int(json_find(v, "since"), &out->since_ms) ||
        !json_is_int(json_find(v, "until"), &out->until_ms))
        return ERR_CORRUPT;
    out->use = (enum signing_use)u;
    return 0;
}

static int decode(struct sv text, struct arena *a, struct assertion_keys *out)
{
    yyjson_doc *doc;
    int err = json_decode(text, a, &doc, NULL);
    if (err) return err == ERR_NOMEM ? err : ERR_CORRUPT;
    yyjson_val *list = json_find(yyjson_doc_get_root(doc), "keys"), *v;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > SIGNING_KEYS_MAX)
        return ERR_CORRUPT;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, v)
    {
        err = key_decode(v, &out->keys[out->n++]);
        if (err) return err;
    }
    return 0;
}

static int read_all(struct store *s, struct assertion_keys *out)
{
    static char memory[8 * TEXT_MAX]; /* one thread; wiped */
    struct arena a;
    struct sv text;
    out->n = 0;
    arena_init(&a, 0, memory, sizeof memory);
    int err = store_sealed_get(s, SEALED_NAME, &a, &text);
    if (!err) err = decode(text, &a, out);
    arena_fini(&a);
    mem_wipe(memory, sizeof memory);
    return err == ERR_NOTFOUND ? 0 : err;
}

static int write_all(struct store *s, const struct assertion_keys *all)
{
    char memory[TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof memory);
    encode(all, &text);
    int err = text.overflow ? ERR_NOMEM
                            : store_sealed_set(s, SEALED_NAME, buf_sv(&text));
    mem_wipe(memory, sizeof memory);
    return err;
}

/* --- making and rotating -------------------------------------------------------- */

static struct signing_key *find(struct assertion_keys *all, enum jose_alg alg,
                                enum signing_use use)
{
    for (unsigned i = 0; i < all->n; i++)
        if (all->keys[i].alg == alg && all->keys[i].use == use)
            return &all->keys[i];
    return NULL;
}

static int add(struct assertion_keys *all, enum jose_alg alg,
               enum signing_use use, int64_t now_ms)
{
    if (all->n == SIGNING_KEYS_MAX) return ERR_FULL;
    struct signing_key *k = &all->keys[all->n++];
    *k = (struct signing_key){ .alg = alg,
                               .use = use,
                               .made_ms = now_ms,
                               .since_ms = use == SIGNING_NOW ? now_ms : 0 };
    jws_seed_make(alg, k->seed);
    return 0;
}

static int make(struct assertion_keys *all, enum jose_alg alg, int64_t now_ms)
{
    if (find(all, alg, SIGNING_NOW)) return 0;
    int err = add(all, alg, SIGNING_NOW, now_ms);
    return err ? err : add(all, alg, SIGNING_NEXT, now_ms);
}

/* ERR_AGAIN: `next` may still be unknown to those who cache the set. */
static int rotate(struct assertion_keys *all, enum jose_alg alg, int64_t now_ms)
{
    struct signing_key *now = find(all, alg, SIGNING_NOW);
    struct signing_key *next = find(all, alg, SIGNING_NEXT);
    if (!now || !next) return 0;
    if (next->made_ms + SIGNING_CACHE_S * 1000 > now_ms) return ERR_AGAIN;
    now->use = SIGNING_OLD;
    now->until_ms = now_ms + ASSERTION_LIFETIME_MAX_S * 1000 + SKEW_MS;
    next->use = SIGNING_NOW;
    next->since_ms = now_ms;
    return add(all, alg, SIGNING_NEXT, now_ms);
}

static const enum jose_alg algs_known[] = { JOSE_ES256, JOSE_EDDSA };

static int rotate_all(struct assertion_keys *all, int64_t now_ms)
{
    int err = 0;
    for (size_t i = 0; i < ARRAY_LEN(algs_known) && !err; i++)
        err = rotate(all, algs_known[i], now_ms);
    return err;
}

/* --- in force --------------------------------------------------------------------- */

int assertion_apply(struct admin *a, const struct assertion_keys *keys)
{
    a->assertion = *keys;
    if (!a->conf.signing) return 0;
    return signing_put(a->conf.signing, keys->keys, keys->n);
}

/* A transaction of its own. */
static int save(struct admin *a, const struct assertion_keys *keys)
{
    struct store *s = a->conf.store;
    int err = store_begin(s);
    if (!err) err = write_all(s, keys);
    if (!err) err = store_commit(s);
    store_rollback(s); /* without an open one: nothing */
    return err ? err : assertion_apply(a, keys);
}

int assertion_load(struct admin *a, uint32_t algs)
{
    struct assertion_keys all;
    int err = read_all(a->conf.store, &all);
    unsigned had = all.n;
    for (size_t i = 0; i < ARRAY_LEN(algs_known) && !err; i++)
        if (algs >> algs_known[i] & 1)
            err = make(&all, algs_known[i], clock_wall_ms());
    if (!err) err = all.n > had ? save(a, &all) : assertion_apply(a, &all);
    mem_wipe(&all, sizeof all);
    return err;
}

/* The keys as this change will leave them. */
static struct assertion_keys *changing(struct call *c)
{
    if (c->changes.assertion) return c->changes.assertion;
    struct assertion_keys *all = ARENA_NEW(c->arena, struct assertion_keys);
    if (!all) return NULL;
    *all = c->admin->assertion;
    return c->changes.assertion = all;
}

bool assertion_ensure(struct call *c, enum jose_alg alg)
{
    if (find(&c->admin->assertion, alg, SIGNING_NOW)) return true;
    struct assertion_keys *all = changing(c);
    int err = all ? make(all, alg, c->now_ms) : ERR_NOMEM;
    if (!err) err = write_all(c->admin->conf.store, all);
    return err ? call_fail_store(c, err) : true;
}

static bool prune(struct assertion_keys *all, int64_t wall_ms)
{
    unsigned n = 0;
    for (unsigned i = 0; i < all->n; i++)
        if (all->keys[i].use != SIGNING_OLD || all->keys[i].until_ms > wall_ms)
            all->keys[n++] = all->keys[i];
    bool gone = n < all->n;
    all->n = n;
    return gone;
}

static bool is_aged(const struct admin *a, int64_t wall_ms)
{
    int64_t age_ms = (int64_t)a->conf.assertion_key_days * DAY_MS;
    for (unsigned i = 0; age_ms && i < a->assertion.n; i++)
        if (a->assertion.keys[i].use == SIGNING_NOW &&
            a->assertion.keys[i].since_ms + age_ms <= wall_ms)
            return true;
    return false;
}

void assertion_tick(struct admin *a, int64_t wall_ms)
{
    if (!a->assertion.n) return;
    struct assertion_keys all = a->assertion;
    bool changed = prune(&all, wall_ms);
    if (is_aged(a, wall_ms)) changed |= rotate_all(&all, wall_ms) == 0;
    int err = changed ? save(a, &all) : 0;
    mem_wipe(&all, sizeof all);
    if (err) log_error("admin", "assertion keys: %s", err_text(err));
}

/* --- the endpoints ------------------------------------------------------------------ */

static void put_time(struct buf *out, const char *name, int64_t wall_ms)
{
    char text[RFC3339_TEXT];
    if (!wall_ms) return;
    rfc3339_encode(text, wall_ms);
    buf_printf(out, ",\"%s\":\"%.*s\"", name, (int)sizeof text, text);
}

static void show(struct call *c, const struct assertion_keys *all)
{
    answer_begin(c->a, 200, "");
    for (unsigned i = 0; i < all->n; i++) {
        const struct signing_key *k = &all->keys[i];
        struct jws_signer *signer;
        if (jws_signer_new(&signer, k->alg, k->seed, 1)) continue;
        answer_next(c->a);
        struct buf *out = &c->a->body;
        buf_printf(out, "{\"id\":\"%.*s\",\"algorithm\":\"%s\",\"use\":\"%s\"",
                   SV_FMT(jws_signer_kid(signer)), jose_alg_name(k->alg),
                   uses[k->use]);
        put_time(out, "usedSince", k->since_ms);
        put_time(out, "publishedUntil", k->until_ms);
        put_time(out, "createdAt", k->made_ms);
        put_time(out, "updatedAt", k->since_ms ? k->since_ms : k->made_ms);
        buf_putc(out, '}');
        jws_signer_free(&signer);
    }
    answer_end(c->a);
}

void assertion_key_list(struct call *c)
{
    show(c, &c->admin->assertion);
}

void assertion_key_rotate(struct call *c)
{
    struct assertion_keys *all = changing(c);
    int err = all ? rotate_all(all, c->now_ms) : ERR_NOMEM;
    if (err == ERR_AGAIN) {
        call_fail(c, 409, "too_early", NULL,
                  "The next key was published less than five minutes ago: "
                  "caches of the key set may not know it yet.");
        c->a->retry_after_s = SIGNING_CACHE_S;
        return;
    }
    if (!err) err = write_all(c->admin->conf.store, all);
    if (err)
        call_fail_store(c, err);
    else if (call_audit(c, "assertion-key", "rotate", SV(""), SV(""), SV("")))
        show(c, all);
}
