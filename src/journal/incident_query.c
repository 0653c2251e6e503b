/* An account's incidents, read: the two archives as one list. */
#include "base/err.h"
#include "base/clock.h"
#include "base/mem.h"
#include "journal/journal_int.h"

enum { BUDGET_BYTES = 2 << 20 }; /* an archive and page */

static bool has_code(const struct incident *i, struct sv code)
{
    if (sv_eq(i->text[INCIDENT_CODE], code)) return true;
    for (unsigned k = 0; k < i->findings_n; k++)
        if (sv_eq(i->findings[k].code, code)) return true;
    return false;
}

static bool has_action(const struct incident *i, int action)
{
    for (unsigned k = 0; k < i->findings_n; k++)
        if ((int)i->findings[k].action == action) return true;
    return false;
}

static bool is_asked(const struct incident_filter *f, const struct incident *i)
{
    return (!f->application ||
            ulid_cmp(f->application, &i->application) == 0) &&
           (!f->token ||
            (i->has_token && ulid_cmp(f->token, &i->token) == 0)) &&
           (!f->client || (i->has_client && ip_eq(f->client, &i->client))) &&
           (!f->code.p || has_code(i, f->code)) &&
           (f->action < 0 || has_action(i, f->action)) &&
           (f->enforced < 0 || incident_is_enforced(i) == f->enforced);
}

/* --- two walks as one ---------------------------------------------------------------- */

struct merge {
    struct archive_walk at[SIEVE_CLASSES];
    bool newer;
};

static bool is_before(const struct merge *m, const struct ulid *a,
                      const struct ulid *b)
{
    int order = ulid_cmp(a, b);
    return m->newer ? order < 0 : order > 0;
}

/* NULL: all have ended, or what comes next is not known: a spent one has not
 * looked that far. */
static struct archive_walk *merge_next(struct merge *m)
{
    struct archive_walk *next = NULL;
    for (int i = 0; i < SIEVE_CLASSES; i++) {
        struct archive_walk *w = &m->at[i];
        if (w->state == WALK_HAS &&
            (!next || is_before(m, &w->now.id, &next->now.id)))
            next = w;
    }
    for (int i = 0; i < SIEVE_CLASSES && next; i++)
        if (m->at[i].state == WALK_SPENT &&
            is_before(m, &m->at[i].seen, &next->now.id))
            next = NULL;
    return next;
}

/* The neighbour in the direction that has been walked already. */
static struct ulid one_back(const struct merge *m, struct ulid id)
{
    for (int i = 16; i-- > 0;) {
        uint8_t was = id.b[i];
        id.b[i] = (uint8_t)(m->newer ? was - 1 : was + 1);
        if (was != (m->newer ? 0 : 0xff)) break;
    }
    return id;
}

/* Where another page goes on: behind all that both have looked at. */
static bool merge_spent(const struct merge *m, struct ulid *next)
{
    bool spent = false, any = false;
    for (int i = 0; i < SIEVE_CLASSES; i++) {
        const struct archive_walk *w = &m->at[i];
        if (w->state == WALK_END) continue;
        struct ulid at =
            w->state == WALK_SPENT ? w->seen : one_back(m, w->now.id);
        spent |= w->state == WALK_SPENT;
        if (!any || is_before(m, &at, next)) *next = at;
        any = true;
    }
    return spent;
}

static void merge_begin(struct merge *m, struct recorder *r,
                        const struct incident_filter *f,
                        const struct incident_page *page)
{
    int64_t oldest_ms = clock_wall_ms() - r->age_ms;
    m->newer = page->newer;
    for (int i = 0; i < SIEVE_CLASSES; i++) {
        struct archive_walk *w = &m->at[i];
        w->account = f->account;
        w->newer = page->newer;
        w->bound = page->bound;
        w->min_ms = f->start_ms > oldest_ms ? f->start_ms : oldest_ms;
        w->max_ms = f->end_ms - 1;
        w->budget = BUDGET_BYTES;
        archive_walk_begin(r->archives[i], w);
        archive_walk_next(w);
    }
}

static void read_page(struct merge *m, const struct incident_filter *f,
                      struct incident_page *page, incident_fn *fn, void *ctx)
{
    struct archive_walk *w;
    struct ulid shown = page->bound;
    uint32_t n = 0;
    page->has_more = false;
    while ((w = merge_next(m)) != NULL) {
        if (is_asked(f, &w->now)) {
            if (n++ == page->limit) {
                page->has_more = true;
                page->next = shown;
                return;
            }
            fn(ctx, &w->now);
            shown = w->now.id;
        }
        archive_walk_next(w);
    }
    page->has_more = merge_spent(m, &page->next);
}

int journal_incidents(struct journal *j, const struct incident_filter *f,
                      struct incident_page *page, incident_fn *fn, void *ctx)
{
    struct recorder *r = j->recorder;
    if (!r) return ERR_NOTFOUND;
    if (!recorder_lock(r)) return ERR_TIMEOUT;
    int err = r->failing ? ERR_IO : 0;
    page->has_more = false;
    page->dropped = recorder_dropped(r);
    if (!err && r->archives[SIEVE_CLASSES - 1]) {
        struct merge *m = mem_alloc(sizeof *m);
        merge_begin(m, r, f, page);
        read_page(m, f, page, fn, ctx);
        for (int i = 0; i < SIEVE_CLASSES; i++) archive_walk_end(&m->at[i]);
        mem_free(m);
    }
    recorder_unlock(r);
    return err;
}

int journal_incident(struct journal *j, const struct ulid *account,
                     const struct ulid *id, incident_fn *fn, void *ctx)
{
    struct recorder *r = j->recorder;
    if (!r) return ERR_NOTFOUND;
    if (!recorder_lock(r)) return ERR_TIMEOUT;
    struct archive_walk *w = mem_alloc(sizeof *w);
    bool found = false;
    for (int i = 0; i < SIEVE_CLASSES && r->archives[i] && !found; i++) {
        const struct merge up = { .newer = true };
        w->account = *account;
        w->newer = true;
        w->bound = one_back(&up, *id);
        w->min_ms = clock_wall_ms() - r->age_ms;
        w->max_ms = INT64_MAX;
        w->budget = BUDGET_BYTES;
        archive_walk_begin(r->archives[i], w);
        found =
            archive_walk_next(w) == WALK_HAS && ulid_cmp(&w->now.id, id) == 0;
        if (found) fn(ctx, &w->now);
        archive_walk_end(w);
    }
    mem_free(w);
    recorder_unlock(r);
    return found ? 0 : ERR_NOTFOUND;
}
