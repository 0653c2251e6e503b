/* Where in a request the mail address is (checkLocations, checkPropertyName):
 * header, cookie, query parameter, member of a JSON body or field of a form.
 * Pure; texts are views into the request or copies in the arena. */
#ifndef DETECT_MAIL_PROPERTY_H
#define DETECT_MAIL_PROPERTY_H

#include "base/arena.h"
#include "codec/http.h"

enum mail_location {
    MAIL_IN_HEADER = 1,
    MAIL_IN_COOKIE = 2,
    MAIL_IN_QUERY = 4,
    MAIL_IN_BODY = 8,
};

enum { MAIL_TEXTS_MAX = 16 };

struct mail_texts {
    struct sv text[MAIL_TEXTS_MAX];
    unsigned n;
    bool over; /* there were more, or the arena was spent */
};

/* Appends what stands at `name`, %XX undone, of the locations asked but the
 * body. Every field, cookie, parameter of the name counts, not the first. */
void mail_find_head(unsigned locations, struct sv name,
                    const struct http_field *fields, unsigned fields_n,
                    struct sv query, struct arena *a, struct mail_texts *out);
/* JSON (application/json, …+json): `name` is a JSON Pointer (RFC 6901) or a
 * member of the outermost object; a string, or each string of an array. Forms
 * (application/x-www-form-urlencoded): `name`, or behind its '/'. ERR_INVALID:
 * JSON that is none (gateway.md §3); other types hold nothing. */
int mail_find_body(struct sv name, struct sv content_type, struct sv body,
                   struct arena *a, struct mail_texts *out);

#endif
