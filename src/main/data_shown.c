/* What the API tells of data files: the server's, with the licences of those
 * that we know by how they call themselves. */
#include "main/server.h"

#include <string.h>

#include "base/ensure.h"
#include "codec/text.h"

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

/* What a file says of itself may be any bytes; an answer is UTF-8. */
static struct sv shown(struct sv text)
{
    return text.p && utf8_is_valid(text) ? text : SV("");
}

static struct data_file file_of(const char *path, struct sv kind,
                                const char *problem, int64_t built_s)
{
    return (struct data_file){ .name = shown(name_of(path)),
                               .kind = kind,
                               .type = SV(""),
                               .licence = SV(""),
                               .attribution = SV(""),
                               .url = SV(""),
                               .problem = sv_cstr(problem),
                               .built_ms = built_s * 1000 };
}

/* The list of mail domains is merged out of several packages, whose names and
 * versions stand in the file (`typeauth data show`). */
unsigned server_data_files(void *ctx, struct data_file out[DATA_FILES_MAX])
{
    struct server *s = ctx;
    struct places_file places[PLACE_FILES_MAX];
    struct mail_file_about mail = mail_file_about(s->mail);
    unsigned n = places_files(s->places, places);
    for (unsigned i = 0; i < n; i++) {
        out[i] = file_of(places[i].path, SV("places"), places[i].problem,
                         places[i].built_s);
        out[i].type = shown(places[i].type);
        licence_find(&out[i]);
    }
    out[n] = file_of(mail.path, SV("mail"), mail.problem, mail.changed_s);
    return n + 1;
}
