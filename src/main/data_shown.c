/* What the API tells of data files: the server's, with the licences of those
 * that we know by how they call themselves. */
#include "main/server.h"

#include <string.h>

#include "base/ensure.h"

static const struct {
    struct sv begins; /* of the file's type, or of its name */
    struct sv licence, attribution, url;
} licences[] = {
    { { "dbip", 4 },
      { "CC BY 4.0", 9 },
      { "IP Geolocation by DB-IP", 23 },
      { "https://db-ip.com", 17 } },
    { { "GeoLite2", 8 },
      { "GeoLite2 End User License Agreement", 35 },
      { "This product includes GeoLite2 data created by MaxMind", 54 },
      { "https://www.maxmind.com", 23 } },
};

static void licence_find(struct data_file *f)
{
    for (size_t i = 0; i < ARRAY_LEN(licences); i++) {
        if (!sv_starts_nocase(f->type, licences[i].begins) &&
            !sv_starts_nocase(f->name, licences[i].begins))
            continue;
        f->licence = licences[i].licence;
        f->attribution = licences[i].attribution;
        f->url = licences[i].url;
        return;
    }
}

static struct sv name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return sv_cstr(slash ? slash + 1 : path);
}

unsigned server_data_files(void *ctx, struct data_file out[DATA_FILES_MAX])
{
    struct server *s = ctx;
    struct places_file files[PLACE_FILES_MAX];
    unsigned n = places_files(s->places, files);
    for (unsigned i = 0; i < n; i++) {
        out[i] = (struct data_file){ .name = name_of(files[i].path),
                                     .kind = SV("places"),
                                     .type = files[i].type,
                                     .licence = SV(""),
                                     .attribution = SV(""),
                                     .url = SV(""),
                                     .problem = sv_cstr(files[i].problem),
                                     .built_ms = files[i].built_s * 1000 };
        licence_find(&out[i]);
    }
    return n;
}
