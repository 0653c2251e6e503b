/* Challenges and blocks of the detectors (detectors.md §3, §4): what is held,
 * why, and letting go of it. Listed are those that hold somebody now. */
#include "admin/nouns.h"

#include "admin/admin_int.h"
#include "admin/hold.h"
#include "admin/hold_show.h"
#include "base/err.h"

/* --- showing ---------------------------------------------------------------------- */

void hold_show(const struct hold *h, const char *status, int64_t updated_ms,
               struct buf *b)
{
    struct id id = id_make(KIND_CHALLENGE, &h->id), token = { "" };
    if (h->has_token) token = id_make(KIND_TOKEN, &h->token);
    buf_putc(b, '{');
    json_put_member(b, "id", id_sv(&id));
    json_put_member(b, "status", sv_cstr(status));
    json_put_member(b, "detector",
                    h->detector == HOLD_TRAVEL ? SV("geoSentry")
                                               : SV("anomalyDetection"));
    json_put_member(b, "action",
                    h->action == DETECTOR_BLOCK ? SV("block")
                                                : SV("challenge"));
    json_put_bool(b, "denied", h->denied);
    json_put_member(b, "application_id", id_sv(&h->app_id));
    json_put_member(b, "token_id", id_sv(&token));
    json_put_member(b, "subject", sv_of(h->subject, h->subject_n));
    json_put_name(b, "evidence");
    buf_put(b, h->evidence_n ? sv_of(h->evidence, h->evidence_n) : SV("{}"));
    json_put_time(b, "expiresAt", h->ends_ms);
    json_put_time(b, "createdAt", h->opened_ms);
    json_put_time(b, "updatedAt", updated_ms);
    buf_putc(b, '}');
}

/* --- reading ------------------------------------------------------------------------ */

bool holds_page(struct call *c, const struct store_hold_filter *f,
                const struct store_page *page, struct store_holds *out)
{
    struct store_hold_filter filter = *f;
    filter.now_ms = c->now_ms;
    int err = store_hold_list(c->admin->conf.store, id_sv(&c->account_id),
                              &filter, page, c->arena, out);
    return err ? call_fail_store(c, err) : true;
}

/* A filter by an id: false after a 400. */
static bool id_param(struct call *c, const char *name, enum kind kind,
                     struct sv *text, struct ulid *id)
{
    *text = query_find(&c->query, sv_cstr(name));
    if (!text->p || !id_parse(kind, *text, id)) return true;
    return call_fail(c, 400, "invalid_value", name, "It is no such id.");
}

void challenge_list(struct call *c)
{
    struct store_page page;
    struct store_holds holds;
    struct sv app, token, subject = query_find(&c->query, SV("subject"));
    struct ulid app_id, token_id;
    if (!call_page(c, KIND_CHALLENGE, &page) ||
        !id_param(c, "application_id", KIND_APPLICATION, &app, &app_id) ||
        !id_param(c, "token_id", KIND_TOKEN, &token, &token_id))
        return;
    holds_save(c->admin);
    const struct store_hold_filter filter = {
        .app_id = app.p ? app : SV(""),
        .subject = subject.p ? subject : SV(""),
        .token = token.p ? &token_id : NULL,
    };
    if (!holds_page(c, &filter, &page, &holds)) return;
    answer_begin(c->a, 200, "");
    for (uint32_t i = 0; i < holds.n; i++) {
        answer_next(c->a);
        hold_show(&holds.rows[i], "open", holds.rows[i].opened_ms, &c->a->body);
    }
    answer_end_list(c->a, holds.has_more);
}

/* NULL after a 404. */
static struct hold *challenge_find(struct call *c)
{
    struct ulid id;
    struct hold *h = ARENA_NEW(c->arena, struct hold);
    if (!h) return call_fail_store(c, ERR_NOMEM), NULL;
    int err = id_parse(KIND_CHALLENGE, c->route.vars[0], &id);
    if (!err)
        err =
            store_hold_get(c->admin->conf.store, id_sv(&c->account_id), &id, h);
    if (!err && h->ends_ms && h->ends_ms <= c->now_ms) err = ERR_NOTFOUND;
    if (!err) return h;
    if (err == ERR_NOTFOUND || err == ERR_INVALID)
        call_not_found(c, "challenge");
    else
        call_fail_store(c, err);
    return NULL;
}

