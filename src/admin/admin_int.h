/* The control plane's own memory. Control thread, but for what is atomic. */
#ifndef ADMIN_ADMIN_INT_H
#define ADMIN_ADMIN_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "admin/admin.h"
#include "admin/alerting.h"
#include "admin/assertion.h"
#include "admin/auth_limit.h"
#include "admin/key_ring.h"

enum {
    CALL_ARENA_BYTES = 256 << 20, /* ceiling of one call: an import of 16 MiB */
};

struct admin {
    struct admin_conf conf;
    struct arena texts;          /* of conf */
    struct key_ring *keys;
    struct auth_limit *failures;
    struct buf openapi;          /* made once */
    _Atomic uint64_t committed;  /* newest row of the feed here */
    _Atomic bool loaded;
    _Atomic bool diverged;       /* a committed change is not in force here */
    uint64_t diverged_above;     /* … among the feed's rows above this one */
    _Atomic int store_fault;     /* last write's ERR_IO, ERR_FULL …; 0: fine */
    struct background *background;
    struct coverage_set *coverage;
    struct alerting *alerting;
    struct assertion_keys assertion; /* as in the store */
};

#endif
