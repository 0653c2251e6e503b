/* The client's address: the first line is the peer, the others are fields that
 * name clients. Whatever they say, nobody but a trusted peer is believed, one
 * kind of field alone, and no address that was not written there. */
#include "base/ensure.h"
#include "http/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_MAX = 16 };

static void head_fill(struct http_head *h, struct sv rest)
{
    while (rest.p && h->fields_n < FIELDS_MAX) {
        struct sv line = sv_cut(rest, '\n', &rest);
        bool other = sv_starts(line, SV("F"));
        enum http_name id = other ? HN_FORWARDED : HN_X_FORWARDED_FOR;
        if (!h->at[id]) h->at[id] = (uint8_t)(h->fields_n + 1);
        h->fields[h->fields_n++] = (struct http_field){
            .name = other ? SV("Forwarded") : SV("X-Forwarded-For"),
            .value = sv_from(line, other),
            .id = id,
        };
    }
}

/* Without the fields of one kind, what they say cannot change anything. */
static void drop(struct http_head *h, enum http_name id)
{
    for (unsigned i = 0; i < h->fields_n; i++)
        if (h->fields[i].id == id) h->fields[i].value = SV("192.0.2.99");
}

static bool same(const struct address *a, const struct address *b)
{
    return a->known == b->known && a->peer_trusted == b->peer_trusted &&
           ip_eq(&a->client, &b->client) && ip_eq(&a->peer, &b->peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head h, without;
    static const struct ip nobody;
    struct sv rest, first = sv_cut(sv_of(data, size), '\n', &rest);
    struct cidr peers[2];
    struct ip peer = { { 0 } };
    if (!address_read(first, &peer)) peer = nobody;
    ENSURE(!cidr_parse(SV("10.0.0.0/8"), &peers[0]));
    ENSURE(!cidr_parse(SV("2001:db8::/32"), &peers[1]));
    memset(&h, 0, sizeof h);
    head_fill(&h, rest);
    for (int source = 0; source < 2; source++) {
        struct address_trust trust = { peers, 2, (enum address_source)source };
        const struct address_trust none = { NULL, 0, trust.source };
        struct address of = address_of(&h, &peer, &trust);
        struct address untrusted = address_of(&h, &peer, &none);
        ENSURE(of.known == !ip_eq(&peer, &nobody));
        ENSURE(ip_eq(&untrusted.client, &peer) && !untrusted.peer_trusted);
        ENSURE(of.peer_trusted || ip_eq(&of.client, &peer));
        ENSURE(of.peer_trusted == (of.known && cidr_any(peers, 2, &peer)));
        without = h;
        drop(&without,
             source == ADDRESS_FORWARDED ? HN_X_FORWARDED_FOR : HN_FORWARDED);
        struct address again = address_of(&without, &peer, &trust);
        ENSURE(same(&of, &again));
    }
    return 0;
}
