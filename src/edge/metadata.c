/* Metadata above 256 bytes lies in a file; a worker reads it for the answers
 * of /authenticate. */
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/mem.h"
#include "edge/verify_int.h"

enum { METADATA_MAX = 16 * 1024 };

struct metadata_job {
    struct job job;
    struct verify *vf; /* NULL: nobody waits any more */
    const struct tokens *tokens;
    unsigned n;
    struct metadata_text {
        uint32_t slot, tag;
        size_t n; /* 0: could not be read */
        char text[METADATA_MAX];
    } texts[];
};

static void run(struct job *j)
{
    struct metadata_job *m = CONTAINER_OF(j, struct metadata_job, job);
    struct epoch_reader reader = { 0 };
    epoch_join(&reader);
    epoch_wake(&reader);
    for (unsigned i = 0; i < m->n; i++) {
        struct metadata_text *t = &m->texts[i];
        if (tokens_metadata_read(m->tokens, t->slot, t->tag, t->text,
                                 sizeof t->text, &t->n) != 0)
            t->n = 0;
    }
    epoch_sleep(&reader);
    epoch_leave(&reader);
}

/* The answer with its holes filled. */
static void fill(struct verify *vf, const struct metadata_job *m)
{
    struct buf whole;
    size_t from = 0;
    buf_init(&whole, VERIFY_ANSWER_MAX);
    for (unsigned i = 0; i < vf->holes_n; i++) {
        size_t at = vf->holes[i].at;
        buf_put(&whole, sv_of(vf->answer.p + from, at - from));
        bool known = m && m->texts[i].n;
        buf_put(&whole,
                known ? sv_of(m->texts[i].text, m->texts[i].n) : SV("null"));
        from = at;
    }
    buf_put(&whole, sv_from(buf_sv(&vf->answer), from));
    buf_fini(&vf->answer);
    vf->answer = whole;
    verify_answer(vf, buf_sv(&vf->answer));
}

static void done(struct job *j)
{
    struct metadata_job *m = CONTAINER_OF(j, struct metadata_job, job);
    struct verify *vf = m->vf;
    if (vf) {
        vf->job = NULL;
        fill(vf, m);
    }
    mem_free(m);
}

void metadata_fetch(struct verify *vf)
{
    struct edge_reactor *er = vf->v.er;
    struct metadata_job *m =
        mem_zalloc(sizeof *m + vf->holes_n * sizeof m->texts[0]);
    m->job.reply_to = er->reactor;
    m->job.run = run;
    m->job.done = done;
    m->vf = vf;
    m->tokens = er->edge->conf.checks->tokens;
    m->n = vf->holes_n;
    for (unsigned i = 0; i < m->n; i++) {
        m->texts[i].slot = vf->holes[i].slot;
        m->texts[i].tag = vf->holes[i].tag;
    }
    struct workers *workers = er->edge->conf.workers;
    if (workers && workers_submit(workers, &m->job) == 0) {
        vf->job = m;
        return;
    }
    mem_free(m);
    fill(vf, NULL);
}

void metadata_forget(struct verify *vf)
{
    vf->job->vf = NULL;
    vf->job = NULL;
}
