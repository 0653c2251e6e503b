/* Sends a mail: one connection, one message (RFC 5321, 3207, 4954).
 *
 *   resolve ─ egress ─ connect ─ [TLS] ─ 220 ─ EHLO ─ [STARTTLS ─ TLS ─ EHLO]
 *     ─ [AUTH] ─ MAIL ─ RCPT… ─ DATA ─ text ─ 250: delivered ─ QUIT
 *
 * Certificates are verified. With `starttls` nothing is said before TLS but
 * EHLO: a server that does not offer it, or says more than one reply at a time,
 * gets neither password nor message. Credentials never go out in the clear. On
 * one reactor's thread. */
#ifndef REACH_SMTP_H
#define REACH_SMTP_H

#include "codec/smtp.h"
#include "net/dns.h"
#include "net/egress.h"
#include "net/reactor.h"
#include "net/tls.h"

enum smtp_tls { SMTP_TLS_STARTTLS, SMTP_TLS_IMPLICIT, SMTP_TLS_OFF };

struct smtp_server {
    struct sv host;
    uint16_t port;
    enum smtp_tls tls;
    struct sv user, password; /* "" none */
    struct sv from;           /* a valid address */
};

struct smtp_conf {
    struct reactor *reactor;
    struct dns *dns;
    struct tls_client *tls;
    const struct egress *egress;
    const struct smtp_server *server;
    uint32_t timeout_ms;      /* for all of it */
};

struct smtp_send;

struct smtp_ask {
    struct sv data;           /* of smtp_mail_encode; stays until done */
    const struct sv *to;      /* valid addresses; stay until done */
    size_t to_n;
    /* Exactly once, not before smtp_start returns. problem "": delivered. */
    void (*done)(void *ctx, const char *problem, unsigned code);
    void *ctx;
};
struct smtp_send *smtp_start(const struct smtp_conf *conf,
                             const struct smtp_ask *ask);
/* No callback follows. After the reactor's run, before reactor_free. */
void smtp_cancel(struct smtp_send *s);

#endif
