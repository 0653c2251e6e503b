/* Nested prefixes become ranges that do not overlap, each with the entry that
 * holds it; a static tree over their starts finds the range of an address.
 *
 *   10.0.0.0/8 deny ───────────────────────┐   start      entry
 *        10.1.0.0/16 allow ─────┐          │   0.0.0.0    none
 *                               ▼          ▼   10.0.0.0   deny 0
 *   ···|dddddddddddd|aaaaaaaaaaa|dddddddddd|·· 10.1.0.0   allow 0
 *                                              10.2.0.0   deny 0
 *                                              11.0.0.0   none
 *
 * The tree is implicit: level 0 holds all starts, each further level the
 * first of every node of the level below. A node is a run of keys of one or
 * two cache lines, counted through without branches. Its depth follows the
 * number of ranges, never how they lie: nobody can make a list slow. */
#include "detect/network.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    NODE4 = 16, /* keys of a node: 64 bytes */
    NODE6 = 8,  /* 128 bytes */
    LEVELS_MAX = 8,
    LINE = 64,
    DEPTH_MAX = 2 * 129, /* prefixes around one address, of both lists */
};

__extension__ typedef unsigned __int128 u128;

struct key6 {
    uint64_t hi, lo;
};

struct tree {
    void *level[LEVELS_MAX]; /* uint32_t or struct key6 */
    uint32_t count[LEVELS_MAX];
    unsigned levels;
    uint32_t *entry; /* of each range: 0, or (index + 1) * 2 + deny */
};

struct network {
    struct tree v4, v6;
};

/* --- finding ----------------------------------------------------------------- */

/* The last range that starts at or before x. The first of a node is never
 * above x, since it was chosen on the level before. */
static uint32_t find4(const struct tree *t, uint32_t x)
{
    uint32_t at = 0;
    for (unsigned l = t->levels; l-- > 0;) {
        const uint32_t *node =
            (const uint32_t *)t->level[l] + (size_t)at * NODE4;
        uint32_t below = 0;
        for (int i = 0; i < NODE4; i++) below += node[i] <= x;
        at = at * NODE4 + below - 1;
        if (at >= t->count[l])
            at = t->count[l] - 1; /* filling behind the end */
    }
    return t->entry[at];
}

static uint32_t find6(const struct tree *t, struct key6 x)
{
    uint32_t at = 0;
    for (unsigned l = t->levels; l-- > 0;) {
        const struct key6 *node =
            (const struct key6 *)t->level[l] + (size_t)at * NODE6;
        uint32_t below = 0;
        for (int i = 0; i < NODE6; i++)
            below += (uint32_t)(node[i].hi < x.hi) |
                     ((uint32_t)(node[i].hi == x.hi) &
                      (uint32_t)(node[i].lo <= x.lo));
        at = at * NODE6 + below - 1;
        if (at >= t->count[l]) at = t->count[l] - 1;
    }
    return t->entry[at];
}

struct network_match network_find(const struct network *net,
                                  const struct ip *ip)
{
    uint32_t e;
    if (ip_is_v4(ip))
        e = find4(&net->v4, (uint32_t)load_be(ip->b + 12, 4));
    else
        e = find6(&net->v6,
                  (struct key6){ load_be(ip->b, 8), load_be(ip->b + 8, 8) });
    if (e == 0) return (struct network_match){ NETWORK_NONE, 0 };
    return (struct network_match){ e & 1 ? NETWORK_DENY : NETWORK_ALLOW,
                                   (e >> 1) - 1 };
}

/* --- from prefixes to ranges --------------------------------------------------- */

struct prefix {
    u128 first, last;
    uint32_t entry;
    uint8_t bits;
};

struct range {
    u128 first;
    uint32_t entry;
};

struct ranges {
    struct range *at;
    size_t n;
};

static bool is_v4(const struct cidr *c)
{
    return c->bits >= 96 && ip_is_v4(&c->ip);
}

static u128 value_of(const struct ip *ip)
{
    return (u128)load_be(ip->b, 8) << 64 | load_be(ip->b + 8, 8);
}

static u128 host_mask(unsigned bits)
{
    return bits == 0 ? ~(u128)0 : ((u128)1 << (128 - bits)) - 1;
}

static bool is_network(const struct cidr *c)
{
    return c->bits <= 128 && (value_of(&c->ip) & host_mask(c->bits)) == 0;
}

/* Outer before inner; of equal prefixes the denied one last, so that it is
 * the innermost. */
static int by_place(const void *left, const void *right)
{
    const struct prefix *a = left, *b = right;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    if (a->bits != b->bits) return a->bits < b->bits ? -1 : 1;
    if ((a->entry & 1) != (b->entry & 1)) return a->entry & 1 ? 1 : -1;
    return a->entry < b->entry ? -1 : a->entry > b->entry;
}

static void emit(struct ranges *r, u128 first, uint32_t entry)
{
    if (r->n && r->at[r->n - 1].first == first) r->n--;
    if (r->n && r->at[r->n - 1].entry == entry) return;
    r->at[r->n++] = (struct range){ first, entry };
}

