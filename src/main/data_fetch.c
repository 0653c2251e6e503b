/* Asking npm. It runs as a child with its own words on standard error, so that
 * what it complains about is seen; while it is silent we say that it lives. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/ensure.h"
#include "main/data.h"

enum { PACKAGES_MAX = 8, TIMEOUT_S = 1800, SAY_EVERY_S = 5 };

extern char **environ;

static int spawn_npm(const char *dir, const char *const *packages, pid_t *pid)
{
    static const char *const fixed[] = {
        "npm",        "install",   "--ignore-scripts",  "--no-audit",
        "--no-fund",  "--no-save", "--no-package-lock", "--loglevel=error",
        "--omit=dev", "--prefix",
    };
    const char *argv[ARRAY_LEN(fixed) + PACKAGES_MAX + 2];
    size_t n = ARRAY_LEN(fixed);
    memcpy(argv, fixed, sizeof fixed);
    argv[n++] = dir;
    for (int i = 0; packages[i] && i < PACKAGES_MAX; i++)
        argv[n++] = packages[i];
    argv[n] = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, 2, 1);
    int err = posix_spawnp(pid, "npm", &actions, NULL,
                           (char *const *)(const void *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

/* Exit status, or -1 when it had to be ended. */
static int wait_for(pid_t pid)
{
    const struct timespec tick = { .tv_nsec = 100000000 };
    for (unsigned tenths = 1; tenths < TIMEOUT_S * 10; tenths++) {
        int status;
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (done < 0 && errno != EINTR) return -1;
        nanosleep(&tick, NULL);
        if (tenths % (SAY_EVERY_S * 10) == 0) {
            printf("  npm is at work, %u s\n", tenths / 10);
            fflush(stdout);
        }
    }
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return -1;
}

int data_fetch(const char *dir, const char *const *packages)
{
    pid_t pid;
    for (int i = 0; packages[i]; i++) printf("fetching %s\n", packages[i]);
    fflush(stdout);
    int err = spawn_npm(dir, packages, &pid);
    if (err) {
        fprintf(stderr,
                "typeauth: npm could not be run: %s. Install it (Debian: "
                "apt install npm), or\nfetch the packages elsewhere and give "
                "their node_modules with --from.\n",
                strerror(err));
        return -1;
    }
    int status = wait_for(pid);
    if (status == 0) return 0;
    fprintf(stderr,
            "typeauth: npm failed (status %d): is the registry "
            "reachable, the version right?\nNothing was changed.\n",
            status);
    return -1;
}
