/* Disposable e-mail: the list and its file, the judge, and where addresses
 * stand in requests. */
#include <stdio.h>
#include <unistd.h>

#include "../codec/codec_kit.h"
#include "base/mem.h"
#include "detect/mail.h"
#include "detect/mail_property.h"

static const uint64_t key[2] = { 1, 2 };
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* A list of the domains given as "domain" (source 1) and "+domain" (allowed),
 * NULL-ended; the buffer keeps its bytes. */
static struct mail_list list_of(const char *const *domains, struct buf *bytes)
{
    struct mail_list list;
    struct mail_build *b = mail_build_new();
    for (; *domains; domains++) {
        bool allowed = **domains == '+';
        int rc = mail_build_add(b, sv_cstr(*domains + allowed),
                                allowed ? MAIL_ALLOWED : 1);
        if (rc) fail_msg("%s: %d", *domains, rc);
    }
    buf_init(bytes, MAIL_LIST_BYTES_MAX);
    assert_int_equal(mail_build_encode(b, key, SV("{\"a\":1}"), bytes, NULL),
                     0);
    mail_build_free(&b);
    assert_int_equal(mail_list_view(buf_sv(bytes), &list), 0);
    return list;
}

static const char *const listed[] = { "mailinator.com",
                                      "Trash-Mail.AT.",
                                      "b\xc3\xbc"
                                      "cher-trash.de",
                                      "deep.trash.example.org",
                                      "mine.github.io",
                                      "github.io",
                                      "gmail.com",
                                      "+gmail.com",
                                      "+good.mailinator.com",
                                      "mailinator.com",
                                      NULL };

static void a_list_knows_its_domains_and_no_others(void **state)
{
    (void)state;
    struct buf bytes;
    struct mail_list list = list_of(listed, &bytes);
    assert_int_equal(list.domains_n, 6);
    assert_int_equal(list.allowed_n, 2);
    assert_true(sv_eq(list.note, SV("{\"a\":1}")));
    assert_int_equal(mail_list_find(&list, SV("mailinator.com")), 1);
    assert_int_equal(mail_list_find(&list, SV("trash-mail.at")), 1);
    assert_int_equal(mail_list_find(&list, SV("xn--bcher-trash-thb.de")), 1);
    assert_int_equal(mail_list_find(&list, SV("gmail.com")), MAIL_ALLOWED);
    assert_int_equal(mail_list_find(&list, SV("mailinator.org")), 0);
    assert_int_equal(mail_list_find(&list, SV("")), 0);
    buf_fini(&bytes);
}

static void what_is_no_domain_or_belongs_to_everybody_is_not_taken(void **state)
{
    (void)state;
    struct mail_build *b = mail_build_new();
    assert_int_equal(mail_build_add(b, SV("a b.com"), 1), ERR_INVALID);
    assert_int_equal(mail_build_add(b, SV("127.0.0.1"), 1), ERR_INVALID);
    assert_int_equal(mail_build_add(b, SV(""), 1), ERR_INVALID);
    assert_int_equal(mail_build_add(b, SV("com"), 1), ERR_DENIED);
    assert_int_equal(mail_build_add(b, SV("co.uk"), 1), ERR_DENIED);
    assert_int_equal(mail_build_add(b, SV("com.br"), 1), ERR_DENIED);
    assert_int_equal(mail_build_count(b), 0);
    mail_build_free(&b);
}

static void many_domains_are_found_again_within_the_space(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct mail_build *b = mail_build_new();
    struct mail_list list;
    struct buf bytes;
    char text[40];
    for (int i = 0; i < N; i++) {
        int n = snprintf(text, sizeof text, "d%d.example%d.com", i, i % 7);
        mail_build_add(b, sv_of(text, (size_t)n), 1u + (unsigned)i % 3);
    }
    buf_init(&bytes, MAIL_LIST_BYTES_MAX);
    assert_int_equal(mail_build_encode(b, key, SV(""), &bytes, NULL), 0);
    mail_build_free(&b);
    assert_int_equal(mail_list_view(buf_sv(&bytes), &list), 0);
    assert_true(bytes.n <= N * 16);
    for (int i = 0; i < N; i++) {
        int n = snprintf(text, sizeof text, "d%d.example%d.com", i, i % 7);
        assert_int_equal(mail_list_find(&list, sv_of(text, (size_t)n)),
                         1 + i % 3);
        n = snprintf(text, sizeof text, "d%d.example.net", i);
        assert_int_equal(mail_list_find(&list, sv_of(text, (size_t)n)), 0);
    }
    buf_fini(&bytes);
}

