/* What concerns the process itself: rights, limits, the data directory. */
#ifndef MAIN_PROCESS_H
#define MAIN_PROCESS_H

#include "base/sv.h"

/* No core dumps, no ptrace by others, umask 077, descriptors to the hard
 * limit, SIGPIPE and SIGXFSZ ignored. Before any secret is read. */
void process_harden(void);
/* Cores that affinity and cgroup quota allow, at least 1. */
unsigned process_cpus(void);
/* Hands back what only the start has touched: free heap, and the resident
 * pages of code and read-only data, which stay in the page cache and are
 * mapped again by the first use (0.5 us for 64 KiB). Once, when the server
 * listens. */
void process_settle(void);
/* Descriptors that may be open. */
unsigned process_descriptors(void);

/* Makes the directory (0700) when absent, refuses one that others may read,
 * and locks it for this process. 0 or -1 after having said why; the returned
 * descriptor holds the lock. */
int data_dir_open(const char *dir, int *lock_fd);
/* DIR/NAME in static thread-local memory, four in turn. */
const char *data_path(const char *dir, const char *name);

#endif
