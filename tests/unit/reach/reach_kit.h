/* A fetcher on a reactor of the test's, and origins that are its sockets. */
#ifndef UNIT_REACH_KIT_H
#define UNIT_REACH_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "httpkit.h"
#include "reach/fetch.h"

struct reach_kit {
    struct kit kit;
    struct workers *workers;
    struct dns *dns;
    struct fetcher *fetcher;
    struct egress egress;
    int listener;
    struct addr at;
    struct wire wire;
};

static inline void reach_kit_open(struct reach_kit *t)
{
    kit_init(&t->kit, NULL);
    t->wire.fd = -1;
    assert_int_equal(workers_new(&t->workers, 1, 8), 0);
    struct dns_conf dns = { .reactor = t->kit.r,
                            .workers = t->workers,
                            .fresh_ms = 1000,
                            .stale_ms = 9000,
                            .max_names = 4 };
    assert_int_equal(dns_new(&t->dns, &dns), 0);
    t->egress = (struct egress){ .mode = EGRESS_OPEN };
    struct fetcher_conf conf = { .reactor = t->kit.r,
                                 .dns = t->dns,
                                 .egress = &t->egress,
                                 .active_max = 4 };
    assert_int_equal(fetcher_new(&t->fetcher, &conf), 0);
    t->listener = origin_listen(&t->at);
}

static inline void reach_kit_close(struct reach_kit *t)
{
    kit_stop(&t->kit);
    workers_free(&t->workers);
    dns_free(&t->dns);
    fetcher_free(&t->fetcher);
    kit_fini(&t->kit);
    close(t->listener);
    wire_fini(&t->wire);
}

/* What the origin is asked next, on a connection of its own; it must begin
 * with `line`. */
static inline bool request_is_there(void *ctx)
{
    struct wire *w = ctx;
    ssize_t n = read(w->fd, w->got + w->n, sizeof w->got - 1 - w->n);
    if (n > 0) w->n += (size_t)n;
    w->got[w->n] = '\0';
    return strstr(w->got, "\r\n\r\n") != NULL;
}

static inline void origin_asked(struct reach_kit *t, const char *line)
{
    wire_fini(&t->wire);
    origin_accept(&t->kit, t->listener, &t->wire);
    assert_true(pump(&t->kit, request_is_there, &t->wire));
    assert_int_equal(strncmp(t->wire.got, line, strlen(line)), 0);
}

/* Answers it, and closes. */
static inline void origin_says(struct reach_kit *t, const char *text)
{
    wire_send(&t->wire, text);
    wire_fini(&t->wire);
    pump_turns(&t->kit, 6);
}

#endif
