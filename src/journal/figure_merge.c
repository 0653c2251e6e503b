/* Merging of rows: see figure_merge.h. */
#include "journal/figure_merge.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

enum { PAUSE_ROWS = 4096 };

/* --- sources -------------------------------------------------------------- */

struct file_source {
    struct figure_source as;
    struct figure_file file;
    struct figure_cursor cursor;
    bool begun;
    uint8_t piece;
};
struct table_source {
    struct figure_source as;
    const struct figure_table *table;
    uint32_t *order, at;
    struct figure_total scratch;
    struct figure_row row;
};

static int file_next(struct figure_source *s)
{
    struct file_source *f = (struct file_source *)s;
    static const struct figure_key first = { { 0 } };
    int err = f->begun ? figure_cursor_next(&f->cursor)
                       : figure_cursor_seek(&f->cursor, &f->file, &first);
    f->begun = true;
    f->cursor.row.piece =
        figure_key_dim(&f->cursor.row.key) == FIGURE_NAME ? 0 : f->piece;
    s->row = &f->cursor.row;
    return err;
}

int figure_source_file(struct figure_source **out, int fd, uint8_t piece)
{
    struct file_source *f = NEW(struct file_source);
    int err = figure_file_open(&f->file, fd);
    if (err) {
        mem_free(f);
        return err;
    }
    f->as.next = file_next;
    f->piece = piece;
    *out = &f->as;
    return 0;
}

static int table_next(struct figure_source *s)
{
    struct table_source *t = (struct table_source *)s;
    if (t->at == t->table->n) return ERR_NOTFOUND;
    figure_table_row(t->table, &t->table->cells[t->order[t->at++]], &t->scratch,
                     &t->row);
    s->row = &t->row;
    return 0;
}

void figure_source_table(struct figure_source **out,
                         const struct figure_table *table)
{
    struct table_source *t = NEW(struct table_source);
    t->as.next = table_next;
    t->table = table;
    t->order = figure_table_order(table);
    *out = &t->as;
}

void figure_source_free(struct figure_source **at)
{
    struct figure_source *s = *at;
    if (!s) return;
    if (s->next == table_next)
        mem_free(((struct table_source *)s)->order);
    else
        close(((struct file_source *)s)->file.fd);
    mem_free(s);
    *at = NULL;
}

/* --- the list of the most used -------------------------------------------- */

struct top_item {
    uint64_t id[2], sum[FIGURE_SUMS];
    uint32_t times[SKETCH_BUCKETS];
    uint8_t text_n;
    char text[FIGURE_TEXT_MAX];
};

struct top {
    uint64_t scope, subject; /* whose; subject 0: nobody's */
    uint64_t id[2];          /* whose rows are being added up */
    bool open;               /* there is such a one */
    struct figure_total now;
    uint8_t text_n;
    char text[FIGURE_TEXT_MAX];
    struct top_item *items; /* a heap, fewest requests first */
    uint32_t n, max;
    bool has_rest;
    struct figure_total rest;
};

struct merge {
    const struct figure_merge_conf *conf;
    struct figure_source **heap;
    unsigned n;
    struct top top;
    struct figure_total total;
    struct figure_row sum; /* of equal keys */
    struct figure_row row; /* of a list, being written */
    uint32_t rows;
    int err;
};

static void item_to_rest(struct top *t, const struct top_item *i)
{
    for (int s = 0; s < FIGURE_SUMS; s++) t->rest.sum[s] += i->sum[s];
    for (unsigned b = 0; b < SKETCH_BUCKETS; b++)
        t->rest.times[b] += i->times[b];
    t->rest.from = 0;
    t->rest.to = SKETCH_BUCKETS;
    t->has_rest = true;
}

static void sink(struct top *t, uint32_t at)
{
    for (uint32_t child; (child = 2 * at + 1) < t->n; at = child) {
        if (child + 1 < t->n && t->items[child + 1].sum[FIGURE_REQUESTS] <
                                    t->items[child].sum[FIGURE_REQUESTS])
            child++;
        if (t->items[at].sum[FIGURE_REQUESTS] <=
            t->items[child].sum[FIGURE_REQUESTS])
            return;
        struct top_item hold = t->items[at];
        t->items[at] = t->items[child];
        t->items[child] = hold;
    }
}

