/* Merging the lists of disposable domains. What a list says and what was made
 * of it stays in the file as its note: package, version, licence, how many
 * domains, how many of them nobody may refuse. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/rand.h"
#include "codec/json.h"
#include "codec/rfc3339.h"
#include "main/data.h"
#include "main/process.h"

enum { LIST_BYTES_MAX = 64 << 20, ARENA_BYTES = 512 << 20 };

const struct data_package data_mail_packages[MAIL_SOURCES_MAX] = {
    { .name = "disposable-domains", .file = "index.json" },
    { .name = "@dahoom/disposable-email", .file = "domains.json" },
    { .name = "disposable-email-domains-js",
      .file = "dist/dict/disposable_email_blocklist.json" },
};

struct merge {
    const char *modules;
    struct arena arena; /* of one list */
    struct mail_build *build;
    struct buf note;
};

static int says(const char *path, const char *why)
{
    fprintf(stderr, "typeauth: %s: %s\n", path, why);
    return -1;
}

int data_file_read(const char *path, size_t max, struct arena *a,
                   struct sv *out)
{
    struct stat st;
    FILE *f = fopen(path, "re");
    if (!f) return says(path, strerror(errno));
    char *p = NULL;
    int rc = 0;
    if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode))
        rc = says(path, "not a file");
    else if ((size_t)st.st_size > max)
        rc = says(path, "larger than expected");
    else if (!(p = arena_alloc(a, (size_t)st.st_size + 1)))
        rc = says(path, "no memory");
    else if (fread(p, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        rc = says(path, "could not be read");
    fclose(f);
    if (rc == 0) *out = sv_of(p, (size_t)st.st_size);
    return rc;
}

static int json_read(struct merge *m, const char *package, const char *file,
                     yyjson_val **root)
{
    const char *path =
        arena_printf(&m->arena, "%s/%s/%s", m->modules, package, file).p;
    struct json_why why = { .reason = "no memory" };
    struct sv text;
    yyjson_doc *doc;
    if (!path) return says(package, "no memory");
    if (data_file_read(path, LIST_BYTES_MAX, &m->arena, &text)) return -1;
    if (json_decode(text, &m->arena, &doc, &why)) return says(path, why.reason);
    *root = yyjson_doc_get_root(doc);
    return 0;
}

struct counts {
    size_t domains, malformed, public;
};

static void domains_add(struct merge *m, yyjson_val *list, unsigned source,
                        struct counts *c)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, max, v)
    {
        int rc = mail_build_add(m->build, json_text(v), source);
        c->domains += rc == 0;
        c->malformed += rc == ERR_INVALID;
        c->public += rc == ERR_DENIED;
    }
}

static void note_add(struct merge *m, const char *package, yyjson_val *about,
                     const struct counts *c)
{
    struct sv version = json_text(json_find(about, "version"));
    struct sv licence = json_text(json_find(about, "license"));
    json_put_name(&m->note, "package");
    json_put_text(&m->note, sv_cstr(package));
    json_put_name(&m->note, "version");
    json_put_text(&m->note, version.p ? version : SV(""));
    json_put_name(&m->note, "licence");
    json_put_text(&m->note, licence.p ? licence : SV(""));
    json_put_name(&m->note, "domains");
    buf_put_u64(&m->note, c->domains);
    printf("%s %.*s (%.*s): %zu domains", package, SV_FMT(version),
           SV_FMT(licence), c->domains);
    if (c->malformed + c->public)
        printf("; not taken: %zu malformed, %zu public suffixes", c->malformed,
               c->public);
    printf("\n");
}

static int source_add(struct merge *m, unsigned i)
{
    const struct data_package *p = &data_mail_packages[i];
    struct counts c = { 0 };
    yyjson_val *list, *about;
    arena_init(&m->arena, ARENA_BYTES, NULL, 0);
    int rc = json_read(m, p->name, "package.json", &about);
    if (rc == 0) rc = json_read(m, p->name, p->file, &list);
    if (rc == 0) {
        domains_add(m, list, 1u << i, &c);
        if (c.domains == 0) rc = says(p->name, "its list has no domains");
    }
    if (rc == 0) {
        buf_puts(&m->note, i ? ",{" : "{");
        note_add(m, p->name, about, &c);
        buf_putc(&m->note, '}');
    }
    arena_fini(&m->arena);
    return rc;
}

static int encode(struct merge *m, struct buf *out)
{
    uint64_t key[2];
    size_t conflicts = 0;
    struct mail_list list;
    rand_bytes(key, sizeof key);
    int rc =
        mail_build_encode(m->build, key, buf_sv(&m->note), out, &conflicts);
    if (rc == 0) rc = mail_list_view(buf_sv(out), &list);
    if (rc) return says("the merged list", err_text(rc));
    printf("merged: %llu domains, %.1f bytes each; %llu providers are never "
           "refused, of which the\nlists named %zu\n",
           (unsigned long long)list.domains_n,
           (double)out->n / (double)(list.domains_n + list.allowed_n),
           (unsigned long long)list.allowed_n, conflicts);
    return 0;
}

int data_mail_build(const char *modules, struct buf *out)
{
    struct merge m = { .modules = modules, .build = mail_build_new() };
    char made[RFC3339_TEXT];
    int rc = 0;
    rfc3339_encode(made, clock_wall_ms());
    buf_init(&m.note, MAIL_NOTE_BYTES_MAX);
    buf_puts(&m.note, "{\"made\":");
    json_put_text(&m.note, sv_of(made, sizeof made));
    buf_puts(&m.note, ",\"sources\":[");
    for (unsigned i = 0; rc == 0 && i < MAIL_SOURCES_MAX; i++)
        rc = source_add(&m, i);
    buf_puts(&m.note, "]}");
    for (size_t i = 0; mail_providers[i]; i++)
        mail_build_add(m.build, sv_cstr(mail_providers[i]), MAIL_ALLOWED);
    if (rc == 0 && m.note.overflow) rc = says("the note", "too long");
    if (rc == 0) rc = encode(&m, out);
    buf_fini(&m.note);
    mail_build_free(&m.build);
    return rc;
}
