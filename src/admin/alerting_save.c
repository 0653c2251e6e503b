#include "admin/alerting_int.h"
#include "base/err.h"
#include "base/log.h"

static bool begin(struct alerting *al)
{
    if (al->saving || al->failed) return al->saving;
    int err = store_begin(al->admin->conf.store);
    al->saving = err == 0;
    al->failed = err != 0;
    return al->saving;
}

/* A target that is gone is no failure. */
static bool done(struct alerting *al, int err)
{
    if (!err || err == ERR_CONFLICT) return true;
    store_rollback(al->admin->conf.store);
    al->saving = false;
    al->failed = true;
    return false;
}

void save_item(struct alerting *al, const struct target *t,
               enum alert_kind kind, const struct alert_item *i)
{
    if (begin(al))
        done(al, store_alert_item_put(al->admin->conf.store,
                                      id_sv(&t->alert.id), kind, i));
}

static struct alert_letter row_of(const struct letter *l)
{
    return (struct alert_letter){ .id = l->id,
                                  .account_id = l->account_id,
                                  .alert_id = l->alert_id,
                                  .attempts = l->attempts,
                                  .at_ms = l->at_ms,
                                  .next_ms = l->next_ms,
                                  .problem = SV(""),
                                  .body = sv_cstr(l->body) };
}

void save_letter(struct alerting *al, struct letter *l)
{
    struct alert_letter row = row_of(l);
    l->saved =
        begin(al) && done(al, store_letter_put(al->admin->conf.store, &row));
}

void save_dead(struct alerting *al, const struct letter *l, const char *problem)
{
    struct store *s = al->admin->conf.store;
    struct alert_letter row = row_of(l);
    unsigned lost = 0;
    row.dead = true;
    row.problem = sv_cstr(problem);
    bool kept = begin(al) && done(al, store_letter_put(s, &row)) &&
                done(al, store_letter_prune(s, id_sv(&l->alert_id),
                                            ALERT_DEAD_MAX, &lost));
    alerts_count(al->admin->conf.alerts, ALERTS_DEAD, 1);
    alerts_count(al->admin->conf.alerts, ALERTS_LOST, kept ? lost : 1);
}

void save_gone(struct alerting *al, const struct letter *l)
{
    if (begin(al)) done(al, store_letter_delete(al->admin->conf.store, &l->id));
}

/* --- the end ------------------------------------------------------------------------ */

/* All that should be in the store, again. */
static void save_all(struct alerting *al)
{
    for (struct target *t = al->targets; t; t = t->next)
        for (int kind = 0; kind < ALERT_KINDS; kind++)
            for (uint32_t i = 0; i < t->groups[kind].n; i++)
                if (t->groups[kind].items[i].state >= ALERT_OPEN)
                    save_item(al, t, (enum alert_kind)kind,
                              &t->groups[kind].items[i]);
    for (struct letter *l = al->letters; l; l = l->next)
        if (!l->asked) save_letter(al, l);
}

void save_end(struct alerting *al)
{
    struct store *s = al->admin->conf.store;
    if (al->unsaved && !al->failed) save_all(al);
    int err = al->saving ? store_commit(s) : 0;
    if (err) store_rollback(s);
    bool failed = al->failed || err;
    if (failed && !al->unsaved)
        log_error("admin", "alerts: they are kept in memory only: %s",
                  err ? err_text(err) : "the store is not available");
    al->unsaved = failed;
    al->saving = al->failed = false;
}
