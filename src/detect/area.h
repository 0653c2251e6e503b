/* Geoblock's verdict: may a request from this country pass? The areas are a
 * set of bits from model/area.h: one load. Whether there is location data at
 * all is another question (place_data NULL: onFault decides, not this). */
#ifndef DETECT_AREA_H
#define DETECT_AREA_H

#include "model/geoblock.h"

enum area_verdict {
    AREA_PASSES,
    AREA_REFUSED, /* the country is denied, or not among those allowed */
    AREA_REFUSED_UNKNOWN, /* of no known country, and those are blocked */
};

static inline enum area_verdict area_judge(const struct geoblock *g,
                                           uint16_t country)
{
    if (!g->on) return AREA_PASSES;
    if (country == 0)
        return g->unknown_blocks ? AREA_REFUSED_UNKNOWN : AREA_PASSES;
    return area_set_has(&g->areas, country) == g->allows ? AREA_PASSES
                                                         : AREA_REFUSED;
}

#endif
