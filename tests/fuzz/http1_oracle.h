/* llhttp as an oracle for the strict scanner: what we accept it accepts with
 * the same method, target, fields, body and end. Only tests link llhttp.
 * A disagreement aborts. Methods that llhttp does not know are shown to it as
 * GET (it has a list, we take any token). */
#ifndef FUZZ_HTTP1_ORACLE_H
#define FUZZ_HTTP1_ORACLE_H

/* Names that both define. */
#define HTTP_GET LLHTTP_GET
#define HTTP_HEAD LLHTTP_HEAD
#define HTTP_POST LLHTTP_POST
#define HTTP_PUT LLHTTP_PUT
#define HTTP_DELETE LLHTTP_DELETE
#define HTTP_PATCH LLHTTP_PATCH
#define HTTP_OPTIONS LLHTTP_OPTIONS
#define HTTP_CONNECT LLHTTP_CONNECT
#define HTTP_TRACE LLHTTP_TRACE
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_DELETE
#undef HTTP_PATCH
#undef HTTP_OPTIONS
#undef HTTP_CONNECT
#undef HTTP_TRACE
#include <stdlib.h>

#include "base/ensure.h"
#include "base/err.h"
#include "codec/chunk.h"
#include "codec/http1.h"

static const struct http1_limits oracle_limits = {16384, 8192, 100};

/* One message as text: "field\0value\0"… , and its body. */
struct oracle_text {
    char target[65536], fields[65536], body[65536];
    size_t target_n, fields_n, body_n;
    bool head_done, done, in_value, no_body;
};

static void oracle_add(char *to, size_t *n, const char *p, size_t len)
{
    ENSURE(*n + len <= 65536);
    if (len) memcpy(to + *n, p, len);
    *n += len;
}

static int oracle_url(llhttp_t *p, const char *at, size_t n)
{
    struct oracle_text *t = p->data;
    oracle_add(t->target, &t->target_n, at, n);
    return 0;
}

/* llhttp gives pieces, and sometimes an empty one: the separators are set
 * where a name or value ends. */
static int oracle_field(llhttp_t *p, const char *at, size_t n)
{
    struct oracle_text *t = p->data;
    oracle_add(t->fields, &t->fields_n, at, n);
    return 0;
}

static int oracle_field_end(llhttp_t *p)
{
    struct oracle_text *t = p->data;
    oracle_add(t->fields, &t->fields_n, "", 1);
    return 0;
}

/* It leaves trailing blanks of a value in. */
static int oracle_value_end(llhttp_t *p)
{
    struct oracle_text *t = p->data;
    while (t->fields_n && (t->fields[t->fields_n - 1] == ' ' ||
                           t->fields[t->fields_n - 1] == '\t'))
        t->fields_n--;
    return oracle_field_end(p);
}

static int oracle_head(llhttp_t *p)
{
    struct oracle_text *t = p->data;
    t->head_done = true;
    return t->no_body ? 1 : 0;
}

static int oracle_body(llhttp_t *p, const char *at, size_t n)
{
    struct oracle_text *t = p->data;
    oracle_add(t->body, &t->body_n, at, n);
    return 0;
}

static int oracle_done(llhttp_t *p)
{
    ((struct oracle_text *)p->data)->done = true;
    return HPE_PAUSED;
}

/* Returns where the message ended in `in`, or where llhttp stands. */
static size_t oracle_run(struct sv in, llhttp_type_t type, llhttp_t *p,
                         struct oracle_text *t)
{
    static llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = oracle_url;
    s.on_header_field = oracle_field;
    s.on_header_field_complete = oracle_field_end;
    s.on_header_value = oracle_field;
    s.on_header_value_complete = oracle_value_end;
    s.on_headers_complete = oracle_head;
    s.on_body = oracle_body;
    s.on_message_complete = oracle_done;
    llhttp_init(p, type, &s);
    p->data = t;
    llhttp_errno_t e = llhttp_execute(p, in.p, in.n);
    if (e == HPE_OK) return in.n;
    ENSURE(e == HPE_PAUSED || e == HPE_PAUSED_UPGRADE || !t->done);
    return (size_t)(llhttp_get_error_pos(p) - in.p);
}

static void oracle_append_fields(struct oracle_text *t,
                                 const struct http_head *h)
{
    for (unsigned i = 0; i < h->fields_n; i++) {
        const struct http_field *f = &h->fields[i];
        oracle_add(t->fields, &t->fields_n, f->name.p, f->name.n);
        oracle_add(t->fields, &t->fields_n, "", 1);
        oracle_add(t->fields, &t->fields_n, f->value.p, f->value.n);
        oracle_add(t->fields, &t->fields_n, "", 1);
        ENSURE(http_name_of(f->name) == f->id);
    }
}

/* Our reading of the body behind a head: true when complete (*in at its end),
 * false when it is refused or incomplete. */
