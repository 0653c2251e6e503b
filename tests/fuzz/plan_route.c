/* Hostile rules and hostile paths. Lines until an empty one are rules, of
 * which each has, cut by tabs: method, public_path, target_path,
 * target_hostname, a header's condition, a field to set. Then a request: method
 * and target on a line, fields.
 *
 * - The tree finds a rule exactly if one of them matches by itself.
 * - Every octet of a path escaped, the same rule is found.
 * - A target is its literals and escaped values, and nothing else: no further
 *   segment, parameter, label, or octet that ends a field. */
#include "base/ensure.h"
#include "base/err.h"
#include "codec/http1.h"
#include "codec/json.h"
#include "codec/percent.h"
#include "plan/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 1 << 15 };

/* --- rules and requests ---------------------------------------------------------- */

static void member(struct buf *b, const char *name, struct sv text)
{
    if (!text.n) return;
    json_put_name(b, name);
    json_put_text(b, text);
}

static bool rule_read(struct sv line, struct arena *a, struct route_rule *out)
{
    static const char *const names[] = { "public_method", "public_path",
                                         "target_path", "target_hostname" };
    const char *field, *why;
    struct buf b;
    yyjson_doc *doc;
    buf_init(&b, 1 << 18);
    buf_putc(&b, '{');
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        member(&b, names[i], sv_cut(line, '\t', &line));
    struct sv condition = sv_cut(line, '\t', &line);
    if (condition.n) {
        json_put_name(&b, "public_headers");
        buf_putc(&b, '[');
        json_put_text(&b, condition);
        buf_putc(&b, ']');
    }
    if (line.n) {
        json_put_name(&b, "target_headers");
        buf_puts(&b, "{\"request\":{\"set\":{\"X-Set\":");
        json_put_text(&b, line);
        buf_puts(&b, "}}}");
    }
    buf_putc(&b, '}');
    int rc = json_decode(buf_sv(&b), a, &doc, NULL);
    if (rc == 0)
        rc = route_rule_decode(yyjson_doc_get_root(doc), a, out, &field, &why);
    buf_fini(&b);
    return rc == 0;
}

/* The same request, but for its path when `path` is given. */
static bool request_read(struct sv text, struct sv path, struct arena *a,
                         struct http_head *out)
{
    static const struct http1_limits limits = { TEXT_MAX, TEXT_MAX, 64 };
    struct http1_refusal why;
    size_t searched = 0;
    struct buf b;
    struct sv query, line = sv_cut(text, '\n', &text);
    struct sv method = sv_cut(line, ' ', &line);
    struct sv own = sv_cut(line, '?', &query);
    buf_init(&b, 2 * TEXT_MAX);
    buf_printf(&b, "%.*s %.*s%s%.*s HTTP/1.1\r\nHost: a.test\r\n",
               SV_FMT(method), SV_FMT(path.p ? path : own), query.p ? "?" : "",
               SV_FMT(query));
    while (text.n) {
        line = sv_cut(text, '\n', &text);
        buf_printf(&b, "%.*s\r\n", SV_FMT(line));
    }
    buf_puts(&b, "\r\n");
    struct sv kept = arena_dup(a, buf_sv(&b));
    buf_fini(&b);
    return kept.p &&
           http1_request_scan(kept, &searched, &limits, out, &why) > 0;
}

/* --- what a request is for -------------------------------------------------------- */

static const struct route_table *table_of(const struct route_rule *rules,
                                          unsigned n, struct arena *a)
{
    const struct route_table *t;
    struct routing *r = ARENA_NEW(a, struct routing);
    ENSURE(r);
    *r = (struct routing){ .n = n, .rules = rules };
    ENSURE(route_table_build(r, a, &t) == 0);
    return t;
}

