/* Analytics: what requests came to, by time and by what they were (api.md §9;
 * docs/analytics.md). Read from the files that journal/figures.h makes; a page
 * reads one piece of time after the other and keeps the groups of one. */
#include "admin/analytics_int.h"
#include "admin/nouns.h"

#include <stdlib.h>

#include "base/err.h"
#include "codec/rfc3339.h"
#include "journal/names.h"

/* --- adding up one piece of time ------------------------------------------ */

static struct analytics_group *group_find(struct analytics *x,
                                          const uint64_t id[2])
{
    uint64_t mix = (id[0] ^ id[1] * 0x9e3779b97f4a7c15u) * 0xc2b2ae3d27d4eb4fu;
    uint32_t at = (uint32_t)(mix >> 40) % ANALYTICS_PLACES;
    while (x->places[at]) {
        struct analytics_group *g = &x->groups[x->places[at] - 1];
        if (g->id[0] == id[0] && g->id[1] == id[1]) return g;
        at = (at + 1) % ANALYTICS_PLACES;
    }
    struct analytics_group *g = &x->groups[x->groups_n++];
    *g = (struct analytics_group){ .id = { id[0], id[1] } };
    x->places[at] = x->groups_n;
    return g;
}

/* Beyond the ceiling a new group is one of the others. */
static struct analytics_group *group_get(struct analytics *x,
                                         const uint64_t id[2])
{
    static const uint64_t others[2] = { UINT64_MAX, UINT64_MAX };
    bool full = x->groups_n + 1 >= ANALYTICS_GROUPS;
    return group_find(x, full ? others : id);
}

static void group_id(const struct analytics *x, const struct figure_row *r,
                     uint64_t out[2])
{
    uint64_t value = figure_key_value(&r->key);
    out[0] = out[1] = 0;
    if (x->is_list) {
        out[0] = r->key.w[2];
        out[1] = r->key.w[3];
    } else if (x->dim == FIGURE_OUTCOME && x->grouped) {
        out[1] = (value & 63) >> 2; /* both doors alike */
    } else if (x->grouped) {
        out[1] = figure_dim_of(value, x->dim);
    }
}

static void add_row(void *ctx, const struct figure_row *r)
{
    struct analytics *x = ctx;
    enum figure_dim dim = figure_key_dim(&r->key);
    uint64_t id[2];
    if (dim == FIGURE_NAME ||
        (!x->is_list && x->of_facts != (dim == FIGURE_FACT)))
        return;
    if (!x->is_list && !x->of_facts && dim != x->dim) return;
    group_id(x, r, id);
    struct analytics_group *g = group_get(x, id);
    figure_total_add(&g->total, r);
    if (!x->is_list && (x->of_facts || dim == FIGURE_OUTCOME))
        g->outcomes[figure_fact_unpack(figure_key_value(&r->key)).outcome] +=
            r->sum[FIGURE_REQUESTS];
    if (r->text.n && !g->name.n) g->name = arena_dup(x->arena, r->text);
}

/* Most requests first; equal ones in an order that stays. */
static int by_requests(const void *a, const void *b)
{
    const struct analytics_group *g = *(struct analytics_group *const *)a,
                                 *h = *(struct analytics_group *const *)b;
    uint64_t m = g->total.sum[FIGURE_REQUESTS],
             n = h->total.sum[FIGURE_REQUESTS];
    if (m != n) return m > n ? -1 : 1;
    if (g->id[0] != h->id[0]) return g->id[0] < h->id[0] ? -1 : 1;
    return g->id[1] < h->id[1] ? -1 : g->id[1] > h->id[1];
}

static void piece_read(struct analytics *x, int64_t from_s, int64_t to_s)
{
    const struct figures_ask ask = {
        .from_s = from_s, .to_s = to_s, .first = x->first, .words = x->words
    };
    x->groups_n = 0;
    memset(x->places, 0, sizeof x->places);
    x->whole = figures_read(x->figures, &ask, add_row, x);
    if (!x->grouped) group_get(x, (uint64_t[]){ 0, 0 }); /* zeros are told */
    for (uint32_t i = 0; i < x->groups_n; i++) x->order[i] = &x->groups[i];
    qsort(x->order, x->groups_n, sizeof(void *), by_requests);
}

/* --- pages ---------------------------------------------------------------- */

static int64_t floor_to(int64_t s, int64_t span_s)
{
    return s / span_s * span_s;
}

/* Goes through all pieces up to the page's end; *more: there is another row. */
static void walk(struct analytics *x, bool *more)
{
    uint64_t row = 0;
    int64_t to_s;
    *more = false;
    for (int64_t s = x->from_s; s < x->to_s; s = to_s) {
        to_s = x->span_s ? floor_to(s, x->span_s) + x->span_s : x->to_s;
        if (to_s > x->to_s) to_s = x->to_s;
        if (!x->grouped && row + 1 < x->page_from) { /* one row a piece */
            row++;
            continue;
        }
        piece_read(x, s, to_s);
        for (uint32_t i = 0; i < x->groups_n; i++) {
            if (++row < x->page_from) continue;
            if (row >= x->page_to) {
                *more = true;
                return;
            }
            x->put(x, x->order[i], row, s, to_s);
        }
    }
}

void analytics_list(struct call *c)
{
    struct analytics *x;
    bool more;
    if (!analytics_asked(c, &x)) return;
    if (x->csv) {
        answer_ok(c->a, 200, "");
        buf_clear(&c->a->body);
        c->a->content_type = "text/csv; charset=utf-8";
        analytics_csv_head(x);
        x->put = analytics_put_csv;
        walk(x, &more);
        return;
    }
    answer_begin(c->a, 200, "");
    x->put = analytics_put_json;
    walk(x, &more);
    answer_end_list(c->a, more);
}

/* --- totals --------------------------------------------------------------- */

static void put_sums(struct buf *b, const struct totals_sums *s)
{
    uint64_t all = 0;
    json_put_name(b, "outcomes");
    buf_putc(b, '{');
    bool any = false;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        uint64_t n = s->requests[0][o] + s->requests[1][o];
        all += n;
        if (!n) continue;
        if (any) buf_putc(b, ',');
        any = true;
        json_put_text(b, outcome_names[o]);
        buf_putc(b, ':');
        buf_put_u64(b, n);
    }
    buf_putc(b, '}');
    const struct {
        const char *name;
        uint64_t n;
    } rows[] = {
        { "requests", all },
        { "bytes_in", s->bytes_in },
        { "bytes_out", s->bytes_out },
        { "cost", s->cost },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_put_name(b, rows[i].name);
        buf_put_u64(b, rows[i].n);
    }
}

void application_totals(struct call *c)
{
    struct totals_sums s = { .cost = 0 };
    struct ulid id;
    struct buf *b = &c->a->body;
    const struct plan_app *app = application_find(c, c->route.vars[0]);
    if (!app) return;
    if (c->admin->conf.totals && !id_parse(KIND_APPLICATION, app->app.id, &id))
        totals_read(c->admin->conf.totals, app->app.num, &id, &s);
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    buf_putc(b, '{');
    json_put_name(b, "id");
    json_put_text(b, app->app.id);
    put_sums(b, &s);
    buf_putc(b, '}');
    answer_end(c->a);
}
