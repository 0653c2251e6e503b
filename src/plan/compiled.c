/* Compiled forms by the digest of their document. The digest is asked of
 * stored documents only: who can write one can also attach the other. */
#include "plan/compiled.h"

#include "base/ensure.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/digest.h"

struct compiled_set {
    struct map by_key;
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
                        struct sv key, struct compiled **out,
                        struct plan_problem *why)
{
    struct arena arena;
    arena_init(&arena, type->budget, NULL, 0);
    struct compiled *c = ARENA_NEW(&arena, struct compiled);
    ENSURE(c);
    c->type = type;
    c->key = arena_dup(&arena, key);
    int err = type->build(doc, &arena, &c->value, why);
    c->arena = arena;
    if (err)
        compiled_free(c);
    else
        *out = c;
    return err;
}

int compiled_hold(struct compiled_set *s, const struct compiled_type *type,
                  struct sv doc, struct compiled **out,
                  struct plan_problem *why)
{
    uint8_t digest[SHA256_BYTES];
    sha256_parts((const struct sv[]){ sv_cstr(type->name), SV("\n"), doc }, 3,
                 digest);
    struct sv key = sv_of((const char *)digest, sizeof digest);
    struct compiled *c = map_find(&s->by_key, key);
    if (!c) {
        int err = compiled_new(type, doc, key, &c, why);
        if (err) return err;
        c->set = s;
        map_put(&s->by_key, c->key, c);
    }
    c->refs++;
    *out = c;
    return 0;
}

void compiled_drop(struct compiled *c)
{
    if (!c || --c->refs) return;
    map_remove(&c->set->by_key, c->key);
    if (c->type->fini) c->type->fini(c->value);
    compiled_free(c);
}

size_t compiled_count(const struct compiled_set *s)
{
    return s->by_key.n;
}
