/* What the detectors know of one token, or of an application and a subject of
 * its JWTs: places, windows, what stands; and forgetting all of it. */
#include "admin/token_int.h"

#include "admin/hold.h"
#include "admin/hold_show.h"
#include "base/clock.h"
#include "base/err.h"
#include "detect/anomaly.h"
#include "detect/travel.h"

enum { HOLDS_SHOWN = 100 };

/* --- showing -------------------------------------------------------------------------- */

static void put_places(struct buf *b, const struct travel_state *st)
{
    const char *comma = "";
    json_put_name(b, "places");
    buf_putc(b, '[');
    for (int i = 0; i < TRAVEL_SPOTS; i++) {
        struct travel_seen s;
        char country[3] = "";
        if (!travel_spot_seen(&st->spots[i], &s)) continue;
        if (s.country) country_text(s.country, country);
        buf_printf(b,
                   "%s{\"latitude\":%.4f,\"longitude\":%.4f,\"radiusKm\":%u,"
                   "\"country\":\"%.2s\",\"verified\":%s",
                   comma, (double)s.latitude, (double)s.longitude, s.radius_km,
                   country, st->verified >> i & 1 ? "true" : "false");
        json_put_time(b, "at", s.at_ms);
        buf_putc(b, '}');
        comma = ",";
    }
    buf_putc(b, ']');
}

static const char *action_name(unsigned action)
{
    static const char *const names[] = DETECTOR_ACTIONS;
    return names[action <= DETECTOR_BLOCK ? action : DETECTOR_ALLOW];
}