static void a_damaged_file_is_refused(void **state)
{
    (void)state;
    struct buf bytes;
    struct mail_list list = list_of(listed, &bytes);
    for (size_t i = 0; i < bytes.n; i++) {
        char *copy = malloc(i ? i : 1);
        memcpy(copy, bytes.p, i);
        assert_int_not_equal(mail_list_view(sv_of(copy, i), &list), 0);
        free(copy);
    }
    for (size_t i = 0; i < bytes.n * 8; i += i < 800 ? 1 : 7) {
        bytes.p[i / 8] = (char)(bytes.p[i / 8] ^ 1 << i % 8);
        assert_int_not_equal(mail_list_view(buf_sv(&bytes), &list), 0);
        bytes.p[i / 8] = (char)(bytes.p[i / 8] ^ 1 << i % 8);
    }
    assert_int_equal(mail_list_view(buf_sv(&bytes), &list), 0);
    buf_fini(&bytes);
}

static void a_list_is_opened_from_its_file(void **state)
{
    (void)state;
    char path[] = "/tmp/typeauth-mail-XXXXXX";
    struct buf bytes;
    struct mail_list list = list_of(listed, &bytes);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(mail_list_open(path, &list), ERR_CORRUPT); /* empty */
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    assert_int_equal(mail_list_open(path, &list), 0);
    unlink(path);
    assert_int_equal(mail_list_find(&list, SV("mailinator.com")), 1);
    mail_list_close(&list);
    assert_null(list.bytes.p);
    assert_int_equal(mail_list_open(path, &list), ERR_NOTFOUND);
    assert_int_equal(mail_list_open("/tmp", &list), ERR_IO);
    close(fd);
    buf_fini(&bytes);
}

/* --- the judge ------------------------------------------------------------------- */

static const struct mail_set *set_of(const char *const *domains)
{
    const struct mail_set *s;
    struct sv d[16];
    size_t n = 0;
    for (; domains[n]; n++) d[n] = sv_cstr(domains[n]);
    assert_int_equal(mail_set_make(d, n, &arena, &s, NULL), 0);
    return s;
}

static void exceptions_win_then_the_blocklist_then_the_list(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        enum mail_verdict verdict;
        const char *entry;
    } rows[] = {
        { "example.com", MAIL_NONE, "example.com" },
        { "mailinator.com", MAIL_DISPOSABLE, "mailinator.com" },
        { "a.b.mailinator.com", MAIL_DISPOSABLE, "mailinator.com" },
        { "notmailinator.com", MAIL_NONE, "notmailinator.com" },
        { "good.mailinator.com", MAIL_KNOWN, "good.mailinator.com" },
        { "x.good.mailinator.com", MAIL_KNOWN, "good.mailinator.com" },
        { "gmail.com", MAIL_KNOWN, "gmail.com" },
        /* below a public suffix everybody has a domain of his own */
        { "github.io", MAIL_DISPOSABLE, "github.io" },
        { "mine.github.io", MAIL_DISPOSABLE, "mine.github.io" },
        { "yours.github.io", MAIL_NONE, "yours.github.io" },
        { "example.org", MAIL_NONE, "example.org" },
        { "x.deep.trash.example.org", MAIL_DISPOSABLE,
          "deep.trash.example.org" },
        /* the application's own */
        { "evil.example", MAIL_BLOCKED, "evil.example" },
        { "sub.evil.example", MAIL_BLOCKED, "evil.example" },
        { "any.zip", MAIL_BLOCKED, "zip" },
        { "fine.evil.example", MAIL_EXCEPTED, "fine.evil.example" },
        { "trash-mail.at", MAIL_EXCEPTED, "trash-mail.at" },
        { "x.trash-mail.at", MAIL_EXCEPTED, "trash-mail.at" },
        { "both.example", MAIL_EXCEPTED, "both.example" },
    };
    struct buf bytes;
    struct mail_list list = list_of(listed, &bytes);
    const struct mail_set *block =
        set_of((const char *[]){ "Evil.example", "both.example", "zip", NULL });
    const struct mail_set *except = set_of((const char *[]){
        "fine.evil.example", "trash-mail.at.", "both.example", NULL });
    struct mail_evidence e;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (mail_check(block, except, &list, sv_cstr(rows[i].domain), &e) !=
                rows[i].verdict ||
            !sv_eq(e.domain, sv_cstr(rows[i].entry)))
            fail_msg("%s: %.*s", rows[i].domain, SV_FMT(e.domain));
    assert_int_equal(mail_check(NULL, NULL, NULL, SV("mailinator.com"), &e),
                     MAIL_NONE);
    buf_fini(&bytes);
}

