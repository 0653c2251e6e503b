/* A token at rest: one row, its hot columns apart from its own values, so that
 * ten million load by streaming (hot-path §9). The secret is nowhere; its
 * SHA-256 is sealed by the store. */
#ifndef MODEL_TOKEN_ROW_H
#define MODEL_TOKEN_ROW_H

#include "model/kind.h"

enum { TOKEN_TAGS_MAX = 5, TOKEN_START_MAX = 50 + 4 };

struct token_row {
    struct ulid id;          /* its time is createdAt */
    uint32_t slot;           /* index of all arrays in live/; unique */
    uint32_t app;            /* number of the application */
    struct id app_id;        /* read only: filled by get and list */
    bool enabled;
    int64_t revoked_ms;      /* 0: not; else a tombstone since then */
    int64_t expires_ms;      /* 0: never */
    int64_t updated_ms;
    uint64_t version;        /* ETag */
    uint8_t digest[32];      /* SHA-256 of the secret; sealed in the file */
    struct sv start;         /* prefix + first 4 characters; "" imported */
    uint8_t prefix_n;        /* how much of it is the prefix */
    struct sv body;          /* canonical own values, JSON; "" when none */
    /* drawn out of the body for the filters of lists */
    struct sv name, owner;
    struct sv tags[TOKEN_TAGS_MAX];
    uint8_t tags_n;
    /* counters as of the last checkpoint (live/counter.h) */
    int64_t used;
    uint32_t refills, last_used_s;
};

/* What start-up needs, row by row in order of slots; views until the return
 * of the callback. */
struct token_hot {
    struct ulid id;
    uint32_t slot, app;
    uint32_t primary;        /* an alias: slot of its token; else UINT32_MAX */
    bool enabled, revoked;
    int64_t expires_ms;      /* 0: never; an alias: end of its grace */
    uint8_t digest[32];
    int64_t used;
    uint32_t refills, last_used_s;
    struct sv body;          /* "" when none: then nothing of it is own */
};

#endif
