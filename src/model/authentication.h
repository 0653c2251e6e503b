/* An authentication profile as typed values (api.md §4). */
#ifndef MODEL_AUTHENTICATION_H
#define MODEL_AUTHENTICATION_H

#include "base/arena.h"
#include "model/policy.h"

enum key_type { KEY_TOKEN, KEY_JWT };
enum token_place { PLACE_BEARER, PLACE_HEADER, PLACE_QUERY, PLACE_COOKIE };

struct authentication {
    struct sv id, account_id, name;
    enum key_type key_type;
    struct sv identity_claim;   /* KEY_JWT: who is counted; "" iss and sub */
    struct policy policy;
    bool quota_of_application;  /* remainingScope: application */
    int64_t expires_s;          /* lifetime of new tokens; 0: none */
    uint32_t byte_length;       /* 16-128, default 32 */
    struct sv prefix;
    enum token_place place;
    struct sv place_name;       /* header, parameter or cookie */
    bool hide_credentials;
    bool fault_open;            /* onFault: open */
};
int authentication_decode(struct sv doc, struct arena *a,
                          struct authentication *out);

#endif
