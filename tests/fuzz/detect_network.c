/* Lists of networks as text, one a line, "-" before those denied; the last
 * line is the address. What is found is what a plain reading finds. */
#include <stdlib.h>

#include "base/err.h"
#include "detect/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIST_MAX = 64 };

static void must(bool holds)
{
    if (!holds) abort();
}

static int longest(const struct cidr *list, size_t n, const struct ip *ip)
{
    int bits = -1;
    for (size_t i = 0; i < n; i++)
        if (cidr_has(&list[i], ip) && list[i].bits > bits) bits = list[i].bits;
    return bits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cidr list[2][LIST_MAX];
    size_t n[2] = { 0, 0 };
    struct sv rest = sv_of(data, size), line = { 0 };
    while (rest.n) {
        line = sv_cut(rest, '\n', &rest);
        bool deny = sv_starts(line, SV("-"));
        if (n[deny] < LIST_MAX &&
            cidr_parse(sv_from(line, deny), &list[deny][n[deny]]) == 0)
            n[deny]++;
    }
    struct arena a;
    const struct network *net;
    struct network_why why;
    arena_init(&a, 1 << 20, NULL, 0);
    must(network_build(&a, list[0], n[0], list[1], n[1], &net, &why) == 0);
    struct ip ip;
    if (ip_parse(line, &ip) < 0) memset(&ip, 0, sizeof ip);
    if (size >= sizeof ip && ip.b[0] == 0) memcpy(ip.b, data, sizeof ip.b);
    struct network_match m = network_find(net, &ip);
    int allowed = longest(list[0], n[0], &ip);
    int denied = longest(list[1], n[1], &ip);
    if (allowed < 0 && denied < 0)
        must(m.side == NETWORK_NONE);
    else if (denied >= allowed)
        must(m.side == NETWORK_DENY && list[1][m.index].bits == denied);
    else
        must(m.side == NETWORK_ALLOW && list[0][m.index].bits == allowed);
    arena_fini(&a);
    return 0;
}
