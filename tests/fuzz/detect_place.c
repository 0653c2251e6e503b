/* A file in MaxMind's format, whatever it holds: opened and asked. */
#include <stdlib.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "detect/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) abort();
}

static void ask(const struct place_data *data, const struct ip *ip)
{
    struct place p;
    bool known = place_data_find(data, ip, &p);
    must(known == (p.country || p.has_point || p.asn || p.anycast));
    must(p.country <= COUNTRY_MAX);
    if (!p.has_point) return;
    must(p.latitude >= -90 && p.latitude <= 90);
    must(p.longitude >= -180 && p.longitude <= 180);
    must(p.radius_km >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const char *paths[] = { path };
    struct place_data *opened;
    struct place_why why = { 0 };
    struct ip ip = { { 0 } };
    int fd = memfd_create("place", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int rc = place_data_open(paths, 1, &opened, &why);
    must((rc == 0) == (opened != NULL) && (rc == 0 || why.reason));
    close(fd);
    for (size_t i = 0; opened && i < 16; i++) {
        /* each half of the IPv4 addresses' first bits, then IPv6 */
        memset(ip.b, 0, sizeof ip.b);
        if (i < 8) ip.b[10] = ip.b[11] = 0xff;
        ip.b[i < 8 ? 12 : 0] = (uint8_t)(i * 37);
        ask(opened, &ip);
        if (i < size) ip.b[15] = data[size - 1 - i];
        ask(opened, &ip);
    }
    place_data_free(&opened);
    return 0;
}
