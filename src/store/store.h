/* Records at rest: the port (api.md §1, design §3). Behind it shared SQL over
 * a small driver interface (store/sql.h); SQLite is the driver inside, WAL,
 * synchronous=FULL: what commit acknowledged survives kill -9 and a power
 * failure.
 *
 * ONE THREAD at a time (the control thread); it may change hands at start.
 * Nothing here suspends; a call takes microseconds, a commit one fsync.
 *
 *   store_begin -> reads and writes -> store_commit | store_rollback
 *
 * Every write, and every id, needs an open transaction (ENSUREd). Reads work
 * with and without one. Views in results point into the arena given and live
 * as long as it does.
 *
 * Failures, where nothing else is said: ERR_IO (disk), ERR_FULL, ERR_CORRUPT,
 * ERR_NOMEM (arena over), ERR_AGAIN (another process holds the file longer
 * than 5 s). After any of them inside a transaction: roll back. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "live/alert_group.h"
#include "live/hold.h"
#include "model/record.h"
#include "model/token_row.h"

struct store;

struct store_conf {
    const char *dir;        /* DATA, 0700; must exist */
    const char *server_key; /* file; NULL: dir/server.key */
    bool create;            /* make database and server key when absent */
};
/* ERR_NOTFOUND: no database there and !create. ERR_VERSION: written by a
 * newer program. ERR_CRYPTO: this server key is not the one that sealed this
 * database. ERR_DENIED: the key file is readable by others. `problem` says
 * what to do. Runs the migrations that are missing. */
int store_open(struct store **out, const struct store_conf *conf,
               char problem[256]);
void store_close(struct store **s); /* rolls an open transaction back */

int store_begin(struct store *s); /* takes the writer's lock at once */
/* ERR_UNSURE never with SQLite; a failed commit has been rolled back. */
int store_commit(struct store *s);
void store_rollback(struct store *s); /* without an open one: nothing */
bool store_in_transaction(const struct store *s);

/* Strictly above every id ever made here, whatever the clock does. */
struct ulid store_ulid(struct store *s, int64_t wall_ms);

/* What ERR_EXISTS was about, of the last write. */
enum store_clash {
    CLASH_NONE,
    CLASH_KEY,    /* record.unique: application name, slug, tag name */
    CLASH_DOMAIN, /* equal, or under another account's wildcard, or over
                     another account's name */
    CLASH_HASH,   /* token digest within its application */
    CLASH_ID,     /* id or slot: a broken promise of the caller */
};
enum store_clash store_clash(const struct store *s);

/* --- meta: small values of the program ------------------------------------ */
int store_meta_get(struct store *s, const char *name, struct arena *a,
                   struct sv *out); /* ERR_NOTFOUND */
int store_meta_set(struct store *s, const char *name, struct sv value);
/* The same for secrets: sealed under the server key, and sealed anew when that
 * is rotated. 1-64 KiB. get: ERR_CORRUPT when it does not open; wipe the
 * arena's memory after use. */
int store_sealed_get(struct store *s, const char *name, struct arena *a,
                     struct sv *out);
int store_sealed_set(struct store *s, const char *name, struct sv plain);

/* --- records ---------------------------------------------------------------- */
/* Reads fill everything but tags and refs; inserts and updates write them as
 * record_fill (model/record.h) drew them, so call it before either.
 * account_id: every read is bounded to an account; another's ids are
 * ERR_NOTFOUND. For accounts themselves (and root keys) it is "". */
int store_record_get(struct store *s, enum kind kind, struct sv account_id,
                     struct sv id, struct arena *a, struct record *out);
/* version must be 1; for applications r->num is set. ERR_EXISTS. The account
 * must exist (ERR_NOTFOUND), and so must every ref (ERR_CONFLICT). */
int store_record_insert(struct store *s, struct record *r);
/* Writes version r->version + 1 over r->version and raises it in *r.
 * ERR_CONFLICT: the stored version is another (412) or a ref is gone;
 * ERR_NOTFOUND. */
