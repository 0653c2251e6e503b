/* A segment's reader: no file breaks it, and what it takes for an incident is
 * one. Sums are put right where an odd last byte says so, so that damage gets
 * through to the decoder. */
#include <stdlib.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "journal/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_right(const struct segment *s, char *bytes, size_t n)
{
    uint32_t length;
    for (size_t at = SEGMENT_HEADER; at + SEGMENT_FRAME <= n;
         at += SEGMENT_FRAME + length) {
        memcpy(&length, bytes + at, sizeof length);
        if (length > n - at - SEGMENT_FRAME) break;
        segment_frame(s, bytes + at, length);
    }
}

static void read_all(const struct segment *s, struct sv rest)
{
    struct incident i;
    uint32_t size;
    char copy[INCIDENT_MAX];
    while (segment_record(s, rest, &i, &size) == 0) {
        /* decoded and encoded again it is the same, but for unused bytes */
        ENSURE(incident_size(&i) + SEGMENT_FRAME == size);
        incident_encode(&i, copy);
        struct incident again;
        ENSURE(incident_decode(sv_of(copy, incident_size(&i)), &again) == 0);
        rest = sv_from(rest, size);
    }
}

static void index_it(struct segment s, const char *bytes, size_t n)
{
    char path[] = "/tmp/typeauth-fuzz-XXXXXX";
    char *block = mem_alloc(SEGMENT_BLOCK_MAX);
    int fd = mkstemp(path);
    ENSURE(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    unlink(path);
    ENSURE(segment_index(&s, fd) == 0 && s.bytes <= n);
    for (uint32_t i = 0; i < s.blocks_n; i++) {
        ENSURE(s.blocks[i].bytes <= SEGMENT_BLOCK_MAX);
        ENSURE(segment_block_read(fd, &s.blocks[i], block) == 0);
    }
    close(fd);
    segment_fini(&s);
    mem_free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment s;
    char *copy = mem_alloc(size + SEGMENT_HEADER + 1);
    memcpy(copy, data, size);
    if (size > SEGMENT_HEADER && data[size - 1] & 1) {
        s = (struct segment){ .seq = 1 };
        memcpy(&s.first, data + 16, sizeof s.first);
        segment_header_encode(&s, copy);
        put_right(&s, copy, size);
    }
    if (segment_header_decode(sv_of(copy, size), &s) == 0) {
        read_all(&s, sv_from(sv_of(copy, size), SEGMENT_HEADER));
        index_it(s, copy, size);
    }
    mem_free(copy);
    return 0;
}
