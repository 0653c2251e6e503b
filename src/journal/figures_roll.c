/* Hours and days are made when they are over; what is too old goes, and what
 * there is no room for: the oldest details first, of minutes, of hours, the
 * hours of days, then days'. Decisions 0066, 0076. */
#include <errno.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "journal/figures_int.h"

enum {
    DAY_S = 86400,
    MINUTES_KEPT_S = 48 * 3600,
    FRESH_S = 2 * 3600,
    UNTAKEN_S = 26 * 3600
};

/* --- what is due ---------------------------------------------------------- */

static bool is_there(struct figures *f, int level, int64_t start_s)
{
    pthread_mutex_lock(&f->files_lock);
    bool found = figures_find(f, level, start_s) != NULL;
    pthread_mutex_unlock(&f->files_lock);
    return found;
}

/* The latest span of `level` that is over and is still kept, of which there
 * are files below and none of itself; -1: none. The list is the thread's to
 * change. */
static int64_t due_of(struct figures *f, int level, int64_t kept_s,
                      int64_t now_s)
{
    const struct figures_list *below = &f->lists[level - 1];
    int64_t span_s = figures_span_s[level], last = -1;
    for (uint32_t i = below->n; i-- > 0;) {
        int64_t start_s = below->at[i].start_s / span_s * span_s;
        if (start_s < kept_s) break;
        if (start_s == last || start_s + span_s > now_s) continue;
        last = start_s;
        if (!is_there(f, level, start_s)) return start_s;
    }
    return -1;
}

static void file_remove(struct figures *f, int level, int64_t start_s, int kind)
{
    char path[FIGURES_PATH_MAX];
    figures_path(f, level, start_s, 0, figures_kinds[kind], path);
    if (unlink(path) && errno != ENOENT)
        log_warn("analytics", "%s: %s", path, err_text(err_from_errno(errno)));
}

static void expire(struct figures *f, int level, int64_t before_s)
{
    struct figures_list *l = &f->lists[level];
    uint32_t n = figures_place(l, before_s);
    if (!n) return;
    pthread_mutex_lock(&f->reading);
    for (uint32_t i = 0; i < n; i++)
        for (int kind = 0; kind < 2; kind++)
            file_remove(f, level, l->at[i].start_s, kind);
    pthread_mutex_lock(&f->files_lock);
    for (uint32_t i = 0; i < n; i++)
        f->bytes -= l->at[i].general + l->at[i].detail;
    memmove(l->at, l->at + n, (l->n - n) * sizeof *l->at);
    l->n -= n;
    pthread_mutex_unlock(&f->files_lock);
    pthread_mutex_unlock(&f->reading);
}

static void detail_empty(struct figures *f, int level, struct figures_entry e)
{
    char path[FIGURES_PATH_MAX];
    figures_path(f, level, e.start_s, 0, figures_kinds[1], path);
    e.detail = 0;
    e.dropped = true;
    e.hourly = false;
    pthread_mutex_lock(&f->reading);
    if (truncate(path, 0)) file_remove(f, level, e.start_s, 1);
    figures_entry_set(f, level, &e);
    pthread_mutex_unlock(&f->reading);
}

/* The oldest detail of a level goes; false: there is none to go. */
static bool drop_detail(struct figures *f, int level, int64_t before_s)
{
    struct figures_list *l = &f->lists[level];
    for (uint32_t i = 0; i < l->n && l->at[i].start_s < before_s; i++) {
        if (!l->at[i].detail) continue;
        detail_empty(f, level, l->at[i]);
        return true;
    }
    return false;
}

/* The oldest day that is by its hours becomes one of the day as a whole. */
static bool drop_hours(struct figures *f)
{
    struct figures_list *l = &f->lists[FIGURES_DAY];
    for (uint32_t i = 0; i < l->n; i++) {
        const struct figures_job job = { .level = FIGURES_DAY,
                                         .start_s = l->at[i].start_s,
                                         .itself = true,
                                         .whole = true };
        if (!l->at[i].hourly) continue;
        int err = figures_write(f, &job);
        figures_tell(f, err, 0);
        return !err;
    }
    return false;
}

/* Details of hours that are in their day's. */
static void hours_taken(struct figures *f)
{
    struct figures_list *l = &f->lists[FIGURES_HOUR];
    for (uint32_t i = 0; i < l->n; i++) {
        const struct figures_entry *day =
            figures_find(f, FIGURES_DAY, l->at[i].start_s / DAY_S * DAY_S);
        if (l->at[i].detail && day && day->hourly)
            detail_empty(f, FIGURES_HOUR, l->at[i]);
    }
}

/* Details of hours that their day has not yet taken in are spared as long as
 * that is possible. */
static void make_room(struct figures *f, int64_t now_s)
{
    uint64_t max = f->conf.bytes_max;
    while (f->bytes > max && drop_detail(f, FIGURES_MINUTE, now_s - FRESH_S))
        ;
    while (f->bytes > max && drop_detail(f, FIGURES_HOUR, now_s - UNTAKEN_S))
        ;
    while (f->bytes > max && drop_hours(f))
        ;
    while (f->bytes > max && drop_detail(f, FIGURES_DAY, now_s))
        ;
    while (f->bytes > max && drop_detail(f, FIGURES_HOUR, now_s))
        ;
    for (int level = 0; level < FIGURES_LEVELS; level++)
        while (f->bytes > max && f->lists[level].n &&
               f->lists[level].at[0].start_s < now_s - FRESH_S)
            expire(f, level, f->lists[level].at[0].start_s + 1);
}

/* What cannot be written is tried again after the next minute. */
static int write_due(struct figures *f, int level, int64_t kept_s,
                     int64_t now_s)
{
    int err = 0;
    for (int64_t due; !err && (due = due_of(f, level, kept_s, now_s)) >= 0;) {
        const struct figures_job job = { .level = level,
                                         .start_s = due,
                                         .below = true };
        err = figures_write(f, &job);
        figures_tell(f, err, 0);
    }
    return err;
}

/* On a full disk too: what goes makes room. */
void figures_roll(struct figures *f, int64_t now_s)
{
    /* by whole days: an hour is as long there as the day that has its detail */
    int64_t kept_s = (now_s / DAY_S - f->conf.days) * DAY_S;
    if (!write_due(f, FIGURES_HOUR, kept_s, now_s))
        write_due(f, FIGURES_DAY, kept_s, now_s);
    expire(f, FIGURES_MINUTE, now_s - MINUTES_KEPT_S);
    expire(f, FIGURES_HOUR, kept_s);
    expire(f, FIGURES_DAY, kept_s);
    hours_taken(f);
    make_room(f, now_s);
}
