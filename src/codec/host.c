/* Names through libidn2, addresses through base/ip. */
#include "codec/host.h"

#include <idn2.h>

#include "base/err.h"

static bool label_ok(struct sv label)
{
    if (!label.n || label.n > 63 || label.p[0] == '-' ||
        label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool all_digits(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return true;
}

/* Lower-case A-labels; counts them. */
static int labels_check(struct sv name, unsigned *labels)
{
    struct sv rest = name, label = { 0 };
    if (!name.n || name.n > HOST_TEXT_MAX) return ERR_INVALID;
    for (*labels = 0; rest.p; ++*labels) {
        label = sv_cut(rest, '.', &rest);
        if (!label_ok(label)) return ERR_INVALID;
    }
    return all_digits(label) ? ERR_INVALID : 0;
}

static bool is_ascii(struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] >= 0x80 || s.p[i] == '\0') return false;
    return true;
}

/* Has it a label that claims to be an A-label already? */
static bool has_xn(struct sv s)
{
    for (size_t i = 0; i + 4 <= s.n; i++)
        if ((i == 0 || s.p[i - 1] == '.') &&
            sv_starts_nocase(sv_from(s, i), SV("xn--")))
            return true;
    return false;
}

static int name_to_ascii(struct sv text, char *out, size_t room, size_t *n)
{
    if (text.n == 0 || text.n > 4 * HOST_TEXT_MAX) return ERR_INVALID;
    if (is_ascii(text) && !has_xn(text)) {
        if (text.n > room) return ERR_INVALID;
        for (size_t i = 0; i < text.n; i++) out[i] = ascii_lower(text.p[i]);
        *n = text.n;
        return 0;
    }
    char name[4 * HOST_TEXT_MAX + 1];
    uint8_t *found = NULL;
    if (memchr(text.p, '\0', text.n)) return ERR_INVALID;
    memcpy(name, text.p, text.n);
    name[text.n] = '\0';
    int rc = idn2_lookup_u8((const uint8_t *)name, &found,
                            IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    size_t size = rc == IDN2_OK ? strlen((char *)found) : 0;
    bool good = size && size <= room;
    if (good) memcpy(out, found, *n = size);
    if (rc == IDN2_OK) idn2_free(found);
    return good ? 0 : ERR_INVALID;
}

int host_parse(struct sv text, bool wildcard, struct host *out)
{
    *out = (struct host){ .kind = HOST_NAME };
    bool bracketed =
        text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
    struct sv inner = bracketed ? sv_of(text.p + 1, text.n - 2) : text;
    if (ip_parse(inner, &out->ip) == 0) {
        if (bracketed && !memchr(inner.p, ':', inner.n)) return ERR_INVALID;
        out->kind = HOST_IP;
        out->n = (uint8_t)ip_format(&out->ip, out->text);
        out->text[out->n] = '\0';
        return 0;
    }
    size_t at = 0, n = 0;
    if (wildcard && sv_starts(text, SV("*."))) {
        memcpy(out->text, "*.", at = 2);
        out->kind = HOST_WILDCARD;
        text = sv_from(text, 2);
    }
    if (text.n && text.p[text.n - 1] == '.') text.n--;
    if (name_to_ascii(text, out->text + at, HOST_TEXT_MAX - at, &n))
        return ERR_INVALID;
    unsigned labels = 0;
    if (labels_check(sv_of(out->text + at, n), &labels)) return ERR_INVALID;
    if (out->kind == HOST_WILDCARD && labels < 2) return ERR_INVALID;
    out->n = (uint8_t)(at + n);
    out->text[out->n] = '\0';
    return 0;
}

int host_split(struct sv text, struct sv *host, uint16_t *port)
{
    *host = text;
    *port = 0;
    size_t colon = sv_rfind(text, ':'), close = sv_rfind(text, ']');
    if (colon == SIZE_MAX || (close != SIZE_MAX && colon < close)) return 0;
    struct sv before = sv_first(text, colon);
    if (close == SIZE_MAX && sv_find(before, ':') != SIZE_MAX)
        return 0; /* a bare IPv6 address */
    uint64_t number = 0;
    if (!sv_to_u64(sv_from(text, colon + 1), 65535, &number) || !number)
        return ERR_INVALID;
    *host = before;
    *port = (uint16_t)number;
    return 0;
}

bool host_under(struct sv name, struct sv wildcard)
{
    struct sv suffix = sv_from(wildcard, 1); /* ".example.com" */
    return sv_starts(wildcard, SV("*.")) && name.n > suffix.n &&
           sv_ends(name, suffix);
}
