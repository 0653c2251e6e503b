/* Writes small files in MaxMind's format, in either layout. For tests: the
 * tree is kept as a plain array of nodes. */
#ifndef SUPPORT_MMDB_WRITER_H
#define SUPPORT_MMDB_WRITER_H

#include "base/buf.h"
#include "base/ip.h"

enum mmdb_layout { MMDB_FLAT, MMDB_NESTED };

struct mmdb_place {
    const char *country;        /* NULL: not in the record */
    bool has_point;
    double latitude, longitude;
    unsigned radius_km, asn;    /* 0: not in the record */
    bool anycast;               /* nested only */
};

struct mmdb_writer {
    enum mmdb_layout layout;
    unsigned record_bits; /* 24, 28, 32 */
    bool v6;              /* IPv4 addresses then lie in ::/96 */
    uint32_t (*nodes)[2];
    uint32_t nodes_n, nodes_cap;
    struct buf data;
};

void mmdb_init(struct mmdb_writer *w, enum mmdb_layout layout,
               unsigned record_bits, bool v6);
/* "10.0.0.0/8"; shorter prefixes first: a later one lies inside. */
void mmdb_add(struct mmdb_writer *w, const char *network,
              const struct mmdb_place *place);
/* A record of one's own bytes. */
void mmdb_add_raw(struct mmdb_writer *w, const char *network, const void *p,
                  size_t n);
void mmdb_encode(const struct mmdb_writer *w, struct buf *out);
void mmdb_fini(struct mmdb_writer *w);
/* A file with these bytes; `path` gets its name (of at least 64 bytes). */
void mmdb_file(const struct buf *bytes, char *path);

#endif
