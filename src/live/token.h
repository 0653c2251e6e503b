/* The token table: digest -> record, readable without locks by any number of
 * threads (design §3, hot-path §1). One writer at a time (control thread).
 * 48 bytes a record, <= 13 an index entry; arrays never move. The owner,
 * scopes, tags … lie in a shared immutable cold block.
 *
 * Readers run between epoch_wake/epoch_turn marks and must not keep anything
 * but (slot, tag) across them. The writer's thread is the one that calls
 * epoch_reclaim (base/epoch.h): slots and shared blocks become free there. */
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
    struct sv name, owner;
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
    struct sv name, owner, metadata;
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

struct counters;
struct tokens_conf {
    uint32_t max;            /* address space reserved; default 1 << 26 */
    const char *dir;         /* metadata above 256 bytes; NULL: in memory */
    struct counters *counters; /* lines follow the slots; NULL: none */
};
int tokens_new(struct tokens **out, const struct tokens_conf *conf);
void tokens_free(struct tokens **t); /* no reader is awake; reclaims */

/* --- readers ---------------------------------------------------------------- */
/* Brings near what tokens_find will look at; then do something else first. */
void tokens_ahead(const struct tokens *t, uint32_t app,
                  const uint8_t digest[32]);
/* False: no such token in that application. Revoked ones and aliases past
 * their grace are found with TOKEN_REVOKED set. wall_ms judges the grace. */
bool tokens_find(const struct tokens *t, uint32_t app,
                 const uint8_t digest[32], int64_t wall_ms,
                 struct token_view *out);
/* For an exchange that was suspended, streams and tunnels: by the slot and tag
 * of an earlier view (never ALIAS). False: another owner's by now. */
bool tokens_view(const struct tokens *t, uint32_t slot, uint32_t tag,
                 int64_t wall_ms, struct token_view *out);
/* Blocking file read: worker threads only, awake in the epoch. ERR_NOTFOUND,
 * ERR_TOOBIG, ERR_IO. Also for metadata that is not in the file. */
int tokens_metadata_read(const struct tokens *t, uint32_t slot, uint32_t tag,
                         char *out, size_t max, size_t *n);

/* --- the writer --------------------------------------------------------------- */
/* A slot for a token, an alias or an application's shared quota, reserved in
 * the counters as well. UINT32_MAX: full (memory, slots or the disk). */
uint32_t tokens_slot_take(struct tokens *t);
/* So many in a row, the first is returned; UINT32_MAX: full. */
uint32_t tokens_slots_take(struct tokens *t, uint32_t n);
/* Usable again when the readers' turns have ended. */
void tokens_slot_give(struct tokens *t, uint32_t slot);
/* Start-up: a slot that the store names; gaps below it become free ones. Best
 * in rising order. ERR_EXISTS: claimed before. ERR_FULL. */
int tokens_slot_claim(struct tokens *t, uint32_t slot);
/* Claims the slot and puts. */
int tokens_load(struct tokens *t, const struct token_record *r);
/* Into a slot that was taken, or in the place of the same token. ERR_EXISTS:
 * the application has the digest; ERR_CONFLICT: the slot has another digest;
 * ERR_FULL, ERR_TOOBIG (metadata above 16 KiB), ERR_IO: nothing changed. */
int tokens_put(struct tokens *t, const struct token_record *r);
/* Rotation: the primary at `slot` gets a new digest; the old one lives on at
 * `alias_slot` (taken before) until grace_ends_ms; 0: it is revoked at once,
 * but still known as such. alias_slot UINT32_MAX: it is unknown at once.
 * ERR_EXISTS. A second rotation ends the first grace by tokens_revoke of the
 * first alias. */
int tokens_rotate(struct tokens *t, uint32_t slot, const uint8_t digest[32],
                  uint32_t alias_slot, int64_t grace_ends_ms);
/* Is there a record in the slot? */
bool tokens_has(const struct tokens *t, uint32_t slot);
/* An old secret of the token at `slot`, into a slot that was taken: what a
 * rotation that did not happen here left out. ERR_EXISTS, ERR_NOTFOUND. */
int tokens_alias_put(struct tokens *t, uint32_t alias_slot, uint32_t app,
                     const uint8_t digest[32], uint32_t slot,
                     int64_t grace_ends_ms);
/* The same at start-up, after its primary; claims alias_slot. */
int tokens_alias_load(struct tokens *t, uint32_t alias_slot, uint32_t app,
                      const uint8_t digest[32], uint32_t slot,
                      int64_t grace_ends_ms);
/* Start-up: all are loaded. Milliseconds: large tables get huge pages. */
void tokens_loaded(struct tokens *t);
void tokens_revoke(struct tokens *t, uint32_t slot); /* token or alias */
/* A tombstone's end; aliases before their primary. Then tokens_slot_give. */
void tokens_remove(struct tokens *t, uint32_t slot);

struct tokens_stats {
    uint64_t live; /* entries of the index: tokens and aliases */
    uint64_t index_bytes, record_bytes;
    uint64_t cold_bytes; /* with own policies */
    uint64_t cold_blocks, policies;
};
void tokens_stats(const struct tokens *t, struct tokens_stats *out);

#endif
