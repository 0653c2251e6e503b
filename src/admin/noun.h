/* The five verbs that every resource has, for those whose records are
 * documents (all but tokens). A noun adds what is its own by hooks; each hook
 * returns false when it has set a failure. */
#ifndef ADMIN_NOUN_H
#define ADMIN_NOUN_H

#include "admin/call.h"

struct noun {
    const char *name;            /* "application": audit, messages */
    const struct shape *shape;
    /* `doc`: the canonical document, may be changed; `before` NULL on create.
     * r: kind, ids and times are set. */
    bool (*check)(struct call *c, struct record *r, yyjson_mut_doc *doc,
                  const struct record *before);
    /* The row is written. */
    bool (*stored)(struct call *c, struct record *r, yyjson_mut_doc *doc,
                   const struct record *before);
    /* Before the row goes. */
    bool (*leaving)(struct call *c, const struct record *r);
    /* The row is gone. */
    bool (*gone)(struct call *c, const struct record *r);
    /* A row of this noun clashes with another: 409's field. */
    const char *unique_field;
    /* Message of a create; NULL: "Created.". */
    const char *(*message)(struct call *c, const struct record *r);
    /* What a patch is merged into, with what is not shown (secrets); NULL: as
     * shown. NULL from it: the record is damaged. */
    yyjson_val *(*present)(struct call *c, const struct record *r);
    /* Writes the object; NULL: record_show. */
    void (*show)(struct call *c, const struct record *r, struct buf *out);
    /* The same for answers about one: what lists leave out. NULL: as show. */
    void (*show_whole)(struct call *c, const struct record *r,
                       struct buf *out);
};

void noun_create(struct call *c, const struct noun *n);
void noun_list(struct call *c, const struct noun *n);
void noun_get(struct call *c, const struct noun *n);
void noun_patch(struct call *c, const struct noun *n);
void noun_delete(struct call *c, const struct noun *n);

/* The record that the path names; false after a 404. */
bool noun_find(struct call *c, const struct noun *n, struct record *out);
/* Writes a changed document over `before`: audit, hooks, everything. */
bool noun_update(struct call *c, const struct noun *n,
                 const struct record *before, yyjson_mut_doc *doc,
                 struct record *out);
/* Writes a canonical document as a new record: audit, hooks, everything. */
bool noun_insert(struct call *c, const struct noun *n, yyjson_mut_doc *doc,
                 struct record *out);
/* What a patch is merged into; NULL after a 500. */
yyjson_val *noun_present(struct call *c, const struct noun *n,
                         const struct record *r);
/* One object, with its ETag. */
void noun_answer(struct call *c, const struct noun *n, const struct record *r,
                 unsigned status, const char *message);
/* Object of an audit entry. */
struct sv noun_redacted(struct call *c, const struct noun *n,
                        const struct record *r);

#endif
