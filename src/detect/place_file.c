/* One mapped file in MaxMind's format:
 *
 *   tree: nodes of two records │ 16 zero bytes │ data │ marker │ metadata
 *
 * A record below the number of nodes is the next node; equal to it: nothing;
 * above it: an offset into data. Nothing here recurses: a value is skipped by
 * counting what is still to come. */
#include "detect/place_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

#define MARKER "\xab\xcd\xefMaxMind.com"
enum {
    MARKER_N = sizeof MARKER - 1,
    METADATA_MAX = 128 << 10,
    SEPARATOR = 16,
    V4_DEPTH = 96,
    V6_DEPTH = 128,
    HALVES = 1 << 16,
    HALVES_FROM = 1 << 14, /* nodes */
};

/* --- values ------------------------------------------------------------------ */

/* Are there n bytes at `at`? */
static bool has(const struct place_section *s, size_t at, size_t n)
{
    return at <= s->n && n <= s->n - at;
}

static bool is_container(enum place_type type)
{
    return type == PLACE_MAP || type == PLACE_ARRAY;
}

/* A pointer's target goes to `size`: 11, 19, 27 or 32 bits. */
static bool read_pointer(const struct place_section *s, unsigned control,
                         size_t at, struct place_value *out)
{
    static const uint32_t base[] = { 0, 2048, 526336, 0 };
    size_t n = (control >> 3 & 3) + 1;
    if (!has(s, at, n)) return false;
    uint32_t high = n == 4 ? 0 : (control & 7) << (8 * n);
    out->size = (high | (uint32_t)load_be(s->p + at, n)) + base[n - 1];
    out->at = out->next = at + n;
    return true;
}

/* The value as it stands there, pointers not followed. */
static bool read_here(struct place_walk *w, size_t at, struct place_value *out)
{
    const struct place_section *s = w->section;
    if (w->steps == 0 || !has(s, at, 1)) return false;
    w->steps--;
    unsigned control = s->p[at++], type = control >> 5;
    if (type == PLACE_POINTER) {
        out->type = PLACE_POINTER;
        return read_pointer(s, control, at, out);
    }
    if (type == 0) {
        if (!has(s, at, 1)) return false;
        type = s->p[at++] + 7u;
    }
    uint32_t size = control & 31;
    if (size >= 29) {
        static const uint32_t base[] = { 29, 285, 65821 };
        size_t n = size - 28;
        if (!has(s, at, n)) return false;
        size = base[n - 1] + (uint32_t)load_be(s->p + at, n);
        at += n;
    }
    out->type = (enum place_type)type;
    out->size = size;
    out->at = out->next = at;
    if (is_container(out->type) || out->type == PLACE_BOOLEAN) return true;
    out->next = at + size;
    return type <= PLACE_FLOAT && has(s, at, size);
}

bool place_value_read(struct place_walk *w, size_t offset,
                      struct place_value *out)
{
    if (!read_here(w, offset, out)) return false;
    if (out->type != PLACE_POINTER) return true;
    size_t next = out->next;
    if (!read_here(w, out->size, out) || out->type == PLACE_POINTER)
        return false;
    out->next = next;
    return true;
}

bool place_value_skip(struct place_walk *w, size_t offset, size_t *next)
{
    struct place_value v;
    for (uint64_t left = 1; left > 0; left--) {
        if (!read_here(w, offset, &v)) return false;
        offset = v.next;
        if (is_container(v.type))
            left += (uint64_t)v.size * (v.type == PLACE_MAP ? 2 : 1);
    }
    *next = offset;
    return true;
}

struct sv place_value_text(const struct place_walk *w,
                           const struct place_value *v)
{
    if (v->type != PLACE_TEXT) return SV("");
    return sv_of(w->section->p + v->at, v->size);
}

/* "-12.5", "AS15169" */
static bool text_number(struct sv s, double *out)
{
    bool negative = sv_starts(s, SV("-"));
    double unit = 0;
    *out = 0;
    s = sv_from(s, negative ? 1 : sv_starts(s, SV("AS")) ? 2 : 0);
    if (s.n == 0 || s.n > 20) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && unit == 0) {
            unit = 1;
            continue;
        }
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        *out = *out * 10 + (s.p[i] - '0');
        unit *= 10;
    }
    if (unit > 0) *out /= unit;
    if (negative) *out = -*out;
    return true;
}

