/* Reading of analytics: which files make up a time, and their rows. */
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "journal/figures_int.h"

struct chosen {
    int level;
    int64_t start_s;
    uint32_t pieces; /* bits; 0: all of it */
    bool has, dropped;
};
struct cover {
    struct figures *f;
    int64_t from_s, to_s;
    bool detail;
    struct chosen *at;
    uint32_t n, cap;
};

/* Is there a file of a coarser level that lies in the time and holds this? */
static bool is_held(const struct cover *c, int level, int64_t start_s)
{
    for (int up = level + 1; up < FIGURES_LEVELS; up++) {
        int64_t span_s = figures_span_s[up], at = start_s / span_s * span_s;
        if (at >= c->from_s && at + span_s <= c->to_s &&
            figures_find(c->f, up, at))
            return true;
    }
    return false;
}

/* An hour whose detail is in its day's is read there, with its neighbours. */
static bool choose_piece(struct cover *c, int level,
                         const struct figures_entry *e, struct chosen *out)
{
    if (!c->detail || !e->dropped || level != FIGURES_HOUR) return false;
    const struct figures_entry *day =
        figures_find(c->f, FIGURES_DAY, e->start_s / 86400 * 86400);
    if (!day || !day->hourly) return false;
    *out = (struct chosen){ .level = FIGURES_DAY,
                            .start_s = day->start_s,
                            .pieces = 1u << figures_piece(e->start_s),
                            .has = true };
    return true;
}

static void choose(struct cover *c, int level, const struct figures_entry *e)
{
    struct chosen one = { .level = level,
                          .start_s = e->start_s,
                          .has = c->detail ? e->detail > 0 : e->general > 0,
                          .dropped = c->detail && e->dropped };
    if (choose_piece(c, level, e, &one) && c->n && c->at[c->n - 1].pieces &&
        c->at[c->n - 1].start_s == one.start_s) {
        c->at[c->n - 1].pieces |= one.pieces;
        return;
    }
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->at = mem_realloc(c->at, c->cap * sizeof *c->at);
    }
    c->at[c->n++] = one;
}

static void cover(struct cover *c)
{
    pthread_mutex_lock(&c->f->files_lock);
    for (int level = FIGURES_LEVELS; level-- > 0;) {
        const struct figures_list *l = &c->f->lists[level];
        uint32_t from = 0, to = l->n;
        while (from < to) {
            uint32_t middle = from + (to - from) / 2;
            if (l->at[middle].start_s < c->from_s)
                from = middle + 1;
            else
                to = middle;
        }
        for (; from < l->n; from++) {
            const struct figures_entry *e = &l->at[from];
            if (e->start_s + figures_span_s[level] > c->to_s) break;
            if (!is_held(c, level, e->start_s)) choose(c, level, e);
        }
    }
    pthread_mutex_unlock(&c->f->files_lock);
}

static bool shares(const struct figure_key *a, const struct figure_key *b,
                   unsigned words)
{
    for (unsigned i = 0; i < words; i++)
        if (a->w[i] != b->w[i]) return false;
    return true;
}

static bool file_read(struct figures *f, const struct chosen *one, bool detail,
                      const struct figures_ask *ask, struct figure_cursor *c,
                      figures_fn *fn, void *ctx)
{
    char path[FIGURES_PATH_MAX];
    struct figure_file file;
    figures_path(f, one->level, one->start_s, 0, detail ? "detail" : "general",
                 path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    int err = figure_file_open(&file, fd);
    bool opened = !err;
    if (opened) err = figure_cursor_seek(c, &file, &ask->first);
    while (!err && shares(&c->row.key, &ask->first, ask->words)) {
        if (!one->pieces || one->pieces >> c->row.piece & 1) fn(ctx, &c->row);
        err = figure_cursor_next(c);
    }
    close(fd);
    return opened && !c->damaged && (!err || err == ERR_NOTFOUND);
}

bool figures_read(struct figures *f, const struct figures_ask *ask,
                  figures_fn *fn, void *ctx)
{
    uint64_t subject = ask->first.w[1];
    struct cover c = { .f = f,
                       .from_s = ask->from_s,
                       .to_s = ask->to_s,
                       .detail = subject == FIGURE_TOKEN ||
                                 subject == FIGURE_OWNER ||
                                 subject == FIGURE_TAG };
    struct figure_cursor *cursor = mem_alloc(sizeof *cursor);
    bool whole = true;
    pthread_mutex_lock(&f->reading);
    cover(&c);
    for (uint32_t i = 0; i < c.n; i++) {
        if (c.at[i].dropped) whole = false;
        if (!c.at[i].has) continue;
        if (file_read(f, &c.at[i], c.detail, ask, cursor, fn, ctx)) continue;
        atomic_fetch_add(&f->damaged, 1);
        whole = false;
    }
    pthread_mutex_unlock(&f->reading);
    mem_free(c.at);
    mem_free(cursor);
    return whole;
}
