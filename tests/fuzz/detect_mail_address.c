/* Mail addresses in any text, header, query or body: what is found is a domain
 * in our form, and the judge takes it. */
#include "base/ensure.h"
#include "base/err.h"
#include "detect/mail.h"
#include "detect/mail_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct sv text)
{
    static const struct sv blocked[] = { { "example.com", 11 } };
    char memory[1024];
    struct arena a;
    const struct mail_set *set;
    struct mail_evidence e;
    struct host host;
    arena_init(&a, 0, memory, sizeof memory);
    ENSURE(mail_set_make(blocked, 1, &a, &set, NULL) == 0);
    while (mail_domain_next(&text, &host)) {
        struct host again;
        struct sv domain = sv_of(host.text, host.n);
        ENSURE(host_parse(domain, false, &again) == 0);
        ENSURE(again.n == host.n && !strcmp(again.text, host.text));
        mail_check(set, set, NULL, domain, &e);
        ENSURE(e.domain.n <= domain.n);
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv rest, name = sv_cut(sv_of(data, size), '\n', &rest);
    struct http_field fields[] = { { name, rest, HN_OTHER },
                                   { SV("cookie"), rest, HN_OTHER } };
    struct mail_texts t = { .n = 0 };
    struct arena a;
    arena_init(&a, 1 << 20, NULL, 0);
    mail_find_head(MAIL_IN_HEADER | MAIL_IN_COOKIE | MAIL_IN_QUERY, name,
                   fields, 2, rest, &a, &t);
    mail_find_body(name, SV("application/json"), rest, &a, &t);
    mail_find_body(name, SV("application/x-www-form-urlencoded"), rest, &a, &t);
    for (unsigned i = 0; i < t.n; i++) judge(t.text[i]);
    judge(sv_of(data, size));
    arena_fini(&a);
    return 0;
}
