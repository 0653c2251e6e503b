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

#endif
