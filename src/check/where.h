/* Where an exchange's client is, for geoblock, rules and GeoSentry: by the
 * location data in force (detect/place.h), through a cache a reactor. At most
 * one look-up an exchange, also over waits. */
#ifndef CHECK_WHERE_H
#define CHECK_WHERE_H

#include "check/exchange.h"

/* A reactor's part, on its thread only. */
struct place_lane {
    _Alignas(64) struct place_cache *cache; /* at the first look-up */
    _Atomic uint64_t lookups;
    _Atomic uint64_t blind; /* of these, while there were no data */
};

struct place_lane *place_lanes_new(unsigned reactors);
void place_lanes_free(struct place_lane **lanes, unsigned reactors);

/* NULL: nobody knows. The address is unknown (x->has_client), the data do not
 * have it, or there are no data (check_places). Lies in the exchange. */
const struct place *check_place(struct exchange *x);
/* Are there location data? Else what depends on a client's place cannot be
 * judged: check_fault with the profile's onFault, open by default. */
bool check_places(const struct exchange *x);
/* "DE"; "" when nobody knows. Lies in the exchange. */
struct sv check_country(struct exchange *x);

#endif
