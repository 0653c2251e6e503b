/* The command line's front door. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        printf("typeauth %s\n", TYPEAUTH_VERSION);
        return 0;
    }
    fprintf(stderr, "usage: typeauth --version\n");
    return 2;
}
