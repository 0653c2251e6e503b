/* Alert targets: the noun, its secrets, tests, dead letters (docs/alerts.md). */
#include "admin/alerting.h"

#include <stdio.h>

#include "admin/admin_int.h"
#include "admin/nouns.h"
#include "base/err.h"
#include "base/mem.h"
#include "model/token.h"

enum { SECRET_RANDOM_BYTES = 32 };

/* --- secrets ---------------------------------------------------------------------- */

/* Made here; shown by this call's answer and never again. `grace_ms`: how long
 * the present one signs as well. */
static bool secret_make(struct call *c, struct sv alert_id, int64_t grace_ms)
{
    struct alert_secrets *s = ARENA_NEW(c->arena, struct alert_secrets);
    char text[TOKEN_SECRET_MAX];
    if (!s) return call_fail_store(c, ERR_NOMEM);
    c->user = s;
    int err = grace_ms ? alert_secrets_read(c->admin, alert_id, s) : 0;
    if (err) return call_fail_store(c, err);
    memcpy(s->old, s->now, sizeof s->old); /* without grace: "" */
    s->old_until_ms = c->now_ms + grace_ms;
    size_t n =
        token_secret_make(text, SV(ALERT_SECRET_PREFIX), SECRET_RANDOM_BYTES);
    memcpy(s->now, text, n);
    s->now[n] = 0;
    mem_wipe(text, sizeof text);
    err = alert_secrets_write(c->admin, alert_id, s);
    return err ? call_fail_store(c, err) : true;
}

static void secret_wipe(struct call *c)
{
    if (c->user) mem_wipe(c->user, sizeof(struct alert_secrets));
}

/* --- the noun --------------------------------------------------------------------- */

static bool count_check(struct call *c)
{
    uint64_t n;
    char message[80];
    int err = store_record_count(c->admin->conf.store, KIND_ALERT,
                                 id_sv(&c->account_id), &n);
    if (err) return call_fail_store(c, err);
    if (n < ALERT_TARGETS_MAX) return true;
    snprintf(message, sizeof message, "An account may have %d alerts.",
             ALERT_TARGETS_MAX);
    return call_fail(c, 409, "limit_reached", NULL, message);
}

static bool mail_allowed(struct call *c)
{
    return c->admin->conf.sends_mail ||
           call_fail(c, 409, "no_mail_server", "to",
                     "This server has no mail server to send by: see "
                     "smtp-server.");
}

static bool check(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before)
{
    yyjson_mut_val *url = shape_member(doc, "url");
    if (!before && !count_check(c)) return false;
    if (!yyjson_mut_is_str(url)) return mail_allowed(c);
    if (!before) return secret_make(c, id_sv(&r->id), 0);
    struct sv was = json_text(json_find(call_parse(c, before->body), "url"));
    /* another receiver must not be able to sign as for this one */
    return sv_eq(was, json_mut_text(url)) || secret_make(c, id_sv(&r->id), 0);
}

static bool stored(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before)
{
    (void)doc;
    (void)before;
    alerting_changed(c->admin->alerting);
    return change_row(c, KIND_ALERT, id_sv(&r->id));
}

static bool gone(struct call *c, const struct record *r)
{
    alerting_changed(c->admin->alerting);
    return change_row(c, KIND_ALERT, id_sv(&r->id));
}

static void show(struct call *c, const struct record *r, struct buf *out)
{
    const struct alert_secrets *s = c->user;
    record_show(r, out);
    if (!s || out->overflow) return;
    out->n--;
    json_put_name(out, "secret");
    json_put_text(out, sv_cstr(s->now));
    buf_putc(out, '}');
}

const struct noun noun_alert = {
    .name = "alert",
    .shape = &shape_alert,
    .check = check,
    .stored = stored,
    .gone = gone,
    .unique_field = "name",
    .show = show,
};

void alert_create(struct call *c)
{
    noun_create(c, &noun_alert);
    secret_wipe(c);
}
void alert_list(struct call *c)
{
    noun_list(c, &noun_alert);
}
void alert_get(struct call *c)
{
    noun_get(c, &noun_alert);
}
void alert_patch(struct call *c)
{
    noun_patch(c, &noun_alert);
    secret_wipe(c);
}
void alert_delete(struct call *c)
{
    noun_delete(c, &noun_alert);
}

/* --- rotation and test ----------------------------------------------------------- */

static bool grace_of(struct call *c, int64_t *ms)
{
    struct shape_env env = call_shape_env(c);
    struct shape_problem why = { .field = "" };
    yyjson_mut_doc *doc;
    int64_t s = 0;
    int err = shape_create(&shape_alert_rotate, &env, c->input, &doc, &why);
    if (err) return call_fail_shape(c, err, &why);
    json_is_int((const yyjson_val *)shape_member(doc, "gracePeriod"), &s);
    *ms = s * 1000;
    return true;
}

