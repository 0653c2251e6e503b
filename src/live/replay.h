/* What may come once only: keys (of DPoP proofs) remembered until their time
 * is over, in memory of a fixed size, for all reactors together. Any thread;
 * no lock. What is remembered is never pushed out by what comes later: a full
 * place says so, and the caller cannot judge.
 *
 * A key is remembered as 47 bits of it mixed with a number of this process:
 * a wrong REPLAY_SEEN has a chance of 16 * 2^-47, and nobody can aim at it. */
#ifndef LIVE_REPLAY_H
#define LIVE_REPLAY_H

#include <stdint.h>

struct replay;

enum {
    REPLAY_KEY_BYTES = 16,
    REPLAY_SECONDS_MAX = 4096, /* from now, that something is remembered */
};
enum replay_verdict { REPLAY_FIRST, REPLAY_SEEN, REPLAY_FULL };

/* 8 bytes an entry, rounded up to a power of two; touched when used. */
struct replay *replay_new(uint32_t entries);
void replay_free(struct replay **r);
/* FIRST: from now on seen until until_s (node clock, seconds). Of two that
 * come at once one at most is FIRST. */
enum replay_verdict replay_take(struct replay *r,
                                const uint8_t key[REPLAY_KEY_BYTES],
                                int64_t now_s, int64_t until_s);

#endif
