/* One file in MaxMind's format: its tree and its values (place_file.c), for
 * place.c; and what place.c tells place_cache.c. Offsets, sizes and depths are
 * what a hostile file says: every read is checked against its section, every
 * walk has a budget. */
#ifndef DETECT_PLACE_INT_H
#define DETECT_PLACE_INT_H

#include "detect/place.h"

/* Pointers count from the section's start. */
struct place_section {
    const uint8_t *p;
    size_t n;
};

struct place_file {
    const uint8_t *map; /* NULL: closed */
    size_t map_n;
    struct place_section data, metadata;
    uint32_t nodes;
    unsigned record_bits; /* 24, 28, 32 */
    bool v6;
    uint32_t v4_start;    /* record that 96 zero bits lead to */
    uint32_t *v4_halves;  /* and the first 16 bits of an IPv4 address, by these:
                             sixteen steps less; NULL: a small tree */
    int64_t built_s;
    struct sv type;
};

enum place_type {
    PLACE_POINTER = 1,
    PLACE_TEXT,
    PLACE_DOUBLE,
    PLACE_BYTES,
    PLACE_UINT16,
    PLACE_UINT32,
    PLACE_MAP,
    PLACE_INT32,
    PLACE_UINT64,
    PLACE_UINT128,
    PLACE_ARRAY,
    PLACE_BOOLEAN = 14,
    PLACE_FLOAT,
};

struct place_value {
    enum place_type type;
    uint32_t size; /* bytes; pairs of a map; 0 or 1 of a boolean */
    size_t at;     /* where its bytes, or its first key, are */
    size_t next;   /* behind it, where it stood; of a map or array in place:
                      the same as `at` */
};

/* Walks that one look-up may take part in. */
struct place_walk {
    const struct place_section *section;
    unsigned steps; /* left */
};

enum { PLACE_STEPS = 2048 }; /* real records hold a few hundred values */

/* ERR_NOTFOUND, ERR_IO, ERR_CORRUPT, ERR_VERSION with a static *reason. */
int place_file_open(const char *path, struct place_file *out,
                    const char **reason);
void place_file_close(struct place_file *f);
/* Offset of the address's record in the data section; false: none. The first
 * *bits of the address decided, of IPv4 of its 32: all that share them are told
 * the same. */
bool place_file_find(const struct place_file *f, const struct ip *ip,
                     size_t *offset, unsigned *bits);

/* The value at an offset; a pointer is followed once. False: damaged. */
bool place_value_read(struct place_walk *w, size_t offset,
                      struct place_value *out);
/* Behind the value at `offset`, whatever it holds; false: damaged. */
bool place_value_skip(struct place_walk *w, size_t offset, size_t *next);
struct sv place_value_text(const struct place_walk *w,
                           const struct place_value *v); /* "" if no text */
/* Any number, or digits as text (an "AS" before them is left out). */
bool place_value_number(const struct place_walk *w,
                        const struct place_value *v, double *out);

/* place_data_find, with how much of the address it took (place_file_find). */
bool place_data_ask(const struct place_data *data, const struct ip *ip,
                    struct place *out, unsigned *bits);
uint64_t place_data_serial(const struct place_data *data); /* never 0 */

#endif
