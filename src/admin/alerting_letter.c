/* Letters: messages of one target, in their order, one at a time.
 *
 *   waiting ─ due, room ─> sending ─┬─ delivered ──────────────> gone
 *      ^                            ├─ failed ─ pause ─┐
 *      └────────────────────────────┼──────────────────┘
 *                                   └─ failed too often ──────> dead */
#include "admin/alert_mail.h"
#include "admin/alerting_int.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

/* --- life -------------------------------------------------------------------------- */

static struct letter *append(struct alerting *al, struct letter *l)
{
    struct target *t = target_find(al, id_sv(&l->alert_id));
    if (t) t->letters++;
    *al->last = l;
    al->last = &l->next;
    al->letters_n++;
    return l;
}

struct letter *letter_new(struct alerting *al, const struct target *t,
                          const struct ulid *id, char *body)
{
    struct letter *l = NEW(struct letter);
    l->id = *id;
    l->account_id = t->alert.account_id;
    l->alert_id = t->alert.id;
    l->at_ms = clock_wall_ms();
    l->body = body;
    return append(al, l);
}

void letter_load(struct alerting *al, const struct alert_letter *kept)
{
    struct letter *l = NEW(struct letter);
    l->id = kept->id;
    l->account_id = kept->account_id;
    l->alert_id = kept->alert_id;
    l->attempts = kept->attempts;
    l->at_ms = kept->at_ms;
    l->next_ms = kept->next_ms;
    l->saved = true;
    l->body = mem_dup_sv(kept->body);
    append(al, l);
}

/* `at` is where its predecessor names it. */
static void letter_free(struct alerting *al, struct letter **at)
{
    struct letter *l = *at;
    struct target *t = target_find(al, id_sv(&l->alert_id));
    if (t) {
        t->letters--;
        if (l->sending) t->sending = false;
    }
    *at = l->next;
    if (al->last == &l->next) al->last = at;
    al->letters_n--;
    mem_free(l->body);
    mem_free(l);
}

/* --- what a test is answered -------------------------------------------------------- */

static void answer_test(struct letter *l, const struct alert_outcome *o)
{
    struct answer *a = l->asked;
    answer_begin(a, 200, o->delivered ? "Delivered." : "Not delivered.");
    answer_next(a);
    buf_printf(&a->body, "{\"delivered\":%s,\"status\":%u,\"milliseconds\":%lu",
               o->delivered ? "true" : "false", o->status,
               (unsigned long)o->took_ms);
    json_put_name(&a->body, "problem");
    json_put_text(&a->body, sv_cstr(o->problem));
    buf_putc(&a->body, '}');
    answer_end(a);
    l->asked = NULL;
    a->release(a);
}

static void refuse_test(struct letter *l)
{
    struct answer *a = l->asked;
    answer_fail(a, 503, "unsure", NULL,
                "It is not known whether the message was delivered.");
    l->asked = NULL;
    a->release(a);
}

void alerting_release(struct alerting *al)
{
    for (struct letter *l = al->letters; l; l = l->next)
        if (l->asked) refuse_test(l);
}

void letters_sweep(struct alerting *al)
{
    for (struct letter **at = &al->letters; *at;) {
        if (target_find(al, id_sv(&(*at)->alert_id))) {
            at = &(*at)->next;
            continue;
        }
        if ((*at)->asked) refuse_test(*at);
        letter_free(al, at);
    }
}

void letters_free(struct alerting *al)
{
    while (al->letters) letter_free(al, &al->letters);
}

/* --- outcomes ------------------------------------------------------------------------ */

static struct letter **letter_find(struct alerting *al, const struct ulid *id)
{
    for (struct letter **at = &al->letters; *at; at = &(*at)->next)
        if (ulid_cmp(&(*at)->id, id) == 0) return at;
    return NULL;
}

static void failed(struct alerting *al, struct letter **at,
                   const struct alert_outcome *o)
{
    struct letter *l = *at;
    struct target *t = target_find(al, id_sv(&l->alert_id));
    int64_t now_ms = clock_wall_ms();
    alerts_count(al->admin->conf.alerts, ALERTS_FAILED, 1);
    if (++l->attempts < ALERT_ATTEMPTS) {
        l->sending = false;
        if (t) t->sending = false;
        l->next_ms =
            now_ms + alert_pause_ms(l->attempts, rand_fast_next(&al->random));
        save_letter(al, l);
        return;
    }
    l->next_ms = now_ms;
    log_warn("admin", "alert %s: given up: %s", l->alert_id.text, o->problem);
    save_dead(al, l, o->problem);
    letter_free(al, at);
}

