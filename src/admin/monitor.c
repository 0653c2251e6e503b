/* The monitor of an application (api.md §7): a member of the application,
 * written whole; and what was found, out of the table (how it is) and the
 * application's file (how it was). */
#include "admin/monitor_show.h"

#include "admin/admin_int.h"
#include "admin/detach.h"
#include "admin/nouns.h"
#include "admin/publish_int.h"
#include "base/err.h"
#include "base/mem.h"

#define FIELD "monitor"
enum {
    HOUR_MS = UPTIME_HOUR_S * 1000,
    DAY_H = 24,
    PARTS_MAX = 3 * DAY_H, /* hours up to here, then days */
};
static const int64_t KEPT_MS = (int64_t)UPTIME_KEPT_H * HOUR_MS;

/* --- from a plan to the monitors ------------------------------------------------ */

void monitor_publish(struct admin *a, const struct plan_app *image)
{
    const struct plan_balance *b = image->balance;
    struct origin_place single = { .at = &image->origin.at,
                                   .verify = image->origin.tls_verify };
    if (!a->conf.monitors) return;
    struct monitor_source s = {
        .account_id = image->app.account_id,
        .application_id = image->app.id,
        .name = image->app.name,
        .monitor = image->app.monitor,
        .origins = b && b->n ? b->places : &single,
        .n = b && b->n ? b->n : image->app.has_origin,
        .feeds = b && b->monitored,
    };
    monitors_put(a->conf.monitors, &s);
}

/* --- its settings ----------------------------------------------------------------- */

static void put_identity(struct buf *b, const struct record *app)
{
    struct ulid u;
    struct id id = { "" };
    if (!id_parse(KIND_APPLICATION, id_sv(&app->id), &u))
        id = id_make(KIND_MONITOR, &u);
    json_put_member(b, "id", id_sv(&id));
    json_put_member(b, "application_id", id_sv(&app->id));
    json_put_time(b, "createdAt", app->created_ms);
    json_put_time(b, "updatedAt", app->updated_ms);
}

/* As stored; of an application that is older than monitors, the defaults. */
static struct sv settings_of(struct call *c, const struct record *app)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why;
    yyjson_mut_doc *doc;
    yyjson_val *value = json_find(call_parse(c, app->body), FIELD);
    if (yyjson_is_obj(value)) return json_encode_val(c->arena, value);
    yyjson_val *nothing = call_parse(c, SV("{}"));
    if (shape_create(&shape_monitor, &env, nothing, &doc, &why)) return SV("");
    return json_encode(c->arena, yyjson_mut_doc_get_root(doc));
}

static void answer(struct call *c, const struct record *app,
                   const char *message)
{
    struct buf *b = &c->a->body;
    struct sv settings = settings_of(c, app);
    if (settings.n < 3) {
        call_fail_store(c, ERR_CORRUPT);
        return;
    }
    answer_begin(c->a, 200, message);
    answer_next(c->a);
    buf_putc(b, '{');
    put_identity(b, app);
    buf_putc(b, ',');
    buf_put(b, sv_from(settings, 1));
    answer_end(c->a);
    call_set_etag(c, app->version);
}

void monitor_get(struct call *c)
{
    struct record app = { .version = 0 };
    if (noun_find(c, &noun_application, &app)) answer(c, &app, "");
}

void monitor_put(struct call *c)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    struct record app = { .version = 0 }, after = { .version = 0 };
    yyjson_mut_doc *settings, *doc;
    if (!noun_find(c, &noun_application, &app) ||
        !call_if_match(c, app.version))
        return;
    int err = shape_create(&shape_monitor, &env, c->input, &settings, &why);
    if (err) {
        call_fail_shape(c, err, &why);
        return;
    }
    if (!(doc = document_of(c, &noun_application, &app))) return;
    yyjson_mut_val *value =
        yyjson_mut_val_mut_copy(doc, yyjson_mut_doc_get_root(settings));
    err = shape_member_set(doc, FIELD, value);
    if (err)
        call_fail_store(c, err);
    else if (noun_update(c, &noun_application, &app, doc, &after))
        answer(c, &after, "Stored.");
}

/* --- what was found ----------------------------------------------------------------- */

struct period {
    int64_t start_ms, end_ms;
    uint32_t first, last; /* hours since 1970 */
    unsigned part_h;      /* hours of a part; 0: no parts */
    struct uptime_sum all;
    struct uptime_sum parts[PARTS_MAX];
};

static void add_hour(void *ctx, unsigned endpoint, const struct uptime_hour *h)
{
    struct period *p = ctx;
    (void)endpoint;
    uptime_merge(&p->all, h);
    if (!p->part_h) return;
    unsigned part = h->hour / p->part_h - p->first / p->part_h;
    if (part < PARTS_MAX) uptime_merge(&p->parts[part], h);
}

