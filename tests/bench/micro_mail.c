/* What the list of disposable domains costs: loading and looking up, on one
 * thread.
 *
 *   micro_mail [FILE]
 *
 * Without FILE, of 181,000 made-up domains. Best of nine rounds, 100,000
 * look-ups in turn. Not a test. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/rand.h"
#include "detect/mail.h"

enum { ROUNDS = 9, N = 181000, ASKED = 100000 };

static char texts[N][32];

static void list_write(const char *path)
{
    static const uint64_t key[2] = { 7, 11 };
    struct mail_build *b = mail_build_new();
    struct buf out;
    for (int i = 0; i < N; i++)
        ENSURE(mail_build_add(b, sv_cstr(texts[i]), 1) == 0);
    buf_init(&out, MAIL_LIST_BYTES_MAX);
    ENSURE(mail_build_encode(b, key, SV("{}"), &out, NULL) == 0);
    FILE *f = fopen(path, "w");
    ENSURE(f && fwrite(out.p, 1, out.n, f) == out.n && !fclose(f));
    buf_fini(&out);
    mail_build_free(&b);
}

static uint64_t load_ns(const char *path, struct mail_list *list)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        if (i) mail_list_close(list);
        uint64_t from = clock_thread_cpu_ns();
        ENSURE(mail_list_open(path, list) == 0);
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    return least;
}

static void look_up(const char *what, const struct mail_list *list,
                    const char *prefix, bool full)
{
    static char asked[ASKED][40];
    uint64_t least = UINT64_MAX;
    unsigned found = 0;
    for (int i = 0; i < ASKED; i++)
        snprintf(asked[i], sizeof asked[i], "%s%s", prefix, texts[rand() % N]);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t from = clock_thread_cpu_ns();
        for (int i = 0; i < ASKED; i++) {
            struct sv domain = sv_cstr(asked[i]);
            struct mail_evidence e;
            found += full ? mail_check(NULL, NULL, list, domain, &e) ==
                                MAIL_DISPOSABLE
                          : mail_list_find(list, domain) != 0;
        }
        uint64_t took = clock_thread_cpu_ns() - from;
        if (took < least) least = took;
    }
    printf("%-40s %7.1f ns (%u %% found)\n", what, (double)least / ASKED,
           found / (ROUNDS * ASKED / 100));
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/typeauth-mail-XXXXXX";
    const char *path = argc > 1 ? argv[1] : made;
    struct mail_list list;
    for (int i = 0; i < N; i++)
        snprintf(texts[i], sizeof texts[i], "d%x.example-%d.com",
                 (unsigned)i * 2654435761u, i % 97);
    if (argc < 2) {
        int fd = mkstemp(made);
        ENSURE(fd >= 0);
        close(fd);
        list_write(path);
    }
    uint64_t load = load_ns(path, &list);
    printf("%llu domains, %.1f bytes each, load %.2f ms\n",
           (unsigned long long)list.domains_n,
           (double)list.bytes.n / (double)(list.domains_n + list.allowed_n),
           (double)load / 1e6);
    look_up("find", &list, "", false);
    look_up("find, not there", &list, "x", false);
    look_up("check", &list, "", true);
    look_up("check, below a listed domain", &list, "abc.", true);
    mail_list_close(&list);
    if (argc < 2) unlink(made);
    return 0;
}
