/* Compiled forms by the digest of their document. The digest is asked of
 * stored documents only: who can write one can also attach the other. */
#include "plan/compiled.h"

#include "base/ensure.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/digest.h"

struct compiled_set {
    struct map by_key;
    compiled_fn *leaving;
    void *leaving_ctx;
};

void compiled_set_new(struct compiled_set **out)
{
    *out = NEW(struct compiled_set);
}

void compiled_set_free(struct compiled_set **at)
{
    struct compiled_set *s = *at;
    if (!s) return;
    ENSURE(s->by_key.n == 0);
    map_fini(&s->by_key);
    mem_free(s);
    *at = NULL;
}

static void compiled_free(struct compiled *c)
{
    struct arena arena = c->arena; /* c lies in it */
    arena_fini(&arena);
}

static int compiled_new(const struct compiled_type *type, struct sv doc,
                        struct sv text, struct sv key, struct compiled **out,
                        struct plan_problem *why)
{
    struct arena arena;
    arena_init(&arena, type->budget, NULL, 0);
    struct compiled *c = ARENA_NEW(&arena, struct compiled);
    ENSURE(c);
    c->type = type;
    c->key = arena_dup(&arena, key);
    int err = type->build_beside
                  ? type->build_beside(doc, text, &arena, &c->value, why)
                  : type->build(doc, &arena, &c->value, why);
    c->arena = arena;
    if (err)
        compiled_free(c);
    else
        *out = c;
    return err;
}

static void key_of(const struct compiled_type *type, struct sv doc,
                   uint8_t out[SHA256_BYTES])
{
    sha256_parts((const struct sv[]){ sv_cstr(type->name), SV("\n"), doc }, 3,
                 out);
}

bool compiled_is_there(const struct compiled_set *s,
                       const struct compiled_type *type, struct sv doc)
{
    uint8_t digest[SHA256_BYTES];
    key_of(type, doc, digest);
    return map_find(&s->by_key, sv_of((const char *)digest, sizeof digest)) !=
           NULL;
}

int compiled_hold(struct compiled_set *s, const struct compiled_type *type,
                  struct sv doc, struct sv text, struct compiled **out,
                  struct plan_problem *why)
{
    uint8_t digest[SHA256_BYTES];
    key_of(type, doc, digest);
    struct sv key = sv_of((const char *)digest, sizeof digest);
    struct compiled *c = map_find(&s->by_key, key);
    if (!c) {
        int err = compiled_new(type, doc, text, key, &c, why);
        if (err) return err;
        c->set = s;
        map_put(&s->by_key, c->key, c);
    }
    c->refs++;
    *out = c;
    return 0;
}

void compiled_set_leaving(struct compiled_set *s, compiled_fn *fn, void *ctx)
{
    s->leaving = fn;
    s->leaving_ctx = ctx;
}

void compiled_each(struct compiled_set *s, compiled_fn *fn, void *ctx)
{
    struct map_entry e;
    size_t at = 0;
    while (map_next(&s->by_key, &at, &e)) {
        const struct compiled *c = e.value;
        fn(ctx, c->type, c->value);
    }
}

void compiled_drop(struct compiled *c)
{
    if (!c || --c->refs) return;
    map_remove(&c->set->by_key, c->key);
    if (c->set->leaving)
        c->set->leaving(c->set->leaving_ctx, c->type, c->value);
    if (c->type->fini) c->type->fini(c->value);
    compiled_free(c);
}

size_t compiled_count(const struct compiled_set *s)
{
    return s->by_key.n;
}
