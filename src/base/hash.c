/* SipHash-1-3 and table-driven CRCs (slicing by four). */
#include "base/hash.h"

#include <pthread.h>

#include "base/rand.h"

static uint64_t process_key[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t table_ieee[4][256], table_c[4][256];

static void crc_table_init(uint32_t t[4][256], uint32_t poly)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? poly ^ (c >> 1) : c >> 1;
        t[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 4; k++)
            t[k][i] = t[0][t[k - 1][i] & 255] ^ (t[k - 1][i] >> 8);
}

static void init_once(void)
{
    rand_bytes(process_key, sizeof process_key);
    crc_table_init(table_ieee, 0xEDB88320u);
    crc_table_init(table_c, 0x82F63B78u);
}

static inline uint64_t rotl(uint64_t x, int r)
{
    return x << r | x >> (64 - r);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

uint64_t hash_sv_keyed(struct sv s, const uint64_t key[2])
{
    uint64_t v[4] = { 0x736f6d6570736575u ^ key[0],
                      0x646f72616e646f6du ^ key[1],
                      0x6c7967656e657261u ^ key[0],
                      0x7465646279746573u ^ key[1] };
    size_t i = 0;
    uint64_t m;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&m, s.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    m = (uint64_t)s.n << 56;
    for (int shift = 0; i < s.n; i++, shift += 8)
        m |= (uint64_t)(unsigned char)s.p[i] << shift;
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_sv(struct sv s)
{
    pthread_once(&once, init_once);
    return hash_sv_keyed(s, process_key);
}

static uint32_t crc_run(uint32_t t[4][256], uint32_t crc, const void *bytes,
                        size_t n)
{
    const unsigned char *p = bytes;
    pthread_once(&once, init_once);
    crc = ~crc;
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t w;
        memcpy(&w, p, 4);
        crc ^= w;
        crc = t[3][crc & 255] ^ t[2][crc >> 8 & 255] ^ t[1][crc >> 16 & 255] ^
              t[0][crc >> 24];
    }
    while (n--) crc = t[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n)
{
    return crc_run(table_ieee, crc, p, n);
}

#ifdef __x86_64__
/* Eight bytes an instruction (SSE 4.2). */
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc,
                                                              const void *bytes,
                                                              size_t n)
{
    const unsigned char *p = bytes;
    uint64_t c = ~crc, w;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        c = __builtin_ia32_crc32di(c, w);
    }
    while (n--) c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
    return ~(uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2")) return crc32c_fast(crc, p, n);
#endif
    return crc_run(table_c, crc, p, n);
}
