/* Byte classes of the HTTP grammar and searches by them, for codec/ only. */
#ifndef CODEC_HTTP_INT_H
#define CODEC_HTTP_INT_H

#include "codec/http.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

enum {
    CLASS_TOKEN = 1, /* tchar, RFC 9110 5.6.2 */
    /* pchar and '/', RFC 3986 3.3, without '%'; and what browsers send raw
     * by the percent-encode sets of the WHATWG URL standard: here [ ] | ^ */
    CLASS_PATH = 2,
    CLASS_QUERY = 4, /* the same for queries: also ? { } ` \ */
    CLASS_HOST = 8,  /* registered names as they occur: letter digit . - _ */
    CLASS_HEX = 16,
};

extern const uint8_t http_class[256];

static inline bool in_class(char c, unsigned class)
{
    return http_class[(uint8_t)c] & class;
}

/* First byte that may not stand inside a field value: a control character
 * except HTAB, which is RFC 9110 5.5; or `end`. */
static inline const char *value_end(const char *p, const char *end)
{
    for (;; p++) {
#if defined(__SSE2__)
        for (; end - p >= 16; p += 16) {
            __m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i low = _mm_cmpeq_epi8(
                _mm_min_epu8(c, _mm_set1_epi8(0x1f)), c);
            __m128i del = _mm_cmpeq_epi8(c, _mm_set1_epi8(0x7f));
            unsigned hit = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, del));
            if (!hit) continue;
            p += __builtin_ctz(hit);
            break;
        }
#elif defined(__ARM_NEON) && defined(__aarch64__)
        for (; end - p >= 16; p += 16) {
            uint8x16_t c = vld1q_u8((const uint8_t *)p);
            uint8x16_t bad = vorrq_u8(vcltq_u8(c, vdupq_n_u8(0x20)),
                                      vceqq_u8(c, vdupq_n_u8(0x7f)));
            if (vmaxvq_u8(bad)) break;
        }
#endif
        while (p < end && (uint8_t)*p >= 0x20 && *p != 0x7f) p++;
        if (p == end || *p != '\t') return p;
    }
}

static inline const char *find_colon(const char *p, const char *end)
{
#if defined(__SSE2__)
    for (; end - p >= 16; p += 16) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
        unsigned hit = (unsigned)_mm_movemask_epi8(
            _mm_cmpeq_epi8(c, _mm_set1_epi8(':')));
        if (hit) return p + __builtin_ctz(hit);
    }
#endif
    while (p < end && *p != ':') p++;
    return p;
}

/* From h->method and h->target to path and query; *authority is set for the
 * absolute form. False: malformed. */
bool http_target_split(struct http_head *h, struct sv *authority);

#endif
