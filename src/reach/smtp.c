#include "reach/smtp.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

enum { COMMAND_MAX = 2048, PROBLEM_MAX = 160, QUEUE_PART = 16 * 1024 };

enum state {
    RESOLVING,
    CONNECTING,
    GREETING,
    HELLO,
    STARTING_TLS,
    SECURING,
    SECURE_HELLO,
    AUTH,
    AUTH_USER,
    AUTH_PASSWORD,
    MAIL,
    RCPT,
    DATA,
    TEXT,
    OVER
};

struct smtp_send {
    struct smtp_conf conf;
    struct smtp_ask ask;
    enum state state;
    struct conn *conn;  /* NULL: none */
    bool resolving;     /* the resolver will call */
    bool told, dropped; /* done was called; or nobody waits for it */
    struct timer deadline, step;
    struct smtp_reply reply;
    size_t recipient;
    struct sv rest; /* of the text */
    unsigned code;
    char problem[PROBLEM_MAX];
};

/* --- the end ------------------------------------------------------------------------ */

static void send_free(struct smtp_send *s)
{
    timer_cancel(s->conf.reactor, &s->deadline);
    timer_cancel(s->conf.reactor, &s->step);
    mem_wipe(&s->reply, sizeof s->reply);
    mem_free(s);
}

/* The caller hears of it when nothing calls us any more. */
static void maybe_end(struct smtp_send *s)
{
    if (s->state != OVER || s->conn || s->resolving) return;
    if (!s->dropped) s->ask.done(s->ask.ctx, s->problem, s->code);
    send_free(s);
}

static void on_step_end(struct timer *t)
{
    maybe_end(CONTAINER_OF(t, struct smtp_send, step));
}

static void over(struct smtp_send *s, const char *problem)
{
    if (s->state == OVER) return;
    s->state = OVER;
    snprintf(s->problem, sizeof s->problem, "%s", problem);
    if (s->conn) { /* on_closed ends it */
        if (problem[0])
            conn_close(s->conn);
        else
            conn_finish(s->conn);
        return;
    }
    s->step.fire = on_step_end;
    timer_arm(s->conf.reactor, &s->step, 0);
}

static void refused(struct smtp_send *s, const char *what)
{
    char problem[PROBLEM_MAX];
    s->code = s->reply.code;
    snprintf(problem, sizeof problem, "%s: %u %.100s", what, s->reply.code,
             s->reply.text);
    over(s, problem);
}

static void on_deadline(struct timer *t)
{
    struct smtp_send *s = CONTAINER_OF(t, struct smtp_send, deadline);
    if (s->state != OVER)
        over(s, "no end within the time allowed");
    else if (s->conn)
        conn_close(s->conn); /* it does not hang up */
}

/* --- saying -------------------------------------------------------------------------- */

static void say(struct smtp_send *s, enum state then, struct sv text)
{
    s->state = then;
    if (conn_write(s->conn, text)) over(s, "no memory");
}

static void say_line(struct smtp_send *s, enum state then, const char *fmt,
                     struct sv word)
{
    char line[COMMAND_MAX];
    int n = snprintf(line, sizeof line, fmt, SV_FMT(word));
    ENSURE(n > 0 && (size_t)n < sizeof line); /* addresses are bounded */
    say(s, then, sv_of(line, (size_t)n));
}

static void say_hello(struct smtp_send *s, enum state then)
{
    struct sv from = s->conf.server->from;
    say_line(s, then, "EHLO %.*s\r\n", sv_from(from, sv_rfind(from, '@') + 1));
}

static void say_mail(struct smtp_send *s)
{
    say_line(s, MAIL, "MAIL FROM:<%.*s>\r\n", s->conf.server->from);
}

static void say_secret(struct smtp_send *s, enum state then, const char *before,
                       bool plain, struct sv bytes)
{
    char line[COMMAND_MAX];
    struct buf b;
    buf_init_fixed(&b, line, sizeof line);
    buf_puts(&b, before);
    if (plain)
        smtp_put_plain(&b, s->conf.server->user, s->conf.server->password);
    else
        smtp_put_base64(&b, bytes);
    buf_puts(&b, "\r\n");
    if (b.overflow)
        over(s, "user or password is too long");
    else
        say(s, then, buf_sv(&b));
    mem_wipe(line, sizeof line);
}

