/* Stands in for libFuzzer in a normal build: runs the target once for the
 * empty input and once for each file, or each file of each directory, named
 * on the command line. A finding aborts, as it does under libFuzzer. */
#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 1 << 20 };
static unsigned ran;

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) err(1, "%s", path);
    char *read_into = malloc(INPUT_MAX_BYTES);
    size_t size = fread(read_into, 1, INPUT_MAX_BYTES, file);
    if (ferror(file) || !feof(file))
        errx(1, "%s: unreadable, or above 1 MiB", path);
    fclose(file);
    /* An exact copy, so that a sanitizer sees a read beyond the end. */
    uint8_t *data = malloc(size ? size : 1);
    memcpy(data, read_into, size);
    free(read_into);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    ran++;
}

static void run_path(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) {
        run_file(path);
        return;
    }
    for (struct dirent *e; (e = readdir(directory));) {
        char child[4096];
        if (e->d_name[0] == '.') continue;
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        run_file(child);
    }
    closedir(directory);
}

int main(int argc, char **argv)
{
    printf("1..1\n");
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) run_path(argv[i]);
    printf("ok 1 - %u inputs replayed\n", ran);
    return 0;
}
