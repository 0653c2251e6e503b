/* Violations: where, by which keyword, and a sentence. */
#include <stdio.h>

#include "codec/json_place.h"
#include "codec/schema_run_int.h"

enum { POINTER_BYTES_MAX = 4096, CUT_BYTES = 60 };

struct sv run_cut(struct sv s)
{
    if (s.n <= CUT_BYTES) return s;
    size_t n = CUT_BYTES;
    while (n && (s.p[n] & 0xc0) == 0x80) n--;
    return sv_first(s, n);
}

static void place_put(struct buf *b, const struct place *at)
{
    if (!at) return;
    place_put(b, at->up);
    if (at->name.p)
        json_place_put_step(b, at->name);
    else
        buf_printf(b, "/%zu", at->index);
}

static void location_put(struct buf *b, const struct schema *s, uint32_t node)
{
    uint32_t chain[128], n = 0;
    for (; node != SCHEMA_NONE && n < 128; node = s->nodes[node].up)
        chain[n++] = node;
    buf_putc(b, '#');
    while (n) buf_put(b, s->nodes[chain[--n]].path);
}

static struct sv text_keep(struct schema_judge *j, struct buf *b)
{
    struct sv kept = arena_dup(j->arena, buf_sv(b));
    buf_clear(b);
    b->overflow = false;
    return kept.p ? kept : SV("");
}

void schema_judge_note(struct schema_judge *j, struct schema_violation v)
{
    if (!j->violations)
        j->violations =
            ARENA_ARRAY(j->arena, struct schema_violation, j->violations_max);
    if (!j->violations || j->violations_n == j->violations_max) {
        j->more = true;
        return;
    }
    j->violations[j->violations_n++] = v;
}

static void note(const struct look *l, const struct place *at, unsigned keyword,
                 const char *fmt, va_list ap)
{
    char memory[POINTER_BYTES_MAX], says[256];
    struct schema_violation v = { .keyword = schema_keywords[keyword].name };
    struct schema_judge *j = l->r->j;
    struct buf b;
    if (j->violations_n == j->violations_max) {
        j->more = true;
        return;
    }
    buf_init_fixed(&b, memory, sizeof memory);
    buf_put(&b, j->prefix);
    place_put(&b, at);
    v.instance = text_keep(j, &b);
    location_put(&b, l->r->s, l->node);
    if (keyword != KW_FALSE) json_place_put_step(&b, v.keyword);
    v.location = text_keep(j, &b);
    int n = vsnprintf(says, sizeof says, fmt, ap);
    v.says = arena_dup(j->arena, sv_of(says, n < 0 ? 0
                                             : (size_t)n < sizeof says
                                                 ? (size_t)n
                                                 : sizeof says - 1));
    schema_judge_note(j, v);
}

bool run_fail(const struct look *l, unsigned keyword, const char *fmt, ...)
{
    if (run_stops(l->r)) return false;
    va_list ap;
    va_start(ap, fmt);
    note(l, l->at, keyword, fmt, ap);
    va_end(ap);
    return false;
}

bool run_fail_at(const struct look *l, const struct place *at, unsigned keyword,
                 const char *fmt, ...)
{
    if (run_stops(l->r)) return false;
    va_list ap;
    va_start(ap, fmt);
    note(l, at, keyword, fmt, ap);
    va_end(ap);
    return false;
}
