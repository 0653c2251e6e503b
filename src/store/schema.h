/* The tables, as numbered migrations. Append only: what was released is never
 * edited. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/sql.h"

/* Brings the database to the newest version, each step in a transaction of its
 * own. ERR_VERSION: it is newer than this program. */
int schema_migrate(struct sql_db *db, char problem[256]);

#endif
