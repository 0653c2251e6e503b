#include "admin/hold.h"

#include "admin/admin_int.h"
#include "admin/hold_hook.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "detect/anomaly.h"
#include "detect/travel.h"

enum { BATCH = 64 };

static struct tracks *table_of(const struct admin *a, const struct hold *h)
{
    const struct detection *d = a->conf.detection;
    return h->detector == HOLD_TRAVEL ? d->travel : d->anomaly;
}

static uint32_t node_s(void)
{
    return (uint32_t)(clock_node_ms() / 1000);
}

/* The control thread has time: whoever is at a place will leave it. */
static bool opened(struct tracks *t, const uint64_t *key, bool make,
                   struct track *k)
{
    enum track_found found;
    while ((found = track_open(t, key, make, node_s(), k)) == TRACK_BUSY)
        ;
    return found == TRACK_OPEN;
}

/* --- is it still so? ------------------------------------------------------------- */

static bool is_id(const struct hold *h, int64_t from_s)
{
    struct ulid id = hold_id(h->detector, h->key, from_s);
    return ulid_cmp(&id, &h->id) == 0;
}

static bool is_of_state(const struct hold *h, const void *state)
{
    if (h->detector == HOLD_TRAVEL) {
        const struct travel_state *st = state;
        return st->held && is_id(h, st->held_s);
    }
    for (int p = 0; p < ANOMALY_PATTERNS; p++) {
        struct anomaly_stand s =
            anomaly_stand_of(state, (enum anomaly_pattern)p, clock_node_ms());
        if (s.action >= DETECTOR_CHALLENGE && is_id(h, s.from_s)) return true;
    }
    return false;
}

static bool is_standing(struct admin *a, const struct hold *h)
{
    struct track k;
    if (!opened(table_of(a, h), h->key, false, &k)) return false;
    bool stands = is_of_state(h, k.state);
    track_close(&k);
    return stands;
}

/* --- to the store ------------------------------------------------------------------- */

/* The next refusal tells of it again. */
static void untell(struct admin *a, const struct hold *h)
{
    struct track k;
    if (!opened(table_of(a, h), h->key, false, &k)) return;
    k.told = false;
    track_close(&k);
}

static int batch_put(struct admin *a, const struct hold *holds, size_t n)
{
    struct store *s = a->conf.store;
    bool known[BATCH];
    int err = store_begin(s);
    for (size_t i = 0; !err && i < n; i++) {
        struct hold present;
        known[i] = !is_standing(a, &holds[i]); /* cleared meanwhile */
        if (known[i]) continue;
        known[i] = store_hold_get(s, id_sv(&holds[i].account_id), &holds[i].id,
                                  &present) == 0;
        err = store_hold_put(s, &holds[i]);
        if (err != ERR_CONFLICT) continue;
        known[i] = true; /* its application is gone */
        err = 0;
    }
    if (!err) err = store_commit(s);
    if (err) store_rollback(s);
    for (size_t i = 0; !err && i < n; i++)
        if (!known[i]) hold_hook_send(a, &holds[i]);
    return err;
}

void holds_save(struct admin *a)
{
    static struct hold batch[BATCH]; /* control thread only */
    size_t n = 0;
    if (!a->conf.detection) return;
    do {
        n = 0;
        while (n < BATCH && holds_take(a->conf.detection->holds, &batch[n]))
            n++;
        int err = n ? batch_put(a, batch, n) : 0;
        if (!err) continue;
        log_error("admin", "holds: %s", err_text(err));
        for (size_t i = 0; i < n; i++) untell(a, &batch[i]);
    } while (n == BATCH);
}

/* --- from the store ------------------------------------------------------------------ */

