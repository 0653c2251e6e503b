#include "live/alert_group.h"

#include "base/mem.h"
#include "codec/json.h"

void alert_group_fini(struct alert_group *g)
{
    mem_free(g->items);
    *g = (struct alert_group){ .n = 0 };
}

/* --- what happened ------------------------------------------------------------------ */

static struct alert_item *item_find(const struct alert_group *g,
                                    const struct alert_occurrence *o)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (!strcmp(g->items[i].key, o->key) &&
            sv_eq(id_sv(&g->items[i].app_id), id_sv(&o->app_id)))
            return &g->items[i];
    return NULL;
}

/* NULL: there are too many. */
static struct alert_item *item_new(struct alert_group *g)
{
    if (g->n == ALERT_ITEMS_MAX) return NULL;
    if (g->n == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 4;
        g->items = mem_realloc(g->items, g->cap * sizeof *g->items);
    }
    struct alert_item *i = &g->items[g->n++];
    *i = (struct alert_item){ .state = ALERT_NONE };
    return i;
}

static void item_take(struct alert_item *i, const struct alert_occurrence *o)
{
    if (!i->untold) i->first_ms = o->at_ms;
    i->last_ms = o->at_ms;
    i->state = o->state;
    i->app_id = o->app_id;
    memcpy(i->key, o->key, sizeof i->key);
    memcpy(i->title, o->title, sizeof i->title);
    memcpy(i->details, o->details, sizeof i->details);
}

const struct alert_item *alert_group_add(struct alert_group *g,
                                         const struct alert_occurrence *o)
{
    struct alert_item *i = item_find(g, o);
    if (o->state == ALERT_RESOLVED) {
        if (!i || i->state != ALERT_OPEN) return NULL;
        item_take(i, o);
        return i;
    }
    if (i && i->state == ALERT_OPEN) return NULL; /* known */
    if (!i && !(i = item_new(g))) {
        g->others += o->count;
        return NULL;
    }
    item_take(i, o);
    i->untold =
        i->untold + o->count < i->untold ? UINT32_MAX : i->untold + o->count;
    return o->state == ALERT_OPEN ? i : NULL;
}

void alert_group_load(struct alert_group *g, const struct alert_item *kept)
{
    struct alert_item *i = item_new(g);
    if (i) *i = *kept;
}

/* --- messages ------------------------------------------------------------------------ */

bool alert_item_is_new(const struct alert_item *i)
{
    return i->untold || (i->state == ALERT_RESOLVED && i->told == ALERT_OPEN);
}

static uint32_t news(const struct alert_group *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n; i++) n += alert_item_is_new(&g->items[i]);
    return n;
}

/* A clock that was set back must not silence it for longer than it would. */
bool alert_group_is_due(const struct alert_group *g, int64_t now_ms,
                        int64_t group_ms)
{
    bool waits = now_ms < g->until_ms && g->until_ms - now_ms <= group_ms;
    return !waits && (g->others || news(g));
}

void alert_group_title(const struct alert_group *g, struct buf *out)
{
    uint32_t n = news(g);
    for (uint32_t i = 0; i < g->n; i++) {
        if (!alert_item_is_new(&g->items[i])) continue;
        if (g->items[i].state == ALERT_RESOLVED) buf_puts(out, "Resolved: ");
        buf_puts(out, g->items[i].title);
        break;
    }
    if (!n) buf_printf(out, "%lu more", (unsigned long)g->others);
    if (n > 1) buf_printf(out, ", and %lu more", (unsigned long)n - 1);
}

static void item_show(const struct alert_item *i, struct buf *b)
{
    buf_putc(b, '{');
    json_put_member(b, "state", sv_cstr(alert_states[i->state]));
    json_put_member(b, "title", sv_cstr(i->title));
    json_put_member(b, "application_id", id_sv(&i->app_id));
    json_put_member(b, "subject", sv_cstr(i->key));
    json_put_name(b, "count");
    buf_put_u64(b, i->untold);
    json_put_time(b, "firstAt", i->first_ms);
    json_put_time(b, "lastAt", i->last_ms);
    json_put_name(b, "details");
    buf_puts(b, i->details[0] ? i->details : "{}");
    buf_putc(b, '}');
}

void alert_group_show(const struct alert_group *g, struct buf *b)
{
    uint32_t listed = 0, n = news(g);
    json_put_name(b, "items");
    buf_putc(b, '[');
    for (uint32_t i = 0; i < g->n && listed < ALERT_LISTED_MAX; i++) {
        if (!alert_item_is_new(&g->items[i])) continue;
        if (listed++) buf_putc(b, ',');
        item_show(&g->items[i], b);
    }
    buf_putc(b, ']');
    json_put_name(b, "more");
    buf_put_u64(b, (uint64_t)(n - listed) + g->others);
}

void alert_group_told(struct alert_group *g, int64_t now_ms, int64_t group_ms,
                      alert_kept_fn *kept, void *ctx)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        struct alert_item *item = &g->items[i];
        bool stands = item->state == ALERT_OPEN;
        bool was_kept = stands || item->state == ALERT_RESOLVED;
        item->told = item->state;
        item->untold = 0;
        if (!stands) item->state = ALERT_NONE;
        if (was_kept) kept(ctx, item);
        if (stands) g->items[n++] = *item;
    }
    g->n = n;
    g->others = 0;
    g->until_ms = now_ms + group_ms;
}
