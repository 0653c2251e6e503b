/* Rows of figures in memory while they grow: two cache lines a row, in the order
 * of their coming, and an index by open addressing, small enough to stay near.
 * Times are kept sparse in the row, then in a further line, then as a
 * whole sketch, so that a row of few requests costs no more than its lines. All
 * of it is bounded: a table that is full is written out and begun anew. One
 * thread. */
#ifndef JOURNAL_FIGURE_TABLE_H
#define JOURNAL_FIGURE_TABLE_H

#include "journal/figure.h"

enum { FIGURE_CELL_PAIRS = 9, FIGURE_NODE_PAIRS = 14 };

struct figure_count { uint16_t bucket, n; };
struct figure_cell {
    struct figure_key key;
    uint64_t sum[FIGURE_SUMS];   /* of FIGURE_NAME: [0] place of its text */
    uint64_t account;            /* scope of a token's account */
    uint32_t slot;               /* of the token; UINT32_MAX: none */
    uint32_t further;            /* node or sketch + 1; 0: none */
    uint8_t pairs_n, text_n;
    bool is_sketch;
    struct figure_count pairs[FIGURE_CELL_PAIRS];
};

struct figure_place { uint32_t hash, cell; }; /* cell + 1; 0: free */
struct figure_table {
    struct figure_cell *cells;   /* n of them */
    struct figure_place *places; /* cap of them, as there is room for cells */
    uint32_t cap, n, max;        /* max: of cap; powers of two */
    struct figure_node *nodes;
    uint32_t nodes_n, nodes_cap, nodes_max;
    struct figure_total *sketches;
    uint32_t sketches_n, sketches_cap, sketches_max;
    struct buf texts;
    uint64_t seed;
};

struct figure_table_conf {
    uint32_t rows;               /* a power of two; 7 of 8 are used */
    uint32_t nodes, sketches;
    size_t text_bytes;
};
void figure_table_init(struct figure_table *t,
                       const struct figure_table_conf *conf);
void figure_table_fini(struct figure_table *t);
void figure_table_clear(struct figure_table *t); /* gives its memory back */
/* No further row or time may be added: write it out, then clear. */
bool figure_table_is_full(const struct figure_table *t);

/* The row of that key, made when it is not there. Valid until the next. */
struct figure_cell *figure_table_get(struct figure_table *t,
                                     const struct figure_key *key);
/* What figure_table_get will look at is brought near in two steps, each for many
 * keys at a time: the hash's place, then the row that it names. */
uint32_t figure_table_hash(const struct figure_table *t,
                           const struct figure_key *key);
void figure_table_near_place(const struct figure_table *t, uint32_t hash);
void figure_table_near_row(const struct figure_table *t, uint32_t hash);
/* n of a bucket into the row's times. */
void figure_table_time(struct figure_table *t, struct figure_cell *c,
                       uint32_t bucket, uint64_t n);
/* A row with a text and no sums. */
void figure_table_name(struct figure_table *t, const struct figure_key *key,
                       struct sv text);
/* As a row, by way of `scratch`, which is zero and is left so. */
void figure_table_row(const struct figure_table *t, const struct figure_cell *c,
                      struct figure_total *scratch, struct figure_row *out);
/* Adds row `from` (of any table) to the row of `key` in `t`. */
void figure_table_add(struct figure_table *t, const struct figure_key *key,
                      const struct figure_row *from);
/* Places of all rows in the order of their keys; mem_free. */
uint32_t *figure_table_order(const struct figure_table *t);
size_t figure_table_bytes(const struct figure_table *t);

#endif
