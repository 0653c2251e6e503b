/* What goes to an origin: our own scanner reads the rewritten head as the same
 * request, and finds each of our fields exactly as often as we wrote it. */
#include "base/ensure.h"
#include "codec/http1.h"
#include "edge/forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits limits = { 16384, 8192, 64 };
static const struct http1_limits wide = { 16384, 16384, HTTP_FIELDS_MAX };

/* A prefix that ends in '-' stands for all that begin with it. */
static bool reads_like(struct sv name, struct sv prefix)
{
    bool whole = prefix.p[prefix.n - 1] != '-';
    if (whole ? name.n != prefix.n : name.n < prefix.n) return false;
    for (size_t i = 0; i < prefix.n; i++) {
        char c = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
        if (c != ascii_lower(prefix.p[i])) return false;
    }
    return true;
}

static unsigned count(const struct http_head *h, struct sv prefix)
{
    unsigned n = 0;
    for (unsigned i = 0; i < h->fields_n; i++)
        n += reads_like(h->fields[i].name, prefix);
    return n;
}

static struct sv framing(const struct http_head *h, struct buf *text)
{
    if (h->body == HTTP_BODY_CHUNKED)
        buf_puts(text, "Transfer-Encoding: chunked\r\n");
    if (h->body == HTTP_BODY_LENGTH) {
        buf_puts(text, "Content-Length: ");
        buf_put_u64(text, h->content_length);
        buf_puts(text, "\r\n");
    }
    if (h->upgrade) buf_puts(text, "Connection: upgrade\r\n");
    return buf_sv(text);
}

static void check(const struct http_head *was, const struct forward *out)
{
    static struct http_head now;
    static char wire[64 * 1024];
    char tail[128];
    struct buf line, end;
    struct http1_refusal why;
    size_t searched = 0;
    buf_init_fixed(&line, wire, sizeof wire / 2);
    buf_put(&line, was->method_text);
    buf_putc(&line, ' ');
    buf_put(&line, out->target);
    buf_puts(&line, " HTTP/1.1");
    buf_init_fixed(&end, tail, sizeof tail);
    struct sv framed = framing(was, &end);
    ENSURE(!line.overflow && !end.overflow);
    size_t n = http1_head_size(buf_sv(&line), out->fields, out->n, framed);
    if (n > wide.head_bytes || out->target.n > wide.target_bytes) return;
    char *head = wire + sizeof wire / 2;
    http1_head_encode(head, buf_sv(&line), out->fields, out->n, framed);
    ENSURE(http1_request_scan(sv_of(head, n), &searched, &wide, &now, &why) ==
           (int)n);
    ENSURE(now.method == was->method && now.body == was->body &&
           now.content_length == was->content_length &&
           now.upgrade == was->upgrade);
    ENSURE(count(&now, SV("X-Typeauth-")) == 2);
    ENSURE(count(&now, SV("X-Forwarded-For")) == 1);
    ENSURE(count(&now, SV("X-Forwarded-Proto")) == 1);
    ENSURE(count(&now, SV("X-Forwarded-Host")) <= 1);
    ENSURE(count(&now, SV("X-Request-Id")) == 1);
    ENSURE(sv_eq(now.host, SV("origin")));
}

static void forward(const struct http_head *h, const struct authentication *a,
                    bool trusted)
{
    static char memory[FORWARD_TEXT_MAX];
    static struct forward out;
    struct buf text;
    struct address address = { .known = true, .peer_trusted = trusted };
    address.peer.b[15] = 1;
    struct forward_facts facts = {
        .address = &address,
        .request_id = SV("id"),
        .via = SV("1.1 us"),
        .host = SV("origin"),
        .base = SV("/b"),
        .app_id = SV("app"),
        .token_id = SV("tok"),
        .hide = a,
    };
    buf_init_fixed(&text, memory, sizeof memory);
    ENSURE(forward_request(h, &facts, &text, &out) == 0);
    ENSURE(out.n <= FORWARD_FIELDS_MAX);
    check(h, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct authentication places[] = {
        { .place = PLACE_BEARER },
        { .place = PLACE_HEADER, .place_name = { "X-Key", 5 } },
        { .place = PLACE_QUERY, .place_name = { "key", 3 } },
        { .place = PLACE_COOKIE, .place_name = { "key", 3 } },
    };
    static struct http_head head;
    struct http1_refusal why;
    size_t searched = 0;
    if (http1_request_scan(sv_of(data, size), &searched, &limits, &head,
                           &why) <= 0)
        return 0;
    forward(&head, NULL, false);
    for (unsigned i = 0; i < ARRAY_LEN(places); i++)
        forward(&head, &places[i], i & 1);
    return 0;
}
