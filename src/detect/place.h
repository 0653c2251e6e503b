/* Where is an address? From files in MaxMind's format (MaxMind DB 2.0,
 * https://maxmind.github.io/MaxMind-DB/), with a reader of our own
 * (docs/decisions/0024). Of both layouts:
 *
 *   flat     country_code, latitude, longitude, accuracy_radius,
 *            autonomous_system_number          (@ip-location-db/…)
 *   nested   country.iso_code, location.{latitude, longitude,
 *            accuracy_radius}, traits.{is_anycast,
 *            autonomous_system_number}          (MaxMind City, Country, ASN)
 *
 * Up to four files answer as one (IPv4 and IPv6 apart, networks apart): what
 * the first does not know the next is asked. Files are mapped, not read: a new
 * edition replaces a file by rename, never by writing into it.
 *
 * No file is trusted: look-ups are bounded in steps, damaged records are
 * "nothing known". Continent and membership of the European Union follow from
 * the country, by model/area.h, whatever a file says. */
#ifndef DETECT_PLACE_H
#define DETECT_PLACE_H

#include <stdatomic.h>

#include "base/ip.h"
#include "model/area.h"

enum {
    PLACE_FILES_MAX = 4,
    PLACE_RADIUS_UNKNOWN_KM = 100, /* where a file names a point without one */
};

struct place {
    uint16_t country;   /* model/area.h; 0 unknown */
    uint16_t radius_km; /* of the point, 1-20038 */
    uint32_t asn;       /* number of the network's owner; 0 unknown */
    float latitude, longitude; /* degrees; mean something if has_point */
    bool has_point;
    bool anycast;       /* the file says so */
};

struct place_data; /* immutable; any thread */

struct place_why {
    size_t file;        /* which of the paths */
    const char *reason; /* static: "no MaxMind metadata" */
};

struct place_about {
    struct sv path, type; /* "GeoLite2-City"; borrowed from the data */
    int64_t built_s;
    uint32_t nodes;
};

/* Opens and maps; for the control thread. ERR_NOTFOUND, ERR_IO, ERR_TOOBIG
 * (more than PLACE_FILES_MAX), ERR_CORRUPT, ERR_VERSION, with *why. */
int place_data_open(const char *const *paths, size_t n,
                    struct place_data **out, struct place_why *why);
/* When no reader has it any more. */
void place_data_free(struct place_data **data);
size_t place_data_files(const struct place_data *data);
struct place_about place_data_about(const struct place_data *data, size_t i);

/* False: nothing is known (then *out is zeros), also with data NULL. Without
 * memory; 0.3 µs from the processor's caches, 1 µs for addresses far apart. */
bool place_data_find(const struct place_data *data, const struct ip *ip,
                     struct place *out);

/* --- the current edition -------------------------------------------------------
 * Readers: between epoch marks (base/epoch.h), they keep no pointer across. */
struct place_root {
    struct place_data *_Atomic data;
};
static inline const struct place_data *place_root_get(struct place_root *root)
{
    return atomic_load(&root->data);
}
/* Takes ownership of `data` (NULL: none); the old edition is retired. */
void place_root_swap(struct place_root *root, struct place_data *data);

/* --- what one reader asked last --------------------------------------------------
 * By network: of IPv4 a /24, or an address where files tell those of a /24
 * apart; of IPv6 a /64. 4 MiB; one thread. 20 ns for what is in it, from memory
 * one line. */
struct place_cache;

int place_cache_new(struct place_cache **out); /* ERR_NOMEM */
void place_cache_free(struct place_cache **cache);
/* As place_data_find; another edition of the data is never answered for. */
bool place_cache_find(struct place_cache *cache, const struct place_data *data,
                      const struct ip *ip, struct place *out);

#endif
