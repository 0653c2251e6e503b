/* OpenSSL takes any bytes as an Edwards key and finds out at each signature
 * that they are no point; and under a key of small order a forged signature
 * verifies for any message. Both are refused when the key is read.
 *
 * RFC 8032: a x^2 + y^2 = 1 + d x^2 y^2, a key is y (little-endian) and the
 * sign of x, so it is a point if x^2 = (1 - y^2) / (a - d y^2) is a square. Of
 * small order are y = 1 and -1 (orders 1, 2), y = 0 (order 4) and, with
 * cofactor 8, what doubles to y = 0: d y^4 + 2 y^2 = 1. */
#include <openssl/bn.h>

#include "base/ensure.h"
#include "codec/jose_int.h"

static const struct edwards {
    const char *p, *d; /* hexadecimal */
    long a;
} curves[JOSE_CURVE_COUNT] = {
    [JOSE_C25519] = { "7fffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                      "ffffffed",
                      "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca"
                      "135978a3",
                      -1 },
    [JOSE_C448] = { "fffffffffffffffffffffffffffffffffffffffffffffffffffffffe"
                    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                    "-98a9", /* -39081 */
                    1 },
};

struct numbers {
    BN_CTX *ctx;
    BIGNUM *p, *d, *y, *y2, *dy2, *u, *v, *t;
};

static void numbers_init(struct numbers *n, const struct edwards *curve)
{
    BIGNUM **all[] = { &n->y, &n->y2, &n->dy2, &n->u, &n->v, &n->t };
    n->p = n->d = NULL;
    n->ctx = BN_CTX_new();
    ENSURE(n->ctx && BN_hex2bn(&n->p, curve->p) && BN_hex2bn(&n->d, curve->d));
    BN_CTX_start(n->ctx);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        ENSURE((*all[i] = BN_CTX_get(n->ctx)));
}

static void numbers_fini(struct numbers *n)
{
    BN_CTX_end(n->ctx);
    BN_CTX_free(n->ctx);
    BN_free(n->p);
    BN_free(n->d);
}

/* y is below p. */
static bool is_good(struct numbers *n, long a)
{
    /* u = 1 - y^2, v = a - d y^2, t = d y^4 + 2 y^2 - 1 = y^2 (d y^2 + 2) - 1 */
    int ok = BN_mod_sqr(n->y2, n->y, n->p, n->ctx) &&
             BN_mod_mul(n->dy2, n->d, n->y2, n->p, n->ctx) &&
             BN_mod_sub(n->u, BN_value_one(), n->y2, n->p, n->ctx) &&
             BN_set_word(n->v, 1) && (BN_set_negative(n->v, a < 0), 1) &&
             BN_mod_sub(n->v, n->v, n->dy2, n->p, n->ctx) &&
             BN_copy(n->t, n->dy2) && BN_add_word(n->t, 2) &&
             BN_mod_mul(n->t, n->t, n->y2, n->p, n->ctx) &&
             BN_mod_sub(n->t, n->t, BN_value_one(), n->p, n->ctx);
    ENSURE(ok);
    bool small =
        BN_is_zero(n->y) || BN_is_zero(n->u) || (a < 0 && BN_is_zero(n->t));
    ENSURE(BN_mod_mul(n->v, n->u, n->v, n->p, n->ctx));
    return !small && BN_kronecker(n->v, n->p, n->ctx) == 1;
}

bool jwk_okp_is_good(enum jose_curve curve, struct sv x)
{
    uint8_t y[JOSE_COORDINATE_MAX];
    struct numbers n;
    ENSURE(x.n <= sizeof y && curves[curve].p);
    memcpy(y, x.p, x.n);
    y[x.n - 1] &= 0x7f; /* the sign */
    numbers_init(&n, &curves[curve]);
    ENSURE(BN_lebin2bn(y, (int)x.n, n.y));
    bool good = BN_ucmp(n.y, n.p) < 0 && is_good(&n, curves[curve].a);
    numbers_fini(&n);
    return good;
}
