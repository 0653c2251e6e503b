/* What detectors keep of each subject (design §3): a table of a fixed number
 * of places for states of one size, found by a key of 128 bits; its memory is
 * taken when it is first used, and touched as subjects come.
 *
 *   set  lock | free_s 8 x 4 bytes | print 8 x 2 bytes | key 8 x 16 bytes
 *   its 8 states behind it; more of them apart
 *
 * A set is found in its first cache line and seldom needs the others: a print
 * is of the key's hash. What few requests touch (more) is not touched by
 * subjects who come once.
 *
 * A key has one set, by a hash that is the process's own: nobody can aim at
 * one. Who comes new takes an empty place, else that of the longest idle of
 * the eight, as long as nothing is held of him: keep_s says until when. If all
 * eight are held, the set is FULL for him.
 *
 * The lock of a set is held by its opener for as long as one judgement takes
 * (0.1 to 0.6 µs); whoever finds it taken spins for a few microseconds at most,
 * then it is BUSY: its owner has been taken off its core. Any thread. */
#ifndef LIVE_TRACK_H
#define LIVE_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tracks;

enum { TRACK_KEY_WORDS = 2, TRACKS_MIN = 8, TRACKS_MAX = 1 << 24 };
#define TRACK_KEPT UINT32_MAX /* keep_s: until somebody lets go */

/* more_bytes may be 0. 24 bytes a place beside the states. */
void tracks_new(struct tracks **out, uint32_t places, size_t state_bytes,
                size_t more_bytes);
void tracks_free(struct tracks **t);
/* Once a second, one thread: a table that is in use gets huge pages. */
void tracks_settle(struct tracks *t);

struct track {
    void *state;     /* zeros when the subject is new */
    void *more;      /* then as somebody else left it; NULL: there is none */
    uint32_t keep_s; /* node clock: its place is nobody else's until then; 0:
                        not held. Written back by track_close */
    bool told;       /* of what is held; written back, false when new */
    /* the table's own */
    uint32_t now_s, at;
    struct track_set *set;
};

/* Soon this key is opened: its set comes into the caches meanwhile. */
void track_expect(const struct tracks *t, const uint64_t key[TRACK_KEY_WORDS]);

enum track_found { TRACK_OPEN, TRACK_ABSENT, TRACK_FULL, TRACK_BUSY };
/* OPEN: locked, to be closed soon, by the same thread, before another one is
 * opened. ABSENT only if it is not to be made. now_s: node clock. */
enum track_found track_open(struct tracks *t,
                            const uint64_t key[TRACK_KEY_WORDS], bool make,
                            uint32_t now_s, struct track *out);
void track_close(struct track *k);

struct tracks_stats {
    uint64_t places, used; /* used: ever taken */
    uint64_t evicted, full, busy;
    uint64_t bytes;        /* reserved; touched as places are taken */
};
void tracks_stats(const struct tracks *t, struct tracks_stats *out);

#endif