static void item_fill(struct top_item *i, const struct top *t)
{
    memcpy(i->id, t->id, sizeof i->id);
    memcpy(i->sum, t->now.sum, sizeof i->sum);
    memset(i->times, 0, sizeof i->times);
    for (uint32_t b = t->now.from; b < t->now.to; b++)
        i->times[b] = t->now.times[b] < UINT32_MAX ? (uint32_t)t->now.times[b]
                                                   : UINT32_MAX;
    i->text_n = t->text_n;
    memcpy(i->text, t->text, t->text_n);
}

static void now_to_rest(struct top *t)
{
    for (int s = 0; s < FIGURE_SUMS; s++) t->rest.sum[s] += t->now.sum[s];
    for (uint32_t b = t->now.from; b < t->now.to; b++)
        t->rest.times[b] += t->now.times[b];
    t->rest.from = 0;
    t->rest.to = SKETCH_BUCKETS;
    t->has_rest = true;
}

/* All rows of one token, owner or tag have come. */
static void top_offer(struct top *t)
{
    if (!t->open) return;
    t->open = false;
    if (t->n < t->max) {
        item_fill(&t->items[t->n++], t);
        if (t->n == t->max)
            for (uint32_t i = t->n / 2; i-- > 0;) sink(t, i);
    } else if (t->max &&
               t->now.sum[FIGURE_REQUESTS] > t->items[0].sum[FIGURE_REQUESTS]) {
        item_to_rest(t, &t->items[0]);
        item_fill(&t->items[0], t);
        sink(t, 0);
    } else {
        now_to_rest(t);
    }
    figure_total_clear(&t->now);
}

static int by_id(const void *a, const void *b)
{
    const struct top_item *x = a, *y = b;
    if (x->id[0] != y->id[0]) return x->id[0] < y->id[0] ? -1 : 1;
    return x->id[1] < y->id[1] ? -1 : x->id[1] > y->id[1];
}

static void top_key(const struct top *t, const uint64_t id[2],
                    struct figure_key *out)
{
    *out = (struct figure_key){ { t->scope, t->subject + 1, id[0], id[1],
                                  figure_word(FIGURE_TOP, 0) } };
}

static void item_row(const struct top_item *i, struct figure_row *row)
{
    memcpy(row->sum, i->sum, sizeof row->sum);
    row->pairs_n = 0;
    for (uint32_t b = 0; b < SKETCH_BUCKETS; b++)
        if (i->times[b])
            row->pairs[row->pairs_n++] = (struct figure_pair){ b, i->times[b] };
    row->text = sv_of(i->text, i->text_n);
}

/* The application or its kind of subject is over: its list is written. */
static void top_end(struct merge *m)
{
    static const uint64_t others[2] = { UINT64_MAX, UINT64_MAX };
    struct top *t = &m->top;
    top_offer(t);
    if (t->n) qsort(t->items, t->n, sizeof *t->items, by_id);
    for (uint32_t i = 0; i < t->n; i++) {
        top_key(t, t->items[i].id, &m->row.key);
        item_row(&t->items[i], &m->row);
        figure_writer_put(m->conf->general, &m->row);
    }
    if (t->has_rest) {
        top_key(t, others, &m->row.key);
        figure_total_row(&t->rest, &m->row);
        m->row.text = SV("");
        figure_writer_put(m->conf->general, &m->row);
        figure_total_clear(&t->rest);
    }
    t->has_rest = false;
    t->n = 0;
    t->subject = 0;
}

static void top_add(struct top *t, const struct figure_row *r)
{
    const struct figure_key *k = &r->key;
    if (t->open && (t->id[0] != k->w[2] || t->id[1] != k->w[3])) top_offer(t);
    if (!t->open) {
        t->open = true;
        t->id[0] = k->w[2];
        t->id[1] = k->w[3];
        t->text_n = 0;
    }
    if (r->text.n) {
        t->text_n = (uint8_t)r->text.n;
        memcpy(t->text, r->text.p, r->text.n);
    }
    figure_total_add(&t->now, r);
}

/* --- the rows, in order --------------------------------------------------- */

