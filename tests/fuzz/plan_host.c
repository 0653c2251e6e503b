/* Host names to keys: bounded, in one form, and stable: a key is its own. */
#include "base/ensure.h"
#include "plan/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void key_is_stable(struct sv key)
{
    char text[HOST_KEY_MAX + 2], again[HOST_KEY_MAX];
    bool literal = sv_find(key, ':') != SIZE_MAX;
    size_t n = 0;
    if (literal) text[n++] = '[';
    memcpy(text + n, key.p, key.n);
    n += key.n;
    if (literal) text[n++] = ']';
    /* "a.." is "a." and that again would be "a" */
    if (key.p[key.n - 1] == '.') return;
    ENSURE(sv_eq(sv_of(again, host_key(sv_of(text, n), again)), key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[HOST_KEY_MAX];
    struct sv in = sv_of(data, size);
    struct sv key = sv_of(out, host_key(in, out));
    ENSURE(key.n < HOST_KEY_MAX && key.n <= size + 8);
    for (size_t i = 0; i < key.n; i++)
        ENSURE(key.p[i] == ascii_lower(key.p[i]));
    if (key.n) {
        ENSURE(key.p[0] != '.');
        key_is_stable(key);
    }
    ENSURE(host_domain_key(in, out) < HOST_KEY_MAX);
    return 0;
}