static void very_many_labels_cost_no_more(void **state)
{
    (void)state;
    struct buf bytes;
    struct mail_list list = list_of(listed, &bytes);
    struct mail_evidence e;
    char text[240];
    for (size_t i = 0; i < sizeof text; i += 2) memcpy(text + i, "a.", 2);
    struct sv end = SV("mailinator.com");
    memcpy(text + sizeof text - end.n, end.p, end.n);
    assert_int_equal(
        mail_check(NULL, NULL, &list, sv_of(text, sizeof text), &e),
        MAIL_DISPOSABLE);
    assert_true(sv_eq(e.domain, end));
    buf_fini(&bytes);
}

static void a_set_names_the_entry_that_is_no_domain(void **state)
{
    (void)state;
    const struct mail_set *s;
    struct sv bad[] = { SV("good.example"), SV("*.example.com") };
    size_t which = 9;
    assert_int_equal(mail_set_make(bad, 2, &arena, &s, &which), ERR_INVALID);
    assert_int_equal(which, 1);
    assert_int_equal(mail_set_make(NULL, 0, &arena, &s, NULL), 0);
    assert_int_equal(mail_set_count(s), 0);
}

/* --- addresses ------------------------------------------------------------------- */

static void domains_are_found_in_what_people_write(void **state)
{
    (void)state;
    static const struct {
        const char *text, *domains;
    } rows[] = {
        { "a@example.com", "example.com" },
        { "A+tag@EXAMPLE.com.", "example.com" },
        { "Name <a@example.com>", "example.com" },
        { "\"a@b, c\"@example.com", "example.com" },
        { "\"odd\\\" one\" <a@example.com>", "example.com" },
        { "mailto:a@example.com?subject=x@y.z",
          "y.z" }, /* one address: the last @ */
        { "a@x.com, b@y.com; <c@z.com>", "x.com y.com z.com" },
        { " a @ example.com ", "example.com" },
        { "a@b\xc3\xbc"
          "cher.de",
          "xn--bcher-kva.de" },
        { "a@example.com (comment)", "example.com" },
        { "a@[192.0.2.1]", "" },
        { "a@192.0.2.1", "" },
        { "nobody", "" },
        { "@", "" },
        { "", "" },
        { "a@b@c.com", "c.com" },
        { "\"open, a@x.com", "x.com" },
        { "a@-bad.com, b@good.com", "good.com" },
        { "a@mailinator.com..", "mailinator.com" },
        { "a@mailinator.com\n", "mailinator.com" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sv copy = exact(sv_cstr(rows[i].text)), rest = copy;
        struct host host;
        char found[200] = "";
        size_t n = 0;
        while (mail_domain_next(&rest, &host))
            n += (size_t)snprintf(found + n, sizeof found - n, "%s%s",
                                  n ? " " : "", host.text);
        assert_string_equal(found, rows[i].domains);
        exact_free(copy);
    }
}

static void find(unsigned places, const char *name, const char *query,
                 struct mail_texts *out)
{
#define FIELD(n, v)                                          \
    {                                                        \
        { n, sizeof(n) - 1 }, { v, sizeof(v) - 1 }, HN_OTHER \
    }
    static const struct http_field fields[] = {
        FIELD("X-Email", "a@x.com"),
        FIELD("x-email", "b@y.com"),
        FIELD("Cookie", "k=1; email=c%40z.com; email=d@w.com"),
    };
    memset(out, 0, sizeof *out);
    mail_find_head(places, sv_cstr(name), fields, ARRAY_LEN(fields),
                   sv_cstr(query), &arena, out);
}

static void heads_are_searched_where_the_profile_says(void **state)
{
    (void)state;
    struct mail_texts t;
    find(MAIL_IN_HEADER, "x-email", "x-email=q@q.com", &t);
    assert_int_equal(t.n, 2);
    assert_true(sv_eq(t.text[1], SV("b@y.com")));
    find(MAIL_IN_COOKIE, "email", "", &t);
    assert_int_equal(t.n, 2);
    assert_true(sv_eq(t.text[0], SV("c@z.com")));
    find(MAIL_IN_QUERY, "email", "a=1&em%61il=a%2Bb%40q.com&email=x@r.com", &t);
    assert_int_equal(t.n, 2);
    assert_true(sv_eq(t.text[0], SV("a+b@q.com")));
    find(MAIL_IN_QUERY | MAIL_IN_HEADER, "nothing", "email=x", &t);
    assert_int_equal(t.n, 0);
    find(MAIL_IN_QUERY, "e",
         "e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1&e=1",
         &t);
    assert_int_equal(t.n, MAIL_TEXTS_MAX);
    assert_true(t.over);
}

/* Names written in hex, however many, take none of the memory that the value
 * behind them needs. */
static void many_names_hide_none(void **state)
{
    static char query[20000];
    struct mail_texts t = { .n = 0 };
    struct arena small;
    char first[64];
    size_t n = 0;
    (void)state;
    while (n < sizeof query - 64)
        n += (size_t)snprintf(query + n, sizeof query - n, "%%%x=b&", 0x61);
    snprintf(query + n, sizeof query - n, "em%%61il=x%%40y.com");
    arena_init(&small, 0, first, sizeof first);
    mail_find_head(MAIL_IN_QUERY, SV("email"), NULL, 0, sv_cstr(query), &small,
                   &t);
    assert_int_equal(t.n, 1);
    assert_true(sv_eq(t.text[0], SV("x@y.com")));
    assert_false(t.over);
    arena_fini(&small);
}

static void bodies_are_searched_by_name_or_pointer(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type, *body, *first;
        unsigned n;
        int rc;
    } rows[] = {
        { "email", "application/json", "{\"email\":\"a@x.com\"}", "a@x.com", 1,
          0 },
        { "/user/mails", "application/json; charset=utf-8",
          "{\"user\":{\"mails\":[\"a@x.com\",1,\"b@y.com\"]}}", "a@x.com", 2,
          0 },
        { "/user/mails/1", "application/problem+json",
          "{\"user\":{\"mails\":[\"a@x.com\",\"b@y.com\"]}}", "b@y.com", 1, 0 },
        { "/a~1b", "Application/JSON", "{\"a/b\":\"c@x.com\"}", "c@x.com", 1,
          0 },
        { "email", "application/json", "{\"email\":7}", "", 0, 0 },
        { "email", "application/json", "[\"email\"]", "", 0, 0 },
        { "email", "application/json", "{\"email\":", "", 0, ERR_INVALID },
        { "email", "application/json", "{\"email\":\"a\",\"email\":\"b\"}", "",
          0, ERR_INVALID },
        { "email", "application/x-www-form-urlencoded",
          "a=1&email=a%2Bx%40x.com", "a+x@x.com", 1, 0 },
        { "/email", "application/x-www-form-urlencoded", "email=a%40x.com",
          "a@x.com", 1, 0 },
        { "email", "text/plain", "email=a@x.com", "", 0, 0 },
        { "email", "", "{\"email\":\"a@x.com\"}", "", 0, 0 },
        { "email", "application/json", "", "", 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mail_texts t = { .n = 0 };
        struct sv body = exact(sv_cstr(rows[i].body));
        int rc = mail_find_body(sv_cstr(rows[i].name), sv_cstr(rows[i].type),
                                body, &arena, &t);
        if (rc != rows[i].rc || t.n != rows[i].n ||
            (t.n && !sv_eq(t.text[0], sv_cstr(rows[i].first))))
            fail_msg("%s in %s: %d, %u", rows[i].name, rows[i].body, rc, t.n);
        exact_free(body);
    }
}

static void the_providers_are_domains_of_their_own(void **state)
{
    (void)state;
    size_t n = 0;
    struct mail_build *b = mail_build_new();
    for (; mail_providers[n]; n++)
        if (mail_build_add(b, sv_cstr(mail_providers[n]), MAIL_ALLOWED))
            fail_msg("%s", mail_providers[n]);
    assert_true(n >= 1000);
    mail_build_free(&b);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_list_knows_its_domains_and_no_others),
        CASE(what_is_no_domain_or_belongs_to_everybody_is_not_taken),
        CASE(many_domains_are_found_again_within_the_space),
        CASE(a_damaged_file_is_refused),
        CASE(a_list_is_opened_from_its_file),
        CASE(exceptions_win_then_the_blocklist_then_the_list),
        CASE(very_many_labels_cost_no_more),
        CASE(a_set_names_the_entry_that_is_no_domain),
        CASE(domains_are_found_in_what_people_write),
        CASE(heads_are_searched_where_the_profile_says),
        CASE(many_names_hide_none),
        CASE(bodies_are_searched_by_name_or_pointer),
        CASE(the_providers_are_domains_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
