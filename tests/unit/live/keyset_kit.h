/* JWK sets for tests of key sets, as text and decoded. */
#ifndef UNIT_LIVE_KEYSET_KIT_H
#define UNIT_LIVE_KEYSET_KIT_H

#include <stdio.h>

#include "codec/jwk.h"

/* HMAC keys whose kid and secret follow from a letter: "ab" has two. */
static inline struct sv kit_keys(char *text, size_t max, const char *letters)
{
    size_t n = (size_t)snprintf(text, max, "{\"keys\":[");
    for (const char *c = letters; *c; c++) {
        n += (size_t)snprintf(text + n, max - n,
                              "%s{\"kty\":\"oct\",\"alg\":\"HS256\","
                              "\"kid\":\"%c\",\"k\":\"",
                              c == letters ? "" : ",", *c);
        for (int i = 0; i < 43; i++) text[n++] = *c;
        text[n - 1] = 'A'; /* the last two bits are none of the secret's */
        n += (size_t)snprintf(text + n, max - n, "\"}");
    }
    n += (size_t)snprintf(text + n, max - n, "]}");
    return sv_of(text, n);
}

static inline struct jwk_set *kit_set(const char *letters)
{
    char text[8192];
    struct jwk_set *set = NULL;
    struct jwk_why why;
    if (jwk_set_decode(kit_keys(text, sizeof text, letters), 2, &set, &why))
        return NULL;
    return set;
}

#endif
