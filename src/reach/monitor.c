/* The table of monitors: who is watched. What comes of probes is in
 * monitor_run.c. */
#include "base/err.h"
#include "base/log.h"
#include "reach/monitor_int.h"

void monitors_new(struct monitors **out, const struct monitors_conf *conf)
{
    struct monitors *m = NEW(struct monitors);
    m->conf = *conf;
    m->dir = mem_strdup(conf->dir);
    pthread_mutex_init(&m->writing, NULL);
    pthread_mutex_init(&m->lock, NULL);
    rand_fast_init(&m->random);
    *out = m;
}

void monitors_free(struct monitors **mp)
{
    struct monitors *m = *mp;
    struct map_entry e;
    if (!m) return;
    for (size_t at = 0; map_next(&m->by_id, &at, &e);) watched_free(m, e.value);
    map_fini(&m->by_id);
    schedule_fini(&m->schedule);
    pthread_mutex_destroy(&m->writing);
    pthread_mutex_destroy(&m->lock);
    mem_free(m->dir);
    mem_free(m);
    *mp = NULL;
}

/* --- what is known already ---------------------------------------------------- */

static struct target *target_like(struct watched *w, const struct target *t)
{
    for (unsigned i = 0; i < w->n; i++)
        if (w->targets[i].key == t->key) return &w->targets[i];
    return NULL;
}

static void schedule_target(struct monitors *m, struct target *t,
                            int64_t due_ms)
{
    schedule_put(&m->schedule, &t->item, due_ms);
}

/* As it was, asked when it was to be asked; maintenance that begins or ends is
 * judged at once. */
static void inherit(struct monitors *m, struct target *t, struct target *from,
                    bool at_once)
{
    int64_t now = m->conf.node_ms();
    int64_t due = now + t->of->monitor->interval_ms;
    if (from->item.at && from->item.due_ms < due) due = from->item.due_ms;
    t->health = from->health;
    t->incident = from->incident;
    t->last = from->last;
    t->checked_ms = from->checked_ms;
    t->certificate_ms = from->certificate_ms;
    from->incident.seq = 0; /* taken over */
    schedule_target(m, t, at_once ? now : due);
}

static void inherit_all(struct monitors *m, struct watched *w,
                        struct watched *old)
{
    bool turned = w->monitor->maintenance != old->monitor->maintenance;
    memcpy(w->hours, old->hours, sizeof w->hours);
    w->incidents = old->incidents;
    for (unsigned i = 0; i < w->n; i++) {
        struct target *from = target_like(old, &w->targets[i]);
        if (from)
            inherit(m, &w->targets[i], from, turned);
        else
            schedule_target(m, &w->targets[i], m->conf.node_ms());
    }
    for (unsigned i = 0; i < old->n; i++)
        schedule_remove(&m->schedule, &old->targets[i].item);
}

/* --- what the file knows ------------------------------------------------------- */

struct memory { /* of a file, before a restart */
    bool open;
    struct uptime_file file;
    struct uptime_state states[UPTIME_STATES];
    struct uptime_incident incidents[UPTIME_INCIDENTS];
    unsigned incidents_n;
};

static struct memory *memory_read(struct monitors *m, struct watched *w)
{
    struct memory *k = NEW(struct memory);
    int err = uptime_file_open(&k->file, m->dir, w->id, UPTIME_CREATE);
    if (err == ERR_CORRUPT) {
        log_warn("reach", "%s/%.*s: damaged, begun anew", m->dir,
                 SV_FMT(w->id));
        uptime_file_remove(m->dir, w->id);
        err = uptime_file_open(&k->file, m->dir, w->id, UPTIME_CREATE);
    }
    k->open = !err;
    if (err) {
        log_warn("reach", "%s/%.*s: %s: its history is not kept", m->dir,
                 SV_FMT(w->id), err_text(err));
        return k;
    }
    uptime_states_load(&k->file, k->states);
    k->incidents_n =
        uptime_incidents_load(&k->file, INT64_MIN, INT64_MAX, k->incidents);
    for (unsigned i = 0; i < k->incidents_n; i++)
        if (k->incidents[i].seq > w->incidents)
            w->incidents = k->incidents[i].seq;
    return k;
}

