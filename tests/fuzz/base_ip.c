/* Addresses and networks: what is read is written back in one form, and that
 * form reads to the same value. */
#include <stdlib.h>

#include "base/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sv text = sv_of(data, size);
    struct ip ip, again;
    char out[IP_TEXT_MAX];
    if (ip_parse(text, &ip) == 0) {
        struct sv written = sv_of(out, ip_format(&ip, out));
        must(written.n <= IP_TEXT_MAX);
        must(ip_parse(written, &again) == 0 && ip_eq(&ip, &again));
        ip_special(&ip);
    }
    struct cidr net;
    if (cidr_parse(text, &net) == 0) {
        must(net.bits <= 128);
        must(cidr_has(&net, &net.ip));
    }
    if (size == sizeof ip.b) {
        memcpy(ip.b, data, size);
        struct sv written = sv_of(out, ip_format(&ip, out));
        must(ip_parse(written, &again) == 0 && ip_eq(&ip, &again));
        ip_special(&ip);
    }
    return 0;
}
