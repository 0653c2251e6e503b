/* The token table: digest -> record, readable without locks by any number of
 * threads (design §3, hot-path §1). One writer at a time (control thread).
 * 48 bytes a record, <= 13 an index entry; arrays never move. The owner,
 * scopes, tags … lie in a shared immutable cold block.
 *
 * Readers run between epoch_wake/epoch_turn marks and must not keep anything
 * but (slot, tag) across them. */
#ifndef LIVE_TOKEN_H
#define LIVE_TOKEN_H

#include "base/ip.h"
#include "model/policy.h"

struct tokens;

enum token_state {       /* bits of the record's state byte */
    TOKEN_ENABLED = 1,
    TOKEN_REVOKED = 2,   /* tombstone: id and digest stay 30 days */
    TOKEN_ALIAS = 4,     /* old secret of a rotation */
};

/* Shared when equal, reference-counted by the writer, freed by epoch. Texts
 * point behind the struct. */
struct token_cold {
    struct sv owner;
    struct sv owner_header;  /* percent-encoded for X-Typeauth-Owner */
    struct sv scopes_header; /* space separated, percent-encoded */
    const struct sv *scopes;
    const struct sv *tags;
    const struct cidr *allow;
    struct sv metadata;      /* JSON text; <= 256 bytes, else empty and: */
    uint16_t scopes_n, tags_n, allow_n;
    bool metadata_in_file;   /* read it through tokens_metadata_read */
    bool has_allow;          /* an empty list refuses everybody */
};

/* What the writer gives. */
struct token_record {
    uint8_t id[16];          /* ULID bytes: 48-bit ms time, 80 random */
    uint8_t digest[32];      /* SHA-256 of the secret */
    uint32_t slot, app;      /* app: number of the application, < 2^24 */
    uint8_t state;
    int64_t expires_ms;      /* 0: never; kept in seconds, rounded up */
    const struct policy *own; /* NULL: the profile's; interned (copied) */
    struct sv owner, metadata;
    const struct sv *scopes, *tags;
    const struct cidr *allow;
    uint16_t scopes_n, tags_n, allow_n;
    bool has_allow;
};

struct token_view {          /* a consistent copy for one exchange */
    uint32_t slot, tag, app; /* tag: low 32 bits of the id */
    uint8_t state;           /* of the primary, ALIAS added when by alias */
    uint8_t id[16];
    int64_t expires_ms;      /* 0: never */
    int64_t created_ms;
    const struct policy *own;      /* valid until the epoch turns */
    const struct token_cold *cold; /* NULL: has none */
};

struct tokens_conf {
    uint32_t max;            /* address space reserved; default 1 << 26 */
    const char *dir;         /* metadata above 256 bytes */
};
int tokens_new(struct tokens **out, const struct tokens_conf *conf);
void tokens_free(struct tokens **t);

/* --- readers ---------------------------------------------------------------- */
/* False: no such token in that application. Revoked ones and aliases past
 * their grace are found with TOKEN_REVOKED set. wall_ms judges the grace. */
bool tokens_find(const struct tokens *t, uint32_t app,
                 const uint8_t digest[32], int64_t wall_ms,
                 struct token_view *out);
/* For an exchange that was suspended, streams and tunnels. */
bool tokens_view(const struct tokens *t, uint32_t slot, uint32_t tag,
                 int64_t wall_ms, struct token_view *out);
/* Blocking file read: worker threads only. */
int tokens_metadata_read(const struct tokens *t, uint32_t slot, uint32_t tag,
                         char *out, size_t max, size_t *n);

/* --- the writer --------------------------------------------------------------- */
uint32_t tokens_slot_take(struct tokens *t); /* UINT32_MAX: full */
void tokens_slot_give(struct tokens *t, uint32_t slot); /* after a grace */
/* Start-up: slots in rising order, gaps become free slots. */
int tokens_load(struct tokens *t, const struct token_record *r);
int tokens_put(struct tokens *t, const struct token_record *r); /* or replace */
/* Rotation: the primary at `slot` gets a new digest; the old one lives on at
 * `alias_slot` until grace_ends_ms (0: no alias, it is revoked at once but
 * still known as such). */
int tokens_rotate(struct tokens *t, uint32_t slot, const uint8_t digest[32],
                  uint32_t alias_slot, int64_t grace_ends_ms);
int tokens_alias_load(struct tokens *t, uint32_t alias_slot, uint32_t app,
                      const uint8_t digest[32], uint32_t slot,
                      int64_t grace_ends_ms);
void tokens_revoke(struct tokens *t, uint32_t slot);
void tokens_remove(struct tokens *t, uint32_t slot); /* tombstone's end */

struct tokens_stats {
    uint64_t live, index_bytes, record_bytes, cold_bytes, cold_blocks,
        policies;
};
void tokens_stats(const struct tokens *t, struct tokens_stats *out);

#endif