static void recall(const struct memory *k, const struct uptime_state *s,
                   struct target *t)
{
    t->health = (struct health_state){ .status = s->status % HEALTH_STATUSES,
                                       .cause = s->cause % HEALTH_CAUSE_COUNT,
                                       .failures = s->failures,
                                       .successes = s->successes,
                                       .since_ms = s->since_ms,
                                       .run_ms = s->run_ms };
    t->certificate_ms = s->certificate_ms;
    for (unsigned i = 0; i < k->incidents_n; i++)
        if (s->incident && k->incidents[i].seq == s->incident)
            t->incident = k->incidents[i];
}

static int64_t changed_ms(const struct uptime_state *s)
{
    return s->since_ms > s->run_ms ? s->since_ms : s->run_ms;
}

/* Of one that changed its place among the targets there are several: the last
 * counts. NULL: it is not known. */
static const struct uptime_state *state_of(const struct memory *k, uint32_t key)
{
    const struct uptime_state *last = NULL;
    for (unsigned i = 0; i < UPTIME_STATES; i++)
        if (k->states[i].key == key &&
            (!last || changed_ms(&k->states[i]) > changed_ms(last)))
            last = &k->states[i];
    return last;
}

static void recall_all(struct monitors *m, struct watched *w, struct memory *k)
{
    uint32_t hour = (uint32_t)(m->conf.wall_ms() / 1000 / UPTIME_HOUR_S);
    for (unsigned i = 0; i < w->n; i++) {
        const struct uptime_state *s = state_of(k, w->targets[i].key);
        if (s) recall(k, s, &w->targets[i]);
    }
    for (unsigned e = 0; k->open && e < UPTIME_ENDPOINTS; e++)
        if (uptime_hour_load(&k->file, e, hour, &w->hours[e]))
            w->hours[e] = (struct uptime_hour){ .hour = hour };
}

/* Those that were known before a restart take turns in their interval. */
static void schedule_all(struct monitors *m, struct watched *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct target *t = &w->targets[i];
        int64_t due = m->conf.node_ms();
        if (t->health.status != HEALTH_UNKNOWN)
            due +=
                (int64_t)(rand_fast_next(&m->random) % w->monitor->interval_ms);
        schedule_target(m, t, due);
    }
}

/* Open ones that no target goes on with: what was asked has been changed. */
static void incidents_end(struct monitors *m, struct watched *w,
                          struct memory *k)
{
    for (unsigned i = 0; i < k->incidents_n; i++) {
        bool held = k->incidents[i].end_ms != 0;
        for (unsigned j = 0; j < w->n && !held; j++)
            held = w->targets[j].incident.seq == k->incidents[i].seq;
        if (held) continue;
        k->incidents[i].end_ms = m->conf.wall_ms();
        uptime_incident_save(&k->file, &k->incidents[i]);
    }
}

/* --- the control thread --------------------------------------------------------- */

static void let_go(struct monitors *m, struct watched *w)
{
    for (unsigned i = 0; i < w->n; i++)
        schedule_remove(&m->schedule, &w->targets[i].item);
    w->gone = true;
    if (!w->probing) watched_free(m, w);
}

static bool ends_some(const struct watched *old)
{
    for (unsigned i = 0; i < old->n; i++)
        if (old->targets[i].incident.seq) return true;
    return false;
}

/* Ends, in the file and for the receiver, what the new one did not take over. */
static void old_incidents_end(struct monitors *m, struct watched *old,
                              enum health_status was, enum health_status is)
{
    for (unsigned i = 0; i < old->n; i++) {
        struct monitor_report r = { .of = old, .endpoint = UPTIME_ENDPOINTS };
        struct target *t = &old->targets[i];
        if (!t->incident.seq) continue;
        r.change.from = (enum health_status)t->health.status;
        r.change.cause = (enum health_cause)t->health.cause;
        target_incident_end(t, m->conf.wall_ms(), &r);
        r.changed = r.change.ended = true;
        monitor_report_whole(&r, was, is, t, m->conf.wall_ms());
        was = is; /* told once */
        monitor_report_write(m, &r);
    }
}

/* Nothing of it has a thread yet. */
static void remember(struct monitors *m, struct watched *w)
{
    struct memory *k = memory_read(m, w);
    recall_all(m, w, k);
    w->told = watched_status(w);
    if (k->open) {
        incidents_end(m, w, k);
        uptime_file_close(&k->file);
    }
    mem_free(k);
}

