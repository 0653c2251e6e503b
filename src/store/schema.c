/* The schema, drawn:
 *
 *   record ──< record_tag            every noun but tokens
 *     │ ├───< record_ref >── record  auth_id … of applications
 *     │ ├─── application (num, domain)
 *     │ ├─── management_key (sealed digest, role)
 *     │ └──< document              long texts of a record, by name
 *   account_num, app_num             small numbers; outlive their records
 *                                    until the last token is purged
 *   record (application) ──< hold    what detectors hold of its callers
 *   token ──< token_tag              slot is the row's number: loading in the
 *                                    order of slots reads the file in order
 *
 * A token's sealed digest is 16 bytes of synthetic IV, which alone is the
 * unique key within an application, and 32 of text. Aliases of a rotation are
 * rows without id. */
#include "store/schema.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"

static const char version_1[] =
    "CREATE TABLE record ("
    " num INTEGER PRIMARY KEY,"
    " kind INTEGER NOT NULL,"
    " id TEXT NOT NULL UNIQUE,"
    " account TEXT NOT NULL,"
    " name TEXT,"
    " uniq TEXT,"
    " body TEXT NOT NULL,"
    " created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL,"
    " version INTEGER NOT NULL);"
    "CREATE INDEX record_list ON record (kind, account, id);"
    "CREATE UNIQUE INDEX record_key ON record (kind, account, uniq)"
    " WHERE uniq IS NOT NULL;"
    "CREATE INDEX record_name ON record (kind, account, name, id)"
    " WHERE name IS NOT NULL;"

    "CREATE TABLE record_tag ("
    " kind INTEGER NOT NULL, account TEXT NOT NULL, tag TEXT NOT NULL,"
    " id TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,"
    " PRIMARY KEY (kind, account, tag, id)) WITHOUT ROWID;"
    "CREATE INDEX record_tag_id ON record_tag (id);"

    "CREATE TABLE record_ref ("
    " id TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,"
    " field TEXT NOT NULL,"
    " target TEXT NOT NULL REFERENCES record (id),"
    " PRIMARY KEY (id, field)) WITHOUT ROWID;"
    "CREATE INDEX record_ref_target ON record_ref (target, id);"

    /* never used again: tokens being purged still carry it */
    "CREATE TABLE account_num ("
    " num INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE REFERENCES record (id) ON DELETE CASCADE);"

    /* id NULL: deleted, tokens still being purged */
    "CREATE TABLE app_num ("
    " num INTEGER PRIMARY KEY CHECK (num BETWEEN 1 AND 16777215),"
    " id TEXT UNIQUE REFERENCES record (id) ON DELETE SET NULL);"

    "CREATE TABLE application ("
    " id TEXT PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,"
    " account TEXT NOT NULL,"
    " domain TEXT NOT NULL UNIQUE,"
    " reversed TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX application_reversed ON application (reversed);"

    "CREATE TABLE management_key ("
    " id TEXT PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,"
    " account TEXT NOT NULL,"
    " role INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " mark BLOB NOT NULL UNIQUE,"
    " sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX management_key_role ON management_key (account, role);"

    "CREATE TABLE token ("
    " slot INTEGER PRIMARY KEY,"
    " id BLOB,"
    " account INTEGER NOT NULL,"
    " app INTEGER NOT NULL,"
    " enabled INTEGER NOT NULL,"
    " revoked INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " prime INTEGER," /* an alias: slot of its token */
    " mark BLOB NOT NULL,"
    " sealed BLOB NOT NULL,"
    " used INTEGER NOT NULL,"
    " refills INTEGER NOT NULL,"
    " last_used INTEGER NOT NULL,"
    " body TEXT,"
    " updated INTEGER NOT NULL,"
    " version INTEGER NOT NULL,"
    " start TEXT,"
    " prefix_n INTEGER NOT NULL,"
    " name TEXT,"
    " owner TEXT);"
    "CREATE UNIQUE INDEX token_hash ON token (app, mark);"
    "CREATE INDEX token_list ON token (account, id, revoked)"
    " WHERE id IS NOT NULL;"
    "CREATE INDEX token_app ON token (app, id)"
    " WHERE id IS NOT NULL AND revoked = 0;"
    "CREATE INDEX token_owner ON token (account, owner, id)"
    " WHERE owner IS NOT NULL AND revoked = 0;"
    "CREATE INDEX token_name ON token (account, name, id)"
    " WHERE name IS NOT NULL AND revoked = 0;"
    "CREATE INDEX token_off ON token (account, id)"
    " WHERE enabled = 0 AND id IS NOT NULL AND revoked = 0;"
    "CREATE INDEX token_alias ON token (prime) WHERE prime IS NOT NULL;"
    "CREATE INDEX token_alias_end ON token (expires)"
    " WHERE prime IS NOT NULL;"
    "CREATE INDEX token_gone ON token (revoked) WHERE revoked <> 0;"
    "CREATE INDEX token_imported ON token (app)"
    " WHERE start IS NULL AND prime IS NULL AND revoked = 0;"

    "CREATE TABLE token_tag ("
    " account INTEGER NOT NULL, tag TEXT NOT NULL, id BLOB NOT NULL,"
    " slot INTEGER NOT NULL REFERENCES token (slot) ON DELETE CASCADE,"
    " PRIMARY KEY (account, tag, id)) WITHOUT ROWID;"
    "CREATE INDEX token_tag_slot ON token_tag (slot);"

    "CREATE TABLE token_use ("
    " day INTEGER NOT NULL, token BLOB NOT NULL, code TEXT NOT NULL,"
    " n INTEGER NOT NULL,"
    " PRIMARY KEY (token, day, code)) WITHOUT ROWID;"
    "CREATE INDEX token_use_day ON token_use (day);"

    "CREATE TABLE idempotency ("
    " mark BLOB PRIMARY KEY,"
    " body BLOB NOT NULL,"
    " at INTEGER NOT NULL,"
    " answer BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX idempotency_at ON idempotency (at);"

    "CREATE TABLE audit ("
    " account TEXT NOT NULL, id BLOB NOT NULL, who TEXT NOT NULL,"
    " at INTEGER NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,"
    " origin TEXT NOT NULL, was TEXT NOT NULL, now TEXT NOT NULL,"
    " PRIMARY KEY (account, id)) WITHOUT ROWID;"
    "CREATE INDEX audit_object ON audit (account, object, id);"

    "CREATE TABLE change ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL, id TEXT NOT NULL);";

