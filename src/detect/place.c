/* From an address's record to a place. One pass over the record's members,
 * against a table of the names that either layout uses. */
#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"
#include "detect/place_int.h"

enum {
    RADIUS_MAX_KM = 20038, /* half way round */
};

struct place_data {
    uint64_t serial; /* of this edition, for caches */
    size_t n;
    struct place_file files[PLACE_FILES_MAX];
    char *paths[PLACE_FILES_MAX];
};

/* --- a record --------------------------------------------------------------- */

enum member {
    MEMBER_COUNTRY,
    MEMBER_LATITUDE,
    MEMBER_LONGITUDE,
    MEMBER_RADIUS,
    MEMBER_ASN,
    MEMBER_ANYCAST,
    MEMBER_COUNT
};

/* Where a member stands: in the record itself, or in one of its maps. */
enum group { IN_RECORD, IN_COUNTRY, IN_LOCATION, IN_TRAITS, IN_COUNT };

static const struct sv group_names[IN_COUNT] = {
    [IN_COUNTRY] = { "country", 7 },
    [IN_LOCATION] = { "location", 8 },
    [IN_TRAITS] = { "traits", 6 },
};

#define ROW(in, text, member)     \
    {                             \
        in, member,               \
        {                         \
            text, sizeof text - 1 \
        }                         \
    }
static const struct member_row {
    enum group in;
    enum member member;
    struct sv name;
} member_rows[] = {
    ROW(IN_RECORD, "country_code", MEMBER_COUNTRY),
    ROW(IN_RECORD, "country", MEMBER_COUNTRY), /* as text */
    ROW(IN_RECORD, "latitude", MEMBER_LATITUDE),
    ROW(IN_RECORD, "longitude", MEMBER_LONGITUDE),
    ROW(IN_RECORD, "accuracy_radius", MEMBER_RADIUS),
    ROW(IN_RECORD, "autonomous_system_number", MEMBER_ASN),
    ROW(IN_RECORD, "asn", MEMBER_ASN),
    ROW(IN_COUNTRY, "iso_code", MEMBER_COUNTRY),
    ROW(IN_LOCATION, "latitude", MEMBER_LATITUDE),
    ROW(IN_LOCATION, "longitude", MEMBER_LONGITUDE),
    ROW(IN_LOCATION, "accuracy_radius", MEMBER_RADIUS),
    ROW(IN_TRAITS, "autonomous_system_number", MEMBER_ASN),
    ROW(IN_TRAITS, "is_anycast", MEMBER_ANYCAST),
};

struct reading {
    struct place_walk walk;
    bool has[MEMBER_COUNT];
    double number[MEMBER_COUNT]; /* of the country: its number */
};

static void note(struct reading *r, enum member m, const struct place_value *v)
{
    uint16_t country = country_of_code(place_value_text(&r->walk, v));
    if (m == MEMBER_COUNTRY) {
        if (country) r->number[m] = country;
        r->has[m] |= country != 0;
    } else if (m == MEMBER_ANYCAST) {
        r->has[m] |= v->type == PLACE_BOOLEAN && v->size == 1;
    } else if (place_value_number(&r->walk, v, &r->number[m])) {
        r->has[m] = true;
    }
}

static enum group group_of(struct sv name)
{
    for (unsigned i = IN_COUNTRY; i < IN_COUNT; i++)
        if (sv_eq(name, group_names[i])) return (enum group)i;
    return IN_RECORD;
}

/* The members of one map; of the record's own groups also theirs. Two levels,
 * no deeper. False: damaged. */
static bool read_members(struct reading *r, const struct place_value *map,
                         enum group in)
{
    struct place_value key, v;
    size_t at = map->at;
    for (uint32_t i = 0; i < map->size; i++) {
        if (!place_value_read(&r->walk, at, &key) ||
            !place_value_read(&r->walk, key.next, &v))
            return false;
        struct sv name = place_value_text(&r->walk, &key);
        enum group group =
            v.type == PLACE_MAP && in == IN_RECORD ? group_of(name) : IN_RECORD;
        if (group && !read_members(r, &v, group)) return false;
        for (size_t k = 0; k < ARRAY_LEN(member_rows); k++)
            if (member_rows[k].in == in && sv_eq(name, member_rows[k].name))
                note(r, member_rows[k].member, &v);
        at = v.next;
        /* a map or an array that stands here, not behind a pointer */
        if (v.next == v.at && !place_value_skip(&r->walk, key.next, &at))
            return false;
    }
    return true;
}

