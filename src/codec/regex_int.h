/* Between regex_parse.c (pattern to program) and regex.c (program to
 * automaton). The program is Thompson's: an instruction consumes one byte of
 * a set, splits, jumps, asserts, or says that all matched. */
#ifndef CODEC_REGEX_INT_H
#define CODEC_REGEX_INT_H

#include "codec/regex.h"

enum { REGEX_PROGRAM_MAX = 2048, REGEX_SETS_MAX = 256 };

struct regex_set {
    uint64_t w[4]; /* one bit a byte */
};

static inline bool regex_set_has(const struct regex_set *s, unsigned byte)
{
    return s->w[byte >> 6] >> (byte & 63) & 1;
}

enum regex_op {
    REGEX_BYTE,  /* x: its set; goes on behind */
    REGEX_SPLIT, /* x and y */
    REGEX_JUMP,  /* x */
    REGEX_BEGIN, /* at the text's beginning */
    REGEX_END,
    REGEX_WORD,     /* \b */
    REGEX_NOT_WORD, /* \B */
    REGEX_MATCH,
};

struct regex_step {
    uint8_t op;
    uint16_t x, y;
};

struct regex_program {
    struct regex_step step[REGEX_PROGRAM_MAX];
    struct regex_set set[REGEX_SETS_MAX];
    unsigned n, sets_n;
    bool has_words; /* \b or \B occurs */
};

/* ERR_INVALID with *why. */
int regex_parse(struct sv pattern, struct regex_program *out,
                struct regex_error *why);

#endif
