#include "admin/envelope.h"

#include "codec/json.h"

static void restart(struct answer *a, unsigned status)
{
    buf_clear(&a->body);
    a->body.overflow = false;
    a->status = status;
    a->content_type = NULL;
}

void answer_fail_with(struct answer *a, unsigned status, const char *code,
                      const char *field, const char *message, struct sv objects)
{
    struct buf *b = &a->body;
    restart(a, status);
    a->etag[0] = 0;
    buf_puts(b, "{\"success\":false,\"message\":");
    json_put_text(b, sv_cstr(message));
    buf_puts(b, ",\"data\":[");
    buf_put(b, objects);
    buf_puts(b, "],\"error\":{\"code\":");
    json_put_text(b, sv_cstr(code));
    if (field && field[0]) {
        buf_puts(b, ",\"field\":");
        json_put_text(b, sv_cstr(field));
    }
    buf_puts(b, "}}");
    if (status == 401) a->challenge = true;
}

void answer_fail(struct answer *a, unsigned status, const char *code,
                 const char *field, const char *message)
{
    answer_fail_with(a, status, code, field, message, SV(""));
}

void answer_begin(struct answer *a, unsigned status, const char *message)
{
    restart(a, status);
    buf_puts(&a->body, "{\"success\":true,\"message\":");
    json_put_text(&a->body, sv_cstr(message));
    buf_puts(&a->body, ",\"data\":[");
}

void answer_next(struct answer *a)
{
    struct buf *b = &a->body;
    if (b->n && b->p[b->n - 1] == '}') buf_putc(b, ',');
}

void answer_put(struct answer *a, struct sv object)
{
    answer_next(a);
    buf_put(&a->body, object);
}

void answer_end(struct answer *a)
{
    buf_puts(&a->body, "]}");
}

void answer_end_list(struct answer *a, bool has_more)
{
    buf_puts(&a->body,
             has_more ? "],\"has_more\":true}" : "],\"has_more\":false}");
}

void answer_ok(struct answer *a, unsigned status, const char *message)
{
    answer_begin(a, status, message);
    answer_end(a);
}
