/* The server key: one file, 0600, 64 hex digits; everything secret at rest is
 * sealed under what HKDF derives from it. Rotating it, drawn:
 *
 *   server.key.next written -> meta rotate = -1 -> tokens in batches, each
 *   commit moves `rotate` -> keys sealed anew, answers dropped, check value
 *   replaced, `rotate` removed, all in one commit -> .next renamed over .key
 *
 * Killed anywhere, the next opening goes on from the stage it finds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "store/schema.h"
#include "store/store_int.h"

enum { FILE_BYTES = 2 * SERVER_KEY_BYTES + 1, BATCH_ROWS = 1000 };

void server_key_derive(const struct secret *key, const char *purpose, void *out,
                       size_t n)
{
    hkdf_sha256(secret_expose(key), SV("typeauth server key"), sv_cstr(purpose),
                out, n);
}

static int say(char problem[256], const char *path, const char *what, int rc)
{
    snprintf(problem, 256, "%.150s: %s", path, what);
    return rc;
}

int server_key_read(const char *path, struct secret *out, char problem[256])
{
    char text[FILE_BYTES + 1];
    uint8_t key[SERVER_KEY_BYTES];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return say(problem, path, strerror(errno), err_from_errno(errno));
    ssize_t n = read(fd, text, sizeof text);
    bool open_to_others = fstat(fd, &st) != 0 || (st.st_mode & 077) != 0;
    close(fd);
    if (open_to_others)
        return say(problem, path, "may be read by others: chmod 600 it",
                   ERR_DENIED);
    int rc =
        n < 0
            ? ERR_IO
            : hex_decode(sv_trim(sv_of(
                             text, (size_t)n - (n > 0 && text[n - 1] == '\n'))),
                         key, sizeof key);
    if (rc == 0) secret_take_copy(out, key, sizeof key);
    mem_wipe(text, sizeof text);
    mem_wipe(key, sizeof key);
    return rc ? say(problem, path, "holds no server key (64 hex digits)",
                    ERR_CRYPTO)
              : 0;
}

/* Syncs the folder that holds `path`: the name is durable then. */
static int sync_folder(const char *path)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) ? ERR_IO : 0;
    if (fd >= 0) close(fd);
    return rc;
}

