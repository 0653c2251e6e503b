/* Targets, letters and what is saved of them, for alerting*.c only. */
#ifndef ADMIN_ALERTING_INT_H
#define ADMIN_ALERTING_INT_H

#include "admin/admin_int.h"
#include "admin/alerting.h"
#include "admin/envelope.h"
#include "base/rand.h"
#include "live/alert_group.h"

enum {
    LETTERS_MAX = 1024,       /* waiting, in memory */
    TARGET_LETTERS_MAX = 32,  /* of one target; until then its group waits */
    TARGET_ARENA_BYTES = 64 * 1024,
};

struct target {
    struct target *next;
    struct arena texts;
    struct alert alert;
    struct alert_group groups[ALERT_KINDS];
    unsigned letters;   /* waiting */
    bool sending;       /* one at a time: in their order */
    bool found;         /* by the reading under way */
};

struct letter {
    struct letter *next;
    struct ulid id;
    struct id account_id, alert_id;
    uint32_t attempts;
    int64_t at_ms, next_ms;
    bool sending, saved;
    struct answer *asked; /* of a test; NULL: none waits */
    char *body;           /* NUL */
};

struct alerting {
    struct admin *admin;
    struct target *targets;
    struct letter *letters, **last; /* oldest first */
    unsigned letters_n, sending_n;
    bool stale;         /* targets are to be read */
    bool unsaved;       /* something is not in the store that should be */
    bool saving, failed; /* a transaction is open; it cannot be */
    bool broken;        /* the store, as it was told */
    char broken_why[128];
    struct ulid newest; /* id of a letter */
    struct rand_fast random;
};

struct target *target_find(const struct alerting *al, struct sv alert_id);

/* --- alerting_save.c: writes of a tick, in one transaction --------------------- */
void save_item(struct alerting *al, const struct target *t,
               enum alert_kind kind, const struct alert_item *i);
void save_letter(struct alerting *al, struct letter *l);
/* Given up: for the account. Without a store it is lost and counted. */
void save_dead(struct alerting *al, const struct letter *l,
               const char *problem);
void save_gone(struct alerting *al, const struct letter *l);
/* Commits. What could not be saved is tried again by a later tick. */
void save_end(struct alerting *al);

/* --- alerting_letter.c ----------------------------------------------------------- */
/* Takes `body` (heap) and becomes its owner. */
struct letter *letter_new(struct alerting *al, const struct target *t,
                          const struct ulid *id, char *body);
void letter_load(struct alerting *al, const struct alert_letter *kept);
/* Outcomes first, then what is due. */
void letters_report(struct alerting *al);
void letters_send(struct alerting *al);
/* Those of targets that are gone. */
void letters_sweep(struct alerting *al);
void letters_free(struct alerting *al);

#endif