int store_record_update(struct store *s, struct record *r);
/* Its sealed value (store_sealed_set by its id) goes with it.
 * ERR_CONFLICT: another record names it (see store_referrers), or an account
 * that still owns records. Deleting an application frees name and domain at
 * once; its number and tokens go by store_token_purge_app. */
int store_record_delete(struct store *s, enum kind kind,
                        struct sv account_id, struct sv id);
int store_record_count(struct store *s, enum kind kind, struct sv account_id,
                       uint64_t *out);
/* Every record of a kind in all accounts, oldest first: start-up. Views end
 * with the callback, which must not call the store. fn != 0 stops and is
 * returned. */
typedef int store_record_fn(void *ctx, const struct record *r);
int store_record_each(struct store *s, enum kind kind, store_record_fn *fn,
                      void *ctx);
/* Ids of those that name `id` in a ref field (any kind), at most max. */
int store_referrers(struct store *s, struct sv id, struct arena *a,
                    struct sv *ids, unsigned max, unsigned *n);

/* --- long texts beside records -------------------------------------------------
 * Of up to 64 MiB each, by the record's id and a name: read when they are
 * wanted, never with the record; they go with it. */
int store_document_get(struct store *s, struct sv id, const char *name,
                       struct arena *a, struct sv *out); /* ERR_NOTFOUND */
/* ERR_NOTFOUND: no such record. */
int store_document_set(struct store *s, struct sv id, const char *name,
                       struct sv text);

/* --- lists: newest first ----------------------------------------------------- */
struct store_page {
    struct sv after;    /* starting_after: only older than this id; or "" */
    struct sv before;   /* ending_before: only newer; at most one of them */
    uint32_t limit;     /* 1-1000; fewer when their texts come to 16 MiB */
};
/* A cursor is a place, not a row: a deleted id works, and what is inserted
 * meanwhile is newer than every cursor, so it neither repeats nor hides a row.
 * The caller has checked its form by id_parse. */
struct store_filter {
    struct sv name;     /* p NULL: any */
    struct sv tag;      /* whole tag text: "production", "environment:eu" */
    /* tokens only */
    struct sv app_id, owner;
    int8_t enabled;     /* -1 any, 0, 1 */
};
#define STORE_FILTER_ANY ((struct store_filter){ .enabled = -1 })
struct store_records {
    struct record *rows; /* in the arena, newest first */
    uint32_t n;
    bool has_more;       /* further in the direction of the cursor */
};
int store_record_list(struct store *s, enum kind kind, struct sv account_id,
                      const struct store_filter *f,
                      const struct store_page *page, struct arena *a,
                      struct store_records *out);

/* How many applications and live tokens of the account bear the tag. */
int store_tag_count(struct store *s, struct sv account_id, struct sv tag,
                    uint64_t *applications, uint64_t *tokens);

/* --- applications -------------------------------------------------------------- */
/* The domain is a column beside the record: set it after the insert and at
 * each change. Our form (codec/host.h), or "*.example.com". ERR_EXISTS with
 * CLASH_DOMAIN. */
int store_domain_set(struct store *s, struct sv app_id, struct sv domain);
/* "api{n}-{slug}-proxy.{base}", n the smallest free number. The label stays
 * within 63 characters (slug <= 40). */
int store_domain_make(struct store *s, struct sv slug, struct sv base,
                      struct arena *a, struct sv *out);
/* Application of a domain, exactly. ERR_NOTFOUND. */
int store_domain_find(struct store *s, struct sv domain, struct id *app_out,
                      struct id *account_out);
/* Id of an application by its number. ERR_NOTFOUND. */
int store_app_find(struct store *s, uint32_t num, struct id *out);
/* Id of an account by its slug. */
int store_slug_find(struct store *s, struct sv slug, struct id *account_out);

