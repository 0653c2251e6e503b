/* Which incidents of one reactor are told one by one, and which only counted.
 * A flood of equal refusals must neither fill the disk nor wash a rare finding
 * away (docs/decisions/0055):
 *
 *   incident ── kind has credit ──> ring, whole
 *            └─ else counted ── at the second's end ──> ring, one sum a kind
 *
 * A kind is application, door, code and the findings' codes. What finds no
 * room in the ring is counted like the rest; what finds no place among the
 * kinds is dropped, and that is counted too: incidents seen = told + in sums
 * + waiting + dropped, always.
 *
 * One thread adds; another takes from `ring`. */
#ifndef JOURNAL_SIEVE_H
#define JOURNAL_SIEVE_H

#include "journal/incident.h"
#include "journal/ring.h"

enum sieve_class { SIEVE_REFUSALS, SIEVE_FINDINGS, SIEVE_CLASSES };
enum { SIEVE_RING_BYTES = 64 << 10, SIEVE_SETS = 16, SIEVE_WAYS = 4,
       SIEVE_KINDS = SIEVE_SETS * SIEVE_WAYS };

struct sieve_kind;

struct sieve {
    struct ring ring;
    /* SIEVE_KINDS of each class: refusals take no place from findings; NULL
     * until one is needed */
    struct sieve_kind *kinds[SIEVE_CLASSES];
    uint64_t second;          /* of the credits */
    uint32_t credit[SIEVE_CLASSES]; /* of all kinds of the class together */
    uint64_t due_s;           /* when sums are told; 0: none waits */
    _Atomic uint64_t dropped; /* requests that are told of nowhere */
};

void sieve_init(struct sieve *s);
void sieve_fini(struct sieve *s);
static inline enum sieve_class sieve_class_of(uint8_t findings_n)
{
    return findings_n ? SIEVE_FINDINGS : SIEVE_REFUSALS;
}
/* Codes must be static texts. `i` is trimmed. Never allocates but the first
 * time. now_s: any clock that does not go backwards. */
void sieve_add(struct sieve *s, struct incident *i, uint64_t now_s);
/* Tells sums that are due. False: nothing waits. */
bool sieve_turn(struct sieve *s, uint64_t now_s);
/* Tells all sums, due or not; those that find no room go on waiting. */
void sieve_flush(struct sieve *s);

#endif
