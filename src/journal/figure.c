/* Rows of figures as bytes; numbers are LEB128.
 *
 *   u8 head: how many bytes of the key are the row's before, and two bits
 *   the rest of the key
 *   u8 piece, if the head's bit says so
 *   plain   requests, bytes in, bytes out, times
 *   odd     u8 flags, all sums, then what the flags name: times, a text
 *
 * Most rows are plain: each request cost 1 and has its time, so that times end
 * where all requests have one. Times are pairs of a step to the next bucket
 * and how many are in it; the only one that is left is not told. Up to version
 * 2 all rows were odd, and no head had bits. */
#include "journal/figure.h"

#include "base/err.h"
#include "base/hash.h"

enum { HAS_TIMES = 1, HAS_TEXT = 2 };
enum { HEAD_SHARED = 63, HEAD_PIECE = 64, HEAD_ODD = 128 };

/* --- the dimensions ------------------------------------------------------- */

static uint64_t country_pack(const char c[2])
{
    bool known = c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z';
    return known ? (uint64_t)((c[0] - 'A') * 26 + (c[1] - 'A') + 1) : 0;
}

/* route 32 | country 10 | status 10 | outcome 4 | door 2 */
uint64_t figure_fact_pack(const struct figure_fact *f)
{
    return (uint64_t)f->route << 26 | country_pack(f->country) << 16 |
           (uint64_t)(f->status & 1023) << 6 |
           (uint64_t)(f->outcome & 15) << 2 | (f->door & 3);
}

struct figure_fact figure_fact_unpack(uint64_t v)
{
    struct figure_fact f = { .route = (uint32_t)(v >> 26),
                             .status = (uint16_t)(v >> 6 & 1023),
                             .outcome = v >> 2 & 15,
                             .door = v & 3 };
    unsigned country = v >> 16 & 1023;
    if (country && country <= 26 * 26) {
        f.country[0] = (char)('A' + (country - 1) / 26);
        f.country[1] = (char)('A' + (country - 1) % 26);
    }
    return f;
}

uint64_t figure_dim_of(uint64_t v, enum figure_dim dim)
{
    switch (dim) {
    case FIGURE_OUTCOME: return v & 63;
    case FIGURE_STATUS: return v & (uint64_t)1023 << 6;
    case FIGURE_COUNTRY: return v & (uint64_t)1023 << 16;
    case FIGURE_ROUTE: return v & (uint64_t)UINT32_MAX << 26;
    default: return v;
    }
}

uint64_t figure_text_id(struct sv text)
{
    static const uint64_t key[2] = { 0x7479706561757468, 0x666967757265 };
    return hash_sv_keyed(text, key);
}

/* --- bytes ---------------------------------------------------------------- */

static void key_bytes(const struct figure_key *k, uint8_t out[FIGURE_KEY_BYTES])
{
    for (int i = 0; i < 5; i++) {
        uint64_t big = __builtin_bswap64(k->w[i]);
        memcpy(out + 8 * i, &big, sizeof big);
    }
}

static void key_of_bytes(const uint8_t in[FIGURE_KEY_BYTES],
                         struct figure_key *out)
{
    for (int i = 0; i < 5; i++) {
        uint64_t big;
        memcpy(&big, in + 8 * i, sizeof big);
        out->w[i] = __builtin_bswap64(big);
    }
}

static void put_number(char **at, uint64_t v)
{
    for (; v > 127; v >>= 7) *(*at)++ = (char)(v | 128);
    *(*at)++ = (char)v;
}

/* False: it ends early, or is longer than 64 bits. */
static bool get_number(struct sv *rest, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < rest->n && i < 10; i++) {
        uint64_t b = (uint8_t)rest->p[i];
        if (i == 9 && b > 1) return false;
        v |= (b & 127) << (7 * i);
        if (b & 128) continue;
        *rest = sv_from(*rest, i + 1);
        *out = v;
        return true;
    }
    return false;
}

static uint64_t times_n(const struct figure_row *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->pairs_n; i++) n += r->pairs[i].n;
    return n;
}

static bool is_plain(const struct figure_row *r)
{
    uint64_t requests = r->sum[FIGURE_REQUESTS];
    return !r->text.n && r->sum[FIGURE_COST] == requests &&
           times_n(r) == requests;
}