static void one_is_found_if_one_matches(const struct route_rule *rules,
                                        unsigned n, const struct http_head *h,
                                        const struct route_rule *found,
                                        struct arena *a)
{
    bool any = false;
    for (unsigned i = 0; i < n; i++) {
        struct route_match alone;
        bool matches =
            route_match(table_of(&rules[i], 1, a), h, &alone) == ROUTE_FOUND;
        any |= matches;
        ENSURE(&rules[i] != found || matches);
    }
    ENSURE(any == (found != NULL));
}

static struct sv all_escaped(struct sv path, struct arena *a)
{
    static const char hex[] = "0123456789abcdef";
    char *out = arena_alloc(a, 3 * path.n + 1), *p = out;
    ENSURE(out);
    while (path.n) {
        /* ";parameters" are not a segment's text */
        if (path.p[0] == ';') {
            struct sv rest = sv_first(path, sv_find(path, '/'));
            memcpy(p, rest.p, rest.n);
            p += rest.n;
            path = sv_from(path, rest.n);
            continue;
        }
        bool slash = path.p[0] == '/';
        char c = percent_take(&path);
        if (slash) {
            *p++ = c;
            continue;
        }
        *p++ = '%';
        *p++ = hex[(unsigned char)c >> 4];
        *p++ = hex[(unsigned char)c & 15];
    }
    return sv_of(out, (size_t)(p - out));
}

/* --- targets ---------------------------------------------------------------------- */

static void octets(struct buf *out, struct sv s, bool escaped)
{
    while (s.n) {
        char c = escaped ? percent_take(&s) : s.p[0];
        if (!escaped) s = sv_from(s, 1);
        buf_putc(out, c);
    }
}

/* What the template means once decoded, its values being what they are. */
static void meaning(struct buf *out, const struct route_match *m,
                    const struct template *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        int v = t->pieces[i].variable;
        if (v < 0)
            octets(out, t->pieces[i].text, true);
        else
            octets(out, m->value[v], m->escaped >> v & 1);
    }
}

static size_t count(struct sv s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
    return n;
}

static size_t literal_count(const struct template *t, char c)
{
    size_t n = 0;
    for (unsigned i = 0; i < t->n; i++) n += count(t->pieces[i].text, c);
    return n;
}

/* `got` is what the template means, and has no more separators than it. */
static void is_template(struct sv got, const struct route_match *m,
                        const struct template *t, const char *separators)
{
    struct buf want, decoded;
    buf_init(&want, 1 << 18);
    buf_init(&decoded, 1 << 18);
    meaning(&want, m, t);
    octets(&decoded, got, true);
    ENSURE(sv_eq(buf_sv(&want), buf_sv(&decoded)));
    for (; *separators; separators++)
        ENSURE(count(got, *separators) == literal_count(t, *separators));
    buf_fini(&want);
    buf_fini(&decoded);
}

static void name_read(struct buf *out, struct sv name)
{
    octets(out, name, true);
    for (size_t i = 0; i < out->n; i++)
        if (out->p[i] == '+') out->p[i] = ' ';
}