bool place_value_number(const struct place_walk *w, const struct place_value *v,
                        double *out)
{
    const uint8_t *p = w->section->p + v->at;
    uint64_t bits = 0;
    float single;
    if (v->type != PLACE_TEXT && v->size <= 8) bits = load_be(p, v->size);
    switch (v->type) {
    case PLACE_TEXT: return text_number(place_value_text(w, v), out);
    case PLACE_DOUBLE: memcpy(out, &bits, sizeof *out); return v->size == 8;
    case PLACE_FLOAT: {
        uint32_t low = (uint32_t)bits;
        memcpy(&single, &low, sizeof single);
        *out = single;
        return v->size == 4;
    }
    case PLACE_UINT16:
    case PLACE_UINT32:
    case PLACE_UINT64: *out = (double)bits; return v->size <= 8;
    case PLACE_INT32: *out = (int32_t)bits; return v->size <= 4;
    default: return false;
    }
}

/* --- tree -------------------------------------------------------------------- */

static uint32_t record(const struct place_file *f, uint32_t node, unsigned side)
{
    const uint8_t *p = f->map + (size_t)node * (f->record_bits / 4);
    switch (f->record_bits) {
    case 24: p += side * 3; return (uint32_t)load_be(p, 3);
    case 28:
        return side ? (p[3] & 15u) << 24 | (uint32_t)load_be(p + 4, 3)
                    : (p[3] & 240u) << 20 | (uint32_t)load_be(p, 3);
    default: return (uint32_t)load_be(p + (size_t)side * 4, 4);
    }
}

/* From a record on, the bits of an address until a record is no node; *bits of
 * them are left. */
static uint32_t descend(const struct place_file *f, uint32_t at,
                        const uint8_t *bytes, unsigned *bits)
{
    unsigned i = 0;
    for (; i < *bits && at < f->nodes; i++)
        at = record(f, at, bytes[i / 8] >> (7 - i % 8) & 1);
    *bits -= i;
    return at;
}

static uint32_t descend_v4(const struct place_file *f, const uint8_t *bytes,
                           unsigned *bits)
{
    unsigned left = 32;
    uint32_t at = f->v4_start;
    if (f->v4_halves) {
        at = f->v4_halves[bytes[0] << 8 | bytes[1]];
        bytes += 2;
        left -= 16;
    }
    at = descend(f, at, bytes, &left);
    *bits = 32 - left;
    return at;
}

bool place_file_find(const struct place_file *f, const struct ip *ip,
                     size_t *offset, unsigned *bits)
{
    uint32_t at;
    *bits = 0;
    if (ip_is_v4(ip)) {
        at = descend_v4(f, ip->b + V4_DEPTH / 8, bits);
    } else if (f->v6) {
        unsigned left = V6_DEPTH;
        at = descend(f, 0, ip->b, &left);
        *bits = V6_DEPTH - left;
    } else {
        return false;
    }
    if (at <= f->nodes) return false; /* nothing; or the tree is too deep */
    uint32_t from_end = at - f->nodes;
    if (from_end < SEPARATOR) return false;
    *offset = from_end - SEPARATOR;
    if (*offset >= f->data.n) return false;
    __builtin_prefetch(f->data.p + *offset);
    __builtin_prefetch(f->data.p + *offset + 64);
    return true;
}

/* --- the file ------------------------------------------------------------------ */

/* The last marker begins the metadata. */
static bool find_metadata(struct place_file *f)
{
    size_t least = f->map_n > METADATA_MAX + MARKER_N
                       ? f->map_n - METADATA_MAX - MARKER_N
                       : 0;
    if (f->map_n < MARKER_N) return false;
    for (size_t at = f->map_n - MARKER_N + 1; at-- > least;)
        if (memcmp(f->map + at, MARKER, MARKER_N) == 0) {
            f->metadata = (struct place_section){ f->map + at + MARKER_N,
                                                  f->map_n - at - MARKER_N };
            f->data.n = at;
            return true;
        }
    return false;
}

struct facts {
    double nodes, record_bits, ip_version, major, built_s;
};

