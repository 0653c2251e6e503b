/* At rest: a byte of version, then numbers as LEB128 (7 bits a byte, lowest
 * first) in the order of `walk`, which knows since which version there is each;
 * the bins as pairs of (how many empty ones
 * stand before, count), which are few: a monitor's answers are alike. */
#include "journal/uptime.h"

#include <math.h>

#include "base/err.h"

enum { VERSION_OLDEST = 1, VERSION = 2, LEB_BYTES_MAX = 10 };

static unsigned bin_of(uint32_t us)
{
    unsigned bucket = histogram_bucket(us);
    return bucket < UPTIME_BIN_FIRST ? 0 : bucket - UPTIME_BIN_FIRST;
}

static void code_add(struct uptime_hour *h, uint16_t code)
{
    for (unsigned i = 0; i < UPTIME_CODES; i++) {
        struct uptime_code *c = &h->codes[i];
        if (c->n && c->code != code) continue;
        c->code = code;
        c->n++;
        return;
    }
    h->other_codes++;
}

void uptime_add(struct uptime_hour *h, const struct uptime_probe *p)
{
    if (h->probes == UINT16_MAX || h->maintained == UINT16_MAX) return;
    if (p->maintained) {
        h->maintained++;
        return;
    }
    h->probes++;
    h->failures += p->failed;
    h->degraded += p->degraded;
    for (int i = 0; i < UPTIME_PHASES; i++)
        h->phase_sum_us[i] += p->phase_us[i];
    if (!p->code) return;
    code_add(h, p->code);
    if (!h->answers || p->total_us < h->min_us) h->min_us = p->total_us;
    if (p->total_us > h->max_us) h->max_us = p->total_us;
    h->answers++;
    h->sum_us += p->total_us;
    uint8_t *bin = &h->bins[bin_of(p->total_us)];
    if (*bin < UINT8_MAX) ++*bin;
}

static void code_merge(struct uptime_sum *s, const struct uptime_code *c)
{
    unsigned i = 0;
    while (i < s->codes_n && s->codes[i].code != c->code) i++;
    if (i == sizeof s->codes / sizeof s->codes[0]) {
        s->other_codes += c->n;
        return;
    }
    if (i == s->codes_n) s->codes[s->codes_n++].code = c->code;
    s->codes[i].n += c->n;
}

void uptime_merge(struct uptime_sum *s, const struct uptime_hour *h)
{
    if (h->answers && (!s->answers || h->min_us < s->min_us))
        s->min_us = h->min_us;
    if (h->max_us > s->max_us) s->max_us = h->max_us;
    s->probes += h->probes;
    s->failures += h->failures;
    s->degraded += h->degraded;
    s->maintained += h->maintained;
    s->answers += h->answers;
    s->sum_us += h->sum_us;
    for (int i = 0; i < UPTIME_PHASES; i++)
        s->phase_sum_us[i] += h->phase_sum_us[i];
    for (int i = 0; i < UPTIME_CODES; i++)
        if (h->codes[i].n) code_merge(s, &h->codes[i]);
    s->other_codes += h->other_codes;
    for (int i = 0; i < UPTIME_BINS; i++) s->bins[i] += h->bins[i];
}

uint64_t uptime_quantile_us(const struct uptime_sum *s, double q)
{
    uint64_t n = 0, seen = 0;
    for (int i = 0; i < UPTIME_BINS; i++) n += s->bins[i];
    if (!n) return 0;
    uint64_t rank = (uint64_t)ceil(q * (double)n);
    if (rank < 1) rank = 1;
    unsigned bin = 0;
    while (bin < UPTIME_BINS && (seen += s->bins[bin]) < rank) bin++;
    unsigned bucket = bin + UPTIME_BIN_FIRST;
    uint64_t us =
        bucket < HISTOGRAM_EDGES ? histogram_edge_us(bucket) : s->max_us;
    if (us > s->max_us) us = s->max_us;
    return us < s->min_us ? s->min_us : us;
}

