/* The image of our signing keys, swapped whole: see signing.h. */
#include "live/signing.h"

#include <stdatomic.h>

#include "base/ensure.h"
#include "base/epoch.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "codec/digest.h"

enum { JWKS_BYTES_MAX = 16 * 1024, ETAG_BYTES = 8 };

struct image {
    struct signing_image view; /* first: signing_view's pointer */
    struct jws_signer *signers[SIGNING_KEYS_MAX];
    unsigned n;
    struct buf jwks;
    char etag[2 * ETAG_BYTES + 2];
};

struct signing {
    unsigned lanes;
    struct image *_Atomic image;
};

static void image_free(void *p)
{
    struct image *i = p;
    for (unsigned k = 0; k < i->n; k++) jws_signer_free(&i->signers[k]);
    buf_fini(&i->jwks);
    mem_free(i);
}

static void etag_make(struct image *i)
{
    uint8_t digest[SHA256_BYTES];
    sha256(i->view.jwks, digest);
    i->etag[0] = i->etag[sizeof i->etag - 1] = '"';
    fmt_hex(i->etag + 1, digest, ETAG_BYTES);
    i->view.etag = sv_of(i->etag, sizeof i->etag);
}

static int image_new(const struct signing_key *keys, unsigned n, unsigned lanes,
                     struct image **out)
{
    struct image *i = NEW(struct image);
    int err = 0;
    ENSURE(n <= SIGNING_KEYS_MAX);
    buf_init(&i->jwks, JWKS_BYTES_MAX);
    buf_puts(&i->jwks, "{\"keys\":[");
    for (unsigned k = 0; k < n && !err; k++) {
        err = jws_signer_new(&i->signers[k], keys[k].alg, keys[k].seed, lanes);
        if (err) break;
        i->n++;
        if (k) buf_putc(&i->jwks, ',');
        buf_put(&i->jwks, jws_signer_jwk(i->signers[k]));
        if (keys[k].use != SIGNING_NOW) continue;
        if (keys[k].alg == JOSE_ES256)
            i->view.es256 = i->signers[k];
        else
            i->view.eddsa = i->signers[k];
    }
    buf_puts(&i->jwks, "]}");
    if (!err && i->jwks.overflow) err = ERR_NOMEM;
    if (err) {
        image_free(i);
        return err;
    }
    i->view.jwks = buf_sv(&i->jwks);
    etag_make(i);
    *out = i;
    return 0;
}

void signing_new(struct signing **out, unsigned lanes)
{
    struct signing *s = NEW(struct signing);
    struct image *empty;
    s->lanes = lanes;
    ENSURE(image_new(NULL, 0, lanes, &empty) == 0);
    atomic_init(&s->image, empty);
    *out = s;
}

void signing_free(struct signing **at)
{
    if (!*at) return;
    epoch_reclaim();
    image_free(atomic_load(&(*at)->image));
    mem_free(*at);
    *at = NULL;
}

int signing_put(struct signing *s, const struct signing_key *keys, unsigned n)
{
    struct image *fresh;
    int err = image_new(keys, n, s->lanes, &fresh);
    if (err) return err;
    epoch_retire(atomic_exchange(&s->image, fresh), image_free, NULL);
    return 0;
}

const struct signing_image *signing_view(const struct signing *s)
{
    return &atomic_load(&s->image)->view;
}