static bool read_metadata(struct place_file *f, struct facts *facts)
{
    const struct {
        const char *name;
        double *number;
    } rows[] = {
        { "node_count", &facts->nodes },
        { "record_size", &facts->record_bits },
        { "ip_version", &facts->ip_version },
        { "binary_format_major_version", &facts->major },
        { "build_epoch", &facts->built_s },
    };
    struct place_walk w = { &f->metadata, PLACE_STEPS };
    struct place_value map, key, v;
    if (!place_value_read(&w, 0, &map) || map.type != PLACE_MAP) return false;
    size_t at = map.at;
    for (uint32_t i = 0; i < map.size; i++) {
        if (!place_value_read(&w, at, &key)) return false;
        struct sv name = place_value_text(&w, &key);
        if (!place_value_read(&w, key.next, &v)) return false;
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            if (sv_eq(name, sv_cstr(rows[r].name)) &&
                !place_value_number(&w, &v, rows[r].number))
                return false;
        if (sv_eq(name, SV("database_type")))
            f->type = place_value_text(&w, &v);
        if (!place_value_skip(&w, key.next, &at)) return false;
    }
    return true;
}

/* A small tree is near enough without. */
static int read_halves(struct place_file *f)
{
    if (f->nodes < HALVES_FROM) return 0;
    f->v4_halves = mem_alloc_try(HALVES * sizeof f->v4_halves[0]);
    if (!f->v4_halves) return ERR_NOMEM;
    for (uint32_t i = 0; i < HALVES; i++) {
        const uint8_t half[2] = { (uint8_t)(i >> 8), (uint8_t)i };
        unsigned left = 16;
        f->v4_halves[i] = descend(f, f->v4_start, half, &left);
    }
    return 0;
}

static int prepare(struct place_file *f, const char **reason)
{
    static const uint8_t zeros[V4_DEPTH / 8];
    struct facts facts = { 0 };
    *reason = "no MaxMind metadata";
    if (!find_metadata(f) || !read_metadata(f, &facts)) return ERR_CORRUPT;
    *reason = "written in another version of the format";
    if (facts.major != 2) return ERR_VERSION;
    *reason = "metadata that contradicts itself or the file";
    if (facts.record_bits != 24 && facts.record_bits != 28 &&
        facts.record_bits != 32)
        return ERR_CORRUPT;
    if (facts.ip_version != 4 && facts.ip_version != 6) return ERR_CORRUPT;
    f->record_bits = (unsigned)facts.record_bits;
    f->v6 = facts.ip_version == 6;
    /* f->data.n is still all before the metadata */
    if (!(facts.nodes >= 1 && facts.nodes < UINT32_MAX)) return ERR_CORRUPT;
    f->nodes = (uint32_t)facts.nodes;
    uint64_t tree = (uint64_t)f->nodes * (f->record_bits / 4) + SEPARATOR;
    if (tree >= f->data.n) return ERR_CORRUPT;
    f->data.p = f->map + tree;
    f->data.n -= (size_t)tree;
    if (facts.built_s > 0 && facts.built_s < 1e12)
        f->built_s = (int64_t)facts.built_s;
    unsigned left = V4_DEPTH;
    f->v4_start = f->v6 ? descend(f, 0, zeros, &left) : 0;
    return read_halves(f);
}

static int map_file(int fd, struct place_file *f)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return err_from_errno(errno);
    if (!S_ISREG(st.st_mode) || st.st_size <= 0) return ERR_CORRUPT;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return err_from_errno(errno);
    f->map = p;
    f->map_n = (size_t)st.st_size;
    return 0;
}

int place_file_open(const char *path, struct place_file *out,
                    const char **reason)
{
    *out = (struct place_file){ 0 };
    *reason = "cannot be read";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return err_from_errno(errno);
    int rc = map_file(fd, out);
    close(fd);
    if (rc == 0) rc = prepare(out, reason);
    if (rc) place_file_close(out);
    return rc;
}

void place_file_close(struct place_file *f)
{
    if (f->map) munmap((void *)(uintptr_t)f->map, f->map_n);
    f->map = NULL;
    mem_free(f->v4_halves);
    f->v4_halves = NULL;
}
