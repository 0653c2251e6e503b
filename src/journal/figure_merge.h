/* Many ordered sources of rows become two files: rows of equal keys are added,
 * and of each application's and account's tokens, owners and tags those with
 * most requests are listed, with the sum of the others beside them.
 *
 *   sources ─ heap by key ─┬─ as such, lists ─> general file   (small)
 *                          └─ each token, owner, tag ─> detail file
 *
 * One thread; memory: a row a source, the list, two blocks. */
#ifndef JOURNAL_FIGURE_MERGE_H
#define JOURNAL_FIGURE_MERGE_H

#include "journal/figure_file.h"
#include "journal/figure_table.h"

struct figure_source {
    /* Makes the next row the present one; ERR_NOTFOUND at the end, ERR_IO. */
    int (*next)(struct figure_source *s);
    const struct figure_row *row;
};

/* Of a file: *out is owned until figure_source_free, fd as well. Its rows are
 * taken for that piece of what is made; 0: for the whole, whatever they were.
 * ERR_*. */
int figure_source_file(struct figure_source **out, int fd, uint8_t piece);
/* Of a table, which stays as it is meanwhile. */
void figure_source_table(struct figure_source **out,
                         const struct figure_table *t);
void figure_source_free(struct figure_source **s);

struct figure_merge_conf {
    struct figure_source **sources;
    unsigned sources_n;
    struct figure_writer *general, *detail;
    unsigned top;              /* how many are listed */
    void (*pause)(void *ctx);  /* now and then; NULL: never */
    void *ctx;
};
/* ERR_IO: a source could not be read to its end. */
int figure_merge(const struct figure_merge_conf *conf);

#endif
