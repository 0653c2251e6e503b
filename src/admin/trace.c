/* The trace of a decision, by its request's id (docs/analytics.md). */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "journal/names.h"

static void put_us(struct buf *b, const char *name, uint64_t ns)
{
    json_put_name(b, name);
    buf_printf(b, "%llu.%03u", (unsigned long long)(ns / 1000),
               (unsigned)(ns % 1000));
}

static void put_checks(struct buf *b, const struct trace *t)
{
    uint64_t sum_ns = 0;
    json_put_name(b, "checks");
    buf_putc(b, '[');
    for (unsigned i = 0; i < t->steps_n; i++) {
        const struct trace_step *s = &t->steps[i];
        buf_puts(b, i ? ",{" : "{");
        json_put_member(b, "check", sv_cstr(s->name));
        json_put_member(b, "verdict", trace_verdict_names[s->verdict]);
        put_us(b, "us", s->ns);
        buf_putc(b, '}');
        sum_ns += s->ns;
    }
    buf_putc(b, ']');
    put_us(b, "checks_us", sum_ns);
}

static void show(struct buf *b, const struct trace *t)
{
    buf_putc(b, '{');
    json_put_member(b, "id", sv_of(t->request_id, t->request_id_n));
    json_put_id(b, "application_id", KIND_APPLICATION, &t->application);
    if (t->has_token) json_put_id(b, "token_id", KIND_TOKEN, &t->token);
    json_put_member(b, "door", event_door_names[t->door]);
    json_put_member(b, "outcome", outcome_names[t->outcome]);
    if (t->code_n) json_put_member(b, "code", sv_of(t->code, t->code_n));
    if (t->status) {
        json_put_u64(b, "status", t->status);
    }
    json_put_bool(b, "sampled", t->sampled);
    put_checks(b, t);
    if (t->origin_us) {
        json_put_u64(b, "origin_us", t->origin_us);
    }
    json_put_u64(b, "total_us", t->total_us);
    json_put_time(b, "createdAt", t->at_ms);
    json_put_time(b, "updatedAt", t->at_ms);
    buf_putc(b, '}');
}

void trace_get(struct call *c)
{
    struct journal *j = c->admin->conf.journal;
    struct ulid account;
    struct trace *t = ARENA_NEW(c->arena, struct trace);
    if (!j || !t || id_parse(KIND_ACCOUNT, id_sv(&c->account_id), &account) ||
        !traces_find(j, &account, c->route.vars[0], t)) {
        call_not_found(c, "trace");
        return;
    }
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    show(&c->a->body, t);
    answer_end(c->a);
}