/* What detectors hold (live/hold.h): one a detector and subject. Goes with its
 * application. */
static const char version_2[] =
    "CREATE TABLE hold ("
    " id BLOB PRIMARY KEY,"
    " detector INTEGER NOT NULL, mark BLOB NOT NULL,"
    " account TEXT NOT NULL,"
    " app TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,"
    " token BLOB, subject TEXT NOT NULL,"
    " action INTEGER NOT NULL, denied INTEGER NOT NULL,"
    " opened INTEGER NOT NULL, ends INTEGER NOT NULL,"
    " evidence TEXT NOT NULL, state BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX hold_mark ON hold (detector, mark);"
    "CREATE INDEX hold_list ON hold (account, id);"
    "CREATE INDEX hold_app ON hold (app);"
    "CREATE INDEX hold_ends ON hold (ends);";

/* What is too long to be read with its record: a profile's OpenAPI text, which
 * of its operations were seen. */
static const char version_3[] =
    "CREATE TABLE document ("
    " id TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,"
    " name TEXT NOT NULL,"
    " body BLOB NOT NULL,"
    " PRIMARY KEY (id, name));";

/* What alert targets were told of and still holds; messages on their way and
 * those that were given up. They go with their target. */
static const char version_4[] =
    "CREATE TABLE alert_item ("
    " alert TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL, app TEXT NOT NULL, key TEXT NOT NULL,"
    " state INTEGER NOT NULL, told INTEGER NOT NULL,"
    " untold INTEGER NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " title TEXT NOT NULL, details TEXT NOT NULL,"
    " PRIMARY KEY (alert, kind, app, key)) WITHOUT ROWID;"
    "CREATE TABLE alert_message ("
    " id BLOB PRIMARY KEY,"
    " account TEXT NOT NULL,"
    " alert TEXT NOT NULL REFERENCES record (id) ON DELETE CASCADE,"
    " dead INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " next INTEGER NOT NULL, at INTEGER NOT NULL,"
    " problem TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX alert_message_list ON alert_message (alert, dead, id);";

static const char *const versions[] = { version_1, version_2, version_3,
                                        version_4 };

static int present_version(struct sql_db *db, int64_t *out)
{
    int rc = sql_exec(db, "CREATE TABLE IF NOT EXISTS meta ("
                          " name TEXT PRIMARY KEY,"
                          " value BLOB NOT NULL) WITHOUT ROWID;");
    *out = 0;
    if (rc) return rc;
    struct sql *q = sql_get(db, "SELECT CAST(value AS INTEGER) FROM meta"
                                " WHERE name = 'schema'");
    rc = sql_step(q);
    if (rc == SQL_ROW) *out = sql_int(q, 0);
    sql_done(q);
    return rc < 0 ? rc : 0;
}

static int step_to(struct sql_db *db, int64_t version)
{
    int rc = sql_exec(db, "BEGIN IMMEDIATE");
    int64_t present = 0;
    if (rc) return rc;
    rc = present_version(db, &present); /* another process may have been */
    if (rc == 0 && present < version) {
        rc = sql_exec(db, versions[version - 1]);
        struct sql *q = sql_get(db, "INSERT INTO meta VALUES ('schema', ?1)"
                                    " ON CONFLICT (name) DO UPDATE"
                                    " SET value = excluded.value");
        if (rc == 0) sql_bind_int(q, 1, version);
        if (rc == 0) rc = sql_run(q);
    }
    int ended = sql_exec(db, rc == 0 ? "COMMIT" : "ROLLBACK");
    return rc ? rc : ended;
}

int schema_migrate(struct sql_db *db, char problem[256])
{
    int64_t newest = (int64_t)ARRAY_LEN(versions), version = 0;
    int rc = present_version(db, &version);
    if (rc == 0 && version > newest) {
        snprintf(problem, 256,
                 "the database has version %lld, this program knows %lld: "
                 "start the newer program",
                 (long long)version, (long long)newest);
        return ERR_VERSION;
    }
    while (rc == 0 && version < newest) rc = step_to(db, ++version);
    if (rc) snprintf(problem, 256, "migration: %s", db->problem);
    return rc;
}
