#include "admin/alert_mail.h"

#include "codec/json.h"

enum { DOCUMENT_BYTES = 512 * 1024 };

static void put_row(struct buf *b, const char *name, struct sv value)
{
    if (!value.n) return;
    buf_printf(b, "  %-13s ", name);
    buf_put(b, value);
    buf_putc(b, '\n');
}

static void item_put(const yyjson_val *i, struct arena *a, struct buf *b)
{
    int64_t count = 0;
    buf_puts(b, "\n[");
    buf_put(b, json_text(json_find(i, "state")));
    buf_puts(b, "] ");
    buf_put(b, json_text(json_find(i, "title")));
    buf_putc(b, '\n');
    put_row(b, "application", json_text(json_find(i, "application_id")));
    put_row(b, "subject", json_text(json_find(i, "subject")));
    if (json_is_int(json_find(i, "count"), &count) && count > 1)
        buf_printf(b, "  %-13s %lld\n", "times", (long long)count);
    put_row(b, "first", json_text(json_find(i, "firstAt")));
    put_row(b, "last", json_text(json_find(i, "lastAt")));
    put_row(b, "details", json_encode_val(a, json_find(i, "details")));
}

void alert_mail_write(struct sv letter, struct sv name, struct buf *subject,
                      struct buf *text)
{
    struct arena a;
    yyjson_doc *doc;
    size_t i, max;
    yyjson_val *item;
    int64_t more = 0;
    arena_init(&a, DOCUMENT_BYTES, NULL, 0);
    const yyjson_val *root =
        json_decode(letter, &a, &doc, NULL) ? NULL : yyjson_doc_get_root(doc);
    struct sv title = json_text(json_find(root, "title"));
    buf_put(subject, SV("[Type Auth] "));
    buf_put(subject, title);
    buf_put(text, title);
    buf_putc(text, '\n');
    yyjson_arr_foreach(json_find(root, "items"), i, max, item)
    {
        item_put(item, &a, text);
    }
    if (json_is_int(json_find(root, "more"), &more) && more)
        buf_printf(text, "\nand %lld more\n", (long long)more);
    buf_printf(text, "\n-- \nAlert \"%.*s\", message %.*s\n", SV_FMT(name),
               SV_FMT(json_text(json_find(root, "id"))));
    arena_fini(&a);
}