/* --- at rest --------------------------------------------------------------- */
struct leb {
    struct buf *out;
    struct sv in;
    unsigned version;
    bool bad;
};

static uint64_t leb_get(struct leb *l)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < LEB_BYTES_MAX && l->in.n; i++) {
        uint8_t byte = (uint8_t)l->in.p[0];
        l->in = sv_from(l->in, 1);
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) return v;
    }
    l->bad = true;
    return 0;
}

static uint64_t leb_put(struct leb *l, uint64_t v)
{
    uint64_t rest = v;
    for (; rest > 0x7f; rest >>= 7) buf_putc(l->out, (char)(rest | 0x80));
    buf_putc(l->out, (char)rest);
    return v;
}

/* Written when there is somewhere to write, else read; `max` bounds what is
 * believed. */
static uint64_t number(struct leb *l, uint64_t v, uint64_t max)
{
    if (l->out) return leb_put(l, v);
    v = leb_get(l);
    if (v > max) l->bad = true;
    return l->bad ? 0 : v;
}

static void bins_put(struct leb *l, const struct uptime_hour *h)
{
    unsigned empty = 0;
    for (unsigned i = 0; i < UPTIME_BINS; i++) {
        if (h->bins[i] == 0) {
            empty++;
            continue;
        }
        leb_put(l, empty);
        leb_put(l, h->bins[i]);
        empty = 0;
    }
}

static void bins_get(struct leb *l, struct uptime_hour *h)
{
    uint64_t at = 0;
    while (l->in.n && !l->bad) {
        at += number(l, 0, UPTIME_BINS);
        uint64_t n = number(l, 0, UINT8_MAX);
        if (at >= UPTIME_BINS || n == 0) l->bad = true;
        if (l->bad) return;
        h->bins[at++] = (uint8_t)n;
    }
}

static void walk(struct leb *l, struct uptime_hour *h)
{
    h->probes = (uint16_t)number(l, h->probes, UINT16_MAX);
    h->failures = (uint16_t)number(l, h->failures, UINT16_MAX);
    h->answers = (uint16_t)number(l, h->answers, UINT16_MAX);
    h->min_us = (uint32_t)number(l, h->min_us, UINT32_MAX);
    h->max_us = (uint32_t)number(l, h->max_us, UINT32_MAX);
    h->sum_us = number(l, h->sum_us, UINT64_MAX);
    for (int i = 0; i < UPTIME_PHASES; i++)
        h->phase_sum_us[i] = number(l, h->phase_sum_us[i], UINT64_MAX);
    for (int i = 0; i < UPTIME_CODES; i++) {
        h->codes[i].code = (uint16_t)number(l, h->codes[i].code, UINT16_MAX);
        h->codes[i].n = (uint16_t)number(l, h->codes[i].n, UINT16_MAX);
    }
    h->other_codes = (uint16_t)number(l, h->other_codes, UINT16_MAX);
    if (l->version < 2) return;
    h->degraded = (uint16_t)number(l, h->degraded, UINT16_MAX);
    h->maintained = (uint16_t)number(l, h->maintained, UINT16_MAX);
}

void uptime_encode(const struct uptime_hour *h, struct buf *out)
{
    struct uptime_hour copy = *h;
    struct leb l = { .out = out, .version = VERSION };
    buf_putc(out, VERSION);
    walk(&l, &copy);
    bins_put(&l, h);
}

int uptime_decode(struct sv bytes, uint32_t hour, struct uptime_hour *out)
{
    *out = (struct uptime_hour){ .hour = hour };
    if (!bytes.n) return ERR_CORRUPT;
    struct leb l = { .in = sv_from(bytes, 1), .version = (uint8_t)bytes.p[0] };
    if (l.version < VERSION_OLDEST) return ERR_CORRUPT;
    if (l.version > VERSION) return ERR_VERSION;
    walk(&l, out);
    bins_get(&l, out);
    return l.bad ? ERR_CORRUPT : 0;
}
