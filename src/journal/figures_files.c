/* The files of analytics: their list and their making; figures_roll.c their end.
 *
 *   DATA/analytics/m-1764331200.general   lists and sums of a minute
 *   DATA/analytics/m-1764331200.detail    of each token, owner and tag
 *   h-…, d-…                              of an hour, a day
 *   m-1764331200.p1.general               a part of the present minute
 *
 * A day's detail is by its hours, so that each token's key is there once and
 * not 24 times; those of the hours go then. A detail that went, so or for want
 * of room, leaves an empty file behind: what is missing is known. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/figures_int.h"

static const char level_letters[] = "mhd";
const char *const figures_kinds[] = { "general", "detail" };
/* How many are listed: of a minute, an hour, a day. */
static const unsigned top_of[FIGURES_LEVELS] = { 50, 100, 1000 };

void figures_path(const struct figures *f, int level, int64_t start_s,
                  unsigned part, const char *kind, char out[FIGURES_PATH_MAX])
{
    char number[16] = "";
    if (part) snprintf(number, sizeof number, ".p%u", part);
    snprintf(out, FIGURES_PATH_MAX, "%s/%c-%lld%s.%s", f->dir,
             level_letters[level], (long long)start_s, number, kind);
}

/* --- the list: under the lock --------------------------------------------- */

uint32_t figures_place(const struct figures_list *l, int64_t start_s)
{
    uint32_t from = 0, to = l->n;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (l->at[middle].start_s < start_s)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct figures_entry *figures_find(struct figures *f, int level,
                                   int64_t start_s)
{
    struct figures_list *l = &f->lists[level];
    uint32_t at = figures_place(l, start_s);
    return at < l->n && l->at[at].start_s == start_s ? &l->at[at] : NULL;
}

static struct figures_entry *entry_get(struct figures *f, int level,
                                       int64_t start_s)
{
    struct figures_list *l = &f->lists[level];
    struct figures_entry *found = figures_find(f, level, start_s);
    if (found) return found;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->at = mem_realloc(l->at, l->cap * sizeof *l->at);
    }
    uint32_t at = figures_place(l, start_s);
    memmove(&l->at[at + 1], &l->at[at], (l->n++ - at) * sizeof *l->at);
    l->at[at] = (struct figures_entry){ .start_s = start_s };
    return &l->at[at];
}

void figures_entry_set(struct figures *f, int level,
                       const struct figures_entry *is)
{
    pthread_mutex_lock(&f->files_lock);
    struct figures_entry *e = entry_get(f, level, is->start_s);
    f->bytes += is->general + is->detail - e->general - e->detail;
    *e = *is;
    pthread_mutex_unlock(&f->files_lock);
}

/* --- what is on the disk -------------------------------------------------- */

/* False: no file of ours. */
static bool name_read(const char *name, int *level, int64_t *start_s, int *kind,
                      bool *passing)
{
    char *end;
    const char *letter = strchr(level_letters, name[0]);
    if (!name[0] || !letter || name[1] != '-') return false;
    if (name[2] < '0' || name[2] > '9') return false;
    *level = (int)(letter - level_letters);
    *start_s = strtoll(name + 2, &end, 10);
    size_t n = strlen(name);
    *passing = strncmp(end, ".p", 2) == 0 ||
               (n > 4 && strcmp(name + n - 4, ".tmp") == 0);
    for (*kind = 0; *kind < 2; ++*kind)
        if (*end == '.' && strcmp(end + 1, figures_kinds[*kind]) == 0) break;
    return *passing || (*kind < 2 && *start_s >= 0 &&
                        *start_s % figures_span_s[*level] == 0);
}

/* Earlier versions wrote days as a whole. */
static bool is_hourly(const char *path)
{
    struct figure_file file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool hourly = figure_file_open(&file, fd) == 0 && file.span.pieces;
    close(fd);
    return hourly;
}

static void file_scan(struct figures *f, const char *name)
{
    char path[FIGURES_PATH_MAX];
    struct stat st;
    int level, kind;
    int64_t start_s;
    bool passing;
    if (!name_read(name, &level, &start_s, &kind, &passing)) return;
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    if (passing) {
        unlink(path);
        return;
    }
    if (stat(path, &st)) return;
    struct figures_entry *e = entry_get(f, level, start_s);
    *(kind ? &e->detail : &e->general) = (uint64_t)st.st_size;
    if (kind && !st.st_size) e->dropped = true;
    if (kind && level == FIGURES_DAY) e->hourly = is_hourly(path);
    f->bytes += (uint64_t)st.st_size;
}

void figures_scan(struct figures *f)
{
    DIR *d = opendir(f->dir);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) file_scan(f, e->d_name);
    closedir(d);
    const struct figures_list *m = &f->lists[FIGURES_MINUTE];
    if (m->n) atomic_store(&f->until_s, m->at[m->n - 1].start_s + 60);
}

/* --- making one ----------------------------------------------------------- */

struct sources {
    struct figures *f;
    struct figure_source **at;
    unsigned n, cap;
};

static struct figure_source **source_next(struct sources *s)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->at = mem_realloc(s->at, s->cap * sizeof(void *));
    }
    return &s->at[s->n];
}

