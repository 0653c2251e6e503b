#include "main/mail_file.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "journal/journal.h"
#include "main/stamp.h"

static const uint64_t LOOK_EVERY_NS = 2000000000ull;

struct mail_file {
    struct mail_root root;
    char *path;
    const char *problem; /* static; NULL: none */
    int64_t changed_s;   /* of the file that is in force */
    struct stamp stamp;
    uint64_t due_ns;
    _Atomic uint64_t domains, loads, failures;
    atomic_bool asked;
};

static void load(struct mail_file *f)
{
    bool there = stamp_is_there(&f->stamp);
    const struct mail_list *before = mail_root_get(&f->root);
    const char *stays =
        before ? "the last list stays" : "there is no list of mail domains";
    f->problem = there ? NULL : "is not there";
    if (!there) {
        if (before) log_warn("main", "%s is gone; %s", f->path, stays);
        return;
    }
    int err = mail_root_load(&f->root, f->path);
    if (err) {
        f->problem = err_text(err);
        atomic_fetch_add(&f->failures, 1);
        log_error("main", "%s: %s; %s", f->path, err_text(err), stays);
        return;
    }
    uint64_t n = mail_root_get(&f->root)->domains_n;
    f->changed_s = f->stamp.changed.tv_sec;
    atomic_store(&f->domains, n);
    atomic_fetch_add(&f->loads, 1);
    log_info("main", "mail: %llu disposable domains", (unsigned long long)n);
}

void mail_file_open(struct mail_file **out, const char *path)
{
    struct mail_file *f = NEW(struct mail_file);
    f->path = mem_strdup(path);
    stamp_look(&f->stamp, path);
    load(f);
    *out = f;
}

void mail_file_close(struct mail_file **at)
{
    struct mail_file *f = *at;
    if (!f) return;
    mail_root_drop(&f->root);
    mem_free(f->path);
    mem_free(f);
    *at = NULL;
}

struct mail_root *mail_file_root(struct mail_file *f)
{
    return &f->root;
}

void mail_file_tick(struct mail_file *f, uint64_t now_ns)
{
    bool asked = atomic_exchange(&f->asked, false);
    if (!asked && now_ns < f->due_ns) return;
    f->due_ns = now_ns + LOOK_EVERY_NS;
    bool changed = stamp_look(&f->stamp, f->path);
    if (changed || asked) load(f);
}

void mail_file_ask(struct mail_file *f)
{
    atomic_store(&f->asked, true);
}

struct mail_file_about mail_file_about(const struct mail_file *f)
{
    return (struct mail_file_about){ .path = f->path,
                                     .problem = f->problem ? f->problem : "",
                                     .changed_s = f->changed_s };
}

void mail_file_metrics(const struct mail_file *f, struct buf *out)
{
    metric_head(out, "typeauth_mail_domains", "gauge",
                "Disposable mail domains in the list in force");
    metric_row(out, "typeauth_mail_domains", "", atomic_load(&f->domains));
    metric_head(out, "typeauth_mail_list_loads_total", "counter",
                "Lists of mail domains put in force");
    metric_row(out, "typeauth_mail_list_loads_total", "",
               atomic_load(&f->loads));
    metric_head(out, "typeauth_mail_list_load_failures_total", "counter",
                "Lists of mail domains that could not be read");
    metric_row(out, "typeauth_mail_list_load_failures_total", "",
               atomic_load(&f->failures));
}
