/* PEM: as text, and as DER that we wrap, so that the fuzzer need not learn
 * base64: the first byte chooses the label. */
#include <openssl/pem.h>

#include "jose_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const labels[] = { PEM_STRING_PUBLIC,
                                          PEM_STRING_RSA_PUBLIC,
                                          PEM_STRING_X509 };
    keys_must_hold(sv_of(data, size));
    if (size < 2) return 0;
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    if (!out ||
        !PEM_write_bio(out, labels[data[0] % 3], "", data + 1, (long)size - 1))
        abort();
    long n = BIO_get_mem_data(out, &p);
    keys_must_hold(sv_of(p, (size_t)n));
    BIO_free(out);
    return 0;
}
