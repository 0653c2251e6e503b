#include "codec/freshness.h"

#include "base/clock.h"
#include "base/err.h"

enum { UNSAID, GONE_S = 1 };

static bool digits_take(struct sv text, size_t at, size_t n, int *out)
{
    uint64_t v;
    if (!sv_to_u64(sv_first(sv_from(text, at), n), 9999, &v)) return false;
    *out = (int)v;
    return true;
}

static int month_of(struct sv text)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (sv_eq(text, sv_of(names + 3 * i, 3))) return i + 1;
    return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; the day's name is not compared. */
int http_date_decode(struct sv text, int64_t *ms_out)
{
    struct civil c = { 0 };
    if (text.n != 29 || !sv_ends(text, SV(" GMT")) || text.p[3] != ',' ||
        text.p[4] != ' ' || text.p[7] != ' ' || text.p[11] != ' ' ||
        text.p[16] != ' ' || text.p[19] != ':' || text.p[22] != ':')
        return ERR_INVALID;
    c.month = month_of(sv_of(text.p + 8, 3));
    if (!digits_take(text, 5, 2, &c.day) || !c.month ||
        !digits_take(text, 12, 4, &c.year) ||
        !digits_take(text, 17, 2, &c.hour) ||
        !digits_take(text, 20, 2, &c.minute) ||
        !digits_take(text, 23, 2, &c.second))
        return ERR_INVALID;
    if (c.day < 1 || c.day > civil_days_in_month(c.year, c.month) ||
        c.hour > 23 || c.minute > 59 || c.second > 60)
        return ERR_INVALID;
    *ms_out = civil_to_ms(c);
    return 0;
}

static void least(uint32_t *to, uint32_t s)
{
    if (s < GONE_S) s = GONE_S;
    if (*to == UNSAID || s < *to) *to = s;
}

static uint32_t seconds_of(struct sv text, bool *ok)
{
    uint64_t v;
    if (text.n > 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
        text = sv_of(text.p + 1, text.n - 2);
    *ok = text.n > 0;
    for (size_t i = 0; i < text.n; i++)
        *ok &= text.p[i] >= '0' && text.p[i] <= '9';
    return sv_to_u64(text, UINT32_MAX, &v) ? (uint32_t)v : UINT32_MAX;
}

static void directive(struct sv text, uint32_t age_s, uint32_t *out)
{
    bool ok;
    struct sv value, name = sv_cut(sv_trim(text), '=', &value);
    if (sv_eq_nocase(name, SV("no-store")) ||
        sv_eq_nocase(name, SV("no-cache")))
        least(out, GONE_S);
    if (!sv_eq_nocase(name, SV("max-age"))) return;
    uint32_t s = seconds_of(value, &ok);
    if (ok) least(out, s > age_s ? s - age_s : GONE_S);
}

static uint32_t age_of(const struct http_head *head)
{
    bool ok;
    const struct http_field *f = http_head_find_text(head, SV("Age"), NULL);
    uint32_t s = f ? seconds_of(f->value, &ok) : 0;
    return f && ok ? s : 0;
}

static uint32_t until_expiry(const struct http_head *head)
{
    int64_t end, start;
    const struct http_field *date = http_head_find(head, HN_DATE);
    const struct http_field *expires =
        http_head_find_text(head, SV("Expires"), NULL);
    if (!expires) return UNSAID;
    if (!date || http_date_decode(date->value, &start) ||
        http_date_decode(expires->value, &end) || end <= start)
        return GONE_S;
    int64_t s = (end - start) / 1000;
    return s > UINT32_MAX ? UINT32_MAX : s < GONE_S ? GONE_S : (uint32_t)s;
}

uint32_t freshness_s(const struct http_head *head)
{
    uint32_t out = UNSAID, age_s = age_of(head);
    for (unsigned i = 0; i < head->fields_n; i++) {
        if (head->fields[i].id != HN_CACHE_CONTROL) continue;
        struct sv item, rest = head->fields[i].value;
        while (rest.p) {
            item = sv_cut(rest, ',', &rest);
            directive(item, age_s, &out);
        }
    }
    return out != UNSAID ? out : until_expiry(head);
}