/* --- tokens --------------------------------------------------------------------- */
/* All or none (the caller rolls back): ERR_EXISTS with CLASH_HASH and
 * *failed_at = index of the row, also for two equal ones in the batch. */
int store_token_insert(struct store *s, struct sv account_id,
                       const struct token_row *rows, size_t n,
                       size_t *failed_at);
/* Tombstones only when `revoked`, and then only they. The digest is opened. */
int store_token_get(struct store *s, struct sv account_id,
                    const struct ulid *id, bool revoked, struct arena *a,
                    struct token_row *out);
/* All but id, slot, app, digest, start and counters; as store_record_update.
 * Never touches a tombstone (ERR_NOTFOUND). */
int store_token_update(struct store *s, struct token_row *row);
struct store_tokens {
    struct token_row *rows; /* digests are not opened: zeros */
    uint32_t n;
    bool has_more;
};
int store_token_list(struct store *s, struct sv account_id,
                     const struct store_filter *f,
                     const struct store_page *page, struct arena *a,
                     struct store_tokens *out);
/* Makes it a tombstone; its aliases stay as they are. ERR_NOTFOUND. */
int store_token_revoke(struct store *s, uint32_t slot, int64_t wall_ms);
/* New secret; the old one becomes an alias at alias_slot until grace_ends_ms
 * (now: at once, still known as revoked). An older alias of this token whose
 * grace lasts ends now. Sets digest, start, prefix_n, version, updated_ms of
 * *row from new values in it. ERR_EXISTS CLASH_HASH, ERR_CONFLICT. */
int store_token_rotate(struct store *s, struct token_row *row,
                       uint32_t alias_slot, int64_t grace_ends_ms,
                       int64_t wall_ms);
/* Its aliases: slots, for live/. At most max. */
int store_token_aliases(struct store *s, uint32_t slot, uint32_t *slots,
                        unsigned max, unsigned *n);
/* Has the application tokens of another form (imported)? */
int store_token_imported(struct store *s, uint32_t app, bool *out);

/* All rows in rising order of slots, aliases among them, tombstones too.
 * One million in <= 1 s: SQLite is read on a helper thread, the digests are
 * opened and fn is called on the caller's. No transaction may be open. */
typedef int store_token_fn(void *ctx, const struct token_hot *t);
int store_token_load(struct store *s, store_token_fn *fn, void *ctx);

/* One token as the load gives it, tombstone or not: rows[0], then its aliases,
 * the latest end of grace first, at most max in all. ERR_NOTFOUND. */
int store_token_hot(struct store *s, const struct ulid *id, struct arena *a,
                    struct token_hot *rows, unsigned max, unsigned *n);

/* In the background, at most max rows a call, each in a transaction of the
 * caller; fn gets every slot that was freed (give it back in live/ after the
 * commit and a grace). *n < max: done for now. */
typedef void store_slot_fn(void *ctx, uint32_t slot);
/* Tombstones, and aliases whose grace ended, older than `before_ms`. */
int store_token_purge_old(struct store *s, int64_t before_ms, unsigned max,
                          store_slot_fn *fn, void *ctx, unsigned *n);
/* Tokens of deleted applications; the application's number is free again when
 * its last is gone. */
int store_token_purge_app(struct store *s, unsigned max, store_slot_fn *fn,
                          void *ctx, unsigned *n);

struct token_use { /* checkpoint of counters; a row of another tag is left */
    uint32_t slot, tag;
    int64_t used;
    uint32_t refills, last_used_s;
};
int store_token_use_save(struct store *s, const struct token_use *uses,
                         size_t n);

/* Outcomes a token, day and code: bounded by pruning. Days since 1970 UTC. */
struct use_row {
    struct ulid token;
    uint32_t day;
    struct sv code; /* "passed", "rate_limited", … <= 40 */
    uint64_t count;
};
int store_use_add(struct store *s, const struct use_row *rows, size_t n);
/* A token's rows from day to day, both included, oldest first. */
int store_use_list(struct store *s, const struct ulid *token,
                   uint32_t from_day, uint32_t to_day, struct arena *a,
                   struct use_row **rows, size_t *n);
