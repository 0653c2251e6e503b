/* What one reader asked last, by network: clients come from the same networks
 * again and again, and an answer of a file mostly holds for many addresses. An
 * entry is found in one line of memory, a walk through a file in ten. */
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/pages.h"
#include "detect/place_int.h"

enum {
    SET_BITS = 16,
    WAYS = 2,
    V4_BITS = 24, /* of the networks that entries are of, */
    V6_BITS = 64, /* or of one IPv4 address where the answer is narrower */
};

struct entry {
    uint64_t key;    /* of a network; 0 none */
    uint32_t serial; /* of the edition that said it */
    uint32_t asn;
    float latitude, longitude;
    uint16_t country, radius_km;
    bool known, has_point, anycast;
};

struct set {
    struct entry way[WAYS]; /* the newest stands first */
};
_Static_assert(sizeof(struct set) == 64, "a set is one line");

struct place_cache {
    struct set *sets;
};

enum { SETS_BYTES = sizeof(struct set) << SET_BITS };

int place_cache_new(struct place_cache **out)
{
    struct place_cache *cache = *out = mem_alloc_try(sizeof *cache);
    if (!cache) return ERR_NOMEM;
    cache->sets = pages_alloc(SETS_BYTES);
    if (!cache->sets) {
        mem_free(cache);
        *out = NULL;
        return ERR_NOMEM;
    }
    pages_expect(cache->sets, SETS_BYTES);
    return 0;
}

void place_cache_free(struct place_cache **cache)
{
    if (*cache) pages_free((*cache)->sets, SETS_BYTES);
    mem_free(*cache);
    *cache = NULL;
}

/* The network of an address, and of IPv4 the address itself; 0: has none. No
 * IPv6 network that is kept begins with eight zero bits. */
struct keys {
    uint64_t wide, narrow;
};

static struct keys keys_of(const struct ip *ip)
{
    enum { WIDE = 1, NARROW = 2, KIND_SHIFT = 40 };
    if (!ip_is_v4(ip))
        return (struct keys){ ip->b[0] ? load_be(ip->b, V6_BITS / 8) : 0, 0 };
    uint64_t address = load_be(ip->b + 12, 4);
    return (struct keys){
        (uint64_t)WIDE << KIND_SHIFT | address >> (32 - V4_BITS),
        (uint64_t)NARROW << KIND_SHIFT | address,
    };
}

static uint64_t key_for(const struct ip *ip, struct keys keys, unsigned bits)
{
    return bits <= (ip_is_v4(ip) ? V4_BITS : V6_BITS) ? keys.wide : keys.narrow;
}

/* By the top bits: of a product they alone depend on every bit. Whoever makes
 * networks collide pays with his own misses. */
static struct set *set_of(const struct place_cache *cache, uint64_t key)
{
    return &cache->sets[(key * 0x9e3779b97f4a7c15u) >> (64 - SET_BITS)];
}

static const struct entry *entry_find(const struct place_cache *cache,
                                      uint64_t key, uint32_t serial)
{
    if (!key) return NULL;
    const struct set *s = set_of(cache, key);
    for (unsigned i = 0; i < WAYS; i++)
        if (s->way[i].key == key && s->way[i].serial == serial)
            return &s->way[i];
    return NULL;
}

static bool entry_say(const struct entry *e, struct place *out)
{
    *out = (struct place){
        .country = e->country,
        .radius_km = e->radius_km,
        .asn = e->asn,
        .latitude = e->latitude,
        .longitude = e->longitude,
        .has_point = e->has_point,
        .anycast = e->anycast,
    };
    return e->known;
}

static void entry_put(struct place_cache *cache, uint64_t key, uint32_t serial,
                      const struct place *p, bool known)
{
    struct set *s = set_of(cache, key);
    s->way[1] = s->way[0];
    s->way[0] = (struct entry){
        .key = key,
        .serial = serial,
        .asn = p->asn,
        .latitude = p->latitude,
        .longitude = p->longitude,
        .country = p->country,
        .radius_km = p->radius_km,
        .known = known,
        .has_point = p->has_point,
        .anycast = p->anycast,
    };
}

bool place_cache_find(struct place_cache *cache, const struct place_data *data,
                      const struct ip *ip, struct place *out)
{
    unsigned bits;
    if (!data) return place_data_find(data, ip, out);
    struct keys keys = keys_of(ip);
    uint32_t serial = (uint32_t)place_data_serial(data);
    const struct entry *e = entry_find(cache, keys.wide, serial);
    if (!e) e = entry_find(cache, keys.narrow, serial);
    if (e) return entry_say(e, out);
    bool known = place_data_ask(data, ip, out, &bits);
    uint64_t key = key_for(ip, keys, bits);
    if (key) entry_put(cache, key, serial, out, known);
    return known;
}
