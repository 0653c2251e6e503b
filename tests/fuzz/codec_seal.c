/* Sealing: what is closed opens to the same under any history of the kept
 * context, and nothing else opens. */
#include <stdlib.h>

#include "codec/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sealer *kept;
    static uint8_t sealed[SEAL_TAG_BYTES + 4096], fresh[SEAL_TAG_BYTES + 4096];
    static uint8_t back[4096];
    static const uint8_t key[SEAL_KEY_BYTES] = { 7 };
    struct sealer *other;
    if (!kept) must(!sealer_new(&kept, key));
    must(seal_open(kept, sv_of(data, size < 4096 ? size : 4096), back) != 0);
    if (size == 0 || size > 4096) return 0;
    must(!seal_close(kept, sv_of(data, size), sealed));
    must(!sealer_new(&other, key));
    must(!seal_close(other, sv_of(data, size), fresh));
    sealer_free(&other);
    must(!memcmp(sealed, fresh, SEAL_TAG_BYTES + size));
    must(!seal_open(kept, sv_of(sealed, SEAL_TAG_BYTES + size), back));
    must(!memcmp(back, data, size));
    sealed[size % SEAL_TAG_BYTES] ^= 1;
    must(seal_open(kept, sv_of(sealed, SEAL_TAG_BYTES + size), back) != 0);
    return 0;
}
