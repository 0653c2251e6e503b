/* The location data of a running server: opened at the start, looked at by
 * stat each two seconds, opened again when a file was renamed over or came to
 * be. An edition that cannot be read is said once and leaves the one before in
 * force; so do files that go away. Checks read it through `root`. */
#ifndef MAIN_PLACES_H
#define MAIN_PLACES_H

#include "base/buf.h"
#include "detect/place.h"

struct places; /* control thread, but for places_ask and the root's readers */

struct places_conf {
    const char *dir;          /* where `typeauth data update` puts them */
    const char *const *files; /* instead of those; borrowed */
    unsigned files_n;
};

/* Without any readable file there are no data yet: that is no error. */
int places_open(struct places **out, const struct places_conf *conf);
void places_close(struct places **p);
struct place_root *places_root(struct places *p);
/* Looks when it is time. */
void places_tick(struct places *p, uint64_t now_ns);
/* Look at the next tick, and say anew what is wrong (SIGHUP). Any thread. */
void places_ask(struct places *p);
/* Files that are looked for. `built_s` 0: not in force; `problem` "" none. */
struct places_file {
    const char *path, *problem;
    struct sv type; /* "DBIP-City", of the edition in force */
    int64_t built_s;
};
unsigned places_files(const struct places *p,
                      struct places_file out[PLACE_FILES_MAX]);
void places_metrics(const struct places *p, int64_t wall_s, struct buf *out);

#endif