static void put_plain(char **at, const struct figure_row *r)
{
    uint64_t left = r->sum[FIGURE_REQUESTS];
    uint32_t bucket = 0;
    for (int i = 0; i < FIGURE_COST; i++) put_number(at, r->sum[i]);
    for (uint32_t i = 0; i < r->pairs_n; i++) {
        put_number(at, r->pairs[i].bucket - bucket);
        if (left > 1) put_number(at, r->pairs[i].n);
        left -= r->pairs[i].n;
        bucket = r->pairs[i].bucket;
    }
}

static void put_odd(char **at, const struct figure_row *r)
{
    uint32_t bucket = 0;
    *(*at)++ =
        (char)((r->pairs_n ? HAS_TIMES : 0) | (r->text.n ? HAS_TEXT : 0));
    for (int i = 0; i < FIGURE_SUMS; i++) put_number(at, r->sum[i]);
    if (r->pairs_n) put_number(at, r->pairs_n);
    for (uint32_t i = 0; i < r->pairs_n; i++) {
        put_number(at, r->pairs[i].bucket - bucket);
        put_number(at, r->pairs[i].n);
        bucket = r->pairs[i].bucket;
    }
    if (!r->text.n) return;
    size_t n = r->text.n < FIGURE_TEXT_MAX ? r->text.n : FIGURE_TEXT_MAX;
    put_number(at, n);
    memcpy(*at, r->text.p, n);
    *at += n;
}

void figure_row_encode(const struct figure_row *r,
                       const struct figure_mark *before, struct buf *out)
{
    uint8_t now[FIGURE_KEY_BYTES], last[FIGURE_KEY_BYTES];
    unsigned shared = 0;
    bool plain = is_plain(r);
    char *start = buf_reserve(out, FIGURE_ROW_MAX), *at = start;
    if (!at) return;
    key_bytes(&r->key, now);
    key_bytes(&before->key, last);
    while (shared < FIGURE_KEY_BYTES && now[shared] == last[shared]) shared++;
    *at++ =
        (char)(shared | (r->piece ? HEAD_PIECE : 0) | (plain ? 0 : HEAD_ODD));
    memcpy(at, now + shared, FIGURE_KEY_BYTES - shared);
    at += FIGURE_KEY_BYTES - shared;
    if (r->piece) *at++ = (char)r->piece;
    if (plain)
        put_plain(&at, r);
    else
        put_odd(&at, r);
    out->n += (size_t)(at - start);
}

/* The next pair's bucket, behind the `n` there are. */
static bool get_bucket(struct sv *rest, struct figure_row *out)
{
    uint64_t step, bucket = 0;
    uint32_t n = out->pairs_n;
    if (n == SKETCH_BUCKETS || !get_number(rest, &step)) return false;
    if ((n && !step) || step >= SKETCH_BUCKETS) return false;
    if (n) bucket = out->pairs[n - 1].bucket;
    if (bucket + step >= SKETCH_BUCKETS) return false;
    out->pairs[n].bucket = (uint32_t)(bucket + step);
    return true;
}

static bool get_plain_times(struct sv *rest, struct figure_row *out)
{
    for (uint64_t n, left = out->sum[FIGURE_REQUESTS]; left; left -= n) {
        if (!get_bucket(rest, out)) return false;
        n = 1;
        if (left > 1 && !get_number(rest, &n)) return false;
        if (!n || n > left) return false;
        out->pairs[out->pairs_n++].n = n;
    }
    return true;
}

static bool get_times(struct sv *rest, struct figure_row *out)
{
    uint64_t n, count;
    if (!get_number(rest, &n) || !n || n > SKETCH_BUCKETS) return false;
    while (out->pairs_n < n) {
        if (!get_bucket(rest, out) || !get_number(rest, &count) || !count)
            return false;
        out->pairs[out->pairs_n++].n = count;
    }
    return true;
}

static bool get_text(struct sv *rest, struct figure_row *out)
{
    uint64_t n;
    if (!get_number(rest, &n) || !n || n > FIGURE_TEXT_MAX || n > rest->n)
        return false;
    out->text = sv_first(*rest, n);
    *rest = sv_from(*rest, n);
    return true;
}

static bool get_byte(struct sv *rest, unsigned *out)
{
    if (!rest->n) return false;
    *out = (uint8_t)rest->p[0];
    *rest = sv_from(*rest, 1);
    return true;
}

