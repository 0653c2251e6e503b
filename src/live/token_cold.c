/* The cold part of a token (owner, scopes, tags, metadata, addresses) as one
 * immutable block, and own policies: both shared when equal.
 *
 * Metadata above 256 bytes lies in a file that has no name: it is made anew
 * from the store at each start and goes with the process. Extents of 512
 * bytes, with a list of free ones for each length. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "live/token_int.h"

enum {
    METADATA_INLINE_MAX = 256,
    METADATA_MAX = 16 << 10,
    UNIT = 512,
    LENGTHS = METADATA_MAX / UNIT,
};

struct extent {
    uint32_t unit, n; /* place in units, bytes; n 0: none */
};

struct free_list {
    uint32_t *unit, n, cap;
};

struct metadata_file {
    int fd;
    uint32_t end; /* in units */
    struct free_list free[LENGTHS + 1];
};

struct cold {
    struct shared shared;
    struct token_cold view;
    struct extent metadata;
    struct sv text; /* every text of the view, in one run: what is compared */
};

struct own_policy {
    struct shared shared;
    struct policy policy;
};

/* --- metadata file -------------------------------------------------------------- */
/* dir NULL: no file, all metadata stays in memory. */
int metadata_file_new(struct metadata_file **out, const char *dir)
{
    *out = NULL;
    if (!dir) return 0;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* file systems that cannot: by a name, for a moment */
        char path[4096];
        snprintf(path, sizeof path, "%s/metadata.XXXXXX", dir);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0) return err_from_errno(errno);
        unlink(path);
    }
    *out = NEW(struct metadata_file);
    (*out)->fd = fd;
    return 0;
}

void metadata_file_free(struct metadata_file **f)
{
    if (!*f) return;
    for (int i = 0; i <= LENGTHS; i++) mem_free((*f)->free[i].unit);
    close((*f)->fd);
    mem_free(*f);
    *f = NULL;
}

static uint32_t units_of(uint32_t bytes)
{
    return (bytes + UNIT - 1) / UNIT;
}

static int extent_write(struct metadata_file *f, struct sv s,
                        struct extent *out)
{
    uint32_t units = units_of((uint32_t)s.n);
    struct free_list *l = &f->free[units];
    uint32_t at = l->n ? l->unit[l->n - 1] : f->end;
    ssize_t n = pwrite(f->fd, s.p, s.n, (off_t)at * UNIT);
    if (n < 0) return err_from_errno(errno);
    if ((size_t)n != s.n) return ERR_FULL;
    if (l->n)
        l->n--;
    else
        f->end += units;
    *out = (struct extent){ at, (uint32_t)s.n };
    return 0;
}

static void extent_free(struct metadata_file *f, struct extent e)
{
    if (!e.n) return;
    struct free_list *l = &f->free[units_of(e.n)];
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->unit = mem_realloc(l->unit, l->cap * sizeof *l->unit);
    }
    l->unit[l->n++] = e.unit;
}

static int extent_read(const struct metadata_file *f, struct extent e,
                       char *out)
{
    ssize_t n = pread(f->fd, out, e.n, (off_t)e.unit * UNIT);
    if (n < 0) return err_from_errno(errno);
    return (uint32_t)n == e.n ? 0 : ERR_IO;
}

static bool extent_equal(const struct metadata_file *f, struct extent a,
                         struct extent b)
{
    if (a.n != b.n) return false;
    if (a.n == 0) return true;
    char *x = mem_alloc(2 * (size_t)a.n);
    bool equal = extent_read(f, a, x) == 0 && extent_read(f, b, x + a.n) == 0 &&
                 memcmp(x, x + a.n, a.n) == 0;
    mem_free(x);
    return equal;
}

/* --- building -------------------------------------------------------------------- */
/* Printable ASCII stays, but '%' (the code must be readable back) and, where
 * a space would be trimmed or separate, the space. */
size_t header_put(char *to, struct sv s, bool spaces)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool edge = i == 0 || i + 1 == s.n;
        bool plain =
            ch == ' ' ? spaces && !edge : ch > ' ' && ch < 127 && ch != '%';
        if (plain) {
            to[n++] = (char)ch;
        } else {
            to[n++] = '%';
            to[n++] = hex[ch >> 4];
            to[n++] = hex[ch & 15];
        }
    }
    return n;
}

static bool has_cold(const struct token_record *r)
{
    return r->name.n || r->owner.n || r->metadata.n || r->scopes_n ||
           r->tags_n || r->has_allow;
}

static size_t lists_bytes(const struct token_record *r)
{
    return ((size_t)r->scopes_n + r->tags_n) * sizeof(struct sv) +
           r->allow_n * sizeof(struct cidr);
}

static size_t text_max(const struct token_record *r)
{
    size_t n = r->name.n + r->owner.n * 4 + r->metadata.n;
    for (unsigned i = 0; i < r->scopes_n; i++) n += r->scopes[i].n * 4 + 1;
    for (unsigned i = 0; i < r->tags_n; i++) n += r->tags[i].n;
    return n;
}

static struct sv text_put(char **at, struct sv s)
{
    struct sv copy = { *at, s.n };
    if (s.n) memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

static const struct sv *list_put(char **at, struct sv *to,
                                 const struct sv *from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) to[i] = text_put(at, from[i]);
    return to;
}

