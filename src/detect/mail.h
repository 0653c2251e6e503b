/* Disposable e-mail (detectors.md §2): is the domain of an address, or a
 * parent of it, one that the application blocks, excepts, or that the built-in
 * list knows? Pure, but for the list's pages; any thread.
 *
 *   text -> mail_domain_next -> domain -> mail_check -> verdict, evidence */
#ifndef DETECT_MAIL_H
#define DETECT_MAIL_H

#include "base/arena.h"
#include "codec/host.h"
#include "detect/mail_list.h"

enum {
    MAIL_DOMAINS_MAX = 100000, /* of a blocklist, of exceptions */
    MAIL_ADDRESSES_MAX = 16,   /* looked at in one text */
    MAIL_PARENTS_MAX = 8,      /* looked up of one domain, the nearest to its
                                  end; and the domain itself */
};

/* The application's own domains, hashed; immutable, in an arena. */
struct mail_set;
/* Domains as people write them; one that is none: ERR_INVALID, *bad (may be
 * NULL) its index. A single label is a whole top-level domain. */
int mail_set_make(const struct sv *domains, size_t n, struct arena *a,
                  const struct mail_set **out, size_t *bad);
size_t mail_set_count(const struct mail_set *s); /* s may be NULL */

enum mail_verdict {
    MAIL_NONE,       /* nothing knows it */
    MAIL_EXCEPTED,   /* exceptions win over everything */
    MAIL_KNOWN,      /* the list's own allowed providers */
    MAIL_BLOCKED,    /* by the application's blocklist */
    MAIL_DISPOSABLE, /* by the list */
};
struct mail_evidence {
    struct sv domain;  /* the entry that decided: the domain or a parent; a
                          view into what was asked */
    unsigned sources;  /* MAIL_DISPOSABLE: bits of the list's sources */
};

/* `domain` in our form. Sets and list may be NULL. Of the list, parents count
 * down to the registrable domain and no further (public-suffix list). */
enum mail_verdict mail_check(const struct mail_set *blocklist,
                             const struct mail_set *exceptions,
                             const struct mail_list *list, struct sv domain,
                             struct mail_evidence *evidence);

/* The next domain of the addresses in *text, which moves on: "a@b",
 * "Name <a@b>", "mailto:a@b", lists by comma or semicolon, quoted local parts,
 * plus-addresses, trailing dots, IDN. What is no address is passed over.
 * False at the end. Allocates when the name is not ASCII. */
bool mail_domain_next(struct sv *text, struct host *out);

#endif
