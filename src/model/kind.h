/* The nouns of the API, their id prefixes, and the roles of those who may
 * touch them (api.md §1). Ids are a prefix and a ULID: "app_01JD…". */
#ifndef MODEL_KIND_H
#define MODEL_KIND_H

#include "base/buf.h"
#include "codec/ulid.h"

/* name, prefix, noun in paths, field of an application that names one */
#define KIND_LIST(X)                                                        \
    X(ACCOUNT, "acc_", "accounts", NULL)                                    \
    X(APPLICATION, "app_", "applications", NULL)                            \
    X(TOKEN, "tok_", "token", NULL)                                         \
    X(AUTHENTICATION, "auth_", "authentication", "auth_id")                 \
    X(JWT, "jwt_", "jwt", NULL)                                             \
    X(JWK, "jwk_", "jwk", NULL)                                             \
    X(SECURITY, "sec_", "security", "security_id")                          \
    X(ABUSE, "abuse_", "abuse", "abuse_id")                                 \
    X(ROUTING, "route_", "routing", "routing_id")                           \
    X(SCHEMA, "schema_", "schema", "schema_id")                             \
    X(LLM, "llm_", "llmcache", "llmcache_id")                               \
    X(TAG, "tag_", "tag", NULL)                                             \
    X(MONITOR, "mon_", "monitor", NULL)                                     \
    X(MANAGEMENT_KEY, "key_", "management-key", NULL)                       \
    X(ALERT, "alert_", "alert", NULL)                                       \
    X(EVENT, "evt_", "events", NULL)                                        \
    X(CHALLENGE, "chal_", "challenge", NULL)                                \
    X(DELIVERY, "dlv_", "dead-letters", NULL)

/* Numbers are stored: append only. */
enum kind {
    KIND_NONE,
#define X(name, prefix, noun, field) KIND_##name,
    KIND_LIST(X)
#undef X
    KIND_COUNT
};

enum { ID_TEXT_MAX = 7 + ULID_TEXT }; /* without NUL */

/* An id as text, with NUL; "" is none. */
struct id {
    char text[ID_TEXT_MAX + 1];
};

static inline struct sv id_sv(const struct id *id)
{
    return sv_cstr(id->text);
}
const char *kind_prefix(enum kind kind); /* "app_" */
const char *kind_noun(enum kind kind);   /* "applications" */
struct id id_make(enum kind kind, const struct ulid *u);
/* Member of an object (codec/json.h). */
void json_put_id(struct buf *b, const char *name, enum kind kind,
                 const struct ulid *u);
/* ERR_INVALID: not an id of that kind. `out` may be NULL. */
int id_parse(enum kind kind, struct sv text, struct ulid *out);
/* The kind whose prefix it has and whose ULID parses, or KIND_NONE. */
enum kind id_kind(struct sv text);

/* In rising order: who may what, a row says "least role". ROOT is the
 * server's, above all accounts. */
enum role {
    ROLE_VERIFIER,
    ROLE_VIEWER,
    ROLE_EDITOR,
    ROLE_ADMIN,
    ROLE_OWNER,
    ROLE_ROOT,
    ROLE_COUNT
};
const char *role_name(enum role role); /* "editor" */
/* The five that an account's key can have; false for "root" and others. */
bool role_parse(struct sv text, enum role *out);

#endif
