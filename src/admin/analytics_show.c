/* Rows of analytics as JSON and as CSV (RFC 4180). */
#include "admin/analytics_int.h"

#include <stdio.h>

#include "codec/rfc3339.h"
#include "journal/names.h"

static const struct {
    const char *name;
    enum figure_sum sum;
} sums[] = {
    { "requests", FIGURE_REQUESTS },
    { "bytes_in", FIGURE_BYTES_IN },
    { "bytes_out", FIGURE_BYTES_OUT },
    { "cost", FIGURE_COST },
};
static const struct {
    const char *name;
    unsigned per_mille;
} times[] = {
    { "p50_us", 500 },
    { "p95_us", 950 },
    { "p99_us", 990 },
};

static bool is_others(const struct analytics_group *g)
{
    return g->id[0] == UINT64_MAX && g->id[1] == UINT64_MAX;
}

static struct sv route_name(const struct analytics *x, uint32_t id)
{
    const struct route_rule *rule =
        x->app && x->app->routes ? route_table_rule(x->app->routes, id) : NULL;
    if (!id) return SV("");
    if (!rule) return arena_printf(x->arena, "route_%08x", id);
    return rule->method.n
               ? arena_printf(x->arena, "%.*s %.*s", SV_FMT(rule->method),
                              SV_FMT(rule->public_path))
               : rule->public_path;
}

/* "" stands for none: no route, an unknown country, no answer's status. */
static struct sv group_name(const struct analytics *x,
                            const struct analytics_group *g)
{
    struct figure_fact f = figure_fact_unpack(g->id[1]);
    if (is_others(g)) return SV("others");
    if (x->is_list && x->list_kind == KIND_TOKEN) {
        struct ulid u;
        uint64_t words[2] = { __builtin_bswap64(g->id[0]),
                              __builtin_bswap64(g->id[1]) };
        memcpy(u.b, words, sizeof u.b);
        struct id id = id_make(KIND_TOKEN, &u);
        return arena_dup(x->arena, id_sv(&id));
    }
    if (x->is_list) return g->name;
    switch (x->dim) {
    case FIGURE_OUTCOME:
        return g->id[1] < OUTCOME_COUNT ? outcome_names[g->id[1]] : SV("");
    case FIGURE_STATUS:
        return f.status ? arena_printf(x->arena, "%u", f.status) : SV("");
    case FIGURE_COUNTRY:
        return f.country[0] ? arena_dup(x->arena, sv_of(f.country, 2)) : SV("");
    default: return route_name(x, f.route);
    }
}

static void put_name(struct buf *b, const char *name)
{
    json_put_name(b, name);
}

static void put_time(struct buf *b, const char *name, int64_t s)
{
    char at[RFC3339_TEXT];
    rfc3339_encode(at, s * 1000);
    put_name(b, name);
    json_put_text(b, sv_of(at, sizeof at));
}

static void put_outcomes(struct buf *b, const struct analytics_group *g)
{
    bool any = false;
    put_name(b, "outcomes");
    buf_putc(b, '{');
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        if (!g->outcomes[o]) continue;
        if (any) buf_putc(b, ',');
        any = true;
        json_put_text(b, outcome_names[o]);
        buf_putc(b, ':');
        buf_put_u64(b, g->outcomes[o]);
    }
    buf_putc(b, '}');
}

void analytics_put_json(struct analytics *x, const struct analytics_group *g,
                        uint64_t row, int64_t from_s, int64_t to_s)
{
    struct buf *b = &x->c->a->body;
    char id[24];
    answer_next(x->c->a);
    buf_putc(b, '{');
    put_name(b, "id");
    snprintf(id, sizeof id, "%llu", (unsigned long long)row);
    json_put_text(b, sv_cstr(id));
    put_time(b, "start", from_s);
    put_time(b, "end", to_s);
    if (x->grouped) {
        put_name(b, "group");
        json_put_text(b, group_name(x, g));
    }
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        put_name(b, sums[i].name);
        buf_put_u64(b, g->total.sum[sums[i].sum]);
    }
    if (!x->grouped) put_outcomes(b, g);
    put_name(b, "latency");
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (!i) buf_putc(b, '{');
        put_name(b, times[i].name);
        buf_put_u64(b, sketch_quantile(g->total.times, times[i].per_mille));
    }
    buf_putc(b, '}');
    if (!x->whole) {
        put_name(b, "incomplete");
        buf_puts(b, "true");
    }
    buf_putc(b, '}');
}

/* --- CSV ------------------------------------------------------------------ */

/* Quoted always: a text may hold commas and quotes. One that a spreadsheet
 * would take for a formula begins with an apostrophe. */
static void put_cell(struct buf *b, struct sv text)
{
    buf_putc(b, '"');
    if (text.n && memchr("=+-@\t\r", text.p[0], 6)) buf_putc(b, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"') buf_putc(b, '"');
        buf_putc(b, text.p[i]);
    }
    buf_putc(b, '"');
}

void analytics_csv_head(struct analytics *x)
{
    struct buf *b = &x->c->a->body;
    buf_puts(b, x->grouped ? "start,end,group" : "start,end");
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        buf_printf(b, ",%s", sums[i].name);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        buf_printf(b, ",%s", times[i].name);
    buf_puts(b, "\r\n");
}

void analytics_put_csv(struct analytics *x, const struct analytics_group *g,
                       uint64_t row, int64_t from_s, int64_t to_s)
{
    struct buf *b = &x->c->a->body;
    char at[RFC3339_TEXT];
    (void)row;
    rfc3339_encode(at, from_s * 1000);
    buf_put(b, sv_of(at, sizeof at));
    buf_putc(b, ',');
    rfc3339_encode(at, to_s * 1000);
    buf_put(b, sv_of(at, sizeof at));
    if (x->grouped) {
        buf_putc(b, ',');
        put_cell(b, group_name(x, g));
    }
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        buf_printf(b, ",%llu", (unsigned long long)g->total.sum[sums[i].sum]);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        buf_printf(b, ",%llu",
                   (unsigned long long)sketch_quantile(g->total.times,
                                                       times[i].per_mille));
    buf_puts(b, "\r\n");
}
