/* GET …/applications/{id}/origins: what is known of an application's origins
 * now. Read from the image in force and the states behind it; nothing of it is
 * in the store. */
#include "admin/nouns.h"

#include "base/clock.h"

static uint64_t read_of(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

/* As origins are written in a request: without what is understood. */
static void put_address(struct buf *b, const struct plan_origin *o)
{
    char memory[2048];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof memory);
    buf_puts(&text, o->at.tls ? "https://" : "http://");
    buf_put(&text, o->host_header);
    buf_put(&text, o->at.base);
    json_put_member(b, "address", buf_sv(&text));
}

static void put_until(struct buf *b, uint64_t until, uint64_t now_ms,
                      int64_t wall_ms)
{
    if (until)
        json_put_time(b, "ejectedUntil", wall_ms + (int64_t)(until - now_ms));
    else
        json_put_null(b, "ejectedUntil");
}

static void put_failures(struct buf *b, const struct origin_state *s)
{
    static const char *const kinds[] = {
#define X(id, text) text,
        ORIGIN_OUTCOMES(X)
#undef X
    };
    json_put_name(b, "failures");
    buf_putc(b, '{');
    for (unsigned k = 0; k < ORIGIN_FINE; k++)
        if (read_of(&s->outcomes[k]))
            json_put_u64(b, kinds[k], read_of(&s->outcomes[k]));
    buf_putc(b, '}');
}

static void put_state(struct call *c, const struct origin_state *s)
{
    static const char *const breakers[] = { "closed", "open", "half_open" };
    struct buf *b = &c->a->body;
    uint64_t now_ms = clock_mono_ns() / 1000000;
    uint64_t until = origin_ejected_until(s, now_ms);
    const char *health = origin_is_ill(s) ? "ill"
                         : until          ? "ejected"
                                          : "healthy";
    json_put_member(b, "health", sv_cstr(health));
    put_until(b, until, now_ms, c->now_ms);
    json_put_member(b, "breaker", sv_cstr(breakers[origin_breaker(s, now_ms)]));
    json_put_u64(b, "pending", origin_pending(s));
    json_put_u64(b, "ejections", read_of(&s->ejections));
    json_put_u64(b, "opened", read_of(&s->opened));
    json_put_u64(b, "refused", read_of(&s->refused));
    json_put_u64(b, "probes", read_of(&s->probes));
    json_put_u64(b, "probeFailures", read_of(&s->probe_failures));
    put_failures(b, s);
}

static void put_origin(struct call *c, struct sv name, unsigned weight,
                       const struct plan_origin *o,
                       const struct origin_state *s)
{
    struct buf *b = &c->a->body;
    answer_next(c->a);
    buf_putc(b, '{');
    json_put_member(b, "name", name);
    put_address(b, o);
    json_put_u64(b, "weight", weight);
    if (s)
        put_state(c, s);
    else
        json_put_member(b, "health", SV("unwatched"));
    buf_putc(b, '}');
}

void application_origins(struct call *c)
{
    const struct plan_app *a = application_find(c, c->route.vars[0]);
    if (!a) return;
    const struct plan_balance *b = a->balance;
    answer_begin(c->a, 200, "");
    for (unsigned i = 0; b && i < b->n; i++) {
        const struct upstream_origin *said =
            b->rules->n ? &b->rules->origins[i] : NULL;
        put_origin(c, said ? said->name : SV("origin-1"),
                   said ? said->weight : 1, &b->origins[i], b->states[i]);
    }
    if (!b && a->app.has_origin)
        put_origin(c, SV("origin-1"), 1, &a->origin, NULL);
    answer_end(c->a);
}