static void put_patterns(struct buf *b, const struct anomaly_state *st)
{
    /* what stands is by the node's clock, which does not step */
    int64_t node_ms = clock_node_ms(), wall_ms = clock_wall_ms();
    json_put_name(b, "patterns");
    buf_putc(b, '[');
    for (int p = 0; p < ANOMALY_PATTERNS; p++) {
        struct anomaly_stand s =
            anomaly_stand_of(st, (enum anomaly_pattern)p, node_ms);
        buf_puts(b, p ? ",{" : "{");
        json_put_member(b, "pattern", sv_cstr(anomaly_pattern_names[p]));
        json_put_member(b, "stands", sv_cstr(action_name(s.action)));
        json_put_time(b, "until",
                      s.until_s ? wall_ms + s.until_s * 1000 - node_ms : 0);
        json_put_u64(b, "learntFrom", st->tally[p].learnt);
        json_put_u64(b, "requests", st->tally[p].n);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

/* A copy: nothing is written to an answer under the lock of a place. */
static bool state_copy(struct tracks *t, const uint64_t *key, void *to,
                       size_t n)
{
    struct track k;
    uint32_t now_s = (uint32_t)(clock_node_ms() / 1000);
    enum track_found found;
    memset(to, 0, n);
    while ((found = track_open(t, key, false, now_s, &k)) == TRACK_BUSY)
        ;
    if (found != TRACK_OPEN) return false;
    memcpy(to, k.state, n);
    track_close(&k);
    return true;
}

static void put_held(struct buf *b, const struct store_holds *held)
{
    json_put_name(b, "held");
    buf_putc(b, '[');
    for (uint32_t i = 0; i < held->n; i++) {
        if (i) buf_putc(b, ',');
        hold_show(&held->rows[i], "open", held->rows[i].opened_ms, b);
    }
    buf_putc(b, ']');
}

/* --- whose ------------------------------------------------------------------------------ */

struct whose {
    struct sv id;    /* as in the path */
    uint64_t key[2]; /* of the token, of the application */
    bool is_token;
    struct sv subject; /* p NULL: the application itself */
    struct store_holds held;
};

static bool held_of(struct call *c, const struct ulid *token, struct sv app,
                    struct sv subject, struct store_holds *out)
{
    const struct store_page page = { .after = SV(""),
                                     .before = SV(""),
                                     .limit = HOLDS_SHOWN };
    const struct store_hold_filter filter = { .app_id = app,
                                              .subject = subject,
                                              .token = token };
    return holds_page(c, &filter, &page, out);
}

static struct whose *of_token(struct call *c)
{
    struct token_row row = { .version = 0 };
    struct whose *w = ARENA_NEW(c->arena, struct whose);
    if (!w) return call_fail_store(c, ERR_NOMEM), NULL;
    if (!token_find(c, false, &row)) return NULL;
    w->id = c->route.vars[0];
    w->is_token = true;
    detection_key(row.id.b, w->key);
    return held_of(c, &row.id, SV(""), SV(""), &w->held) ? w : NULL;
}

/* A subject is known by what is held of it, and by that alone: its name is in
 * no table. */
static struct whose *of_application(struct call *c)
{
    struct ulid id;
    struct whose *w = ARENA_NEW(c->arena, struct whose);
    if (!w) return call_fail_store(c, ERR_NOMEM), NULL;
    if (!application_find(c, c->route.vars[0]) ||
        id_parse(KIND_APPLICATION, c->route.vars[0], &id))
        return NULL;
    w->id = c->route.vars[0];
    w->subject = query_find(&c->query, SV("subject"));
    detection_key(id.b, w->key);
    if (!w->subject.p || !w->subject.n) return w;
    return held_of(c, NULL, w->id, w->subject, &w->held) ? w : NULL;
}

/* --- reading ---------------------------------------------------------------------------- */

static void answer(struct call *c, const struct whose *w)
{
    const struct detection *d = c->admin->conf.detection;
    struct travel_state travel = { 0 };
    struct anomaly_state *anomaly = ARENA_NEW(c->arena, struct anomaly_state);
    struct buf *b = &c->a->body;
    if (!anomaly) {
        call_fail_store(c, ERR_NOMEM);
        return;
    }
    if (w->is_token) state_copy(d->travel, w->key, &travel, sizeof travel);
    if (!w->subject.p)
        state_copy(w->is_token ? d->anomaly : d->applications, w->key, anomaly,
                   sizeof *anomaly);
    answer_begin(c->a, 200, "");
    answer_next(c->a);
    buf_putc(b, '{');
    json_put_member(b, "id", w->id);
    if (w->subject.p) json_put_member(b, "subject", w->subject);
    if (w->is_token) put_places(b, &travel);
    if (!w->subject.p) put_patterns(b, anomaly);
    put_held(b, &w->held);
    buf_putc(b, '}');
    answer_end(c->a);
}

void detection_get(struct call *c)
{
    holds_save(c->admin);
    const struct whose *w = of_token(c);
    if (w) answer(c, w);
}

void detection_application_get(struct call *c)
{
    holds_save(c->admin);
    const struct whose *w = of_application(c);
    if (w) answer(c, w);
}

/* --- forgetting ---------------------------------------------------------------------------- */

static void forgotten(struct call *c)
{
    struct whose *w = c->user;
    for (uint32_t i = 0; i < w->held.n; i++)
        hold_forget(c->admin, w->held.rows[i].key);
    if (w->is_token) hold_forget(c->admin, w->key);
    if (!w->is_token && !w->subject.p)
        hold_forget_application(c->admin, w->key);
    w->held.n = 0;
    answer(c, w);
}

static void forget(struct call *c, struct whose *w)
{
    int err = 0;
    for (uint32_t i = 0; !err && i < w->held.n; i++)
        err = store_hold_delete(c->admin->conf.store, &w->held.rows[i].id);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    if (!call_audit(c, w->is_token ? "token" : "application", "forget", w->id,
                    SV(""), SV("")))
        return;
    answer_ok(c->a, 200, "");
    c->user = w;
    c->finish = forgotten;
}

void detection_forget(struct call *c)
{
    struct whose *w = of_token(c);
    if (w) forget(c, w);
}

void detection_application_forget(struct call *c)
{
    struct whose *w = of_application(c);
    if (w) forget(c, w);
}