static int write_file(const char *path, const struct secret *key)
{
    char text[FILE_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return err_from_errno(errno);
    fmt_hex(text, secret_expose(key).p, SERVER_KEY_BYTES);
    text[FILE_BYTES - 1] = '\n';
    int rc =
        write(fd, text, sizeof text) == (ssize_t)sizeof text && fsync(fd) == 0
            ? 0
            : ERR_IO;
    mem_wipe(text, sizeof text);
    close(fd);
    return rc;
}

/* Whole or not at all: written aside, then linked to its name. */
int server_key_create(const char *path, struct secret *out, char problem[256])
{
    char aside[4104];
    snprintf(aside, sizeof aside, "%s.new", path);
    secret_random(out, SERVER_KEY_BYTES);
    unlink(aside); /* of a start that died */
    int rc = write_file(aside, out);
    if (rc == 0 && link(aside, path) != 0) rc = err_from_errno(errno);
    unlink(aside);
    if (rc == 0) rc = sync_folder(path);
    if (rc) secret_fini(out);
    return rc ? say(problem, path, err_text(rc), rc) : 0;
}

/* --- rotation -------------------------------------------------------------------- */

struct rotation {
    struct sql_db *db;
    struct secret old_key, new_key;
    struct sealer *from, *to;
};

static int sealers_open(struct rotation *r, const char *purpose)
{
    uint8_t sub[SEAL_KEY_BYTES];
    sealer_free(&r->from);
    sealer_free(&r->to);
    server_key_derive(&r->old_key, purpose, sub, sizeof sub);
    int rc = sealer_new(&r->from, sub);
    server_key_derive(&r->new_key, purpose, sub, sizeof sub);
    if (rc == 0) rc = sealer_new(&r->to, sub);
    mem_wipe(sub, sizeof sub);
    return rc;
}

static int meta_put(struct sql_db *db, const char *name, struct sv value)
{
    struct sql *q = sql_get(db, "INSERT INTO meta VALUES (?1, ?2)"
                                " ON CONFLICT (name) DO UPDATE"
                                " SET value = excluded.value");
    sql_bind_text(q, 1, sv_cstr(name));
    sql_bind_blob(q, 2, value.p, value.n);
    return sql_run(q);
}

/* SQL_ROW when there is a rotation under way, *at = last slot done. */
static int progress_read(struct sql_db *db, int64_t *at)
{
    struct sql *q = sql_get(db, "SELECT value FROM meta"
                                " WHERE name = 'rotate'");
    int rc = sql_step(q);
    struct sv v = rc == SQL_ROW ? sql_bytes(q, 0) : SV("");
    if (rc == SQL_ROW && v.n != sizeof *at) rc = ERR_CORRUPT;
    if (rc == SQL_ROW) memcpy(at, v.p, sizeof *at);
    sql_done(q);
    return rc;
}

static int reseal(struct rotation *r, struct sealed *sealed)
{
    uint8_t digest[SHA256_BYTES];
    int rc = open_digest(r->from, sealed, digest);
    if (rc == 0) rc = seal_digest(r->to, digest, sealed);
    mem_wipe(digest, sizeof digest);
    return rc;
}

static int tokens_batch(struct rotation *r, int64_t *at, unsigned *n)
{
    struct {
        int64_t slot;
        struct sealed sealed;
    } rows[BATCH_ROWS];
    struct sql *q = sql_get(r->db, "SELECT slot, mark, sealed FROM token"
                                   " WHERE slot > ?1 ORDER BY slot LIMIT ?2");
    sql_bind_int(q, 1, *at);
    sql_bind_int(q, 2, BATCH_ROWS);
    int rc = 0;
    for (*n = 0; *n < BATCH_ROWS && (rc = sql_step(q)) == SQL_ROW; ++*n) {
        rows[*n].slot = sql_int(q, 0);
        rc = sealed_column(q, 1, &rows[*n].sealed);
        if (rc) break;
    }
    sql_done(q);
    if (rc < 0) return rc;
    rc = 0;
    q = sql_get(r->db, "UPDATE token SET mark = ?2, sealed = ?3"
                       " WHERE slot = ?1");
    for (unsigned i = 0; rc == 0 && i < *n; i++) {
        rc = reseal(r, &rows[i].sealed);
        if (rc) break;
        sql_bind_int(q, 1, *at = rows[i].slot);
        sql_bind_blob(q, 2, rows[i].sealed.mark, SEAL_TAG_BYTES);
        sql_bind_blob(q, 3, rows[i].sealed.text, SEALED_BYTES);
        rc = sql_run(q);
    }
    return rc;
}

static int in_transaction(struct rotation *r,
                          int (*work)(struct rotation *, int64_t *, unsigned *),
                          int64_t *at, unsigned *n)
{
    int rc = sql_exec(r->db, "BEGIN IMMEDIATE");
    if (rc) return rc;
    rc = work(r, at, n);
    if (rc == 0) rc = sql_exec(r->db, "COMMIT");
    if (rc) sql_exec(r->db, "ROLLBACK");
    return rc;
}

static int tokens_step(struct rotation *r, int64_t *at, unsigned *n)
{
    int rc = tokens_batch(r, at, n);
    return rc ? rc : meta_put(r->db, "rotate", sv_of(at, sizeof *at));
}

static int key_reseal(struct rotation *r, struct sv id, struct sealed *sealed)
{
    int rc = reseal(r, sealed);
    struct sql *q = sql_get(r->db, "UPDATE management_key"
                                   " SET mark = ?2, sealed = ?3"
                                   " WHERE id = ?1");
    sql_bind_text(q, 1, id);
    sql_bind_blob(q, 2, sealed->mark, SEAL_TAG_BYTES);
    sql_bind_blob(q, 3, sealed->text, SEALED_BYTES);
    return rc ? rc : sql_run(q);
}

/* Keys one after the other in the order of their ids. */
static int keys_step(struct rotation *r)
{
    struct id id = { "" };
    struct sealed sealed;
    for (;;) {
        struct sql *q = sql_get(r->db, "SELECT id, mark, sealed"
                                       " FROM management_key WHERE id > ?1"
                                       " ORDER BY id LIMIT 1");
        struct id next = { "" };
        sql_bind_text(q, 1, id_sv(&id));
        int rc = sql_step(q);
        if (rc == SQL_ROW) rc = id_column(q, 0, &next) ? ERR_CORRUPT : rc;
        if (rc == SQL_ROW) rc = sealed_column(q, 1, &sealed) ? ERR_CORRUPT : rc;
        sql_done(q);
        if (rc != SQL_ROW) return rc;
        id = next;
        rc = key_reseal(r, id_sv(&id), &sealed);
        if (rc) return rc;
    }
}

static int last_step(struct rotation *r, int64_t *at, unsigned *n)
{
    (void)at;
    (void)n;
    uint8_t check[16];
    int rc = keys_step(r);
    if (rc == 0) rc = sealers_open(r, SEALED_PURPOSE);
    if (rc == 0) rc = sealed_rotate(r->db, r->from, r->to);
    server_key_derive(&r->new_key, "check", check, sizeof check);
    if (rc == 0) rc = meta_put(r->db, "key", sv_of(check, sizeof check));
    return rc ? rc
              : sql_exec(r->db, "DELETE FROM idempotency;"
                                "DELETE FROM meta WHERE name = 'rotate'");
}

static int rotate_all(struct rotation *r, int64_t at)
{
    unsigned n = 0;
    int rc = sealers_open(r, "token");
    do {
        if (rc == 0) rc = in_transaction(r, tokens_step, &at, &n);
    } while (rc == 0 && n == BATCH_ROWS);
    if (rc == 0) rc = sealers_open(r, "management-key");
    return rc ? rc : in_transaction(r, last_step, &at, &n);
}

static int key_is_next(struct sql_db *db, const struct secret *next)
{
    uint8_t check[16];
    server_key_derive(next, "check", check, sizeof check);
    struct sql *q = sql_get(db, "SELECT value FROM meta WHERE name = 'key'");
    int rc = sql_step(q);
    bool same =
        rc == SQL_ROW && sv_eq(sql_bytes(q, 0), sv_of(check, sizeof check));
    sql_done(q);
    return rc < 0 ? rc : same;
}

int server_key_rotate_resume(struct sql_db *db, const char *path, int lock_fd,
                             char problem[256])
{
    char next[4104];
    snprintf(next, sizeof next, "%s.next", path);
    if (access(next, F_OK) != 0) return 0;
    if (flock(lock_fd, LOCK_EX | LOCK_NB))
        return say(problem, path,
                   "its rotation waits for another process "
                   "to close the store",
                   ERR_AGAIN);
    struct rotation r = { .db = db };
    int64_t at = -1;
    int rc = server_key_read(next, &r.new_key, problem);
    int under_way = rc ? rc : progress_read(db, &at);
    if (under_way == SQL_ROW) {
        rc = server_key_read(path, &r.old_key, problem);
        if (rc == 0) rc = rotate_all(&r, at);
    } else if (rc == 0) {
        rc = under_way;
    }
    int done = rc ? rc : key_is_next(db, &r.new_key);
    if (done > 0) {
        rc = rename(next, path) ? err_from_errno(errno) : sync_folder(path);
    } else if (done == 0) {
        unlink(next); /* it died before it began */
    }
    sealer_free(&r.from);
    sealer_free(&r.to);
    secret_fini(&r.old_key);
    secret_fini(&r.new_key);
    if (flock(lock_fd, LOCK_SH | LOCK_NB) && rc == 0) rc = ERR_AGAIN;
    return rc;
}

static int rotation_begin(const struct store_conf *conf, const char *path,
                          int lock_fd, char problem[256])
{
    char file[4096], next[4104];
    struct sql_db *db = NULL;
    struct secret fresh = { 0 }, present = { 0 };
    int64_t at = -1;
    snprintf(file, sizeof file, "%s/typeauth.db", conf->dir);
    snprintf(next, sizeof next, "%s.next", path);
    int rc = sqlite_open(&db, file, false, problem);
    if (rc == 0) rc = schema_migrate(db, problem);
    if (rc == 0) rc = server_key_rotate_resume(db, path, lock_fd, problem);
    if (rc == 0) rc = server_key_read(path, &present, problem);
    if (rc == 0) {
        int same = key_is_next(db, &present);
        if (same == 0)
            rc = say(problem, path, "is not the key of this database",
                     ERR_CRYPTO);
        else if (same < 0)
            rc = same;
    }
    if (rc == 0) rc = server_key_create(next, &fresh, problem);
    if (rc == 0) rc = meta_put(db, "rotate", sv_of(&at, sizeof at));
    if (rc == 0) rc = server_key_rotate_resume(db, path, lock_fd, problem);
    sql_close(&db);
    secret_fini(&fresh);
    secret_fini(&present);
    return rc;
}

int store_rotate_server_key(const struct store_conf *conf, char problem[256])
{
    char lock[4096], key[4096];
    snprintf(lock, sizeof lock, "%s/store.lock", conf->dir);
    snprintf(key, sizeof key, "%s/server.key", conf->dir);
    problem[0] = '\0';
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) ? err_from_errno(errno) : 0;
    if (rc)
        say(problem, lock, "another process has the store open: stop it", rc);
    else
        rc = rotation_begin(conf, conf->server_key ? conf->server_key : key, fd,
                            problem);
    if (fd >= 0) close(fd);
    return rc;
}
