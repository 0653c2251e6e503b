/* `typeauth schema`: what the gateway would say of JSON values and of
 * requests, and what is wrong with a schema or a document, for people who
 * write them. */
#include "main/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "main/command.h"

static int usage(FILE *to)
{
    fprintf(to, "usage: typeauth schema validate --schema FILE [--dialect D] "
                "[--formats]\n\n");
    schema_validate_help(to);
    return to == stdout ? 0 : 2;
}

bool schema_file_read(const char *path, size_t max, struct buf *out)
{
    FILE *file = strcmp(path, "-") != 0 ? fopen(path, "re") : stdin;
    char *room;
    size_t n = 1;
    buf_init(out, max + 1);
    while (file && n && (room = buf_reserve(out, 65536)) != NULL) {
        n = fread(room, 1, 65536, file);
        out->n += n;
    }
    if (!file || ferror(file))
        fprintf(stderr, "typeauth: cannot read %s: %s\n", path,
                strerror(errno));
    else if (n)
        fprintf(stderr, "typeauth: %s is longer than %zu MiB\n", path,
                max >> 20);
    bool good = file && !ferror(file) && n == 0;
    if (file && file != stdin) fclose(file);
    if (!good) buf_fini(out);
    return good;
}

bool schema_lines_read(FILE *in, bool (*each)(void *context, struct sv line),
                       void *context)
{
    struct buf line;
    bool all = true, any = false;
    buf_init(&line, SCHEMA_LINE_BYTES_MAX + 1);
    for (int c = getc_unlocked(in); c != EOF || any; c = getc_unlocked(in)) {
        if (c != '\n' && c != EOF) {
            buf_putc(&line, (char)c);
            any = true;
            continue;
        }
        all &= each(context, buf_sv(&line));
        fflush(stdout);
        buf_clear(&line);
        line.overflow = false;
        any = false;
    }
    buf_fini(&line);
    return all;
}

/* Control characters would break the promise of one thing a line. */
void schema_put_line_text(FILE *to, struct sv s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7f)
            fprintf(to, "\\u%04x", (unsigned)(uint8_t)s.p[i]);
        else
            putc(s.p[i], to);
}

void schema_put_violation(FILE *to, const struct schema_violation *v)
{
    fputs("  ", to);
    schema_put_line_text(to, v->instance.n ? v->instance : SV("/"));
    fputs(": ", to);
    schema_put_line_text(to, v->says);
    fprintf(to, " (%.*s ", SV_FMT(v->keyword));
    schema_put_line_text(to, v->location);
    fputs(")\n", to);
}

int command_schema(int argc, char **argv)
{
    if (argc && !strcmp(argv[0], "--help")) return usage(stdout);
    if (argc && !strcmp(argv[0], "validate"))
        return schema_validate(argc - 1, argv + 1);
    if (argc && !strcmp(argv[0], "check"))
        return schema_check(argc - 1, argv + 1);
    return usage(stderr);
}
