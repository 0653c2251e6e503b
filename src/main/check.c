/* `typeauth check FILE` and `typeauth settings`. */
#include <stdio.h>
#include <string.h>

#include "main/command.h"
#include "main/settings.h"

int command_check(int argc, char **argv)
{
    if (argc != 1 || !strcmp(argv[0], "--help")) {
        fprintf(argc == 1 ? stdout : stderr,
                "usage: typeauth check FILE\n"
                "Reads a configuration file as `serve --config FILE` would "
                "and says what is wrong, with the line.\n");
        return argc == 1 ? 0 : 2;
    }
    if (!settings_check_file(argv[0])) return 1;
    printf("%s: good\n", argv[0]);
    return 0;
}

int command_settings(int argc, char **argv)
{
    if (argc == 1 && !strcmp(argv[0], "--markdown")) {
        settings_markdown(stdout);
        return 0;
    }
    if (argc) {
        fprintf(stderr, "usage: typeauth settings [--markdown]\n");
        return 2;
    }
    settings_usage(stdout);
    return 0;
}
