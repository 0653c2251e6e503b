/* One edition is a set of files. They are opened together and swapped in as
 * one, so that a look-up never sees half of two editions of a file. */
#include "main/places.h"

#include <errno.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "journal/journal.h"
#include "main/data.h"
#include "main/process.h"
#include "main/stamp.h"

static const uint64_t LOOK_EVERY_NS = 2000000000ull;

struct file {
    char *path;
    struct stamp stamp;  /* as last looked at */
    const char *problem; /* static; NULL: none */
    int about;           /* its place in the edition in force; -1: not in it */
};

struct places {
    struct place_root root;
    struct file files[PLACE_FILES_MAX];
    unsigned files_n;
    uint64_t due_ns, loads, failures;
    atomic_bool asked;
};

/* Have files changed since they were last looked at? */
static bool look(struct places *p)
{
    bool changed = false;
    for (unsigned i = 0; i < p->files_n; i++)
        changed |= stamp_look(&p->files[i].stamp, p->files[i].path);
    return changed;
}

static void put_in_force(struct places *p, struct place_data *data,
                         const unsigned *at, unsigned n)
{
    for (unsigned i = 0; i < p->files_n; i++) p->files[i].about = -1;
    for (unsigned i = 0; i < n; i++) p->files[at[i]].about = (int)i;
    for (unsigned i = 0; i < n; i++) {
        struct place_about about = place_data_about(data, i);
        log_info("main", "places: %.*s (%.*s)", SV_FMT(about.path),
                 SV_FMT(about.type));
    }
    place_root_swap(&p->root, data);
    p->loads++;
}

/* Every file that is there; one that is damaged stops the edition. */
static void load(struct places *p)
{
    const char *paths[PLACE_FILES_MAX];
    unsigned at[PLACE_FILES_MAX], n = 0;
    struct place_data *data;
    struct place_why why;
    for (unsigned i = 0; i < p->files_n; i++) {
        struct file *f = &p->files[i];
        f->problem = stamp_is_there(&f->stamp) ? NULL : "is not there";
        if (f->problem && f->about >= 0)
            log_warn("main", "places: %s is gone; its last edition stays",
                     f->path);
        if (f->problem) continue;
        at[n] = i;
        paths[n++] = f->path;
    }
    if (n == 0) return;
    if (place_data_open(paths, n, &data, &why)) {
        p->files[at[why.file]].problem = why.reason;
        p->failures++;
        log_error("main", "places: %s: %s; %s", paths[why.file], why.reason,
                  place_root_get(&p->root) ? "the last edition stays"
                                           : "there are no location data");
        return;
    }
    put_in_force(p, data, at, n);
}

static void file_add(struct places *p, const char *path)
{
    p->files[p->files_n++] =
        (struct file){ .path = mem_strdup(path), .about = -1 };
}

int places_open(struct places **out, const struct places_conf *conf)
{
    if (conf->files_n > PLACE_FILES_MAX) return ERR_TOOBIG;
    struct places *p = NEW(struct places);
    for (unsigned i = 0; i < conf->files_n; i++) file_add(p, conf->files[i]);
    if (!conf->files_n) {
        file_add(p, data_path(conf->dir, DATA_PLACE_FILE_4));
        file_add(p, data_path(conf->dir, DATA_PLACE_FILE_6));
    }
    look(p);
    load(p);
    *out = p;
    return 0;
}

void places_close(struct places **at)
{
    struct places *p = *at;
    if (!p) return;
    place_root_swap(&p->root, NULL);
    for (unsigned i = 0; i < p->files_n; i++) mem_free(p->files[i].path);
    mem_free(p);
    *at = NULL;
}

struct place_root *places_root(struct places *p)
{
    return &p->root;
}

void places_tick(struct places *p, uint64_t now_ns)
{
    bool asked = atomic_exchange(&p->asked, false);
    if (!asked && now_ns < p->due_ns) return;
    p->due_ns = now_ns + LOOK_EVERY_NS;
    bool changed = look(p);
    if (changed || asked) load(p);
}

void places_ask(struct places *p)
{
    atomic_store(&p->asked, true);
}

unsigned places_files(const struct places *p,
                      struct places_file out[PLACE_FILES_MAX])
{
    const struct place_data *data = atomic_load(&p->root.data);
    for (unsigned i = 0; i < p->files_n; i++) {
        const struct file *f = &p->files[i];
        out[i] = (struct places_file){ .path = f->path,
                                       .problem = f->problem ? f->problem : "",
                                       .type = SV("") };
        if (f->about < 0) continue;
        struct place_about about = place_data_about(data, (size_t)f->about);
        out[i].type = about.type;
        out[i].built_s = about.built_s;
    }
    return p->files_n;
}

void places_metrics(const struct places *p, int64_t wall_s, struct buf *out)
{
    struct places_file files[PLACE_FILES_MAX];
    unsigned n = places_files(p, files), used = 0;
    int64_t oldest = 0;
    for (unsigned i = 0; i < n; i++) {
        if (!files[i].built_s) continue;
        int64_t age = wall_s - files[i].built_s;
        if (age > oldest) oldest = age;
        used++;
    }
    metric_head(out, "typeauth_place_files", "gauge",
                "Files of location data in force");
    metric_row(out, "typeauth_place_files", "", used);
    metric_head(out, "typeauth_place_age_seconds", "gauge",
                "Since the oldest of them was built; 0: there are none");
    metric_row(out, "typeauth_place_age_seconds", "", (uint64_t)oldest);
    metric_head(out, "typeauth_place_loads_total", "counter",
                "Editions of location data put in force");
    metric_row(out, "typeauth_place_loads_total", "", p->loads);
    metric_head(out, "typeauth_place_load_failures_total", "counter",
                "Editions that could not be read");
    metric_row(out, "typeauth_place_load_failures_total", "", p->failures);
}
