/* Reads the text of /metrics (Prometheus exposition format 0.0.4) as we write
 * it: HELP, TYPE, then the samples of that metric. Pure. */
#ifndef CODEC_EXPOSITION_H
#define CODEC_EXPOSITION_H

#include "base/sv.h"

enum { EXPOSITION_LABELS_MAX = 8 };

struct exposition_label {
    struct sv name, value; /* value as written: escapes not undone */
};

struct exposition {
    struct sv rest;        /* asked: the text */
    struct sv metric, type, help; /* of which the sample is */
    struct sv name, value; /* name: the metric's, or with _bucket, _sum … */
    struct exposition_label labels[EXPOSITION_LABELS_MAX];
    unsigned labels_n;
};

/* The next sample; false: there is none. What cannot be read is passed over. */
bool exposition_next(struct exposition *e);
/* p NULL: it has none of that name. */
struct sv exposition_label(const struct exposition *e, struct sv name);

#endif
