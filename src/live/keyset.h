/* The key sets that verify tokens: one a source (a URL, an issuer, or a text
 * of inline keys) and process, whoever names it. A set has a number; its
 * present image of prepared keys is swapped whole, so that tokens are verified
 * while another image is read.
 *
 *   control: keysets_hold ─> number ─> plan        reach: due ─> fetch
 *   reactor: keysets_view ─> jws_verify                      └─> put | failed
 *            kid not there: keysets_ask ─> WAIT ─> (fetched) ─> view again
 *
 * Readers run between epoch marks and keep only the reference over a turn. */
#ifndef LIVE_KEYSET_H
#define LIVE_KEYSET_H

#include "base/buf.h"
#include "codec/jwk.h"
#include "model/jwt.h"

struct keysets;

enum keyset_kind { KEYSET_INLINE, KEYSET_URL, KEYSET_DISCOVERY };
struct keyset_source {
    enum keyset_kind kind;
    struct sv text;            /* keys, URL, or issuer; copied */
    /* Remote sets; 0: the defaults below. cache_s bounds what the answer
     * itself allows; KEYSET_NO_GRACE: keys that left the set hold no more. */
    uint32_t cache_s, rotation_grace_s, max_stale_s;
};
enum { KEYSET_CACHE_S = 3600, KEYSET_GRACE_S = 300, KEYSET_STALE_S = 86400 };
#define KEYSET_NO_GRACE UINT32_MAX

struct keyset_image {          /* immutable */
    const struct jwk_set *now; /* as last read */
    const struct jwk_set *before; /* only keys that left and still hold; NULL */
    int64_t before_until_ms;   /* node clock; then `before` is not asked */
    uint64_t generation;       /* of the content: another set of keys has
                                  another one; never 0, never comes again */
};

struct keysets_conf {
    unsigned max;              /* sets; 0: 65536 */
    unsigned lanes;            /* of jwk_set_decode: one a verifying thread */
    /* A remote set was held first, or asked for before its time: whoever
     * fetches has something to do. Any thread, also reactors: short. */
    void (*wake)(void *ctx);
    void *ctx;
};
int keysets_new(struct keysets **out, const struct keysets_conf *conf);
void keysets_free(struct keysets **k); /* no reader is awake; reclaims */

/* --- control thread ---------------------------------------------------------- */
/* Counted; equal sources share a number (of differing times the shorter
 * holds). ERR_INVALID with *why: inline keys that cannot be used. ERR_FULL. */
int keysets_hold(struct keysets *k, const struct keyset_source *src,
                 struct keyset_ref *out, struct jwk_why *why);
void keysets_drop(struct keysets *k, struct keyset_ref ref);

/* --- reactors ----------------------------------------------------------------- */
/* NULL: nothing was ever read (or max_stale is over), or another generation. */
const struct keyset_image *keysets_view(const struct keysets *k,
                                        struct keyset_ref ref,
                                        int64_t node_ms);
/* The image viewed has no key of the name `kid`, or there is no image ("" is
 * a token without kid: only then). UNKNOWN: final, refuse it (or FAULT when
 * there is no image). WAIT: a fetch is wanted or under way, or has just ended;
 * view again in a while: bounded by KEYSET_WAIT_MS after its begin. A set is
 * fetched early at most once a minute whatever is asked; a kid that was not in
 * a fresh set is remembered for a while. Takes no lock. */
enum keyset_ask { KEYSET_UNKNOWN, KEYSET_WAIT };
enum { KEYSET_EARLY_MS = 60000, KEYSET_WAIT_MS = 5000,
       KEYSET_REMEMBER_MS = 300000 };
enum keyset_ask keysets_ask(struct keysets *k, struct keyset_ref ref,
                            struct sv kid, int64_t node_ms);

/* --- the fetcher (one thread) -----------------------------------------------------
 * Never reclaims (base/epoch.h): what it retires is freed by the control thread,
 * as the tokens' slots and blocks demand (live/token.h). */
struct keyset_due {
    struct keyset_ref ref;
    struct keyset_source source; /* text valid until the fetch is reported */
    bool early;                  /* asked for by an unknown kid */
};
/* The next set whose fetch is due, marked as under way; false: none, *next_ms
 * says when to ask again (INT64_MAX: when woken). Each set that was given must
 * be reported by one of the three below; dropped ones are ignored there. */
bool keysets_due(struct keysets *k, int64_t node_ms, struct keyset_due *out,
                 int64_t *next_ms);
/* Takes `set`; when it has the keys of the present one, that stays. fresh_s:
 * what the answer allows (bounded by the source's times), 0: says nothing. */
void keysets_put(struct keysets *k, struct keyset_ref ref,
                 struct jwk_set *set, uint32_t fresh_s, int64_t node_ms);
/* What an earlier process had of it, `age_ms` after the issuer confirmed it
 * last: it holds as long as it would have there, unless something was read
 * meanwhile. Takes `set`; the fetch goes on. */
void keysets_restore(struct keysets *k, struct keyset_ref ref,
                     struct jwk_set *set, int64_t age_ms, int64_t node_ms);
/* Asked anew, and it is the same (304, or the same bytes). */
void keysets_same(struct keysets *k, struct keyset_ref ref, uint32_t fresh_s,
                  int64_t node_ms);
/* The last good set stays; tried again with back-off. `why` is copied. */
void keysets_failed(struct keysets *k, struct keyset_ref ref,
                    const char *why, int64_t node_ms);

/* --- for the API and /metrics: any thread ---------------------------------------- */
struct keyset_status {
    unsigned keys, skipped, holders;
    int64_t fetched_ms, next_ms; /* node clock; 0: never */
    uint64_t fetches, failures, early;
    char problem[160];           /* of the last failure after the last good
                                    fetch; "" none */
};
bool keysets_status(const struct keysets *k, struct keyset_ref ref,
                    struct keyset_status *out);
/* By source; false: nobody holds it. Inline keys: by the same text. */
bool keysets_find(const struct keysets *k, enum keyset_kind kind,
                  struct sv text, struct keyset_ref *out);
/* Remote sets by number and host; of the first 256 only. */
void keysets_metrics(const struct keysets *k, int64_t node_ms,
                     struct buf *out);

#endif
