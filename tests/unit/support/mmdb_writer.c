/* The format is described at https://maxmind.github.io/MaxMind-DB/. While the
 * tree grows, a record is: 0 nothing, n a node, LEAF | offset a value. */
#include "mmdb_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ensure.h"

#define LEAF 0x80000000u
enum { SEPARATOR = 16, BYTES_MAX = 64 << 20 };

static uint32_t node_new(struct mmdb_writer *w, uint32_t fill)
{
    if (w->nodes_n == w->nodes_cap) {
        w->nodes_cap = w->nodes_cap ? 2 * w->nodes_cap : 256;
        w->nodes = realloc(w->nodes, w->nodes_cap * sizeof *w->nodes);
        ENSURE(w->nodes);
    }
    w->nodes[w->nodes_n][0] = w->nodes[w->nodes_n][1] = fill;
    return w->nodes_n++;
}

void mmdb_init(struct mmdb_writer *w, enum mmdb_layout layout,
               unsigned record_bits, bool v6)
{
    *w = (struct mmdb_writer){ .layout = layout,
                               .record_bits = record_bits,
                               .v6 = v6 };
    buf_init(&w->data, BYTES_MAX);
    node_new(w, 0);
}

void mmdb_fini(struct mmdb_writer *w)
{
    free(w->nodes);
    buf_fini(&w->data);
}

/* --- values ------------------------------------------------------------------ */

static void put_be(struct buf *b, uint64_t v, int n)
{
    while (n-- > 0) buf_putc(b, (char)(v >> (8 * n)));
}

static void put_text(struct buf *b, const char *s)
{
    size_t n = strlen(s);
    ENSURE(n < 285);
    buf_putc(b, (char)(0x40 | (n < 29 ? n : 29)));
    if (n >= 29) buf_putc(b, (char)(n - 29));
    buf_puts(b, s);
}

static void put_map(struct buf *b, unsigned pairs)
{
    buf_putc(b, (char)(0xe0 | pairs));
}

static void put_number(struct buf *b, const char *key, uint32_t v)
{
    put_text(b, key);
    buf_putc(b, (char)0xc4);
    put_be(b, v, 4);
}

static void put_double(struct buf *b, const char *key, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_text(b, key);
    buf_putc(b, 0x68);
    put_be(b, bits, 8);
}

static void put_float(struct buf *b, const char *key, double v)
{
    float single = (float)v;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    put_text(b, key);
    buf_putc(b, 0x04); /* extended, 4 bytes */
    buf_putc(b, 15 - 7);
    put_be(b, bits, 4);
}

static void put_flat(struct buf *b, const struct mmdb_place *p)
{
    put_map(b,
            1u + !!p->country + 2u * p->has_point + !!p->radius_km + !!p->asn);
    put_text(b, "city");
    put_text(b, "Somewhere with a name of more than twenty-nine bytes");
    if (p->country) put_text(b, "country_code"), put_text(b, p->country);
    if (p->has_point) {
        put_float(b, "latitude", p->latitude);
        put_float(b, "longitude", p->longitude);
    }
    if (p->radius_km) put_number(b, "accuracy_radius", p->radius_km);
    if (p->asn) put_number(b, "autonomous_system_number", p->asn);
}

static void put_nested(struct buf *b, const struct mmdb_place *p)
{
    unsigned location = 2u * p->has_point + !!p->radius_km;
    unsigned traits = !!p->asn + (unsigned)p->anycast;
    put_map(b, 1u + !!p->country + !!location + !!traits);
    put_text(b, "city");
    put_map(b, 1);
    put_text(b, "names");
    put_map(b, 2);
    put_text(b, "de"), put_text(b, "Irgendwo");
    put_text(b, "en"), put_text(b, "Somewhere");
    if (p->country) {
        put_text(b, "country");
        put_map(b, 2);
        put_number(b, "geoname_id", 123456);
        put_text(b, "iso_code"), put_text(b, p->country);
    }
    if (location) {
        put_text(b, "location");
        put_map(b, location);
        if (p->radius_km) put_number(b, "accuracy_radius", p->radius_km);
        if (p->has_point) {
            put_double(b, "latitude", p->latitude);
            put_double(b, "longitude", p->longitude);
        }
    }
    if (!traits) return;
    put_text(b, "traits");
    put_map(b, traits);
    if (p->asn) put_number(b, "autonomous_system_number", p->asn);
    if (p->anycast) {
        put_text(b, "is_anycast");
        buf_putc(b, 0x01); /* extended: boolean, true */
        buf_putc(b, 14 - 7);
    }
}