/* A file that is not there, or none of ours, is passed over. */
static void source_file(struct sources *s, int level, int64_t start_s,
                        unsigned part, uint8_t piece)
{
    char path[FIGURES_PATH_MAX];
    for (int kind = 0; kind < 2; kind++) {
        figures_path(s->f, level, start_s, part, figures_kinds[kind], path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        if (figure_source_file(source_next(s), fd, kind ? piece : 0) == 0)
            s->n++;
        else {
            atomic_fetch_add(&s->f->damaged, 1);
            close(fd);
        }
    }
}

static bool is_by_hours(const struct figures_job *job)
{
    return job->level == FIGURES_DAY && !job->whole;
}

static void sources_below(struct sources *s, const struct figures_job *job)
{
    struct figures_list *l = &s->f->lists[job->level - 1];
    int64_t end_s = job->start_s + figures_span_s[job->level];
    for (uint32_t i = figures_place(l, job->start_s);
         i < l->n && l->at[i].start_s < end_s; i++) {
        int64_t start_s = l->at[i].start_s;
        source_file(s, job->level - 1, start_s, 0,
                    is_by_hours(job) ? figures_piece(start_s) : 0);
    }
}

static void sources_open(struct sources *s, const struct figures_job *job)
{
    struct figures *f = s->f;
    if (job->facts && f->facts.n) {
        figure_source_table(source_next(s), &f->facts);
        s->n++;
    }
    if (job->rows && f->rows.n) {
        figure_source_table(source_next(s), &f->rows);
        s->n++;
    }
    for (unsigned i = 1; job->parts && i <= f->parts; i++)
        source_file(s, job->level, job->start_s, i, 0);
    if (job->itself) source_file(s, job->level, job->start_s, 0, 0);
    if (job->below) sources_below(s, job);
}

static void sources_close(struct sources *s)
{
    for (unsigned i = 0; i < s->n; i++) figure_source_free(&s->at[i]);
    mem_free(s->at);
}

static void drain(void *ctx)
{
    figures_drain(ctx);
}

static void parts_remove(struct figures *f, const struct figures_job *job)
{
    char path[FIGURES_PATH_MAX];
    for (unsigned i = 1; job->parts && i <= f->parts; i++)
        for (int kind = 0; kind < 2; kind++) {
            figures_path(f, job->level, job->start_s, i, figures_kinds[kind],
                         path);
            unlink(path);
        }
}

static int merge_into(struct sources *s, const struct figures_job *job,
                      struct figure_writer *writers[2])
{
    const struct figure_merge_conf conf = {
        .sources = s->at,
        .sources_n = s->n,
        .general = writers[0],
        .detail = writers[1],
        .top = job->part ? 0 : top_of[job->level],
        .pause = job->facts || job->rows ? NULL : drain,
        .ctx = s->f,
    };
    s->f->in_merge = true;
    int err = figure_merge(&conf);
    s->f->in_merge = false;
    return err;
}

/* Both or none: a disk that has room for one only keeps what it had. The detail
 * goes first: a general file says that both are there. */
static int writers_end(struct figure_writer *writers[2], int err,
                       uint64_t bytes[2])
{
    for (int kind = 1; kind >= 0; kind--) {
        if (err)
            figure_writer_abandon(&writers[kind]);
        else
            err = figure_writer_end(&writers[kind], &bytes[kind]);
    }
    return err;
}

/* Under the names that they shall have, and known. */
static int files_set(struct figures *f, const struct figures_job *job,
                     struct figure_writer *writers[2], int err)
{
    uint64_t bytes[2] = { 0, 0 };
    if (job->part) return writers_end(writers, err, bytes);
    pthread_mutex_lock(&f->reading);
    err = writers_end(writers, err, bytes);
    const struct figures_entry is = { .start_s = job->start_s,
                                      .general = bytes[0],
                                      .detail = bytes[1],
                                      .hourly = is_by_hours(job) };
    if (!err) figures_entry_set(f, job->level, &is);
    pthread_mutex_unlock(&f->reading);
    parts_remove(f, job);
    return err;
}

int figures_write(struct figures *f, const struct figures_job *job)
{
    char path[FIGURES_PATH_MAX];
    struct figure_writer *writers[2] = { NULL, NULL };
    const struct figure_span span = { job->start_s, (uint8_t)job->level,
                                      is_by_hours(job) ? FIGURE_PIECES : 0 };
    struct sources s = { .f = f };
    int err =
        mkdir(f->dir, 0700) && errno != EEXIST ? err_from_errno(errno) : 0;
    for (int kind = 0; kind < 2 && !err; kind++) {
        figures_path(f, job->level, job->start_s, job->part,
                     figures_kinds[kind], path);
        err = figure_writer_new(&writers[kind], path, span);
    }
    if (!err) {
        sources_open(&s, job);
        err = merge_into(&s, job, writers);
        sources_close(&s);
    }
    for (int kind = 0; kind < 2 && !err; kind++)
        err = figure_writer_close(writers[kind], job->level != FIGURES_MINUTE);
    return files_set(f, job, writers, err);
}
