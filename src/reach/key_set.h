/* The fetcher of key sets (live/keyset.h): takes what is due, fetches it,
 * reads the keys, reports. One a process, on the reach reactor.
 *
 *   due ─> [what is kept of it ─> restore, the first time (worker)]
 *       ─> [issuer's description] ─> keys ─> read and kept (worker) ─> put
 *                    └────────────────┴───────┴─> failed, the last good
 *                                                 keys stay
 *
 * Keys are read on a worker, one set at a time: a set of large RSA keys may
 * take seconds, which neither this thread nor name resolution may wait for. */
#ifndef REACH_KEY_SET_H
#define REACH_KEY_SET_H

#include "live/keyset.h"
#include "net/worker.h"
#include "reach/fetch.h"

struct key_sets;

struct key_sets_conf {
    struct keysets *sets;
    struct reactor *reactor;
    struct workers *workers;
    struct fetcher *fetcher;
    int64_t (*node_ms)(void), (*wall_ms)(void);
    const char *dir;     /* keeps what was fetched (reach/key_file.h); it is
                            there, and outlives this; NULL: nothing does */
    bool allow_plain;    /* http: URLs too */
    uint32_t timeout_ms; /* a fetch */
    unsigned lanes;      /* of the keys: as in keysets_conf */
};
int key_sets_new(struct key_sets **out, const struct key_sets_conf *conf);
/* Whatever is due begins. On the reactor's thread. */
void key_sets_run(struct key_sets *m);
/* No fetch begins or is reported any more; before the fetcher is freed. */
void key_sets_close(struct key_sets *m);
void key_sets_free(struct key_sets **m); /* after reactor_free */

#endif
