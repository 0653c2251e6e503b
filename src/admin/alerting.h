/* Alerts on the control thread: from occurrences to delivered messages.
 *
 *   alerts_take ─> targets that want it ─> groups (live/alert_group.h)
 *     ─> due: a letter, in the store before it goes ─> alerts_send
 *     ─> outcome: delivered, it goes │ failed, again after a pause │ eight
 *        times failed: dead, kept for the account to look at and send again
 *
 * Letters and open items are in the store, so that neither a restart nor a
 * killed process loses a message (it may come twice: receivers know it by its
 * id) or tells again of what was told. Without a store that can be written to
 * all goes on in memory: the store's own trouble is told of, too. */
#ifndef ADMIN_ALERTING_H
#define ADMIN_ALERTING_H

#include "live/alert.h"

struct admin;
struct call;
struct record;
struct alerting;

enum { ALERT_DEAD_MAX = 100 /* kept of a target */ };

void alerting_new(struct alerting **out, struct admin *a);
void alerting_free(struct alerting **al);
/* At the start: targets, what they were told, letters. */
int alerting_load(struct alerting *al);
/* A target came, changed or went: all are read anew by the next tick. */
void alerting_changed(struct alerting *al);
void alerting_tick(struct alerting *al);

/* A message for this target alone, once; the call is answered when it is known
 * what came of it. */
void alerting_test(struct alerting *al, struct call *c,
                   const struct record *target);
/* Calls that still wait are answered: the reactors end. */
void alerting_release(struct alerting *al);

/* A dead letter, which has been read out of the store, is sent again. */
struct alert_letter;
void alerting_resend(struct alerting *al, const struct alert_letter *l);

/* The two secrets of a target: {"secret", "old", "oldUntil"}, sealed. */
struct alert_secrets {
    char now[ALERT_SECRET_MAX], old[ALERT_SECRET_MAX]; /* with NUL; "" none */
    int64_t old_until_ms;
};
int alert_secrets_read(struct admin *a, struct sv alert_id,
                       struct alert_secrets *out); /* wipe after use */
int alert_secrets_write(struct admin *a, struct sv alert_id,
                        const struct alert_secrets *s);

#endif