static bool oracle_our_body(const struct http_head *h, struct sv *in,
                            struct oracle_text *t)
{
    static struct http_head trailers;
    struct http1_refusal why;
    if (h->body == HTTP_BODY_LENGTH) {
        struct sv data = sv_first(*in, h->content_length < in->n
                                           ? (size_t)h->content_length
                                           : in->n);
        oracle_add(t->body, &t->body_n, data.p, data.n);
        *in = sv_from(*in, data.n);
        return data.n == h->content_length;
    }
    if (h->body == HTTP_BODY_CLOSE) {
        oracle_add(t->body, &t->body_n, in->p, in->n);
        *in = sv_from(*in, in->n);
        return true;
    }
    if (h->body != HTTP_BODY_CHUNKED) return true;
    struct chunk_decoder d = {0};
    for (;;) {
        struct sv data;
        switch (chunk_decode(&d, in, &data)) {
        case CHUNK_DATA:
            oracle_add(t->body, &t->body_n, data.p, data.n);
            chunk_take(&d, data.n);
            *in = sv_from(*in, data.n);
            break;
        case CHUNK_LAST: {
            size_t searched = 0;
            int n = http1_trailers_scan(*in, &searched, &oracle_limits,
                                        &trailers, &why);
            if (n <= 0) return false;
            *in = sv_from(*in, (size_t)n);
            oracle_append_fields(t, &trailers);
            return true;
        }
        default: return false;
        }
    }
}

static void oracle_compare(struct sv in, struct sv rest, bool complete,
                           const struct oracle_text *ours,
                           const struct oracle_text *theirs, size_t end)
{
    ENSURE(theirs->head_done);
    if (!complete) return;
    ENSURE(ours->fields_n == theirs->fields_n);
    ENSURE(memcmp(ours->fields, theirs->fields, ours->fields_n) == 0);
    ENSURE(ours->body_n == theirs->body_n);
    ENSURE(memcmp(ours->body, theirs->body, ours->body_n) == 0);
    ENSURE(end == in.n - rest.n);
}

/* True: accepted by us (and then by llhttp). */
static bool oracle_request(struct sv in)
{
    static struct http_head h;
    static struct oracle_text ours, theirs;
    struct http1_refusal why = {0, NULL};
    size_t searched = 0;
    memset(&h, 0xa5, sizeof h);
    int n = http1_request_scan(in, &searched, &oracle_limits, &h, &why);
    if (n < 0) ENSURE(n == ERR_PROTOCOL && why.status >= 400 && why.reason);
    if (n <= 0) return false;
    ENSURE((size_t)n <= in.n && h.fields_n <= HTTP_FIELDS_MAX);
    memset(&ours, 0, offsetof(struct oracle_text, target));
    ours.target_n = ours.fields_n = ours.body_n = 0;
    oracle_append_fields(&ours, &h);
    struct sv rest = sv_from(in, (size_t)n);
    bool complete = oracle_our_body(&h, &rest, &ours);

    size_t lead = (size_t)(h.method_text.p - in.p);
    char *copy = malloc(in.n + 8);
    ENSURE(copy);
    struct sv method = h.method == HTTP_OTHER ? SV("GET") : h.method_text;
    size_t after = lead + h.method_text.n, m = 0;
    oracle_add(copy, &m, in.p, lead);
    memcpy(copy + lead, method.p, method.n);
    memcpy(copy + lead + method.n, in.p + after, in.n - after);
    struct sv shown = sv_of(copy, lead + method.n + in.n - after);
    llhttp_t p;
    theirs = (struct oracle_text){.target_n = 0};
    size_t end = oracle_run(shown, HTTP_REQUEST, &p, &theirs);
    oracle_compare(shown, rest, complete, &ours, &theirs, end);
    ENSURE(strcmp(llhttp_method_name((llhttp_method_t)p.method), "GET") == 0 ||
           sv_eq(sv_cstr(llhttp_method_name((llhttp_method_t)p.method)),
                 method));
    ENSURE(sv_eq(sv_of(theirs.target, theirs.target_n), h.target));
    ENSURE(p.http_major == 1 && p.http_minor == h.minor);
    if (complete && !h.upgrade)
        ENSURE(llhttp_should_keep_alive(&p) == h.keep_alive);
    free(copy);
    return true;
}

static bool oracle_response(struct sv in, enum http_method asked)
{
    static struct http_head h;
    static struct oracle_text ours, theirs;
    struct http1_refusal why = {0, NULL};
    size_t searched = 0;
    memset(&h, 0xa5, sizeof h);
    int n = http1_response_scan(in, &searched, &oracle_limits, asked, &h,
                                &why);
    if (n < 0) ENSURE(n == ERR_PROTOCOL && why.status == 502 && why.reason);
    if (n <= 0) return false;
    ours = (struct oracle_text){.target_n = 0};
    oracle_append_fields(&ours, &h);
    struct sv rest = sv_from(in, (size_t)n);
    bool complete = oracle_our_body(&h, &rest, &ours);
    llhttp_t p;
    theirs = (struct oracle_text){.no_body = asked == HTTP_HEAD};
    size_t end = oracle_run(in, HTTP_RESPONSE, &p, &theirs);
    if (h.body == HTTP_BODY_CLOSE && !theirs.done) {
        ENSURE(llhttp_finish(&p) == HPE_OK || theirs.done);
        end = in.n;
    }
    oracle_compare(in, rest, complete, &ours, &theirs, end);
    ENSURE(p.status_code == h.status && p.http_minor == h.minor);
    return true;
}

#endif
