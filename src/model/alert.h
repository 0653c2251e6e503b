/* Alerts (api.md §9): who is told of what. A target is a record of KIND_ALERT;
 * what happens is an occurrence (live/alert.h). */
#ifndef MODEL_ALERT_H
#define MODEL_ALERT_H

#include "model/record.h"

/* In the order of alert_kinds[]; stored. */
enum alert_kind { ALERT_MONITOR, ALERT_DETECTION, ALERT_QUOTA,
                  ALERT_CERTIFICATE, ALERT_STORE, ALERT_KINDS };
extern const char *const alert_kinds[ALERT_KINDS + 1];

/* How something stands that is told of. Stored. */
enum alert_state {
    ALERT_NONE,     /* not told of yet */
    ALERT_EVENT,    /* happened; has no end */
    ALERT_OPEN,     /* holds, until it is resolved */
    ALERT_RESOLVED,
};
extern const char *const alert_states[ALERT_RESOLVED + 1];

enum {
    ALERT_TARGETS_MAX = 50, /* an account */
    ALERT_URL_MAX = 2048,
    ALERT_APPS_MAX = 50,
    ALERT_TO_MAX = 10,
    ALERT_SECRET_MAX = 80,
    ALERT_ATTEMPTS = 8,
};
#define ALERT_SECRET_PREFIX "whsec_"

struct alert {
    struct id id, account_id;
    bool enabled;
    unsigned kinds;         /* set of 1 << enum alert_kind */
    struct sv name, url;    /* url "": by mail */
    const struct sv *to;    /* mail addresses */
    uint32_t to_n;
    const struct sv *apps;  /* ids; none: all of the account */
    uint32_t apps_n;
    int64_t group_ms;       /* messages of a kind are so far apart */
    int quota_percent;      /* of a quota, from which it is nearly spent */
    int certificate_days;   /* before its end, from which it is told of */
};
/* Texts in the arena. ERR_CORRUPT, ERR_NOMEM. */
int alert_decode(const struct record *r, struct arena *a, struct alert *out);

/* Until the next attempt after so many that failed (>= 1): 5 s, four times as
 * long each time, an hour at most; of that at least a half, by `random`, so
 * that what failed together does not come again together. */
int64_t alert_pause_ms(unsigned attempts, uint64_t random);

#endif
