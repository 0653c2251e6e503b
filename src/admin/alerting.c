/* Targets and ticks; what becomes of a message is in alerting_letter.c. */
#include "admin/alerting.h"

#include <stdio.h>

#include "admin/alerting_int.h"
#include "admin/call.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/rfc3339.h"

enum { BATCH = 256 };

/* --- targets ------------------------------------------------------------------------- */

struct target *target_find(const struct alerting *al, struct sv alert_id)
{
    for (struct target *t = al->targets; t; t = t->next)
        if (sv_eq(id_sv(&t->alert.id), alert_id)) return t;
    return NULL;
}

static void target_free(struct target *t)
{
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        alert_group_fini(&t->groups[kind]);
    arena_fini(&t->texts);
    mem_free(t);
}

static int target_read(void *ctx, const struct record *r)
{
    struct alerting *al = ctx;
    struct target *t = target_find(al, id_sv(&r->id));
    if (t) {
        arena_fini(&t->texts);
    } else {
        t = NEW(struct target);
        t->next = al->targets;
        al->targets = t;
    }
    arena_init(&t->texts, TARGET_ARENA_BYTES, NULL, 0);
    int err = alert_decode(r, &t->texts, &t->alert);
    if (err) {
        log_error("admin", "%s: %s", r->id.text, err_text(err));
        t->alert = (struct alert){ .id = r->id, .account_id = r->account_id };
    }
    t->found = true;
    return 0;
}

static int targets_read(struct alerting *al)
{
    for (struct target *t = al->targets; t; t = t->next) t->found = false;
    int err =
        store_record_each(al->admin->conf.store, KIND_ALERT, target_read, al);
    if (err) return err;
    for (struct target **at = &al->targets; *at;) {
        struct target *t = *at;
        if (t->found) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        target_free(t);
    }
    letters_sweep(al);
    bool wanted = false;
    for (struct target *t = al->targets; t; t = t->next)
        wanted |= t->alert.enabled && (t->alert.kinds & 1u << ALERT_QUOTA);
    if (al->admin->conf.quotas)
        quota_watch_want(al->admin->conf.quotas, wanted);
    return 0;
}

/* --- life ---------------------------------------------------------------------------- */

void alerting_new(struct alerting **out, struct admin *a)
{
    struct alerting *al = NEW(struct alerting);
    al->admin = a;
    al->last = &al->letters;
    rand_fast_init(&al->random);
    *out = al;
}

void alerting_free(struct alerting **at)
{
    struct alerting *al = *at;
    if (!al) return;
    letters_free(al);
    while (al->targets) {
        struct target *t = al->targets;
        al->targets = t->next;
        target_free(t);
    }
    mem_free(al);
    *at = NULL;
}

static void item_load(void *ctx, enum alert_kind kind,
                      const struct alert_item *i)
{
    struct target *t = ctx;
    alert_group_load(&t->groups[kind], i);
}

static void one_load(void *ctx, const struct alert_letter *l)
{
    letter_load(ctx, l);
}

int alerting_load(struct alerting *al)
{
    int err = targets_read(al);
    for (struct target *t = al->targets; !err && t; t = t->next)
        err = store_alert_item_each(al->admin->conf.store, id_sv(&t->alert.id),
                                    item_load, t);
    return err ? err : store_letter_each(al->admin->conf.store, one_load, al);
}

void alerting_changed(struct alerting *al)
{
    al->stale = true;
}

/* --- what happened ------------------------------------------------------------------- */

static bool wants(const struct alert *a, const struct alert_occurrence *o)
{
    struct sv account = id_sv(&o->account_id), app = id_sv(&o->app_id);
    if (!a->enabled || !(a->kinds & 1u << o->kind) ||
        (account.n && !sv_eq(account, id_sv(&a->account_id))))
        return false;
    if (!a->apps_n || !app.n) return true;
    for (uint32_t i = 0; i < a->apps_n; i++)
        if (sv_eq(a->apps[i], app)) return true;
    return false;
}

/* What the target's own thresholds make of it; NONE: nothing. */
static enum alert_state state_for(const struct alert *a,
                                  const struct alert_occurrence *o)
{
    if (o->kind == ALERT_QUOTA &&
        (o->from >= a->quota_percent || o->to < a->quota_percent))
        return ALERT_NONE;
    if (o->kind == ALERT_CERTIFICATE && o->state == ALERT_OPEN &&
        o->to > a->certificate_days)
        return ALERT_RESOLVED; /* it was renewed */
    return o->state;
}

static void happened(struct alerting *al, const struct alert_occurrence *what)
{
    struct alert_occurrence o = *what;
    for (struct target *t = al->targets; t; t = t->next) {
        if (!wants(&t->alert, what)) continue;
        o.state = state_for(&t->alert, what);
        if (o.state == ALERT_NONE) continue;
        const struct alert_item *kept = alert_group_add(&t->groups[o.kind], &o);
        if (kept) save_item(al, t, o.kind, kept);
    }
}

/* Once a quota's period: a threshold is crossed once until the quota is
 * refilled, and each take tells what it crossed. */
static void quotas_read(struct alerting *al)
{
    struct quota_crossing c;
    for (int i = 0; i < BATCH && quota_watch_take(al->admin->conf.quotas, &c);
         i++) {
        struct id id = id_make(KIND_TOKEN, &c.token);
        struct alert_occurrence o = { .account_id = c.account_id,
                                      .app_id = c.app_id,
                                      .kind = ALERT_QUOTA,
                                      .state = ALERT_EVENT,
                                      .at_ms = clock_wall_ms(),
                                      .count = 1,
                                      .from = c.from,
                                      .to = c.to };
        snprintf(o.key, sizeof o.key, "%s",
                 c.has_token ? id.text : c.app_id.text);
        snprintf(o.title, sizeof o.title, "%d %% of a quota are used: %s", c.to,
                 o.key);
        snprintf(o.details, sizeof o.details, "{\"percent\":%d}", c.to);
        happened(al, &o);
    }
}

