/* Reading the archive: one account's incidents in the order of their ids, in
 * either direction. Blocks without the account's bit, or of other times, are
 * passed over in memory; what is read is bounded by the walk's budget, and
 * where that ended is told, so that another walk goes on from there. */
#include <unistd.h>

#include "base/err.h"
#include "journal/archive_int.h"

static const struct segment_block *block_of(const struct archive_walk *w)
{
    return &w->archive->segments[w->segment].blocks[w->block];
}

static bool is_beyond(const struct archive_walk *w, const struct ulid *id)
{
    int order = ulid_cmp(id, &w->bound);
    return w->newer ? order <= 0 : order >= 0;
}

/* --- segments ------------------------------------------------------------------ */

/* Does it hold none but what lies beyond the bound? The last of a segment is
 * below the first of the next. */
static bool is_out(const struct archive_walk *w, size_t n)
{
    const struct archive *a = w->archive;
    if (!w->newer) return is_beyond(w, &a->segments[n].first);
    return n + 1 < a->n && is_beyond(w, &a->segments[n + 1].first);
}

static void segment_leave(struct archive_walk *w)
{
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
    w->in_segment = false;
}

static void spend(struct archive_walk *w, uint64_t bytes)
{
    w->budget -= bytes < w->budget ? (size_t)bytes : w->budget;
}

/* Its index is made if there is none, once. When that spends the budget, one
 * block is still read, so that every walk gets on. */
static void segment_open(struct archive_walk *w)
{
    struct segment *s = &w->archive->segments[w->segment];
    w->in_segment = true;
    w->fd = archive_segment_fd(w->archive, s);
    if (w->fd >= 0 && !s->indexed) {
        spend(w, s->file_bytes);
        segment_index(s, w->fd);
        if (!w->budget && !w->graced) w->budget = 1;
        w->graced = true;
    }
    w->block = w->newer ? 0 : s->blocks_n;
}

/* False: there is none. */
static bool segment_next(struct archive_walk *w)
{
    const struct archive *a = w->archive;
    bool fresh = w->segment == SIZE_MAX;
    segment_leave(w);
    do {
        if (w->newer) {
            w->segment = fresh ? 0 : w->segment + 1;
            if (w->segment >= a->n) return false;
        } else {
            if (fresh) w->segment = a->n;
            if (w->segment == 0) return false;
            w->segment--;
        }
        fresh = false;
    } while (is_out(w, w->segment));
    return true;
}

/* --- blocks -------------------------------------------------------------------- */

static bool is_wanted(const struct archive_walk *w,
                      const struct segment_block *b)
{
    return (b->accounts & segment_account_bit(&w->account)) &&
           b->max_ms >= w->min_ms && b->min_ms <= w->max_ms &&
           !is_beyond(w, w->newer ? &b->last : &b->first);
}

static void pass(struct archive_walk *w, const struct segment_block *b)
{
    if (!is_beyond(w, w->newer ? &b->last : &b->first))
        w->seen = w->newer ? b->last : b->first;
}

/* The offsets of its whole records. */
static void block_load(struct archive_walk *w, const struct segment_block *b)
{
    const struct segment *s = &w->archive->segments[w->segment];
    struct sv bytes = sv_of(w->memory, b->bytes), incident;
    w->records_n = w->record = 0;
    spend(w, b->bytes);
    if (w->fd < 0 || segment_block_read(w->fd, b, w->memory)) return;
    while (segment_check(s, bytes, &incident) == 0 &&
           w->records_n < sizeof w->at / sizeof *w->at) {
        w->at[w->records_n++] = (uint32_t)(bytes.p - w->memory);
        bytes = sv_from(bytes, SEGMENT_FRAME + incident.n);
    }
    w->record = w->newer ? 0 : w->records_n;
}

/* The next record of the loaded block that is the account's. */
static bool record_next(struct archive_walk *w)
{
    uint32_t n;
    while (w->newer ? w->record < w->records_n : w->record > 0) {
        uint32_t at = w->at[w->newer ? w->record++ : --w->record];
        const char *bytes = w->memory + at + SEGMENT_FRAME;
        memcpy(&n, w->memory + at, sizeof n);
        if (is_beyond(w, incident_id(bytes))) continue;
        w->seen = *incident_id(bytes);
        if (ulid_cmp(incident_account(bytes), &w->account) == 0 &&
            incident_at_ms(bytes) >= w->min_ms &&
            incident_at_ms(bytes) <= w->max_ms &&
            incident_decode(sv_of(bytes, n), &w->now) == 0)
            return true;
    }
    w->records_n = w->record = 0;
    return false;
}

/* False: the segment has no further one, or the budget is spent. */
static bool block_next(struct archive_walk *w)
{
    const struct segment *s = &w->archive->segments[w->segment];
    while (w->newer ? w->block < s->blocks_n : w->block > 0) {
        if (!w->newer) w->block--;
        const struct segment_block *b = block_of(w);
        if (is_wanted(w, b) && !w->budget) {
            if (!w->newer) w->block++;
            w->state = WALK_SPENT;
            return false;
        }
        if (w->newer) w->block++;
        if (!is_wanted(w, b)) {
            pass(w, b);
            continue;
        }
        block_load(w, b);
        if (record_next(w)) return true;
        pass(w, b);
    }
    return false;
}

void archive_walk_begin(struct archive *a, struct archive_walk *w)
{
    w->archive = a;
    w->state = WALK_HAS;
    w->seen = w->bound;
    w->segment = SIZE_MAX;
    w->in_segment = w->graced = false;
    w->fd = -1;
    w->records_n = w->record = 0;
}

enum walk_state archive_walk_next(struct archive_walk *w)
{
    if (w->state != WALK_HAS || record_next(w)) return w->state;
    for (;;) {
        if (w->in_segment && block_next(w)) return WALK_HAS;
        if (w->state == WALK_SPENT) return w->state;
        if (!segment_next(w)) return w->state = WALK_END;
        if (!w->budget && !w->archive->segments[w->segment].indexed)
            return w->state = WALK_SPENT;
        segment_open(w);
    }
}

void archive_walk_end(struct archive_walk *w)
{
    segment_leave(w);
}
