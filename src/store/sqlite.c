/* SQLite behind store/sql.h: one connection, one thread at a time, WAL with
 * synchronous=FULL, a page cache of 4 MiB. Text and blobs are bound by
 * reference: they must live until the statement is done, and they do. */
#include <sqlite3.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/sql.h"

enum { BUSY_MS = 5000 };

struct lite {
    struct sql_db base;
    sqlite3 *db;
    struct map statements; /* address of the text -> struct lite_q */
};

struct lite_q {
    struct sql base;
    const char *text; /* the key */
    sqlite3_stmt *stmt;
    bool failed; /* to prepare: step says so */
};

static struct lite *lite_of(struct sql_db *db)
{
    return CONTAINER_OF(db, struct lite, base);
}

static struct lite_q *query_of(struct sql *q)
{
    return CONTAINER_OF(q, struct lite_q, base);
}

static int err_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE: return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ERR_AGAIN;
    case SQLITE_FULL: return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ERR_CORRUPT;
    case SQLITE_CANTOPEN: return ERR_NOTFOUND;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return ERR_DENIED;
    case SQLITE_NOMEM: return ERR_NOMEM;
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_FOREIGNKEY ? ERR_CONFLICT : ERR_EXISTS;
    default: return ERR_IO;
    }
}

/* "UNIQUE constraint failed: token.app, token.mark" */
static int fail(struct lite *l)
{
    int code = sqlite3_extended_errcode(l->db), rc = err_of(code);
    const char *text = sqlite3_errmsg(l->db), *colon = strstr(text, ": ");
    snprintf(l->base.problem, sizeof l->base.problem, "%s", text);
    if (rc != ERR_EXISTS) return rc ? rc : ERR_IO;
    if (code != SQLITE_CONSTRAINT_UNIQUE &&
        code != SQLITE_CONSTRAINT_PRIMARYKEY && code != SQLITE_CONSTRAINT_ROWID)
        return ERR_CORRUPT; /* NOT NULL, CHECK: ours to keep */
    snprintf(l->base.clash, sizeof l->base.clash, "%s",
             colon ? colon + 2 : text);
    return ERR_EXISTS;
}

static void lite_close(struct sql_db *db)
{
    struct lite *l = lite_of(db);
    struct map_entry e;
    for (size_t at = 0; map_next(&l->statements, &at, &e);) {
        struct lite_q *q = e.value;
        sqlite3_finalize(q->stmt);
        mem_free(q);
    }
    map_fini(&l->statements);
    sqlite3_close(l->db);
    mem_free(l);
}

static int lite_exec(struct sql_db *db, const char *script)
{
    struct lite *l = lite_of(db);
    return sqlite3_exec(l->db, script, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                      : fail(l);
}

static struct sql *lite_get(struct sql_db *db, const char *text)
{
    struct lite *l = lite_of(db);
    struct sv key = sv_of(&text, sizeof text);
    struct lite_q *q = map_find(&l->statements, key);
    if (q) return &q->base;
    q = NEW(struct lite_q);
    *q = (struct lite_q){ .base.db = db, .text = text };
    q->failed = sqlite3_prepare_v3(l->db, text, -1, SQLITE_PREPARE_PERSISTENT,
                                   &q->stmt, NULL) != SQLITE_OK;
    if (q->failed) fail(l);
    map_put(&l->statements, sv_of(&q->text, sizeof q->text), q);
    return &q->base;
}

static void lite_bind_int(struct sql *q, int at, int64_t v)
{
    sqlite3_bind_int64(query_of(q)->stmt, at, v);
}

static void lite_bind_text(struct sql *q, int at, struct sv s)
{
    sqlite3_bind_text64(query_of(q)->stmt, at, s.p ? s.p : "", s.n,
                        SQLITE_STATIC, SQLITE_UTF8);
}

static void lite_bind_blob(struct sql *q, int at, struct sv s)
{
    sqlite3_bind_blob64(query_of(q)->stmt, at, s.p ? s.p : "", s.n,
                        SQLITE_STATIC);
}

static void lite_bind_null(struct sql *q, int at)
{
    sqlite3_bind_null(query_of(q)->stmt, at);
}

static int lite_step(struct sql *base)
{
    struct lite_q *q = query_of(base);
    if (q->failed) return ERR_CORRUPT;
    int rc = sqlite3_step(q->stmt);
    if (rc == SQLITE_ROW) return SQL_ROW;
    return rc == SQLITE_DONE ? 0 : fail(lite_of(base->db));
}

static int64_t lite_int(struct sql *q, int at)
{
    return sqlite3_column_int64(query_of(q)->stmt, at);
}

static struct sv lite_bytes(struct sql *q, int at)
{
    sqlite3_stmt *stmt = query_of(q)->stmt;
    const void *p = sqlite3_column_blob(stmt, at);
    return sv_of(p ? p : "", p ? (size_t)sqlite3_column_bytes(stmt, at) : 0);
}

static bool lite_is_null(struct sql *q, int at)
{
    return sqlite3_column_type(query_of(q)->stmt, at) == SQLITE_NULL;
}

static void lite_done(struct sql *q)
{
    sqlite3_reset(query_of(q)->stmt);
    sqlite3_clear_bindings(query_of(q)->stmt);
}

static uint64_t lite_changes(struct sql_db *db)
{
    return (uint64_t)sqlite3_changes64(lite_of(db)->db);
}

static const struct sql_ops lite_ops = {
    lite_close,     lite_exec,      lite_get,     lite_bind_int, lite_bind_text,
    lite_bind_blob, lite_bind_null, lite_step,    lite_int,      lite_bytes,
    lite_is_null,   lite_done,      lite_changes,
};

static const char pragmas[] = "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = FULL;"
                              "PRAGMA foreign_keys = ON;"
                              "PRAGMA cache_size = -2048;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA cell_size_check = ON;"
                              "PRAGMA wal_autocheckpoint = 1000;"
                              "PRAGMA journal_size_limit = 67108864;";

int sqlite_open(struct sql_db **out, const char *path, bool create,
                char problem[256])
{
    struct lite *l = NEW(struct lite);
    l->base.ops = &lite_ops;
    *out = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE |
                (create ? SQLITE_OPEN_CREATE : 0);
    int rc =
        sqlite3_open_v2(path, &l->db, flags, NULL) == SQLITE_OK ? 0 : fail(l);
    if (rc == 0) sqlite3_busy_timeout(l->db, BUSY_MS);
    if (rc == 0) rc = lite_exec(&l->base, pragmas);
    if (rc == 0) {
        *out = &l->base;
        return 0;
    }
    snprintf(problem, 256, "%s: %s", path, l->base.problem);
    lite_close(&l->base);
    return rc;
}
