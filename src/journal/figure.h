/* A figure: what the requests of something came to in a piece of time. Rows of
 * a key and its sums, which are added where keys are equal: a minute's rows
 * make an hour's, hours make a day's (docs/decisions/0066).
 *
 *   key: scope | subject | id | dimension and value
 *   sums: requests, bytes in, bytes out, cost; times as a sketch
 *
 * The scope is an application or an account, the subject what is asked about
 * in it. Rows of an application or account as such (FIGURE_APP) have one
 * dimension each; a token, an owner or a tag has facts, all dimensions at
 * once: there are many of them, and each has few rows.
 *
 * Here: their form as bytes, pure; the decoder takes any bytes. */
#ifndef JOURNAL_FIGURE_H
#define JOURNAL_FIGURE_H

#include "base/buf.h"
#include "codec/ulid.h"
#include "journal/sketch.h"

enum figure_subject {
    FIGURE_APP = 1,
    FIGURE_TOKEN, FIGURE_TOKEN_TOP,
    FIGURE_OWNER, FIGURE_OWNER_TOP,
    FIGURE_TAG, FIGURE_TAG_TOP,
    FIGURE_SUBJECTS
};
enum figure_dim {
    FIGURE_NAME,   /* no sums: the owner's or tag's text */
    FIGURE_FACT,
    FIGURE_OUTCOME, FIGURE_STATUS, FIGURE_COUNTRY, FIGURE_ROUTE,
    FIGURE_TOP,    /* one of those with most requests; id all ones: the rest */
    FIGURE_DIMS
};
enum figure_sum { FIGURE_REQUESTS, FIGURE_BYTES_IN, FIGURE_BYTES_OUT,
                  FIGURE_COST, FIGURE_SUMS };

enum {
    FIGURE_KEY_BYTES = 40,
    FIGURE_TEXT_MAX = 255,
    /* of any row, encoded */
    FIGURE_ROW_MAX = 2 + FIGURE_KEY_BYTES + FIGURE_SUMS * 10 + 2 +
                     SKETCH_BUCKETS * 12 + 3 + FIGURE_TEXT_MAX,
    FIGURE_PIECES = 24, /* the hours of a day */
};

struct figure_key {
    uint64_t w[5]; /* scope, subject, id (two), dimension and value */
};

/* The dimensions of one request. */
struct figure_fact {
    uint32_t route;      /* route_id of the rule; 0: none */
    char country[2];     /* "DE"; zeros: not known */
    uint16_t status;     /* to the client, 0: none; below 1024 */
    uint8_t outcome, door;
};
/* 58 bits, and back. */
uint64_t figure_fact_pack(const struct figure_fact *f);
struct figure_fact figure_fact_unpack(uint64_t value);
/* The value of one dimension of a fact. */
uint64_t figure_dim_of(uint64_t fact, enum figure_dim dim);

static inline uint64_t figure_word(enum figure_dim dim, uint64_t value)
{
    return (uint64_t)dim << 58 | (value & (((uint64_t)1 << 58) - 1));
}
static inline enum figure_dim figure_key_dim(const struct figure_key *k)
{
    return (enum figure_dim)(k->w[4] >> 58);
}
static inline uint64_t figure_key_value(const struct figure_key *k)
{
    return k->w[4] & (((uint64_t)1 << 58) - 1);
}
static inline int figure_key_cmp(const struct figure_key *a,
                                 const struct figure_key *b)
{
    for (int i = 0; i < 5; i++)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}
/* Scopes are ulid_low of applications and accounts; owners and tags are known
 * by a hash of their texts that is the same in every process. */
uint64_t figure_text_id(struct sv text);

struct figure_pair { uint32_t bucket; uint64_t n; };
struct figure_row {
    struct figure_key key;
    uint8_t piece;               /* 0: of the whole; else the day's hour + 1 */
    uint64_t sum[FIGURE_SUMS];
    uint32_t pairs_n;            /* of the sketch, rising buckets, n > 0 */
    struct sv text;              /* of FIGURE_NAME, FIGURE_TOP; else "" */
    struct figure_pair pairs[SKETCH_BUCKETS];
};

/* Where a row is in their order: by key, those of one key by piece. */
struct figure_mark { struct figure_key key; uint8_t piece; };
static inline struct figure_mark figure_mark_of(const struct figure_row *r)
{
    return (struct figure_mark){ r->key, r->piece };
}
static inline int figure_mark_cmp(const struct figure_mark *a,
                                  const struct figure_mark *b)
{
    int by_key = figure_key_cmp(&a->key, &b->key);
    return by_key ? by_key : (a->piece > b->piece) - (a->piece < b->piece);
}

enum { FIGURE_VERSION = 3 }; /* of the form of rows: see figure_file.h */
/* Behind `before` in the same block (zeros at its beginning), which must be
 * smaller. */
void figure_row_encode(const struct figure_row *r,
                       const struct figure_mark *before, struct buf *out);
/* The row at the front of *rest, of a file of that version with `sums` sums a
 * row: those that it lacks are 0, those that we do not know are passed over.
 * The text is a view. ERR_CORRUPT; ERR_NOTFOUND: *rest is empty. */
int figure_row_decode(struct sv *rest, const struct figure_mark *before,
                      unsigned version, unsigned sums, struct figure_row *out);

/* Sums and sketch of several rows. Zero it first. */
struct figure_total {
    uint64_t sum[FIGURE_SUMS];
    uint32_t from, to;           /* buckets in use: from <= b < to */
    uint64_t times[SKETCH_BUCKETS];
};
void figure_total_add(struct figure_total *t, const struct figure_row *r);
/* All but the key, the piece and the text of `out`. */
void figure_total_row(const struct figure_total *t, struct figure_row *out);
void figure_total_clear(struct figure_total *t);

#endif