static void answer_one(struct call *c, const struct hold *h, const char *status,
                       int64_t updated_ms, const char *message)
{
    answer_begin(c->a, 200, message);
    answer_next(c->a);
    hold_show(h, status, updated_ms, &c->a->body);
    answer_end(c->a);
}

void challenge_get(struct call *c)
{
    holds_save(c->admin);
    const struct hold *h = challenge_find(c);
    if (h) answer_one(c, h, "open", h->opened_ms, "");
}

/* --- deciding -------------------------------------------------------------------------- */

static bool audit(struct call *c, const struct hold *h, const char *verb)
{
    struct buf before;
    struct id id = id_make(KIND_CHALLENGE, &h->id);
    buf_init(&before, 2 * sizeof *h);
    hold_show(h, "open", h->opened_ms, &before);
    bool done =
        call_audit(c, "challenge", verb, arena_dup(c->arena, id_sv(&id)),
                   buf_sv(&before), SV(""));
    buf_fini(&before);
    return done;
}

static void verified(struct call *c)
{
    const struct hold *h = c->user;
    hold_clear(c->admin, h, c->now_ms);
    answer_one(c, h, "verified", c->now_ms, "Verified.");
}

/* A block is an administrator's to end (detectors.md §3). */
void challenge_verify(struct call *c)
{
    struct hold *h = challenge_find(c);
    if (!h) return;
    if (h->action == DETECTOR_BLOCK && c->who.role < ROLE_ADMIN) {
        call_fail(c, 403, "forbidden", NULL,
                  "A block is cleared by the role admin.");
        return;
    }
    int err = store_hold_delete(c->admin->conf.store, &h->id);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    if (!audit(c, h, "verify")) return;
    answer_ok(c->a, 200, "");
    c->user = h;
    c->finish = verified;
}

static void denied(struct call *c)
{
    const struct hold *h = c->user;
    hold_deny(c->admin, h);
    answer_one(c, h, "denied", c->now_ms, "Blocked.");
}

void challenge_deny(struct call *c)
{
    struct hold *h = challenge_find(c);
    if (!h) return;
    if (h->action == DETECTOR_BLOCK) {
        call_fail(c, 409, "conflict", NULL, "It is blocked already.");
        return;
    }
    if (!audit(c, h, "deny")) return;
    int err =
        hold_denied(h) ? store_hold_put(c->admin->conf.store, h) : ERR_CORRUPT;
    if (err) {
        call_fail_store(c, err);
        return;
    }
    answer_ok(c->a, 200, "");
    c->user = h;
    c->finish = denied;
}

/* --- what is held of those who go ----------------------------------------------------------- */

static void left(struct call *c)
{
    const struct store_holds *held = c->user;
    for (uint32_t i = 0; i < held->n; i++)
        hold_forget(c->admin, held->rows[i].key);
}

/* More than a page of them (of an application): their places are free again
 * after a restart, or when challenges end. */
bool holds_leave(struct call *c, const struct ulid *token, struct sv app_id)
{
    const struct store_page page = { .after = SV(""),
                                     .before = SV(""),
                                     .limit = token ? 4 : 1000 };
    const struct store_hold_filter filter = { .app_id = app_id,
                                              .subject = SV(""),
                                              .token = token };
    struct store_holds *held = ARENA_NEW(c->arena, struct store_holds);
    int err = 0;
    if (!held) return call_fail_store(c, ERR_NOMEM);
    if (!c->admin->conf.detection) return true;
    if (!holds_page(c, &filter, &page, held)) return false;
    for (uint32_t i = 0; !err && token && i < held->n; i++)
        err = store_hold_delete(c->admin->conf.store, &held->rows[i].id);
    if (err) return call_fail_store(c, err);
    c->user = held;
    c->finish = left;
    return true;
}