static bool same_name(struct sv a, struct sv b)
{
    struct buf x, y;
    buf_init(&x, 1 << 17);
    buf_init(&y, 1 << 17);
    name_read(&x, a);
    name_read(&y, b);
    bool same = sv_eq(buf_sv(&x), buf_sv(&y));
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

/* The rule's parameters, then others: none of those stands again. */
static void query_is_the_rules(struct sv query, const struct route_match *m,
                               const struct http_head *h)
{
    const struct route_rule *r = m->rule;
    for (unsigned i = 0; i < r->params_n; i++) {
        struct sv value, pair = sv_cut(query, '&', &query);
        ENSURE(sv_eq(sv_cut(pair, '=', &value), r->params[i].name));
        is_template(value, m, &r->params[i].value, "&#;+");
    }
    for (struct sv rest = query; rest.p;) {
        struct sv name =
            sv_cut(sv_cut(rest, '&', &rest), '=', &(struct sv){ 0 });
        for (unsigned i = 0; i < r->params_n; i++)
            ENSURE(!same_name(name, r->params[i].name));
    }
    if (!r->params_n) ENSURE(sv_eq(query, h->query));
}

static void target_is_the_rules(const struct route_match *m,
                                const struct http_head *h)
{
    struct buf text;
    struct sv out, query;
    struct sv asked = h->has_query && !h->query.p ? SV("") : h->query;
    if (!h->has_query) asked.p = NULL;
    buf_init(&text, 4 * TEXT_MAX);
    int rc = route_target(m, h->path, asked, SV("/base"), &text, &out);
    ENSURE(rc == 0 || rc == ERR_INVALID || rc == ERR_TOOBIG);
    if (rc == 0) {
        ENSURE(sv_starts(out, SV("/base/")));
        struct sv path = sv_cut(sv_from(out, 5), '?', &query);
        if (m->rule->has_path)
            is_template(path, m, &m->rule->path, "/?#;\\");
        else
            ENSURE(sv_eq(path, h->path));
        for (struct sv rest = path; rest.p;)
            ENSURE(!percent_has_dots(sv_cut(rest, '/', &rest)));
        query_is_the_rules(query, m, h);
    }
    buf_fini(&text);
}

static void host_is_the_rules(const struct route_match *m)
{
    char memory[1024];
    struct buf text;
    struct sv out;
    const struct template *t = &m->rule->host;
    if (!t->n) return;
    buf_init_fixed(&text, memory, sizeof memory);
    if (route_host(m, &text, &out)) return;
    ENSURE(out.n > 0 && out.n <= 253);
    ENSURE(count(out, '.') == literal_count(t, '.'));
    const struct template_piece *last = &t->pieces[t->n - 1];
    ENSURE(last->variable < 0 && sv_ends(out, last->text));
    for (size_t i = 0; t->n > 1 && i < out.n - last->text.n; i++) {
        char c = out.p[i];
        ENSURE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.' || literal_count(t, c));
    }
}

static void fields_are_one_line(const struct route_match *m)
{
    const struct route_edit *e = &m->rule->request;
    for (unsigned i = 0; i < e->set_n; i++) {
        struct buf text;
        buf_init(&text, 4 * TEXT_MAX);
        struct sv got = route_field(m, &e->set[i].value, &text);
        for (size_t k = 0; k < got.n; k++)
            ENSURE((unsigned char)got.p[k] >= 0x20 || got.p[k] == '\t');
        ENSURE(count(got, '\x7f') == 0);
        buf_fini(&text);
    }
}

/* --- a run ------------------------------------------------------------------------- */

static void run(const struct route_rule *rules, unsigned n, struct sv request,
                struct arena *a)
{
    struct http_head head, again;
    struct route_match m, same;
    if (!request_read(request, (struct sv){ 0 }, a, &head)) return;
    const struct route_table *t = table_of(rules, n, a);
    enum route_found found = route_match(t, &head, &m);
    if (found != ROUTE_REFUSED)
        one_is_found_if_one_matches(rules, n, &head,
                                    found == ROUTE_FOUND ? m.rule : NULL, a);
    if (head.path.n && head.path.p[0] == '/' &&
        request_read(request, all_escaped(head.path, a), a, &again)) {
        ENSURE(route_match(t, &again, &same) == found);
        ENSURE(found != ROUTE_FOUND || same.rule == m.rule);
    }
    if (found != ROUTE_FOUND) return;
    target_is_the_rules(&m, &head);
    host_is_the_rules(&m);
    fields_are_one_line(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct route_rule rules[ROUTING_RULES_MAX];
    struct sv text = sv_of(data, size);
    unsigned n = 0;
    struct arena a;
    if (size > 1 << 13) return 0;
    arena_init(&a, 64 << 20, NULL, 0);
    while (text.n) {
        struct sv line = sv_cut(text, '\n', &text);
        if (!line.n) break;
        if (n == ROUTING_RULES_MAX || !rule_read(line, &a, &rules[n])) continue;
        rules[n].index = (uint8_t)n;
        n++;
    }
    if (n && text.n) run(rules, n, text, &a);
    arena_fini(&a);
    return 0;
}
