/* A whole client connection, its input cut at random. The service behaves as
 * the first bytes say. Whatever comes: each exchange ends exactly once, and
 * what we answer is HTTP that our own client side accepts. */
#include "http/server.h"
#include "http/wire.h"
#include "http_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    NOW = 1,    /* answer in on_request */
    READ = 2,   /* take the body */
    ECHO = 4,   /* stream it back */
    SLOWLY = 8, /* three bytes at a time */
    KEEP = 16,
    SMALL = 32, /* body_max */
    LATE = 64,  /* time passes at the end */
    HALF = 128, /* the client ends its direction at the end */
};

static struct {
    struct http_server *server;
    struct addr at;
    uint8_t mode;
    struct http_stream *open;
    bool begun;
    unsigned requests, ends, refusals;
    enum http_method methods[4096]; /* by answer */
    unsigned answers;
} rig;

static void answered(const struct http_stream *s)
{
    (void)s;
    ENSURE(rig.open == s);
    rig.open = NULL;
    rig.ends++;
}

static void begin_echo(struct http_stream *s)
{
    struct http_reply r = { .status = 200, .body = HTTP_BODY_CHUNKED };
    http_stream_head(s, &r);
    rig.begun = true;
    http_stream_read(s, true);
}

static void on_request(struct http_stream *s, const struct http_head *head)
{
    ENSURE(!rig.open);
    rig.open = s;
    rig.begun = false;
    rig.requests++;
    if (rig.answers < 4096) rig.methods[rig.answers++] = head->method;
    if (rig.mode & KEEP) http_stream_keep(s);
    if (rig.mode & SMALL) http_stream_body_max(s, 100);
    if (head->upgrade && rig.mode & ECHO) {
        struct http_reply r = { .status = 101, .body = HTTP_BODY_TUNNEL };
        http_stream_head(s, &r);
        rig.begun = true;
        http_stream_read(s, true);
        return;
    }
    if (rig.mode & READ) http_stream_read(s, true);
    if (rig.mode & NOW)
        http_stream_answer(s, &(struct http_reply){ .status = 200 }, SV("hi"));
    else if (rig.mode & ECHO)
        begin_echo(s);
}

static size_t on_body(struct http_stream *s, struct sv bytes)
{
    size_t n = rig.mode & SLOWLY && bytes.n > 3 ? 3 : bytes.n;
    ENSURE(rig.open == s && bytes.n);
    if (rig.begun) http_stream_body(s, sv_first(bytes, n), http_stream_conn(s));
    return n;
}

static void on_end(struct http_stream *s, const struct http_head *trailers)
{
    ENSURE(rig.open == s);
    if (rig.begun)
        http_stream_end(s, trailers ? trailers->fields : NULL,
                        trailers ? trailers->fields_n : 0);
}

static void on_gone(struct http_stream *s, int err)
{
    ENSURE(err < 0);
    answered(s);
}

static void on_done(struct http_stream *s)
{
    answered(s);
}

static void on_refusal(void *ctx, const struct conn *c, struct http_stream *s,
                       const struct http1_refusal *why,
                       struct http_refused *out)
{
    (void)ctx, (void)c;
    ENSURE(why->status >= 400 && why->reason && (!s || s == rig.open));
    buf_puts(&out->body, "{}");
    rig.refusals++;
    if (!s && rig.answers < 4096) rig.methods[rig.answers++] = HTTP_GET;
}

static const struct http_service service = {
    .on_request = on_request,
    .on_body = on_body,
    .on_end = on_end,
    .on_done = on_done,
    .on_gone = on_gone,
    .on_refusal = on_refusal,
};

static void begin(void)
{
    if (drive.r) return;
    drive_begin();
    struct addr any = drive_loopback();
    struct http_server_conf conf = { .service = &service };
    ENSURE(http_server_open(drive.r, &any, -1, &conf, &rig.server) == 0);
    listener_addr(http_server_listener(rig.server), &rig.at);
}

/* Every complete answer must be one that our client side would accept. */
static void check_answers(struct sv out)
{
    static struct http_head h, trailers;
    static const struct http1_limits limits = { 16384, 8192, 100 };
    for (unsigned i = 0; out.n; i++) {
        struct http1_refusal why;
        size_t searched = 0;
        int n = http1_response_scan(out, &searched, &limits,
                                    i < rig.answers ? rig.methods[i] : HTTP_GET,
                                    &h, &why);
        ENSURE(n >= 0);
        if (n == 0 || h.status == 101) return;
        out = sv_from(out, (size_t)n);
        if (h.status < 200) {
            i--;
            continue;
        }
        struct body_in b;
        struct sv data;
        body_in_init(&b, h.body, h.content_length);
        enum body_event e;
        while ((e = body_in_next(&b, &out, &data, &limits, &trailers, &why)) ==
               BODY_DATA)
            body_in_take(&b, &out, data.n);
        ENSURE(e != BODY_BAD);
        if (e != BODY_END) return;
    }
}

static void step_service(void)
{
    struct http_stream *s = rig.open;
    if (!s) return;
    if (rig.mode & SLOWLY) http_stream_read(s, true);
    struct http_stream_info info;
    http_stream_info(s, &info);
    if (!info.head_sent && !(rig.mode & NOW))
        http_stream_answer(s, &(struct http_reply){ .status = 200 },
                           SV("late"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[1 << 18];
    bool eof = false;
    if (size < 3 || size > 20000) return 0;
    begin();
    rig.mode = data[0];
    rig.requests = rig.ends = rig.refusals = rig.answers = 0;
    int fd = drive_dial(&rig.at);
    size_t n = drive_send(fd, sv_of(data + 3, size - 3),
                          (uint32_t)data[1] << 24 | (uint32_t)data[2] << 16,
                          out, sizeof out, &eof);
    for (int i = 0; i < 40 && !eof; i++) {
        step_service();
        if (i == 20 && rig.mode & HALF) shutdown(fd, SHUT_WR);
        if (i > 30 && rig.mode & LATE) drive.clock_ns += 11000000000;
        drive_turns(1);
        n = drive_receive(fd, out, n, sizeof out, &eof);
    }
    close(fd);
    rig.mode &= (uint8_t)~SLOWLY;
    if (rig.open) http_stream_read(rig.open, true);
    for (int i = 0; i < 100 && reactor_stats(drive.r)->conns; i++) {
        drive.clock_ns += 11000000000;
        drive_turns(2);
    }
    ENSURE(reactor_stats(drive.r)->conns == 0);
    ENSURE(!rig.open && rig.requests == rig.ends);
    check_answers(sv_of(out, n));
    return 0;
}
