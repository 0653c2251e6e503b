/* What a monitor's probes showed, an hour in one record (api.md §7): counts,
 * times, status codes, and a sketch of response times that merges, so that 30
 * days have percentiles within 25 % (journal/histogram.h) out of 720 records.
 *
 *   probe ─> uptime_add ─> the hour ─> uptime_encode ─> at rest (140 bytes)
 *                               hours ─> uptime_merge ─> uptime_sum ─> answers
 *
 * Pure. */
#ifndef JOURNAL_UPTIME_H
#define JOURNAL_UPTIME_H

#include "base/buf.h"
#include "journal/histogram.h"

enum {
    UPTIME_HOUR_S = 3600,
    UPTIME_KEPT_H = 30 * 24,
    UPTIME_CODES = 4,      /* different ones an hour; others together */
    UPTIME_BIN_FIRST = 23, /* of histogram_bucket: up to 128 µs are one */
    UPTIME_BINS = HISTOGRAM_BUCKETS - UPTIME_BIN_FIRST,
    UPTIME_BYTES_MAX = 160,
};

enum uptime_phase { UPTIME_DNS, UPTIME_CONNECT, UPTIME_TLS, UPTIME_FIRST_BYTE,
                    UPTIME_PHASES };

struct uptime_probe {
    bool failed;
    bool degraded;      /* good, but slow or with a certificate that ends */
    bool maintained;    /* while nobody expects it to work: not judged */
    uint16_t code;      /* of the answer; 0: none came */
    uint32_t total_us;  /* counted only of probes that had an answer */
    uint32_t phase_us[UPTIME_PHASES]; /* 0: there was none */
};

struct uptime_hour {
    uint32_t hour;      /* since 1970 */
    uint16_t probes, failures, answers; /* without those maintained */
    uint16_t degraded, maintained; /* of format 2; 0 in older hours */
    uint32_t min_us, max_us;
    uint64_t sum_us, phase_sum_us[UPTIME_PHASES];
    struct uptime_code { uint16_t code, n; } codes[UPTIME_CODES];
    uint16_t other_codes;
    uint8_t bins[UPTIME_BINS];
};

struct uptime_sum {
    uint64_t probes, failures, answers, degraded, maintained;
    uint64_t min_us, max_us, sum_us, phase_sum_us[UPTIME_PHASES];
    struct uptime_code_sum { uint16_t code; uint64_t n; } codes[16];
    unsigned codes_n;
    uint64_t other_codes;
    uint64_t bins[UPTIME_BINS];
};

void uptime_add(struct uptime_hour *h, const struct uptime_probe *p);
void uptime_merge(struct uptime_sum *s, const struct uptime_hour *h);
/* The response time that `q` (0-1) of the answers had at most, in µs: the upper
 * edge of its bin, within the minimum and maximum seen. 0: none. */
uint64_t uptime_quantile_us(const struct uptime_sum *s, double q);

/* Appends at most UPTIME_BYTES_MAX bytes. */
void uptime_encode(const struct uptime_hour *h, struct buf *out);
/* Also of older formats. ERR_CORRUPT, ERR_VERSION: of a newer program. */
int uptime_decode(struct sv bytes, uint32_t hour, struct uptime_hour *out);

#endif
