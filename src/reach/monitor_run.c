/* A probe's way through the table: due, judged, recorded, told. */
#include "base/err.h"
#include "base/log.h"
#include "reach/monitor_int.h"

enum { CONFIRM_PART = 4, DAY_MS = 86400000 };

/* --- due ------------------------------------------------------------------------ */

bool monitors_due(struct monitors *m, struct monitor_order *out, int64_t *in_ms)
{
    int64_t now = m->conf.node_ms();
    pthread_mutex_lock(&m->lock);
    struct schedule_item *first = schedule_first(&m->schedule);
    bool due = first && first->due_ms <= now;
    *in_ms = !first ? INT64_MAX : due ? 0 : first->due_ms - now;
    if (due) {
        struct target *t = (struct target *)first;
        schedule_remove(&m->schedule, first);
        first->due_ms = now; /* when it began */
        t->probing = true;
        t->of->probing++;
        m->figures.active++;
        *out = (struct monitor_order){ .of = t->of,
                                       .target = t,
                                       .url = t->url,
                                       .endpoint = t->endpoint,
                                       .timeout_ms = t->of->monitor->timeout_ms,
                                       .start_ms = m->conf.wall_ms() };
    }
    pthread_mutex_unlock(&m->lock);
    return due;
}

/* What changes the status is asked about once more, soon. */
static bool to_be_confirmed(const struct health_state *s)
{
    return (s->status == HEALTH_DEGRADED && s->failures) ||
           (s->status == HEALTH_DOWN && s->successes);
}

static void schedule_next(struct monitors *m, struct target *t)
{
    int64_t interval = t->of->monitor->interval_ms;
    int64_t now = m->conf.node_ms();
    if (to_be_confirmed(&t->health)) interval /= CONFIRM_PART;
    int64_t due = t->item.due_ms +
                  schedule_jitter_ms(interval, rand_fast_next(&m->random));
    schedule_put(&m->schedule, &t->item, due < now ? now : due);
}

/* --- judged ---------------------------------------------------------------------- */

static bool body_holds(struct sv body, struct sv text)
{
    return !text.n ||
           (body.n && memmem(body.p, body.n, text.p, text.n) != NULL);
}

static enum health_cause failure_of(const struct target *t,
                                    const struct monitor_answer *a)
{
    if (a->cause) return a->cause;
    if (a->code != t->endpoint->status) return HEALTH_CAUSE_STATUS;
    return body_holds(a->body, t->endpoint->body_match) ? HEALTH_CAUSE_NONE
                                                        : HEALTH_CAUSE_BODY;
}

/* Good, but not all well. */
static enum health_cause shortcoming_of(const struct target *t,
                                        const struct monitor_answer *a,
                                        int64_t at_ms)
{
    const struct monitor *rules = t->of->monitor;
    int64_t days = rules->certificate_days;
    if (rules->slow_ms && a->total_us > rules->slow_ms * 1000)
        return HEALTH_CAUSE_SLOW;
    if (a->certificate_ms && days && a->certificate_ms < at_ms + days * DAY_MS)
        return HEALTH_CAUSE_CERTIFICATE_SOON;
    return HEALTH_CAUSE_NONE;
}

struct uptime_state target_state(const struct target *t)
{
    return (struct uptime_state){ .key = t->key,
                                  .status = t->health.status,
                                  .cause = t->health.cause,
                                  .failures = t->health.failures,
                                  .successes = t->health.successes,
                                  .since_ms = t->health.since_ms,
                                  .run_ms = t->health.run_ms,
                                  .certificate_ms = t->certificate_ms,
                                  .incident = t->incident.seq };
}

static struct sv without_query(struct sv url)
{
    size_t at = sv_find(url, '?');
    return at == SIZE_MAX ? url : sv_first(url, at);
}

static void incident_begin(struct target *t, int64_t at_ms,
                           struct monitor_report *r)
{
    struct sv url = sv_first(without_query(t->url), UPTIME_URL_MAX);
    t->incident = (struct uptime_incident){ .seq = ++t->of->incidents,
                                            .start_ms = at_ms,
                                            .code = t->last.code,
                                            .cause = t->health.cause };
    memcpy(t->incident.url, url.p, url.n);
    r->incident = t->incident;
}

void target_incident_end(struct target *t, int64_t at_ms,
                         struct monitor_report *r)
{
    r->change.endpoint = without_query(t->url);
    r->change.code = t->last.code;
    r->change.at_ms = at_ms;
    if (!t->incident.seq) return;
    t->incident.end_ms = at_ms;
    r->incident = t->incident;
    t->incident.seq = 0;
}

static void report_change(struct monitors *m, struct target *t,
                          const struct health_change *c, unsigned was_cause,
                          struct monitor_report *r)
{
    enum health_status to = (enum health_status)t->health.status;
    bool ill = to == HEALTH_DEGRADED || to == HEALTH_DOWN;
    if (!c->changed) return;
    if (c->began) incident_begin(t, c->at_ms, r);
    if (c->began) m->figures.incidents++;
    if (c->ended) target_incident_end(t, c->at_ms, r);
    r->changed = c->from != HEALTH_UNKNOWN || to != HEALTH_HEALTHY;
    r->change = (struct monitor_change){
        .endpoint = without_query(t->url),
        .from = c->from,
        .to = to,
        .cause = (enum health_cause)(ill ? t->health.cause : was_cause),
        .code = t->last.code,
        .at_ms = c->at_ms,
        .began = c->began,
        .ended = c->ended,
    };
}

