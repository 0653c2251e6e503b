/* Numbers of JSON as they are written, without rounding: schemas say
 * "multipleOf 0.01" and "maximum 9007199254740993", and mean it. A decimal
 * borrows its text; nothing is converted, so a number of any length costs
 * its length and an exponent of any size costs nothing. */
#ifndef CODEC_DECIMAL_H
#define CODEC_DECIMAL_H

#include <yyjson.h>

#include "base/sv.h"

/* Its own text, for numbers that yyjson has already converted. */
enum { DECIMAL_TEXT_MAX = 32 };

struct decimal {
    struct sv digits; /* first to last digit that is not 0, perhaps with one
                         '.' between; empty: zero */
    int64_t count;    /* digits without the '.' */
    int64_t exponent; /* of the last digit; cut at +-2^50 */
    bool negative;    /* never for zero */
    bool is_small;    /* an integer that `small` holds */
    int64_t small;
    char text[DECIMAL_TEXT_MAX];
};

/* The grammar of RFC 8259 §6, whole text; false: not a number. */
bool decimal_parse(struct sv text, struct decimal *out);
/* Of a number of yyjson, raw or converted (then the shortest text that reads
 * back as the same double). *out borrows from v and from itself: it is not to
 * be copied. False: v is no number. */
bool decimal_of(const yyjson_val *v, struct decimal *out);

int decimal_cmp(const struct decimal *a, const struct decimal *b);
bool decimal_is_integer(const struct decimal *d);
/* Is a = k * b for an integer k? b is positive and of at most 18 digits. */
bool decimal_is_multiple(const struct decimal *a, const struct decimal *b);
/* Equal decimals have equal hashes. */
uint64_t decimal_hash(const struct decimal *d);

/* yyjson's values for numbers, raw ones among them. */
static inline bool decimal_is_number(const yyjson_val *v)
{
    yyjson_val *val = (yyjson_val *)(uintptr_t)v;
    return yyjson_is_raw(val) || yyjson_is_num(val);
}

#endif