static void say_auth(struct smtp_send *s)
{
    if (!s->conf.server->user.n)
        say_mail(s);
    else if (!tls_is(s->conn))
        over(s, "a password is not sent without TLS");
    else if (s->reply.offers & SMTP_AUTH_PLAIN)
        say_secret(s, AUTH, "AUTH PLAIN ", true, SV(""));
    else if (s->reply.offers & SMTP_AUTH_LOGIN)
        say(s, AUTH_USER, SV("AUTH LOGIN\r\n"));
    else
        over(s, "the server offers neither AUTH PLAIN nor LOGIN");
}

/* As much as the connection should hold. */
static void say_text(struct smtp_send *s)
{
    while (s->state == TEXT && s->rest.n && conn_queued(s->conn) < CONN_HIGH) {
        struct sv part = sv_first(s->rest, QUEUE_PART);
        s->rest = sv_from(s->rest, part.n);
        say(s, TEXT, part);
    }
}

/* --- STARTTLS ------------------------------------------------------------------------- */

/* Outside of the connection's callback: what was read is used up. */
static void on_secure(struct timer *t)
{
    struct smtp_send *s = CONTAINER_OF(t, struct smtp_send, step);
    if (s->state != SECURING || !s->conn) return;
    if (conn_queued(s->conn))
        over(s, "the server answered before it was asked");
    else if (tls_connect(s->conn, s->conf.tls, s->conf.server->host, true))
        over(s, "TLS cannot begin");
}

static void secure(struct smtp_send *s)
{
    s->state = SECURING;
    s->step.fire = on_secure;
    timer_arm(s->conf.reactor, &s->step, 0);
}

/* --- hearing -------------------------------------------------------------------------- */

static void hello(struct smtp_send *s)
{
    if (s->state == SECURE_HELLO || s->conf.server->tls != SMTP_TLS_STARTTLS)
        say_auth(s);
    else if (s->reply.offers & SMTP_STARTTLS)
        say(s, STARTING_TLS, SV("STARTTLS\r\n"));
    else
        over(s, "the server does not offer STARTTLS");
}

static void recipient(struct smtp_send *s)
{
    if (s->recipient < s->ask.to_n)
        say_line(s, RCPT, "RCPT TO:<%.*s>\r\n", s->ask.to[s->recipient++]);
    else
        say(s, DATA, SV("DATA\r\n"));
}

static void delivered(struct smtp_send *s)
{
    s->code = s->reply.code;
    conn_write(s->conn, SV("QUIT\r\n"));
    over(s, "");
}

static const struct {
    unsigned expected; /* the code, or its first digit */
    const char *what;
} steps[] = {
    [GREETING] = { 220, "greeting" },
    [HELLO] = { 250, "EHLO" },
    [STARTING_TLS] = { 220, "STARTTLS" },
    [SECURE_HELLO] = { 250, "EHLO" },
    [AUTH] = { 235, "AUTH" },
    [AUTH_USER] = { 334, "AUTH LOGIN" },
    [AUTH_PASSWORD] = { 334, "AUTH LOGIN" },
    [MAIL] = { 2, "MAIL FROM" },
    [RCPT] = { 2, "RCPT TO" },
    [DATA] = { 354, "DATA" },
    [TEXT] = { 2, "the message" },
};

static void heard(struct smtp_send *s)
{
    unsigned code = s->reply.code, expected = steps[s->state].expected;
    if (code != expected && code / 100 != expected) {
        refused(s, steps[s->state].what);
        return;
    }
    switch (s->state) {
    case GREETING: say_hello(s, HELLO); break;
    case HELLO:
    case SECURE_HELLO: hello(s); break;
    case STARTING_TLS: secure(s); break;
    case AUTH: say_mail(s); break;
    case AUTH_USER:
        say_secret(s, AUTH_PASSWORD, "", false, s->conf.server->user);
        break;
    case AUTH_PASSWORD:
        say_secret(s, AUTH, "", false, s->conf.server->password);
        break;
    case MAIL:
    case RCPT: recipient(s); break;
    case DATA:
        s->state = TEXT;
        s->rest = s->ask.data;
        say_text(s);
        break;
    case TEXT: delivered(s); break;
    default: break;
    }
}