static void headers_put(struct token_cold *v, char **at)
{
    char *begin = *at;
    *at += header_put(*at, v->owner, true);
    v->owner_header = sv_of(begin, (size_t)(*at - begin));
    begin = *at;
    for (unsigned i = 0; i < v->scopes_n; i++) {
        if (i) *(*at)++ = ' ';
        *at += header_put(*at, v->scopes[i], false);
    }
    v->scopes_header = sv_of(begin, (size_t)(*at - begin));
}

/* struct | scopes | tags | allow | text */
static struct cold *cold_fill(struct cold *b, const struct token_record *r)
{
    struct sv *scopes = (struct sv *)(b + 1), *tags = scopes + r->scopes_n;
    struct cidr *allow = (struct cidr *)(tags + r->tags_n);
    char *begin = (char *)(allow + r->allow_n), *at = begin;
    struct token_cold *v = &b->view;
    v->name = text_put(&at, r->name);
    v->owner = text_put(&at, r->owner);
    v->scopes = list_put(&at, scopes, r->scopes, r->scopes_n);
    v->tags = list_put(&at, tags, r->tags, r->tags_n);
    v->scopes_n = r->scopes_n;
    v->tags_n = r->tags_n;
    if (r->allow_n) memcpy(allow, r->allow, r->allow_n * sizeof *allow);
    v->allow = allow;
    v->allow_n = r->allow_n;
    v->has_allow = r->has_allow;
    if (!b->metadata.n) v->metadata = text_put(&at, r->metadata);
    v->metadata_in_file = b->metadata.n > 0;
    headers_put(v, &at);
    b->text = sv_of(begin, (size_t)(at - begin));
    return b;
}

int cold_build(struct metadata_file *f, const struct token_record *r,
               struct shared **out)
{
    struct extent e = { 0, 0 };
    *out = NULL;
    if (!has_cold(r)) return 0;
    if (r->metadata.n > METADATA_MAX) return ERR_TOOBIG;
    if (f && r->metadata.n > METADATA_INLINE_MAX) {
        int err = extent_write(f, r->metadata, &e);
        if (err) return err;
    }
    struct token_record small = *r;
    if (e.n) small.metadata = (struct sv){ NULL, 0 };
    size_t n = sizeof(struct cold) + lists_bytes(r) + text_max(&small);
    struct cold *b = mem_zalloc(n);
    b->metadata = e;
    cold_fill(b, &small);
    b->shared.bytes = (uint32_t)n;
    b->shared.hash = hash_sv(b->text) ^ (e.n ? hash_sv(r->metadata) : 0);
    *out = &b->shared;
    return 0;
}

static bool lengths_equal(const struct sv *a, const struct sv *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (a[i].n != b[i].n) return false;
    return true;
}

static bool cold_equal(const struct shared *sa, const struct shared *sb,
                       void *ctx)
{
    const struct cold *a = (const struct cold *)sa;
    const struct cold *b = (const struct cold *)sb;
    const struct token_cold *v = &a->view, *w = &b->view;
    if (v->scopes_n != w->scopes_n || v->tags_n != w->tags_n ||
        v->allow_n != w->allow_n || v->has_allow != w->has_allow ||
        v->name.n != w->name.n || v->owner.n != w->owner.n ||
        v->metadata.n != w->metadata.n || !sv_eq(a->text, b->text) ||
        !lengths_equal(v->scopes, w->scopes, v->scopes_n) ||
        !lengths_equal(v->tags, w->tags, v->tags_n))
        return false;
    for (unsigned i = 0; i < v->allow_n; i++)
        if (v->allow[i].bits != w->allow[i].bits ||
            !ip_eq(&v->allow[i].ip, &w->allow[i].ip))
            return false;
    return extent_equal(ctx, a->metadata, b->metadata);
}

static void cold_free(struct shared *s, void *ctx)
{
    struct cold *b = (struct cold *)s;
    if (b->metadata.n) extent_free(ctx, b->metadata);
    mem_free(b);
}

const struct shared_kind cold_kind = { cold_equal, cold_free };

const struct token_cold *cold_view(const struct shared *s)
{
    return s ? &((const struct cold *)s)->view : NULL;
}

int cold_metadata_read(const struct metadata_file *f,
                       const struct token_cold *view, char *out, size_t max,
                       size_t *n)
{
    const struct cold *b = CONTAINER_OF(view, const struct cold, view);
    *n = b->metadata.n ? b->metadata.n : view->metadata.n;
    if (*n > max) return ERR_TOOBIG;
    if (b->metadata.n) return extent_read(f, b->metadata, out);
    if (*n) memcpy(out, view->metadata.p, *n);
    return 0;
}

/* --- own policies ------------------------------------------------------------------ */
struct shared *policy_build(const struct policy *p)
{
    struct own_policy *own = NEW(struct own_policy);
    own->policy = *p;
    own->shared.hash = policy_hash(p);
    own->shared.bytes = sizeof *own;
    return &own->shared;
}

static bool own_policy_equal(const struct shared *a, const struct shared *b,
                             void *ctx)
{
    (void)ctx;
    return policy_equal(policy_view(a), policy_view(b));
}

static void own_policy_free(struct shared *s, void *ctx)
{
    (void)ctx;
    mem_free(s);
}

const struct shared_kind policy_kind = { own_policy_equal, own_policy_free };

const struct policy *policy_view(const struct shared *s)
{
    return s ? &((const struct own_policy *)s)->policy : NULL;
}