/* --- tree -------------------------------------------------------------------- */

static void place_leaf(struct mmdb_writer *w, const char *network,
                       uint32_t leaf)
{
    struct cidr c;
    ENSURE(cidr_parse(sv_cstr(network), &c) == 0);
    unsigned first = 0;
    if (ip_is_v4(&c.ip) && c.bits >= 96) {
        memset(c.ip.b, 0, 12);
        if (!w->v6) first = 96;
    } else {
        ENSURE(w->v6);
    }
    uint32_t at = 0;
    for (unsigned i = first; i < c.bits; i++) {
        unsigned side = c.ip.b[i / 8] >> (7 - i % 8) & 1;
        uint32_t next = w->nodes[at][side];
        if (i + 1 == c.bits) {
            w->nodes[at][side] = leaf;
        } else if (next == 0 || next & LEAF) {
            uint32_t made = node_new(w, next);
            w->nodes[at][side] = made;
            next = made;
        }
        at = next;
    }
}

void mmdb_add_raw(struct mmdb_writer *w, const char *network, const void *p,
                  size_t n)
{
    uint32_t leaf = LEAF | (uint32_t)w->data.n;
    buf_put(&w->data, sv_of(p, n));
    place_leaf(w, network, leaf);
}

void mmdb_add(struct mmdb_writer *w, const char *network,
              const struct mmdb_place *place)
{
    uint32_t leaf = LEAF | (uint32_t)w->data.n;
    if (w->layout == MMDB_FLAT)
        put_flat(&w->data, place);
    else
        put_nested(&w->data, place);
    place_leaf(w, network, leaf);
}

static uint32_t record_of(const struct mmdb_writer *w, uint32_t r)
{
    if (r & LEAF) return w->nodes_n + SEPARATOR + (r & ~LEAF);
    return r ? r : w->nodes_n;
}

static void put_node(const struct mmdb_writer *w, uint32_t i, struct buf *out)
{
    uint32_t l = record_of(w, w->nodes[i][0]), r = record_of(w, w->nodes[i][1]);
    switch (w->record_bits) {
    case 24:
        put_be(out, l, 3);
        put_be(out, r, 3);
        break;
    case 28:
        put_be(out, l, 3);
        buf_putc(out, (char)((l >> 24 & 15) << 4 | (r >> 24 & 15)));
        put_be(out, r, 3);
        break;
    default: put_be(out, l, 4); put_be(out, r, 4);
    }
}

void mmdb_encode(const struct mmdb_writer *w, struct buf *out)
{
    for (uint32_t i = 0; i < w->nodes_n; i++) put_node(w, i, out);
    for (int i = 0; i < SEPARATOR; i++) buf_putc(out, 0);
    buf_put(out, buf_sv(&w->data));
    buf_puts(out, "\xab\xcd\xefMaxMind.com");
    put_map(out, 8);
    put_number(out, "binary_format_major_version", 2);
    put_number(out, "binary_format_minor_version", 0);
    put_text(out, "build_epoch");
    put_be(out, 0x0802, 2); /* extended, 8 bytes: uint64 */
    put_be(out, 1732392665, 8);
    put_text(out, "database_type");
    put_text(out, w->layout == MMDB_FLAT ? "flat" : "Test-City");
    put_text(out, "description");
    put_map(out, 0);
    put_number(out, "ip_version", w->v6 ? 6 : 4);
    put_number(out, "node_count", w->nodes_n);
    put_number(out, "record_size", w->record_bits);
    ENSURE(!out->overflow);
}

void mmdb_file(const struct buf *bytes, char *path)
{
    strcpy(path, "/tmp/typeauth-place-XXXXXX");
    int fd = mkstemp(path);
    ENSURE(fd >= 0);
    ENSURE(write(fd, bytes->p, bytes->n) == (ssize_t)bytes->n);
    close(fd);
}
