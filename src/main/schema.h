/* The commands of `typeauth schema`. */
#ifndef MAIN_SCHEMA_H
#define MAIN_SCHEMA_H

#include <stdio.h>

#include "base/buf.h"
#include "codec/schema.h"

int schema_validate(int argc, char **argv);
void schema_validate_help(FILE *to);

int schema_check(int argc, char **argv);
void schema_check_help(FILE *to);

enum {
    SCHEMA_LINE_BYTES_MAX = 8 << 20,
    SCHEMA_BUDGET_NS = 50 * 1000 * 1000,
};

/* Calls for each line; of one that is too long only a byte more than allowed
 * is given. True if it was true for all. */
bool schema_lines_read(FILE *in, bool (*each)(void *context, struct sv line),
                       void *context);
/* Whole file, "-" standard input; false: said on standard error. */
bool schema_file_read(const char *path, size_t max, struct buf *out);
void schema_put_line_text(FILE *to, struct sv s);
void schema_put_violation(FILE *to, const struct schema_violation *v);

#endif
