/* Segments: frames, the index, reading. */
#include "journal/segment.h"

#include <errno.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

struct header {
    char magic[8];
    uint32_t seq, seed;
    struct ulid first;
    uint32_t crc; /* of all before it */
    uint32_t zero;
};
_Static_assert(sizeof(struct header) == SEGMENT_HEADER, "the form on the disk");
static const char MAGIC[8] = "TAevts01";

struct frame {
    uint32_t length, crc;
};
_Static_assert(sizeof(struct frame) == SEGMENT_FRAME, "the form on the disk");

enum { READ_BYTES = 128 << 10 };

uint64_t segment_account_bit(const struct ulid *account)
{
    return UINT64_C(1) << (account->b[15] & 63); /* the ULID's randomness */
}

/* --- header ------------------------------------------------------------------- */

void segment_header_encode(const struct segment *s, char out[SEGMENT_HEADER])
{
    struct header h = { .seq = s->seq, .seed = s->seed, .first = s->first };
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.crc = crc32c(0, &h, offsetof(struct header, crc));
    memcpy(out, &h, sizeof h);
}

int segment_header_decode(struct sv bytes, struct segment *out)
{
    struct header h;
    if (bytes.n < sizeof h) return ERR_CORRUPT;
    memcpy(&h, bytes.p, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof MAGIC) != 0 || h.zero ||
        h.crc != crc32c(0, &h, offsetof(struct header, crc)))
        return ERR_CORRUPT;
    *out = (struct segment){
        .seq = h.seq, .seed = h.seed, .first = h.first, .bytes = SEGMENT_HEADER
    };
    return 0;
}

/* --- records -------------------------------------------------------------------- */

static uint32_t sum_of(const struct segment *s, uint32_t length,
                       const char *incident)
{
    uint32_t salt[2] = { s->seed, length };
    return crc32c(crc32c(0, salt, sizeof salt), incident, length);
}

void segment_frame(const struct segment *s, char *at, uint32_t n)
{
    struct frame f = { .length = n, .crc = sum_of(s, n, at + sizeof f) };
    memcpy(at, &f, sizeof f);
}

int segment_check(const struct segment *s, struct sv bytes,
                  struct sv *incident_out)
{
    struct frame f;
    if (!bytes.n) return ERR_NOTFOUND;
    if (bytes.n < sizeof f) return ERR_AGAIN;
    memcpy(&f, bytes.p, sizeof f);
    if (f.length < INCIDENT_MIN || f.length > INCIDENT_MAX) return ERR_CORRUPT;
    if (bytes.n - sizeof f < f.length) return ERR_AGAIN;
    *incident_out = sv_of(bytes.p + sizeof f, f.length);
    return f.crc == sum_of(s, f.length, incident_out->p) ? 0 : ERR_CORRUPT;
}

int segment_record(const struct segment *s, struct sv bytes,
                   struct incident *out, uint32_t *size_out)
{
    struct sv incident;
    int err = segment_check(s, bytes, &incident);
    if (err) return err;
    *size_out = (uint32_t)(SEGMENT_FRAME + incident.n);
    return incident_decode(incident, out) ? ERR_CORRUPT : 0;
}

/* --- the index -------------------------------------------------------------------- */

static struct segment_block *block_new(struct segment *s, uint32_t at,
                                       const struct incident *i)
{
    if (s->blocks_n == s->blocks_cap) {
        s->blocks_cap = s->blocks_cap ? 2 * s->blocks_cap : 8;
        s->blocks = mem_realloc(s->blocks, s->blocks_cap * sizeof *s->blocks);
    }
    ENSURE(s->blocks);
    struct segment_block *b = &s->blocks[s->blocks_n++];
    *b = (struct segment_block){
        .at = at, .first = i->id, .min_ms = i->at_ms, .max_ms = i->at_ms
    };
    return b;
}

void segment_index_add(struct segment *s, uint32_t at, uint32_t size,
                       const struct incident *i)
{
    struct segment_block *b = s->blocks_n ? &s->blocks[s->blocks_n - 1] : NULL;
    if (!b || b->bytes >= SEGMENT_BLOCK) b = block_new(s, at, i);
    b->bytes += size;
    b->last = i->id;
    b->accounts |= segment_account_bit(&i->account);
    if (i->at_ms < b->min_ms) b->min_ms = i->at_ms;
    if (i->at_ms > b->max_ms) b->max_ms = i->at_ms;
    s->bytes = at + size;
}

static int read_at(int fd, char *out, size_t n, uint32_t at, size_t *n_out)
{
    *n_out = 0;
    while (*n_out < n) {
        ssize_t got =
            pread(fd, out + *n_out, n - *n_out, (off_t)at + (off_t)*n_out);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_from_errno(errno);
        if (got == 0) break;
        *n_out += (size_t)got;
    }
    return 0;
}

/* All whole records of `bytes`, which lie behind s->bytes. Ids must rise: what
 * does not was not written by us. */
static int index_bytes(struct segment *s, struct sv bytes)
{
    struct incident i;
    uint32_t size;
    int err;
    while ((err = segment_record(s, bytes, &i, &size)) == 0) {
        const struct segment_block *b =
            s->blocks_n ? &s->blocks[s->blocks_n - 1] : NULL;
        if (b ? ulid_cmp(&i.id, &b->last) <= 0 : ulid_cmp(&i.id, &s->first))
            return ERR_CORRUPT;
        segment_index_add(s, s->bytes, size, &i);
        bytes = sv_from(bytes, size);
    }
    return err;
}

int segment_index(struct segment *s, int fd)
{
    char *piece = mem_alloc(READ_BYTES);
    size_t n = 0;
    int err = 0, failed = 0;
    do {
        failed = read_at(fd, piece, READ_BYTES, s->bytes, &n);
        if (!failed) err = index_bytes(s, sv_of(piece, n));
    } while (!failed && n == READ_BYTES && s->bytes < SEGMENT_BYTES_MAX &&
             (err == ERR_AGAIN || err == ERR_NOTFOUND));
    mem_free(piece);
    s->indexed = !failed;
    s->damaged = err != ERR_NOTFOUND;
    return failed;
}

int segment_block_read(int fd, const struct segment_block *b, char *out)
{
    size_t n;
    int err = read_at(fd, out, b->bytes, b->at, &n);
    return err ? err : n == b->bytes ? 0 : ERR_CORRUPT;
}

void segment_fini(struct segment *s)
{
    mem_free(s->blocks);
    s->blocks = NULL;
    s->blocks_n = s->blocks_cap = 0;
}
