/* Quantiles of times from counts in buckets: sixteen to each doubling of
 * microseconds, exact below 32 µs, up to 134 s. What a bucket's middle says of
 * a value in it is within 1/32 (3.2 %) of it, whatever was merged: two
 * sketches are merged by adding their counts (Masson, Rim, Lee: "DDSketch",
 * 2019, with buckets that need no logarithm). */
#ifndef JOURNAL_SKETCH_H
#define JOURNAL_SKETCH_H

#include <stdint.h>

enum { SKETCH_BUCKETS = 384 };

static inline unsigned sketch_bucket(uint64_t us)
{
    if (us < 16) return (unsigned)us;
    unsigned e = 63 - (unsigned)__builtin_clzll(us);
    unsigned at = (e - 3) * 16 + (unsigned)(us >> (e - 4) & 15);
    return at < SKETCH_BUCKETS ? at : SKETCH_BUCKETS - 1;
}

/* The middle of a bucket, in microseconds. */
static inline uint64_t sketch_value(unsigned bucket)
{
    if (bucket < 16) return bucket;
    unsigned shift = bucket / 16 - 1;
    uint64_t low = (uint64_t)(16 + bucket % 16) << shift;
    return low + (((uint64_t)1 << shift) - 1) / 2;
}

/* The value below which `per_mille` of all lie; 0: there are none. */
uint64_t sketch_quantile(const uint64_t counts[SKETCH_BUCKETS],
                         unsigned per_mille);

#endif
