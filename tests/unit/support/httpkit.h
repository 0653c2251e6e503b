/* What tests of http/ share: raw sockets against a reactor in the same thread,
 * whose clock the tests move. */
#ifndef SUPPORT_HTTPKIT_H
#define SUPPORT_HTTPKIT_H

#include "netkit.h"

struct wire { /* the raw end of a connection */
    int fd;
    bool closed; /* EOF or reset was read */
    size_t n;
    char got[1 << 20];
};

/* Turns of the reactor until ok(ctx), at most 10000: false then. */
bool pump(struct kit *k, bool (*ok)(void *ctx), void *ctx);
void pump_turns(struct kit *k, unsigned turns);
/* Lets `ms` pass in steps, with turns in between. */
void pump_ms(struct kit *k, uint32_t ms);
/* Stops the reactor and closes what is left. */
void kit_stop(struct kit *k);

void wire_dial(struct wire *w, const struct addr *to);
void wire_take(struct wire *w, int fd); /* an accepted one */
void wire_send(struct wire *w, const char *text);
void wire_send_n(struct kit *k, struct wire *w, const void *p, size_t n);
void wire_fini(struct wire *w);
/* Until the text has come, and nothing else; Date fields are cut out first.
 * Then it is forgotten. */
void wire_expect(struct kit *k, struct wire *w, const char *text);
/* Until n more bytes have come, which stay in got. */
void wire_expect_n(struct kit *k, struct wire *w, size_t n);
void wire_expect_closed(struct kit *k, struct wire *w);
void wire_expect_silence(struct kit *k, struct wire *w);

/* A listening socket of the test's own. */
int origin_listen(struct addr *at);
void origin_accept(struct kit *k, int listener, struct wire *w);

#endif
