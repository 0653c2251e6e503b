/* An origin that answers with anything, cut at random: each call ends exactly
 * once, and a connection is used again only after a complete answer. */
#include "http/client.h"
#include "http_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEAD = 1,
    BODY = 2, /* chunked request */
    UPGRADE = 4,
    SLOWLY = 8,
    FIN = 16,    /* the origin closes at the end */
    CANCEL = 32, /* the caller gives up at the first body byte */
    TWICE = 64,  /* a second call after the first */
};

static struct {
    struct http_pool *pool;
    struct http_origin origin;
    int listener;
    uint8_t mode;
    struct http_call *call;
    bool head_seen, tunnel, our_end;
    unsigned lasts;
} rig;

static void over(struct http_call *c)
{
    ENSURE(rig.call == c);
    rig.call = NULL;
    rig.lasts++;
}

static void on_head(struct http_call *c, const struct http_head *head)
{
    ENSURE(rig.call == c && !rig.head_seen);
    ENSURE(head->status >= 200 || head->status == 101);
    rig.head_seen = true;
    rig.tunnel = head->status == 101;
}

static size_t on_body(struct http_call *c, struct sv bytes)
{
    ENSURE(rig.call == c && rig.head_seen && bytes.n);
    if (rig.mode & CANCEL) {
        http_call_cancel(c);
        over(c);
        return 0;
    }
    return rig.mode & SLOWLY && bytes.n > 3 ? 3 : bytes.n;
}

static void on_end(struct http_call *c, const struct http_head *trailers)
{
    ENSURE(rig.head_seen && (!trailers || trailers->fields_n));
    if (!rig.tunnel || rig.our_end) over(c);
}

static void on_fail(struct http_call *c, int err, bool sent)
{
    (void)sent;
    ENSURE(err < 0 && http_call_problem(c));
    over(c);
}

static const struct http_call_ops ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_fail = on_fail,
};

static void begin(void)
{
    if (drive.r) return;
    static struct dns *dns;
    static struct workers *workers;
    drive_begin();
    struct addr at = drive_loopback();
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&at, &sa);
    rig.listener =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ENSURE(bind(rig.listener, (struct sockaddr *)&sa, n) == 0 &&
           listen(rig.listener, 16) == 0);
    ENSURE(getsockname(rig.listener, (struct sockaddr *)&sa, &n) == 0 &&
           addr_from_sockaddr((struct sockaddr *)&sa, &at));
    ENSURE(workers_new(&workers, 1, 4) == 0);
    struct dns_conf dc = { .reactor = drive.r,
                           .workers = workers,
                           .fresh_ms = 1,
                           .stale_ms = 1,
                           .max_names = 1 };
    ENSURE(dns_new(&dns, &dc) == 0);
    struct http_pool_conf conf = { .reactor = drive.r, .dns = dns };
    ENSURE(http_pool_new(&rig.pool, &conf) == 0);
    rig.origin =
        (struct http_origin){ .host = SV("127.0.0.1"), .port = at.port };
}

static void start(void)
{
    struct http_request req = {
        .method = rig.mode & HEAD ? SV("HEAD") : SV("GET"),
        .method_id = rig.mode & HEAD ? HTTP_HEAD : HTTP_GET,
        .target = SV("/"),
        .body = rig.mode & BODY ? HTTP_BODY_CHUNKED : HTTP_BODY_NONE,
        .upgrade = rig.mode & UPGRADE && !(rig.mode & BODY),
    };
    rig.head_seen = rig.tunnel = rig.our_end = false;
    rig.lasts = 0;
    ENSURE(http_call_start(rig.pool, &rig.origin, &req, &ops, NULL,
                           &rig.call) == 0);
    if (rig.mode & BODY) http_call_body(rig.call, SV("hello"), NULL);
}

static void finish_ours(void)
{
    if (!rig.call || rig.our_end) return;
    rig.our_end = true;
    struct http_call *c = rig.call;
    bool tunnel = rig.tunnel;
    uint64_t active = http_pool_stats(rig.pool)->active;
    http_call_end(c, NULL, 0);
    /* a tunnel that the origin had ended is over with our end */
    if (tunnel && http_pool_stats(rig.pool)->active < active) over(c);
}

static void drop_accepted(void)
{
    for (int fd; (fd = accept(rig.listener, NULL, NULL)) >= 0;) {
        drive_own(fd);
        close(fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[1 << 16];
    bool eof = false;
    if (size < 3 || size > 20000) return 0;
    begin();
    rig.mode = data[0];
    start();
    int fd = -1;
    for (int i = 0; fd < 0 && i < 1000; i++) {
        drive_turns(1);
        fd = accept(rig.listener, NULL, NULL);
    }
    ENSURE(fd >= 0);
    drive_own(fd);
    drive_send(fd, sv_of(data + 3, size - 3),
               (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16, out,
               sizeof out, &eof);
    for (int i = 0; i < 20; i++) {
        drive_turns(1);
        if (rig.call && rig.mode & SLOWLY) http_call_read(rig.call, true);
        if (i == 8) finish_ours();
        if (i == 10 && !rig.call && rig.mode & TWICE) {
            ENSURE(rig.lasts == 1);
            start();
            finish_ours();
        }
        if (i == 12 && rig.mode & FIN) shutdown(fd, SHUT_WR);
    }
    close(fd);
    for (int i = 0; i < 100 && (rig.call || reactor_stats(drive.r)->conns);
         i++) {
        rig.mode &= (uint8_t)~SLOWLY;
        finish_ours();
        if (rig.call) http_call_read(rig.call, true);
        drive.clock_ns += 61000000000;
        drop_accepted();
        drive_turns(2);
    }
    drop_accepted();
    ENSURE(!rig.call && rig.lasts == 1);
    ENSURE(reactor_stats(drive.r)->conns == 0);
    ENSURE(http_pool_stats(rig.pool)->active == 0);
    return 0;
}