static void put(struct merge *m, const struct figure_row *r)
{
    struct top *t = &m->top;
    uint64_t scope = r->key.w[0], subject = r->key.w[1];
    bool listed = subject == FIGURE_TOKEN || subject == FIGURE_OWNER ||
                  subject == FIGURE_TAG;
    if (subject == FIGURE_TOKEN && !r->key.w[2] && !r->key.w[3])
        return; /* of no token: they are in the application's rows */
    if (!listed && subject != FIGURE_APP) return; /* lists are made anew */
    if (t->subject && (t->scope != scope || t->subject != subject)) top_end(m);
    if (!listed) {
        figure_writer_put(m->conf->general, r);
        return;
    }
    t->scope = scope;
    t->subject = subject;
    top_add(t, r);
    figure_writer_put(m->conf->detail, r);
}

static int source_cmp(const struct figure_source *a,
                      const struct figure_source *b)
{
    const struct figure_mark x = figure_mark_of(a->row),
                             y = figure_mark_of(b->row);
    return figure_mark_cmp(&x, &y);
}

static void settle(struct merge *m, unsigned at)
{
    for (unsigned child; (child = 2 * at + 1) < m->n; at = child) {
        if (child + 1 < m->n &&
            source_cmp(m->heap[child + 1], m->heap[child]) < 0)
            child++;
        if (source_cmp(m->heap[at], m->heap[child]) <= 0) return;
        struct figure_source *hold = m->heap[at];
        m->heap[at] = m->heap[child];
        m->heap[child] = hold;
    }
}

static void advance(struct merge *m, struct figure_source *s)
{
    int err = s->next(s);
    if (err && err != ERR_NOTFOUND) m->err = err;
    if (err) m->heap[0] = m->heap[--m->n];
    if (m->n) settle(m, 0);
}

static bool is_first(const struct merge *m, const struct figure_mark *mark)
{
    if (!m->n) return false;
    const struct figure_mark first = figure_mark_of(m->heap[0]->row);
    return figure_mark_cmp(&first, mark) == 0;
}

/* Rows of one place are added, be they of several sources or, when pieces
 * become the whole, of one. */
static void step(struct merge *m)
{
    const struct figure_row *r = m->heap[0]->row;
    const struct figure_mark mark = figure_mark_of(r);
    char text[FIGURE_TEXT_MAX];
    m->sum.key = r->key;
    m->sum.piece = r->piece;
    m->sum.text = sv_of(text, r->text.n);
    if (r->text.n) memcpy(text, r->text.p, r->text.n);
    memcpy(m->sum.sum, r->sum, sizeof r->sum);
    memcpy(m->sum.pairs, r->pairs, r->pairs_n * sizeof r->pairs[0]);
    m->sum.pairs_n = r->pairs_n;
    advance(m, m->heap[0]);
    if (is_first(m, &mark)) {
        figure_total_add(&m->total, &m->sum);
        while (is_first(m, &mark)) {
            figure_total_add(&m->total, m->heap[0]->row);
            advance(m, m->heap[0]);
        }
        figure_total_row(&m->total, &m->sum);
        figure_total_clear(&m->total);
    }
    put(m, &m->sum);
}

int figure_merge(const struct figure_merge_conf *conf)
{
    struct merge *m = NEW(struct merge);
    m->conf = conf;
    m->heap = mem_alloc((conf->sources_n + 1) * sizeof(void *));
    m->top.max = conf->top;
    m->top.items = mem_alloc((conf->top + 1) * sizeof *m->top.items);
    for (unsigned i = 0; i < conf->sources_n; i++) {
        int err = conf->sources[i]->next(conf->sources[i]);
        if (!err) m->heap[m->n++] = conf->sources[i];
        if (err && err != ERR_NOTFOUND) m->err = err;
    }
    for (unsigned i = m->n / 2; i-- > 0;) settle(m, i);
    while (m->n) {
        step(m);
        if (++m->rows % PAUSE_ROWS) continue;
        if (figure_writer_failed(conf->general) ||
            figure_writer_failed(conf->detail))
            break; /* their end says why */
        if (conf->pause) conf->pause(conf->ctx);
    }
    if (m->top.subject) top_end(m);
    int err = m->err;
    mem_free(m->top.items);
    mem_free(m->heap);
    mem_free(m);
    return err;
}