static void put_parts(struct buf *b, const struct period *p)
{
    int64_t part_ms = (int64_t)p->part_h * HOUR_MS;
    int64_t from = (int64_t)(p->first / p->part_h) * part_ms;
    json_put_member(b, "granularity", p->part_h == 1 ? SV("hour") : SV("day"));
    json_put_name(b, "intervals");
    buf_putc(b, '[');
    for (unsigned i = 0; i < PARTS_MAX; i++) {
        const struct uptime_sum *s = &p->parts[i];
        int64_t start = from + (int64_t)i * part_ms;
        if (!s->probes && !s->maintained) continue;
        buf_puts(b, b->p[b->n - 1] == '[' ? "{" : ",{");
        monitor_show_sum(b, s, start, start + part_ms);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

/* Sums, parts and incidents; without a file there is nothing yet. */
static void put_period(struct call *c, const struct record *app,
                       struct period *p)
{
    struct buf *b = &c->a->body;
    struct uptime_file f;
    unsigned n = 0;
    struct uptime_incident *list =
        mem_alloc(UPTIME_INCIDENTS * sizeof(struct uptime_incident));
    p->first = (uint32_t)(p->start_ms / HOUR_MS);
    p->last = (uint32_t)(p->end_ms / HOUR_MS);
    if (c->admin->conf.monitors &&
        !monitors_file(c->admin->conf.monitors, id_sv(&app->id), &f)) {
        uptime_hours_each(&f, p->first, p->last, add_hour, p);
        n = uptime_incidents_load(&f, p->start_ms, p->end_ms, list);
        uptime_file_close(&f);
    }
    monitor_show_sum(b, &p->all, p->start_ms, p->end_ms);
    if (p->part_h) put_parts(b, p);
    monitor_show_incidents(b, list, n, c->now_ms);
    mem_free(list);
}

void monitor_status_get(struct call *c)
{
    struct buf *b = &c->a->body;
    struct record app = { .version = 0 };
    struct monitor_status *s = ARENA_NEW(c->arena, struct monitor_status);
    struct period *p = ARENA_NEW(c->arena, struct period);
    if (!noun_find(c, &noun_application, &app)) return;
    if (!s || !p) {
        call_fail_store(c, ERR_NOMEM);
        return;
    }
    if (c->admin->conf.monitors)
        monitors_status(c->admin->conf.monitors, id_sv(&app.id), c->arena, s);
    p->start_ms = c->now_ms - (int64_t)DAY_H * HOUR_MS;
    p->end_ms = c->now_ms;
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    buf_putc(b, '{');
    put_identity(b, &app);
    json_put_bool(b, "enabled", s->known);
    json_put_member(b, "status", sv_cstr(health_status_name(s->status)));
    monitor_show_targets(b, s);
    put_period(c, &app, p);
    buf_putc(b, '}');
    answer_end(c->a);
}

/* From the query, or else the body. */
static bool date(struct call *c, const char *name, bool whole, int64_t *out)
{
    struct sv text = query_find(&c->query, sv_cstr(name));
    yyjson_val *v = c->input ? json_find(c->input, name) : NULL;
    if (!text.p && v && !yyjson_is_str(v) && !yyjson_is_null(v))
        return call_fail(c, 400, "invalid_type", name, "It must be a text.");
    if (!text.p && yyjson_is_str(v)) text = json_text(v);
    return call_time(c, name, text, whole, out);
}

static bool body_known(struct call *c)
{
    struct shape_problem why = { .field = "" };
    struct shape_env env = call_shape_env(c);
    yyjson_mut_doc *ignored;
    const struct shape *shape = c->route.endpoint->body;
    if (!c->input) return true;
    int err = shape_create(shape, &env, c->input, &ignored, &why);
    return !err || call_fail_shape(c, err, &why);
}

static bool period_asked(struct call *c, struct period *p)
{
    p->end_ms = c->now_ms;
    p->start_ms = c->now_ms - KEPT_MS;
    if (!body_known(c) || !date(c, "start_date", false, &p->start_ms) ||
        !date(c, "end_date", true, &p->end_ms))
        return false;
    if (p->end_ms < p->start_ms)
        return call_fail(c, 400, "invalid_value", "end_date",
                         "It must not lie before start_date.");
    /* what lies outside of what is kept has nothing */
    int64_t oldest = c->now_ms - KEPT_MS;
    if (p->start_ms < oldest) p->start_ms = oldest;
    if (p->end_ms > c->now_ms) p->end_ms = c->now_ms;
    if (p->end_ms < p->start_ms) p->end_ms = p->start_ms;
    bool hours = p->end_ms - p->start_ms < (int64_t)(PARTS_MAX - 1) * HOUR_MS;
    p->part_h = hours ? 1 : DAY_H;
    return true;
}

void monitor_history_get(struct call *c)
{
    struct buf *b = &c->a->body;
    struct record app = { .version = 0 };
    struct period *p = ARENA_NEW(c->arena, struct period);
    if (!noun_find(c, &noun_application, &app)) return;
    if (!p) {
        call_fail_store(c, ERR_NOMEM);
        return;
    }
    if (!period_asked(c, p)) return;
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    buf_putc(b, '{');
    put_identity(b, &app);
    put_period(c, &app, p);
    buf_putc(b, '}');
    answer_end(c->a);
}
