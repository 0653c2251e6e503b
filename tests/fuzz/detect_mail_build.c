/* A list of disposable domains from any names, one a line, "-" before those
 * that are allowed: the file that is written reads back, and in it each name is
 * found for what it is. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "detect/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES_MAX = 256 };

struct name {
    struct host host;
    bool allowed;
};

static size_t names_add(struct sv rest, struct mail_build *b,
                        struct name names[NAMES_MAX])
{
    size_t n = 0;
    while (rest.n && n < NAMES_MAX) {
        struct sv line = sv_cut(rest, '\n', &rest);
        struct name *to = &names[n];
        to->allowed = sv_starts(line, SV("-"));
        line = sv_from(line, to->allowed);
        int rc = mail_build_add(b, line, to->allowed ? MAIL_ALLOWED : 1);
        ENSURE(rc == 0 || rc == ERR_INVALID || rc == ERR_DENIED);
        if (rc || host_parse(line, false, &to->host)) continue;
        n++;
    }
    return n;
}

/* Who is allowed is so whatever else names him. */
static void ask(const struct mail_list *list, const struct name *name)
{
    struct sv domain = sv_of(name->host.text, name->host.n);
    struct mail_evidence e = { .sources = 0 };
    enum mail_verdict v = mail_check(NULL, NULL, list, domain, &e);
    ENSURE(v == MAIL_KNOWN || (v == MAIL_DISPOSABLE && !name->allowed));
    ENSURE(e.domain.n <= domain.n);
    ENSURE(v == MAIL_KNOWN || e.sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t key[2] = { 7, 11 };
    static struct name names[NAMES_MAX];
    struct mail_build *b = mail_build_new();
    struct mail_list list;
    struct buf bytes;
    size_t n = names_add(sv_of(data, size), b, names);
    buf_init(&bytes, MAIL_LIST_BYTES_MAX);
    ENSURE(mail_build_encode(b, key, SV("{}"), &bytes, NULL) == 0);
    ENSURE(mail_list_view(buf_sv(&bytes), &list) == 0);
    for (size_t i = 0; i < n; i++) ask(&list, &names[i]);
    buf_fini(&bytes);
    mail_build_free(&b);
    return 0;
}
