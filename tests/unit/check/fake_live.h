/* live/ with one token and a script of answers, so that a test decides when
 * a line is contended or the store is gone. Included by one test file each. */
#ifndef CHECK_FAKE_LIVE_H
#define CHECK_FAKE_LIVE_H

#include "check/exchange.h"
#include "codec/digest.h"

static struct fake_live {
    const char *secret;         /* of the one token; NULL: none */
    struct token_view token;
    unsigned finds, views, takes, refunds;
    bool view_gone;             /* the slot has another owner by now */
    enum take take[4];          /* answers in turn, the last again and again */
    unsigned take_n;
    struct take_answer answer;
    struct take_ask asked, refunded;
    int64_t wall_ms, node_ms;
} live;

void tokens_ahead(const struct tokens *t, uint32_t app,
                  const uint8_t digest[32])
{
    (void)t;
    (void)app;
    (void)digest;
}

bool tokens_find(const struct tokens *t, uint32_t app,
                 const uint8_t digest[32], int64_t wall_ms,
                 struct token_view *out)
{
    (void)t;
    (void)wall_ms;
    live.finds++;
    if (!live.secret || app != live.token.app) return false;
    uint8_t own[SHA256_BYTES];
    sha256(sv_cstr(live.secret), own);
    if (memcmp(own, digest, sizeof own) != 0) return false;
    *out = live.token;
    return true;
}

bool tokens_view(const struct tokens *t, uint32_t slot, uint32_t tag,
                 int64_t wall_ms, struct token_view *out)
{
    (void)t;
    (void)wall_ms;
    live.views++;
    if (live.view_gone || slot != live.token.slot || tag != live.token.tag)
        return false;
    *out = live.token;
    return true;
}

enum take counters_take(struct counters *c, const struct take_ask *ask,
                        struct take_answer *out)
{
    (void)c;
    live.asked = *ask;
    unsigned i = live.takes < live.take_n ? live.takes : live.take_n - 1;
    live.takes++;
    *out = live.answer;
    return live.take_n ? live.take[i] : TAKE_TAKEN;
}

void counters_refund(struct counters *c, const struct take_ask *ask,
                     const struct take_answer *taken)
{
    (void)c;
    (void)taken;
    live.refunds++;
    live.refunded = *ask;
}

/* Nobody is counted by subject here; the real ones would bring the real
 * token table with them. */
void subjects_key(const struct subjects *s, enum subject_kind kind,
                  const struct sv *parts, size_t n,
                  uint64_t key[SUBJECT_KEY_WORDS])
{
    (void)s, (void)kind, (void)parts, (void)n;
    key[0] = key[1] = 1;
}
void subjects_expect(const struct subjects *s,
                     const uint64_t key[SUBJECT_KEY_WORDS])
{
    (void)s, (void)key;
}
enum subject_found subjects_get(struct subjects *s,
                                const uint64_t key[SUBJECT_KEY_WORDS],
                                int64_t now_ms, struct subject *out)
{
    (void)s, (void)key, (void)now_ms, (void)out;
    return SUBJECT_FULL;
}
void subjects_keep(struct subjects *s, const struct subject *who,
                   uint32_t until_s)
{
    (void)s, (void)who, (void)until_s;
}
uint32_t subject_free_s(const struct take_ask *ask,
                        const struct take_answer *taken)
{
    (void)ask, (void)taken;
    return 0;
}

static int64_t fake_wall_ms(void)
{
    return live.wall_ms;
}

static int64_t fake_node_ms(void)
{
    return live.node_ms++;
}

#endif
