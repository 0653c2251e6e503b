/* Domains and slugs. Domains are kept reversed as well: what lies under a
 * wildcard is then one range of an index. */
#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/host.h"
#include "store/store_int.h"

static struct sv reverse(struct sv s, char out[HOST_TEXT_MAX])
{
    ENSURE(s.n <= HOST_TEXT_MAX);
    for (size_t i = 0; i < s.n; i++) out[i] = s.p[s.n - 1 - i];
    return sv_of(out, s.n);
}

static int account_of(struct store *s, struct sv app_id, struct id *out)
{
    struct sql *q = sql_get(s->db, "SELECT account FROM record WHERE id = ?1"
                                   " AND kind = ?2");
    sql_bind_text(q, 1, app_id);
    sql_bind_int(q, 2, KIND_APPLICATION);
    int rc = sql_step(q);
    if (rc == SQL_ROW)
        rc = id_column(q, 0, out);
    else if (rc == 0)
        rc = ERR_NOTFOUND;
    sql_done(q);
    return rc;
}

/* SQL_ROW when another account has this very domain. */
static int other_has(struct store *s, struct sv domain, struct sv account)
{
    struct sql *q = sql_get(s->db, "SELECT 1 FROM application"
                                   " WHERE domain = ?1 AND account <> ?2");
    sql_bind_text(q, 1, domain);
    sql_bind_text(q, 2, account);
    int rc = sql_step(q);
    sql_done(q);
    return rc;
}

/* Is the name (or wildcard) under another account's wildcard? */
static int under_other(struct store *s, struct sv domain, struct sv account)
{
    char wildcard[HOST_TEXT_MAX + 2];
    struct sv rest = domain;
    sv_cut(rest, '.', &rest);
    while (rest.p && rest.n) {
        int n = snprintf(wildcard, sizeof wildcard, "*.%.*s", SV_FMT(rest));
        int rc = other_has(s, sv_of(wildcard, (size_t)n), account);
        if (rc) return rc;
        sv_cut(rest, '.', &rest);
    }
    return 0;
}

/* Is there another account's name under the wildcard? "*.a.b" reversed is
 * "b.a.*"; names under it begin with "b.a." and end before "b.a/". */
static int over_other(struct store *s, struct sv wildcard, struct sv account)
{
    char from[HOST_TEXT_MAX], to[HOST_TEXT_MAX];
    struct sv low = reverse(sv_from(wildcard, 1), from);
    memcpy(to, low.p, low.n);
    to[low.n - 1] = '.' + 1;
    struct sql *q = sql_get(s->db, "SELECT 1 FROM application WHERE"
                                   " reversed > ?1 AND reversed < ?2"
                                   " AND account <> ?3 LIMIT 1");
    sql_bind_text(q, 1, low);
    sql_bind_text(q, 2, sv_of(to, low.n));
    sql_bind_text(q, 3, account);
    int rc = sql_step(q);
    sql_done(q);
    return rc;
}

int store_domain_set(struct store *s, struct sv app_id, struct sv domain)
{
    char reversed[HOST_TEXT_MAX];
    struct id account;
    store_need_transaction(s);
    int rc = account_of(s, app_id, &account);
    if (rc) return rc;
    rc = under_other(s, domain, id_sv(&account));
    if (rc == 0 && sv_starts(domain, SV("*.")))
        rc = over_other(s, domain, id_sv(&account));
    if (rc == SQL_ROW) {
        s->clash = CLASH_DOMAIN;
        return ERR_EXISTS;
    }
    if (rc) return rc;
    struct sql *q = sql_get(s->db, "INSERT INTO application"
                                   " VALUES (?1, ?2, ?3, ?4)"
                                   " ON CONFLICT (id) DO UPDATE SET"
                                   " domain = excluded.domain,"
                                   " reversed = excluded.reversed");
    sql_bind_text(q, 1, app_id);
    sql_bind_text(q, 2, id_sv(&account));
    sql_bind_text(q, 3, domain);
    sql_bind_text(q, 4, reverse(domain, reversed));
    return store_run(s, q);
}

int store_domain_make(struct store *s, struct sv slug, struct sv base,
                      struct arena *a, struct sv *out)
{
    for (unsigned n = 1;; n++) {
        *out = arena_printf(a, "api%u-%.*s-proxy.%.*s", n, SV_FMT(slug),
                            SV_FMT(base));
        if (!out->p) return ERR_NOMEM;
        if (out->n > HOST_TEXT_MAX) return ERR_INVALID;
        struct sql *q = sql_get(s->db, "SELECT 1 FROM application"
                                       " WHERE domain = ?1");
        sql_bind_text(q, 1, *out);
        int rc = sql_step(q);
        sql_done(q);
        if (rc != SQL_ROW) return rc;
    }
}

int store_domain_find(struct store *s, struct sv domain, struct id *app_out,
                      struct id *account_out)
{
    struct sql *q = sql_get(s->db, "SELECT id, account FROM application"
                                   " WHERE domain = ?1");
    sql_bind_text(q, 1, domain);
    int rc = sql_step(q);
    if (rc == SQL_ROW) {
        rc = id_column(q, 0, app_out);
        if (rc == 0) rc = id_column(q, 1, account_out);
    } else if (rc == 0) {
        rc = ERR_NOTFOUND;
    }
    sql_done(q);
    return rc;
}

static int id_found(struct sql *q, struct id *out)
{
    int rc = sql_step(q);
    if (rc == SQL_ROW)
        rc = id_column(q, 0, out);
    else if (rc == 0)
        rc = ERR_NOTFOUND;
    sql_done(q);
    return rc;
}

int store_app_find(struct store *s, uint32_t num, struct id *out)
{
    struct sql *q = sql_get(s->db, "SELECT id FROM app_num WHERE num = ?1"
                                   " AND id IS NOT NULL");
    sql_bind_int(q, 1, num);
    return id_found(q, out);
}

int store_slug_find(struct store *s, struct sv slug, struct id *account_out)
{
    struct sql *q = sql_get(s->db, "SELECT id FROM record WHERE kind = ?1"
                                   " AND account = '' AND uniq = ?2");
    sql_bind_int(q, 1, KIND_ACCOUNT);
    sql_bind_text(q, 2, slug);
    return id_found(q, account_out);
}
