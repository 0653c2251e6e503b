/* Fetched key sets over a restart: the last good text of each remote set lies
 * in a folder of its own, so that an issuer that is down while we start is the
 * same as one that goes down later: its known keys hold until maxStale.
 *
 *   DIR/<SHA-256 of kind and source, hex>    the set as it was fetched;
 *                                            its time: last confirmed
 *
 * What was fetched while plain HTTP was allowed has another name: a server
 * that allows it no more does not believe it.
 *
 * Sets with symmetric keys are not kept: they would be secrets at rest. A file
 * is replaced by rename, never written into; one that does not read is as
 * good as none. Everything here blocks: for a worker. */
#ifndef REACH_KEY_FILE_H
#define REACH_KEY_FILE_H

#include "live/keyset.h"

enum { KEY_FILE_OLD_S = 30 * 86400 }; /* maxStale is at most this */

/* The file that keeps the set of `src`. */
struct key_file {
    char path[4096];
};
/* ERR_TOOBIG: DIR is too long a name. */
int key_file_of(struct key_file *f, const char *dir,
                const struct keyset_source *src, bool allow_plain);
/* ERR_IO; the old file, if any, stays then. */
int key_file_save(const struct key_file *f, struct sv text,
                  const struct jwk_set *keys, int64_t wall_ms);
/* The text on the heap, and when it was last confirmed. ERR_NOTFOUND, ERR_IO,
 * ERR_TOOBIG. */
int key_file_load(const struct key_file *f, char **text, size_t *n,
                  int64_t *confirmed_ms);
/* The issuer says that it still holds. */
void key_file_confirm(const struct key_file *f, int64_t wall_ms);
/* Removes what nobody could use any more. */
void key_files_sweep(const char *dir, int64_t wall_ms);

#endif
