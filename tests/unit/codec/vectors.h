/* Reads tests/vectors/http1: "verdict | name | bytes" a line. */
#ifndef UNIT_CODEC_VECTORS_H
#define UNIT_CODEC_VECTORS_H

#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/sv.h"

struct vector {
    char verdict[8], name[96], bytes[1024];
    size_t n;
};

static unsigned vector_hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static size_t vector_unescape(const char *p, char *out)
{
    size_t n = 0;
    for (; *p && *p != '\n'; p++) {
        if (*p != '\\') {
            out[n++] = *p;
            continue;
        }
        switch (*++p) {
        case 'r': out[n++] = '\r'; break;
        case 'n': out[n++] = '\n'; break;
        case 't': out[n++] = '\t'; break;
        case '\\': out[n++] = '\\'; break;
        case 'x':
            out[n++] = (char)(vector_hex(p[1]) << 4 | vector_hex(p[2]));
            p += 2;
            break;
        default: ENSURE(!"escape");
        }
    }
    return n;
}

/* Calls fn for each; returns how many there were. */
static unsigned vectors_each(const char *file,
                             void (*fn)(const struct vector *v))
{
    char path[512], line[2048];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/tests/vectors/http1/%s", TEST_SOURCE_ROOT,
             file);
    FILE *f = fopen(path, "r");
    ENSURE(f);
    while (fgets(line, sizeof line, f)) {
        struct vector v;
        char *name = strstr(line, " | "), *bytes;
        if (line[0] == '#' || !name) continue;
        bytes = strstr(name + 3, " | ");
        ENSURE(bytes && strlen(line) < 1024);
        snprintf(v.verdict, sizeof v.verdict, "%.*s", (int)(name - line),
                 line);
        snprintf(v.name, sizeof v.name, "%.*s", (int)(bytes - name - 3),
                 name + 3);
        v.n = vector_unescape(bytes + 3, v.bytes);
        fn(&v);
        n++;
    }
    fclose(f);
    return n;
}

/* A copy of exactly n bytes, so that a sanitizer sees what is read behind. */
static char *exact(const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    ENSURE(copy);
    if (n) memcpy(copy, p, n);
    return copy;
}

#endif