/* keep_s of a place; 0: the row is damaged or has ended. */
static uint32_t restore(const struct hold *h, void *state)
{
    struct travel_state travel;
    struct anomaly_stand stand;
    if (h->detector == HOLD_TRAVEL && h->state_n == sizeof travel) {
        memcpy(&travel, h->state, sizeof travel);
        memcpy(state, &travel, sizeof travel);
        return travel.held == DETECTOR_BLOCK
                   ? TRACK_KEPT
                   : travel.held_s + TRAVEL_CHALLENGE_S;
    }
    if (h->detector != HOLD_ANOMALY || h->state_n != sizeof stand) return 0;
    memcpy(&stand, h->state, sizeof stand);
    if (stand.pattern >= ANOMALY_PATTERNS || stand.until_s <= node_s())
        return 0;
    anomaly_restore(state, &stand);
    return (uint32_t)stand.until_s;
}

static int load_one(void *ctx, const struct hold *h)
{
    struct admin *a = ctx;
    struct track k;
    if (h->ends_ms && h->ends_ms <= clock_wall_ms()) return 0;
    if (!opened(table_of(a, h), h->key, true, &k)) {
        log_error("admin", "holds: more than the tables have room for; see "
                           "tracked-max");
        return 0;
    }
    k.keep_s = restore(h, k.state);
    k.told = k.keep_s != 0;
    track_close(&k);
    return 0;
}

int holds_load(struct admin *a)
{
    return a->conf.detection ? store_hold_each(a->conf.store, load_one, a) : 0;
}

/* --- letting go ----------------------------------------------------------------------- */

void hold_clear(struct admin *a, const struct hold *h, int64_t wall_ms)
{
    struct track k;
    if (!opened(table_of(a, h), h->key, false, &k)) return;
    if (is_of_state(h, k.state)) {
        if (h->detector == HOLD_TRAVEL)
            travel_clear(k.state, wall_ms, clock_node_ms());
        else
            anomaly_clear(k.state);
        k.keep_s = 0;
        k.told = false;
    }
    track_close(&k);
}

void hold_deny(struct admin *a, const struct hold *h)
{
    struct track k;
    if (!opened(table_of(a, h), h->key, false, &k)) return;
    if (is_of_state(h, k.state)) {
        if (h->detector == HOLD_TRAVEL) {
            travel_deny(k.state);
            k.keep_s = TRACK_KEPT;
        } else {
            anomaly_deny(k.state, clock_node_ms());
            k.keep_s += ANOMALY_BLOCK_S;
        }
    }
    track_close(&k);
}

bool hold_denied(struct hold *h)
{
    struct travel_state travel;
    struct anomaly_stand stand;
    if (h->detector == HOLD_TRAVEL && h->state_n == sizeof travel) {
        memcpy(&travel, h->state, sizeof travel);
        travel_deny(&travel);
        memcpy(h->state, &travel, sizeof travel);
        h->ends_ms = 0;
    } else if (h->detector == HOLD_ANOMALY && h->state_n == sizeof stand) {
        memcpy(&stand, h->state, sizeof stand);
        stand.action = DETECTOR_BLOCK;
        stand.denied = true;
        int64_t until_s = stand.from_s + ANOMALY_BLOCK_S;
        h->ends_ms += (until_s - stand.until_s) * 1000;
        stand.until_s = until_s;
        memcpy(h->state, &stand, sizeof stand);
    } else {
        return false;
    }
    h->action = DETECTOR_BLOCK;
    h->denied = true;
    return true;
}

static void forget(struct tracks *t, const uint64_t *key, size_t bytes)
{
    struct track k;
    if (!opened(t, key, false, &k)) return;
    memset(k.state, 0, bytes);
    k.keep_s = 0;
    k.told = false;
    track_close(&k);
}

void hold_forget(struct admin *a, const uint64_t key[TRACK_KEY_WORDS])
{
    const struct detection *d = a->conf.detection;
    forget(d->travel, key, sizeof(struct travel_state));
    forget(d->anomaly, key, sizeof(struct anomaly_state));
}

void hold_forget_application(struct admin *a,
                             const uint64_t key[TRACK_KEY_WORDS])
{
    forget(a->conf.detection->applications, key, sizeof(struct anomaly_state));
}
