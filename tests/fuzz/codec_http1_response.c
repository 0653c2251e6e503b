/* Answers: llhttp accepts what we accept, alike. The first byte says whether
 * it answers HEAD. */
#include "http1_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 30000) return 0;
    oracle_response(sv_of(data + 1, size - 1),
                    data[0] & 1 ? HTTP_HEAD : HTTP_GET);
    (void)oracle_request;
    return 0;
}