/* Deletes at most max rows of days before `day`, oldest first. */
int store_use_prune(struct store *s, uint32_t day, unsigned max, unsigned *n);

/* --- management keys ------------------------------------------------------------- */
/* A record of KIND_MANAGEMENT_KEY, and beside it what authentication needs;
 * the digest is sealed. Root keys: account_id "". */
struct management_key {
    struct id id, account_id;
    enum role role;
    int64_t expires_ms;     /* 0: never */
    uint8_t digest[32];     /* SHA-256 of the secret */
};
/* After store_record_insert of the same id. */
int store_key_insert(struct store *s, const struct management_key *k);
/* After store_record_update. */
int store_key_update(struct store *s, struct sv id, enum role role,
                     int64_t expires_ms);
/* By digest; expiry is the caller's to judge. ERR_NOTFOUND. */
int store_key_find(struct store *s, const uint8_t digest[32],
                   struct management_key *out);
/* Every key with its digest opened: for a table in memory. */
typedef int store_key_fn(void *ctx, const struct management_key *k);
int store_key_each(struct store *s, store_key_fn *fn, void *ctx);
/* Keys of that role in the account that hold at wall_ms. */
int store_key_count(struct store *s, struct sv account_id, enum role role,
                    int64_t wall_ms, uint64_t *out);

/* --- idempotency (api.md §1) --------------------------------------------------------- */
enum { IDEMPOTENCY_KEPT_MS = 24 * 3600 * 1000 };
/* scope: account, method and path, joined by '\n'. ERR_NOTFOUND: first time
 * (or older than 24 h); ERR_CONFLICT: another body; 0: *answer is what was
 * put. */
int store_idempotency_find(struct store *s, struct sv scope, struct sv key,
                           const uint8_t body_hash[32], int64_t wall_ms,
                           struct arena *a, struct sv *answer);
/* In the creating transaction. */
int store_idempotency_put(struct store *s, struct sv scope, struct sv key,
                          const uint8_t body_hash[32], int64_t wall_ms,
                          struct sv answer);
int store_idempotency_prune(struct store *s, int64_t wall_ms, unsigned max,
                            unsigned *n);

/* --- audit and change feed --------------------------------------------------------------- */
struct audit_entry {
    struct ulid id;            /* "evt_…"; made by the caller (store_ulid) */
    struct sv account_id;      /* whose log; "" the server's */
    struct sv key_id;          /* who; "" the command line */
    int64_t at_ms;
    struct sv action;          /* "token.create" */
    struct sv object_id;
    struct sv from;            /* address */
    struct sv before, after;   /* redacted JSON, or "" */
};
int store_audit_append(struct store *s, const struct audit_entry *e);
struct audit_page {
    struct audit_entry *rows;
    uint32_t n;
    bool has_more;
};
/* Cursors are "evt_" ids. object_id "" means all. */
int store_audit_list(struct store *s, struct sv account_id,
                     struct sv object_id, const struct store_page *page,
                     struct arena *a, struct audit_page *out);

/* seq rises by one a row, in order of commits; never reused. */
int store_change_append(struct store *s, enum kind kind, struct sv id,
                        uint64_t *seq_out);
typedef int store_change_fn(void *ctx, uint64_t seq, enum kind kind,
                            struct sv id);
/* Rows above seq, rising. */
int store_change_each(struct store *s, uint64_t above_seq,
                      store_change_fn *fn, void *ctx);
int store_change_last(struct store *s, uint64_t *seq);
/* Keeps the last `keep` rows. */
int store_change_prune(struct store *s, uint64_t keep);

/* --- what detectors hold (live/hold.h) --------------------------------------------------- */
/* In the place of what that detector held of that subject before.
 * ERR_CONFLICT: its application is gone. */
