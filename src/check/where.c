#include "check/where.h"

#include "base/mem.h"

enum { NOT_ASKED, IS_KNOWN, IS_UNKNOWN }; /* exchange.place_state */

struct place_lane *place_lanes_new(unsigned reactors)
{
    return mem_aligned(64, reactors * sizeof(struct place_lane));
}

void place_lanes_free(struct place_lane **lanes, unsigned reactors)
{
    for (unsigned i = 0; *lanes && i < reactors; i++)
        if ((*lanes)[i].cache) place_cache_free(&(*lanes)[i].cache);
    mem_free(*lanes);
    *lanes = NULL;
}

static void count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static const struct place_data *data_of(const struct exchange *x)
{
    return x->env->places ? place_root_get(x->env->places) : NULL;
}

bool check_places(const struct exchange *x)
{
    return data_of(x) != NULL;
}

/* Without memory for a cache the data themselves are asked each time. */
static bool look_up(struct exchange *x)
{
    const struct place_data *data = data_of(x);
    struct place_lane *lane = &x->env->place_lanes[x->reactor];
    count(&lane->lookups);
    if (!data) {
        count(&lane->blind);
        return false;
    }
    if (!lane->cache && place_cache_new(&lane->cache))
        return place_data_find(data, &x->client, &x->place);
    return place_cache_find(lane->cache, data, &x->client, &x->place);
}

const struct place *check_place(struct exchange *x)
{
    if (x->place_state == NOT_ASKED) {
        bool asks = x->has_client && x->env->places;
        x->place_state = asks && look_up(x) ? IS_KNOWN : IS_UNKNOWN;
    }
    return x->place_state == IS_KNOWN ? &x->place : NULL;
}

struct sv check_country(struct exchange *x)
{
    const struct place *place = check_place(x);
    if (!place || !place->country) return SV("");
    country_text(place->country, x->country);
    return sv_of(x->country, 2);
}
