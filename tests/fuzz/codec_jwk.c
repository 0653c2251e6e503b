/* JWK and JWK sets: no text breaks the reader, and under no key that it takes
 * is a signature of zeros good. */
#include "jose_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    keys_must_hold(sv_of(data, size));
    return 0;
}
