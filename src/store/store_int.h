/* What the files of the store share. */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include "base/secret.h"
#include "codec/digest.h"
#include "codec/seal.h"
#include "store/sql.h"
#include "store/store.h"

enum { SERVER_KEY_BYTES = 32, SEALED_BYTES = SHA256_BYTES };
enum { PAGE_BYTES = 16 << 20 }; /* of texts: a list ends behind them */

/* A digest at rest: `mark` (the synthetic IV) is the unique key. */
struct sealed {
    uint8_t mark[SEAL_TAG_BYTES];
    uint8_t text[SEALED_BYTES];
};

struct store {
    struct sql_db *db;
    struct secret server_key;
    struct sealer *tokens, *keys;
    uint8_t idempotency_key[32];
    struct ulid last;      /* highest ever made */
    bool in_transaction, made_ulid;
    enum store_clash clash;
    int lock_fd;
};

/* Notes the clash of ERR_EXISTS; returns rc. */
int store_note(struct store *s, int rc);
/* sql_run, noted. */
int store_run(struct store *s, struct sql *q);
void store_need_transaction(const struct store *s);

int seal_digest(struct sealer *sealer, const uint8_t digest[SHA256_BYTES],
                struct sealed *out);
int open_digest(struct sealer *sealer, const struct sealed *sealed,
                uint8_t digest[SHA256_BYTES]);
/* mark and text of two neighbouring columns; ERR_CORRUPT by their size. */
int sealed_column(struct sql *q, int at, struct sealed *out);

/* "" to copy into struct id; longer than an id is ERR_CORRUPT. */
int id_column(struct sql *q, int at, struct id *out);
int ulid_column(struct sql *q, int at, struct ulid *out);

/* Number of an account; ERR_NOTFOUND. */
int account_num(struct store *s, struct sv account_id, int64_t *out);

/* --- sealed.c: meta rows of this prefix hold sealed values ------------------ */
#define SEALED_PREFIX "sealed:"
#define SEALED_PURPOSE "sealed"
/* Opens each by `from` and seals it by `to`, in the caller's transaction. */
int sealed_rotate(struct sql_db *db, struct sealer *from, struct sealer *to);

/* --- server_key.c ------------------------------------------------------------ */
int server_key_read(const char *path, struct secret *out, char problem[256]);
int server_key_create(const char *path, struct secret *out,
                      char problem[256]);
void server_key_derive(const struct secret *key, const char *purpose,
                       void *out, size_t n);
/* A rotation that was begun goes on, under the exclusive lock; the lock is
 * shared again at the end. */
int server_key_rotate_resume(struct sql_db *db, const char *path, int lock_fd,
                             char problem[256]);

#endif
