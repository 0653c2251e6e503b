/* The documents of JWT profiles and key sets, and what they mean for traffic:
 * their secrets apart, and the sources of their keys. Control thread.
 *
 *   stored:  record (everybody may see it)  +  sealed row of the same id:
 *            introspection.clientSecret, challengeWebhook.secret (of abuse
 *            profiles), and k of each oct key
 *   opened:  both together, for patches and for holding keys */
#ifndef ADMIN_JWT_KEYS_H
#define ADMIN_JWT_KEYS_H

#include "admin/call.h"
#include "live/keyset.h"

/* Takes the secrets out of a canonical document into the record's sealed row,
 * in the open transaction. */
bool secrets_take(struct call *c, const struct record *r, yyjson_mut_doc *doc);
/* The object as it is shown, and its secrets. */
int record_open(struct admin *a, const struct record *r, struct arena *arena,
                yyjson_mut_doc **out);
/* For struct noun: the present document of a patch. */
yyjson_val *record_opened(struct call *c, const struct record *r);
/* Oct keys that a body names without k, as a GET showed them, keep theirs. */
bool keys_complete(struct call *c, const struct record *before);

/* The source of a key set's keys. */
int key_set_source(struct admin *a, const struct record *r,
                   struct arena *arena, struct keyset_source *out);

/* What an application's image needs of its JWT profile. */
struct jwt_source {
    struct sv profile;      /* the record's body without keys */
    struct sv secret;       /* of introspection */
    struct keyset_source sets[JWT_KEYSETS_MAX];
    unsigned sets_n;
};
int jwt_source_read(struct admin *a, struct sv account_id, struct sv jwt_id,
                    struct arena *arena, struct jwt_source *out);

/* All or none. ERR_INVALID with *why, ERR_FULL. */
int keysets_hold_all(struct admin *a, const struct jwt_source *src,
                     struct plan_source *plan, struct jwk_why *why);
void keysets_drop_all(struct admin *a, const struct keyset_ref *refs,
                      unsigned n);

#endif