int store_hold_put(struct store *s, const struct hold *h);
/* Also one that has ended. */
int store_hold_get(struct store *s, struct sv account_id,
                   const struct ulid *id, struct hold *out);
int store_hold_delete(struct store *s, const struct ulid *id);
struct store_hold_filter {
    struct sv app_id, subject; /* "": any */
    const struct ulid *token;  /* NULL: any */
    int64_t now_ms;            /* those that ended before are left out */
};
struct store_holds {
    struct hold *rows; /* in the arena, newest first */
    uint32_t n;
    bool has_more;
};
/* Cursors are "chal_" ids. */
int store_hold_list(struct store *s, struct sv account_id,
                    const struct store_hold_filter *f,
                    const struct store_page *page, struct arena *a,
                    struct store_holds *out);
typedef int store_hold_fn(void *ctx, const struct hold *h);
int store_hold_each(struct store *s, store_hold_fn *fn, void *ctx);
int store_hold_prune(struct store *s, int64_t now_ms);

/* --- alerts (live/alert_group.h) -------------------------------------------------------------- */
/* What a target was told of and may be resolved; state NONE: it goes.
 * ERR_CONFLICT: the target is gone. */
int store_alert_item_put(struct store *s, struct sv alert_id,
                         enum alert_kind kind, const struct alert_item *i);
typedef void store_alert_item_fn(void *ctx, enum alert_kind kind,
                                 const struct alert_item *i);
int store_alert_item_each(struct store *s, struct sv alert_id,
                          store_alert_item_fn *fn, void *ctx);

struct alert_letter { /* a message at rest */
    struct ulid id;
    struct id account_id, alert_id;
    bool dead;             /* given up; else it is still to be delivered */
    uint32_t attempts;
    int64_t at_ms, next_ms; /* made; the next attempt, or the last one */
    struct sv problem, body;
};
/* In the place of the same one. ERR_CONFLICT: its target is gone. */
int store_letter_put(struct store *s, const struct alert_letter *l);
int store_letter_delete(struct store *s, const struct ulid *id);
/* Dead ones only. ERR_NOTFOUND. */
int store_letter_get(struct store *s, struct sv alert_id,
                     const struct ulid *id, struct arena *a,
                     struct alert_letter *out);
struct store_letters {
    struct alert_letter *rows; /* in the arena, newest first */
    uint32_t n;
    bool has_more;
};
/* Dead ones. Cursors are "dlv_" ids. */
int store_letter_list(struct store *s, struct sv alert_id,
                      const struct store_page *page, struct arena *a,
                      struct store_letters *out);
/* Those that are still to be delivered, oldest first. */
typedef void store_letter_fn(void *ctx, const struct alert_letter *l);
int store_letter_each(struct store *s, store_letter_fn *fn, void *ctx);
/* Keeps the newest `keep` dead ones of a target; *n: so many went. */
int store_letter_prune(struct store *s, struct sv alert_id, unsigned keep,
                       unsigned *n);

/* --- set-up ---------------------------------------------------------------------------------- */
struct store_owner {
    struct id account_id, key_id;
    char secret[64];           /* of the owner key, NUL; wipe after use */
};
/* One transaction of its own: an account and its owner key. */
int store_account_init(struct store *s, struct sv name, struct sv slug,
                       int64_t wall_ms, struct store_owner *out);
/* Is there any account? */
int store_has_account(struct store *s, bool *out);
/* Sub-key of the server key for another purpose ("webhook", …). */
void store_subkey(const struct store *s, const char *purpose,
                  uint8_t out[64]);
/* `typeauth key rotate-server`: no other process may have the store open
 * (ERR_AGAIN). Row by row, resumable: if it dies, the next store_open goes on.
 * Stored idempotency answers are dropped (only their clients' keys open them). */
int store_rotate_server_key(const struct store_conf *conf, char problem[256]);

#endif
