/* The signature of what we post to webhooks. The time is inside what is
 * signed, so that a message that was seen cannot be sent again later.
 *
 *   X-Typeauth-Signature: t=<seconds since 1970>,v1=<hex>[,v1=<hex>]
 *   v1 = HMAC-SHA-256(secret, t "." body)
 *
 * A receiver compares v1 in constant time and refuses a t that is older than
 * some minutes. Two v1: the secret was rotated, either will do. */
#ifndef REACH_SIGN_H
#define REACH_SIGN_H

#include "base/sv.h"

enum { SIGN_SECRETS_MAX = 2, SIGN_TEXT_MAX = 192 };

/* The field's value, a view of `text`. */
struct sv sign_body(char text[SIGN_TEXT_MAX], int64_t wall_ms, struct sv body,
                    const struct sv *secrets, size_t secrets_n);

#endif
