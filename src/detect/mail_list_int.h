/* The file's form, between mail_list.c (reads) and mail_build.c (writes). */
#ifndef DETECT_MAIL_LIST_INT_H
#define DETECT_MAIL_LIST_INT_H

#include "detect/mail_list.h"

#define MAIL_MAGIC "typeauth mail\0\0" /* and the literal's own zero */

enum {
    MAIL_VERSION = 1,
    MAIL_SOURCE_BITS = 4,
    MAIL_SOURCE_MASK = 15,
    MAIL_RUN_MAX = 512, /* used slots in a row */
};

struct mail_header {
    char magic[16];
    uint32_t version, crc;
    uint64_t slots, domains, allowed;
    uint64_t key[2];
    uint32_t note_bytes, zero;
};
_Static_assert(sizeof(struct mail_header) == 72, "as mail_list.h says");

/* Where the entry of a hash would stand; the slots behind it leave room for
 * the last run. */
static inline uint64_t mail_place(uint64_t hash, uint64_t slots)
{
    return slots > MAIL_RUN_MAX + 1
               ? (hash >> 32) * (slots - MAIL_RUN_MAX - 1) >> 32
               : 0;
}

#endif