void monitor_report_whole(struct monitor_report *r, enum health_status was,
                          enum health_status is, const struct target *by,
                          int64_t at_ms)
{
    enum health_cause cause = (enum health_cause)by->health.cause;
    r->whole_changed =
        was != is && (was != HEALTH_UNKNOWN || is != HEALTH_HEALTHY);
    r->whole = (struct monitor_change){
        .endpoint = SV(""),
        .from = was,
        .to = is,
        .cause = cause ? cause : r->change.cause,
        .code = by->last.code,
        .at_ms = at_ms,
        .began = is == HEALTH_DOWN,
        .ended = was == HEALTH_DOWN,
    };
}

static void record(struct monitors *m, struct target *t,
                   const struct monitor_answer *a, enum health_cause cause,
                   bool failed, struct monitor_report *r)
{
    struct uptime_hour *h = &t->of->hours[t->endpoint_at];
    uint32_t hour = (uint32_t)(t->checked_ms / 1000 / UPTIME_HOUR_S);
    t->last = (struct uptime_probe){ .failed = failed,
                                     .degraded = cause && !failed,
                                     .maintained = t->of->monitor->maintenance,
                                     .code = (uint16_t)a->code,
                                     .total_us = a->total_us };
    memcpy(t->last.phase_us, a->phase_us, sizeof t->last.phase_us);
    if (h->hour != hour) *h = (struct uptime_hour){ .hour = hour };
    uptime_add(h, &t->last);
    r->hour = *h;
    r->endpoint = t->endpoint_at;
    m->figures.probes++;
    if (failed) m->figures.failures[cause]++;
}

static void judge(struct monitors *m, const struct monitor_order *o,
                  const struct monitor_answer *a, struct monitor_report *r)
{
    struct target *t = o->target;
    bool maintained = t->of->monitor->maintenance;
    enum health_cause cause = failure_of(t, a);
    bool failed = cause != HEALTH_CAUSE_NONE;
    unsigned was_cause = t->health.cause;
    t->checked_ms = o->start_ms;
    if (a->certificate_ms) t->certificate_ms = a->certificate_ms;
    if (!failed) cause = shortcoming_of(t, a, o->start_ms);
    record(m, t, a, cause, failed, r);
    bool was_maintained = t->health.status == HEALTH_MAINTENANCE;
    if (maintained != was_maintained) {
        struct health_change c =
            health_maintain(&t->health, maintained, o->start_ms);
        if (maintained) report_change(m, t, &c, was_cause, r);
    }
    if (maintained) return;
    if (t->origin)
        origin_probed(t->origin, HEALTH_SUCCESSES, HEALTH_FAILURES, !failed);
    struct health_probe p = { failed, cause, o->start_ms };
    struct health_change c = health_judge(&t->health, &p);
    if (was_maintained) c.from = HEALTH_MAINTENANCE;
    report_change(m, t, &c, was_cause, r);
}

/* --- recorded and told ------------------------------------------------------------- */

static int write_all(struct uptime_file *f, const struct monitor_report *r)
{
    int err = 0, one = 0;
    if (r->endpoint < UPTIME_ENDPOINTS)
        err = uptime_hour_save(f, r->endpoint, &r->hour);
    if (r->incident.seq) one = uptime_incident_save(f, &r->incident);
    if (!err) err = one;
    if (r->state) one = uptime_state_save(f, r->state_at, &r->saved);
    return err ? err : one;
}

static void tell(struct monitors *m, const struct watched *w,
                 struct monitor_change c)
{
    c.account_id = w->account_id;
    c.application_id = w->id;
    c.application = w->name;
    if (m->conf.changed) m->conf.changed(m->conf.ctx, &c);
}

void monitor_report_write(struct monitors *m, const struct monitor_report *r)
{
    struct uptime_file f;
    int err = uptime_file_open(&f, m->dir, r->of->id, UPTIME_WRITE);
    if (!err) {
        err = write_all(&f, r);
        uptime_file_close(&f);
    }
    if (err) {
        pthread_mutex_lock(&m->lock);
        bool first = m->figures.unwritten++ == 0;
        pthread_mutex_unlock(&m->lock);
        if (first)
            log_warn("reach", "monitors: history is not kept: %s",
                     err_text(err));
    }
    if (r->changed) tell(m, r->of, r->change);
    if (r->whole_changed) tell(m, r->of, r->whole);
}

void monitors_done(struct monitors *m, const struct monitor_order *o,
                   const struct monitor_answer *a)
{
    struct watched *w = o->of;
    struct target *t = o->target;
    struct monitor_report r = { .of = w, .endpoint = UPTIME_ENDPOINTS };
    pthread_mutex_lock(&m->writing);
    pthread_mutex_lock(&m->lock);
    bool gone = w->gone;
    m->figures.active--;
    t->probing = false;
    if (!gone && a->skipped) m->figures.skipped++;
    if (!gone && !a->skipped) {
        struct uptime_state was = target_state(t);
        judge(m, o, a, &r);
        enum health_status is = watched_status(w);
        if (is != w->told)
            monitor_report_whole(&r, w->told, is, t,
                                 r.changed ? r.change.at_ms : o->start_ms);
        w->told = is;
        r.saved = target_state(t);
        r.state = memcmp(&was, &r.saved, sizeof was) != 0;
        r.state_at = t->at;
    }
    if (!gone) schedule_next(m, t);
    pthread_mutex_unlock(&m->lock);
    if (!gone && !a->skipped) monitor_report_write(m, &r);
    pthread_mutex_unlock(&m->writing);
    pthread_mutex_lock(&m->lock);
    w->probing--;
    if (w->gone && !w->probing) watched_free(m, w);
    pthread_mutex_unlock(&m->lock);
}