static bool get_place(struct sv *rest, const struct figure_mark *before,
                      unsigned head, struct figure_row *out)
{
    uint8_t bytes[FIGURE_KEY_BYTES];
    unsigned shared = head & HEAD_SHARED, piece = 0;
    if (shared > FIGURE_KEY_BYTES || rest->n < FIGURE_KEY_BYTES - shared)
        return false;
    key_bytes(&before->key, bytes);
    memcpy(bytes + shared, rest->p, FIGURE_KEY_BYTES - shared);
    *rest = sv_from(*rest, FIGURE_KEY_BYTES - shared);
    key_of_bytes(bytes, &out->key);
    if (head & HEAD_PIECE &&
        (!get_byte(rest, &piece) || !piece || piece > FIGURE_PIECES))
        return false;
    out->piece = (uint8_t)piece;
    const struct figure_mark mark = figure_mark_of(out);
    return figure_mark_cmp(before, &mark) < 0;
}

static bool get_sums(struct sv *rest, unsigned sums, bool plain,
                     struct figure_row *out)
{
    memset(out->sum, 0, sizeof out->sum);
    for (unsigned i = 0; i < sums; i++) {
        uint64_t v = out->sum[FIGURE_REQUESTS];
        bool told = !plain || i != FIGURE_COST;
        if (told && !get_number(rest, &v)) return false;
        if (i < FIGURE_SUMS) out->sum[i] = v;
    }
    return true;
}

int figure_row_decode(struct sv *rest, const struct figure_mark *before,
                      unsigned version, unsigned sums, struct figure_row *out)
{
    unsigned head, flags = 0;
    if (!get_byte(rest, &head)) return ERR_NOTFOUND;
    if (version < 3 && head > HEAD_SHARED) return ERR_CORRUPT;
    bool plain = version >= 3 && !(head & HEAD_ODD);
    out->pairs_n = 0;
    out->text = SV("");
    if (!get_place(rest, before, head, out)) return ERR_CORRUPT;
    if (!plain &&
        (!get_byte(rest, &flags) || flags & ~(unsigned)(HAS_TIMES | HAS_TEXT)))
        return ERR_CORRUPT;
    if (!get_sums(rest, sums, plain, out)) return ERR_CORRUPT;
    if (plain) return get_plain_times(rest, out) ? 0 : ERR_CORRUPT;
    if (flags & HAS_TIMES && !get_times(rest, out)) return ERR_CORRUPT;
    if (flags & HAS_TEXT && !get_text(rest, out)) return ERR_CORRUPT;
    return 0;
}

/* --- adding up ------------------------------------------------------------ */

void figure_total_add(struct figure_total *t, const struct figure_row *r)
{
    for (int i = 0; i < FIGURE_SUMS; i++) t->sum[i] += r->sum[i];
    if (!r->pairs_n) return;
    uint32_t from = r->pairs[0].bucket,
             to = r->pairs[r->pairs_n - 1].bucket + 1;
    if (!t->to || from < t->from) t->from = from;
    if (to > t->to) t->to = to;
    for (uint32_t i = 0; i < r->pairs_n; i++)
        t->times[r->pairs[i].bucket] += r->pairs[i].n;
}

void figure_total_row(const struct figure_total *t, struct figure_row *out)
{
    memcpy(out->sum, t->sum, sizeof out->sum);
    out->pairs_n = 0;
    for (uint32_t i = t->from; i < t->to; i++)
        if (t->times[i])
            out->pairs[out->pairs_n++] = (struct figure_pair){ i, t->times[i] };
}

void figure_total_clear(struct figure_total *t)
{
    memset(t->sum, 0, sizeof t->sum);
    if (t->to)
        memset(t->times + t->from, 0, (t->to - t->from) * sizeof t->times[0]);
    t->from = t->to = 0;
}

uint64_t sketch_quantile(const uint64_t counts[SKETCH_BUCKETS],
                         unsigned per_mille)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < SKETCH_BUCKETS; i++) all += counts[i];
    if (!all) return 0;
    uint64_t rank =
        all / 1000 * per_mille + (all % 1000 * per_mille + 999) / 1000;
    for (unsigned i = 0; i < SKETCH_BUCKETS; i++) {
        seen += counts[i];
        if (seen >= rank) return sketch_value(i);
    }
    return sketch_value(SKETCH_BUCKETS - 1);
}