static bool has(struct monitors *m, struct sv application_id)
{
    pthread_mutex_lock(&m->lock);
    bool found = map_find(&m->by_id, application_id) != NULL;
    pthread_mutex_unlock(&m->lock);
    return found;
}

void monitors_put(struct monitors *m, const struct monitor_source *s)
{
    struct watched *w = watched_new(m, s), *old;
    enum health_status was = HEALTH_UNKNOWN, is = HEALTH_UNKNOWN;
    if (!w) return;
    if (!has(m, w->id)) remember(m, w);
    pthread_mutex_lock(&m->writing);
    pthread_mutex_lock(&m->lock);
    old = map_remove(&m->by_id, w->id);
    if (old) {
        was = old->told;
        inherit_all(m, w, old);
        is = watched_status(w);
        w->told = ends_some(old) ? is : was; /* told below, or with a check */
        old->gone = true;
        old->probing++; /* until its incidents are ended */
    } else {
        schedule_all(m, w);
    }
    map_put(&m->by_id, w->id, w);
    m->figures.targets += w->n;
    pthread_mutex_unlock(&m->lock);
    if (old) {
        old_incidents_end(m, old, was, is);
        pthread_mutex_lock(&m->lock);
        m->figures.targets -= old->n;
        old->probing--;
        let_go(m, old);
        pthread_mutex_unlock(&m->lock);
    }
    pthread_mutex_unlock(&m->writing);
    if (w->n && m->conf.wake) m->conf.wake(m->conf.ctx);
}

void monitors_remove(struct monitors *m, struct sv application_id)
{
    pthread_mutex_lock(&m->writing);
    pthread_mutex_lock(&m->lock);
    struct watched *w = map_remove(&m->by_id, application_id);
    if (w) {
        m->figures.targets -= w->n;
        let_go(m, w);
    }
    pthread_mutex_unlock(&m->lock);
    uptime_file_remove(m->dir, application_id);
    pthread_mutex_unlock(&m->writing);
}

/* --- reading -------------------------------------------------------------------- */

enum health_status watched_status(const struct watched *w)
{
    struct health_state states[MONITOR_TARGETS_MAX];
    if (w->n && w->monitor->maintenance) return HEALTH_MAINTENANCE;
    for (unsigned i = 0; i < w->n; i++) states[i] = w->targets[i].health;
    return health_together(states, w->n);
}

static void target_show(const struct target *t, struct arena *a,
                        struct monitor_target_status *out)
{
    *out = (struct monitor_target_status){
        .url = arena_dup(a, t->url),
        .method = arena_dup(a, t->endpoint->method),
        .status = t->of->monitor->maintenance
                      ? HEALTH_MAINTENANCE
                      : (enum health_status)t->health.status,
        .cause = (enum health_cause)t->health.cause,
        .since_ms = t->health.since_ms,
        .checked_ms = t->checked_ms,
        .certificate_ms = t->certificate_ms,
        .code = t->last.code,
        .endpoint = t->endpoint_at,
        .total_us = t->last.total_us,
    };
    memcpy(out->phase_us, t->last.phase_us, sizeof out->phase_us);
}

void monitors_status(struct monitors *m, struct sv application_id,
                     struct arena *a, struct monitor_status *out)
{
    *out = (struct monitor_status){ .known = false };
    pthread_mutex_lock(&m->lock);
    const struct watched *w = map_find(&m->by_id, application_id);
    if (w) {
        out->known = w->n > 0;
        out->status = watched_status(w);
        out->n = w->n;
        for (unsigned i = 0; i < w->n; i++)
            target_show(&w->targets[i], a, &out->targets[i]);
    }
    pthread_mutex_unlock(&m->lock);
}

int monitors_file(struct monitors *m, struct sv application_id,
                  struct uptime_file *f)
{
    return uptime_file_open(f, m->dir, application_id, UPTIME_READ);
}

void monitors_figures(struct monitors *m, struct monitor_figures *out)
{
    struct map_entry e;
    int64_t now = m->conf.node_ms();
    pthread_mutex_lock(&m->lock);
    const struct schedule_item *first = schedule_first(&m->schedule);
    *out = m->figures;
    if (first && first->due_ms < now)
        out->late_ms = (uint64_t)(now - first->due_ms);
    for (size_t at = 0; map_next(&m->by_id, &at, &e);) {
        const struct watched *w = e.value;
        out->applications[watched_status(w)] += w->n > 0;
    }
    pthread_mutex_unlock(&m->lock);
}