/* Prefixes nest or are apart: a stack holds those around the present place. */
static void flatten(struct prefix *p, size_t n, u128 end, struct ranges *out)
{
    struct prefix stack[DEPTH_MAX];
    size_t depth = 0;
    if (n) qsort(p, n, sizeof *p, by_place);
    emit(out, 0, 0);
    for (size_t i = 0; i <= n; i++) {
        while (depth && (i == n || stack[depth - 1].last < p[i].first)) {
            u128 last = stack[--depth].last;
            if (last != end)
                emit(out, last + 1, depth ? stack[depth - 1].entry : 0);
        }
        if (i == n) break;
        /* the same prefix again: the later takes its place */
        if (depth && stack[depth - 1].first == p[i].first &&
            stack[depth - 1].bits == p[i].bits)
            depth--;
        ENSURE(depth < DEPTH_MAX);
        stack[depth++] = p[i];
        emit(out, p[i].first, p[i].entry);
    }
}

/* --- from ranges to the tree --------------------------------------------------- */

static void *alloc_lines(struct arena *a, size_t n)
{
    char *p = arena_alloc(a, n + LINE);
    return p ? p + (LINE - (uintptr_t)p % LINE) % LINE : NULL;
}

static void key_put(void *keys, size_t i, size_t key_size, u128 v)
{
    if (key_size == sizeof(uint32_t))
        ((uint32_t *)keys)[i] = (uint32_t)v;
    else
        ((struct key6 *)keys)[i] =
            (struct key6){ (uint64_t)(v >> 64), (uint64_t)v };
}

static size_t filled(size_t count, size_t node)
{
    return (count + node - 1) / node * node;
}

/* One block: the levels from below, then the entries. */
static int tree_build(struct arena *a, const struct ranges *r, size_t node,
                      size_t key_size, struct tree *t)
{
    size_t bytes = filled(r->n, node) * key_size;
    for (size_t n = r->n; n > node;) {
        n = filled(n, node) / node;
        bytes += filled(n, node) * key_size;
    }
    char *at = alloc_lines(a, bytes + r->n * sizeof *t->entry);
    if (!at) return ERR_NOMEM;
    for (size_t step = 1, n = r->n;; step *= node) {
        ENSURE(t->levels < LEVELS_MAX);
        for (size_t i = 0; i < filled(n, node); i++)
            key_put(at, i, key_size, i < n ? r->at[i * step].first : ~(u128)0);
        t->level[t->levels] = at;
        t->count[t->levels++] = (uint32_t)n;
        at += filled(n, node) * key_size;
        if (n <= node) break;
        n = filled(n, node) / node;
    }
    t->entry = (uint32_t *)at;
    for (size_t i = 0; i < r->n; i++) t->entry[i] = r->at[i].entry;
    return 0;
}

/* --- both ---------------------------------------------------------------------- */

struct build {
    struct prefix *prefixes;
    struct range *ranges;
    size_t n; /* prefixes of the family at hand */
};

static void collect(struct build *b, const struct cidr *list, size_t n,
                    bool deny, bool v4)
{
    for (size_t i = 0; i < n; i++) {
        if (is_v4(&list[i]) != v4) continue;
        u128 first = value_of(&list[i].ip), mask = host_mask(list[i].bits);
        if (v4) first &= UINT32_MAX; /* of the form ::ffff:a.b.c.d */
        b->prefixes[b->n++] =
            (struct prefix){ first, first | mask, (uint32_t)(i + 1) << 1 | deny,
                             list[i].bits };
    }
}

static int check(const struct cidr *list, size_t n, bool deny,
                 struct network_why *why)
{
    for (size_t i = 0; i < n; i++) {
        if (is_network(&list[i])) continue;
        *why = (struct network_why){ deny, i };
        return ERR_INVALID;
    }
    return 0;
}

int network_build(struct arena *a, const struct cidr *allow, size_t allow_n,
                  const struct cidr *deny, size_t deny_n,
                  const struct network **out, struct network_why *why)
{
    *out = NULL;
    if (allow_n > NETWORK_ENTRIES_MAX || deny_n > NETWORK_ENTRIES_MAX - allow_n)
        return ERR_TOOBIG;
    int rc = check(allow, allow_n, false, why);
    if (rc == 0) rc = check(deny, deny_n, true, why);
    if (rc) return rc;
    struct network *net = ARENA_NEW(a, struct network);
    size_t n = allow_n + deny_n;
    struct build b = {
        .prefixes = mem_alloc_try((n + 1) * sizeof *b.prefixes),
        .ranges = mem_alloc_try((2 * n + 1) * sizeof *b.ranges),
    };
    rc = net && b.prefixes && b.ranges ? 0 : ERR_NOMEM;
    for (int v4 = 0; v4 <= 1 && rc == 0; v4++) {
        struct ranges r = { .at = b.ranges };
        b.n = 0;
        collect(&b, allow, allow_n, false, v4);
        collect(&b, deny, deny_n, true, v4);
        flatten(b.prefixes, b.n, v4 ? UINT32_MAX : ~(u128)0, &r);
        rc = v4 ? tree_build(a, &r, NODE4, sizeof(uint32_t), &net->v4)
                : tree_build(a, &r, NODE6, sizeof(struct key6), &net->v6);
    }
    mem_free(b.prefixes);
    mem_free(b.ranges);
    if (rc == 0) *out = net;
    return rc;
}