static void report(struct alerting *al, const struct alert_outcome *o)
{
    struct letter **at = letter_find(al, &o->id);
    al->sending_n--;
    if (!at) return; /* its target went meanwhile */
    bool is_test = (*at)->asked != NULL;
    if (is_test) answer_test(*at, o);
    if (o->delivered) alerts_count(al->admin->conf.alerts, ALERTS_DELIVERED, 1);
    if (!o->delivered && !is_test) {
        failed(al, at, o);
        return;
    }
    if (!is_test) save_gone(al, *at);
    letter_free(al, at);
}

void letters_report(struct alerting *al)
{
    struct alert_outcome o;
    while (alerts_outcome_take(al->admin->conf.alerts, &o)) report(al, &o);
}

/* --- sending ------------------------------------------------------------------------- */

static void secrets_put(struct alerting *al, const struct letter *l,
                        struct alert_message *m)
{
    struct alert_secrets s;
    if (alert_secrets_read(al->admin, id_sv(&l->alert_id), &s) == 0) {
        memcpy(m->secrets[m->secrets_n++], s.now, sizeof s.now);
        if (s.old[0] && clock_wall_ms() < s.old_until_ms)
            memcpy(m->secrets[m->secrets_n++], s.old, sizeof s.old);
    }
    mem_wipe(&s, sizeof s);
}

static bool mail_put(const struct alert *a, const struct letter *l,
                     struct alert_message *m)
{
    struct buf subject, text;
    buf_init_fixed(&subject, m->subject, sizeof m->subject);
    buf_init_fixed(&text, m->body, sizeof m->body);
    alert_mail_write(sv_cstr(l->body), a->name, &subject, &text);
    m->subject_n = (uint16_t)subject.n;
    m->body_n = (uint32_t)text.n;
    for (uint32_t i = 0; i < a->to_n && i < ALERT_TO_MAX; i++) {
        memcpy(m->to[i], a->to[i].p, a->to[i].n);
        m->to_sizes[i] = (uint16_t)a->to[i].n;
        m->to_n++;
    }
    return m->to_n > 0; /* a text that is too long is cut */
}

static bool post_put(struct alerting *al, const struct alert *a,
                     const struct letter *l, struct alert_message *m)
{
    m->url_n = (uint16_t)a->url.n;
    m->body_n = (uint32_t)strlen(l->body);
    memcpy(m->url, a->url.p, a->url.n);
    memcpy(m->body, l->body, m->body_n);
    secrets_put(al, l, m);
    return m->secrets_n > 0; /* unsigned it would not be believed */
}

static bool send(struct alerting *al, struct target *t, struct letter *l)
{
    static struct alert_message m; /* control thread only; wiped */
    m = (struct alert_message){ .id = l->id, .at_ms = l->at_ms };
    bool made = t->alert.url.n ? post_put(al, &t->alert, l, &m)
                               : mail_put(&t->alert, l, &m);
    bool sent = made && alerts_send(al->admin->conf.alerts, &m);
    mem_wipe(&m, sizeof m);
    if (!sent) return false;
    l->sending = t->sending = true;
    al->sending_n++;
    return true;
}

/* A clock that was set back does not make a pause longer than an hour. */
static bool is_due(const struct letter *l, int64_t now_ms)
{
    return l->next_ms <= now_ms || l->next_ms - now_ms > 3600000;
}

void letters_send(struct alerting *al)
{
    int64_t now_ms = clock_wall_ms();
    for (struct letter *l = al->letters; l; l = l->next) {
        struct target *t = target_find(al, id_sv(&l->alert_id));
        if (al->sending_n == ALERTS_SENDING) break;
        if (!t || l->sending || (t->sending && !l->asked) ||
            (!t->alert.enabled && !l->asked) || !is_due(l, now_ms))
            continue;
        if (!send(al, t, l)) break;
    }
}
