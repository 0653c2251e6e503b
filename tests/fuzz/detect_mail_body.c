/* Bodies in which a mail address is looked for: a line with the name, then the
 * body. What is found in JSON is what a plain walk along the pointer finds; of
 * a form, what a plain reading of its pairs finds. */
#include "base/ensure.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_place.h"
#include "detect/mail_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAME_MAX_BYTES = 200 };

/* The n-th text that stands at v; "" none. */
static struct sv text_at(const yyjson_val *v, size_t n)
{
    yyjson_val *any = (yyjson_val *)(uintptr_t)v, *item;
    size_t i, max;
    if (!yyjson_is_arr(any)) return n ? SV("") : json_text(v);
    yyjson_arr_foreach(any, i, max, item)
    {
        struct sv text = json_text(item);
        if (text.n && n-- == 0) return text;
    }
    return SV("");
}

static const yyjson_val *plain_find(yyjson_val *root, struct sv name)
{
    size_t i, max;
    yyjson_val *key, *v;
    if (name.n && name.p[0] == '/') return json_place_find(root, name);
    yyjson_obj_foreach(root, i, max, key, v)
    {
        if (sv_eq(json_text(key), name)) return v;
    }
    return NULL;
}

static void look_in_json(struct sv name, struct sv body)
{
    struct mail_texts found = { .n = 0 };
    struct arena a;
    yyjson_doc *doc;
    arena_init(&a, 4 << 20, NULL, 0);
    int rc =
        mail_find_body(name, SV("application/a+json; b=c"), body, &a, &found);
    int plain = body.n ? json_decode(body, &a, &doc, NULL) : 0;
    ENSURE(rc == 0 || rc == ERR_INVALID);
    if (plain != ERR_NOMEM) ENSURE(rc == plain);
    if (body.n && plain == 0 && !found.over) {
        const yyjson_val *v = plain_find(yyjson_doc_get_root(doc), name);
        for (size_t i = 0; i < found.n; i++)
            ENSURE(sv_eq(found.text[i], text_at(v, i)));
        ENSURE(found.n == MAIL_TEXTS_MAX || !text_at(v, found.n).n);
    } else if (rc) {
        ENSURE(found.n == 0);
    }
    arena_fini(&a);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* As a form is written (HTML, application/x-www-form-urlencoded). */
static size_t undone(struct sv s, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool is_hex = s.p[i] == '%' && s.n - i > 2 && hex(s.p[i + 1]) >= 0 &&
                      hex(s.p[i + 2]) >= 0;
        out[n++] = is_hex ? (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]))
                          : (s.p[i] == '+' ? ' ' : s.p[i]);
        if (is_hex) i += 2;
    }
    return n;
}

static void look_in_form(struct sv name, struct sv body)
{
    struct mail_texts found = { .n = 0 };
    struct arena a;
    size_t n = 0;
    arena_init(&a, 4 << 20, NULL, 0);
    char *text = arena_alloc(&a, body.n + 1);
    ENSURE(text &&
           !mail_find_body(name, SV("application/x-www-form-urlencoded"), body,
                           &a, &found));
    name = sv_from(name, sv_starts(name, SV("/")));
    while (body.n && !found.over) {
        struct sv value, key = sv_cut(sv_cut(body, '&', &body), '=', &value);
        /* a name as it stands is taken for it too, if it holds '%' or '+' */
        bool is_it =
            sv_eq(key, name) || sv_eq(sv_of(text, undone(key, text)), name);
        if (!is_it || !value.n) continue;
        struct sv plain = sv_of(text, undone(value, text));
        ENSURE(n < found.n && sv_eq(found.text[n], plain));
        n++;
    }
    ENSURE(found.over || n == found.n);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv body, name = sv_cut(sv_of(data, size), '\n', &body);
    if (!body.p || name.n > NAME_MAX_BYTES) return 0;
    look_in_json(name, body);
    look_in_form(name, body);
    return 0;
}