static size_t on_bytes(struct conn *c, struct sv in)
{
    struct smtp_send *s = conn_ctx(c);
    size_t used = 0;
    if (s->state == OVER) return in.n;
    bool asked = s->state >= GREETING && s->state != SECURING &&
                 !(s->state == TEXT && s->rest.n);
    int rc = asked ? smtp_reply_read(&s->reply, in, &used) : ERR_PROTOCOL;
    /* one reply at a time: what comes behind it was put there by somebody */
    if (rc < 0 || (rc && used != in.n)) {
        over(s, rc == ERR_TOOBIG ? "the server's reply is too long"
                                 : "the server broke the protocol");
    } else if (rc) {
        heard(s);
        s->reply = (struct smtp_reply){ 0 };
    }
    return in.n;
}

static void on_open(struct conn *c)
{
    struct smtp_send *s = conn_ctx(c);
    if (s->state == CONNECTING) s->state = GREETING;
    if (s->state == SECURING) say_hello(s, SECURE_HELLO);
}

static void on_room(struct conn *c)
{
    say_text(conn_ctx(c));
}

static void on_closed(struct conn *c, int err)
{
    struct smtp_send *s = conn_ctx(c);
    const char *tls = tls_failure(c);
    if (s->state != OVER) {
        s->conn = NULL;
        over(s, tls ? tls : err ? err_text(err) : "the server hung up");
        return;
    }
    s->conn = NULL;
    maybe_end(s);
}

static const struct conn_ops conn_ops = {
    .on_open = on_open,
    .on_bytes = on_bytes,
    .on_room = on_room,
    .on_closed = on_closed,
};

/* --- beginning ------------------------------------------------------------------------ */

static void dial(struct smtp_send *s, const struct addr *to)
{
    const char *why = egress_refuses(s->conf.egress, to);
    if (why) {
        over(s, why);
        return;
    }
    int err = conn_connect(s->conf.reactor, to, &conn_ops, s, &s->conn);
    if (err) {
        s->conn = NULL;
        over(s, err_text(err));
        return;
    }
    s->state = CONNECTING;
    conn_deadline(s->conn, DEADLINE_CONNECT, s->conf.timeout_ms);
    if (s->conf.server->tls == SMTP_TLS_IMPLICIT &&
        tls_connect(s->conn, s->conf.tls, s->conf.server->host, true))
        over(s, "TLS cannot begin");
}

static void on_resolved(void *ctx, const struct dns_answer *a)
{
    struct smtp_send *s = ctx;
    s->resolving = false;
    if (s->state == OVER)
        maybe_end(s);
    else if (a->err || !a->n)
        over(s, "the name could not be resolved");
    else
        dial(s, &a->addrs[0]);
}

static void on_begin(struct timer *t)
{
    struct smtp_send *s = CONTAINER_OF(t, struct smtp_send, step);
    s->resolving = true;
    dns_resolve(s->conf.dns, s->conf.server->host, s->conf.server->port,
                on_resolved, s);
}

struct smtp_send *smtp_start(const struct smtp_conf *conf,
                             const struct smtp_ask *ask)
{
    struct smtp_send *s = NEW(struct smtp_send);
    s->conf = *conf;
    s->ask = *ask;
    s->deadline.fire = on_deadline;
    timer_arm(conf->reactor, &s->deadline, conf->timeout_ms);
    s->step.fire = on_begin;
    timer_arm(conf->reactor, &s->step, 0);
    return s;
}

void smtp_cancel(struct smtp_send *s)
{
    s->dropped = true;
    s->state = OVER;
    if (s->conn)
        conn_close(s->conn);
    else if (!s->resolving)
        send_free(s);
}
