/* Countries (ISO 3166-1) and the areas that geoblock, GeoSentry and rules
 * name (detectors.md §1). A set of countries is 85 bytes of bits, so that a
 * request's question is one load. */
#ifndef MODEL_AREA_H
#define MODEL_AREA_H

#include "base/sv.h"
#include "codec/text.h"

enum { COUNTRY_MAX = 26 * 26 }; /* numbers are 1-COUNTRY_MAX; 0 is unknown */

struct country_row {
    char code[3], code3[4]; /* ISO 3166-1 alpha-2 and alpha-3 */
    char continent[3];      /* AF AN AS EU NA OC SA */
    bool in_eu;             /* member of the European Union */
};

struct area_set {
    uint64_t bits[COUNTRY_MAX / 64 + 1];
};

/* Number of two letters as data files write them, in either case; also of
 * those that ISO does not know (XK). 0: no two letters. */
uint16_t country_of_code(struct sv code);
/* "GB"; "" of 0. */
void country_text(uint16_t country, char out[3]);
/* NULL: not in ISO 3166-1 (nor XK). */
const struct country_row *country_find(uint16_t country);

/* Adds an area, in either case:
 *   EU                the members of the European Union
 *   US,EU             areas joined by commas
 *   GE                Germany, as the published API has it (also DE, DEU)
 *   GEO               Georgia
 *   any other         an ISO 3166-1 alpha-2 or alpha-3 code, or XK
 * ERR_INVALID: none of these (then the set is as before). */
int area_set_add(struct area_set *set, struct sv area);

static inline bool area_set_has(const struct area_set *set, uint16_t country)
{
    return country != 0 && (set->bits[country / 64] >> (country % 64) & 1);
}

extern const struct text_rule text_area; /* what area_set_add takes */

#endif