void alert_rotate(struct call *c)
{
    struct record r = { .version = 0 };
    int64_t grace_ms = 0;
    if (!noun_find(c, &noun_alert, &r) || !call_if_match(c, r.version) ||
        !grace_of(c, &grace_ms))
        return;
    if (!json_text(json_find(call_parse(c, r.body), "url")).n) {
        call_fail(c, 409, "conflict", NULL, "Mails are not signed.");
        return;
    }
    struct sv text = noun_redacted(c, &noun_alert, &r);
    if (secret_make(c, id_sv(&r.id), grace_ms) &&
        call_audit(c, "alert", "rotate", id_sv(&r.id), text, text))
        noun_answer(c, &noun_alert, &r, 200, "Rotated.");
    secret_wipe(c);
}

void alert_test(struct call *c)
{
    struct record r = { .version = 0 };
    if (noun_find(c, &noun_alert, &r)) alerting_test(c->admin->alerting, c, &r);
}

/* --- dead letters ----------------------------------------------------------------- */

static void letter_show(struct call *c, const struct alert_letter *l)
{
    struct id id = id_make(KIND_DELIVERY, &l->id);
    struct buf *b = &c->a->body;
    answer_next(c->a);
    buf_putc(b, '{');
    json_put_name(b, "id");
    json_put_text(b, id_sv(&id));
    json_put_name(b, "alert_id");
    json_put_text(b, id_sv(&l->alert_id));
    json_put_name(b, "attempts");
    buf_put_u64(b, l->attempts);
    json_put_name(b, "problem");
    json_put_text(b, l->problem);
    json_put_name(b, "message");
    buf_put(b, l->body);
    json_put_time(b, "createdAt", l->at_ms);
    json_put_time(b, "updatedAt", l->next_ms);
    buf_putc(b, '}');
}

void alert_letter_list(struct call *c)
{
    struct record r = { .version = 0 };
    struct store_page page;
    struct store_letters letters;
    if (!noun_find(c, &noun_alert, &r) || !call_page(c, KIND_DELIVERY, &page))
        return;
    int err = store_letter_list(c->admin->conf.store, id_sv(&r.id), &page,
                                c->arena, &letters);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    answer_begin(c->a, 200, "");
    for (uint32_t i = 0; i < letters.n; i++) letter_show(c, &letters.rows[i]);
    answer_end_list(c->a, letters.has_more);
}

static struct alert_letter *letter_of_path(struct call *c)
{
    struct record r = { .version = 0 };
    struct ulid id;
    struct alert_letter *l = ARENA_NEW(c->arena, struct alert_letter);
    if (!l) return call_fail_store(c, ERR_NOMEM), NULL;
    if (!noun_find(c, &noun_alert, &r)) return NULL;
    int err = id_parse(KIND_DELIVERY, c->route.vars[1], &id)
                  ? ERR_NOTFOUND
                  : store_letter_get(c->admin->conf.store, id_sv(&r.id), &id,
                                     c->arena, l);
    if (!err) return l;
    if (err == ERR_NOTFOUND)
        call_not_found(c, "dead letter");
    else
        call_fail_store(c, err);
    return NULL;
}

static bool letter_audit(struct call *c, const struct alert_letter *l,
                         const char *verb)
{
    struct id id = id_make(KIND_DELIVERY, &l->id);
    return call_audit(c, "dead-letter", verb, arena_dup(c->arena, id_sv(&id)),
                      SV(""), SV(""));
}

static void resent(struct call *c)
{
    alerting_resend(c->admin->alerting, c->user);
}

void alert_letter_resend(struct call *c)
{
    struct alert_letter *l = letter_of_path(c);
    if (!l) return;
    struct alert_letter waiting = *l;
    waiting.dead = false;
    waiting.attempts = 0;
    waiting.next_ms = c->now_ms;
    int err = store_letter_put(c->admin->conf.store, &waiting);
    if (err) {
        call_fail_store(c, err);
        return;
    }
    if (!letter_audit(c, l, "resend")) return;
    c->user = l;
    c->finish = resent;
    answer_begin(c->a, 200, "It is sent again.");
    letter_show(c, &waiting);
    answer_end(c->a);
}

void alert_letter_delete(struct call *c)
{
    struct alert_letter *l = letter_of_path(c);
    if (!l) return;
    int err = store_letter_delete(c->admin->conf.store, &l->id);
    if (err)
        call_fail_store(c, err);
    else if (letter_audit(c, l, "delete"))
        answer_ok(c->a, 200, "Deleted.");
}
