/* The client's address: see address.h. */
#include "http/address.h"

enum { HOPS_MAX = 32 }; /* what lies further away is nobody's business */

bool address_read(struct sv text, struct ip *out)
{
    text = sv_trim(text);
    if (text.n && text.p[0] == '[') {
        size_t close = sv_find(text, ']');
        if (close == SIZE_MAX) return false;
        struct sv port = sv_from(text, close + 1);
        if (port.n && port.p[0] != ':') return false;
        text = sv_of(text.p + 1, close - 1);
    } else {
        size_t colon = sv_find(text, ':');
        if (colon != SIZE_MAX && colon == sv_rfind(text, ':'))
            text = sv_first(text, colon); /* one colon: IPv4 and port */
    }
    return ip_parse(text, out) == 0;
}

/* The nearest HOPS_MAX addresses that proxies wrote, in order of writing. */
struct hops {
    struct sv text[HOPS_MAX]; /* ring; p NULL: none or unreadable */
    size_t n;
};

static void hops_add(struct hops *hops, struct sv text)
{
    hops->text[hops->n++ % HOPS_MAX] = text;
}

static void read_x_forwarded_for(struct sv value, struct hops *hops)
{
    while (value.p) hops_add(hops, sv_cut(value, ',', &value));
}

/* Behind a '"' or an escaped byte inside of quotes; else behind s.p[i]. */
static size_t quoted_step(struct sv s, size_t i, bool *quoted)
{
    if (s.p[i] == '"') *quoted = !*quoted;
    return *quoted && s.p[i] == '\\' ? i + 2 : i + 1;
}

static bool quotes_close(struct sv s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n;) i = quoted_step(s, i, &quoted);
    return !quoted;
}

/* As sv_cut, at a `sep` outside of quotes. */
static struct sv cut_unquoted(struct sv s, char sep, struct sv *rest)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i = quoted_step(s, i, &quoted)) {
        if (quoted || s.p[i] != sep) continue;
        *rest = sv_from(s, i + 1);
        return sv_first(s, i);
    }
    *rest = (struct sv){ 0 };
    return s;
}

/* RFC 7239 4: for=1.2.3.4, for="[::1]:80"; pairs by ';', elements by ','. A
 * quote that is never closed quotes nothing: a client could else open one and
 * so swallow what a proxy appends. */
static void read_forwarded(struct sv value, struct hops *hops)
{
    struct sv (*cut)(struct sv, char, struct sv *) =
        quotes_close(value) ? cut_unquoted : sv_cut;
    while (value.p) {
        struct sv element = cut(value, ',', &value), found = { 0 };
        unsigned n = 0;
        while (element.p) {
            struct sv pair = sv_trim(cut(element, ';', &element));
            if (!sv_starts_nocase(pair, SV("for="))) continue;
            n++;
            found = sv_from(pair, 4);
        }
        if (found.n >= 2 && found.p[0] == '"' && found.p[found.n - 1] == '"')
            found = sv_of(found.p + 1, found.n - 2);
        hops_add(hops, n == 1 ? found : SV(""));
    }
}

static void hops_read(const struct http_head *h, enum address_source source,
                      struct hops *hops)
{
    enum http_name id =
        source == ADDRESS_FORWARDED ? HN_FORWARDED : HN_X_FORWARDED_FOR;
    if (!h->at[id]) return;
    for (unsigned i = h->at[id] - 1u; i < h->fields_n; i++) {
        if (h->fields[i].id != id) continue;
        if (source == ADDRESS_FORWARDED)
            read_forwarded(h->fields[i].value, hops);
        else
            read_x_forwarded_for(h->fields[i].value, hops);
    }
}

struct address address_of(const struct http_head *h, const struct ip *peer,
                          const struct address_trust *trust)
{
    static const struct ip none;
    struct address out = { 0 };
    if (!peer || ip_eq(peer, &none)) return out;
    out.peer = out.client = *peer;
    out.known = true;
    if (trust->peers_n == 0 || !cidr_any(trust->peers, trust->peers_n, peer))
        return out;
    out.peer_trusted = true;
    struct hops hops = { .n = 0 };
    hops_read(h, trust->source, &hops);
    size_t seen = hops.n < HOPS_MAX ? hops.n : HOPS_MAX;
    while (seen-- > 0) {
        struct ip ip;
        if (!address_read(hops.text[--hops.n % HOPS_MAX], &ip)) break;
        out.client = ip;
        if (!cidr_any(trust->peers, trust->peers_n, &ip)) break;
    }
    return out;
}
