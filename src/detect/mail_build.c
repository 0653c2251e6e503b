/* Making the list: domains are brought to our form, hashed, sorted, and laid
 * out each at its place or right behind. */
#include <libpsl.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/host.h"
#include "detect/mail_list_int.h"

enum { DOMAINS_MAX = 4 << 20 };

struct entry {
    uint64_t hash;
    unsigned sources;
};

struct mail_build {
    char *text; /* the domains in our form, each with a NUL */
    size_t text_n, text_cap;
    unsigned *sources; /* of each domain */
    size_t n, cap;
};

struct mail_build *mail_build_new(void)
{
    return NEW(struct mail_build);
}

void mail_build_free(struct mail_build **b)
{
    if (!*b) return;
    mem_free((*b)->text);
    mem_free((*b)->sources);
    mem_free(*b);
    *b = NULL;
}

size_t mail_build_count(const struct mail_build *b)
{
    return b->n;
}

static int room(struct mail_build *b, size_t bytes)
{
    if (b->n == DOMAINS_MAX) return ERR_TOOBIG;
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 4096;
        unsigned *p = mem_realloc_try(b->sources, cap * sizeof *p);
        if (!p) return ERR_NOMEM;
        b->sources = p;
        b->cap = cap;
    }
    if (b->text_n + bytes > b->text_cap) {
        size_t cap = b->text_cap ? 2 * b->text_cap : 1 << 16;
        char *p = mem_realloc_try(b->text, cap);
        if (!p) return ERR_NOMEM;
        b->text = p;
        b->text_cap = cap;
    }
    return 0;
}

int mail_build_add(struct mail_build *b, struct sv domain, unsigned sources)
{
    struct host host;
    if (host_parse(domain, false, &host) || host.kind != HOST_NAME)
        return ERR_INVALID;
    if (psl_is_public_suffix2(psl_builtin(), host.text,
                              PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) ||
        !strchr(host.text, '.'))
        return ERR_DENIED;
    int rc = room(b, host.n + 1u);
    if (rc) return rc;
    memcpy(b->text + b->text_n, host.text, host.n + 1u);
    b->text_n += host.n + 1u;
    b->sources[b->n++] = sources & MAIL_SOURCE_MASK;
    return 0;
}

static int by_hash(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* The entries in order, one a hash; the allowed are nothing else. */
static size_t entries_make(const struct mail_build *b, const uint64_t key[2],
                           struct entry *e, struct mail_header *h,
                           size_t *conflicts)
{
    const char *text = b->text;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct sv domain = sv_cstr(text);
        e[i] = (struct entry){ hash_sv_keyed(domain, key) &
                                   ~(uint64_t)MAIL_SOURCE_MASK,
                               b->sources[i] };
        text += domain.n + 1;
    }
    qsort(e, b->n, sizeof *e, by_hash);
    for (size_t i = 0; i < b->n; i++)
        if (n > 0 && e[n - 1].hash == e[i].hash)
            e[n - 1].sources |= e[i].sources;
        else
            e[n++] = e[i];
    *conflicts = 0;
    for (size_t i = 0; i < n; i++) {
        bool allowed = e[i].sources & MAIL_ALLOWED;
        *conflicts += allowed && e[i].sources != MAIL_ALLOWED;
        if (allowed) e[i].sources = MAIL_ALLOWED;
        h->allowed += allowed;
        h->domains += !allowed;
    }
    return n;
}

static int slots_fill(const struct entry *e, size_t n, uint64_t *slots,
                      uint64_t slots_n)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t place = mail_place(e[i].hash, slots_n);
        if (place > at) at = place;
        if (at - place >= MAIL_RUN_MAX || at + 1 >= slots_n) return ERR_TOOBIG;
        slots[at++] = e[i].hash | e[i].sources;
    }
    return 0;
}

static int write_out(struct mail_header *h, const struct entry *e, size_t n,
                     struct sv note, struct buf *out)
{
    size_t start = out->n, note_room = (note.n + 7) / 8 * 8;
    size_t bytes = sizeof *h + note_room + h->slots * 8;
    if (bytes > MAIL_LIST_BYTES_MAX) return ERR_TOOBIG;
    char *to = buf_reserve(out, bytes);
    uint64_t *slots = mem_alloc_try(h->slots * sizeof *slots);
    if (!to || !slots) {
        mem_free(slots);
        return ERR_TOOBIG;
    }
    memset(slots, 0, h->slots * sizeof *slots);
    int rc = slots_fill(e, n, slots, h->slots);
    memset(to, 0, bytes);
    if (note.n) memcpy(to + sizeof *h, note.p, note.n);
    memcpy(to + sizeof *h + note_room, slots, h->slots * sizeof *slots);
    memcpy(to, h, sizeof *h);
    size_t at = offsetof(struct mail_header, slots);
    h->crc = crc32c(0, to + at, bytes - at);
    memcpy(to, h, sizeof *h);
    out->n = start + bytes;
    mem_free(slots);
    return rc;
}

int mail_build_encode(struct mail_build *b, const uint64_t key[2],
                      struct sv note, struct buf *out, size_t *conflicts)
{
    struct mail_header h = { .magic = MAIL_MAGIC,
                             .version = MAIL_VERSION,
                             .key = { key[0], key[1] },
                             .note_bytes = (uint32_t)note.n };
    size_t ignored;
    if (note.n > MAIL_NOTE_BYTES_MAX) return ERR_TOOBIG;
    struct entry *e = mem_alloc_try((b->n + 1) * sizeof *e);
    if (!e) return ERR_NOMEM;
    size_t n = entries_make(b, key, e, &h, conflicts ? conflicts : &ignored);
    h.slots = n + n / 4 + MAIL_RUN_MAX + 2;
    int rc = write_out(&h, e, n, note, out);
    mem_free(e);
    return rc;
}
