/* Judging the domain of a mail address, and finding it in a text. */
#include "detect/mail.h"

#include <libpsl.h>

#include "base/err.h"
#include "base/hash.h"

/* --- the application's own domains -------------------------------------------- */

struct mail_set {
    size_t n;
    uint32_t mask;
    uint32_t *slot; /* number of a domain + 1; 0 empty */
    struct sv *domain;
};

static bool set_has(const struct mail_set *s, struct sv domain)
{
    if (!s || !s->n) return false;
    for (uint32_t i = (uint32_t)hash_sv(domain) & s->mask; s->slot[i];
         i = (i + 1) & s->mask)
        if (sv_eq(s->domain[s->slot[i] - 1], domain)) return true;
    return false;
}

static int set_add(struct mail_set *s, struct sv text, struct arena *a)
{
    struct host host;
    if (host_parse(text, false, &host) || host.kind != HOST_NAME)
        return ERR_INVALID;
    struct sv domain = sv_of(host.text, host.n);
    if (set_has(s, domain)) return 0;
    uint32_t i = (uint32_t)hash_sv(domain) & s->mask;
    while (s->slot[i]) i = (i + 1) & s->mask;
    s->domain[s->n] = arena_dup(a, domain);
    if (!s->domain[s->n].p) return ERR_NOMEM;
    s->slot[i] = (uint32_t)++s->n;
    return 0;
}

int mail_set_make(const struct sv *domains, size_t n, struct arena *a,
                  const struct mail_set **out, size_t *bad)
{
    if (n > MAIL_DOMAINS_MAX) return ERR_TOOBIG;
    struct mail_set *s = ARENA_NEW(a, struct mail_set);
    uint32_t slots = 4;
    while (slots < 2 * n) slots *= 2;
    uint32_t *slot = ARENA_ARRAY(a, uint32_t, slots);
    struct sv *domain = ARENA_ARRAY(a, struct sv, n + 1);
    if (!s || !slot || !domain) return ERR_NOMEM;
    *s = (struct mail_set){ .mask = slots - 1, .slot = slot, .domain = domain };
    for (size_t i = 0; i < n; i++) {
        int rc = set_add(s, domains[i], a);
        if (rc && bad) *bad = i;
        if (rc) return rc;
    }
    *out = s;
    return 0;
}

size_t mail_set_count(const struct mail_set *s)
{
    return s ? s->n : 0;
}

/* --- judging ------------------------------------------------------------------ */

struct suffixes {
    struct sv at[MAIL_PARENTS_MAX + 1];
    unsigned n;
};

/* The domain, then its parents, the nearest first; of very many labels those
 * in the middle are left out. */
static void suffixes_of(struct sv domain, struct suffixes *out)
{
    out->n = 0;
    out->at[out->n++] = domain;
    size_t labels = 0;
    for (size_t i = 0; i < domain.n; i++) labels += domain.p[i] == '.';
    struct sv rest = domain;
    for (; labels > 0; labels--) {
        sv_cut(rest, '.', &rest);
        if (labels <= MAIL_PARENTS_MAX) out->at[out->n++] = rest;
    }
}

static const struct sv *any_in(const struct mail_set *s,
                               const struct suffixes *all)
{
    for (unsigned i = 0; mail_set_count(s) && i < all->n; i++)
        if (set_has(s, all->at[i])) return &all->at[i];
    return NULL;
}

/* Only one owner's domains lie below a parent that is no public suffix. */
static bool one_owner(struct sv parent)
{
    char text[HOST_TEXT_MAX + 1];
    if (parent.n > HOST_TEXT_MAX) return false;
    memcpy(text, parent.p, parent.n);
    text[parent.n] = '\0';
    return !psl_is_public_suffix(psl_builtin(), text);
}

enum mail_verdict mail_check(const struct mail_set *blocklist,
                             const struct mail_set *exceptions,
                             const struct mail_list *list, struct sv domain,
                             struct mail_evidence *evidence)
{
    struct suffixes all;
    suffixes_of(domain, &all);
    const struct sv *found = any_in(exceptions, &all);
    *evidence = (struct mail_evidence){ .domain = found ? *found : domain };
    if (found) return MAIL_EXCEPTED;
    found = any_in(blocklist, &all);
    if (found) evidence->domain = *found;
    if (found) return MAIL_BLOCKED;
    for (unsigned i = 0; list && i < all.n; i++) {
        if (!memchr(all.at[i].p, '.', all.at[i].n)) break;
        unsigned sources = mail_list_find(list, all.at[i]);
        if (!sources || (i > 0 && !one_owner(all.at[i]))) continue;
        evidence->domain = all.at[i];
        evidence->sources = sources & ~(unsigned)MAIL_ALLOWED;
        return sources & MAIL_ALLOWED ? MAIL_KNOWN : MAIL_DISPOSABLE;
    }
    return MAIL_NONE;
}

/* --- finding addresses --------------------------------------------------------- */

/* Up to the next separator outside of quotes. */
static struct sv address_cut(struct sv *text)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < text->n; i++) {
        char c = text->p[i];
        if (c == '\\' && quoted) {
            i++;
            continue;
        }
        if (c == '"') quoted = !quoted;
        if (!quoted && (c == ',' || c == ';')) break;
    }
    if (i > text->n) i = text->n;
    if (quoted && i == text->n) { /* a quote that never ends quotes nothing */
        i = 0;
        while (i < text->n && text->p[i] != ',' && text->p[i] != ';') i++;
    }
    struct sv one = sv_first(*text, i);
    *text = sv_from(*text, i + 1);
    return one;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What stands behind the last @, without what closes an address. */
static struct sv domain_part(struct sv one)
{
    size_t at = sv_rfind(one, '@');
    if (at == SIZE_MAX) return SV("");
    struct sv domain = sv_from(one, at + 1);
    size_t end = 0;
    while (domain.n && is_blank(domain.p[0])) domain = sv_from(domain, 1);
    while (end < domain.n && !is_blank(domain.p[end]) &&
           !strchr("<>()[]{}\"'?&/#%:", domain.p[end]) && domain.p[end])
        end++;
    domain = sv_first(domain, end);
    while (domain.n && domain.p[domain.n - 1] == '.')
        domain = sv_first(domain, domain.n - 1);
    return domain;
}

bool mail_domain_next(struct sv *text, struct host *out)
{
    while (text->n > 0) {
        struct sv domain = domain_part(address_cut(text));
        if (domain.n && host_parse(domain, false, out) == 0 &&
            out->kind == HOST_NAME)
            return true;
    }
    return false;
}
