/* A file of incidents in the order of their ids: appended to by one thread,
 * never changed, removed whole.
 *
 *   header | record | record | ...
 *   record   u32 length, u32 CRC-32C of (seed, length, incident) | incident
 *
 * The seed is the file's own, random: bytes of another file, or that somebody
 * sent as a path, are no record here. Reading ends at the first record that is
 * damaged; what lies before it is whole.
 *
 * An index of blocks (about 32 KiB of records each) says where to look; it is
 * made by reading the file once, or while it is written. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "journal/incident.h"

enum {
    SEGMENT_HEADER = 40,
    SEGMENT_FRAME = 8,
    SEGMENT_BYTES_MAX = 64 << 20, /* nothing behind it is read */
    SEGMENT_BLOCK = 32 << 10, /* a block ends with the record that reaches it */
    SEGMENT_BLOCK_MAX = SEGMENT_BLOCK + SEGMENT_FRAME + INCIDENT_MAX,
};

struct segment_block {
    uint32_t at, bytes;
    struct ulid first, last;
    int64_t min_ms, max_ms; /* of at_ms */
    uint64_t accounts;      /* a bit each, by segment_account_bit */
};

struct segment {
    uint32_t seq, seed;
    struct ulid first;      /* of the first record; also while unindexed */
    uint32_t bytes;         /* of the file that hold records, header included */
    uint64_t file_bytes;    /* of the file; the archive's to keep */
    bool indexed;
    bool damaged;           /* the index ended before the file */
    struct segment_block *blocks;
    uint32_t blocks_n, blocks_cap;
};

uint64_t segment_account_bit(const struct ulid *account);

/* --- reading: from memory, so that any bytes can be tried -------------------- */
/* ERR_CORRUPT: not the beginning of a segment. */
int segment_header_decode(struct sv bytes, struct segment *out);
/* The bytes of the incident at the front of `bytes`, whole but not decoded, at
 * least INCIDENT_MIN. Errors as segment_record. */
int segment_check(const struct segment *s, struct sv bytes,
                  struct sv *incident_out);
/* The record at the front of `bytes`; *size_out is its length with
 * the frame. ERR_CORRUPT; ERR_NOTFOUND: `bytes`
 * is empty; ERR_AGAIN: it may go on behind them. */
int segment_record(const struct segment *s, struct sv bytes,
                   struct incident *out, uint32_t *size_out);
/* Enters a record that lies at `at` into the index. */
void segment_index_add(struct segment *s, uint32_t at, uint32_t size,
                       const struct incident *i);

/* --- writing ------------------------------------------------------------------ */
void segment_header_encode(const struct segment *s, char out[SEGMENT_HEADER]);
/* Fills the frame in front of an encoded incident of n bytes. */
void segment_frame(const struct segment *s, char *frame, uint32_t n);

/* --- files --------------------------------------------------------------------- */
/* Reads the file: blocks, bytes, damaged. A failure to read leaves it to be
 * gone on with. */
int segment_index(struct segment *s, int fd);
/* A block's records into `out` (SEGMENT_BLOCK_MAX); ERR_IO, ERR_CORRUPT. */
int segment_block_read(int fd, const struct segment_block *b, char *out);
void segment_fini(struct segment *s);

#endif
