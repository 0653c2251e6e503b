/* The list of disposable domains: no file breaks the reader, and a look-up in
 * one that it takes ends. The sum is put right, so that damage gets through. */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "detect/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const asked[] = { "mailinator.com", "a.b.example.org",
                                         "x", "" };
    struct mail_list list;
    struct mail_evidence e;
    char *copy = mem_alloc(size + 1);
    if (size) memcpy(copy, data, size);
    if (size > 24 && !(data[size - 1] & 1)) {
        uint32_t crc = crc32c(0, copy + 24, size - 24);
        memcpy(copy + 20, &crc, sizeof crc);
    }
    if (mail_list_view(sv_of(copy, size), &list) == 0)
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
            mail_check(NULL, NULL, &list, sv_cstr(asked[i]), &e);
    mem_free(copy);
    return 0;
}
