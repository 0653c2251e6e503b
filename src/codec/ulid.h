/* ULIDs: 48 bits of milliseconds and 80 of randomness, written as 26
 * characters of Crockford's base 32 that sort as the numbers do
 * (github.com/ulid/spec). */
#ifndef CODEC_ULID_H
#define CODEC_ULID_H

#include "base/sv.h"

enum { ULID_TEXT = 26 };

struct ulid {
    uint8_t b[16]; /* big-endian */
};

/* Strictly above `last` whatever the clock says: in the same millisecond, or
 * when the clock stepped back, it is last + 1. Updates *last. */
void ulid_next(struct ulid *last, int64_t wall_ms, struct ulid *out);
void ulid_encode(char out[ULID_TEXT], const struct ulid *u); /* no NUL */
/* Upper case only, as we write them; else ERR_INVALID. */
int ulid_decode(struct sv text, struct ulid *out);
int64_t ulid_ms(const struct ulid *u);
/* The low 32 bits: the tag of a token's counter line. */
uint32_t ulid_tag(const struct ulid *u);
/* The low 64 bits, all random: enough to tell ids of one kind apart. */
static inline uint64_t ulid_low(const struct ulid *u)
{
    uint64_t low;
    memcpy(&low, u->b + 8, sizeof low);
    return low;
}
static inline int ulid_cmp(const struct ulid *a, const struct ulid *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

#endif
