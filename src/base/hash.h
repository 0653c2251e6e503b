/* Keyed hashing for tables that outsiders can fill: SipHash-1-3
 * (Aumasson, Bernstein: "SipHash", 2012; 1-3 rounds as in common use for
 * hash tables), keyed once per process from the kernel. CRCs of two kinds. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/sv.h"

/* Process-wide random key, made on first use, thread-safe. */
uint64_t hash_sv(struct sv s);
uint64_t hash_sv_keyed(struct sv s, const uint64_t key[2]);
/* CRC-32 (IEEE 802.3, as in zlib): token checksums. */
uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n);
/* CRC-32C (Castagnoli, RFC 3720 B.4): log records. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* Of length and both ends, in a nanosecond: for tables whose names come from
 * us, or are few. Not keyed: who chooses names chooses collisions. */
static inline uint64_t hash_ends(struct sv s)
{
    uint64_t first = 0, last = 0;
    uint32_t a, b;
    if (s.n >= 8) {
        memcpy(&first, s.p, 8);
        memcpy(&last, s.p + s.n - 8, 8);
    } else if (s.n >= 4) {
        memcpy(&a, s.p, 4);
        memcpy(&b, s.p + s.n - 4, 4);
        first = (uint64_t)b << 32 | a;
    } else if (s.n) {
        first = (uint64_t)(uint8_t)s.p[0] |
                (uint64_t)(uint8_t)s.p[s.n / 2] << 8 |
                (uint64_t)(uint8_t)s.p[s.n - 1] << 16;
    }
    first ^= last * UINT64_C(0x9e3779b97f4a7c15);
    return (first ^ s.n) * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
