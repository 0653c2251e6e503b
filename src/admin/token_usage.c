/* A token's use: counters now, outcomes by day (api.md §3). */
#include "admin/token_int.h"

#include "base/clock.h"
#include "base/err.h"
#include "codec/rfc3339.h"

#include <stdio.h>

enum { DAYS_DEFAULT = 30, DAYS_MAX = 400 };

static void put_number(struct buf *b, const char *name, int64_t n)
{
    json_put_name(b, name);
    buf_put_i64(b, n);
}

static bool counters_now(struct call *c, const struct token_row *row,
                         struct token_own *own, struct take_ask *ask,
                         struct counter_state *out)
{
    int err = token_own_decode(row->body, c->arena, own);
    if (err) return call_fail_store(c, err);
    token_ask(token_app(c, row), row, own, ask);
    err = token_counters(c, ask, out);
    return err ? call_fail_store(c, err) : true;
}

/* --- counters --------------------------------------------- */

static void put_limits(struct buf *b, const struct take_ask *ask,
                       const struct counter_state *now)
{
    json_put_name(b, "limits");
    buf_putc(b, '[');
    for (unsigned i = 0; i < now->limits_n; i++) {
        buf_puts(b, i ? ",{" : "{");
        json_put_member(b, "name", sv_cstr(ask->terms.limits[i].name));
        put_number(b, "limit", now->limits[i].limit);
        put_number(b, "timeWindow", ask->terms.limits[i].window_s);
        put_number(b, "used", now->limits[i].used);
        put_number(b, "remaining", now->limits[i].remaining);
        put_number(b, "reset", now->limits[i].reset_s);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_totals(struct buf *b, const struct token_row *row,
                       const struct counter_state *now)
{
    struct id id = id_make(KIND_TOKEN, &row->id);
    buf_putc(b, '{');
    json_put_member(b, "id", id_sv(&id));
    put_number(b, "passed", now->passed);
    put_number(b, "limited", now->limited);
    json_put_time(b, "lastUsedAt", now->last_used_s * 1000ll);
}

static void counters_answer(struct call *c)
{
    const struct token_row *row = c->user;
    struct token_own own;
    struct take_ask ask;
    struct counter_state now = { .used = 0 };
    struct buf *b = &c->a->body;
    if (!counters_now(c, row, &own, &ask, &now)) return;
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    put_totals(b, row, &now);
    put_number(b, "used", now.used);
    json_put_name(b, "remaining");
    if (now.has_quota)
        buf_put_i64(b, now.quota_remaining);
    else
        buf_puts(b, "null");
    put_limits(b, &ask, &now);
    buf_putc(b, '}');
    answer_end(c->a);
}

void token_counters_get(struct call *c)
{
    struct token_row row = { .version = 0 };
    if (!token_find(c, false, &row)) return;
    c->user = &row;
    counters_answer(c);
}

void token_counters_reset(struct call *c)
{
    struct token_row *row = ARENA_NEW(c->arena, struct token_row);
    if (!row || !token_find(c, false, row)) return;
    struct id id = id_make(KIND_TOKEN, &row->id);
    if (!change_counter(c, COUNTER_RESET, row->slot, ulid_tag(&row->id), 0) ||
        !call_audit(c, "token", "reset", id_sv(&id), SV(""), SV("")))
        return;
    answer_ok(c->a, 200, "");
    c->user = row;
    c->finish = counters_answer;
}

/* --- days --------------------------------------------- */

static bool day_param(struct call *c, const char *name, int64_t fallback_ms,
                      uint32_t *day)
{
    struct sv text = query_find(&c->query, sv_cstr(name));
    char full[RFC3339_TEXT + 8];
    int64_t ms = fallback_ms;
    if (text.p) {
        int n = snprintf(full, sizeof full, "%.*sT00:00:00Z",
                         SV_FMT(sv_first(text, 11)));
        if (rfc3339_decode(sv_of(full, (size_t)n), &ms) || ms < 0)
            return call_fail(c, 400, "invalid_value", name,
                             "It must be a day, as in 2026-01-31.");
    }
    *day = (uint32_t)(ms / 86400000);
    return true;
}

static void put_day(struct buf *b, uint32_t day)
{
    char text[RFC3339_TEXT];
    rfc3339_encode(text, day * 86400000ll);
    json_put_member(b, "day", sv_of(text, 10));
}

static void put_days(struct buf *b, const struct use_row *rows, size_t n)
{
    char code[48];
    json_put_name(b, "days");
    buf_putc(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (!i || rows[i].day != rows[i - 1].day) {
            buf_puts(b, i ? "}},{" : "{");
            put_day(b, rows[i].day);
            buf_puts(b, ",\"outcomes\":{");
        }
        snprintf(code, sizeof code, "%.*s", SV_FMT(rows[i].code));
        put_number(b, code, (int64_t)rows[i].count);
    }
    buf_puts(b, n ? "}}]" : "]");
}

/* --- sums of the days, by analytics --------------------------------------------- */

static void add_row(void *total, const struct figure_row *r)
{
    figure_total_add(total, r);
}

static void put_figures(struct call *c, const struct token_row *row,
                        uint32_t from, uint32_t to)
{
    static const char *const names[FIGURE_SUMS] = { "requests", "bytes_in",
                                                    "bytes_out", "cost" };
    struct buf *b = &c->a->body;
    const struct plan_app *app = token_app(c, row);
    struct figure_total *t = ARENA_NEW(c->arena, struct figure_total);
    uint64_t id[2];
    if (!c->admin->conf.figures || !app || !t) return;
    memcpy(id, row->id.b, sizeof id);
    const struct figures_ask ask = {
        .from_s = (int64_t)from * 86400,
        .to_s = ((int64_t)to + 1) * 86400,
        .first = { { app->scope, FIGURE_TOKEN, __builtin_bswap64(id[0]),
                     __builtin_bswap64(id[1]), 0 } },
        .words = 4,
    };
    bool whole = figures_read(c->admin->conf.figures, &ask, add_row, t);
    json_put_name(b, "figures");
    for (int i = 0; i < FIGURE_SUMS; i++) {
        if (!i) buf_putc(b, '{');
        put_number(b, names[i], (int64_t)t->sum[i]);
    }
    put_number(b, "p50_us", (int64_t)sketch_quantile(t->times, 500));
    put_number(b, "p95_us", (int64_t)sketch_quantile(t->times, 950));
    put_number(b, "p99_us", (int64_t)sketch_quantile(t->times, 990));
    if (!whole) {
        json_put_name(b, "incomplete");
        buf_puts(b, "true");
    }
    buf_putc(b, '}');
}

void token_usage(struct call *c)
{
    struct token_row row = { .version = 0 };
    struct token_own own;
    struct take_ask ask;
    struct counter_state now = { .used = 0 };
    struct use_row *rows;
    uint32_t from = 0, to = 0;
    size_t n;
    if (!token_find(c, false, &row) ||
        !counters_now(c, &row, &own, &ask, &now) ||
        !day_param(c, "start", c->now_ms - DAYS_DEFAULT * 86400000ll, &from) ||
        !day_param(c, "end", c->now_ms, &to))
        return;
    if (to < from || to - from > DAYS_MAX) {
        call_fail(c, 400, "invalid_value", "end",
                  "end must be at most 400 days after start.");
        return;
    }
    int err = store_use_list(c->admin->conf.store, &row.id, from, to, c->arena,
                             &rows, &n);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    put_totals(&c->a->body, &row, &now);
    put_days(&c->a->body, rows, n);
    put_figures(c, &row, from, to);
    buf_putc(&c->a->body, '}');
    answer_end(c->a);
}