/* Writes say how the store is; main/ knows of the files beside it. */
static bool is_broken(const struct admin *a, char why[128])
{
    int fault = atomic_load(&a->store_fault);
    if (fault) snprintf(why, 128, "%s", err_text(fault));
    return fault || (a->conf.fault && a->conf.fault(a->conf.ctx, why));
}

static void store_watch(struct alerting *al)
{
    char why[128] = "";
    bool broken = is_broken(al->admin, why);
    if (broken == al->broken) return;
    struct alert_occurrence o = {
        .kind = ALERT_STORE,
        .state = broken ? ALERT_OPEN : ALERT_RESOLVED,
        .at_ms = clock_wall_ms(),
        .count = 1,
        .key = "store",
    };
    if (broken) memcpy(al->broken_why, why, sizeof why);
    snprintf(o.title, sizeof o.title, "The store cannot be written to: %s",
             al->broken_why);
    al->broken = broken;
    happened(al, &o);
}

/* --- messages ------------------------------------------------------------------------- */

static void head_put(struct buf *b, const struct ulid *id,
                     const struct target *t, const char *type)
{
    char at[RFC3339_TEXT];
    struct id text = id_make(KIND_DELIVERY, id);
    rfc3339_encode(at, clock_wall_ms());
    buf_printf(b,
               "{\"id\":\"%s\",\"type\":\"%s\",\"account_id\":\"%s\","
               "\"alert_id\":\"%s\",\"createdAt\":\"%.*s\"",
               text.text, type, t->alert.account_id.text, t->alert.id.text,
               RFC3339_TEXT, at);
}

static struct ulid fresh_id(struct alerting *al)
{
    struct ulid id;
    ulid_next(&al->newest, clock_wall_ms(), &id);
    return id;
}

struct kept {
    struct alerting *al;
    struct target *t;
    enum alert_kind kind;
};

static void item_kept(void *ctx, const struct alert_item *i)
{
    struct kept *k = ctx;
    save_item(k->al, k->t, k->kind, i);
}

static void group_write(struct alerting *al, struct target *t,
                        enum alert_kind kind)
{
    struct alert_group *g = &t->groups[kind];
    struct ulid id = fresh_id(al);
    struct kept k = { al, t, kind };
    char title[ALERT_TITLE_MAX + 64];
    struct buf b, title_text;
    buf_init_fixed(&title_text, title, sizeof title);
    alert_group_title(g, &title_text);
    buf_init(&b, ALERT_BODY_MAX - 1);
    head_put(&b, &id, t, "alert");
    json_put_name(&b, "kind");
    json_put_text(&b, sv_cstr(alert_kinds[kind]));
    json_put_name(&b, "title");
    json_put_text(&b, buf_sv(&title_text));
    alert_group_show(g, &b);
    buf_putc(&b, '}');
    if (!b.overflow)
        save_letter(al, letter_new(al, t, &id, mem_dup_sv(buf_sv(&b))));
    buf_fini(&b);
    alert_group_told(g, clock_wall_ms(), t->alert.group_ms, item_kept, &k);
}

static void groups_write(struct alerting *al)
{
    int64_t now_ms = clock_wall_ms();
    for (struct target *t = al->targets; t; t = t->next)
        for (int kind = 0; kind < ALERT_KINDS; kind++)
            if (t->letters < TARGET_LETTERS_MAX &&
                al->letters_n < LETTERS_MAX &&
                alert_group_is_due(&t->groups[kind], now_ms, t->alert.group_ms))
                group_write(al, t, (enum alert_kind)kind);
}

/* --- tests ------------------------------------------------------------------------------ */

void alerting_test(struct alerting *al, struct call *c,
                   const struct record *target)
{
    struct buf b;
    struct ulid id = fresh_id(al);
    if (al->stale && targets_read(al) == 0) al->stale = false;
    struct target *t = target_find(al, id_sv(&target->id));
    if (!t || !c->a->release || al->letters_n >= LETTERS_MAX) {
        call_fail(c, 503, "busy", NULL, "Too many messages are on their way.");
        return;
    }
    buf_init(&b, ALERT_BODY_MAX - 1);
    head_put(&b, &id, t, "test");
    json_put_name(&b, "title");
    json_put_text(&b, SV("A test of this alert"));
    buf_puts(&b, ",\"items\":[],\"more\":0}");
    struct letter *l = letter_new(al, t, &id, mem_dup_sv(buf_sv(&b)));
    buf_fini(&b);
    l->asked = c->a;
    c->a->held = true;
    letters_send(al);
}

void alerting_resend(struct alerting *al, const struct alert_letter *l)
{
    struct alert_letter again = *l;
    again.attempts = 0;
    again.next_ms = clock_wall_ms();
    letter_load(al, &again);
}

/* --- the tick --------------------------------------------------------------------------- */

void alerting_tick(struct alerting *al)
{
    struct alert_occurrence o;
    if (!al->admin->conf.alerts) return;
    if (al->stale && targets_read(al) == 0) al->stale = false;
    letters_report(al);
    store_watch(al);
    if (al->admin->conf.quotas) quotas_read(al);
    for (int i = 0; i < BATCH && alerts_take(al->admin->conf.alerts, &o); i++)
        happened(al, &o);
    groups_write(al);
    save_end(al); /* before anything is sent */
    letters_send(al);
    alerts_waiting(al->admin->conf.alerts, al->letters_n);
}
