/* The commands of `typeauth schema`. */
#ifndef MAIN_SCHEMA_H
#define MAIN_SCHEMA_H

#include <stdio.h>

#include "base/buf.h"
#include "codec/schema.h"

int schema_validate(int argc, char **argv);
void schema_validate_help(FILE *to);

/* Whole file, "-" standard input; false: said on standard error. */
bool schema_file_read(const char *path, size_t max, struct buf *out);
void schema_put_line_text(FILE *to, struct sv s);
void schema_put_violation(FILE *to, const struct schema_violation *v);

#endif
