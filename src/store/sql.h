/* The driver's side of the store: prepared statements of portable SQL over one
 * connection. What stands behind `ops` is SQLite (sqlite.c); PostgreSQL can
 * stand there later. Parameters are ?1, ?2 …; all text is UTF-8.
 *
 *   struct sql *q = sql_get(db, "SELECT a FROM t WHERE b = ?1");
 *   sql_bind_int(q, 1, 7);
 *   while ((rc = sql_step(q)) == SQL_ROW) … sql_int(q, 0) …
 *   sql_done(q);
 *
 * Statements are kept by the address of their text, which must be static. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/arena.h"

struct sql_db;
struct sql;

enum { SQL_ROW = 1 }; /* of sql_step, besides 0 (done) and ERR_* */

struct sql_ops {
    void (*close)(struct sql_db *db);
    int (*exec)(struct sql_db *db, const char *script);
    struct sql *(*get)(struct sql_db *db, const char *text);
    void (*bind_int)(struct sql *q, int at, int64_t v);
    void (*bind_text)(struct sql *q, int at, struct sv s);
    void (*bind_blob)(struct sql *q, int at, struct sv s);
    void (*bind_null)(struct sql *q, int at);
    int (*step)(struct sql *q);
    int64_t (*get_int)(struct sql *q, int at);
    struct sv (*get_bytes)(struct sql *q, int at);
    bool (*is_null)(struct sql *q, int at);
    void (*done)(struct sql *q);
    uint64_t (*changes)(struct sql_db *db);
};

struct sql_db { /* first member of a driver's own */
    const struct sql_ops *ops;
    /* Of the last ERR_EXISTS: "table.column, table.column" of the constraint.
     * Of a foreign key: ERR_CONFLICT. */
    char clash[128];
    char problem[200]; /* the driver's words on the last failure */
};

struct sql { /* first member of a driver's own */
    struct sql_db *db;
};

/* ERR_NOTFOUND when absent and !create. */
int sqlite_open(struct sql_db **out, const char *path, bool create,
                char problem[256]);

static inline void sql_close(struct sql_db **db)
{
    if (*db) (*db)->ops->close(*db);
    *db = NULL;
}
static inline int sql_exec(struct sql_db *db, const char *script)
{
    return db->ops->exec(db, script);
}
static inline struct sql *sql_get(struct sql_db *db, const char *text)
{
    return db->ops->get(db, text);
}
static inline void sql_bind_int(struct sql *q, int at, int64_t v)
{
    q->db->ops->bind_int(q, at, v);
}
static inline void sql_bind_text(struct sql *q, int at, struct sv s)
{
    q->db->ops->bind_text(q, at, s);
}
static inline void sql_bind_blob(struct sql *q, int at, const void *p,
                                 size_t n)
{
    q->db->ops->bind_blob(q, at, sv_of(p, n));
}
static inline void sql_bind_null(struct sql *q, int at)
{
    q->db->ops->bind_null(q, at);
}
/* NULL for an empty view. */
static inline void sql_bind_text_or_null(struct sql *q, int at, struct sv s)
{
    if (s.n) sql_bind_text(q, at, s);
    else sql_bind_null(q, at);
}
static inline int sql_step(struct sql *q)
{
    return q->db->ops->step(q);
}
static inline int64_t sql_int(struct sql *q, int at)
{
    return q->db->ops->get_int(q, at);
}
/* Valid until the next step; empty for NULL. */
static inline struct sv sql_bytes(struct sql *q, int at)
{
    return q->db->ops->get_bytes(q, at);
}
static inline struct sv sql_dup(struct sql *q, int at, struct arena *a)
{
    return arena_dup(a, sql_bytes(q, at));
}
static inline bool sql_is_null(struct sql *q, int at)
{
    return q->db->ops->is_null(q, at);
}
static inline void sql_done(struct sql *q)
{
    q->db->ops->done(q);
}
/* Runs a statement that gives no rows, then done. */
static inline int sql_run(struct sql *q)
{
    int rc = sql_step(q);
    sql_done(q);
    return rc == SQL_ROW ? 0 : rc;
}
static inline uint64_t sql_changes(struct sql_db *db)
{
    return db->ops->changes(db);
}

#endif
