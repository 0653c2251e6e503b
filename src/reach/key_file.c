#include "reach/key_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "codec/digest.h"

enum { NAME_TEXT = 2 * SHA256_BYTES };

int key_file_of(struct key_file *f, const char *dir,
                const struct keyset_source *src, bool allow_plain)
{
    uint8_t digest[SHA256_BYTES];
    char name[NAME_TEXT + 1] = "";
    struct sv kind = src->kind == KEYSET_URL ? SV("url\n") : SV("issuer\n");
    struct sv plain = allow_plain ? SV("plain\n") : SV("");
    sha256_parts((const struct sv[]){ kind, plain, src->text }, 3, digest);
    fmt_hex(name, digest, sizeof digest);
    int n = snprintf(f->path, sizeof f->path, "%s/%s", dir, name);
    return n > 0 && (size_t)n < sizeof f->path ? 0 : ERR_TOOBIG;
}

static struct timespec time_of(int64_t wall_ms)
{
    return (struct timespec){ .tv_sec = wall_ms / 1000,
                              .tv_nsec = wall_ms % 1000 * 1000000 };
}

static bool has_secret(const struct jwk_set *keys)
{
    for (unsigned i = 0; i < keys->n; i++)
        if (keys->keys[i].kty == JOSE_KTY_OCT || keys->keys[i].is_private)
            return true;
    return false;
}

static bool write_all(int fd, struct sv text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text = sv_from(text, (size_t)n);
    }
    return true;
}

int key_file_save(const struct key_file *f, struct sv text,
                  const struct jwk_set *keys, int64_t wall_ms)
{
    char next[sizeof f->path + 8];
    const struct timespec times[2] = { time_of(wall_ms), time_of(wall_ms) };
    if (has_secret(keys)) {
        unlink(f->path);
        return 0;
    }
    snprintf(next, sizeof next, "%s.next", f->path);
    int fd =
        open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return ERR_IO;
    bool good = write_all(fd, text) && !futimens(fd, times) && !fdatasync(fd);
    good = !close(fd) && good && !rename(next, f->path);
    if (!good) unlink(next);
    return good ? 0 : ERR_IO;
}

static int read_all(int fd, char *text, size_t max, size_t *n)
{
    *n = 0;
    for (;;) {
        ssize_t got = read(fd, text + *n, max - *n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ERR_IO;
        if (got == 0) return 0;
        *n += (size_t)got;
        if (*n == max) return ERR_TOOBIG;
    }
}

int key_file_load(const struct key_file *f, char **text, size_t *n,
                  int64_t *confirmed_ms)
{
    struct stat st;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    char *bytes = mem_alloc(JWK_TEXT_BYTES_MAX + 1);
    int err = fstat(fd, &st) || !S_ISREG(st.st_mode)
                  ? ERR_IO
                  : read_all(fd, bytes, JWK_TEXT_BYTES_MAX + 1, n);
    close(fd);
    if (err) {
        mem_free(bytes);
        return err;
    }
    *text = bytes;
    *confirmed_ms =
        (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return 0;
}

void key_file_confirm(const struct key_file *f, int64_t wall_ms)
{
    const struct timespec times[2] = { time_of(wall_ms), time_of(wall_ms) };
    utimensat(AT_FDCWD, f->path, times, AT_SYMLINK_NOFOLLOW);
}

void key_files_sweep(const char *dir, int64_t wall_ms)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    struct stat st;
    if (!d) return;
    while ((entry = readdir(d)))
        if (strlen(entry->d_name) >= NAME_TEXT &&
            !fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            wall_ms / 1000 - st.st_mtim.tv_sec > KEY_FILE_OLD_S)
            unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
}
