/* Host names: the form that we compare is a fixed point. */
#include <stdlib.h>

#include "codec/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of(data, size), name;
    uint16_t port;
    if (host_split(text, &name, &port)) return 0;
    must(name.n <= size);
    struct host host, again;
    if (host_parse(name, true, &host)) return 0;
    struct sv form = sv_of(host.text, host.n);
    must(host.n <= HOST_TEXT_MAX && host.text[host.n] == '\0');
    must(!host_parse(form, true, &again));
    must(again.kind == host.kind && again.n == host.n &&
         !memcmp(again.text, host.text, host.n));
    must(!host_parse(form, false, &again) == (host.kind != HOST_WILDCARD));
    return 0;
}
