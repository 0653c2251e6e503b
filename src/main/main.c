/* The command line's front door: a table of commands. */
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "main/command.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "serve", command_serve, "run the gateway and the management API" },
    { "init", command_init,
      "make a data directory, an account and its owner "
      "key" },
    { "key", command_key, "create a management key, rotate the server key" },
    { "check", command_check, "check a configuration file and exit" },
    { "jwt", command_jwt, "say of a JSON Web Token what the gateway would" },
    { "schema", command_schema,
      "judge JSON values and requests by a schema, check a document" },
    { "data", command_data,
      "fetch the lists of disposable mail domains and of places" },
    { "simulate", command_simulate,
      "judge requests by security and abuse profiles, without a server" },
    { "settings", command_settings,
      "print all settings, their bounds and "
      "defaults" },
};

static int usage(FILE *to, int status)
{
    fprintf(to,
            "typeauth %s: keys, limits and quotas in front of HTTP APIs\n"
            "\nusage: typeauth COMMAND [OPTIONS]\n\n",
            TYPEAUTH_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n  --version  print the version\n"
                "  --help     this text; `typeauth COMMAND --help` for one "
                "command\n"
                "\nFirst steps: typeauth serve --data ./data\n");
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) return usage(stderr, 2);
    if (!strcmp(argv[1], "--version")) {
        printf("typeauth %s\n", TYPEAUTH_VERSION);
        return 0;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return usage(stdout, 0);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 2, argv + 2);
    fprintf(stderr, "typeauth: no command '%s'; `typeauth --help` lists them\n",
            argv[1]);
    return 2;
}
