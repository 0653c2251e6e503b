/* The built-in list of disposable mail domains: one read-only file, mapped.
 *
 *   0    "typeauth mail\0\0\0"
 *   16   u32 version, in the byte order of the machine that wrote it
 *   20   u32 CRC-32C of everything from byte 24 on
 *   24   u64 slots, u64 disposable domains, u64 allowed domains
 *   48   u64[2] key of the hash
 *   64   u32 bytes of the note, u32 0
 *   72   the note: JSON, where the domains come from; zeros to 8
 *   …    u64[slots]: 60 bits of the keyed hash, 4 bits of sources; 0 empty
 *
 * An entry stands at its hash's place or right behind (no wrap-round; the last
 * slot is empty): 8 bytes a slot, 4 of 5 used, so 10 bytes a domain. Two
 * domains are mistaken for each other once in 10^12 look-ups. The sources are
 * bits: the note's list in order, and MAIL_ALLOWED for domains that no list
 * may have refused. */
#ifndef DETECT_MAIL_LIST_H
#define DETECT_MAIL_LIST_H

#include <stdatomic.h>

#include "base/buf.h"

enum {
    MAIL_SOURCES_MAX = 3,
    MAIL_ALLOWED = 8,            /* beside the bits of the sources */
    MAIL_LIST_BYTES_MAX = 64 << 20,
    MAIL_NOTE_BYTES_MAX = 64 << 10,
};

struct mail_list {
    struct sv bytes;       /* mapped, or the caller's */
    const uint64_t *slots;
    uint64_t slots_n, domains_n, allowed_n;
    uint64_t key[2];
    struct sv note;
};

/* Checks everything that a look-up relies on, and the sum. `bytes` is borrowed,
 * aligned to 8. ERR_CORRUPT, ERR_VERSION. */
int mail_list_view(struct sv bytes, struct mail_list *out);
/* Maps the file; it may be replaced (renamed over) meanwhile, never written.
 * ERR_NOTFOUND, ERR_IO, and as above. */
int mail_list_open(const char *path, struct mail_list *out);
void mail_list_close(struct mail_list *list); /* of mail_list_open */
/* The sources that name exactly this domain (our form: host.h); 0: none. Any
 * thread; one or two cache lines. */
unsigned mail_list_find(const struct mail_list *list, struct sv domain);

/* The list in force. Readers: between epoch marks; writer: one thread. */
struct mail_root {
    struct mail_list *_Atomic list; /* NULL: none */
};
static inline const struct mail_list *mail_root_get(const struct mail_root *r)
{
    return atomic_load(&r->list);
}
/* Maps the file and puts it in force; the old one is retired. As
 * mail_list_open, whose failure leaves the old one. */
int mail_root_load(struct mail_root *root, const char *path);
void mail_root_drop(struct mail_root *root);

/* --- making one ---------------------------------------------------------------
 * For the command line: grows on the heap. */
struct mail_build;
struct mail_build *mail_build_new(void);
void mail_build_free(struct mail_build **b);
/* `domain` as a list writes it. ERR_INVALID: no domain name; ERR_DENIED: a
 * public suffix under which anybody may register. */
int mail_build_add(struct mail_build *b, struct sv domain, unsigned sources);
/* Domains added, each as often as it was. */
size_t mail_build_count(const struct mail_build *b);
/* Those that are allowed lose their other sources; *conflicts (may be NULL)
 * says how many had some. `out` is appended to. ERR_TOOBIG. */
int mail_build_encode(struct mail_build *b, const uint64_t key[2],
                      struct sv note, struct buf *out, size_t *conflicts);

/* Mail providers with many customers, written by hand: NULL-ended. A list that
 * names one is wrong. */
extern const char *const mail_providers[];

#endif