/* Takes what the place does not know yet. */
static void take_point(struct place *out, const struct reading *r)
{
    double latitude = r->number[MEMBER_LATITUDE];
    double longitude = r->number[MEMBER_LONGITUDE];
    double radius = r->number[MEMBER_RADIUS];
    if (out->has_point || !r->has[MEMBER_LATITUDE] || !r->has[MEMBER_LONGITUDE])
        return;
    /* also refuses what is not a number */
    if (!(latitude >= -90 && latitude <= 90) ||
        !(longitude >= -180 && longitude <= 180))
        return;
    out->has_point = true;
    out->latitude = (float)latitude;
    out->longitude = (float)longitude;
    out->radius_km = PLACE_RADIUS_UNKNOWN_KM;
    if (r->has[MEMBER_RADIUS] && radius >= 1)
        out->radius_km =
            (uint16_t)(radius < RADIUS_MAX_KM ? radius : RADIUS_MAX_KM);
}

static void take(struct place *out, const struct reading *r)
{
    double asn = r->number[MEMBER_ASN];
    if (!out->country && r->has[MEMBER_COUNTRY])
        out->country = (uint16_t)r->number[MEMBER_COUNTRY];
    if (!out->asn && r->has[MEMBER_ASN] && asn >= 1 && asn <= UINT32_MAX)
        out->asn = (uint32_t)asn;
    out->anycast |= r->has[MEMBER_ANYCAST];
    take_point(out, r);
}

bool place_data_ask(const struct place_data *data, const struct ip *ip,
                    struct place *out, unsigned *bits)
{
    *out = (struct place){ 0 };
    *bits = 0;
    for (size_t i = 0; data && i < data->n; i++) {
        const struct place_file *f = &data->files[i];
        struct reading r = { .walk = { &f->data, PLACE_STEPS } };
        struct place_value map;
        size_t offset;
        unsigned of_file;
        if (place_file_find(f, ip, &offset, &of_file) &&
            place_value_read(&r.walk, offset, &map) && map.type == PLACE_MAP &&
            read_members(&r, &map, IN_RECORD))
            take(out, &r);
        if (of_file > *bits) *bits = of_file;
    }
    return out->country || out->has_point || out->asn || out->anycast;
}

bool place_data_find(const struct place_data *data, const struct ip *ip,
                     struct place *out)
{
    unsigned bits;
    return place_data_ask(data, ip, out, &bits);
}

uint64_t place_data_serial(const struct place_data *data)
{
    return data->serial;
}

/* --- editions ------------------------------------------------------------------ */

int place_data_open(const char *const *paths, size_t n, struct place_data **out,
                    struct place_why *why)
{
    static _Atomic uint64_t serials;
    *out = NULL;
    *why = (struct place_why){ 0, "more files than can be used" };
    if (n > PLACE_FILES_MAX) return ERR_TOOBIG;
    struct place_data *data = NEW(struct place_data);
    data->serial = atomic_fetch_add(&serials, 1) + 1;
    for (; data->n < n; data->n++) {
        why->file = data->n;
        int rc = place_file_open(paths[data->n], &data->files[data->n],
                                 &why->reason);
        if (rc) {
            place_data_free(&data);
            return rc;
        }
        data->paths[data->n] = mem_strdup(paths[data->n]);
    }
    *out = data;
    return 0;
}

void place_data_free(struct place_data **data)
{
    struct place_data *d = *data;
    *data = NULL;
    if (!d) return;
    for (size_t i = 0; i < d->n; i++) {
        place_file_close(&d->files[i]);
        mem_free(d->paths[i]);
    }
    mem_free(d);
}

size_t place_data_files(const struct place_data *data)
{
    return data ? data->n : 0;
}

struct place_about place_data_about(const struct place_data *data, size_t i)
{
    const struct place_file *f = &data->files[i];
    return (struct place_about){ sv_cstr(data->paths[i]), f->type, f->built_s,
                                 f->nodes };
}

static void free_retired(void *obj)
{
    struct place_data *data = obj;
    place_data_free(&data);
}

void place_root_swap(struct place_root *root, struct place_data *data)
{
    struct place_data *old = atomic_exchange(&root->data, data);
    if (old) epoch_retire(old, free_retired, NULL);
}
