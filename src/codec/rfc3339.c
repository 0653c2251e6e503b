/* RFC 3339, strict. */
#include "codec/rfc3339.h"

#include "base/clock.h"
#include "base/err.h"

static const int64_t min_ms = -62167219200000; /* 0000-01-01 */
static const int64_t max_ms = 253402300799999; /* 9999-12-31 */

static void put_digits(char *out, int n, int v)
{
    for (; n-- > 0; v /= 10) out[n] = (char)('0' + v % 10);
}

void rfc3339_encode(char out[RFC3339_TEXT], int64_t ms)
{
    if (ms < min_ms) ms = min_ms;
    if (ms > max_ms) ms = max_ms;
    struct civil t = civil_from_ms(ms);
    memcpy(out, "0000-00-00T00:00:00.000Z", RFC3339_TEXT);
    put_digits(out, 4, t.year);
    put_digits(out + 5, 2, t.month);
    put_digits(out + 8, 2, t.day);
    put_digits(out + 11, 2, t.hour);
    put_digits(out + 14, 2, t.minute);
    put_digits(out + 17, 2, t.second);
    put_digits(out + 20, 3, t.ms);
}

/* Takes n digits from the front; -1 if they are none. */
static int take_digits(struct sv *s, size_t n)
{
    int v = 0;
    if (s->n < n) return -1;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return -1;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = sv_from(*s, n);
    return v;
}

static bool take_char(struct sv *s, char c)
{
    if (!s->n || (s->p[0] != c && ascii_lower(s->p[0]) != c)) return false;
    *s = sv_from(*s, 1);
    return true;
}

static bool take_date(struct sv *s, struct civil *t)
{
    return (t->year = take_digits(s, 4)) >= 0 && take_char(s, '-') &&
           (t->month = take_digits(s, 2)) >= 1 && t->month <= 12 &&
           take_char(s, '-') && (t->day = take_digits(s, 2)) >= 1 &&
           t->day <= civil_days_in_month(t->year, t->month);
}

static bool take_time(struct sv *s, struct civil *t)
{
    if ((t->hour = take_digits(s, 2)) < 0 || t->hour > 23 ||
        !take_char(s, ':') || (t->minute = take_digits(s, 2)) < 0 ||
        t->minute > 59 || !take_char(s, ':') ||
        (t->second = take_digits(s, 2)) < 0 || t->second > 60)
        return false;
    if (!take_char(s, '.')) return true;
    int digit, n = 0, scale = 100;
    for (; n < 10 && (digit = take_digits(s, 1)) >= 0; n++, scale /= 10)
        t->ms += digit * scale;
    return n > 0 && n < 10;
}

/* Minutes east of UTC. */
static bool take_offset(struct sv *s, int *minutes)
{
    *minutes = 0;
    if (take_char(s, 'z')) return true;
    int sign = take_char(s, '+') ? 1 : take_char(s, '-') ? -1 : 0;
    int hours = take_digits(s, 2);
    if (!sign || hours < 0 || hours > 23 || !take_char(s, ':')) return false;
    int rest = take_digits(s, 2);
    if (rest < 0 || rest > 59) return false;
    *minutes = sign * (hours * 60 + rest);
    return true;
}

int rfc3339_decode(struct sv text, int64_t *ms_out)
{
    struct civil t = { 0 };
    int offset = 0;
    if (!take_date(&text, &t) || !take_char(&text, 't') ||
        !take_time(&text, &t) || !take_offset(&text, &offset) || text.n)
        return ERR_INVALID;
    bool leap = t.second == 60;
    if (leap) t.second = 59;
    int64_t ms = civil_to_ms(t) - (int64_t)offset * 60000 + (leap ? 1000 : 0);
    if (leap) ms -= t.ms;
    if (ms < min_ms || ms > max_ms) return ERR_INVALID;
    *ms_out = ms;
    return 0;
}
